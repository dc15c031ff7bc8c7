-- Account: a person's own home page. Every function takes the session cookie as the evidence of who asks, and touches
-- only what is theirs.
--
-- identity.account_page()                                              gateway: GET /
-- identity.account_session_end(), account_sessions_end_others(),
-- account_application_withdraw()                                       gateway: the page's buttons
-- (change of password: account_password.sql)
--
-- All begin with session_read, and note with session_find only in the end that the session was used: it would lock the
-- session before the person and the sessions that are ended, and two windows of one person could wait for each other in a
-- circle (lock order: codes.sql).

create or replace function identity.account_page(session_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present identity_store.sessions := identity_store.session_read(account_page.session_cookie);
begin
  if present.id is null then
    return query select 'sign_in', null::text, json_build_object();
    return;
  end if;
  return query select 'page', null::text, json_strip_nulls(json_build_object(
    'user', identity_store.account_user(present.user_id),
    -- What "two hours ago" is counted from: the gateway's clock decides nothing, not even this.
    'now', statement_timestamp(),
    'sessions', identity_store.account_sessions(present),
    'applications', identity_store.account_applications(present.user_id)));
end
$$;
comment on function identity.account_page(text) is
  'A person''s home page. Outcomes: page {user {username, name?, email?, email_verified?}, now, sessions [{id, current, user_agent?, source?, started_at, last_seen_at}], applications [{client_id, client_name, logo_uri?, initiate_login_uri?, scopes [{name, description}], granted_at? (absent: it has nothing of theirs)}]}, sign_in {}.';
revoke all on function identity.account_page(text) from public;
grant execute on function identity.account_page(text) to identity_gateway;

create or replace function identity_store.account_user(user_id uuid)
returns json
language sql stable parallel safe
as $$
  select json_strip_nulls(json_build_object(
    'username', p ->> 'preferred_username', 'name', p -> 'name',
    'email', p -> 'email', 'email_verified', p -> 'email_verified'))
  from identity_store.user_profile(account_user.user_id) p
$$;
comment on function identity_store.account_user(uuid) is 'Who the person is, for the head of their page.';
revoke all on function identity_store.account_user(uuid) from public;

create or replace function identity_store.account_sessions(present identity_store.sessions)
returns json
language sql stable parallel safe
as $$
  select coalesce(json_agg(json_build_object(
      'id', s.session_id, 'current', s.session_id = present.id, 'user_agent', s.user_agent, 'source', s.source,
      'started_at', s.started_at, 'last_seen_at', s.last_seen_at
    ) order by s.session_id = present.id desc, s.last_seen_at desc), '[]')
  from (select * from identity.user_sessions(present.user_id) limit 100) s
$$;
comment on function identity_store.account_sessions(identity_store.sessions) is 'The live sessions of the person whose session this is, this one first; at most 100.';
revoke all on function identity_store.account_sessions(identity_store.sessions) from public;

-- What was allowed on the consent page; where an application that needs no consent has access, by a refresh token or in a session
-- that goes on; and what the person may open without having been there: an administrator says so by making an application first_party
-- and registering where a sign-in begins. Of others a person who has nothing to do with them learns nothing.
create or replace function identity_store.account_applications(user_id uuid)
returns json
language sql stable parallel safe
as $$
  with given as (
    select c.client_id, c.scope, c.granted_at
    from identity_store.consents c
    where c.user_id = account_applications.user_id
    union all
    select f.client_id, g.scope, f.created_at
    from identity_store.refresh_families f
    join identity_store.grants g on g.id = f.grant_id
    where f.user_id = account_applications.user_id
      and f.ended_at is null and f.expires_at > now() and f.idle_expires_at > now()
    union all
    select g.client_id, g.scope, g.created_at
    from identity.user_sessions(account_applications.user_id) s
    join identity_store.grants g on g.session_id = s.session_id
    where g.user_id = account_applications.user_id and g.ended_at is null
      and g.id >= identity.uuid_v7_floor(s.started_at - interval '1 minute')
  ), applications as (
    select d.client ->> 'client_id' as client_id, d.client, max(l.granted_at) as granted_at
    from (
      select g.client_id, g.granted_at from given g
      union all
      select c.id, null from identity_store.clients c where c.first_party and c.initiate_login_uri is not null
    ) l, lateral (select identity_store.client_display(l.client_id)::jsonb as client) d
    where d.client is not null
    group by d.client
  )
  select coalesce(json_agg((a.client || jsonb_build_object(
      -- OpenID Connect Core §4: where a sign-in there begins.
      'initiate_login_uri', (select c.initiate_login_uri from identity_store.clients c where c.id = a.client_id),
      'granted_at', a.granted_at,
      'scopes', (
        select coalesce(jsonb_agg(jsonb_build_object('name', s.name, 'description', s.description) order by s.name), '[]')
        from identity_store.scopes s
        where s.name in (select unnest(g.scope) from given g where g.client_id = a.client_id))
    )) order by a.granted_at desc nulls last, a.client ->> 'client_name', a.client_id), '[]')
  from applications a
$$;
comment on function identity_store.account_applications(uuid) is 'The applications that hold something of a person''s, with their scopes, the latest first; and those of the first party that can be opened.';
revoke all on function identity_store.account_applications(uuid) from public;

create or replace function identity.account_session_end(session_cookie text, session_id uuid)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present identity_store.sessions := identity_store.session_read(account_session_end.session_cookie);
  known boolean;
begin
  if present.id is null then
    return query select 'sign_in', null::text, json_build_object();
    return;
  end if;
  -- Their own, and nobody else's: the id comes from a form.
  perform identity_store.session_end(s.id, 'ended_by_user')
  from identity_store.sessions s
  where s.id = account_session_end.session_id and s.user_id = present.user_id;
  known := found;
  perform identity_store.session_find(account_session_end.session_cookie);
  return query select case when known then 'ok' else 'not_found' end, null::text, json_build_object();
end
$$;
comment on function identity.account_session_end(text, uuid) is
  'Ends one of the person''s own sessions, which may be the one that asks. Outcomes: ok {}, not_found {} (no such session of theirs), sign_in {}.';
revoke all on function identity.account_session_end(text, uuid) from public;
grant execute on function identity.account_session_end(text, uuid) to identity_gateway;

create or replace function identity.account_sessions_end_others(session_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present identity_store.sessions := identity_store.session_read(account_sessions_end_others.session_cookie);
begin
  if present.id is null then
    return query select 'sign_in', null::text, json_build_object();
    return;
  end if;
  perform identity_store.sessions_end(present.user_id, present.id, 'ended_by_user');
  perform identity_store.session_find(account_sessions_end_others.session_cookie);
  return query select 'ok', null::text, json_build_object();
end
$$;
comment on function identity.account_sessions_end_others(text) is
  'Ends all of the person''s sessions but the one that asks. Outcomes: ok {}, sign_in {}.';
revoke all on function identity.account_sessions_end_others(text) from public;
grant execute on function identity.account_sessions_end_others(text) to identity_gateway;

create or replace function identity.account_application_withdraw(session_cookie text, client_id text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present identity_store.sessions := identity_store.session_read(account_application_withdraw.session_cookie);
  withdrawn boolean;
begin
  if present.id is null then
    return query select 'sign_in', null::text, json_build_object();
    return;
  end if;
  withdrawn := identity_store.application_withdraw(present.user_id, account_application_withdraw.client_id);
  perform identity_store.session_find(account_application_withdraw.session_cookie);
  return query select case when withdrawn then 'ok' else 'not_found' end, null::text, json_build_object();
end
$$;
comment on function identity.account_application_withdraw(text, text) is
  'Takes back what the person gave an application: consent, grants, tokens. Outcomes: ok {}, not_found {} (it has nothing of theirs), sign_in {}.';
revoke all on function identity.account_application_withdraw(text, text) from public;
grant execute on function identity.account_application_withdraw(text, text) to identity_gateway;
