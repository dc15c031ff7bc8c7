-- Opaque secrets, refresh tokens, ids and names. Formats: pg_identity/src/opaque.rs, refresh.rs, uuid_v7.rs, names.rs.
--
-- Public: uuid_v7, uuid_v7_floor, uuid_v7_time, normalize_name.
-- For our own functions: opaque_mint, opaque_parse, refresh_seed, refresh_token, refresh_parse, refresh_matches.

create function identity.opaque_token(prefix text, id uuid) returns text
language c volatile strict parallel safe as 'MODULE_PATHNAME', 'opaque_token_wrapper';
comment on function identity.opaque_token(text, uuid) is
  'A new secret for the row id: prefix, id, 256 random bits and a checksum, of the letters [A-Za-z0-9_-]. Raises ID005 for a bad prefix.';
revoke all on function identity.opaque_token(text, uuid) from public;
grant execute on function identity.opaque_token(text, uuid) to identity_owner;

create function identity.opaque_id(prefix text, token text) returns uuid
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'opaque_id_wrapper';
comment on function identity.opaque_id(text, text) is
  'Id of the row a well-formed secret of that prefix belongs to; NULL when it is malformed. Proves nothing. Raises nothing.';
revoke all on function identity.opaque_id(text, text) from public;
grant execute on function identity.opaque_id(text, text) to identity_owner;

create function identity.opaque_mint(prefix text, id uuid, out token text, out hash bytea)
language plpgsql volatile strict parallel safe
as $$
begin
  opaque_mint.token := identity.opaque_token(prefix, id);
  opaque_mint.hash := pg_catalog.sha256(pg_catalog.convert_to(opaque_mint.token, 'UTF8'));
end
$$;
comment on function identity.opaque_mint(text, uuid) is
  'A new secret for the row id, to be shown once, and its SHA-256, to be stored. Raises ID005 for a bad prefix.';
alter function identity.opaque_mint(text, uuid) owner to identity_owner;
revoke all on function identity.opaque_mint(text, uuid) from public;

-- Without strict and settings of its own PostgreSQL inlines it.
create function identity.opaque_parse(prefix text, token text)
returns table (id uuid, hash bytea)
language sql immutable parallel safe
as $$
  select parsed.id, pg_catalog.sha256(pg_catalog.convert_to($2, 'UTF8'))
  from identity.opaque_id($1, $2) as parsed (id)
  where parsed.id is not null
$$;
comment on function identity.opaque_parse(text, text) is
  'Id of the row and SHA-256 of a secret, for one look-up `where id = … and hash = …`; no row when it is malformed. Raises nothing.';
alter function identity.opaque_parse(text, text) owner to identity_owner;
revoke all on function identity.opaque_parse(text, text) from public;

-- Refresh tokens (README, decision 9): a family is one row; its tokens are computed from the generation and the sealed seed.

create function identity.refresh_seed_with(id text, key bytea) returns bytea
language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'refresh_seed_with_wrapper';
comment on function identity.refresh_seed_with(text, bytea) is
  'A new random seed sealed under the key of that id. Raises ID001, ID003.';
revoke all on function identity.refresh_seed_with(text, bytea) from public;
grant execute on function identity.refresh_seed_with(text, bytea) to identity_owner;

create function identity.refresh_token_with(id text, key bytea, family uuid, generation integer, seed bytea) returns text
language c stable strict parallel safe as 'MODULE_PATHNAME', 'refresh_token_with_wrapper';
comment on function identity.refresh_token_with(text, bytea, uuid, integer, bytea) is
  'The token of that generation of the family. Raises ID001, ID003, ID005.';
revoke all on function identity.refresh_token_with(text, bytea, uuid, integer, bytea) from public;
grant execute on function identity.refresh_token_with(text, bytea, uuid, integer, bytea) to identity_owner;

create function identity.refresh_matches_with(id text, key bytea, token text, seed bytea) returns boolean
language c stable strict parallel safe as 'MODULE_PATHNAME', 'refresh_matches_with_wrapper';
comment on function identity.refresh_matches_with(text, bytea, text, bytea) is
  'Whether the token was made from the seed. Raises ID001, ID003, ID005.';
revoke all on function identity.refresh_matches_with(text, bytea, text, bytea) from public;
grant execute on function identity.refresh_matches_with(text, bytea, text, bytea) to identity_owner;

create function identity.refresh_family(token text) returns uuid
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'refresh_family_wrapper';
comment on function identity.refresh_family(text) is 'Family of a well-formed refresh token; NULL when it is malformed. Raises nothing.';
revoke all on function identity.refresh_family(text) from public;
grant execute on function identity.refresh_family(text) to identity_owner;

