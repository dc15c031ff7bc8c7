-- Schema auth, backed by the verified identity: policies that were written for Supabase (auth.uid(), auth.jwt(), auth.role(), auth.email()) or
-- for pg_session_jwt (auth.user_id(), auth.session(), auth.init(), auth.jwt_session_init(jwt)) go on as they are.
--
-- SQL functions of one expression, which the planner puts in place: a policy costs what it costs with the readers of identity.
-- What differs: the identity ends with the transaction, and no setting that SQL can write is believed. Roles that used these functions inherit
-- identity_app.

grant usage on schema auth to identity_owner, identity_admin, identity_app;
comment on schema auth is 'pg_identity: functions of Supabase and pg_session_jwt over the verified identity';

create function auth.uid()
returns uuid
language sql stable parallel safe
as $$ select identity.user_id() $$;
comment on function auth.uid() is
  'identity.user_id(): the person who is signed in. For subjects of another issuer only where trust_issuer said subject_is_user_id.';
revoke all on function auth.uid() from public;
grant execute on function auth.uid() to identity_owner, identity_admin, identity_app;

create function auth.user_id()
returns text
language sql stable parallel safe
as $$ select identity.subject() $$;
comment on function auth.user_id() is
  'identity.subject(): sub of the token of whoever is signed in. Where several issuers are trusted, compare identity.issuer() too.';
revoke all on function auth.user_id() from public;
grant execute on function auth.user_id() to identity_owner, identity_admin, identity_app;

create function auth.jwt()
returns jsonb
language sql stable parallel safe
as $$ select identity.claims() $$;
comment on function auth.jwt() is 'identity.claims(): all claims of the token of whoever is signed in; NULL for nobody.';
revoke all on function auth.jwt() from public;
grant execute on function auth.jwt() to identity_owner, identity_admin, identity_app;

create function auth.session()
returns jsonb
language sql stable parallel safe
as $$ select coalesce(identity.claims(), 'null') $$;
comment on function auth.session() is 'identity.claims(), and the JSON value null for nobody, as in pg_session_jwt.';
revoke all on function auth.session() from public;
grant execute on function auth.session() to identity_owner, identity_admin, identity_app;

create function auth.role()
returns text
language sql stable parallel safe
as $$ select coalesce(identity.claim('role'), case when identity.subject() is null then 'anon' else 'authenticated' end) $$;
comment on function auth.role() is
  'The claim role of the token; without one authenticated, and anon for nobody. It says what the token says: PostgreSQL''s role is current_user.';
revoke all on function auth.role() from public;
grant execute on function auth.role() to identity_owner, identity_admin, identity_app;

create function auth.email()
returns text
language sql stable parallel safe
as $$ select identity.claim('email') $$;
comment on function auth.email() is
  'The claim email of the token. Access tokens of this database''s issuer have none: it is at userinfo.';
revoke all on function auth.email() from public;
grant execute on function auth.email() to identity_owner, identity_admin, identity_app;

create function auth.organization()
returns jsonb
language sql stable parallel safe
as $$ select case jsonb_typeof(identity.claims() -> 'o') when 'object' then identity.claims() -> 'o' end $$;
comment on function auth.organization() is 'The claim o of the token where it is an object, as Neon Auth and Clerk have it.';
revoke all on function auth.organization() from public;
grant execute on function auth.organization() to identity_owner, identity_admin, identity_app;

create function auth.organization_id()
returns uuid
language sql stable parallel safe
as $$
  select case when identity.organization_id() ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
    then identity.organization_id()::uuid end
$$;
comment on function auth.organization_id() is
  'identity.organization_id() where it is a UUID: what the claim mapping of the issuer says it is, such as {"organization_id": ["o", "id"]}.';
revoke all on function auth.organization_id() from public;
grant execute on function auth.organization_id() to identity_owner, identity_admin, identity_app;

create function auth.init()
returns void
language sql stable parallel safe
as $$ select $$;
comment on function auth.init() is 'Nothing: the keys are those of identity.trust_issuer(). There for callers of pg_session_jwt.';
revoke all on function auth.init() from public;
grant execute on function auth.init() to identity_owner, identity_admin, identity_app;

create function auth.jwt_session_init(jwt text)
returns void
language sql volatile parallel unsafe
as $$ select identity.authenticate(jwt) $$;
comment on function auth.jwt_session_init(text) is
  'identity.authenticate(): signs in until the end of the transaction, not of the session as pg_session_jwt does; so begin one first. Raises what identity.authenticate raises.';
revoke all on function auth.jwt_session_init(text) from public;
grant execute on function auth.jwt_session_init(text) to identity_owner, identity_admin, identity_app;
