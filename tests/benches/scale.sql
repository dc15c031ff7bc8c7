-- A population, as years of use would leave it: USERS people and FAMILIES refresh families, made by insert … select.
-- scale.rs runs the parts between the lines of dashes, with values for the words in capitals: functions, partitions, people and
-- their grants one by one, families at the same time, indexes; the last one answers tokens.
--
-- Ids are computed from numbers, so that nothing is joined: person n, grant g and so on. Rows come in the order of time, as
-- they would have. A function is a single expression, so that PostgreSQL inlines it. They reckon from MOMENT and not from now(),
-- which is another one in each statement: what one wrote the next would not find.

-- Foreign keys hold by construction, and are not checked ten million times.
set session_replication_role = replica;
set synchronous_commit = off;
set maintenance_work_mem = '512MB';

create function pg_temp.id(kind text, n bigint, at timestamptz) returns uuid
language sql immutable parallel safe
as $$
  select (left(identity.uuid_v7_floor($3)::text, 19)
    || overlay(overlay(left(md5($1 || $2), 17) placing '-' from 5 for 1) placing '9' from 1 for 1))::uuid
$$;
-- People came over two years, their last sessions began within four weeks, grants were given within sixty days.
create function pg_temp.person(n bigint) returns uuid
language sql stable parallel safe
as $$ select pg_temp.id('person', $1, MOMENT - interval '2 years' * (1 - $1 / USERS.0)) $$;
create function pg_temp.session(n bigint) returns uuid
language sql stable parallel safe
as $$ select pg_temp.id('session', $1, MOMENT - interval '28 days' * (1 - $1 / USERS.0)) $$;
create function pg_temp.granted_at(g bigint) returns timestamptz
language sql stable parallel safe
as $$ select MOMENT - interval '60 days' * (1 - $1 / FAMILIES.0) $$;
-- Some people use many applications and devices: a hundredth of them holds a tenth of the grants.
create function pg_temp.giver(g bigint) returns bigint
language sql stable parallel safe
as $$ select 1 + floor(power((hashint8($1) & 1048575) / 1048576.0, 2) * (USERS - 1))::bigint $$;
--------
-- The partitions of the time before the installation.
do $$
declare
  settings identity_store.partition_settings;
  first timestamptz;
begin
  perform identity.maintenance_run();
  for settings in select * from identity_store.partition_settings s where s.table_name in ('sessions', 'grants', 'refresh_families') loop
    for n in 1 .. ceil(extract(epoch from interval '61 days') / extract(epoch from settings.every)) loop
      select min(p.begins_at) into first from identity_store.partitions(settings.table_name) p;
      perform identity_store.partition_make(settings, first - settings.every, first);
    end loop;
  end loop;
end
$$;
-- Indexes are made when the rows are there: that is several times faster.
create temp table indexes as
select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
from pg_index i
where i.indrelid in ('identity_store.grants'::regclass, 'identity_store.refresh_families'::regclass) and not i.indisprimary;
do $$ declare i text; begin for i in select name from indexes loop execute 'drop index ' || i; end loop; end $$;
--------
insert into identity_store.users (id, username, claims, created_at)
select pg_temp.person(n), 'person' || n, jsonb_build_object('name', 'Person ' || n || ' Liddell', 'given_name', 'Person ' || n,
  'family_name', 'Liddell', 'locale', 'en-GB', 'zoneinfo', 'Europe/London'), identity.uuid_v7_time(pg_temp.person(n))
from generate_series(1, USERS) n;
--------
insert into identity_store.sign_in_names (name_key, user_id)
select name, pg_temp.person(n) from generate_series(1, USERS) n, lateral (values ('person' || n), ('person' || n || '@people.example')) v (name);
--------
insert into identity_store.user_emails (id, user_id, address, address_key, verified_at, "primary")
select pg_temp.id('email', n, now()), pg_temp.person(n), 'person' || n || '@people.example', 'person' || n || '@people.example', now(), true
from generate_series(1, USERS) n;
--------
-- One real hash, copied: its length is what counts.
insert into identity_store.passwords (user_id, phc)
select pg_temp.person(n), h.phc from generate_series(1, USERS) n, (select identity.hash_password('correct horse battery') as phc offset 0) h;
--------
insert into identity_store.sessions (id, user_id, secret_hash, auth_time, amr, last_seen_at, expires_at)
select pg_temp.session(n), pg_temp.person(n), sha256(int8send(n)), identity.uuid_v7_time(pg_temp.session(n)), '{pwd}', now(),
  identity.uuid_v7_time(pg_temp.session(n)) + interval '30 days'
from generate_series(1, USERS) n;
--------
insert into identity_store.grants (id, user_id, client_id, session_id, scope, resources, session_bound, auth_time, amr, created_at)
select pg_temp.id('grant', g, at), pg_temp.person(giver), 'CLIENT', pg_temp.session(giver), '{openid,profile,email,offline_access}', '{}', false,
  at, '{pwd}', at
from generate_series(1, FAMILIES) g, lateral (select pg_temp.granted_at(g) as at, pg_temp.giver(g) as giver offset 0) w;
--------
-- An eighth was taken back, and of those older than two weeks a third was not used for that long. Every SAMPLEth can be used
-- for refreshing; the others have the length of a seed and no meaning, because sealing ten million takes minutes.
insert into identity_store.refresh_families
  (id, grant_id, client_id, user_id, seed, generation, head_since, created_at, expires_at, idle_expires_at, ended_at, end_reason)
select pg_temp.id('family', g, at), pg_temp.id('grant', g, at), 'CLIENT', pg_temp.person(giver),
  case when g % SAMPLE = 0 then identity.refresh_seed() else model.seed end, 1 + g % 50, at, at, at + interval '90 days',
  case when hash between 2 and 6 then at + interval '14 days' else at + interval '75 days' end,
  case when hash < 2 then at + interval '1 day' end, case when hash < 2 then 'revoked' end
from generate_series(1, FAMILIES) g, lateral (
    select pg_temp.granted_at(g) as at, pg_temp.giver(g) as giver, hashint8(g) & 15 as hash offset 0) w,
  (select identity.refresh_seed() as seed offset 0) model;
--------
do $$ declare i text; begin for i in select definition from indexes loop execute i; end loop; end $$;
--------
-- Live families in no order, each with its token of today.
select identity.refresh_token(f.id, f.generation, f.seed)
from generate_series(SAMPLE, FAMILIES, SAMPLE) g
join identity_store.refresh_families f on f.id = pg_temp.id('family', g, pg_temp.granted_at(g))
where f.ended_at is null and least(f.idle_expires_at, f.expires_at) > now() + interval '1 day'
order by md5(f.id::text)
