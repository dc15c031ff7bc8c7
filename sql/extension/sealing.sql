-- Sealing: the symmetric keys of this database, and what is sealed or hashed with them. Format: pg_identity/src/sealing.rs.
--
-- Public: create_sealed_keys() and rotate_sealed_key(purpose) for administrators.
-- For our own functions: state_seal, state_open, keyed_hash.
--
--   (none) -> current -> retired      a retired key still opens and verifies

create table identity.sealed_keys (
  id text primary key check (id ~ '^[0-9a-f]{16}$'),
  purpose text not null check (purpose in ('state', 'keyed_hash', 'refresh', 'pepper', 'client_secret', 'pairwise')),
  sealed bytea not null,
  state text not null check (state in ('current', 'retired')),
  created_at timestamptz not null
);
create unique index sealed_keys_current on identity.sealed_keys (purpose) where state = 'current';
comment on table identity.sealed_keys is
  'Random 256-bit keys of this database, sealed under the master key file. Useless without that file.';
comment on column identity.sealed_keys.id is '16 hexadecimal digits; part of whatever the key made.';
comment on column identity.sealed_keys.purpose is
  'state: unfinished logins. keyed_hash: names of counters. refresh: seeds of refresh-token families. pepper: passwords. client_secret: secrets that HMACs are checked with. pairwise: subjects.';
comment on column identity.sealed_keys.sealed is 'The key, AES-256-GCM under a master key, bound to purpose and id.';
comment on column identity.sealed_keys.state is 'current: makes new things. retired: only opens and verifies old ones.';
comment on column identity.sealed_keys.created_at is 'When it was made.';
alter table identity.sealed_keys owner to identity_owner;
select pg_catalog.pg_extension_config_dump('identity.sealed_keys', '');

create function identity.sealed_key_id() returns text
language c volatile strict parallel safe as 'MODULE_PATHNAME', 'sealed_key_id_wrapper';
comment on function identity.sealed_key_id() is 'A new random id for identity.sealed_keys. Raises nothing.';
revoke all on function identity.sealed_key_id() from public;
grant execute on function identity.sealed_key_id() to identity_owner;

create function identity.sealed_key_make(id text, purpose text) returns bytea
language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'sealed_key_make_wrapper';
comment on function identity.sealed_key_make(text, text) is
  'A new random key of 32 bytes, sealed under the first master key for that purpose and id. Raises ID001, ID003, ID005.';
revoke all on function identity.sealed_key_make(text, text) from public;
grant execute on function identity.sealed_key_make(text, text) to identity_owner;

create function identity.sealed_rewrap(purpose text, name text, sealed bytea) returns bytea
language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'sealed_rewrap_wrapper';
comment on function identity.sealed_rewrap(text, text, bytea) is
  'The same key sealed under the first master key; NULL when it is already. Raises ID001, ID003.';
revoke all on function identity.sealed_rewrap(text, text, bytea) from public;
grant execute on function identity.sealed_rewrap(text, text, bytea) to identity_owner;

create function identity.create_sealed_keys()
returns integer
language sql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  with missing as materialized (
    select wanted.purpose, identity.sealed_key_id() as id
    from unnest(array['state', 'keyed_hash', 'refresh', 'pepper', 'client_secret', 'pairwise']) as wanted (purpose)
    where not exists (
      select from identity.sealed_keys as existing
      where existing.purpose = wanted.purpose and existing.state = 'current'
    )
  ), made as (
    insert into identity.sealed_keys (id, purpose, sealed, state, created_at)
    select id, purpose, identity.sealed_key_make(id, purpose), 'current', statement_timestamp() from missing
    on conflict do nothing
    returning 1
  )
  select count(*)::integer from made
$$;
comment on function identity.create_sealed_keys() is
  'Makes the symmetric keys that are missing; returns how many. May be repeated. Raises ID001, ID003.';
alter function identity.create_sealed_keys() owner to identity_owner;
revoke all on function identity.create_sealed_keys() from public;
grant execute on function identity.create_sealed_keys() to identity_admin;

-- keyed_hash has no successor: what was stored under the old key could not be found any more. Neither has pairwise: people
-- would be strangers to their applications.
create function identity.rotate_sealed_key(purpose text)
returns text
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  new_id text := identity.sealed_key_id();
begin
  if rotate_sealed_key.purpose is null or rotate_sealed_key.purpose not in ('state', 'refresh', 'pepper', 'client_secret') then
    raise exception using errcode = 'ID005', message = 'purpose must be state, refresh, pepper or client_secret';
  end if;
  -- Two at once would both retire the same key; the second waits, and retires the first one's.
  lock table identity.sealed_keys in share row exclusive mode;
  update identity.sealed_keys as key set state = 'retired'
  where key.purpose = rotate_sealed_key.purpose and key.state = 'current';
  insert into identity.sealed_keys (id, purpose, sealed, state, created_at)
  values (new_id, rotate_sealed_key.purpose, identity.sealed_key_make(new_id, rotate_sealed_key.purpose), 'current',
    statement_timestamp());
  return new_id;
end
$$;
comment on function identity.rotate_sealed_key(text) is
  'Retires the current key of a purpose (state, refresh, pepper or client_secret) and makes its successor; returns the new id. Raises ID001, ID003, ID005.';
