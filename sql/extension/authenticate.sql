-- Authenticate: a token becomes the verified identity of the transaction.
--
--   authenticate(token)   applications
--   sign_out()            applications
--
-- Nothing is written, so it works on standbys. The identity ends with the transaction and reverts at ROLLBACK TO SAVEPOINT. It is kept in
-- the setting pg_identity.claims, which nothing else can set, and reaches parallel workers.
--
--   nobody ──authenticate(token)──▶ subject ──sign_out()──▶ nobody, and only that subject again ──end of transaction──▶ nobody
--
-- PARALLEL UNSAFE, because a parallel worker has no identity of its own to change.

create function identity.authenticate(token text)
returns void
language c volatile parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'authenticate_wrapper';
comment on function identity.authenticate(text) is
  'Signs in, until the end of the transaction, whoever this access token speaks for: ours (typ at+jwt) for an audience accepted here, or of a trusted issuer. Begin a transaction first; within one SQL statement the order of signing in and reading is undefined. Raises ID001 not preloaded, ID101 malformed, ID102 expired, ID103 not yet valid, ID104 wrong audience, ID105 unknown key, ID106 bad signature, ID107 revoked, ID108 wrong type, ID109 unknown issuer, ID110 algorithm refused, ID201 when another subject was signed in earlier in this transaction.';
revoke all on function identity.authenticate(text) from public;
grant execute on function identity.authenticate(text) to identity_owner, identity_admin, identity_app;

create function identity.sign_out()
returns void
language c volatile parallel unsafe cost 100
as 'MODULE_PATHNAME', 'sign_out_wrapper';
comment on function identity.sign_out() is
  'From now on nobody is signed in. Another subject is refused all the same until the transaction ends. Raises ID001 not preloaded.';
revoke all on function identity.sign_out() from public;
grant execute on function identity.sign_out() to identity_owner, identity_admin, identity_app;
