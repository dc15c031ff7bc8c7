-- Introspection: what a token is worth now, for those who may know (RFC 7662; README, decision 12).
--
--   identity.token_introspect             gateway: POST /introspect
--   identity_store.access_token_claims    also revocation, userinfo

create or replace function identity.token_introspect(
  client_id text, client_secret text, method text, token text, token_type_hint text, client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  client identity_store.clients := identity_store.client_authenticate($1, $2, $3, token_introspect.client_certificate, '/introspect');
  claims jsonb;
  f record;
begin
  -- RFC 7662 §2.1: the endpoint MUST require some form of authorization; naming a public client is none.
  if client.id is null or client.token_endpoint_auth_method = 'none' then
    return query select * from identity_store.refuse_client($1, $2, $3, token_introspect.client_certificate, '/introspect');
    return;
  end if;

  -- A JWT has periods and a refresh token has none, so token_type_hint can neither help nor mislead.
  if token_introspect.token like '%.%' then
    claims := identity_store.access_token_claims(token_introspect.token, null);
    -- Own client, a resource named in aud, or an administrator gave the right.
    if claims is not null
      and (claims ->> 'client_id' = client.id or client.introspect_any or claims -> 'aud' ? client.id) then
      outcome := 'ok';
      answer := jsonb_build_object('active', true, 'token_type', 'Bearer') || claims;
      return next;
      return;
    end if;
  else
    f := identity_store.refresh_find(token_introspect.token);
    if (f.family).client_id = client.id and f.dead is null and (
      f.shown = (f.family).generation
      or f.shown = (f.family).generation - 1 and (f.family).head_since > now() - interval '120 seconds') then
      return query select 'ok', null::text, json_build_object('active', true, 'client_id', client.id,
        'sub', identity_store.subject_for(client, (f.family).user_id), 'iss', identity.configured_issuer(), 'scope', array_to_string((f.granted).scope, ' '),
        'grant_id', (f.family).grant_id, 'iat', floor(extract(epoch from (f.family).created_at))::bigint,
        'exp', floor(extract(epoch from least((f.family).expires_at, (f.family).idle_expires_at)))::bigint);
      return;
    end if;
  end if;
  -- RFC 7662 §2.2: for a token that is not active, or that the caller may not know, SHOULD NOT include any additional information.
  return query select 'ok', null::text, json_build_object('active', false);
end
$$;
comment on function identity.token_introspect(text, text, text, text, text, bytea) is
  'What a token is worth. Evidence: client credentials (method: as client_authenticate says, but not none; client_certificate: DER, NULL without one). '
  'Outcomes: ok {"active": true, …claims} for its own client, a resource in aud, a client with introspect_any (refresh tokens: own client only); ok {"active": false} otherwise; invalid_client {error, error_description}.';
revoke all on function identity.token_introspect(text, text, text, text, text, bytea) from public;
grant execute on function identity.token_introspect(text, text, text, text, text, bytea) to identity_gateway;

create or replace function identity_store.access_token_claims(token text, audience text)
returns jsonb
language plpgsql stable parallel unsafe
as $$
declare
  verified constant jsonb := identity.access_token_verify(access_token_claims.token, access_token_claims.audience);
begin
  -- Disabling is a state, not a revocation (README, decision 10).
  if verified ->> 'sub' <> verified ->> 'client_id'
    and (identity.row_by_id(null::identity_store.users, identity_store.subject_user(verified))).state is distinct from 'active' then
    return null;
  end if;
  return verified;
end
$$;
comment on function identity_store.access_token_claims(text, text) is
  'The claims of a good access token of ours whose person may sign in (audience: one it must be for; NULL any); NULL for every other token.';
revoke all on function identity_store.access_token_claims(text, text) from public;
