-- What this provider can do, as far as the database knows (OpenID Connect Discovery 1.0 §3; RFC 8414 §2).
--
--   identity.provider_metadata    gateway: discovery documents, and at start to see that all parts fit

create or replace function identity.provider_metadata()
returns table (outcome text, detail text, answer json)
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
  select 'ok', null::text, json_strip_nulls(json_build_object(
    'issuer', identity.configured_issuer(),
    'registration_endpoint', (
      select identity.configured_issuer() || '/register' from identity_store.registration_policy p where p.policy <> 'closed'),
    'scopes_supported', (select json_agg(s.name order by s.created_at, s.name) from identity_store.scopes s),
    'claims_supported', (
      select json_agg(distinct c) from (
        select unnest(array['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'at_hash', 'c_hash', 's_hash', 'sid'])
        union select unnest(s.claims) from identity_store.scopes s
      ) as names (c)),
    'id_token_signing_alg_values_supported', s.algorithms,
    'id_token_encryption_alg_values_supported', json_build_array('RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A256KW'),
    'id_token_encryption_enc_values_supported', json_build_array('A128CBC-HS256', 'A256GCM'),
    'userinfo_signing_alg_values_supported', s.algorithms,
    'userinfo_encryption_alg_values_supported', json_build_array('RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A256KW'),
    'userinfo_encryption_enc_values_supported', json_build_array('A128CBC-HS256', 'A256GCM'),
    'subject_types_supported', (select to_json(m.allowed) from identity_store.client_members() m where m.member = 'subject_type'),
    -- RFC 7636 §4.2; plain protects nothing (RFC 9700 §2.1.1), and authorization_request_checks refuses it.
    'code_challenge_methods_supported', json_build_array('S256'),
    'response_types_supported', (select json_agg(t.response_type) from identity_store.response_types() t),
    'response_modes_supported', identity_store.response_modes(),
    'claims_parameter_supported', true,
    'request_parameter_supported', true,
    'request_object_signing_alg_values_supported', array['none'] || identity_store.client_key_algorithms(),
    'request_object_encryption_alg_values_supported', r.algorithms,
    'request_object_encryption_enc_values_supported', case when r.algorithms is not null then json_build_array('A128CBC-HS256', 'A256GCM') end,
    'acr_values_supported', identity_store.acr_values(),
    'token_endpoint_auth_signing_alg_values_supported', a.algorithms,
    'introspection_endpoint_auth_signing_alg_values_supported', a.algorithms,
    'revocation_endpoint_auth_signing_alg_values_supported', a.algorithms,
    'build', identity.build(),
    'store_version', (select s.version from identity_store.store s)))
  from (select to_json(identity_store.client_key_algorithms() || array['HS256', 'HS384', 'HS512'])) as a (algorithms), lateral (
    select case when count(*) > 0 then to_json(array_agg(k.algorithm order by k.algorithm) || array['none']) end
    from identity.signing_keys k where k.state = 'current'
  ) as s (algorithms), lateral (select identity_store.request_object_encryption_algorithms()) as r (algorithms)
$$;
comment on function identity.provider_metadata() is
  'Outcome ok {issuer, registration_endpoint, scopes_supported, claims_supported, id_token_signing_alg_values_supported, *_endpoint_auth_signing_alg_values_supported, subject_types_supported, code_challenge_methods_supported, response_types_supported, response_modes_supported, claims_parameter_supported, request_parameter_supported, request_object_signing_alg_values_supported, request_object_encryption_*_values_supported, acr_values_supported, build, store_version}, always; issuer is absent before identity.configure, registration_endpoint while registration is closed, id_token_signing_alg_values_supported without a signing key, request_object_encryption_*_values_supported without an encryption key. Raises nothing.';
revoke all on function identity.provider_metadata() from public;
grant execute on function identity.provider_metadata() to identity_gateway;
