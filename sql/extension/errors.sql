-- Errors: the registry of SQLSTATE class ID. What the library raises is in pg_identity/src/errors.rs too.
--
-- Public: errors(), for everybody who handles our errors.

create function identity.errors()
returns table (sqlstate text, name text, meaning text)
language sql immutable parallel safe
as $$
  select * from (values
    ('ID001', 'not_preloaded', 'The library is not in shared_preload_libraries.'),
    ('ID002', 'not_configured', 'No issuer, no signing key or no sealed key: run identity.configure.'),
    ('ID003', 'master_key_unavailable', 'The master key file is missing, badly protected, malformed, or lacks the key that sealed this.'),
    ('ID004', 'hashing_busy', 'Too many passwords are being hashed; retry after a moment.'),
    ('ID005', 'invalid_parameter', 'An argument cannot be accepted; the message names it.'),
    ('ID006', 'not_found', 'What the argument names does not exist.'),
    ('ID007', 'already_exists', 'What should be made exists already.'),
    ('ID008', 'unsupported', 'An algorithm or format that this version does not know.'),
    ('ID009', 'hash_unacceptable', 'A password hash that is malformed or costs too much to compute.'),
    ('ID101', 'token_malformed', 'Not a compact JWS with one strict JSON header and one strict JSON object of claims.'),
    ('ID102', 'token_expired', 'exp has passed.'),
    ('ID103', 'token_not_yet_valid', 'nbf or iat lies in the future.'),
    ('ID104', 'wrong_audience', 'aud names no audience that is accepted here.'),
    ('ID105', 'unknown_key', 'kid names no key of the issuer, or a revoked one.'),
    ('ID106', 'bad_signature', 'The signature does not fit key and content.'),
    ('ID107', 'token_revoked', 'The token, or something it stands on, is revoked.'),
    ('ID108', 'wrong_type', 'typ is not the type that is accepted here.'),
    ('ID109', 'unknown_issuer', 'iss is neither this database''s issuer nor a trusted one.'),
    ('ID110', 'algorithm_refused', 'alg is not the algorithm of the key or not allowed for the issuer.'),
    ('ID201', 'second_subject', 'Another subject was already verified in this transaction.'),
    ('ID202', 'looked', 'How can_see takes back what it did to look, and the store the locks it waited for; it never leaves them.'),
    ('ID301', 'build_mismatch', 'Library and installed SQL are of different builds.')
  ) as registry (sqlstate, name, meaning)
$$;
comment on function identity.errors() is
  'The SQLSTATEs of pg_identity: code, name, meaning. ID0xx setup and arguments, ID1xx tokens, ID2xx the signed-in identity, ID3xx installation. Raises nothing.';
revoke all on function identity.errors() from public;
grant execute on function identity.errors()
  to identity_owner, identity_admin, identity_gateway, identity_app, identity_sync;
