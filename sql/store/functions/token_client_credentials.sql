-- The client credentials grant: a token of the client itself, without a person (RFC 6749 §4.4).
--
--   identity.token_client_credentials    gateway: POST /token

create or replace function identity.token_client_credentials(
  client_id text, client_secret text, method text, scope text, resource text[], client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- The token says all; what a crash could lose is the line about it.
  durable constant text := set_config('synchronous_commit', 'off', true);
  client identity_store.clients := identity_store.client_authenticate($1, $2, $3, token_client_credentials.client_certificate);
  asked text[] := string_to_array(nullif(token_client_credentials.scope, ''), ' ');
  allowed text[] := '{}';
  resources text[] := '{}';
  scopes text;
  event uuid;
begin
  if client.id is null then
    return query select * from identity_store.refuse_client($1, $2, $3, token_client_credentials.client_certificate);
    return;
  -- RFC 6749 §4.4.2: the client MUST authenticate. Nobody registers a public client for this; a row written by hand gives nothing
  -- away. In one condition, because plpgsql prepares each anew in every transaction.
  elsif not 'client_credentials' = any (client.grant_types) or client.token_endpoint_auth_method = 'none' then
    return query select * from identity_store.refuse('unauthorized_client', 'the client is not registered for client_credentials');
    return;
  end if;

  -- RFC 6749 §3.3: without scope, a pre-defined default: all that the client registered. §5.2: more than that is invalid_scope.
  if not asked <@ string_to_array(coalesce(client.scope, ''), ' ') then
    return query select * from identity_store.refuse('invalid_scope', 'scope is not registered for this client');
    return;
  end if;
  if client.scope <> '' then
    -- Scopes about a person mean nothing here.
    select coalesce(array_agg(s.name order by s.name), '{}') into allowed
    from identity_store.scopes s
    where s.name = any (coalesce(asked, string_to_array(client.scope, ' '))) and s.claims = '{}' and s.name <> 'offline_access';
  end if;

  if cardinality(token_client_credentials.resource) > 0 then
    resources := identity_store.resources_requested(token_client_credentials.resource);
    if resources is null then
      return query select * from identity_store.refuse('invalid_target', 'resource is unknown or malformed');
      return;
    end if;
    allowed := identity_store.scopes_at(allowed, resources);
  end if;

  scopes := array_to_string(allowed, ' ');
  event := identity_store.audit('client_token_issued', null, client.id, null,
    jsonb_build_object('scope', scopes, 'resources', resources));
  outcome := 'ok';
  answer := identity.client_tokens(client.id, client.access_token_lifetime,
    case when cardinality(resources) > 0 then identity_store.token_audience(allowed, resources) end, scopes);
  return next;
end
$$;
comment on function identity.token_client_credentials(text, text, text, text, text[], bytea) is
  'A token of the client itself. Evidence: client credentials (method: as client_authenticate says, but not none; client_certificate: DER, NULL without one). '
  'Outcomes: ok with the token answer; invalid_client, unauthorized_client, invalid_scope, invalid_target {error, error_description}.';
revoke all on function identity.token_client_credentials(text, text, text, text, text[], bytea) from public;
grant execute on function identity.token_client_credentials(text, text, text, text, text[], bytea) to identity_gateway;
