-- What keeps open registration within bounds: it is a write that nobody has proved anything for (README, decision 7).
--
--   identity_store.registration_source_wait, registration_source_take, registration_room    registration.sql: quota of a source, of all
--   identity_store.registration_hour_wait, registration_source_take    registration_management.sql: changes count in the same hour
--   identity_store.registration_shared                      registration.sql: the same again is the same client
--   identity_store.registration_used                        codes.sql: whoever is granted something is unused no more; and clients.sql
--   identity_store.registrations_reap                       maintenance
--
--   registered ──a person allows it something, or an administrator changes it──▶ used: stays until it or an administrator deletes it
--      └──unused for unused_lifetime, or too many──▶ gone

-- Whoever has one /64 of IPv6 has often 256 of them, or 65536: the /48 is counted beside.
create or replace function identity_store.registration_buckets(source text)
returns integer[]
language sql stable parallel safe
as $$
  select array[
    identity_store.sign_in_bucket(identity.keyed_hash('registration_source', coalesce(s.subscriber, ''))),
    65536 + identity_store.sign_in_bucket(identity.keyed_hash('registration_source', s.site))]
  from (
    select identity_store.sign_in_source(registration_buckets.source) as subscriber,
      identity_store.registration_site(registration_buckets.source) as site
  ) s
$$;
comment on function identity_store.registration_buckets(text) is
  'The buckets of registration_sources for a network address: its own, where an IPv6 address counts by its /64, and the one of its /48, NULL for an IPv4 address.';
revoke all on function identity_store.registration_buckets(text) from public;

create or replace function identity_store.registration_site(source text)
returns text
language plpgsql immutable parallel safe
as $$
begin
  return case when source like '%:%' and source !~* '^::ffff:[0-9.]+$' then network(set_masklen(source::inet, 48))::text end;
exception
  when invalid_text_representation then
    return null;
end
$$;
comment on function identity_store.registration_site(text) is 'The /48 of an IPv6 address; NULL for everything else.';
revoke all on function identity_store.registration_site(text) from public;

create or replace function identity_store.registration_hour_wait(buckets integer[], quota integer)
returns integer
language sql stable parallel safe
as $$
  select max(greatest(ceil(extract(epoch from s.window_since + interval '1 hour' - statement_timestamp()))::integer, 1))
  from identity_store.registration_sources s
  where s.bucket = any (registration_hour_wait.buckets)
    and s.window_count >= registration_hour_wait.quota * case when s.bucket < 65536 then 1 else 10 end
    and s.window_since > statement_timestamp() - interval '1 hour'
$$;
comment on function identity_store.registration_hour_wait(integer[], integer) is
  'Seconds that a source has to wait because it, or ten times that its /48, has written as often as it may in an hour; NULL: it need not.';
revoke all on function identity_store.registration_hour_wait(integer[], integer) from public;

create or replace function identity_store.registration_source_wait(buckets integer[], quota integer)
returns integer
language sql stable parallel safe
as $$
  select coalesce(identity_store.registration_hour_wait(buckets, quota), case when quota <= (
      select count(*) from identity_store.client_registrations r
      where r.source_bucket = registration_source_wait.buckets[1] and r.open and r.used_at is null)
    or quota * 10 <= (
      select count(*) from identity_store.client_registrations r
      where r.site_bucket = registration_source_wait.buckets[2] and r.open and r.used_at is null)
    then 3600 end)
$$;
comment on function identity_store.registration_source_wait(integer[], integer) is
  'Seconds that a source has to wait before it registers another client: as registration_hour_wait, or because it has as many unused; NULL: it need not.';
revoke all on function identity_store.registration_source_wait(integer[], integer) from public;

-- Called with the row of the policy locked, so that what was said about waiting is still so.
create or replace function identity_store.registration_source_take(buckets integer[])
returns void
language plpgsql volatile parallel unsafe
as $$
begin
  insert into identity_store.registration_sources as s (bucket, window_since, window_count)
  select b, statement_timestamp(), 1 from unnest(registration_source_take.buckets) b where b is not null
  on conflict on constraint registration_sources_pkey do update set
    window_since = case when s.window_since > statement_timestamp() - interval '1 hour' then s.window_since else statement_timestamp() end,
    window_count = case when s.window_since > statement_timestamp() - interval '1 hour' then s.window_count + 1 else 1 end;
end
$$;
comment on function identity_store.registration_source_take(integer[]) is
  'Counts what a source has written: a registration, a renewal, a change. Returns nothing.';
revoke all on function identity_store.registration_source_take(integer[]) from public;

create or replace function identity_store.registration_room(most integer)
returns boolean
language plpgsql volatile parallel unsafe
as $$
declare
  candidate text;
