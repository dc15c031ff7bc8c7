-- Revocation: a client gives a token back (RFC 7009; README, decision 12).
--
--   identity.token_revoke    gateway: POST /revoke

create or replace function identity.token_revoke(
  client_id text, client_secret text, method text, token text, token_type_hint text, client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  client identity_store.clients := identity_store.client_authenticate($1, $2, $3, token_revoke.client_certificate, '/revoke');
  claims jsonb;
  f record;
  done text;
begin
  perform set_config('synchronous_commit', 'on', true);
  if client.id is null then
    return query select * from identity_store.refuse_client($1, $2, $3, token_revoke.client_certificate, '/revoke');
    return;
  elsif coalesce(token_revoke.token, '') = '' then
    return query select * from identity_store.refuse('invalid_request', 'token is missing');
    return;
  end if;

  -- RFC 7009 §2.1: if it cannot be found by the hint, the search MUST be extended. Here the token says itself what it is.
  if token_revoke.token like '%.%' then
    claims := identity_store.access_token_claims(token_revoke.token, null);
    if claims ->> 'client_id' = client.id then
      perform identity.revoke('token', claims ->> 'jti', to_timestamp((claims ->> 'exp')::bigint));
      perform identity_store.audit('access_token_revoked', case when claims ->> 'sub' <> client.id then identity_store.subject_user(claims) end,
        client.id, identity_store.subject_session(claims), jsonb_build_object('jti', claims ->> 'jti'));
      done := 'access token revoked';
    elsif claims is not null then
      perform identity_store.audit('revocation_refused', null, client.id, null,
        jsonb_build_object('jti', claims ->> 'jti', 'of_client', claims ->> 'client_id'));
      done := 'access token of another client';
    end if;
  else
    select * into f from identity_store.refresh_find(token_revoke.token);
    if (f.family).client_id = client.id then
      -- RFC 7009 §2.1: access tokens of the same grant SHOULD be invalidated with the refresh token.
      if identity_store.grant_end((f.family).grant_id, 'revoked') then
        perform identity_store.audit('refresh_token_revoked', (f.family).user_id, client.id, (f.granted).session_id,
          jsonb_build_object('grant_id', (f.family).grant_id));
      end if;
      done := 'grant ended';
    elsif f.shown is not null then
      perform identity_store.audit('revocation_refused', (f.family).user_id, client.id, null,
        jsonb_build_object('grant_id', (f.family).grant_id, 'of_client', (f.family).client_id));
      done := 'refresh token of another client';
    end if;
  end if;
  -- RFC 7009 §2.2: invalid tokens do not cause an error response, since the client cannot handle it in a reasonable way.
  return query select 'ok', coalesce(done, 'token is unknown'), json_build_object();
end
$$;
comment on function identity.token_revoke(text, text, text, text, text, bytea) is
  'Revokes an access token, or a refresh token with all that came from its grant. Evidence: client credentials (method: as client_authenticate says; client_certificate: DER, NULL without one) and the token. '
  'Outcomes: ok {} also for unknown tokens and for those of another client, which stay as they are; invalid_client, invalid_request {error, error_description}.';
revoke all on function identity.token_revoke(text, text, text, text, text, bytea) from public;
grant execute on function identity.token_revoke(text, text, text, text, text, bytea) to identity_gateway;
