-- Consent: the person allows a client, or not; and what they allowed is remembered (OpenID Connect Core 1.0 §3.1.2.4).
--
--   identity.consent_page, consent_decide     gateway: GET and POST /consent
--   identity_store.consent_scope, consent_covers    authorization_verdict

create or replace function identity.consent_page(resume text, session_cookie text, browser_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb;
  bound text;
  session identity_store.sessions;
  v record;
begin
  select a.request, a.resume into request, bound
  from identity_store.resume_adopt(consent_page.resume, consent_page.browser_cookie) a;
  if request is null then
    return query select * from identity_store.resume_refuse();
    return;
  end if;
  session := identity_store.session_find(consent_page.session_cookie);
  select * into v from identity_store.authorization_verdict(request, session);
  if v.verdict in ('error_page', 'refuse') then
    return query select 'error_page', v.rule, identity_store.locales_answer(request, r.answer)
      from identity_store.refuse(v.error, v.description) r;
  elsif v.verdict in ('sign_in', 'select_account') then
    return query select v.verdict, v.rule, json_build_object('resume', identity_store.resume_seal(request));
  else
    return query select 'page', null::text, identity_store.locales_answer(request, json_build_object(
      'resume', bound,
      'client', identity_store.client_display((v.client).id),
      -- Who registered a client chose its name and logo; the host is what a person can check.
      'redirect_host', (select coalesce(substring(uri from '^https?://(\[[^]]*\]|[^/?:]+)'), substring(uri from '^[^:]+'))
        from coalesce(request -> 'parameters' ->> 'redirect_uri', (v.client).redirect_uris[1]) as uri),
      'scopes', (select coalesce(json_agg(json_build_object('name', s.name, 'description', s.description) order by w.position), '[]')
        from unnest(v.asked) with ordinality as w (name, position) join identity_store.scopes s on s.name = w.name),
      'resources', (select coalesce(json_agg(json_build_object('identifier', r.identifier, 'name', r.name) order by r.name), '[]')
        from identity_store.resources r where r.identifier = any (v.resources)),
      'user', (select json_build_object('name', coalesce(u.claims ->> 'name', u.username), 'username', u.username)
        from identity_store.users u where u.id = session.user_id)));
  end if;
end
$$;
comment on function identity.consent_page(text, text, text) is
  'What the consent page shows. Evidence: resume, bound to the browser cookie, and the session cookie. '
  'Outcomes: page {resume (for the form), client, redirect_host, scopes, resources, user, ui_locales?}; sign_in {resume}; select_account {resume}; error_page {error, error_description, ui_locales?}.';
revoke all on function identity.consent_page(text, text, text) from public;
grant execute on function identity.consent_page(text, text, text) to identity_gateway;

create or replace function identity.consent_decide(resume text, session_cookie text, browser_cookie text, decision text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb := identity_store.resume_open(consent_decide.resume, consent_decide.browser_cookie);
  session identity_store.sessions;
  v record;
begin
  perform set_config('synchronous_commit', 'on', true);
  if request is null then
    return query select * from identity_store.resume_refuse();
    return;
  end if;
  session := identity_store.authorization_session(consent_decide.session_cookie, request);
  select * into v from identity_store.authorization_verdict(request, session);
  if v.verdict not in ('consent', 'allowed') then
    return query select * from identity_store.authorization_continue(request, session);
  elsif consent_decide.decision is distinct from 'allow' then
    return query select * from identity_store.authorization_redirect(request, v.client, session, 'denied',
      jsonb_build_object('error', 'access_denied', 'error_description', 'the person did not allow it'));
  else
    perform identity_store.consent_remember(session, v.client, v.asked, v.resources);
    return query select * from identity_store.authorization_redirect(request, v.client, session, null,
      identity_store.authorization_issue(request, v.client, session, v.scope, v.resources, v.claims));
  end if;
end
$$;
comment on function identity.consent_decide(text, text, text, text) is
  'The person''s answer: allow, or anything else for no. Evidence: resume, bound to the browser cookie, and the session cookie. '
  'Outcomes: redirect {redirect_uri, response_mode, parameters} with what the response type asks for or access_denied; sign_in {resume}; error_page {error, error_description}.';
revoke all on function identity.consent_decide(text, text, text, text) from public;
grant execute on function identity.consent_decide(text, text, text, text) to identity_gateway;

create or replace function identity_store.consent_remember(
  session identity_store.sessions, client identity_store.clients, scope text[], resources text[]
)
returns void
language plpgsql volatile parallel unsafe
as $$
begin
  -- Before the consents, as whoever deletes the client; the foreign key would lock it after them.
  perform from identity_store.clients c where c.id = client.id for key share;
  insert into identity_store.consents as c (user_id, client_id, resource, scope)
  select session.user_id, client.id, a.resource, a.scope
  from identity_store.consent_rows(consent_remember.scope, consent_remember.resources) a
  -- One order for all, so that two windows do not wait for each other.
  order by a.resource
  on conflict (user_id, client_id, resource) do update
  set scope = array(select distinct s from unnest(c.scope || excluded.scope) s order by s), granted_at = now();
  perform identity_store.audit('consent_given', session.user_id, client.id, session.id,
    jsonb_build_object('scope', array_to_string(consent_remember.scope, ' '), 'resources', consent_remember.resources));
end
$$;
comment on function identity_store.consent_remember(identity_store.sessions, identity_store.clients, text[], text[]) is
  'Adds what was allowed to what the person allowed this client before.';
revoke all on function identity_store.consent_remember(identity_store.sessions, identity_store.clients, text[], text[]) from public;

create or replace function identity_store.consent_scope(client identity_store.clients, scope text[])
returns text[]
language sql immutable parallel safe
as $$
  -- A refresh token is access while the person is away, whatever it comes with: the person is told of it.
  select case when identity_store.refresh_given(client, consent_scope.scope)
    then array_remove(consent_scope.scope, 'offline_access') || array['offline_access'] else consent_scope.scope end
$$;
comment on function identity_store.consent_scope(identity_store.clients, text[]) is
  'What the person is asked to allow: the scopes, and offline_access wherever a refresh token is given with them.';
revoke all on function identity_store.consent_scope(identity_store.clients, text[]) from public;

-- plpgsql, because every authorization passes and it keeps its plan: 0.15 ms less.
create or replace function identity_store.consent_covers(user_id uuid, client_id text, scope text[], resources text[])
returns boolean
language plpgsql stable parallel safe
as $$
begin
  -- The usual question is one look at an index.
  if cardinality(resources) = 0 then
    return exists (
      select from identity_store.consents c
      where c.user_id = consent_covers.user_id and c.client_id = consent_covers.client_id
        and c.resource = '' and c.scope @> consent_covers.scope);
  end if;
  return not exists (
    select from identity_store.consent_rows(consent_covers.scope, consent_covers.resources) a
    where not exists (
      select from identity_store.consents c
      where c.user_id = consent_covers.user_id and c.client_id = consent_covers.client_id
        and c.resource = a.resource and c.scope @> a.scope));
end
$$;
comment on function identity_store.consent_covers(uuid, text, text[], text[]) is
  'Whether the person allowed this client all of these scopes at all of these resources before.';
revoke all on function identity_store.consent_covers(uuid, text, text[], text[]) from public;

create or replace function identity_store.consent_rows(scope text[], resources text[])
returns table (resource text, scope text[])
language sql stable parallel safe
as $$
  select r, identity_store.scopes_at(consent_rows.scope, array[r]) from unnest(consent_rows.resources) r
  union all
  select '', consent_rows.scope where cardinality(consent_rows.resources) = 0
$$;
comment on function identity_store.consent_rows(text[], text[]) is 'A request as rows of the table consents: one per resource, or one without.';
revoke all on function identity_store.consent_rows(text[], text[]) from public;