begin
  if most > (select count(*) from identity_store.client_registrations r where r.open and r.used_at is null) then
    return true;
  end if;
  -- Whoever has just registered is about to send a person: an hour is theirs, also in a flood.
  for candidate in
    select r.client_id from identity_store.client_registrations r
    where r.open and r.used_at is null and r.renewed_at < now() - interval '1 hour' order by r.renewed_at limit 10
  loop
    if identity_store.registration_forget(candidate, now() - interval '1 hour') then
      perform identity_store.audit('registrations_reaped', null, null, null,
        jsonb_build_object('clients', jsonb_build_array(candidate), 'room', true));
      return true;
    end if;
  end loop;
  return false;
end
$$;
comment on function identity_store.registration_room(integer) is
  'Whether one more open registration may stand unused; where there are as many as may be, the one that is unused longest makes room, if that is more than an hour.';
revoke all on function identity_store.registration_room(integer) from public;

create or replace function identity_store.registration_shared(digest bytea, buckets integer[], quota integer)
returns text
language plpgsql volatile parallel unsafe
as $$
declare
  shared text;
  stale boolean;
begin
  select r.client_id, r.used_at is null and r.renewed_at < now() - interval '10 minutes' into shared, stale
  from identity_store.client_registrations r where r.digest = registration_shared.digest;
  -- Not at every registration: what a stranger can do a thousand times a second should be a read. And within the quota of the source,
  -- or whoever asks keeps clients alive that nobody uses, and the house full.
  if stale and identity_store.registration_hour_wait(buckets, quota) is null then
    perform from identity_store.registration_policy p for no key update;
    if identity_store.registration_hour_wait(buckets, quota) is null then
      update identity_store.client_registrations r set renewed_at = now()
      where r.client_id = shared and r.used_at is null and r.renewed_at < now() - interval '10 minutes';
      if found then
        perform identity_store.registration_source_take(buckets);
      end if;
    end if;
  end if;
  return shared;
end
$$;
comment on function identity_store.registration_shared(bytea, integer[], integer) is
  'The client of an open registration with the same metadata, which now begins to be unused anew, unless its source has written as often as it may; NULL: there is none.';
revoke all on function identity_store.registration_shared(bytea, integer[], integer) from public;

create or replace function identity_store.registration_used(client_id text)
returns boolean
language plpgsql volatile parallel unsafe
as $$
begin
  update identity_store.client_registrations r set used_at = now()
  where r.client_id = registration_used.client_id and (r.used_at is null or r.used_at < now() - interval '1 day');
  return found;
end
$$;
comment on function identity_store.registration_used(text) is
  'Notes that a person has allowed a client something, or that an administrator has changed it, so that it is not reaped; nothing for one that did not register itself. Whether it has noted it now.';
revoke all on function identity_store.registration_used(text) from public;

create or replace function identity_store.registration_forget(client_id text, unused_since timestamptz)
returns boolean
language plpgsql volatile parallel unsafe
as $$
begin
  -- In the order of client_delete, and waiting for nobody: a client that somebody is about to use is not unused.
  perform from identity_store.clients c where c.id = registration_forget.client_id for update skip locked;
  if not found then
    return false;
  end if;
  perform from identity_store.client_registrations r
  where r.client_id = registration_forget.client_id and r.open and r.used_at is null and r.renewed_at < unused_since
  for update skip locked;
  if not found then
    return false;
  end if;
  delete from identity_store.clients c where c.id = registration_forget.client_id;
  return true;
end
$$;
comment on function identity_store.registration_forget(text, timestamptz) is
  'Deletes an open registration that has been unused since then; false when it has not, or somebody is at work on it. There is nothing that it was given, so nothing is revoked.';
revoke all on function identity_store.registration_forget(text, timestamptz) from public;

create or replace function identity_store.registrations_reap()
returns integer
language plpgsql volatile parallel unsafe
as $$
declare
  unused_since constant timestamptz := now() - (select p.unused_lifetime from identity_store.registration_policy p);
  candidate text;
  reaped text[] := '{}';
begin
  for candidate in
    select r.client_id from identity_store.client_registrations r
    where r.open and r.used_at is null and r.renewed_at < unused_since order by r.renewed_at limit 1000
  loop
    if identity_store.registration_forget(candidate, unused_since) then
      reaped := reaped || candidate;
    end if;
  end loop;
  if cardinality(reaped) > 0 then
    perform identity_store.audit('registrations_reaped', null, null, null, jsonb_build_object('clients', to_jsonb(reaped)));
  end if;
  return cardinality(reaped);
end
$$;
comment on function identity_store.registrations_reap() is
  'Deletes open registrations that nobody has used within unused_lifetime, at most 1,000 at a time; returns how many.';
revoke all on function identity_store.registrations_reap() from public;
