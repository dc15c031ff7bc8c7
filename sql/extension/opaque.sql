-- Opaque secrets, refresh tokens, ids and names. Formats: pg_identity/src/opaque.rs, refresh.rs, uuid_v7.rs, names.rs.
--
-- Public: uuid_v7, uuid_v7_floor, uuid_v7_time, normalize_name.
-- For our own functions: opaque_mint, opaque_id, opaque_hash, refresh_seed, refresh_token, refresh_family, refresh_generation, refresh_matches.

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
  opaque_mint.hash := identity.opaque_hash(opaque_mint.token);
end
$$;
comment on function identity.opaque_mint(text, uuid) is
  'A new secret for the row id, to be shown once, and its SHA-256, to be stored. Raises ID005 for a bad prefix.';
alter function identity.opaque_mint(text, uuid) owner to identity_owner;
revoke all on function identity.opaque_mint(text, uuid) from public;

create function identity.opaque_hash(token text) returns bytea
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'opaque_hash_wrapper';
comment on function identity.opaque_hash(text) is
  'SHA-256 of a secret as it is stored, for one look-up `where id = opaque_id(…) and hash = opaque_hash(…)`. Raises nothing.';
revoke all on function identity.opaque_hash(text) from public;
grant execute on function identity.opaque_hash(text) to identity_owner;

-- Refresh tokens (README, decision 9): a family is one row; its tokens are computed from the generation and the sealed seed.

create function identity.refresh_seed() returns bytea
language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'refresh_seed_wrapper';
comment on function identity.refresh_seed() is
  'A new random seed for a family of refresh tokens, sealed under the current key for them. Raises ID001, ID002, ID003.';
revoke all on function identity.refresh_seed() from public;
grant execute on function identity.refresh_seed() to identity_owner;

create function identity.refresh_token(family uuid, generation integer, seed bytea) returns text
language c stable strict parallel unsafe as 'MODULE_PATHNAME', 'refresh_token_wrapper';
comment on function identity.refresh_token(uuid, integer, bytea) is
  'The refresh token of that generation of the family, always the same one; NULL when the key of the seed is gone. Raises ID001, ID003, ID005.';
revoke all on function identity.refresh_token(uuid, integer, bytea) from public;
grant execute on function identity.refresh_token(uuid, integer, bytea) to identity_owner;

create function identity.refresh_matches(token text, seed bytea) returns boolean
language c stable strict parallel unsafe as 'MODULE_PATHNAME', 'refresh_matches_wrapper';
comment on function identity.refresh_matches(text, bytea) is
  'Whether the refresh token was made from this seed, compared in constant time. Raises ID001, ID003, ID005.';
revoke all on function identity.refresh_matches(text, bytea) from public;
grant execute on function identity.refresh_matches(text, bytea) to identity_owner;

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
