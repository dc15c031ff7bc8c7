-- Tokens: JSON Web Tokens (RFC 7519) signed with our keys, checked with ours and those of trusted issuers.
--
--   verify_jwt(token, audience)            applications, administrators
--   decode_jwt_unverified(token)           applications, administrators
--   sign_jwt(claims, algorithm, typ)       administrators
--   mint_access_token, mint_id_token, mint_userinfo, mint_logout_token, client_tokens, person_tokens   the store
--   half_hash, access_token_verify, id_token_hint_verify   the store
--
-- Whether a token is good is decided in one place, pg_identity/src/tokens.rs, from the rows of configuration, audiences,
-- signing_keys, trusted_issuers, trusted_keys and revocations, looked at every time and as they are at that moment.

create function identity.verify_jwt(token text, audience text default null)
returns jsonb
language c volatile parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'verify_jwt_wrapper';
comment on function identity.verify_jwt(text, text) is
  'The claims of a good token of any type, ours or of a trusted issuer. audience: the one that aud must name; NULL means the audiences accepted here. Clock skew: none for our exp, 5 s for our iat and nbf, 60 s for other issuers. Raises ID101 malformed, ID102 expired, ID103 not yet valid, ID104 wrong audience, ID105 unknown key, ID106 bad signature, ID107 revoked, ID109 unknown issuer, ID110 algorithm refused.';
revoke all on function identity.verify_jwt(text, text) from public;
grant execute on function identity.verify_jwt(text, text) to identity_owner, identity_admin, identity_app;

create function identity.decode_jwt_unverified(token text)
returns jsonb
language c immutable strict parallel safe cost 1000
as 'MODULE_PATHNAME', 'decode_jwt_unverified_wrapper';
comment on function identity.decode_jwt_unverified(text) is
  'What a token says, true or not: {"header": …, "claims": …}. For looking, never for deciding. Raises ID101 when it is not strictly a compact JWS of at most 16 KiB.';
revoke all on function identity.decode_jwt_unverified(text) from public;
grant execute on function identity.decode_jwt_unverified(text) to identity_owner, identity_admin, identity_app;

create function identity.half_hash(value text, algorithm text)
returns text
language c immutable strict parallel safe cost 100
as 'MODULE_PATHNAME', 'half_hash_wrapper';
comment on function identity.half_hash(text, text) is
  'at_hash of an access token or c_hash of a code for an ID token signed with this algorithm (OpenID Connect Core §3.1.3.6). Raises ID008 for an unknown algorithm.';
revoke all on function identity.half_hash(text, text) from public;
grant execute on function identity.half_hash(text, text) to identity_owner;

create function identity.access_token_verify(token text, audience text default null)
returns jsonb
language c volatile parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'access_token_verify_wrapper';
comment on function identity.access_token_verify(text, text) is
  'The claims of an access token that this database''s issuer gave (typ at+jwt, RFC 9068). audience: the one that aud must name; NULL means that the caller looks at it. NULL for every other token. Raises nothing.';
revoke all on function identity.access_token_verify(text, text) from public;
grant execute on function identity.access_token_verify(text, text) to identity_owner;

create function identity.id_token_hint_verify(token text)
returns jsonb
language c volatile strict parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'id_token_hint_verify_wrapper';
comment on function identity.id_token_hint_verify(text) is
  'The claims of an ID token that this database''s issuer gave, also after it expired (OpenID Connect RP-Initiated Logout §2), with the id of the person and of the session as sub and sid where a sector sees others; NULL when it is anything else. Raises nothing.';
revoke all on function identity.id_token_hint_verify(text) from public;
grant execute on function identity.id_token_hint_verify(text) to identity_owner;

-- Making tokens: pg_identity/src/mint.rs, from the rows of configuration, signing_keys and revocations.

-- Signing whatever one likes is for administrators: whoever may call this can be anybody.
create function identity.sign_jwt(claims jsonb, algorithm text default null, typ text default 'JWT')
returns text
language c volatile parallel unsafe cost 10000 as 'MODULE_PATHNAME', 'sign_jwt_wrapper';
comment on function identity.sign_jwt(jsonb, text, text) is
  'A token with these claims, signed with the current key of the algorithm (NULL: that of access tokens). iss, iat and exp (5 minutes) are added where absent; the header says alg, kid and typ. Raises ID002 without issuer or key, ID003 without the master key, ID005 when claims is not an object, typ is empty or the token longer than 16 KiB.';
revoke all on function identity.sign_jwt(jsonb, text, text) from public;
grant execute on function identity.sign_jwt(jsonb, text, text) to identity_owner, identity_admin;

