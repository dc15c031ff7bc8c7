-- What the authorization endpoint gives a client: code, access token, ID token, or an error (RFC 6749 §4.1.2, §4.2.2; OAuth 2.0
-- Multiple Response Type Encoding Practices; OpenID Connect Core 1.0 §3.2.2.5, §3.3.2.5; RFC 9207).
--
--   identity_store.authorization_session     authorization, consent: who is signed in, held where tokens are about to be given
--   identity_store.authorization_issue       the same: what the words of the response type stand for
--   identity_store.authorization_redirect    the same: that, or an error, on its way to the client

create or replace function identity_store.authorization_session(session_cookie text, request jsonb)
returns identity_store.sessions
language plpgsql volatile parallel unsafe
as $$
declare
  session identity_store.sessions;
begin
  -- A code is looked at again when it is redeemed; a token that leaves here is not. So whoever disables the person or ends the
  -- session came first and is seen here, or waits for us (codes.sql, lock order).
  if identity_store.response_front(request -> 'parameters' ->> 'response_type') then
    session := identity_store.session_read(authorization_session.session_cookie);
    perform from identity_store.users u where u.id = session.user_id for no key update;
    perform from identity_store.sessions s where s.id = session.id for no key update;
  end if;
  return identity_store.session_find(authorization_session.session_cookie);
end
$$;
comment on function identity_store.authorization_session(text, jsonb) is
  'The live session of a cookie as session_find. Where the request asks for tokens, person and session are locked before, so that neither ends while the tokens are made.';
revoke all on function identity_store.authorization_session(text, jsonb) from public;

create or replace function identity_store.authorization_issue(
  request jsonb, client identity_store.clients, session identity_store.sessions, scope text[], resources text[], claims jsonb
)
returns jsonb
language plpgsql volatile parallel unsafe
as $$
declare
  p jsonb := request -> 'parameters';
  words text[] := string_to_array(p ->> 'response_type', ' ');
  granted identity_store.grants := identity_store.grant_issue(request, client, session, scope, resources, claims);
  code text := case when 'code' = any (words) then identity_store.code_issue(request, client, granted) end;
  -- Without an ID token there is nothing to bind, and one that is not signed, which only the token endpoint gives, has no hash.
  alg text := case when 'id_token' = any (words) then client.id_token_signed_response_alg end;
  answer json;
begin
  if not identity_store.response_front(p ->> 'response_type') then
    return jsonb_build_object('code', code);
  end if;
  -- What has left is in use: its grant must be there after a crash, to be ended by whoever ends it.
  perform set_config('synchronous_commit', 'on', true);
  answer := identity_store.tokens_answer(client, granted, identity_store.scopes_at(scope, resources), resources, true,
    p ->> 'nonce', null, jsonb_build_object('words', words, 'claims', jsonb_build_object(
      -- OpenID Connect Core §3.3.2.11; s_hash is of FAPI 1.0 Advanced §5.1: an answer put together from two is noticed.
      'c_hash', identity.half_hash(code, alg),
      's_hash', identity.half_hash(p ->> 'state', alg))));
  return jsonb_build_object('code', code, 'access_token', answer ->> 'access_token', 'token_type', answer ->> 'token_type',
    'expires_in', answer ->> 'expires_in', 'id_token', answer ->> 'id_token',
    -- RFC 6749 §4.2.2: scope belongs to the access token.
    'scope', case when 'token' = any (words) then answer ->> 'scope' end);
end
$$;
comment on function identity_store.authorization_issue(jsonb, identity_store.clients, identity_store.sessions, text[], text[], jsonb) is
  'Writes the grant and gives what the response type asks for: code, access_token with token_type, expires_in and scope, id_token; what it does not ask for is null. Values are text, as they travel.';
revoke all on function identity_store.authorization_issue(jsonb, identity_store.clients, identity_store.sessions, text[], text[], jsonb) from public;

create or replace function identity_store.authorization_redirect(
  request jsonb, client identity_store.clients, session identity_store.sessions, why text, members jsonb
)
returns identity_store.answer
language plpgsql volatile parallel unsafe
as $$
declare
  p constant jsonb := request -> 'parameters';
  uri constant text := coalesce(p ->> 'redirect_uri', client.redirect_uris[1]);
  -- The language is for the page that a form_post is.
  answer json := identity_store.locales_answer(request, json_build_object(
    'redirect_uri', uri,
    'response_mode', identity_store.response_mode(p),
    'parameters', jsonb_strip_nulls(members || jsonb_build_object(
      'state', p ->> 'state',
      -- OpenID Connect Session Management §2: in every Authentication Response, and in the error responses too. The gateway keeps
      -- the same digest in a cookie (web/cookies.rs): of the session's secret, or of the browser cookie while nobody is signed in.
      'session_state', case when 'openid' = any (string_to_array(p ->> 'scope', ' ')) then
        identity.session_state(client.id, uri, coalesce(session.secret_hash, convert_to(request ->> 'browser', 'UTF8'))) end,
      -- RFC 9207 §2: the iss parameter is in every authorization response, errors included.
      'iss', identity.configured_issuer()))));
begin
  if why = 'signed_out' then
    -- Whatever session the browser thinks it has: its cookies are of no use any more, that of the browser state included.
    answer := (answer::jsonb || '{"signed_out": true}')::json;
  end if;
  return row('redirect', why, answer)::identity_store.answer;
end
$$;
comment on function identity_store.authorization_redirect(jsonb, identity_store.clients, identity_store.sessions, text, jsonb) is
  'The way back to the client with these members (null ones left out), state, session_state and iss, by the response mode of the request; with signed_out where that is why.';
revoke all on function identity_store.authorization_redirect(jsonb, identity_store.clients, identity_store.sessions, text, jsonb) from public;
