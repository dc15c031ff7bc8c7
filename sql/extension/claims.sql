-- Claims: the verified identity of this transaction. Everybody who authenticates reads it here, and policies do.
--
--   issuer() subject() user_id() session_id() client_id() grant_id() organization_id() token_id() acr() auth_time() expires_at()
--   is_agent() has_scope(text) has_role(text) has_permission(text) claim(text)
--   scopes() roles() permissions() amr() actor() actor_chain() claims()
--
-- What the token does not say is NULL, and everything is NULL when nobody is signed in or once the token has expired at the start of the
-- statement. Readers are native, look at no row and call nothing, so they are cheap in a policy even once per row.
-- STABLE, never IMMUTABLE: a cached plan must not keep somebody's identity. LEAKPROOF: they never fail on account of a row.

create function identity.issuer()
returns text
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'issuer_wrapper';
comment on function identity.issuer() is
  'The issuer of the token of whoever is signed in (iss). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.issuer() from public;
grant execute on function identity.issuer() to identity_owner, identity_admin, identity_app;

create function identity.subject()
returns text
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'subject_wrapper';
comment on function identity.subject() is
  'The subject of the token of whoever is signed in (sub). With the issuer it is the identity. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.subject() from public;
grant execute on function identity.subject() to identity_owner, identity_admin, identity_app;

create function identity.user_id()
returns uuid
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'user_id_wrapper';
comment on function identity.user_id() is
  'The person of ours who is signed in. Also NULL for a token that a client got for itself, and for subjects of another issuer unless trust_issuer said that they are user ids. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.user_id() from public;
grant execute on function identity.user_id() to identity_owner, identity_admin, identity_app;

create function identity.session_id()
returns text
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'session_id_wrapper';
comment on function identity.session_id() is
  'The browser session that the token came from (sid). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.session_id() from public;
grant execute on function identity.session_id() to identity_owner, identity_admin, identity_app;

create function identity.client_id()
returns text
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'client_id_wrapper';
comment on function identity.client_id() is
  'The client that the token was given to (client_id). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.client_id() from public;
grant execute on function identity.client_id() to identity_owner, identity_admin, identity_app;

create function identity.grant_id()
returns text
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'grant_id_wrapper';
comment on function identity.grant_id() is
  'The OAuth grant that the token stands on (grant_id). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.grant_id() from public;
grant execute on function identity.grant_id() to identity_owner, identity_admin, identity_app;

create function identity.organization_id()
returns text
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'organization_id_wrapper';
comment on function identity.organization_id() is
  'The organization in which the person acts (org_id). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.organization_id() from public;
grant execute on function identity.organization_id() to identity_owner, identity_admin, identity_app;

create function identity.token_id()
returns text
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'token_id_wrapper';
comment on function identity.token_id() is
  'The id of the token (jti). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.token_id() from public;
grant execute on function identity.token_id() to identity_owner, identity_admin, identity_app;

create function identity.acr()
returns text
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'acr_wrapper';
comment on function identity.acr() is
  'How strongly the person was authenticated (acr, OpenID Connect Core §2). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.acr() from public;
grant execute on function identity.acr() to identity_owner, identity_admin, identity_app;

create function identity.auth_time()
returns timestamptz
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'auth_time_wrapper';
comment on function identity.auth_time() is
  'When the person was authenticated (auth_time). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.auth_time() from public;
grant execute on function identity.auth_time() to identity_owner, identity_admin, identity_app;

create function identity.expires_at()
returns timestamptz
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'expires_at_wrapper';
comment on function identity.expires_at() is
  'When the token expires (exp). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.expires_at() from public;
grant execute on function identity.expires_at() to identity_owner, identity_admin, identity_app;

create function identity.is_agent()
returns boolean
language c stable parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'is_agent_wrapper';
comment on function identity.is_agent() is
  'Whether somebody acts for the subject (act, RFC 8693 §4.1). NULL, never false, when nobody is signed in. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.is_agent() from public;
