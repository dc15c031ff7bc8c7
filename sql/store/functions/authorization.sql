-- The authorization endpoint: from a request to its answer (RFC 6749 §4.1, §4.2; OpenID Connect Core 1.0 §3; RFC 9207).
--
--   identity.authorization_request, authorization_defer, authorization_resume    gateway: GET and POST /authorize
--   identity_store.authorization_continue                                        the same after a sign-in (sign_in.sql)
--
--   request ──▶ error_page            nobody to redirect to
--      ├──────▶ redirect (error)      a check of authorization_checks.sql failed, or prompt=none and a page is needed
--      ├──────▶ select_account ──▶ sign_in ──▶ consent ──▶ redirect (code, tokens)
--      └──────▶ redirect (code, tokens)
-- Until then the request travels sealed (resume.sql): nothing is written for it. What is answered: authorization_response.sql.

create or replace function identity.authorization_request(parameters json, session_cookie text, browser_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb := identity_store.authorization_begun(
    identity_store.authorization_received(authorization_request.parameters), authorization_request.browser_cookie);
begin
  if request ? 'need' then
    return query select 'need', null::text, (request -> 'need')::json;
    return;
  end if;
  -- Losing a code in a crash costs one more click; a redeemed one is flushed together with what came before it.
  perform set_config('synchronous_commit', 'off', true);
  return query select * from identity_store.authorization_continue(request,
    identity_store.authorization_session(authorization_request.session_cookie, request), authorization_request.browser_cookie);
end
$$;
comment on function identity.authorization_request(json, text, text) is
  'An authorization request as it arrived ({"name": ["value", …]}). Evidence for the person: the session cookie. '
  'Outcomes: error_page {error, error_description}; redirect {redirect_uri, response_mode, parameters}; sign_in {resume}; select_account {resume}; consent {resume}; need {client_id, jwks_uri}: the keys of the client are fetched and the call is made again.';
revoke all on function identity.authorization_request(json, text, text) from public;
grant execute on function identity.authorization_request(json, text, text) to identity_gateway;

-- A POST from another site arrives without Lax cookies. Nothing is checked and nobody is bound yet: resuming it is
-- the same as following a link with these parameters.
create or replace function identity.authorization_defer(parameters json)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb := identity_store.authorization_received(authorization_defer.parameters);
begin
  if identity_store.resume_oversized(request -> 'parameters') then
    return query select 'error_page', r.detail, r.answer
      from identity_store.refuse('invalid_request', 'the request is too large') r;
    return;
  end if;
  return query select 'deferred', null::text,
    json_build_object('resume', identity.state_seal('authorization_deferred', request, interval '1 minute'));
end
$$;
comment on function identity.authorization_defer(json) is
  'Seals a request that came without cookies because another site posted it. Outcomes: deferred {resume} for authorization_resume; error_page {error, error_description} above 6 kB.';
revoke all on function identity.authorization_defer(json) from public;
grant execute on function identity.authorization_defer(json) to identity_gateway;

create or replace function identity.authorization_resume(resume text, session_cookie text, browser_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb := coalesce(
    identity_store.resume_open(authorization_resume.resume, authorization_resume.browser_cookie),
    identity_store.authorization_begun(
      identity.state_open('authorization_deferred', authorization_resume.resume), authorization_resume.browser_cookie));
begin
  perform set_config('synchronous_commit', 'off', true);
  if request is null then
    return query select * from identity_store.resume_refuse();
    return;
  elsif request ? 'need' then
    return query select 'need', null::text, (request -> 'need')::json;
    return;
  end if;
  return query select * from identity_store.authorization_continue(request,
    identity_store.authorization_session(authorization_resume.session_cookie, request), authorization_resume.browser_cookie);
end
$$;
comment on function identity.authorization_resume(text, text, text) is
  'Goes on with a sealed request. Outcomes as authorization_request; error_page too when resume is malformed, expired or of another browser.';
revoke all on function identity.authorization_resume(text, text, text) from public;
grant execute on function identity.authorization_resume(text, text, text) to identity_gateway;

create or replace function identity_store.authorization_continue(
  request jsonb, session identity_store.sessions, browser_cookie text
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe
as $$
declare
  v record;
begin
  if session.id is not null then
    perform identity_store.consent_hold(session.user_id, request -> 'parameters' ->> 'client_id');
  end if;
  select * into v from identity_store.authorization_verdict(request, session);
  if v.verdict = 'error_page' then
    return query select 'error_page', v.rule, r.answer from identity_store.refuse(v.error, v.description) r;
  elsif v.verdict = 'refuse' then
    return query select * from identity_store.authorization_redirect(request, v.client, v.rule,
      json_build_object('error', v.error, 'error_description', v.description));
  elsif v.verdict in ('sign_in', 'select_account', 'consent') then
    return query select v.verdict, v.rule, json_build_object('resume', identity_store.resume_seal(request));
  else
    return query select * from identity_store.authorization_redirect(request, v.client, null,
      identity_store.authorization_issue(request, v.client, session, v.scope, v.resources, v.claims));
  end if;
end
$$;
comment on function identity_store.authorization_continue(jsonb, identity_store.sessions, text) is
  'Takes a pending authorization as far as it goes with this session. Outcomes as authorization_request.';
revoke all on function identity_store.authorization_continue(jsonb, identity_store.sessions, text) from public;

create or replace function identity_store.authorization_begun(received jsonb, browser_cookie text)
returns jsonb
language plpgsql volatile parallel unsafe
as $$
begin
  return identity_store.authorization_unwrapped(received) || jsonb_build_object(
    'browser', identity_store.browser_hash(authorization_begun.browser_cookie),
    'started_at', extract(epoch from statement_timestamp()));
end
$$;
comment on function identity_store.authorization_begun(jsonb, text) is
  'A received request that begins now, in this browser, unwrapped: the state that resume.sql seals.';
revoke all on function identity_store.authorization_begun(jsonb, text) from public;
