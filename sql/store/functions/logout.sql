-- Logout that a client asks for (OpenID Connect RP-Initiated Logout 1.0 §2, §3).
--
--   identity.logout_request, logout_confirm    gateway: GET and POST /logout
--
--   request ──▶ error_page      malformed, or a redirect that was not registered
--      ├──────▶ signed_out      nobody is signed in, or the ID token proves that this person's own client asks
--      └──────▶ confirm ──yes──▶ signed_out

create or replace function identity.logout_request(parameters json, session_cookie text, browser_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  p jsonb;
  repeated text[];
  hint jsonb;
  client identity_store.clients;
  session identity_store.sessions;
  refusal record;
  target jsonb;
begin
  perform set_config('synchronous_commit', 'on', true);
  select r.given, r.repeated into p, repeated
  from identity_store.parameters_read(logout_request.parameters,
    array['id_token_hint', 'logout_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'ui_locales']) r;

  hint := case when p ? 'id_token_hint' then identity_store.id_token_hint(p ->> 'id_token_hint') end;
  select c.* into client from identity_store.clients c where c.id = coalesce(p ->> 'client_id', hint ->> 'aud');

  select r.description into refusal from (values
    (format('%s is given more than once', repeated[1]), repeated is not null),
    -- The hint is read here and travels no further.
    ('the request is too large', identity_store.resume_oversized(p - 'id_token_hint')),
    ('id_token_hint is not an ID token of this issuer', p ? 'id_token_hint' and hint is null),
    -- §2: when both client_id and id_token_hint are present, the OP MUST verify that the Client Identifier matches.
    ('client_id is not that of id_token_hint', p ? 'client_id' and hint ->> 'aud' <> p ->> 'client_id'),
    ('unknown client', p ? 'client_id' and client.id is null),
    -- §3: the OP MUST NOT perform post-logout redirection if the value does not exactly match one registered.
    ('post_logout_redirect_uri needs client_id or id_token_hint', p ? 'post_logout_redirect_uri' and client.id is null),
    ('post_logout_redirect_uri is not registered for this client',
      p ? 'post_logout_redirect_uri' and not p ->> 'post_logout_redirect_uri' = any (client.post_logout_redirect_uris))
  ) r (description, failed) where r.failed limit 1;
  if found then
    return query select 'error_page', r.detail, r.answer from identity_store.refuse('invalid_request', refusal.description) r;
    return;
  end if;

  session := identity_store.session_find(logout_request.session_cookie);
  target := jsonb_strip_nulls(jsonb_build_object('client_id', client.id,
    'post_logout_redirect_uri', p ->> 'post_logout_redirect_uri', 'state', p ->> 'state', 'ui_locales', p ->> 'ui_locales'));
  -- §2, §6: without proof that it is this person's client that asks, any page could sign people out.
  if session.id is not null and (hint ->> 'sub' = session.user_id::text
    and coalesce(hint ->> 'sid' = session.id::text, true)) is not true then
    return query select 'confirm', null::text, json_strip_nulls(json_build_object(
      'resume', identity.state_seal('logout',
        target || jsonb_build_object('browser', identity_store.browser_hash(logout_request.browser_cookie)), interval '10 minutes'),
      'client', identity_store.client_display(client.id)));
    return;
  end if;
  if session.id is null and hint is null and identity_store.client_registered_itself(client.id) then
    -- §3: not without other means of confirming the legitimacy of the target. Whoever registers a client chooses it.
    target := target - 'post_logout_redirect_uri';
  end if;
  return query select * from identity_store.logout_done(target, session);
end
$$;
comment on function identity.logout_request(json, text, text) is
  'A logout request as it arrived ({"name": ["value", …]}). Evidence: session cookie, id_token_hint. '
  'Outcomes: signed_out {redirect_uri?, parameters? {state}, frames? [{redirect_uri, parameters {iss, sid}}], ui_locales?}; confirm {resume, client?} when the person has to be asked; error_page {error, error_description}.';
revoke all on function identity.logout_request(json, text, text) from public;
grant execute on function identity.logout_request(json, text, text) to identity_gateway;

create or replace function identity.logout_confirm(resume text, session_cookie text, browser_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  target jsonb := identity.state_open('logout', logout_confirm.resume);
begin
  perform set_config('synchronous_commit', 'on', true);
  if (target ->> 'browser' = identity_store.browser_hash(logout_confirm.browser_cookie)) is not true then
    return query select * from identity_store.resume_refuse();
    return;
  end if;
  return query select * from identity_store.logout_done(target, identity_store.session_find(logout_confirm.session_cookie));
end
$$;
comment on function identity.logout_confirm(text, text, text) is
  'The person said yes. Evidence: resume, bound to the browser cookie, and the session cookie. '
  'Outcomes: signed_out {redirect_uri?, parameters? {state}, frames? [{redirect_uri, parameters {iss, sid}}], ui_locales?}; error_page {error, error_description}.';
revoke all on function identity.logout_confirm(text, text, text) from public;
grant execute on function identity.logout_confirm(text, text, text) to identity_gateway;

create or replace function identity_store.logout_done(target jsonb, session identity_store.sessions)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe
as $$
begin
  if session.id is not null then
    perform identity_store.session_end(session.id, 'logout');
  end if;
  -- §3: state is passed back with the redirect.
  return query select 'signed_out', null::text, json_strip_nulls(json_build_object(
    'ui_locales', target ->> 'ui_locales',
    'redirect_uri', target ->> 'post_logout_redirect_uri',
    'parameters', case when target ?& array['post_logout_redirect_uri', 'state'] then json_build_object('state', target ->> 'state') end,
    'frames', identity_store.frontchannel_logouts(session)));
end
$$;
comment on function identity_store.logout_done(jsonb, identity_store.sessions) is
  'Ends the session, if there is one, and answers: where to go on, if the client named a registered place, and what the page before that loads in frames.';
revoke all on function identity_store.logout_done(jsonb, identity_store.sessions) from public;
