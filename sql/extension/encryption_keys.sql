-- Encryption keys: what others encrypt to us with, and what we encrypt to them (RFC 7516, RFC 7518 §4, §5).
-- The cryptography is pg_identity/src/encryption_keys.rs and jwe.rs.
--
-- Public: create_encryption_key, rotate_encryption_keys for administrators. Published in identity.jwks() with use enc.
-- For our own functions: jwe_open, jwe_recipient, jwe_seal.
--
--   current ------> retired ──a day──▶ (private part gone)
--
-- There is no next one: a key may be used as soon as it is published. A retired one still opens what was encrypted by those who
-- had not seen its successor.

create table identity.encryption_keys (
  kid text primary key,
  algorithm text not null check (algorithm in ('RSA-OAEP-256', 'ECDH-ES')),
  state text not null check (state in ('current', 'retired')),
  public_jwk jsonb not null,
  private_sealed bytea,
  created_at timestamptz not null,
  retired_at timestamptz,
  constraint current_opens check (state <> 'current' or private_sealed is not null),
  constraint retired_has_a_time check ((state = 'retired') = (retired_at is not null))
);
create unique index encryption_keys_current on identity.encryption_keys (algorithm) where state = 'current';
comment on table identity.encryption_keys is 'Keys that clients encrypt request objects to.';
comment on column identity.encryption_keys.kid is 'RFC 7638 thumbprint of the public key.';
comment on column identity.encryption_keys.algorithm is 'RSA-OAEP-256; or ECDH-ES, which is good for ECDH-ES+A256KW too.';
comment on column identity.encryption_keys.state is 'current: published. retired: opens what was encrypted to it, for a day.';
comment on column identity.encryption_keys.public_jwk is 'Public JWK with kid and use.';
comment on column identity.encryption_keys.private_sealed is
  'The private key, AES-256-GCM under a master key, bound to the kid; NULL once it opens nothing any more.';
comment on column identity.encryption_keys.created_at is 'When it was made, and published.';
comment on column identity.encryption_keys.retired_at is 'When its successor was published; NULL: it is current.';
alter table identity.encryption_keys owner to identity_owner;
select pg_catalog.pg_extension_config_dump('identity.encryption_keys', '');

create function identity.encryption_key_make(algorithm text) returns text
language c volatile strict parallel unsafe cost 100000 as 'MODULE_PATHNAME', 'encryption_key_make_wrapper';
comment on function identity.encryption_key_make(text) is
  'A new key pair as JSON: kid, public_jwk, private_sealed (base64). Raises ID001, ID003, ID008.';
revoke all on function identity.encryption_key_make(text) from public;
grant execute on function identity.encryption_key_make(text) to identity_owner;

create function identity.create_encryption_key(algorithm text default 'ECDH-ES')
returns text
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  made jsonb := identity.encryption_key_make(coalesce(algorithm, ''))::jsonb;
begin
  lock table identity.encryption_keys in share row exclusive mode;
  update identity.encryption_keys as key set state = 'retired', retired_at = statement_timestamp()
  where key.algorithm = create_encryption_key.algorithm and key.state = 'current';
  update identity.encryption_keys as key set private_sealed = null
  where key.retired_at < statement_timestamp() - interval '1 day' and key.private_sealed is not null;
  insert into identity.encryption_keys (kid, algorithm, state, public_jwk, private_sealed, created_at)
  values (made ->> 'kid', algorithm, 'current', made -> 'public_jwk', decode(made ->> 'private_sealed', 'base64'),
    statement_timestamp());
  return made ->> 'kid';
end
$$;
comment on function identity.create_encryption_key(text) is
  'Makes a key that clients may encrypt request objects to (ECDH-ES, good for ECDH-ES+A256KW too, or RSA-OAEP-256) and publishes it; returns its kid. One of the same algorithm before it retires, and opens for another day. Raises ID001, ID003, ID008.';
alter function identity.create_encryption_key(text) owner to identity_owner;
revoke all on function identity.create_encryption_key(text) from public;
grant execute on function identity.create_encryption_key(text) to identity_admin;

create function identity.rotate_encryption_keys(older_than interval default interval '0')
returns table (algorithm text, kid text)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Further back timestamps end.
  if older_than is null or older_than not between interval '0' and interval '100 years' then
    raise exception using errcode = 'ID005', message = 'older_than must lie between 0 and 100 years';
  end if;
  return query
    select due.algorithm, identity.create_encryption_key(due.algorithm)
    from (
      select key.algorithm from identity.encryption_keys as key
      where key.state = 'current' and key.created_at <= statement_timestamp() - older_than
      order by key.algorithm
    ) as due;
end
$$;
comment on function identity.rotate_encryption_keys(interval) is
  'A successor for every current encryption key that is at least older_than old; returns algorithm and kid of each. A timer may call it with older_than => ''90 days''. Raises ID001, ID003, ID005.';
alter function identity.rotate_encryption_keys(interval) owner to identity_owner;
revoke all on function identity.rotate_encryption_keys(interval) from public;
grant execute on function identity.rotate_encryption_keys(interval) to identity_admin;

create function identity.jwe_open(token text) returns text
language c volatile strict parallel unsafe cost 20000 as 'MODULE_PATHNAME', 'jwe_open_wrapper';
comment on function identity.jwe_open(text) is
  'The text that somebody encrypted to a key of ours (compact JWE, at most 32 KiB); NULL when it is malformed, of an algorithm we do not know, or was not. Raises ID001, ID003.';
revoke all on function identity.jwe_open(text) from public;
grant execute on function identity.jwe_open(text) to identity_owner;

create function identity.jwe_recipient(jwks jsonb, algorithm text) returns jsonb
language c immutable strict parallel safe cost 1000 as 'MODULE_PATHNAME', 'jwe_recipient_wrapper';
comment on function identity.jwe_recipient(jsonb, text) is
  'The key of a JWK set that is encrypted to with this algorithm (RSA-OAEP-256, ECDH-ES, ECDH-ES+A256KW); NULL when there is no sound one. Raises ID008.';
revoke all on function identity.jwe_recipient(jsonb, text) from public;
grant execute on function identity.jwe_recipient(jsonb, text) to identity_owner;

create function identity.jwe_seal(text text, jwk jsonb, algorithm text, encryption text, cty text) returns text
language c volatile parallel unsafe cost 20000 as 'MODULE_PATHNAME', 'jwe_seal_wrapper';
comment on function identity.jwe_seal(text, jsonb, text, text, text) is
  'A text encrypted to a key that jwe_recipient chose (compact JWE), NULL when it is no sound one; encryption: A256GCM or A128CBC-HS256; cty: JWT around a signed token, else NULL. Raises ID005, ID008.';
revoke all on function identity.jwe_seal(text, jsonb, text, text, text) from public;
grant execute on function identity.jwe_seal(text, jsonb, text, text, text) to identity_owner;

create function identity.jwe_header(token text) returns jsonb
language c immutable strict parallel safe cost 1000 as 'MODULE_PATHNAME', 'jwe_header_wrapper';
comment on function identity.jwe_header(text) is
  'How a compact JWE is encrypted, {alg, enc}; NULL when it is malformed or of an algorithm that we do not know. Raises nothing.';
revoke all on function identity.jwe_header(text) from public;
grant execute on function identity.jwe_header(text) to identity_owner;
