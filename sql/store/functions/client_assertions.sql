-- Client assertions: private_key_jwt and client_secret_jwt (RFC 7521 §4.2, RFC 7523 §2.2, §3; OpenID Connect Core §9).
--
--   identity_store.client_assertion_refusal    client_authentication.sql: what is wrong with it, before it is spent
--   identity_store.client_assertion_spend      the same, last
--   identity_store.client_assertions_reap      maintenance
--
--   made by the client ──▶ accepted, its jti kept ──▶ expired, reaped
--
-- Only an assertion that is good in every other way leaves a row: strangers write nothing.

create or replace function identity_store.client_assertion_refusal(
  client identity_store.clients, assertion text, endpoint text
)
returns text
language plpgsql volatile parallel unsafe
as $$
declare
  jws constant jsonb := identity.client_jws_read(assertion);
  claims constant jsonb := jws -> 'claims';
  myself constant jsonb := to_jsonb(client.id);
  issuer constant text := identity.configured_issuer();
  second constant bigint := floor(extract(epoch from statement_timestamp()));
begin
  return case
    when jws is null then 'client assertion is malformed'
    when client.id is null then 'unknown client'
    when client.token_endpoint_auth_method not in ('private_key_jwt', 'client_secret_jwt') then
      format('client is registered for %s and sent an assertion', client.token_endpoint_auth_method)
    -- RFC 8725 §3.11: what is signed for another purpose has another type, and is no assertion.
    when lower(jws -> 'header' ->> 'typ') not in ('jwt', 'client-authentication+jwt', 'application/client-authentication+jwt') then
      'client assertion: typ is that of another kind of token'
    -- OpenID Connect Core §9: iss and sub MUST be the client_id.
    when claims -> 'iss' is distinct from myself or claims -> 'sub' is distinct from myself then
      'client assertion: iss and sub are not the client'
    when not exists (
      select from jsonb_array_elements_text(jws -> 'aud') a
      where identity_store.url_normalized(a) in (identity_store.url_normalized(issuer), identity_store.url_normalized(issuer || '/token'),
        identity_store.url_normalized(issuer || endpoint))) then 'client assertion: aud is not this issuer'
    when jws ->> 'exp' is null then 'client assertion: exp is missing'
    -- Clocks differ: a minute for what has expired, half of it for what is not yet. What lives long has to be remembered long.
    when (jws ->> 'exp')::bigint + 60 <= second then 'client assertion: expired'
    when (jws ->> 'exp')::bigint > second + 3660 then 'client assertion: exp is more than an hour away'
    when (jws ->> 'nbf')::bigint > second + 30 or (jws ->> 'iat')::bigint > second + 30 then 'client assertion: not yet valid'
    when jsonb_typeof(claims -> 'jti') is distinct from 'string' or octet_length(claims ->> 'jti') not between 1 and 1024 then
      'client assertion: jti is missing or no short string'
    -- What the answer will be encrypted to is fetched before the assertion is spent: the same call is made again.
    when client.id_token_encrypted_response_alg is not null and identity_store.recipient_due(client)
      and identity_store.recipient(client, client.id_token_encrypted_response_alg, '') is null then 'client assertion: unknown_key'
    when client.token_endpoint_auth_method = 'client_secret_jwt' then
      case when not exists (
        select from identity_store.client_secrets s
        where s.client_id = client.id and s.sealed is not null and (s.expires_at is null or s.expires_at > statement_timestamp())
          and identity.client_secret_signed(assertion, s.id, s.sealed, client.token_endpoint_auth_signing_alg))
        then 'client assertion: signed by no secret of the client, or with another algorithm' end
    else nullif('client assertion: ' || identity.client_key_signed(assertion,
      coalesce(identity_store.client_keys(client), '{}'), client.token_endpoint_auth_signing_alg), 'client assertion: signed')
  end;
end
$$;
comment on function identity_store.client_assertion_refusal(identity_store.clients, text, text) is
  'Why an assertion does not prove this client at this endpoint (its path below the issuer), for logs; NULL when it does, unless it was used before. Raises ID001, ID003.';
revoke all on function identity_store.client_assertion_refusal(identity_store.clients, text, text) from public;

-- One conditional insert: of a hundred gateways that are shown the same assertion at once, one gets it.
create or replace function identity_store.client_assertion_spend(client_id text, assertion text)
returns boolean
language plpgsql volatile parallel unsafe
as $$
declare
  jws constant jsonb := identity.client_jws_read(assertion);
begin
  -- A crash must not make it good again.
  perform set_config('synchronous_commit', 'on', true);
  insert into identity_store.client_assertions (digest, expires_at)
  values (
    sha256(convert_to(client_assertion_spend.client_id, 'UTF8') || '\x00' || convert_to(jws -> 'claims' ->> 'jti', 'UTF8')),
    to_timestamp((jws ->> 'exp')::bigint + 60)
  )
  on conflict do nothing;
  return found;
end
$$;
comment on function identity_store.client_assertion_spend(text, text) is
  'Keeps the jti of an assertion that client_assertion_refusal has nothing against until it expires; false when this client used it before. Durable.';
revoke all on function identity_store.client_assertion_spend(text, text) from public;

create or replace function identity_store.client_assertions_reap()
returns integer
language plpgsql volatile parallel unsafe
as $$
declare
  reaped integer;
begin
  delete from identity_store.client_assertions a
  where a.digest in (
    select o.digest from identity_store.client_assertions o where o.expires_at < now() order by o.expires_at limit 50000
    for update skip locked);
  get diagnostics reaped = row_count;
  return reaped;
end
$$;
comment on function identity_store.client_assertions_reap() is
  'Deletes assertions that have expired, at most 50,000 at a time; returns how many.';
revoke all on function identity_store.client_assertions_reap() from public;

-- RFC 3986 §6.2.2.1, §6.2.3. Nothing else is normalised: a path has one spelling, and no prefix is enough.
create or replace function identity_store.url_normalized(url text)
returns text
language sql immutable parallel safe
as $$
  select lower(m.parts[1]) || '://' || case lower(m.parts[1])
      when 'https' then regexp_replace(lower(m.parts[2]), ':443$', '')
      when 'http' then regexp_replace(lower(m.parts[2]), ':80$', '')
    end || m.parts[3]
  from regexp_match(url, '^(https?)://([^/?#@\\]+)([/?#].*)?$', 'i') as r (found),
    lateral (select array[r.found[1], r.found[2], coalesce(r.found[3], '')]) as m (parts)
$$;
comment on function identity_store.url_normalized(text) is
  'An http or https URL with scheme and host in lower case and without the default port, for comparing; NULL for anything else.';
revoke all on function identity_store.url_normalized(text) from public;
