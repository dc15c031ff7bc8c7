-- Logout that a client asks for (OpenID Connect RP-Initiated Logout 1.0 §2, §3).
--
--   identity.logout_request, logout_confirm    gateway: GET and POST /logout
--   identity_store.logout_hint_fits            the former: whether it is this person's session that the client means
--
--   request ──▶ error_page      malformed, or a redirect that was not registered
--      ├──────▶ signed_out      nobody is signed in, or the ID token proves that this person's own client asks, and means them
--      └──────▶ confirm ──yes──▶ signed_out

create or replace function identity.logout_request(parameters json, session_cookie text, browser_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request constant jsonb := identity.request_parameters(logout_request.parameters,
    array['id_token_hint', 'logout_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'ui_locales']);
  p constant jsonb := request -> 'parameters';
  hint jsonb;
  client identity_store.clients;
  session identity_store.sessions;
  refusal record;
  target jsonb;
  somebody_else boolean;
begin
  perform set_config('synchronous_commit', 'on', true);
  hint := case when p ? 'id_token_hint' then identity_store.id_token_hint(p ->> 'id_token_hint') end;
  select c.* into client from identity_store.clients c where c.id = coalesce(p ->> 'client_id', hint ->> 'aud');

  select r.description into refusal from (values
    (format('%s is given more than once', request #>> '{repeated,0}'), request ->> 'repeated' is not null),
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
  somebody_else := session.id is not null and not identity_store.logout_hint_fits(p ->> 'logout_hint', client, session);
  -- §2, §6: without proof that it is this person's client that asks, any page could sign people out. §2: the value of logout_hint "is
  -- left up to the OP's discretion"; it proves nothing, and where it names another person than the proof, the person decides.
  if session.id is not null and (hint ->> 'sub' = session.user_id::text
    and coalesce(hint ->> 'sid' = session.id::text, true) and not somebody_else) is not true then
    return query select 'confirm', null::text, json_strip_nulls(json_build_object(
      'resume', identity.state_seal('logout',
        target || jsonb_build_object('browser', identity_store.browser_hash(logout_request.browser_cookie)), interval '10 minutes'),
      'client', identity_store.client_display(client.id),
      'user', (select coalesce(u.claims ->> 'name', u.username) from identity_store.users u
        where u.id = session.user_id and somebody_else)));
    return;
  end if;
  if session.id is null and hint is null and identity_store.client_registered_itself(client.id) then
    -- §3: not without other means of confirming the legitimacy of the target. Whoever registers a client chooses it.
    target := target - 'post_logout_redirect_uri';
  end if;
  return query select * from identity_store.logout_done(target, session, logout_request.session_cookie);
end
$$;
comment on function identity.logout_request(json, text, text) is
  'A logout request as it arrived ({"name": ["value", …]}). Evidence: session cookie, id_token_hint. '
  'Outcomes: signed_out {redirect_uri?, parameters? {state}, frames? [{redirect_uri, parameters {iss, sid}}], ui_locales?}; confirm {resume, client?, user? (who is signed in, where logout_hint is about somebody else)} when the person has to be asked; error_page {error, error_description}.';
revoke all on function identity.logout_request(json, text, text) from public;
grant execute on function identity.logout_request(json, text, text) to identity_gateway;

create or replace function identity_store.logout_hint_fits(hint text, client identity_store.clients, session identity_store.sessions)
returns boolean
language plpgsql volatile parallel unsafe
as $$
begin
  -- §2: it "might contain the End-User's email address, phone number, username, or session identifier". What somebody signs in with is
  -- unique; a phone number is not.
  return logout_hint_fits.hint is null
    or logout_hint_fits.hint in (identity_store.subject_for(client, session.user_id), identity_store.session_for(client, session.id))
    or exists (
      select from identity_store.sign_in_names n
      where n.name_key = identity.normalize_name(left(logout_hint_fits.hint, 320)) and n.user_id = session.user_id);
end
$$;
comment on function identity_store.logout_hint_fits(text, identity_store.clients, identity_store.sessions) is
  'Whether a logout_hint is about the person of this session: user name, verified address, or sub or sid as this client sees them. True without a hint.';
revoke all on function identity_store.logout_hint_fits(text, identity_store.clients, identity_store.sessions) from public;

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
  return query select * from identity_store.logout_done(
    target, identity_store.session_find(logout_confirm.session_cookie), logout_confirm.session_cookie);
end
$$;
comment on function identity.logout_confirm(text, text, text) is
  'The person said yes. Evidence: resume, bound to the browser cookie, and the session cookie. '
  'Outcomes: signed_out {redirect_uri?, parameters? {state}, frames? [{redirect_uri, parameters {iss, sid}}], ui_locales?}; error_page {error, error_description}.';
revoke all on function identity.logout_confirm(text, text, text) from public;
grant execute on function identity.logout_confirm(text, text, text) to identity_gateway;

create or replace function identity_store.logout_done(target jsonb, session identity_store.sessions, session_cookie text)
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
    'frames', identity_store.frontchannel_logouts(logout_done.session_cookie)));
end
$$;
comment on function identity_store.logout_done(jsonb, identity_store.sessions, text) is
  'Ends the session of this cookie, if it is live, and answers: where to go on, if the client named a registered place, and what the page before that loads in frames, also where the session was ended elsewhere.';
revoke all on function identity_store.logout_done(jsonb, identity_store.sessions, text) from public;