grant execute on function identity.is_agent() to identity_owner, identity_admin, identity_app;

create function identity.has_scope(scope text)
returns boolean
language c stable strict parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'has_scope_wrapper';
comment on function identity.has_scope(text) is
  'Whether the token has this scope. NULL, never false, when nobody is signed in. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.has_scope(text) from public;
grant execute on function identity.has_scope(text) to identity_owner, identity_admin, identity_app;

create function identity.has_role(role text)
returns boolean
language c stable strict parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'has_role_wrapper';
comment on function identity.has_role(text) is
  'Whether the token has this role. NULL, never false, when nobody is signed in. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.has_role(text) from public;
grant execute on function identity.has_role(text) to identity_owner, identity_admin, identity_app;

create function identity.has_permission(permission text)
returns boolean
language c stable strict parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'has_permission_wrapper';
comment on function identity.has_permission(text) is
  'Whether the token has this permission. NULL, never false, when nobody is signed in. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.has_permission(text) from public;
grant execute on function identity.has_permission(text) to identity_owner, identity_admin, identity_app;

create function identity.claim(name text)
returns text
language c stable strict parallel safe leakproof cost 1
as 'MODULE_PATHNAME', 'claim_wrapper';
comment on function identity.claim(text) is
  'One claim of the token: a text as it is, anything else as JSON. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.claim(text) from public;
grant execute on function identity.claim(text) to identity_owner, identity_admin, identity_app;

create function identity.scopes()
returns text[]
language c stable parallel safe leakproof cost 100
as 'MODULE_PATHNAME', 'scopes_wrapper';
comment on function identity.scopes() is
  'The scopes of the token (scope, taken apart). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.scopes() from public;
grant execute on function identity.scopes() to identity_owner, identity_admin, identity_app;

create function identity.roles()
returns text[]
language c stable parallel safe leakproof cost 100
as 'MODULE_PATHNAME', 'roles_wrapper';
comment on function identity.roles() is
  'The roles of the token. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.roles() from public;
grant execute on function identity.roles() to identity_owner, identity_admin, identity_app;

create function identity.permissions()
returns text[]
language c stable parallel safe leakproof cost 100
as 'MODULE_PATHNAME', 'permissions_wrapper';
comment on function identity.permissions() is
  'The permissions of the token. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.permissions() from public;
grant execute on function identity.permissions() to identity_owner, identity_admin, identity_app;

create function identity.amr()
returns text[]
language c stable parallel safe leakproof cost 100
as 'MODULE_PATHNAME', 'amr_wrapper';
comment on function identity.amr() is
  'By which methods the person was authenticated (amr, RFC 8176). NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.amr() from public;
grant execute on function identity.amr() to identity_owner, identity_admin, identity_app;

create function identity.actor()
returns jsonb
language c stable parallel safe leakproof cost 100
as 'MODULE_PATHNAME', 'actor_wrapper';
comment on function identity.actor() is
  'Who acts for the subject (act, RFC 8693 §4.1), with those who acted before nested in it. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.actor() from public;
grant execute on function identity.actor() to identity_owner, identity_admin, identity_app;

create function identity.actor_chain()
returns jsonb
language c stable parallel safe leakproof cost 100
as 'MODULE_PATHNAME', 'actor_chain_wrapper';
comment on function identity.actor_chain() is
  'Who acts for the subject: an array, the current actor first, each without those before it. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.actor_chain() from public;
grant execute on function identity.actor_chain() to identity_owner, identity_admin, identity_app;

create function identity.claims()
returns jsonb
language c stable parallel safe leakproof cost 100
as 'MODULE_PATHNAME', 'claims_of_token_wrapper';
comment on function identity.claims() is
  'All claims of the token. NULL when absent, when nobody is signed in, and once the token has expired. Raises ID001 when the library is not preloaded.';
revoke all on function identity.claims() from public;
grant execute on function identity.claims() to identity_owner, identity_admin, identity_app;
