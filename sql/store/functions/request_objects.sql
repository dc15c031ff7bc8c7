-- Request objects: an authorization request as a token of the client (RFC 9101; OpenID Connect Core §6).
--
--   identity_store.request_object_read       authorization endpoint: `request`, and what was fetched from `request_uri`
--   identity_store.request_uri_registered    the same: whether it may be fetched
--
-- Unsigned ones are a form of their own and prove nothing; signed ones are good only under the client's keys.

create or replace function identity_store.request_object_read(
  client identity_store.clients, request text,
  out error text, out description text, out detail text, out keys_due boolean, out claims jsonb
)
language plpgsql volatile parallel unsafe
as $$
declare
  encrypted constant boolean := request like '%.%.%.%.%';
  token constant text := case when encrypted then identity.jwe_open(request) else request end;
  jws constant jsonb := identity.client_jws_read(token);
  alg constant text := jws -> 'header' ->> 'alg';
  issuer constant text := identity.configured_issuer();
  second constant bigint := floor(extract(epoch from statement_timestamp()));
  verdict text;
begin
  keys_due := false;
  if jws is not null and alg <> 'none' then
    verdict := identity.client_key_signed(token, coalesce(identity_store.client_keys(client), '{}'),
      client.request_object_signing_alg);
    if verdict = 'unknown_key' and identity_store.client_keys_due(client) then
      error := 'invalid_request_object';
      description := 'the request object is signed with a key that is not known';
      keys_due := true;
      return;
    end if;
  end if;
  detail := case
    when client.id is null then 'unknown client'
    when encrypted and token is null then 'it is not encrypted to a key of ours'
    -- Registered for one algorithm; whoever registered for encryption has a reason, and sends nothing in clear.
    when client.request_object_encryption_alg is not null and (not encrypted
      or identity.jwe_header(request) ->> 'alg' <> client.request_object_encryption_alg
      or identity.jwe_header(request) ->> 'enc' <> client.request_object_encryption_enc) then
      'it is not encrypted as registered'
    when jws is null then 'it is not a compact JWS with claims'
    -- RFC 8725 §3.11. A token that is explicitly something else, such as an assertion, is no request.
    when lower(jws -> 'header' ->> 'typ') not in ('jwt', 'oauth-authz-req+jwt', 'application/oauth-authz-req+jwt') then
      'typ is that of another kind of token'
    when alg = 'none' and coalesce(client.require_signed_request_object, client.request_object_signing_alg <> 'none', false) then
      'it is not signed'
    -- RFC 7515 §6, RFC 7518 §3.6: the signature of an unsecured token is empty.
    when alg = 'none' and token !~ '\.$' then 'alg none with a signature'
    when alg <> 'none' and verdict <> 'signed' then 'signature: ' || verdict
    -- RFC 9101 §4: iss is the client, aud the issuer, where they are there; parameters of the request itself are not.
    when jws -> 'claims' -> 'iss' <> to_jsonb(client.id) then 'iss is not the client'
    when jws -> 'claims' -> 'client_id' <> to_jsonb(client.id) then 'client_id is that of another client'
    when jws -> 'aud' <> '[]' and not exists (
      select from jsonb_array_elements_text(jws -> 'aud') a
      where identity_store.url_normalized(a) = identity_store.url_normalized(issuer)) then 'aud is not this issuer'
    when jws -> 'claims' ?| array['request', 'request_uri'] then 'it holds request or request_uri'
    when (jws ->> 'exp')::bigint + 60 <= second then 'expired'
    when (jws ->> 'nbf')::bigint > second + 30 or (jws ->> 'iat')::bigint > second + 30 then 'not yet valid'
  end;
  if detail is not null then
    error := 'invalid_request_object';
    description := 'the request object is invalid';
    return;
  end if;
  claims := (jws -> 'claims') - array['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti'];
end
$$;
comment on function identity_store.request_object_read(identity_store.clients, text) is
  'The parameters in a request object of this client, as claims (numbers and objects as JSON); or error (invalid_request_object), description, and detail for the log. keys_due: answer need_client_keys(client) first and ask again, because only newer keys of the client can tell. Unsigned ones are read unless the client registered an algorithm or require_signed_request_object. Raises ID001, ID003.';
revoke all on function identity_store.request_object_read(identity_store.clients, text) from public;

create or replace function identity_store.request_uri_registered(request_uri text, client identity_store.clients)
returns boolean
language sql immutable parallel safe
as $$
  -- OpenID Connect Core §6.2: a new fragment says that the contents are new; it is the same URI.
  select exists (select from unnest(client.request_uris) r where split_part(r, '#', 1) = split_part(request_uri, '#', 1))
$$;
comment on function identity_store.request_uri_registered(text, identity_store.clients) is
  'Whether a request of this client may be fetched at this address: one of its request_uris, whatever its fragment.';
revoke all on function identity_store.request_uri_registered(text, identity_store.clients) from public;
