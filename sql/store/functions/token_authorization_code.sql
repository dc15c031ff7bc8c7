-- The authorization code grant: a code, once, for tokens (RFC 6749 §4.1.3; RFC 7636 §4.6; OpenID Connect Core 1.0 §3.1.3).
--
--   identity.token_authorization_code    gateway: POST /token
-- The life of a code is drawn in codes.sql.

create or replace function identity.token_authorization_code(
  client_id text, client_secret text, method text, code text, redirect_uri text, code_verifier text, resource text[], client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  durable constant text := set_config('synchronous_commit', 'on', true);
  client identity_store.clients := identity_store.client_authenticate($1, $2, $3, token_authorization_code.client_certificate);
  found_code identity_store.authorization_codes;
  granted identity_store.grants;
  resources text[];
  refusal text[];
  event uuid;
begin
  if client.id is null then
    return query select * from identity_store.refuse_client($1, $2, $3, token_authorization_code.client_certificate);
    return;
  elsif client.id_token_encrypted_response_alg is not null and identity_store.recipient(
    client, client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc) is null then
    return query select * from identity_store.refuse_recipient(client);
    return;
  end if;
  found_code := identity.row_by_id(null::identity_store.authorization_codes,
    identity.opaque_id('code', token_authorization_code.code));
  if found_code.code_hash <> identity.opaque_hash(token_authorization_code.code) then
    found_code := null;
  end if;
  granted := identity.row_by_id(null::identity_store.grants, found_code.grant_id);
  resources := identity_store.token_target(granted, token_authorization_code.resource);

  -- None of these consumes the code: a wrong client or a wrong verifier must not take it from the right one.
  refusal := identity_store.token_code_checks(client, found_code, token_authorization_code.code,
    nullif(token_authorization_code.redirect_uri, ''), nullif(token_authorization_code.code_verifier, ''), resources);
  if refusal is not null then
    return query select * from identity_store.refuse(refusal[1], refusal[2], refusal[3]);
    return;
  end if;

  update identity_store.authorization_codes k set used_at = now() where k.id = found_code.id and k.used_at is null;
  if not found then
    -- RFC 6749 §4.1.2: if an authorization code is used more than once, the authorization server MUST deny the request
    -- and SHOULD revoke all tokens previously issued based on that authorization code.
    if identity_store.grant_end(granted.id, 'code_replayed') then
      perform identity_store.audit('code_replayed', granted.user_id, client.id, granted.session_id,
        jsonb_build_object('grant_id', granted.id));
    end if;
    return query select * from identity_store.refuse('invalid_grant', 'the authorization code is invalid', 'code was used before: grant ended');
    return;
  end if;

  -- Read again, and locked: whoever disables the person, changes the password, ends the session or takes the grant back
  -- came first and is seen here, or waits for us and then ends what we are about to issue. Not for share, which overtakes
  -- whoever waits.
  select g.* into granted
  from identity_store.users u
  join identity_store.sessions s on s.id = granted.session_id and s.ended_at is null and s.expires_at > now()
    and s.last_seen_at > now() - identity_store.session_idle_lifetime()
  join identity_store.grants g on g.id = found_code.grant_id and g.ended_at is null
  where u.id = granted.user_id and u.state = 'active'
  for no key update of u, s, g;
  if not found then
    return query select * from identity_store.refuse('invalid_grant', 'the authorization code is invalid',
      'grant, person or session ended since the code was issued');
    return;
  end if;
  event := identity_store.audit('code_redeemed', granted.user_id, client.id, granted.session_id,
    jsonb_build_object('grant_id', granted.id));
  outcome := 'ok';
  answer := identity_store.tokens_answer(client, granted, identity_store.scopes_at(granted.scope, resources), resources, true,
    found_code.nonce, identity_store.refresh_issue(client, granted));
  return next;
end
$$;
comment on function identity.token_authorization_code(text, text, text, text, text, text, text[], bytea) is
  'Redeems an authorization code. Evidence: client credentials (method: as client_authenticate says; client_certificate: DER, NULL without one), the code, redirect_uri, the PKCE verifier. '
  'Outcomes: ok with the token answer; invalid_client, unauthorized_client, invalid_request, invalid_grant, invalid_target {error, error_description}. A second complete redemption ends the grant.';
revoke all on function identity.token_authorization_code(text, text, text, text, text, text, text[], bytea) from public;
grant execute on function identity.token_authorization_code(text, text, text, text, text, text, text[], bytea) to identity_gateway;

create or replace function identity_store.token_code_checks(
  client identity_store.clients, found_code identity_store.authorization_codes, code text, redirect_uri text,
  code_verifier text, resources text[]
)
returns text[]
language plpgsql stable parallel safe
as $$
begin
  return case
    when not 'authorization_code' = any (client.grant_types) then
      array['unauthorized_client', 'the client is not registered for authorization_code']
    when coalesce(code, '') = '' then
      array['invalid_request', 'code is missing']
    when found_code.id is null then
      array['invalid_grant', 'the authorization code is invalid', 'code is malformed or unknown']
    -- RFC 6749 §4.1.3: ensure that the authorization code was issued to the authenticated client.
    when found_code.client_id <> client.id then
      array['invalid_grant', 'the authorization code is invalid', 'code of another client']
    -- RFC 6749 §4.1.3: redirect_uri is REQUIRED if it was in the authorization request, and their values MUST be identical.
    when coalesce(redirect_uri, case when not found_code.redirect_uri_given then found_code.redirect_uri end)
      is distinct from found_code.redirect_uri then
      array['invalid_grant', 'redirect_uri is not that of the authorization request']
    -- RFC 9700 §2.1.1: a code_verifier without a code_challenge MUST be rejected: somebody took the challenge away.
    when found_code.code_challenge is null and code_verifier is not null then
      array['invalid_grant', 'code_verifier does not fit', 'code_verifier without code_challenge']
    when found_code.code_challenge is not null and code_verifier is null then
      array['invalid_grant', 'code_verifier is missing']
    -- RFC 7636 §4.1: 43 to 128 unreserved characters. §4.6: BASE64URL-ENCODE(SHA256(code_verifier)) == code_challenge.
    when code_verifier ~ '[^A-Za-z0-9._~-]' or length(code_verifier) not between 43 and 128 then
      array['invalid_grant', 'code_verifier does not fit', 'code_verifier is malformed']
    when found_code.code_challenge <> translate(encode(sha256(convert_to(code_verifier, 'UTF8')), 'base64'), '+/=', '-_') then
      array['invalid_grant', 'code_verifier does not fit']
    -- A spent code goes on: its replay ends the grant also when the 60 seconds are over.
    when found_code.used_at is null and found_code.expires_at <= now() then
      array['invalid_grant', 'the authorization code is invalid', 'code expired']
    when resources is null then
      array['invalid_target', 'resource was not part of the authorization']
  end;
end
$$;
comment on function identity_store.token_code_checks(identity_store.clients, identity_store.authorization_codes, text, text, text, text[]) is
  'Checks of a code before it is consumed, in the order in which they answer (README, decision 9): error, description and detail of the first that failed, NULL when none did. redirect_uri and code_verifier: NULL where the request has none.';
revoke all on function identity_store.token_code_checks(identity_store.clients, identity_store.authorization_codes, text, text, text, text[]) from public;
