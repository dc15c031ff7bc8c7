-- Tokens: JSON Web Tokens (RFC 7519) signed with our keys, checked with ours and those of trusted issuers.
--
--   verify_jwt(token, audience)            applications, administrators
--   decode_jwt_unverified(token)           applications, administrators
--   sign_jwt(claims, algorithm, typ)       administrators
--   mint_access_token, mint_id_token       the store
--   half_hash, access_token_verify, id_token_hint_verify   the store
--
-- Whether a token is good is decided in one place, pg_identity/src/tokens.rs, from the rows of configuration, audiences,
-- signing_keys, trusted_issuers, trusted_keys and revocations, looked at every time and as they are at that moment.

create function identity.verify_jwt(token text, audience text default null)
returns jsonb
language c volatile parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'verify_jwt_wrapper';
comment on function identity.verify_jwt(text, text) is
  'The claims of a good token of any type, ours or of a trusted issuer. audience: the one that aud must name; NULL means the audiences accepted here. Clock skew: none for our exp, 5 s for our iat and nbf, 60 s for other issuers. Raises ID101 malformed, ID102 expired, ID103 not yet valid, ID104 wrong audience, ID105 unknown key, ID106 bad signature, ID107 revoked, ID109 unknown issuer, ID110 algorithm refused.';
revoke all on function identity.verify_jwt(text, text) from public;
grant execute on function identity.verify_jwt(text, text) to identity_owner, identity_admin, identity_app;

create function identity.decode_jwt_unverified(token text)
returns jsonb
language c immutable strict parallel safe cost 1000
as 'MODULE_PATHNAME', 'decode_jwt_unverified_wrapper';
comment on function identity.decode_jwt_unverified(text) is
  'What a token says, true or not: {"header": …, "claims": …}. For looking, never for deciding. Raises ID101 when it is not strictly a compact JWS of at most 16 KiB.';
revoke all on function identity.decode_jwt_unverified(text) from public;
grant execute on function identity.decode_jwt_unverified(text) to identity_owner, identity_admin, identity_app;

create function identity.half_hash(value text, algorithm text)
returns text
language c immutable strict parallel safe cost 100
as 'MODULE_PATHNAME', 'half_hash_wrapper';
comment on function identity.half_hash(text, text) is
  'at_hash of an access token or c_hash of a code for an ID token signed with this algorithm (OpenID Connect Core §3.1.3.6). Raises ID008 for an unknown algorithm.';
revoke all on function identity.half_hash(text, text) from public;
grant execute on function identity.half_hash(text, text) to identity_owner;

create function identity.access_token_verify(token text, audience text default null)
returns jsonb
language c volatile parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'access_token_verify_wrapper';
comment on function identity.access_token_verify(text, text) is
  'The claims of an access token that this database''s issuer gave (typ at+jwt, RFC 9068). audience: the one that aud must name; NULL means that the caller looks at it. Raises ID101 to ID110, one per reason.';
revoke all on function identity.access_token_verify(text, text) from public;
grant execute on function identity.access_token_verify(text, text) to identity_owner;

create function identity.id_token_hint_verify(token text)
returns jsonb
language c volatile strict parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'id_token_hint_verify_wrapper';
comment on function identity.id_token_hint_verify(text) is
  'The claims of an ID token that this database''s issuer gave, also after it expired (OpenID Connect RP-Initiated Logout §2); NULL when it is anything else. Raises nothing.';
revoke all on function identity.id_token_hint_verify(text) from public;
grant execute on function identity.id_token_hint_verify(text) to identity_owner;

-- The signature itself. The key travels sealed and is opened in the library.
create function identity.sign_claims(kid text, algorithm text, private_sealed bytea, typ text, claims jsonb)
returns text
language c volatile strict parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'sign_claims_wrapper';
comment on function identity.sign_claims(text, text, bytea, text, jsonb) is
  'Signs claims with one of our keys; internal, the callers are sign_jwt and the mint functions. Raises ID003 without the master key, ID005 when claims is not an object or too long, ID008 for an unknown algorithm.';
revoke all on function identity.sign_claims(text, text, bytea, text, jsonb) from public;
grant execute on function identity.sign_claims(text, text, bytea, text, jsonb) to identity_owner;

-- The current key of the first algorithm of the list that has one, and its signature.
create function identity.sign_with_current_key(claims jsonb, algorithms text[], typ text)
returns text
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  token text;
begin
  select identity.sign_claims(k.kid, k.algorithm, k.private_sealed, typ, claims)
  into token
  from (
    select s.kid, s.algorithm, s.private_sealed
    from identity.signing_keys s
    where s.state = 'current' and s.algorithm = any (algorithms)
    order by array_position(algorithms, s.algorithm)
    limit 1
  ) k;
  if token is null then
    raise exception using errcode = 'ID002',
      message = 'there is no current signing key of this algorithm',
      hint = 'Run identity.configure(issuer), or identity.create_signing_key(algorithm) and identity.rotate_signing_keys().';
  end if;
  return token;