alter function identity.rotate_sealed_key(text) owner to identity_owner;
revoke all on function identity.rotate_sealed_key(text) from public;
grant execute on function identity.rotate_sealed_key(text) to identity_admin;

create function identity.sealed_key(purpose text, out id text, out sealed bytea)
language plpgsql stable parallel safe
as $$
begin
  select key.id, key.sealed into sealed_key.id, sealed_key.sealed
  from identity.sealed_keys as key
  where key.purpose = sealed_key.purpose and key.state = 'current';
  if not found then
    raise exception using errcode = 'ID002', message = 'this database has no key for ' || sealed_key.purpose,
      hint = 'Run: select identity.configure(''https://…'')';
  end if;
end
$$;
comment on function identity.sealed_key(text) is 'The current key of a purpose: id and sealed form. Raises ID002.';
alter function identity.sealed_key(text) owner to identity_owner;
revoke all on function identity.sealed_key(text) from public;

-- The state of an unfinished login travels sealed in the URL (README, decision 7).

create function identity.state_seal_with(id text, key bytea, purpose text, issuer text, expires_at bigint, state text)
returns text
language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'state_seal_with_wrapper';
comment on function identity.state_seal_with(text, bytea, text, text, bigint, text) is
  'Seals a state under the key of that id until expires_at (microseconds since 1970); base64url. Raises ID001, ID003, ID005.';
revoke all on function identity.state_seal_with(text, bytea, text, text, bigint, text) from public;
grant execute on function identity.state_seal_with(text, bytea, text, text, bigint, text) to identity_owner;

create function identity.state_sealed_by(sealed text) returns text
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'state_sealed_by_wrapper';
comment on function identity.state_sealed_by(text) is
  'Id of the key that sealed a state; NULL when it is malformed. Raises nothing.';
revoke all on function identity.state_sealed_by(text) from public;
grant execute on function identity.state_sealed_by(text) to identity_owner;

create function identity.state_open_with(id text, key bytea, purpose text, issuer text, sealed text) returns text
language c stable strict parallel safe as 'MODULE_PATHNAME', 'state_open_with_wrapper';
comment on function identity.state_open_with(text, bytea, text, text, text) is
  'Opens a state; NULL when it is malformed, altered, expired, or of another purpose or issuer. Raises ID001, ID003.';
revoke all on function identity.state_open_with(text, bytea, text, text, text) from public;
grant execute on function identity.state_open_with(text, bytea, text, text, text) to identity_owner;

create function identity.state_seal(purpose text, state jsonb, lifetime interval)
returns text
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key record := identity.sealed_key('state');
  issuer text := identity.configured_issuer();
begin
  if issuer is null then
    raise exception using errcode = 'ID002', message = 'this database has no issuer',
      hint = 'Run: select identity.configure(''https://…'')';
  end if;
  return identity.state_seal_with(key.id, key.sealed, purpose, issuer,
    (extract(epoch from statement_timestamp() + lifetime) * 1000000)::bigint, state::text);
end
$$;
comment on function identity.state_seal(text, jsonb, interval) is
  'Seals a JSON value for one purpose of this issuer, readable until the lifetime has passed; base64url. Raises ID001, ID002, ID003.';
alter function identity.state_seal(text, jsonb, interval) owner to identity_owner;
revoke all on function identity.state_seal(text, jsonb, interval) from public;

create function identity.state_open(purpose text, sealed text)
returns jsonb
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select identity.state_open_with(key.id, key.sealed, state_open.purpose, configuration.issuer, state_open.sealed)::jsonb
    from identity.sealed_keys as key, identity.configuration
    where key.id = identity.state_sealed_by(state_open.sealed) and key.purpose = 'state');
end
$$;
comment on function identity.state_open(text, text) is
  'What state_seal sealed; NULL when it is malformed, altered, expired, or of another purpose, issuer or key. Raises ID001, ID003.';
alter function identity.state_open(text, text) owner to identity_owner;
revoke all on function identity.state_open(text, text) from public;

-- Counters of failed logins are kept under a keyed hash of the name, the same for names that do not exist (README, decision 11).

create function identity.keyed_hash_with(id text, key bytea, purpose text, data text) returns bytea
language c stable strict parallel safe as 'MODULE_PATHNAME', 'keyed_hash_with_wrapper';
comment on function identity.keyed_hash_with(text, bytea, text, text) is
  'HMAC-SHA-256 of the data under the key of that id, derived for the purpose; 32 bytes. Raises ID001, ID003.';
revoke all on function identity.keyed_hash_with(text, bytea, text, text) from public;
grant execute on function identity.keyed_hash_with(text, bytea, text, text) to identity_owner;

create function identity.keyed_hash(purpose text, data text)
returns bytea
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key record := identity.sealed_key('keyed_hash');
begin
  return identity.keyed_hash_with(key.id, key.sealed, purpose, data);
end
$$;
comment on function identity.keyed_hash(text, text) is
  'HMAC-SHA-256 of the data under a key of this database and the purpose; 32 bytes, the same for the same arguments. Raises ID001, ID002, ID003.';
alter function identity.keyed_hash(text, text) owner to identity_owner;
revoke all on function identity.keyed_hash(text, text) from public;
