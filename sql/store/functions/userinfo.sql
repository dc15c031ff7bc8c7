-- Userinfo: what a token lets its holder know about the person (OpenID Connect Core 1.0 §5.3, §5.4; RFC 6750 §3.1).
--
--   identity.userinfo_read    gateway: GET and POST /userinfo

create or replace function identity.userinfo_read(token text)
returns table (outcome text, detail text, answer json)
language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
  claims jsonb := identity_store.access_token_claims(userinfo_read.token, identity.configured_issuer());
  scope text[] := string_to_array(coalesce(claims ->> 'scope', ''), ' ');
  user_id uuid;
  person jsonb;
  client identity_store.clients;
begin
  if claims is null then
    return query select * from identity_store.refuse('invalid_token', 'the access token is malformed, expired, revoked or not for this issuer');
  elsif not 'openid' = any (scope) or claims ->> 'sub' = claims ->> 'client_id' then
    return query select * from identity_store.refuse('insufficient_scope', 'the access token has no scope openid');
  else
    user_id := identity_store.subject_user(claims);
    -- OpenID Connect Core §5.3.2: sub MUST always be returned, and is that of the ID token.
    person := identity_store.user_claims(user_id, scope, jsonb_build_object('sub', claims ->> 'sub'));
    -- OpenID Connect Core §5.5: those that the request named one by one.
    if claims ? 'userinfo_claims' then
      person := person || identity_store.claims_answer(user_id,
        (identity.row_by_id(null::identity_store.grants, (claims ->> 'grant_id')::uuid)).claims -> 'userinfo');
    end if;
    client := identity.row_by_id(null::identity_store.clients, claims ->> 'client_id');
    if coalesce(client.userinfo_signed_response_alg, client.userinfo_encrypted_response_alg) is null then
      outcome := 'ok';
      answer := person;
      return next;
    else
      return query select * from identity_store.userinfo_token(client, person);
    end if;
  end if;
end
$$;
comment on function identity.userinfo_read(text) is
  'The claims about the person that the scopes of an access token and the claims parameter of its request allow. Evidence: the token. '
  'Outcomes: ok {sub, …}, or jwt "…" for a client that registered for signed or encrypted userinfo; need {kind, url, client_id}; '
  'invalid_token, insufficient_scope, invalid_client_metadata {error, error_description}.';
revoke all on function identity.userinfo_read(text) from public;
grant execute on function identity.userinfo_read(text) to identity_gateway;

create or replace function identity_store.userinfo_token(client identity_store.clients, about jsonb)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe
as $$
declare
  recipient json;
  token text;
begin
  if client.userinfo_signed_response_alg is not null then
    -- OpenID Connect Core §5.3.2: if signed, it SHOULD contain iss and aud.
    token := identity.mint_userinfo((about || jsonb_build_object('aud', client.id))::json, client.userinfo_signed_response_alg);
  end if;
  if client.userinfo_encrypted_response_alg is not null then
    recipient := identity_store.recipient(client, client.userinfo_encrypted_response_alg, client.userinfo_encrypted_response_enc);
    token := case when recipient is not null then
      identity.jwe_seal(coalesce(token, about::text), (recipient -> 'jwk')::jsonb, client.userinfo_encrypted_response_alg,
        client.userinfo_encrypted_response_enc, case when token is not null then 'JWT' end) end;
    if token is null then
      return query select * from identity_store.refuse_recipient(client);
      return;
    end if;
  end if;
  outcome := 'jwt';
  answer := to_json(token);
  return next;
end
$$;
comment on function identity_store.userinfo_token(identity_store.clients, jsonb) is
  'What userinfo answers a client that registered for it signed, encrypted or both, first signed then encrypted: jwt "…"; need or invalid_client_metadata where there is no key to encrypt to.';
revoke all on function identity_store.userinfo_token(identity_store.clients, jsonb) from public;