end
$$;
alter function identity.sign_with_current_key(jsonb, text[], text) owner to identity_owner;
comment on function identity.sign_with_current_key(jsonb, text[], text) is
  'Signs claims with the current key of the first of these algorithms that has one; internal. Raises ID002 when none has.';
revoke all on function identity.sign_with_current_key(jsonb, text[], text) from public;

create function identity.require_issuer()
returns text
language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  issuer text;
begin
  select c.issuer into issuer from identity.configuration c;
  if issuer is null then
    raise exception using errcode = 'ID002',
      message = 'this database has no issuer',
      hint = 'Run identity.configure(issuer).';
  end if;
  return issuer;
end
$$;
alter function identity.require_issuer() owner to identity_owner;
comment on function identity.require_issuer() is
  'The issuer of this database; internal. Raises ID002 when it is not configured.';
revoke all on function identity.require_issuer() from public;

-- Signing whatever one likes is for administrators: whoever may call this can be anybody.
create function identity.sign_jwt(claims jsonb, algorithm text default null, typ text default 'JWT')
returns text
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  issued_at bigint := floor(extract(epoch from clock_timestamp()));
begin
  if claims is null or jsonb_typeof(claims) <> 'object' then
    raise exception using errcode = 'ID005', message = 'claims is not a JSON object';
  end if;
  if typ is null or typ = '' then
    raise exception using errcode = 'ID005', message = 'typ is empty';
  end if;
  if length(typ) > 127 then
    -- RFC 6838 §4.2: names of media types are restricted to 127 characters.
    raise exception using errcode = 'ID005', message = 'typ is longer than 127 characters';
  end if;
  return identity.sign_with_current_key(
    jsonb_build_object('iss', identity.require_issuer(), 'iat', issued_at, 'exp', issued_at + 300) || claims,
    case when algorithm is null then array['ES256', 'EdDSA', 'PS256', 'RS256'] else array[algorithm] end,
    typ);
end
$$;
alter function identity.sign_jwt(jsonb, text, text) owner to identity_owner;
comment on function identity.sign_jwt(jsonb, text, text) is
  'A token with these claims, signed with the current key of the algorithm (NULL: that of access tokens). iss, iat and exp (5 minutes) are added where absent; the header says alg, kid and typ. Raises ID002 without issuer or key, ID003 without the master key, ID005 when claims is not an object, typ is empty or the token longer than 16 KiB.';
revoke all on function identity.sign_jwt(jsonb, text, text) from public;
grant execute on function identity.sign_jwt(jsonb, text, text) to identity_owner, identity_admin;

create function identity.mint_access_token(claims jsonb, lifetime interval)
returns text
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  issued_at bigint := floor(extract(epoch from clock_timestamp()));
begin
  -- The revocation list forgets after a day by default: what lives longer could outlive its revocation.
  if lifetime is null or lifetime <= interval '0' or lifetime > interval '1 day' then
    raise exception using errcode = 'ID005', message = 'lifetime is not between 1 second and 1 day';
  end if;
  issued_at := identity.issue_second(claims, issued_at);
  return identity.sign_with_current_key(
    jsonb_build_object(
      'iss', identity.require_issuer(),
      'iat', issued_at,
      'exp', issued_at + ceil(extract(epoch from lifetime))::bigint,
      'jti', identity.uuid_v7()) || claims,
    array['ES256', 'EdDSA', 'PS256', 'RS256'],
    'at+jwt');
end
$$;
alter function identity.mint_access_token(jsonb, interval) owner to identity_owner;
comment on function identity.mint_access_token(jsonb, interval) is
  'An access token (RFC 9068, typ at+jwt) that lives for lifetime (up to 1 day); iss, iat, exp and jti are added where absent. iat is a second on when its user, client or agent was revoked in this very second. Raises ID002 without issuer or key, ID003 without the master key, ID005 for the lifetime.';
revoke all on function identity.mint_access_token(jsonb, interval) from public;
grant execute on function identity.mint_access_token(jsonb, interval) to identity_owner;

create function identity.mint_id_token(claims jsonb, lifetime interval, algorithm text)
returns text
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  issued_at bigint := floor(extract(epoch from clock_timestamp()));
begin
  if lifetime is null or lifetime <= interval '0' or lifetime > interval '1 day' then
    raise exception using errcode = 'ID005', message = 'lifetime is not between 1 second and 1 day';
  end if;
  return identity.sign_with_current_key(
    jsonb_build_object(
      'iss', identity.require_issuer(),
      'iat', issued_at,
      'exp', issued_at + ceil(extract(epoch from lifetime))::bigint) || claims,
    array[algorithm],
    'JWT');
end
$$;
alter function identity.mint_id_token(jsonb, interval, text) owner to identity_owner;
comment on function identity.mint_id_token(jsonb, interval, text) is
  'An ID token (OpenID Connect Core §2, typ JWT) signed with the current key of this algorithm; iss, iat and exp are added where absent. Raises ID002 without issuer or key, ID003 without the master key, ID005 for the lifetime.';
revoke all on function identity.mint_id_token(jsonb, interval, text) from public;
grant execute on function identity.mint_id_token(jsonb, interval, text) to identity_owner;
