-- The parameters of an authorization request, however they come: one by one, or in a request object (RFC 6749 §3.1;
-- RFC 9101; OpenID Connect Core 1.0 §6).
--
--   identity_store.authorization_received      parameters as they came → those we know, in our spelling
--   identity_store.authorization_unwrapped     authorization: with what the request object says in their place
--   identity_store.request_refused, request_object_parameters    above
-- What a request object is worth: request_objects.sql.

create or replace function identity_store.authorization_received(parameters json)
returns jsonb
language plpgsql immutable parallel unsafe
as $$
declare
  request constant jsonb := identity.request_parameters(authorization_received.parameters, array[
    'client_id', 'redirect_uri', 'response_type', 'response_mode', 'scope', 'state', 'nonce', 'code_challenge',
    'code_challenge_method', 'resource', 'prompt', 'max_age', 'id_token_hint', 'login_hint', 'ui_locales', 'request',
    'request_uri', 'registration', 'display', 'claims', 'claims_locales', 'acr_values']);
  -- Parameters that change nothing do not travel: display, claims_locales, and acr_values, which are wishes (OpenID Connect
  -- Core §3.1.2.1: requested as a Voluntary Claim) where there is one way to sign in.
  p jsonb := (request -> 'parameters') - array['display', 'claims_locales', 'acr_values'];
begin
  if p ? 'response_type' then
    p := jsonb_set(p, '{response_type}', to_jsonb(identity_store.response_type(p ->> 'response_type')));
  end if;
  if p ? 'claims' then
    p := jsonb_set(p, '{claims}', coalesce(identity_store.claims_parameter(p ->> 'claims'), 'false'));
  end if;
  return jsonb_build_object('parameters', p, 'repeated', request -> 'repeated');
end
$$;
comment on function identity_store.authorization_received(json) is
  'The request inside {"name": ["value", …]}: {"parameters": those we know with a value, response_type and claims in our spelling (claims false: malformed), "repeated": names given more than once, or null}. Raises ID005 when it is no such object.';
revoke all on function identity_store.authorization_received(json) from public;

create or replace function identity_store.authorization_unwrapped(request jsonb, documents jsonb)
returns jsonb
language plpgsql volatile parallel unsafe
as $$
declare
  p constant jsonb := request -> 'parameters';
  around constant jsonb := p - array['request', 'request_uri'];
  client identity_store.clients;
  object text := p ->> 'request';
  read record;
  inner_request jsonb;
begin
  client := identity.row_by_id(null::identity_store.clients, p ->> 'client_id');
  if client.id is null then
    return request;
  -- RFC 9101 §5: request and request_uri MUST NOT be used together.
  elsif p ?& array['request', 'request_uri'] then
    return identity_store.request_refused(request, 'invalid_request', 'request cannot stand beside request_uri');
  end if;

  if p ? 'request_uri' then
    -- RFC 9101 §10.4.1: whoever could have anything fetched would have it fetched a thousand times, or from within.
    if not identity_store.request_uri_registered(p ->> 'request_uri', client) then
      return identity_store.request_refused(request, 'invalid_request_uri', 'request_uri is not registered for this client');
    elsif not documents ? (p ->> 'request_uri') then
      return request || jsonb_build_object('need', jsonb_build_object(
        'kind', 'request_object', 'url', p ->> 'request_uri', 'client_id', client.id));
    end if;
    -- A file ends in a line feed.
    object := btrim(documents ->> (p ->> 'request_uri'), E' \t\r\n');
    if object is null then
      return identity_store.request_refused(request, 'invalid_request_uri', 'request_uri cannot be fetched');
    end if;
  end if;
  read := identity_store.request_object_read(client, object);
  if read.keys_due and not documents ? client.jwks_uri then
    return request || jsonb_build_object('need', (select n.answer from identity_store.need_client_keys(client) n));
  elsif read.error is not null then
    return identity_store.request_refused(request, read.error, read.description, read.detail);
  end if;
  inner_request := identity_store.authorization_received(identity_store.request_object_parameters(read.claims));
  if 'openid' = any (string_to_array(p ->> 'scope', ' ')) and not coalesce(client.require_signed_request_object, false) then
    -- OpenID Connect Core §6.1: what is in both is that of the object, but response_type MUST match.
    if p ->> 'response_type' <> inner_request -> 'parameters' ->> 'response_type' then
      return identity_store.request_refused(request, 'invalid_request', 'response_type is not that of the request object');
    end if;
    return jsonb_build_object('parameters', around || (inner_request -> 'parameters'), 'repeated', request -> 'repeated');
  end if;
  -- RFC 9101 §6.3: the authorization server MUST only use the parameters in the request object.
  return jsonb_build_object(
    'parameters', (inner_request -> 'parameters') || jsonb_build_object('client_id', client.id), 'repeated', null);
end
$$;
comment on function identity_store.authorization_unwrapped(jsonb, jsonb) is
  'A received request that has request or request_uri, with the parameters of the request object in its place, which is among documents or cannot be had; or the same with "refused" {error, description, detail}, or with "need", the answer of the outcome of that name. Raises ID001, ID003.';
revoke all on function identity_store.authorization_unwrapped(jsonb, jsonb) from public;

create or replace function identity_store.request_refused(request jsonb, error text, description text, detail text default null)
returns jsonb
language sql immutable parallel safe
as $$
  select (request #- '{parameters,request}' #- '{parameters,request_uri}') || jsonb_build_object('refused',
    jsonb_build_object('error', request_refused.error, 'description', request_refused.description, 'detail', request_refused.detail))
$$;
comment on function identity_store.request_refused(jsonb, text, text, text) is
  'A received request whose request object is refused: without it, and with "refused", which authorization_checks.sql tells the client.';
revoke all on function identity_store.request_refused(jsonb, text, text, text) from public;

create or replace function identity_store.request_object_parameters(claims jsonb)
returns json
language sql immutable parallel safe
as $$
  -- RFC 9101 §4: numbers and objects are JSON there; in a query they are text. resource may be several.
  select coalesce(json_object_agg(c.key, case
    when c.key = 'resource' and jsonb_typeof(c.value) = 'array'
      then (select json_agg(coalesce(r #>> '{}', 'null')) from jsonb_array_elements(c.value) r)
    else json_build_array(c.value #>> '{}') end), '{}')
  from jsonb_each(claims) c
  where c.value not in ('null', '[]')
$$;
comment on function identity_store.request_object_parameters(jsonb) is
  'The members of a request object in the form in which the gateway hands over parameters.';
revoke all on function identity_store.request_object_parameters(jsonb) from public;
