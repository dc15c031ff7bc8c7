-- Client authentication: is this really that client? RFC 6749 §2.3.
--
--   identity_store.client_authenticate    token*, introspection, revocation
--   identity_store.refuse_client          the same, when it found nobody
--   identity_store.refuse                 every function that answers an OAuth error

-- A secret is found by the id in it and compared by its SHA-256: nothing is looked up by hash, and no time tells how near a
-- guess was. It stands before every token, so rows are found by key without a statement (identity.row_by_id), here and below.
-- (plpgsql, here and below where tokens are made, because it keeps its plans; a function in SQL is planned at every call.)
create or replace function identity_store.client_authenticate(
  client_id text, client_secret text, method text, client_certificate bytea, endpoint text default '/token'
)
returns identity_store.clients
language plpgsql volatile parallel unsafe
as $$
declare
  present constant boolean := identity.require_present(30);
  client identity_store.clients;
  secret identity_store.client_secrets;
begin
  -- RFC 6749 §2.3.1: the server MUST support Basic for a client with a password and MAY support the body. Both prove the
  -- same secret, and libraries choose by their own default, so the registered one of the two does not bar the other.
  if client_authenticate.method in ('client_secret_basic', 'client_secret_post') then
    secret := identity.row_by_id(null::identity_store.client_secrets, identity.opaque_id('secret', client_authenticate.client_secret));
    if secret.secret_hash = identity.opaque_hash(client_authenticate.client_secret) and secret.client_id = client_authenticate.client_id
      and (secret.expires_at is null or secret.expires_at > statement_timestamp()) then
      client := identity.row_by_id(null::identity_store.clients, client_authenticate.client_id);
      if client.token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post') then
        return client;
      end if;
    end if;
  elsif client_authenticate.method in ('none', 'tls_client_auth', 'self_signed_tls_client_auth') then
    client := identity.row_by_id(null::identity_store.clients, client_authenticate.client_id);
    if coalesce(client_authenticate.client_secret, '') <> '' then
      return null;
    -- RFC 8705 §4: a public client has a certificate too, if its TLS library brings one.
    elsif client.token_endpoint_auth_method = 'none' then
      return client;
    elsif client.token_endpoint_auth_method in ('tls_client_auth', 'self_signed_tls_client_auth')
      and identity_store.client_certificate_refusal(client, client_authenticate.client_certificate, client_authenticate.method) is null then
      return client;
    end if;
  elsif client_authenticate.method = 'client_assertion' then
    client := identity_store.client_of_assertion(client_authenticate.client_id, client_authenticate.client_secret);
    if identity_store.client_assertion_refusal(client, client_authenticate.client_secret, client_authenticate.endpoint) is null
      and identity_store.client_assertion_spend(client.id, client_authenticate.client_secret) then
      return client;
    end if;
  end if;
  return null;
end
$$;
comment on function identity_store.client_authenticate(text, text, text, bytea, text) is
  'The client that client_id, secret, method (as the request used it) and the certificate that came with it (DER; NULL: none) prove; a NULL row when they do not. '
  'Methods: none, client_secret_basic, client_secret_post; client_assertion: the secret is the assertion, endpoint the path at which it came, and client_id may be NULL (RFC 7521 §4.2); '
  'beside client_id nothing but a certificate: tls_client_auth when its chain was verified, self_signed_tls_client_auth when it was not (RFC 8705 §2).';
revoke all on function identity_store.client_authenticate(text, text, text, bytea, text) from public;

create or replace function identity_store.client_of_assertion(client_id text, assertion text)
returns identity_store.clients
language sql stable parallel safe
as $$
  select c from identity_store.clients c
  -- RFC 7521 §4.2: client_id is unnecessary, because the assertion names the client; if it is there, it MUST be the same one.
  where c.id = coalesce(nullif($1, ''), identity.client_jws_read($2) -> 'claims' ->> 'sub')
$$;
comment on function identity_store.client_of_assertion(text, text) is
  'The client that a request with an assertion names; proves nothing.';
revoke all on function identity_store.client_of_assertion(text, text) from public;

create or replace function identity_store.client_authentication_failure(client_id text, client_secret text, method text)
returns text
language sql stable parallel safe
as $$
  select coalesce((
    select case
      when (c.token_endpoint_auth_method = 'none') <> (client_authentication_failure.method = 'none')
        or c.token_endpoint_auth_method not in ('none', 'client_secret_basic', 'client_secret_post')
        then format('client is registered for %s and used %s', c.token_endpoint_auth_method, client_authentication_failure.method)
      else 'client secret is wrong, expired or missing'
    end
    from identity_store.clients c
    where c.id = client_authentication_failure.client_id
  ), 'unknown client')
$$;
comment on function identity_store.client_authentication_failure(text, text, text) is
  'Why client_authenticate found nobody by a secret or by none: for logs, never for the client, which would learn which ids exist.';
revoke all on function identity_store.client_authentication_failure(text, text, text) from public;

create or replace function identity_store.refuse(error text, description text, detail text default null)
returns table (outcome text, detail text, answer json)
language sql immutable parallel safe
as $$
  select refuse.error, coalesce($3, refuse.description),
    json_build_object('error', refuse.error, 'error_description', refuse.description)
$$;
comment on function identity_store.refuse(text, text, text) is
  'The one row of a refusal: outcome and answer.error are the OAuth error code; detail (default: the public description) is for logs only.';
revoke all on function identity_store.refuse(text, text, text) from public;

create or replace function identity_store.refuse_client(
  client_id text, client_secret text, method text, client_certificate bytea, endpoint text default '/token'
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe
as $$
declare
  client identity_store.clients;
  reason text;
begin
  if refuse_client.method = 'client_assertion' then
    client := identity_store.client_of_assertion(refuse_client.client_id, refuse_client.client_secret);
    reason := identity_store.client_assertion_refusal(client, refuse_client.client_secret, refuse_client.endpoint);
    if reason = 'client assertion: unknown_key' and identity_store.client_keys_due(client) then
      return query select * from identity_store.need_client_keys(client);
      return;
    end if;
    reason := coalesce(reason, 'client assertion: its jti was used before');
  elsif refuse_client.method in ('tls_client_auth', 'self_signed_tls_client_auth') then
    client := identity.row_by_id(null::identity_store.clients, refuse_client.client_id);
    reason := identity_store.client_certificate_refusal(client, refuse_client.client_certificate, refuse_client.method);
    if reason = 'client certificate: unknown_key' and identity_store.client_keys_due(client) then
      return query select * from identity_store.need_client_keys(client);
      return;
    end if;
    reason := coalesce(reason, 'a certificate and a secret are two methods');
  else
    reason := identity_store.client_authentication_failure(refuse_client.client_id, refuse_client.client_secret, refuse_client.method);
  end if;
  return query select * from identity_store.refuse('invalid_client', 'client authentication failed', reason);
end
$$;
comment on function identity_store.refuse_client(text, text, text, bytea, text) is
  'The invalid_client answer (RFC 6749 §5.2): the same for an unknown client, a wrong method and a wrong secret; detail says which. Or need {kind, url, client_id}, when an assertion or a certificate has a key that we do not know yet.';
revoke all on function identity_store.refuse_client(text, text, text, bytea, text) from public;
