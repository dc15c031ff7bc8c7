-- Claim mappings of well-known providers, as data: where audience, client, session, tenant, roles and scopes are in their access tokens.
--
--   claim_mappings()                 administrators: all of them, with what else to know
--   claim_mapping(provider, client)  administrators: one, for the argument claims of trust_issuer
--
-- A mapping is jsonb: what a tenant has arranged otherwise is put over it with ||.

create function identity.claim_mappings()
returns table (provider text, issuer text, typ text, algorithms text[], claims jsonb, advice text)
language sql immutable parallel safe
as $$
  values
    -- https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles: azp, or client_id in the profile of RFC 9068.
    ('auth0', 'https://TENANT.auth0.com/', 'JWT, or at+jwt in the profile of RFC 9068', array['RS256', 'PS256'], jsonb
      '{"client_id": [["client_id"], ["azp"]], "organization_id": "org_id", "permissions": "permissions"}',
      'audience: the identifier of the API. Switch on RBAC and "Add Permissions in the Access Token" for permissions. Roles are a claim of your own, which an Action adds: || ''{"roles": "https://example.com/roles"}''.'),
    -- https://www.keycloak.org/docs/latest/server_admin/: realm_access.roles, resource_access.CLIENT.roles; payload typ Bearer.
    ('keycloak', 'https://HOST/realms/REALM', 'JWT, or at+jwt where the client says so', array['RS256', 'ES256', 'PS256', 'EdDSA'], jsonb
      '{"client_id": "azp", "session_id": [["sid"], ["session_state"]], "roles": ["realm_access", "roles"]}',
      'audience: what an audience mapper of a client scope adds; without one it is "account". claim_mapping(''keycloak'', CLIENT) adds the roles of a client to those of the realm.'),
    -- https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference: scp and roles, tid, azp (v2.0) or appid (v1.0), uti.
    ('entra', 'https://login.microsoftonline.com/TENANT-ID/v2.0', 'JWT', array['RS256'], jsonb
      '{"client_id": [["azp"], ["appid"]], "organization_id": "tid", "token_id": "uti", "scopes": "scp", "roles": "roles"}',
      'audience: the application id of the API (v2.0 tokens: requestedAccessTokenVersion 2 in its manifest), a registration of its own, so that no ID token names it. Trust each tenant by its own issuer; for v1.0 tokens it is https://sts.windows.net/TENANT-ID/.'),
    -- https://supabase.com/docs/guides/auth/jwt-fields: role, aal, session_id; amr is a list of objects, app_metadata is the server's.
    ('supabase', 'https://PROJECT.supabase.co/auth/v1', 'JWT', array['ES256', 'RS256'], jsonb
      '{"session_id": "session_id", "acr": "aal", "amr": null, "roles": "role"}',
      'audience: authenticated. Signing keys must be asymmetric (ES256 or RS256): with the legacy JWT secret whoever verifies can sign. Subjects are UUIDs: subject_is_user_id => true. A tenant kept in app_metadata: || ''{"organization_id": ["app_metadata", "org_id"]}''; never in user_metadata, which people write themselves.'),
    -- https://clerk.com/docs/guides/sessions/session-tokens: version 2 keeps the organization in o, version 1 in org_id, org_role.
    ('clerk', 'https://clerk.EXAMPLE.com', 'JWT', array['RS256'], jsonb
      '{"audience": [["aud"], ["azp"]], "client_id": "azp", "organization_id": [["o", "id"], ["org_id"]], "roles": [["o", "rol"], ["org_role"]], "permissions": "org_permissions"}',
      'audience: the origin of the application (azp), or what a JWT template says in aud.'),
    -- https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html: no aud, token_use access.
    ('cognito', 'https://cognito-idp.REGION.amazonaws.com/POOL', 'absent', array['RS256'], jsonb
      '{"audience": [["aud"], ["client_id"]], "client_id": "client_id", "session_id": "origin_jti", "roles": "cognito:groups"}',
      'audience: the id of the app client. ID tokens (token_use id) are refused.'),
    -- https://zitadel.com/docs/apis/openidoauth/claims: roles are the names in an object, by project.
    ('zitadel', 'https://INSTANCE.zitadel.cloud', 'JWT or at+jwt', array['RS256', 'ES256', 'EdDSA'], jsonb
      '{"organization_id": "urn:zitadel:iam:user:resourceowner:id", "roles": "urn:zitadel:iam:org:project:roles"}',
      'audience: the id of the project. Access tokens must be of type JWT, with roles asserted at authentication; claim_mapping(''zitadel'', PROJECT) reads the roles of that project too.')
$$;
comment on function identity.claim_mappings() is
  'Claim mappings of well-known providers: provider, form of its issuer, typ and algorithms of its access tokens, claims (for the argument of that name of identity.trust_issuer), and advice on the rest. Raises nothing.';
revoke all on function identity.claim_mappings() from public;
grant execute on function identity.claim_mappings() to identity_owner, identity_admin;

create function identity.claim_mapping(provider text, client text default null)
returns jsonb
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  mapping jsonb;
begin
  select m.claims into mapping from identity.claim_mappings() m where m.provider = claim_mapping.provider;
  if not found then
    raise exception using errcode = 'ID005',
      message = 'provider is not one with a mapping',
      hint = format('There are %s; for others write claims yourself.',
        (select string_agg(m.provider, ', ' order by m.provider) from identity.claim_mappings() m));
  end if;
  if client is null then
    return mapping;
  end if;
  if client = '' or length(client) > 256 then
    raise exception using errcode = 'ID005', message = 'client is not a text of 1 to 256 characters';
  end if;
  return case provider
    when 'keycloak' then mapping || jsonb_build_object('roles',
      jsonb_build_array(mapping -> 'roles', jsonb_build_array('resource_access', client, 'roles')))
    when 'zitadel' then mapping || jsonb_build_object('roles',
      jsonb_build_array(jsonb_build_array(mapping -> 'roles'), jsonb_build_array(format('urn:zitadel:iam:org:project:%s:roles', client))))
    else mapping
  end;
end
$$;
comment on function identity.claim_mapping(text, text) is
  'Where audience, client, tenant, roles and scopes are in the access tokens of a provider (auth0, keycloak, entra, supabase, clerk, cognito, zitadel), for the argument claims of identity.trust_issuer. client: the client or project whose roles are meant too (keycloak, zitadel); others have no such thing. Put your own over it with ||. Raises ID005 for an unknown provider.';
revoke all on function identity.claim_mapping(text, text) from public;
grant execute on function identity.claim_mapping(text, text) to identity_owner, identity_admin;