create function identity.mint_access_token(claims json, lifetime integer)
returns text
language c volatile parallel unsafe cost 10000 as 'MODULE_PATHNAME', 'mint_access_token_wrapper';
comment on function identity.mint_access_token(json, integer) is
  'An access token (RFC 9068, typ at+jwt) that lives for lifetime seconds (1 to 86400); iss, aud (the issuer), iat, exp and jti are added where absent, a member that is null is left out. iat is a second on when its user, client or agent was revoked in this very second. Raises ID002 without issuer or key, ID003 without the master key, ID005 for claims or lifetime.';
revoke all on function identity.mint_access_token(json, integer) from public;
grant execute on function identity.mint_access_token(json, integer) to identity_owner;

create function identity.mint_id_token(claims json, lifetime integer, algorithm text)
returns text
language c volatile parallel unsafe cost 10000 as 'MODULE_PATHNAME', 'mint_id_token_wrapper';
comment on function identity.mint_id_token(json, integer, text) is
  'An ID token (OpenID Connect Core §2, typ JWT) that lives for lifetime seconds (1 to 86400), signed with the current key of this algorithm, or unsecured for none; iss, iat and exp are added where absent, a member that is null is left out. Raises ID002 without issuer or key, ID003 without the master key, ID005 for claims or lifetime.';
revoke all on function identity.mint_id_token(json, integer, text) from public;
grant execute on function identity.mint_id_token(json, integer, text) to identity_owner;

create function identity.client_tokens(client_id text, access_lifetime integer, audience json, scope text)
returns json
language c volatile parallel unsafe cost 10000 as 'MODULE_PATHNAME', 'client_tokens_wrapper';
comment on function identity.client_tokens(text, integer, json, text) is
  'The body of a successful token response (RFC 6749 §5.1) for a client itself: an access token as by mint_access_token whose sub is the client, with this aud unless NULL, and scope unless NULL. Raises ID002, ID003, ID005.';
revoke all on function identity.client_tokens(text, integer, json, text) from public;
grant execute on function identity.client_tokens(text, integer, json, text) to identity_owner;

create function identity.person_tokens(
  subject text, client_id text, grant_id uuid, session_id text, auth_time timestamptz, acr text, amr text[],
  access_lifetime integer, audience json, scope text, session_alive boolean, access_more json,
  id_lifetime integer, id_algorithm text, nonce text, id_more json, id_recipient json, refresh_token text
)
returns json
language c volatile parallel unsafe cost 10000 as 'MODULE_PATHNAME', 'person_tokens_wrapper';
comment on function identity.person_tokens(text, text, uuid, text, timestamptz, text, text[], integer, json, text, boolean, json, integer, text, text, json, json, text) is
  'The body of a token response about a person: an access token as by mint_access_token unless access_lifetime is NULL, with refresh_token and scope unless NULL; an ID token as by mint_id_token unless id_lifetime is NULL, with at_hash where there is an access token, encrypted where id_recipient {jwk, alg, enc} says to whom. '
  'What is NULL is not said; session_alive: whether the access token names the session; access_more and id_more are claims beside the others. Raises ID002, ID003, ID005, and ID008 for an unknown id_algorithm.';
revoke all on function identity.person_tokens(text, text, uuid, text, timestamptz, text, text[], integer, json, text, boolean, json, integer, text, text, json, json, text) from public;
grant execute on function identity.person_tokens(text, text, uuid, text, timestamptz, text, text[], integer, json, text, boolean, json, integer, text, text, json, json, text) to identity_owner;

create function identity.mint_userinfo(claims json, algorithm text)
returns text
language c volatile parallel unsafe cost 10000 as 'MODULE_PATHNAME', 'mint_userinfo_wrapper';
comment on function identity.mint_userinfo(json, text) is
  'A userinfo answer as a token (OpenID Connect Core §5.3.2), signed with the current key of this algorithm, or unsecured for none; iss and iat are added, exp is not. Raises ID002 without issuer or key, ID003 without the master key, ID005 for claims.';
revoke all on function identity.mint_userinfo(json, text) from public;
grant execute on function identity.mint_userinfo(json, text) to identity_owner;

create function identity.mint_logout_token(claims json, algorithm text)
returns text
language c volatile parallel unsafe cost 10000 as 'MODULE_PATHNAME', 'mint_logout_token_wrapper';
comment on function identity.mint_logout_token(json, text) is
  'A logout token (OpenID Connect Back-Channel Logout §2.4, typ logout+jwt) that lives for two minutes, signed with the current key of this algorithm; events, iss, iat and exp are added. Raises ID002 without issuer or key, ID003 without the master key, ID005 for claims.';
revoke all on function identity.mint_logout_token(json, text) from public;
grant execute on function identity.mint_logout_token(json, text) to identity_owner;
