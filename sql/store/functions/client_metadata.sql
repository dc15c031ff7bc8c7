-- What a member of client metadata may be (RFC 7591 §2; OpenID Connect Dynamic Client Registration 1.0 §2; RFC 8252 §7).
--
--   identity_store.client_metadata, client_document    clients.sql

-- One row a member: its name, its kind, the values or the range it may have (what a name in a certificate is called), its default.
create or replace function identity_store.client_members()
returns table (member text, kind text, allowed text[], fallback jsonb)
language sql immutable parallel safe
as $$
  values
    ('redirect_uris', 'redirect_uris', null::text[], '[]'::jsonb),
    ('post_logout_redirect_uris', 'redirect_uris', null, '[]'),
    ('backchannel_logout_uri', 'page', null, null),
    ('backchannel_logout_session_required', 'boolean', null, null),
    ('frontchannel_logout_uri', 'page', null, null),
    ('frontchannel_logout_session_required', 'boolean', null, null),
    ('token_endpoint_auth_method', 'choice', '{none,client_secret_basic,client_secret_post,client_secret_jwt,private_key_jwt,tls_client_auth,self_signed_tls_client_auth}',
      '"client_secret_basic"'),
    ('token_endpoint_auth_signing_alg', 'choice', array['HS256', 'HS384', 'HS512'] || identity_store.client_key_algorithms(), null),
    ('tls_client_auth_subject_dn', 'certificate_name', '{tls_client_auth_subject_dn,"an RFC 4514 distinguished name"}', null),
    ('tls_client_auth_san_dns', 'certificate_name', '{tls_client_auth_san_dns,"a host name"}', null),
    ('tls_client_auth_san_uri', 'certificate_name', '{tls_client_auth_san_uri,"a URI"}', null),
    ('tls_client_auth_san_ip', 'certificate_name', '{tls_client_auth_san_ip,"an IP address"}', null),
    ('tls_client_auth_san_email', 'certificate_name', '{tls_client_auth_san_email,"an e-mail address"}', null),
    ('grant_types', 'choices', (select array_agg(g.grant_type) from identity_store.grant_types() g),
      (select to_jsonb(t.grant_types) from identity_store.response_types() t where t.usual)),
    ('response_types', 'choices', (select array_agg(t.response_type) from identity_store.response_types() t), null),
    ('application_type', 'choice', '{web,native}', '"web"'),
    ('scope', 'scope', null, null),
    ('client_name', 'text', null, null),
    ('client_uri', 'page', null, null),
    ('logo_uri', 'page', null, null),
    ('policy_uri', 'page', null, null),
    ('tos_uri', 'page', null, null),
    ('contacts', 'texts', null, null),
    ('jwks_uri', 'page', null, null),
    ('jwks', 'jwks', null, null),
    ('software_id', 'text', null, null),
    ('software_version', 'text', null, null),
    ('subject_type', 'choice', '{public,pairwise}', '"public"'),
    ('sector_identifier_uri', 'page', null, null),
    ('id_token_signed_response_alg', 'choice', '{RS256,PS256,ES256,EdDSA,none}', '"RS256"'),
    ('id_token_encrypted_response_alg', 'choice', '{RSA-OAEP-256,ECDH-ES,ECDH-ES+A256KW}', null),
    ('id_token_encrypted_response_enc', 'choice', '{A128CBC-HS256,A256GCM}', null),
    ('userinfo_signed_response_alg', 'choice', '{RS256,PS256,ES256,EdDSA,none}', null),
    ('userinfo_encrypted_response_alg', 'choice', '{RSA-OAEP-256,ECDH-ES,ECDH-ES+A256KW}', null),
    ('userinfo_encrypted_response_enc', 'choice', '{A128CBC-HS256,A256GCM}', null),
    ('request_object_signing_alg', 'choice', array['none'] || identity_store.client_key_algorithms(), null),
    ('request_object_encryption_alg', 'choice', '{RSA-OAEP-256,ECDH-ES,ECDH-ES+A256KW}', null),
    ('request_object_encryption_enc', 'choice', '{A128CBC-HS256,A256GCM}', null),
    ('require_signed_request_object', 'boolean', null, null),
    ('request_uris', 'pages', null, null),
    ('default_max_age', 'seconds', '{0,2147483647}', null),
    ('require_auth_time', 'boolean', null, null),
    ('default_acr_values', 'texts', null, null),
    ('initiate_login_uri', 'https', null, null),
    ('first_party', 'boolean', null, 'false'),
    ('introspect_any', 'boolean', null, 'false'),
    ('refresh_token', 'choice', '{offline_access,always}', '"offline_access"'),
    ('refresh_token_rotation', 'boolean', null, 'true'),
    ('access_token_lifetime', 'seconds', '{10,86400}', '300'),
    ('id_token_lifetime', 'seconds', '{10,86400}', '300'),
    ('refresh_token_idle_lifetime', 'seconds', '{60,31536000}', '1209600'),
    ('refresh_token_lifetime', 'seconds', '{60,31536000}', '7776000')
