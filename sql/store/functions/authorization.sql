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

create or replace function identity.authorization_request(
  parameters json, session_cookie text, browser_cookie text, documents json default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- Losing a code in a crash costs one more click; a redeemed one is flushed together with what came before it.
  durable constant text := set_config('synchronous_commit', 'off', true);
  request constant jsonb := identity_store.authorization_begun(
    identity_store.authorization_received(authorization_request.parameters), authorization_request.browser_cookie,
    identity_store.documents_read(authorization_request.documents));
  answered identity_store.answer;
begin
  if request ? 'need' then
    return query select 'need', null::text, (request -> 'need')::json;
    return;
  end if;
  -- Not by a query, here and below: every authorization passes, and getting ready for one takes longer than most functions.
  answered := identity_store.authorization_continue(request,
    identity_store.authorization_session(authorization_request.session_cookie, request));
  outcome := answered.outcome;
  detail := answered.detail;
  answer := answered.answer;
  return next;
end
$$;
comment on function identity.authorization_request(json, text, text, json) is
  'An authorization request as it arrived ({"name": ["value", …]}), with the documents that it needed ({url: text or null}). Evidence for the person: the session cookie. '
  'Outcomes: error_page {error, error_description}; redirect {redirect_uri, response_mode, parameters, signed_out?}; sign_in {resume, signed_out? (the session of the cookie is over)}; select_account {resume}; consent {resume}; need {kind, url, client_id}: the document is fetched and the call is made again.';
revoke all on function identity.authorization_request(json, text, text, json) from public;
grant execute on function identity.authorization_request(json, text, text, json) to identity_gateway;

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

create or replace function identity.authorization_resume(
  resume text, session_cookie text, browser_cookie text, documents json default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb := coalesce(
    identity_store.resume_open(authorization_resume.resume, authorization_resume.browser_cookie),
    identity_store.authorization_begun(
      identity.state_open('authorization_deferred', authorization_resume.resume), authorization_resume.browser_cookie,
      identity_store.documents_read(authorization_resume.documents)));
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
    identity_store.authorization_session(authorization_resume.session_cookie, request));
end
$$;
comment on function identity.authorization_resume(text, text, text, json) is
  'Goes on with a sealed request; documents as in authorization_request. Outcomes as authorization_request; error_page too when resume is malformed, expired or of another browser.';
revoke all on function identity.authorization_resume(text, text, text, json) from public;
grant execute on function identity.authorization_resume(text, text, text, json) to identity_gateway;

create or replace function identity_store.authorization_continue(request jsonb, session identity_store.sessions)
returns identity_store.answer
language plpgsql volatile parallel unsafe
as $$
declare
  v record;
begin
  if session.id is not null then
    -- What the person allowed this client: taking it back waits for the authorization that stands on it, and ends that too.
    perform from identity_store.consents c
    where c.user_id = session.user_id and c.client_id = request #>> '{parameters,client_id}' order by c.resource for no key update;
  end if;
  v := identity_store.authorization_verdict(request, session);
  if v.verdict = 'allowed' then
    return identity_store.authorization_redirect(request, v.client, session, null,
      identity_store.authorization_issue(request, v.client, session, v.scope, v.resources, v.claims));
  elsif v.verdict in ('sign_in', 'select_account', 'consent') then
    return row(v.verdict, v.rule, json_strip_nulls(json_build_object('resume', identity_store.resume_seal(request),
      'signed_out', case when v.rule = 'signed_out' then true end)))::identity_store.answer;
  elsif v.verdict = 'refuse' and session.id is null and request #>> '{parameters,prompt}' is distinct from 'none'
    and identity_store.client_registered_itself((v.client).id) then
    -- RFC 9700 §4.11.2: the person MUST sign in first, or whoever registers a client makes an open redirector of us.
    if not identity_store.resume_oversized(request -> 'parameters') then
      return row('sign_in', v.rule, json_build_object('resume', identity_store.resume_seal(request)))::identity_store.answer;
    end if;
  elsif v.verdict = 'refuse' then
    return identity_store.authorization_redirect(request, v.client, session, v.rule,
      jsonb_build_object('error', v.error, 'error_description', v.description));
  end if;
  return row('error_page', v.rule, identity_store.locales_answer(request,
    json_build_object('error', v.error, 'error_description', v.description)))::identity_store.answer;
end
$$;
comment on function identity_store.authorization_continue(jsonb, identity_store.sessions) is
  'Takes a pending authorization as far as it goes with this session. Outcomes as authorization_request.';
revoke all on function identity_store.authorization_continue(jsonb, identity_store.sessions) from public;

create or replace function identity_store.authorization_begun(received jsonb, browser_cookie text, documents jsonb)
returns jsonb
language plpgsql volatile parallel unsafe
as $$
declare
  request constant jsonb := case when received -> 'parameters' ?| array['request', 'request_uri']
    then identity_store.authorization_unwrapped(received, documents) else received end;
  client identity_store.clients;
begin
  if identity_store.response_gives(request #>> '{parameters,response_type}', 'id_token') and not request ?| array['need', 'refused'] then
    -- An ID token from here is encrypted to keys that are known when the person is asked, and still when they have answered.
    select c.* into client from identity_store.clients c
    where c.id = request -> 'parameters' ->> 'client_id' and c.id_token_encrypted_response_alg is not null
      and identity_store.recipient_due(c) and not documents ? c.jwks_uri
      and (identity_store.recipient(c, c.id_token_encrypted_response_alg, '') is null or not exists (
        select from identity_store.client_key_sets k
        where k.client_id = c.id and k.jwks_uri = c.jwks_uri and k.fetched_at > statement_timestamp() - interval '50 minutes'));
    if found then
      return request || jsonb_build_object('need', (select n.answer from identity_store.need_client_keys(client) n));
    end if;
  end if;
  return request || jsonb_build_object(
    'browser', identity_store.browser_hash(authorization_begun.browser_cookie),
    'started_at', extract(epoch from statement_timestamp()));
end
$$;
comment on function identity_store.authorization_begun(jsonb, text, jsonb) is
  'A received request that begins now, in this browser, unwrapped with these documents: the state that resume.sql seals; or with "need", as authorization_unwrapped. NULL for NULL.';
revoke all on function identity_store.authorization_begun(jsonb, text, jsonb) from public;
