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
  person jsonb;
begin
  if claims is null then
    return query select * from identity_store.refuse('invalid_token', 'the access token is malformed, expired, revoked or not for this issuer');
  elsif not 'openid' = any (scope) or claims ->> 'sub' = claims ->> 'client_id' then
    return query select * from identity_store.refuse('insufficient_scope', 'the access token has no scope openid');
  else
    person := identity_store.user_claims((claims ->> 'sub')::uuid, scope);
    -- OpenID Connect Core §5.5: those that the request named one by one.
    if claims ? 'userinfo_claims' then
      person := person || identity_store.claims_answer((claims ->> 'sub')::uuid,
        (select g.claims -> 'userinfo' from identity_store.grants g where g.id = (claims ->> 'grant_id')::uuid));
    end if;
    -- OpenID Connect Core §5.3.2: sub MUST always be returned, and is that of the ID token.
    return query select 'ok', null::text, (person || jsonb_build_object('sub', claims ->> 'sub'))::json;
  end if;
end
$$;
comment on function identity.userinfo_read(text) is
  'The claims about the person that the scopes of an access token and the claims parameter of its request allow. Evidence: the token. '
  'Outcomes: ok {sub, …}; invalid_token, insufficient_scope {error, error_description}.';
revoke all on function identity.userinfo_read(text) from public;
grant execute on function identity.userinfo_read(text) to identity_gateway;
