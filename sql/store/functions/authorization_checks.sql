-- Every check of an authorization request, one line each, in the order in which they answer.
-- OpenID Connect Core 1.0 §3.1.2.1–§3.1.2.6; RFC 6749 §4.1.1; RFC 7636; RFC 8252; RFC 8707; RFC 9700.
--
--   identity_store.authorization_client_checks    is there anybody to redirect to?   error page
--   identity_store.authorization_request_checks   is the request right?              redirect with error
--   identity_store.authorization_person_checks    may it be answered now?            sign-in, consent
-- All called by authorization_verdict.sql; each gives the first check that failed. One expression and no list of rows, because
-- PostgreSQL would get ready for each row anew, at every authorization.

create or replace function identity_store.authorization_client_checks(request jsonb, client identity_store.clients)
returns text[]
language plpgsql stable parallel safe
as $$
declare
  p constant jsonb := request -> 'parameters';
  repeated constant jsonb := request -> 'repeated';
begin
  return case
    when repeated ? 'client_id' then
      array['client_id_repeated', 'invalid_request', 'client_id is given more than once']
    when not p ? 'client_id' then
      array['client_id_missing', 'invalid_request', 'client_id is missing']
    when client.id is null then
      array['client_unknown', 'invalid_client', 'unknown client']
    -- Without its request object nobody knows where to, unless the request says so beside it.
    when request ? 'refused' and not p ? 'redirect_uri' then
      array['request_object: ' || coalesce(request #>> '{refused,detail}', ''), request #>> '{refused,error}', request #>> '{refused,description}']
    -- RFC 6749 §3.1.2.3: it may be left out only if one is registered; OpenID Connect Core §3.1.2.1: REQUIRED.
    when repeated ? 'redirect_uri' then
      array['redirect_uri_repeated', 'invalid_request', 'redirect_uri is given more than once']
    when not p ? 'redirect_uri'
      and (cardinality(client.redirect_uris) <> 1 or 'openid' = any (string_to_array(coalesce(p ->> 'scope', ''), ' '))) then
      array['redirect_uri_missing', 'invalid_request', 'redirect_uri is missing']
    when p ? 'redirect_uri' and not identity_store.redirect_uri_registered(p ->> 'redirect_uri', client) then
      array['redirect_uri_unregistered', 'invalid_request', 'redirect_uri is not registered for this client']
  end;
end
$$;
comment on function identity_store.authorization_client_checks(jsonb, identity_store.clients) is
  'Checks without which nobody may be redirected anywhere: rule, error and description of the first that failed, NULL when none did.';
revoke all on function identity_store.authorization_client_checks(jsonb, identity_store.clients) from public;

create or replace function identity_store.redirect_uri_registered(redirect_uri text, client identity_store.clients)
returns boolean
language plpgsql immutable parallel safe
as $$
begin
  -- RFC 9700 §2.1: exact string matching, except for port numbers in loopback redirect URIs of native apps
  -- (RFC 8252 §7.3: the server MUST allow any port). Only `:port` before a path, query or the end is a port, and only what a
  -- browser can connect to: it would be told of an address that is none.
  if redirect_uri = any (client.redirect_uris) or client.application_type <> 'native' then
    return redirect_uri = any (client.redirect_uris);
  end if;
  return exists (
    select from unnest(client.redirect_uris) r, (values ('^(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([0-9]{1,5}))?(?=[/?]|$)')) l (port)
    where r ~ l.port and redirect_uri ~ l.port
      and coalesce((regexp_match(redirect_uri, l.port))[2]::integer between 1 and 65535, true)
      and regexp_replace(r, l.port, '\1') = regexp_replace(redirect_uri, l.port, '\1'));
end
$$;
comment on function identity_store.redirect_uri_registered(text, identity_store.clients) is
  'Whether the client registered this redirect_uri: exactly, or on another port of the loopback interface for native applications.';
revoke all on function identity_store.redirect_uri_registered(text, identity_store.clients) from public;

create or replace function identity_store.authorization_request_checks(
  request jsonb, client identity_store.clients, resources text[], hint jsonb, scope text[]
)
returns text[]
language plpgsql stable parallel safe
as $$
declare
  p constant jsonb := request -> 'parameters';
  gives_code constant boolean := identity_store.response_gives(p ->> 'response_type', 'code');
  gives_id_token constant boolean := identity_store.response_gives(p ->> 'response_type', 'id_token');
  prompt text[];
  failed text[] := case
    when request ->> 'repeated' is not null then
      array['repeated', 'invalid_request', format('%s is given more than once', request -> 'repeated' ->> 0)]
    when identity_store.resume_oversized(p) then
      array['oversized', 'invalid_request', 'the request is too large']
    -- OpenID Connect Core §3.1.2.6: the error for each parameter that is not supported.
    when request ? 'refused' then
      array['request_object: ' || coalesce(request #>> '{refused,detail}', ''), request #>> '{refused,error}', request #>> '{refused,description}']
    when p ? 'registration' then
      array['registration', 'registration_not_supported', 'registration is not supported']
    when not p ? 'response_type' then
      array['response_type_missing', 'invalid_request', 'response_type is missing']
    -- A client is registered for what is known: then nobody has to look.
    when not p ->> 'response_type' = any (client.response_types) and not identity_store.response_type_known(p ->> 'response_type') then
      array['response_type', 'unsupported_response_type', 'response_type is not supported']
    when not p ->> 'response_type' = any (client.response_types) then
      array['response_type_unregistered', 'unauthorized_client', 'the client is not registered for response_type ' || (p ->> 'response_type')]
    -- OpenID Connect Core §3.2.2.1 and §3.3.2.11: REQUIRED where an ID token comes from here.
    when gives_id_token and not p ? 'nonce' then
      array['nonce_missing', 'invalid_request', 'nonce is missing: it is required for an ID token']
    -- RFC 9700 §2.1.1: public clients MUST use PKCE. RFC 7636 §4.3: without a method it would be plain, which shows the verifier.
    when client.token_endpoint_auth_method = 'none' and gives_code and not p ? 'code_challenge' then
      array['code_challenge_missing', 'invalid_request', 'code_challenge is missing: PKCE is required']
    when p ? 'code_challenge' and p ->> 'code_challenge_method' is distinct from 'S256' then
      array['code_challenge_method', 'invalid_request', 'code_challenge_method must be S256']
    when p ? 'code_challenge_method' and not p ? 'code_challenge' then
      array['code_challenge_method_alone', 'invalid_request', 'code_challenge_method is given without code_challenge']
    -- RFC 7636 §4.2: BASE64URL-ENCODE(SHA256(…)) has 43 characters.
    when length(p ->> 'code_challenge') <> 43 or p ->> 'code_challenge' ~ '[^A-Za-z0-9_-]' then
      array['code_challenge', 'invalid_request', 'code_challenge is malformed']
    -- RFC 8707 §2: invalid_target: the requested resource is invalid, missing, unknown, or malformed.
    when resources is null then
      array['resource', 'invalid_target', 'resource is unknown or malformed']
    when client.id_token_encrypted_response_alg is not null and gives_id_token
      and identity_store.recipient(client, client.id_token_encrypted_response_alg, '') is null then
      array['id_token_recipient', 'invalid_request', 'the client has no key that its ID tokens can be encrypted to']
  end;
begin
  if failed is null and p ?| array['response_mode', 'prompt', 'claims', 'max_age', 'id_token_hint'] then
    -- What few requests have.
    prompt := string_to_array(p ->> 'prompt', ' ');
    failed := case
      when not p ->> 'response_mode' = any (identity_store.response_modes()) then
        array['response_mode', 'invalid_request', 'response_mode must be ' || array_to_string(identity_store.response_modes(), ', ')]
      -- Multiple Response Type Encoding Practices §3.0, §5: the query encoding MUST NOT be used for what carries tokens.
      when p ->> 'response_mode' = 'query' and identity_store.response_front(p ->> 'response_type') then
        array['response_mode_query', 'invalid_request', 'response_mode query is not for response types with token or id_token']
      when not prompt <@ array['none', 'login', 'consent', 'select_account'] then
        array['prompt', 'invalid_request', 'prompt must be made of none, login, consent, select_account']
      -- OpenID Connect Core §3.1.2.1: if this parameter contains none with any other value, an error is returned.
      when 'none' = any (prompt) and cardinality(prompt) > 1 then
        array['prompt_none', 'invalid_request', 'prompt none cannot stand with another value']
      when p -> 'claims' = 'false' then
        array['claims', 'invalid_request', 'claims must be a JSON object of the members userinfo and id_token']
      -- OpenID Connect Core §5.5: with userinfo, response_type MUST result in an access token.
      when p -> 'claims' ? 'userinfo' and not gives_code and not identity_store.response_gives(p ->> 'response_type', 'token') then
        array['claims_userinfo', 'invalid_request', 'claims has a member userinfo, and response_type id_token gives no access token']
      when p ->> 'max_age' ~ '[^0-9]' or length(p ->> 'max_age') > 9 then
        array['max_age', 'invalid_request', 'max_age must be a number of seconds']
      when p ? 'id_token_hint' and hint is null then
        array['id_token_hint', 'invalid_request', 'id_token_hint is not an ID token of this issuer']
    end;
  end if;
  return case
    when failed is not null then failed
    -- RFC 6749 §3.3: process the request using a pre-defined default value or fail the request indicating an invalid scope.
    when cardinality(scope) = 0 then
      array['scope', 'invalid_scope', case when p ? 'scope' then 'scope names nothing that this client may ask for'
        else 'scope is missing, and neither the client nor the resource has a default' end]
    -- OpenID Connect Core §3.1.2.1: without openid it is no OpenID request, and there is no ID token.
    when gives_id_token and not 'openid' = any (scope) then
      array['scope_openid', 'invalid_scope', 'scope must hold openid where response_type holds id_token']
  end;
end
$$;
comment on function identity_store.authorization_request_checks(jsonb, identity_store.clients, text[], jsonb, text[]) is
  'Checks of the request itself, which are told to the client by redirect; resources, scope: what the request comes down to here: rule, error and description of the first that failed, NULL when none did.';
revoke all on function identity_store.authorization_request_checks(jsonb, identity_store.clients, text[], jsonb, text[]) from public;
