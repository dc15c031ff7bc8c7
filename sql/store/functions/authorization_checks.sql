-- Every check of an authorization request, one row each, in the order in which they answer.
-- OpenID Connect Core 1.0 §3.1.2.1–§3.1.2.6; RFC 6749 §4.1.1; RFC 7636; RFC 8252; RFC 8707; RFC 9700.
--
--   identity_store.authorization_client_checks    is there anybody to redirect to?   error page
--   identity_store.authorization_request_checks   is the request right?              redirect with error
--   identity_store.authorization_person_checks    may it be answered now?            sign-in, consent
-- All called by authorization_verdict.sql, which takes the first row that failed.

create or replace function identity_store.authorization_client_checks(request jsonb, client identity_store.clients)
returns table (rule text, error text, description text, failed boolean)
language sql stable parallel safe
as $$
  select c.* from (select request -> 'parameters' as p, request -> 'repeated' as repeated) r, lateral (values
    ('client_id_repeated', 'invalid_request', 'client_id is given more than once', repeated ? 'client_id'),
    ('client_id_missing', 'invalid_request', 'client_id is missing', not p ? 'client_id'),
    ('client_unknown', 'invalid_client', 'unknown client', client.id is null),
    -- Without its request object nobody knows where to, unless the request says so beside it.
    ('request_object: ' || coalesce(request #>> '{refused,detail}', ''), request #>> '{refused,error}',
      request #>> '{refused,description}', request ? 'refused' and not p ? 'redirect_uri'),
    -- RFC 6749 §3.1.2.3: it may be left out only if one is registered; OpenID Connect Core §3.1.2.1: REQUIRED.
    ('redirect_uri_repeated', 'invalid_request', 'redirect_uri is given more than once', repeated ? 'redirect_uri'),
    ('redirect_uri_missing', 'invalid_request', 'redirect_uri is missing', not p ? 'redirect_uri'
      and (cardinality(client.redirect_uris) <> 1 or 'openid' = any (string_to_array(coalesce(p ->> 'scope', ''), ' ')))),
    ('redirect_uri_unregistered', 'invalid_request', 'redirect_uri is not registered for this client',
      p ? 'redirect_uri' and not identity_store.redirect_uri_registered(p ->> 'redirect_uri', client))
  ) c (rule, error, description, failed)
$$;
comment on function identity_store.authorization_client_checks(jsonb, identity_store.clients) is
  'Checks without which nobody may be redirected anywhere, in order.';
revoke all on function identity_store.authorization_client_checks(jsonb, identity_store.clients) from public;

create or replace function identity_store.redirect_uri_registered(redirect_uri text, client identity_store.clients)
returns boolean
language plpgsql immutable parallel safe
as $$
begin
  -- RFC 9700 §2.1: exact string matching, except for port numbers in loopback redirect URIs of native apps
  -- (RFC 8252 §7.3: the server MUST allow any port). Only `:port` before a path, query or the end is a port.
  return redirect_uri = any (client.redirect_uris) or client.application_type = 'native' and exists (
    select from unnest(client.redirect_uris) r, (values ('^(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::[0-9]{1,5})?(?=[/?]|$)')) l (port)
    where r ~ l.port and redirect_uri ~ l.port
      and regexp_replace(r, l.port, '\1') = regexp_replace(redirect_uri, l.port, '\1'));
end
$$;
comment on function identity_store.redirect_uri_registered(text, identity_store.clients) is
  'Whether the client registered this redirect_uri: exactly, or on another port of the loopback interface for native applications.';
revoke all on function identity_store.redirect_uri_registered(text, identity_store.clients) from public;

create or replace function identity_store.authorization_request_checks(
  request jsonb, client identity_store.clients, resources text[], hint jsonb, scope text[]
)
returns table (rule text, error text, description text, failed boolean)
language sql stable parallel safe
as $$
  select c.* from (
    select request -> 'parameters' as p, string_to_array(request -> 'parameters' ->> 'prompt', ' ') as prompt,
      request -> 'parameters' ->> 'response_type' as response_type
  ) r,
  lateral (values
    ('repeated', 'invalid_request', format('%s is given more than once', request -> 'repeated' ->> 0), request ->> 'repeated' is not null),
    ('oversized', 'invalid_request', 'the request is too large', identity_store.resume_oversized(request -> 'parameters')),
    -- OpenID Connect Core §3.1.2.6: the error for each parameter that is not supported.
    ('request_object: ' || coalesce(request #>> '{refused,detail}', ''), request #>> '{refused,error}',
      request #>> '{refused,description}', request ? 'refused'),
    ('registration', 'registration_not_supported', 'registration is not supported', p ? 'registration'),
    ('response_type_missing', 'invalid_request', 'response_type is missing', not p ? 'response_type'),
    ('response_type', 'unsupported_response_type', 'response_type is not supported',
      not exists (select from identity_store.response_types() t where t.response_type = r.response_type)),
    ('response_type_unregistered', 'unauthorized_client', format('the client is not registered for response_type %s', response_type),
      not response_type = any (client.response_types)),
    ('response_mode', 'invalid_request', format('response_mode must be %s', array_to_string(identity_store.response_modes(), ', ')),
      not p ->> 'response_mode' = any (identity_store.response_modes())),
    -- Multiple Response Type Encoding Practices §3.0, §5: the query encoding MUST NOT be used for what carries tokens.
    ('response_mode_query', 'invalid_request', 'response_mode query is not for response types with token or id_token',
      p ->> 'response_mode' = 'query' and identity_store.response_front(response_type)),
    -- OpenID Connect Core §3.2.2.1 and §3.3.2.11: REQUIRED where an ID token comes from here.
    ('nonce_missing', 'invalid_request', 'nonce is missing: it is required for an ID token',
      identity_store.response_gives(response_type, 'id_token') and not p ? 'nonce'),
    -- RFC 9700 §2.1.1: public clients MUST use PKCE. RFC 7636 §4.3: without a method it would be plain, which shows the verifier.
    ('code_challenge_missing', 'invalid_request', 'code_challenge is missing: PKCE is required',
      client.token_endpoint_auth_method = 'none' and identity_store.response_gives(response_type, 'code') and not p ? 'code_challenge'),
    ('code_challenge_method', 'invalid_request', 'code_challenge_method must be S256',
      p ? 'code_challenge' and p ->> 'code_challenge_method' is distinct from 'S256'),
    ('code_challenge_method_alone', 'invalid_request', 'code_challenge_method is given without code_challenge',
      p ? 'code_challenge_method' and not p ? 'code_challenge'),
    -- RFC 7636 §4.2: BASE64URL-ENCODE(SHA256(…)) has 43 characters.
    ('code_challenge', 'invalid_request', 'code_challenge is malformed', p ->> 'code_challenge' !~ '^[A-Za-z0-9_-]{43}$'),
    -- RFC 8707 §2: invalid_target: the requested resource is invalid, missing, unknown, or malformed.
    ('resource', 'invalid_target', 'resource is unknown or malformed', resources is null),
    ('prompt', 'invalid_request', 'prompt must be made of none, login, consent, select_account',
      not prompt <@ array['none', 'login', 'consent', 'select_account']),
    -- OpenID Connect Core §3.1.2.1: if this parameter contains none with any other value, an error is returned.
    ('prompt_none', 'invalid_request', 'prompt none cannot stand with another value', 'none' = any (prompt) and cardinality(prompt) > 1),
    ('claims', 'invalid_request', 'claims must be a JSON object of the members userinfo and id_token', p -> 'claims' = 'false'),
    -- OpenID Connect Core §5.5: with userinfo, response_type MUST result in an access token.
    ('claims_userinfo', 'invalid_request', 'claims has a member userinfo, and response_type id_token gives no access token',
      p -> 'claims' ? 'userinfo' and not identity_store.response_gives(response_type, 'code')
      and not identity_store.response_gives(response_type, 'token')),
    ('max_age', 'invalid_request', 'max_age must be a number of seconds', p ->> 'max_age' !~ '^[0-9]{1,9}$'),
    ('id_token_recipient', 'invalid_request', 'the client has no key that its ID tokens can be encrypted to',
      client.id_token_encrypted_response_alg is not null and identity_store.response_gives(response_type, 'id_token')
      and identity_store.recipient(client, client.id_token_encrypted_response_alg, '') is null),
    ('id_token_hint', 'invalid_request', 'id_token_hint is not an ID token of this issuer', p ? 'id_token_hint' and hint is null),
    -- RFC 6749 §3.3: process the request using a pre-defined default value or fail the request indicating an invalid scope.
    ('scope', 'invalid_scope', case when p ? 'scope' then 'scope names nothing that this client may ask for'
      else 'scope is missing, and neither the client nor the resource has a default' end, cardinality(scope) = 0),
    -- OpenID Connect Core §3.1.2.1: without openid it is no OpenID request, and there is no ID token.
    ('scope_openid', 'invalid_scope', 'scope must hold openid where response_type holds id_token',
      identity_store.response_gives(response_type, 'id_token') and not 'openid' = any (scope))
  ) c (rule, error, description, failed)
$$;
comment on function identity_store.authorization_request_checks(jsonb, identity_store.clients, text[], jsonb, text[]) is
  'Checks of the request itself, in order; a failed one is told to the client by redirect. resources, scope: what the request comes down to here.';
revoke all on function identity_store.authorization_request_checks(jsonb, identity_store.clients, text[], jsonb, text[]) from public;
