-- What clients sign: assertions (RFC 7523) and request objects (RFC 9101). pg_identity/src/client_signatures.rs.
--
--   client_jws_read, client_key_signed, client_secret_signed    the store: is it well-formed, and who signed it
--   client_secret_seal, client_jwks_read                        the store: secrets to sign with, fetched keys

create function identity.client_jws_read(token text) returns jsonb
language c immutable strict parallel safe cost 1000 as 'MODULE_PATHNAME', 'client_jws_read_wrapper';
comment on function identity.client_jws_read(text) is
  'What a signed or unsigned token says, true or not: {header, claims, aud (array), exp, nbf, iat (whole seconds, where present)}; NULL when it is not strictly a compact JWS of at most 16 KiB with claims. Raises nothing.';
revoke all on function identity.client_jws_read(text) from public;
grant execute on function identity.client_jws_read(text) to identity_owner;

create function identity.client_key_signed(token text, jwks jsonb, algorithm text) returns text
language c immutable parallel safe cost 20000 as 'MODULE_PATHNAME', 'client_key_signed_wrapper';
comment on function identity.client_key_signed(text, jsonb, text) is
  'Whether a key of the JWK set signed a token that client_jws_read reads, with that algorithm (NULL: any asymmetric one): signed, unknown_key (a newer set may hold it), bad_signature, algorithm_refused. Raises ID101 for what is no token.';
revoke all on function identity.client_key_signed(text, jsonb, text) from public;
grant execute on function identity.client_key_signed(text, jsonb, text) to identity_owner;

create function identity.client_secret_signed(token text, id uuid, sealed bytea, algorithm text) returns boolean
language c volatile parallel unsafe cost 2000 as 'MODULE_PATHNAME', 'client_secret_signed_wrapper';
comment on function identity.client_secret_signed(text, uuid, bytea, text) is
  'Whether a token that client_jws_read reads has an HMAC under this sealed secret, with that algorithm (NULL: HS256, HS384 or HS512). Raises ID001, ID003, ID005 when sealed is not of this id, ID101 for what is no token.';
revoke all on function identity.client_secret_signed(text, uuid, bytea, text) from public;
grant execute on function identity.client_secret_signed(text, uuid, bytea, text) to identity_owner;

create function identity.client_secret_seal(id uuid, secret text) returns bytea
language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'client_secret_seal_wrapper';
comment on function identity.client_secret_seal(uuid, text) is
  'A client secret that has to be known again to check an HMAC, sealed for the row of that id. Raises ID001, ID002, ID003.';
revoke all on function identity.client_secret_seal(uuid, text) from public;
grant execute on function identity.client_secret_seal(uuid, text) to identity_owner;

create function identity.client_jwks_read(document text) returns jsonb
language c immutable strict parallel safe cost 1000 as 'MODULE_PATHNAME', 'client_jwks_read_wrapper';
comment on function identity.client_jwks_read(text) is
  'A JWK set (RFC 7517 §5) that somebody published, with what we use of its public keys; NULL when it is none, has more than 100 keys, or holds a private or symmetric one. Raises nothing.';
revoke all on function identity.client_jwks_read(text) from public;
grant execute on function identity.client_jwks_read(text) to identity_owner;