$$;
comment on function identity_store.client_members() is
  'The metadata members we understand: kind, allowed values (or lowest and highest), default.';
revoke all on function identity_store.client_members() from public;

-- Among the members, but nobody registers them for itself: what an administrator decides about a client.
create or replace function identity_store.client_settings()
returns text[]
language sql immutable parallel safe
as $$
  select array['first_party', 'introspect_any', 'refresh_token', 'refresh_token_rotation', 'access_token_lifetime',
    'id_token_lifetime', 'refresh_token_idle_lifetime', 'refresh_token_lifetime']
$$;
comment on function identity_store.client_settings() is 'Those of client_members that are no metadata of a standard but settings of ours.';
revoke all on function identity_store.client_settings() from public;

create or replace function identity_store.client_key_algorithms()
returns text[]
language sql immutable parallel safe
as $$
  select array['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
$$;
comment on function identity_store.client_key_algorithms() is
  'What a client may sign with its own key (RFC 7518 §3.1, RFC 8037).';
revoke all on function identity_store.client_key_algorithms() from public;

-- A key on a curve is good for both ways of agreeing on one (RFC 7518 §4.6).
create or replace function identity_store.request_object_encryption_algorithms()
returns text[]
language sql stable parallel safe
as $$
  select array_agg(a.alg order by a.alg)
  from identity.encryption_keys k, unnest(case k.algorithm when 'ECDH-ES' then array['ECDH-ES', 'ECDH-ES+A256KW'] else array[k.algorithm] end) a (alg)
  where k.state = 'current'
$$;
comment on function identity_store.request_object_encryption_algorithms() is
  'How the key of a request object may be given, by the encryption keys there are; NULL without one.';
revoke all on function identity_store.request_object_encryption_algorithms() from public;

create or replace function identity_store.client_metadata(metadata jsonb)
returns jsonb
language plpgsql stable parallel safe
as $$
declare
  given jsonb;
  registered jsonb;
  wrong record;
begin
  if metadata is null or jsonb_typeof(metadata) <> 'object' then
    raise exception using errcode = 'ID005', message = 'metadata: must be a JSON object';
  end if;
  if octet_length(metadata::text) > 65536 then
    raise exception using errcode = 'ID005', message = 'metadata: must be at most 64 kB of JSON';
  end if;
  -- A null member is an absent one.
  select coalesce(jsonb_object_agg(e.key, e.value), '{}') into given
  from jsonb_each(metadata) e where e.value <> 'null';

  -- RFC 6749 §3.1.1: the order of words in a response type does not matter.
  if given @? 'strict $.response_types[*] ? (@.type() == "string")' then
    given := jsonb_set(given, '{response_types}', (
      select jsonb_agg(case jsonb_typeof(e) when 'string' then to_jsonb(identity_store.response_type(e #>> '{}')) else e end)
      from jsonb_array_elements(given -> 'response_types') e));
  end if;

  -- RFC 7591 §2.2: what people read may come in several languages, as client_name#fr.
  select e.key as member, identity_store.client_member_rule(m.kind, m.allowed) as rule into wrong
  from jsonb_each(given) e
  join identity_store.client_members() m on m.member = split_part(e.key, '#', 1)
  where not identity_store.client_member_fits(e.value, m.kind, m.allowed)
  order by e.key
  limit 1;
  if found then
    raise exception using errcode = 'ID005', message = format('%s: %s', wrong.member, wrong.rule);
  end if;

  select jsonb_object_agg(m.member, coalesce(given -> m.member, m.fallback))
      filter (where coalesce(given -> m.member, m.fallback) is not null)
  into registered from identity_store.client_members() m;
  -- RFC 7591 §2.1: response_types and grant_types have to fit each other, so where one is left out it follows from the other.
  if given ? 'response_types' and given -> 'response_types' <> '[]' and not given ? 'grant_types' then
    registered := jsonb_set(registered, '{grant_types}', (
      select jsonb_agg(distinct g) from identity_store.response_types() t, unnest(t.grant_types) g
      where given -> 'response_types' ? t.response_type));
  end if;
  -- OpenID Connect Registration §2: an *_enc defaults to A128CBC-HS256 where its *_alg is there.
  registered := (
    select coalesce(jsonb_object_agg(e.member || '_enc', 'A128CBC-HS256'), '{}')
    from unnest(array['id_token_encrypted_response', 'userinfo_encrypted_response', 'request_object_encryption']) e (member)
    where registered ? (e.member || '_alg')
  ) || registered;
  registered := jsonb_build_object('response_types', (
      select coalesce(jsonb_agg(t.response_type), '[]') from identity_store.response_types() t
      where t.usual and registered -> 'grant_types' ?& t.grant_types))
    || registered || jsonb_build_object('localized', (
      select jsonb_object_agg(e.key, e.value) from jsonb_each(given) e
      where e.key ~ '^(client_name|client_uri|logo_uri|policy_uri|tos_uri)#[A-Za-z0-9-]{1,35}$'));

  select r.member, r.rule into wrong
  from identity_store.client_rules(registered) r where r.broken limit 1;
  if found then
    raise exception using errcode = 'ID005', message = format('%s: %s', wrong.member, wrong.rule);
  end if;
  return registered;
end
$$;
comment on function identity_store.client_metadata(jsonb) is
  'The metadata of a client as it is registered: checked, completed with defaults, without members we do not understand (RFC 7591 §2: they MUST be ignored). Raises ID005 naming the member.';
revoke all on function identity_store.client_metadata(jsonb) from public;

create or replace function identity_store.client_member_fits(value jsonb, kind text, allowed text[])
returns boolean
language sql immutable parallel safe
as $$
  select coalesce(case
    when kind in ('texts', 'choices', 'redirect_uris', 'pages') then jsonb_typeof(value) = 'array' and not exists (
      select from jsonb_array_elements(case jsonb_typeof(value) when 'array' then value else '[]' end) e
      where jsonb_typeof(e) <> 'string' or kind = 'choices' and not e #>> '{}' = any (allowed)
        or length(e #>> '{}') not between 1 and 2000
        or kind = 'pages' and not identity_store.page_fits(e #>> '{}'))
    when kind = 'boolean' then jsonb_typeof(value) = 'boolean'
    when kind = 'seconds' then jsonb_typeof(value) = 'number' and value::text ~ '^[0-9]{1,10}$'
      and value::text::bigint between allowed[1]::bigint and allowed[2]::bigint
    -- RFC 7517 §4.1: kty MUST be present. Whoever sends a private key has sent it too far.
    when kind = 'jwks' then jsonb_typeof(value -> 'keys') = 'array'
      and not value @? 'lax $.keys[*] ? (@.type() != "object" || !exists(@.kty) || @.kty.type() != "string" || exists(@.d) || exists(@.k))'
    when jsonb_typeof(value) <> 'string' or length(value #>> '{}') not between 1 and 2000 then false
    when kind = 'choice' then value #>> '{}' = any (allowed)
    when kind = 'certificate_name' then identity.client_certificate_name(allowed[1], value #>> '{}') is not null
    when kind = 'scope' then value #>> '{}' ~ '^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$'
    when kind = 'page' then identity_store.page_fits(value #>> '{}')
    -- OpenID Connect Core §4: the Login Initiation Endpoint MUST use the https scheme.
    when kind = 'https' then value #>> '{}' ~ '^https://[^/?#@]+([/?#]|$)' and value #>> '{}' ~ '^[\x21-\x7e]+$'
    else value #>> '{}' !~ '[[:cntrl:]]'
  end, false)
$$;
comment on function identity_store.client_member_fits(jsonb, text, text[]) is 'Whether a member has a value of its kind.';
revoke all on function identity_store.client_member_fits(jsonb, text, text[]) from public;

create or replace function identity_store.page_fits(url text)
returns boolean
language sql immutable parallel safe
as $$
  select url ~ '^(https://[^/?#@]+|http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?)([/?#]|$)' and url ~ '^[\x21-\x7e]+$'
$$;
comment on function identity_store.page_fits(text) is 'Whether it is a URL of https, or of http on loopback.';
revoke all on function identity_store.page_fits(text) from public;

create or replace function identity_store.client_member_rule(kind text, allowed text[])
returns text
language sql immutable parallel safe
as $$
  select case kind
    when 'redirect_uris' then 'must be an array of URIs'
    when 'texts' then 'must be an array of strings'
    when 'choice' then 'must be one of ' || array_to_string(allowed, ', ')
    when 'choices' then 'must be an array of some of ' || array_to_string(allowed, ', ')
    when 'certificate_name' then 'must be ' || allowed[2]
    when 'boolean' then 'must be true or false'
    when 'seconds' then format('must be a whole number from %s to %s', allowed[1], allowed[2])
    when 'jwks' then 'must be a JSON Web Key Set of public keys'
    when 'scope' then 'must be scope names separated by one space each'
    when 'page' then 'must be an https URL (http on loopback)'
    when 'https' then 'must be an https URL'
    when 'pages' then 'must be an array of https URLs (http on loopback)'
    else 'must be a string of 1 to 2000 characters without control characters'
  end
$$;
comment on function identity_store.client_member_rule(text, text[]) is 'What client_member_fits demands, in words.';
revoke all on function identity_store.client_member_rule(text, text[]) from public;

-- Rules between members. The first broken row is the answer.
create or replace function identity_store.client_rules(registered jsonb)
returns table (member text, rule text, broken boolean)
language sql stable parallel safe
as $$
  with r as (
    select registered ->> 'application_type' as application_type, registered -> 'grant_types' as grant_types,
      registered ->> 'token_endpoint_auth_method' as method, registered ->> 'token_endpoint_auth_method' = 'none' as public,
      registered ->> 'token_endpoint_auth_signing_alg' as auth_alg, registered ->> 'request_object_signing_alg' as request_alg,
      registered ->> 'request_object_encryption_alg' as request_encryption,
      registered ->> 'id_token_signed_response_alg' as alg, registered ->> 'userinfo_signed_response_alg' as userinfo_alg,
      exists (select from jsonb_array_elements_text(registered -> 'response_types') t where identity_store.response_front(t)) as front,
      (select count(*) from jsonb_object_keys(registered) k where k like 'tls\_client\_auth\_%') as identities
  ), g as (
    select coalesce(bool_or(t.person), false) as person, coalesce(bool_or(t.refreshed), false) as refreshed,
      string_agg(t.grant_type, ' and ') filter (where t.redirects) as redirecting,
      string_agg(t.grant_type, ' and ') filter (where t.confidential) as confidential
    from identity_store.grant_types() t where registered -> 'grant_types' ? t.grant_type
  )
  select v.* from r, g, lateral (values
    ('redirect_uris', 'are required for ' || redirecting, redirecting is not null and registered -> 'redirect_uris' = '[]'),
    -- OpenID Connect Registration §2; RFC 8252 §7, §8.4.
    ('redirect_uris', 'must be https, http on loopback or, for native clients, a scheme of reversed domain name; without fragment',
      exists (select from jsonb_array_elements_text(registered -> 'redirect_uris') u
        where not identity_store.redirect_uri_fits(u, application_type))),
    ('post_logout_redirect_uris', 'must be https, http on loopback or, for native clients, a scheme of reversed domain name; without fragment',
      exists (select from jsonb_array_elements_text(registered -> 'post_logout_redirect_uris') u
        where not identity_store.redirect_uri_fits(u, application_type))),
    -- OpenID Connect Registration §2: web clients of the implicit flow MUST only register https URLs, and not localhost.
    ('redirect_uris', 'must be https, and not on this machine, for response types with token or id_token of a web client',
      application_type = 'web' and front and exists (select from jsonb_array_elements_text(registered -> 'redirect_uris') u
        where u !~ '^https://' or u ~ '^https://(localhost|127\.0\.0\.1|\[::1\])([:/?]|$)')),
    -- RFC 7591 §2.1: response_types and grant_types have to fit each other.
    ('response_types', 'must fit grant_types: ' || (
        select string_agg(format('%s needs %s', t.response_type, array_to_string(t.grant_types, ' and ')), ', ')
        from identity_store.response_types() t),
      exists (select from identity_store.response_types() t
        where registered -> 'response_types' ? t.response_type and not r.grant_types ?& t.grant_types)
      or exists (select from identity_store.response_types() u
        where u.usual and r.grant_types ?& u.grant_types and not exists (
          select from identity_store.response_types() t
          where registered -> 'response_types' ? t.response_type and t.grant_types @> u.grant_types))
      or redirecting is not null and registered -> 'response_types' = '[]'),
    ('grant_types', 'refresh_token needs one that gives the first refresh token: ' || (
        select string_agg(t.grant_type, ', ') from identity_store.grant_types() t where t.refreshed),
      grant_types ? 'refresh_token' and not refreshed),
    ('grant_types', confidential || ' needs a client that authenticates', public and confidential is not null),
    ('introspect_any', 'needs a client that authenticates', public and (registered ->> 'introspect_any')::boolean),
    -- OpenID Connect Core §8.1: with several hosts, sector_identifier_uri is needed. Its scheme MUST be https.
    ('redirect_uris', 'of several hosts need sector_identifier_uri for pairwise subjects',
      registered ->> 'subject_type' = 'pairwise' and not registered ? 'sector_identifier_uri' and (
        -- A scheme of an application's own is no host, and yet another place: nobody gets the sub of a host by naming it beside.
        select count(distinct coalesce(identity_store.url_host(u), lower(split_part(u, ':', 1))))
        from jsonb_array_elements_text(registered -> 'redirect_uris') u) > 1),
    -- Back-Channel Logout §2.2: an absolute URI, which MUST NOT include a fragment component.
    ('backchannel_logout_uri', 'must be without fragment', registered ->> 'backchannel_logout_uri' like '%#%'),
    -- Front-Channel Logout §2: scheme, host and port MUST be those of a registered redirect URI.
    ('frontchannel_logout_uri', 'must be without fragment, and of scheme, host and port of one of redirect_uris',
      registered ->> 'frontchannel_logout_uri' like '%#%' or registered ? 'frontchannel_logout_uri' and not exists (
        select from jsonb_array_elements_text(registered -> 'redirect_uris') u
        where identity.url_origin(u) = identity.url_origin(registered ->> 'frontchannel_logout_uri'))),
    ('sector_identifier_uri', 'must be an https URL', registered ->> 'sector_identifier_uri' not like 'https://%'),
    ('jwks', 'cannot stand beside jwks_uri', registered ?& array['jwks', 'jwks_uri']),
    ('jwks', format('or jwks_uri is required for %s', method),
      method in ('private_key_jwt', 'self_signed_tls_client_auth') and not registered ?| array['jwks', 'jwks_uri']),
    -- RFC 8705 §2.1.2: A client using the tls_client_auth authentication method MUST use exactly one of them.
    ('tls_client_auth_subject_dn', 'or one of tls_client_auth_san_dns, _uri, _ip and _email, and no second one, is required for tls_client_auth',
      method = 'tls_client_auth' and identities <> 1),
    ('tls_client_auth_subject_dn', 'and tls_client_auth_san_dns, _uri, _ip and _email are for tls_client_auth',
      method <> 'tls_client_auth' and identities > 0),
    -- RFC 8725 §2.1: each method has algorithms of its own, so that no public key is ever taken for a secret.
    ('token_endpoint_auth_signing_alg', 'must be HS256, HS384 or HS512 for client_secret_jwt',
      method = 'client_secret_jwt' and auth_alg not like 'HS%'),
    ('token_endpoint_auth_signing_alg', 'must be an algorithm of a key pair for private_key_jwt',
      method = 'private_key_jwt' and auth_alg like 'HS%'),
    ('token_endpoint_auth_signing_alg', 'is for private_key_jwt and client_secret_jwt',
      method not in ('client_secret_jwt', 'private_key_jwt') and auth_alg is not null),
    ('request_object_signing_alg', 'needs jwks or jwks_uri', request_alg <> 'none' and not registered ?| array['jwks', 'jwks_uri']),
    -- Nothing could be encrypted to us in this way.
    ('request_object_encryption_alg', format('there is no encryption key for %s: select identity.create_encryption_key(%L)',
        request_encryption, split_part(request_encryption, '+', 1)),
      not coalesce(request_encryption = any (identity_store.request_object_encryption_algorithms()), request_encryption is null)),
    ('require_signed_request_object', 'cannot be met with request_object_signing_alg none',
      request_alg = 'none' and (registered ->> 'require_signed_request_object')::boolean),
    ('refresh_token_idle_lifetime', 'cannot be longer than refresh_token_lifetime',
      (registered ->> 'refresh_token_idle_lifetime')::integer > (registered ->> 'refresh_token_lifetime')::integer),
    ('id_token_signed_response_alg', format('there is no signing key for %s: select identity.create_signing_key(%L)', alg, alg),
      person and alg <> 'none' and not exists (
        select from identity.signing_keys k where k.algorithm = alg and k.state in ('current', 'next'))),
    ('userinfo_signed_response_alg',
      format('there is no signing key for %s: select identity.create_signing_key(%L)', userinfo_alg, userinfo_alg),
      userinfo_alg <> 'none' and not exists (
        select from identity.signing_keys k where k.algorithm = userinfo_alg and k.state in ('current', 'next'))),
    -- OpenID Connect Registration §2: none MUST NOT be used where an ID token comes from the authorization endpoint.
    ('id_token_signed_response_alg', 'none is for clients whose ID tokens come from the token endpoint only',
      alg = 'none' and exists (
        select from jsonb_array_elements_text(registered -> 'response_types') t where identity_store.response_gives(t, 'id_token'))),
    ('id_token_encrypted_response_enc', 'needs id_token_encrypted_response_alg',
      registered ? 'id_token_encrypted_response_enc' and not registered ? 'id_token_encrypted_response_alg'),
    ('userinfo_encrypted_response_enc', 'needs userinfo_encrypted_response_alg',
      registered ? 'userinfo_encrypted_response_enc' and not registered ? 'userinfo_encrypted_response_alg'),
    ('request_object_encryption_enc', 'needs request_object_encryption_alg',
      registered ? 'request_object_encryption_enc' and not registered ? 'request_object_encryption_alg'),
    ('jwks', 'or jwks_uri is required for encrypted answers',
      registered ?| array['id_token_encrypted_response_alg', 'userinfo_encrypted_response_alg']
        and not registered ?| array['jwks', 'jwks_uri']),
    ('jwks', 'holds no key for id_token_encrypted_response_alg or userinfo_encrypted_response_alg',
      registered ? 'jwks' and exists (
        select from unnest(array[registered ->> 'id_token_encrypted_response_alg', registered ->> 'userinfo_encrypted_response_alg']) a
        where a is not null and identity.jwe_recipient(registered -> 'jwks', a) is null))
  ) v (member, rule, broken)
$$;
comment on function identity_store.client_rules(jsonb) is 'Rules between members of registered metadata, each with whether it is broken.';
revoke all on function identity_store.client_rules(jsonb) from public;

create or replace function identity_store.redirect_uri_fits(uri text, application_type text)
returns boolean
language sql immutable parallel safe
as $$
  select case
    -- RFC 6749 §3.1.2: MUST NOT include a fragment component. Backslashes are read differently by different browsers.
    when uri !~ '^[\x21-\x7e]+$' or uri ~ '[#\\]' then false
    when uri ~ '^https://[^/?@]+([/?]|$)' then true
    when uri ~ '^http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?([/?]|$)' then true
    -- RFC 8252 §8.4: a private-use scheme without a period SHOULD be rejected; so javascript: and data: never pass.
    else application_type = 'native' and uri ~* '^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:/'
  end
$$;
comment on function identity_store.redirect_uri_fits(text, text) is 'Whether a URI may be registered to redirect to, for a web or native application.';
revoke all on function identity_store.redirect_uri_fits(text, text) from public;

create or replace function identity_store.client_document(client identity_store.clients)
returns jsonb
language sql stable parallel safe
as $$
  select jsonb_strip_nulls(to_jsonb(client) - array['id', 'localized', 'created_at', 'updated_at']) || coalesce(client.localized, '{}')
$$;
comment on function identity_store.client_document(identity_store.clients) is
  'The metadata of a client as one document, with the names of RFC 7591 and without absent members.';
revoke all on function identity_store.client_document(identity_store.clients) from public;
