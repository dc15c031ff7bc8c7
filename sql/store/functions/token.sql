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
  gives_access boolean := true;
  -- OpenID Connect Core §3.1.3.3.
  gives_id_token boolean := 'openid' = any (scope);
  subject text := granted.user_id;
  session text := granted.session_id;
  audience json;
  access_more jsonb;
  id_more jsonb;
  recipient json;
begin
  -- One question each, because few answers have more to say, and plpgsql gets ready only for what it comes to.
  if client.subject_type = 'pairwise' then
    subject := identity_store.subject_for(client, granted.user_id);
    session := identity_store.session_for(client, granted.session_id);
  end if;
  if cardinality(resources) > 0 then
    audience := identity_store.token_audience(scope, resources);
  end if;
  -- Roles are power: a client acts with them only where the person gave it the scope `roles`.
  if 'roles' = any (scope) then
    access_more := jsonb_build_object('roles', identity_store.user_claims(granted.user_id, array['roles']) -> 'roles');
  end if;
  -- OpenID Connect Core §5.5. What is asked for by name; userinfo is told to look at the grant, which nobody else has to.
  if granted.claims is not null then
    if granted.claims ? 'userinfo' then
      access_more := coalesce(access_more, '{}') || '{"userinfo_claims": true}';
    end if;
    if granted.claims ? 'id_token' then
      id_more := identity_store.claims_answer(granted.user_id, granted.claims -> 'id_token');
    end if;
  end if;
  if front is not null then
    gives_access := front -> 'words' ? 'token';
    gives_id_token := front -> 'words' ? 'id_token';
    -- Claims about the person are at userinfo (§5.4), because there is an access token; without any, those that scopes stand for
    -- are in the ID token.
    id_more := case when front -> 'words' = '["id_token"]' then identity_store.user_claims(granted.user_id, scope) else '{}' end
      || coalesce(id_more, '{}') || (front -> 'claims');
  end if;
  if client.id_token_encrypted_response_alg is not null and gives_id_token then
    recipient := identity_store.recipient(client, client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc);
    if recipient is null then
      -- Whoever calls this has looked before; in clear it goes to nobody.
      raise exception using errcode = 'ID006', message = 'the client has no key that ID tokens can be encrypted to';
    end if;
  end if;
  return identity.person_tokens(
    subject, client.id, granted.id, session, granted.auth_time, granted.acr, granted.amr,
    case when gives_access then client.access_token_lifetime end, audience, array_to_string(scope, ' '), session_alive, access_more::json,
    case when gives_id_token then client.id_token_lifetime end, client.id_token_signed_response_alg, nonce, id_more::json, recipient,
    refresh_token);
end
$$;
comment on function identity_store.tokens_answer(identity_store.clients, identity_store.grants, text[], text[], boolean, text, text, jsonb) is
  'The body of a successful token answer for a grant of a person. scope, resources: of this answer, at most those of the grant; '
  'session_alive: the access token names the session only while it lives, because its end refuses every token that does; '
  'front: NULL at the token endpoint, at the authorization endpoint {"words": those of its response type, "claims": c_hash and s_hash}, and the answer has no more than these words ask for.';
revoke all on function identity_store.tokens_answer(identity_store.clients, identity_store.grants, text[], text[], boolean, text, text, jsonb) from public;

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
  -- Two questions, because plpgsql answers the first, which is the usual one, without a statement.
  if coalesce(cardinality(token_target.resource), 0) = 0 then
    return granted.resources;
  elsif not exists (select from unnest(token_target.resource) r where r <> '') then
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