create function identity.refresh_generation(token text) returns integer
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'refresh_generation_wrapper';
comment on function identity.refresh_generation(text) is
  'Generation of a well-formed refresh token; NULL when it is malformed. Raises nothing.';
revoke all on function identity.refresh_generation(text) from public;
grant execute on function identity.refresh_generation(text) to identity_owner;

create function identity.refresh_seed()
returns bytea
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key record := identity.sealed_key('refresh');
begin
  return identity.refresh_seed_with(key.id, key.sealed);
end
$$;
comment on function identity.refresh_seed() is 'A new random seed for a family of refresh tokens, sealed. Raises ID001, ID002, ID003.';
alter function identity.refresh_seed() owner to identity_owner;
revoke all on function identity.refresh_seed() from public;

-- plpgsql, here and where else every token passes: it keeps its plans, a function in SQL is planned at every call.
create function identity.refresh_token(family uuid, generation integer, seed bytea)
returns text
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select identity.refresh_token_with(key.id, key.sealed, $1, $2, $3)
    from identity.sealed_keys as key
    where key.id = identity.sealed_by($3) and key.purpose = 'refresh'
  );
end
$$;
comment on function identity.refresh_token(uuid, integer, bytea) is
  'The refresh token of that generation of the family, always the same one; NULL when the key of the seed is gone. Raises ID001, ID003, ID005.';
alter function identity.refresh_token(uuid, integer, bytea) owner to identity_owner;
revoke all on function identity.refresh_token(uuid, integer, bytea) from public;

create function identity.refresh_parse(token text)
returns table (family uuid, generation integer)
language sql immutable parallel safe
as $$
  select parsed.family, identity.refresh_generation($1)
  from identity.refresh_family($1) as parsed (family)
  where parsed.family is not null
$$;
comment on function identity.refresh_parse(text) is
  'Family and generation that a refresh token names, to find the row; no row when it is malformed. Proves nothing: see refresh_matches. Raises nothing.';
alter function identity.refresh_parse(text) owner to identity_owner;
revoke all on function identity.refresh_parse(text) from public;

create function identity.refresh_matches(token text, seed bytea)
returns boolean
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce((
      select identity.refresh_matches_with(key.id, key.sealed, $1, $2)
      from identity.sealed_keys as key
      where key.id = identity.sealed_by($2) and key.purpose = 'refresh'
    ), false)
  );
end
$$;
comment on function identity.refresh_matches(text, bytea) is
  'Whether the refresh token was made from this seed, compared in constant time. Raises ID001, ID003, ID005.';
alter function identity.refresh_matches(text, bytea) owner to identity_owner;
revoke all on function identity.refresh_matches(text, bytea) from public;

create function identity.uuid_v7() returns uuid
language c volatile strict parallel safe as 'MODULE_PATHNAME', 'uuid_v7_wrapper';
comment on function identity.uuid_v7() is
  'A new UUID version 7 (RFC 9562 §5.7): the time in 1/4096 ms, then 62 random bits; ascending within a session. Raises nothing.';
revoke all on function identity.uuid_v7() from public;
grant execute on function identity.uuid_v7() to identity_owner, identity_admin, identity_app;

create function identity.uuid_v7_floor(at timestamptz) returns uuid
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'uuid_v7_floor_wrapper';
comment on function identity.uuid_v7_floor(timestamptz) is
  'The smallest UUID version 7 of the millisecond of `at`: a bound for ranges of ids. Raises ID005 outside 1970 to 10889.';
revoke all on function identity.uuid_v7_floor(timestamptz) from public;
grant execute on function identity.uuid_v7_floor(timestamptz) to identity_owner, identity_admin, identity_app;

create function identity.uuid_v7_time(id uuid) returns timestamptz
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'uuid_v7_time_wrapper';
comment on function identity.uuid_v7_time(uuid) is
  'The time of a UUID version 7, in whole milliseconds; NULL for other versions. Raises nothing.';
revoke all on function identity.uuid_v7_time(uuid) from public;
grant execute on function identity.uuid_v7_time(uuid) to identity_owner, identity_admin, identity_app;

create function identity.normalize_name(name text) returns text
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'normalize_name_wrapper';
comment on function identity.normalize_name(text) is
  'A user name or e-mail address in the form in which names are compared: Unicode NFKC, full case folding, without invisible characters and white space around (toNFKC_Casefold). Raises nothing.';
revoke all on function identity.normalize_name(text) from public;
grant execute on function identity.normalize_name(text) to identity_owner, identity_admin, identity_app;
