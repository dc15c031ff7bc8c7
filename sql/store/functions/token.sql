-- What a token answer holds, whichever grant it comes from (RFC 6749 §5.1; RFC 9068 §2.2; OpenID Connect Core 1.0 §2, §3.1.3.3).
--
--   identity_store.tokens_answer    token_authorization_code, token_refresh_token, authorization_response: tokens of a person
--   identity_store.token_audience   the same, and token_client_credentials
--   identity_store.token_target     what the token request's `resource` narrows the grant to

create or replace function identity_store.tokens_answer(
  client identity_store.clients, granted identity_store.grants, scope text[], resources text[],
  session_alive boolean, nonce text, refresh_token text, front jsonb default null
)
returns json
language plpgsql volatile parallel unsafe
as $$
declare
  scopes text := array_to_string(scope, ' ');
  auth_time bigint := floor(extract(epoch from granted.auth_time));
  subject constant text := case client.subject_type
    when 'pairwise' then identity_store.subject_for(client, granted.user_id) else granted.user_id::text end;
  sid constant text := case client.subject_type
    when 'pairwise' then identity_store.session_for(client, granted.session_id) else granted.session_id::text end;
  roles jsonb;
  id_claims json;
  recipient json;
begin
  -- Roles are power: a client acts with them only where the person gave it the scope `roles`.
  if 'roles' = any (scope) then
    roles := identity_store.user_claims(granted.user_id, array['roles']) -> 'roles';
  end if;
  if 'openid' = any (scope) then
    -- OpenID Connect Core §3.1.3.3. Claims about the person are at userinfo (§5.4), because there is an access token.
    id_claims := json_build_object(
      'sub', subject, 'aud', client.id, 'nonce', nonce, 'auth_time', auth_time, 'acr', granted.acr,
      'amr', granted.amr, 'sid', sid);
    if granted.claims ? 'id_token' then
      id_claims := (identity_store.claims_answer(granted.user_id, granted.claims -> 'id_token') || id_claims::jsonb)::json;
    end if;
  end if;
  if front is not null then
    -- OpenID Connect Core §5.4: without any access token the claims that scopes stand for are in the ID token.
    id_claims := case when front -> 'words' ? 'id_token' then
      (case when front -> 'words' = '["id_token"]' then identity_store.user_claims(granted.user_id, scope) else '{}' end
        || id_claims::jsonb || (front -> 'claims'))::json end;
  end if;
  if client.id_token_encrypted_response_alg is not null and id_claims is not null then
    recipient := identity_store.recipient(client, client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc);
    if recipient is null then
      -- Whoever calls this has looked before; in clear it goes to nobody.
      raise exception using errcode = 'ID006', message = 'the client has no key that ID tokens can be encrypted to';
    end if;
  end if;
  if not front -> 'words' ? 'token' then
    return json_build_object('id_token', identity_store.id_token_sealed(
      identity.mint_id_token(id_claims, client.id_token_lifetime, client.id_token_signed_response_alg), recipient));
  end if;
  return identity.token_response(
    -- RFC 9068 §2.2
    json_build_object(
      'sub', subject, 'client_id', client.id,
      'aud', case when cardinality(resources) > 0 then identity_store.token_audience(scope, resources) end,
      'grant_id', granted.id, 'sid', case when session_alive then sid end, 'scope', nullif(scopes, ''),
      'auth_time', auth_time, 'acr', granted.acr, 'amr', granted.amr, 'roles', roles,
      -- Tells userinfo to look at the grant, which nobody else has to.
      'userinfo_claims', case when granted.claims ? 'userinfo' then true end),
    client.access_token_lifetime, id_claims, client.id_token_lifetime, client.id_token_signed_response_alg, refresh_token, scopes,
    recipient);
end
$$;
comment on function identity_store.tokens_answer(identity_store.clients, identity_store.grants, text[], text[], boolean, text, text, jsonb) is
  'The body of a successful token answer for a grant of a person. scope, resources: of this answer, at most those of the grant; '
  'session_alive: the access token names the session only while it lives, because its end refuses every token that does; '
  'front: NULL at the token endpoint, at the authorization endpoint {"words": those of its response type, "claims": c_hash and s_hash}, and the answer has no more than these words ask for.';
revoke all on function identity_store.tokens_answer(identity_store.clients, identity_store.grants, text[], text[], boolean, text, text, jsonb) from public;

create or replace function identity_store.id_token_sealed(token text, recipient json)
returns text
language plpgsql volatile parallel unsafe
as $$
begin
  return case when recipient is null then token
    else identity.jwe_seal(token, (recipient -> 'jwk')::jsonb, recipient ->> 'alg', recipient ->> 'enc', 'JWT') end;
end
$$;
comment on function identity_store.id_token_sealed(text, json) is
  'An ID token, encrypted to whom identity_store.recipient says; as it is for NULL.';
revoke all on function identity_store.id_token_sealed(text, json) from public;

-- Without resources a token is for the issuer: mint_access_token adds that. Userinfo is the issuer's own resource, so an OpenID
-- token is for the issuer too.
create or replace function identity_store.token_audience(scope text[], resources text[])
returns json
language plpgsql stable parallel safe
as $$
declare
  issuer text := identity.configured_issuer();
begin
  return case
    when 'openid' = any (scope) and not issuer = any (resources) then to_json(resources || issuer)
    when cardinality(resources) = 1 then to_json(resources[1])
    else to_json(resources)
  end;
end
$$;
comment on function identity_store.token_audience(text[], text[]) is
  'The aud of an access token for these resources, at least one: they, and the issuer when openid is in scope.';
revoke all on function identity_store.token_audience(text[], text[]) from public;

-- RFC 8707 §2.2: the token request may name some of the resources that were granted; without, all of them.
create or replace function identity_store.token_target(granted identity_store.grants, resource text[])
returns text[]
language plpgsql stable parallel safe
as $$
declare
  asked text[];
begin
  if cardinality(token_target.resource) = 0 or not exists (select from unnest(token_target.resource) r where r <> '') then
    return granted.resources;
  end if;
  asked := identity_store.resources_requested(token_target.resource);
  return case when asked <@ granted.resources
    or asked = array[identity.configured_issuer()] and (cardinality(granted.resources) = 0 or 'openid' = any (granted.scope))
    then asked end;
end
$$;
comment on function identity_store.token_target(identity_store.grants, text[]) is
  'The resources of one token; NULL when one is asked for that is malformed, unknown or was not granted (invalid_target).';
revoke all on function identity_store.token_target(identity_store.grants, text[]) from public;
