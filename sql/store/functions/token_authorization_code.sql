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
  refusal record;
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
  select r.error, r.description, r.detail into refusal from identity_store.token_code_checks(
    client, found_code, token_authorization_code.code, token_authorization_code.redirect_uri,
    token_authorization_code.code_verifier, resources) r
  where r.failed limit 1;
  if found then
    return query select * from identity_store.refuse(refusal.error, refusal.description, refusal.detail);
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
  perform identity_store.audit('code_redeemed', granted.user_id, client.id, granted.session_id,
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
returns table (error text, description text, detail text, failed boolean)
language sql stable parallel safe
as $$
  select c.* from (select nullif(redirect_uri, '') as uri, nullif(code_verifier, '') as verifier) r, lateral (values
    ('unauthorized_client', 'the client is not registered for authorization_code', null::text, not 'authorization_code' = any (client.grant_types)),
    ('invalid_request', 'code is missing', null, coalesce(code, '') = ''),
    ('invalid_grant', 'the authorization code is invalid', 'code is malformed or unknown', found_code.id is null),
    -- RFC 6749 §4.1.3: ensure that the authorization code was issued to the authenticated client.
    ('invalid_grant', 'the authorization code is invalid', 'code of another client', found_code.client_id <> client.id),
    -- RFC 6749 §4.1.3: redirect_uri is REQUIRED if it was in the authorization request, and their values MUST be identical.
    ('invalid_grant', 'redirect_uri is not that of the authorization request', null,
      coalesce(uri, case when not found_code.redirect_uri_given then found_code.redirect_uri end) is distinct from found_code.redirect_uri),
    -- RFC 9700 §2.1.1: a code_verifier without a code_challenge MUST be rejected: somebody took the challenge away.
    ('invalid_grant', 'code_verifier does not fit', 'code_verifier without code_challenge', found_code.code_challenge is null and verifier is not null),
    ('invalid_grant', 'code_verifier is missing', null, found_code.code_challenge is not null and verifier is null),
    -- RFC 7636 §4.1: 43 to 128 unreserved characters. §4.6: BASE64URL-ENCODE(SHA256(code_verifier)) == code_challenge.
    ('invalid_grant', 'code_verifier does not fit', 'code_verifier is malformed', verifier !~ '^[A-Za-z0-9._~-]{43,128}$'),
    ('invalid_grant', 'code_verifier does not fit', null, found_code.code_challenge
      <> translate(encode(sha256(convert_to(verifier, 'UTF8')), 'base64'), '+/=', '-_')),
    -- A spent code goes on: its replay ends the grant also when the 60 seconds are over.
    ('invalid_grant', 'the authorization code is invalid', 'code expired', found_code.used_at is null and found_code.expires_at <= now()),
    ('invalid_target', 'resource was not part of the authorization', null, resources is null)
  ) c (error, description, detail, failed)
$$;
comment on function identity_store.token_code_checks(identity_store.clients, identity_store.authorization_codes, text, text, text, text[]) is
  'Checks of a code before it is consumed, in the order in which they answer (README, decision 9).';
revoke all on function identity_store.token_code_checks(identity_store.clients, identity_store.authorization_codes, text, text, text, text[]) from public;
