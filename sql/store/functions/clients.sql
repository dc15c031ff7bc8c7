-- Administration of clients: RFC 7591 metadata in, the same and the credentials out (RFC 7591 §2, §3.2.1).
--
--   identity.client_create, client_update, client_rotate_secret, client_delete, client_list, client_read    identity_admin
--   identity_store.client_display    pages that name a client: sign-in, consent, account, logout
-- What each member may be is in client_metadata.sql.

create or replace function identity.client_create(metadata jsonb)
returns jsonb
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  registered jsonb := identity_store.client_metadata(metadata);
  new_id text := coalesce(metadata ->> 'client_id', identity.uuid_v7()::text);
begin
  perform set_config('synchronous_commit', 'on', true);
  if new_id !~ '^[\x21-\x7e]+$' or length(new_id) > 1024 then
    raise exception using errcode = 'ID005', message = 'client_id: must be 1 to 1024 visible ASCII characters';
  end if;
  if exists (select from identity.revocations r where r.kind = 'client' and r.id = new_id and r.issued_before > clock_timestamp()) then
    raise exception using errcode = 'ID007', message = 'client_id: a client of this id was deleted a moment ago',
      hint = 'Try again in ten seconds.';
  end if;
  insert into identity_store.clients
  select * from jsonb_populate_record(null::identity_store.clients,
    registered || jsonb_build_object('id', new_id, 'created_at', now(), 'updated_at', now()))
  on conflict do nothing;
  if not found then
    raise exception using errcode = 'ID007', message = 'client_id: this client exists already';
  end if;
  perform identity_store.audit('client_created', null, new_id, null);
  return identity.client_read(new_id)
    || identity_store.client_secret_mint(new_id, identity_store.client_secret_kind(registered ->> 'token_endpoint_auth_method'));
end
$$;
comment on function identity.client_create(jsonb) is
  'Registers a client from RFC 7591 metadata and our settings: first_party, introspect_any, refresh_token (offline_access or always), refresh_token_rotation, access_token_lifetime, id_token_lifetime, refresh_token_idle_lifetime, refresh_token_lifetime (seconds); client_id may be chosen. '
  'Returns what was registered, with client_id, client_id_issued_at and for a confidential client client_secret (shown only here) and client_secret_expires_at (0: never). '
  'Members that nobody understands are left out (RFC 7591 §2). Raises ID005 naming the member, ID007 when the client_id is taken, or was until ten seconds ago.';
revoke all on function identity.client_create(jsonb) from public;
grant execute on function identity.client_create(jsonb) to identity_admin;

create or replace function identity.client_update(client_id text, metadata jsonb)
returns jsonb
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  answer constant jsonb := identity_store.client_change(client_update.client_id, client_update.metadata);
begin
  -- Somebody who answers for it has looked at it: it is no stranger's any more that goes when nobody uses it.
  perform identity_store.registration_used(client_update.client_id);
  return answer;
end
$$;
comment on function identity.client_update(text, jsonb) is
  'Changes the metadata of a client by an RFC 7396 merge patch and returns all of it; a client that becomes confidential, or begins to sign with its secret, gets its client_secret here. '
  'One that registered itself is reaped no more. Tokens already issued keep what they say. Raises ID005 naming the member, ID006 when there is no such client.';
revoke all on function identity.client_update(text, jsonb) from public;
grant execute on function identity.client_update(text, jsonb) to identity_admin;

create or replace function identity_store.client_change(client_id text, metadata jsonb)
returns jsonb
language plpgsql volatile parallel unsafe
as $$
declare
  present identity_store.clients := identity_store.client_locked(client_change.client_id);
  registered identity_store.clients := identity_store.client_changed(present, client_change.metadata);
  kind text;
  answer jsonb;
begin
  perform set_config('synchronous_commit', 'on', true);
  update identity_store.clients c set (
    redirect_uris, post_logout_redirect_uris, backchannel_logout_uri, backchannel_logout_session_required,
    frontchannel_logout_uri, frontchannel_logout_session_required, token_endpoint_auth_method, token_endpoint_auth_signing_alg,
    tls_client_auth_subject_dn, tls_client_auth_san_dns, tls_client_auth_san_uri, tls_client_auth_san_ip, tls_client_auth_san_email, grant_types,
    response_types, application_type, request_object_signing_alg, require_signed_request_object, scope, client_name, client_uri, logo_uri, policy_uri, tos_uri, contacts, localized, jwks_uri, jwks, software_id,
    software_version, subject_type, id_token_signed_response_alg, default_max_age, require_auth_time, default_acr_values,
    initiate_login_uri, first_party, introspect_any, refresh_token, refresh_token_rotation, access_token_lifetime,
    id_token_lifetime, refresh_token_idle_lifetime, refresh_token_lifetime, id_token_encrypted_response_alg, id_token_encrypted_response_enc, sector_identifier_uri,
    userinfo_signed_response_alg, userinfo_encrypted_response_alg, userinfo_encrypted_response_enc,
    request_object_encryption_alg, request_object_encryption_enc, request_uris, updated_at
  ) = (select
    r.redirect_uris, r.post_logout_redirect_uris, r.backchannel_logout_uri, r.backchannel_logout_session_required,
    r.frontchannel_logout_uri, r.frontchannel_logout_session_required, r.token_endpoint_auth_method, r.token_endpoint_auth_signing_alg,
    r.tls_client_auth_subject_dn, r.tls_client_auth_san_dns, r.tls_client_auth_san_uri, r.tls_client_auth_san_ip, r.tls_client_auth_san_email, r.grant_types,
    r.response_types, r.application_type, r.request_object_signing_alg, r.require_signed_request_object, r.scope, r.client_name, r.client_uri, r.logo_uri, r.policy_uri, r.tos_uri, r.contacts,
    r.localized, r.jwks_uri, r.jwks, r.software_id, r.software_version, r.subject_type, r.id_token_signed_response_alg,
    r.default_max_age, r.require_auth_time, r.default_acr_values, r.initiate_login_uri, r.first_party, r.introspect_any,
    r.refresh_token, r.refresh_token_rotation, r.access_token_lifetime, r.id_token_lifetime,
    r.refresh_token_idle_lifetime, r.refresh_token_lifetime, r.id_token_encrypted_response_alg,
    r.id_token_encrypted_response_enc, r.sector_identifier_uri, r.userinfo_signed_response_alg, r.userinfo_encrypted_response_alg,
    r.userinfo_encrypted_response_enc, r.request_object_encryption_alg, r.request_object_encryption_enc, r.request_uris, now()
    from (select registered.*) r
  ) where c.id = present.id;
  answer := identity.client_read(present.id);
  kind := identity_store.client_secret_kind(registered.token_endpoint_auth_method);
  if kind is distinct from identity_store.client_secret_kind(present.token_endpoint_auth_method) then
    delete from identity_store.client_secrets s where s.client_id = present.id;
    answer := answer || identity_store.client_secret_mint(present.id, kind);
  end if;
  perform identity_store.audit('client_updated', null, present.id, null, jsonb_build_object(
    'members', (select coalesce(jsonb_agg(k order by k), '[]') from jsonb_object_keys(metadata) k)));
  return answer;
end
$$;
comment on function identity_store.client_change(text, jsonb) is
  'What client_update does, for a registrant and an administrator alike: changes a client, exchanges its secret where it needs another kind, and returns its metadata. Raises ID005, ID006.';
revoke all on function identity_store.client_change(text, jsonb) from public;

create or replace function identity_store.client_changed(present identity_store.clients, metadata jsonb)
returns identity_store.clients
language plpgsql stable parallel safe
as $$
declare
  registered identity_store.clients;
begin
  if coalesce(metadata ->> 'client_id', present.id) <> present.id then
    raise exception using errcode = 'ID005', message = 'client_id: cannot be changed';
  end if;
  -- RFC 7396: a member replaces its namesake, null removes it, which brings back its default. response_types follow
  -- from grant_types and need not be repeated where these change.
  registered := jsonb_populate_record(null::identity_store.clients, identity_store.client_metadata(
    identity_store.client_document(present) - case when metadata ? 'grant_types' then 'response_types' else '' end || metadata));
  if present.subject_type = 'pairwise' and registered.subject_type = 'pairwise'
    and identity_store.client_sector(present) <> identity_store.client_sector(registered) then
    raise exception using errcode = 'ID005', message = 'redirect_uris: another host would make another sub of everybody',
      hint = 'Name the sector by sector_identifier_uri, an https URL at the host there was.';
  end if;
  return registered;
end
$$;
comment on function identity_store.client_changed(identity_store.clients, jsonb) is
  'A client as an RFC 7396 merge patch would make it, but for id and times. Raises ID005 naming the member.';
revoke all on function identity_store.client_changed(identity_store.clients, jsonb) from public;

create or replace function identity.client_rotate_secret(client_id text, overlap interval default '1 day')
returns jsonb
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  client identity_store.clients := identity_store.client_locked(client_rotate_secret.client_id);
  kind text := identity_store.client_secret_kind(client.token_endpoint_auth_method);
begin
  perform set_config('synchronous_commit', 'on', true);
  if kind is null then
    raise exception using errcode = 'ID005', message = 'client_id: ' || case client.token_endpoint_auth_method
      when 'none' then 'a public client has no secret' else 'a client with keys of its own has no secret' end;
  end if;
  if overlap is null or overlap not between '0' and '365 days' then
    raise exception using errcode = 'ID005', message = 'overlap: must be between 0 and 365 days';
  end if;
  delete from identity_store.client_secrets s where s.client_id = client.id and s.expires_at <= now();
  update identity_store.client_secrets s set expires_at = least(s.expires_at, now() + overlap) where s.client_id = client.id;
  perform identity_store.audit('client_secret_rotated', null, client.id, null);
  return jsonb_build_object('client_id', client.id) || identity_store.client_secret_mint(client.id, kind);
end
$$;
comment on function identity.client_rotate_secret(text, interval) is
  'Makes another secret for a confidential client; those before it stay good for the overlap (0: none). Returns client_id, client_secret, client_secret_expires_at. '
  'Raises ID005 for a public client or an overlap outside 0 to 365 days, ID006 when there is no such client.';
revoke all on function identity.client_rotate_secret(text, interval) from public;
grant execute on function identity.client_rotate_secret(text, interval) to identity_admin;

create or replace function identity.client_delete(client_id text)
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  client identity_store.clients := identity_store.client_locked(client_delete.client_id);
  granted boolean;
begin
  perform set_config('synchronous_commit', 'on', true);
  perform from identity_store.consents c where c.client_id = client.id order by c.user_id, c.resource for update;
  -- A client that registered itself and that nobody has used has no grants, and may be deleted by whoever registered it.
  select r.used_at is not null into granted
  from identity_store.client_registrations r where r.client_id = client.id for update;
  delete from identity_store.clients c where c.id = client.id;
  if coalesce(granted, true) then
    -- Ended, not only orphaned: a client that is given this id later must not find them. No index leads from a client to
    -- its grants; this reads them all, rarely, so that no token request has to maintain one.
    perform from identity_store.grants g where g.client_id = client.id and g.ended_at is null order by g.id for no key update;
    update identity_store.grants g set ended_at = now(), end_reason = 'client_deleted'
    where g.client_id = client.id and g.ended_at is null;
    perform from identity_store.refresh_families f where f.client_id = client.id and f.ended_at is null order by f.id for no key update;
    update identity_store.refresh_families f set ended_at = now(), end_reason = 'client_deleted'
    where f.client_id = client.id and f.ended_at is null;
  end if;
  -- Who authenticated before this commits may get its token after it: client_credentials takes no lock that would make
  -- it wait, so the revocation reaches further than its statement_timeout (5 s), and nobody is given the id until then.
  perform identity.revoke('client', client.id, null, clock_timestamp() + interval '10 seconds');
  perform identity_store.audit('client_deleted', null, client.id, null);
end
$$;
comment on function identity.client_delete(text) is
  'Deletes a client with its secrets and consents, ends its grants and refresh tokens and revokes its access tokens. Its id is free again after ten seconds. Returns nothing; raises ID006 when there is no such client.';
revoke all on function identity.client_delete(text) from public;
grant execute on function identity.client_delete(text) to identity_admin;

create or replace function identity.client_list()
returns table (client_id text, client_name text, token_endpoint_auth_method text, grant_types text[], redirect_uris text[],
  first_party boolean, created_at timestamptz)
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
  select c.id, c.client_name, c.token_endpoint_auth_method, c.grant_types, c.redirect_uris, c.first_party, c.created_at
  from identity_store.clients c
  order by c.created_at, c.id
$$;
comment on function identity.client_list() is 'All clients, the oldest first, one row each, without their secrets; client_read has the whole of one. Raises nothing; no row before the first client_create.';
revoke all on function identity.client_list() from public;
grant execute on function identity.client_list() to identity_admin;

create or replace function identity.client_read(client_id text)
returns jsonb
language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  client identity_store.clients;
begin
  select * into client from identity_store.clients c where c.id = client_read.client_id;
  if not found then
    raise exception using errcode = 'ID006', message = 'client_id: there is no such client';
  end if;
  return identity_store.client_document(client)
    || jsonb_build_object('client_id', client.id, 'client_id_issued_at', floor(extract(epoch from client.created_at))::bigint);
end
$$;
comment on function identity.client_read(text) is
  'The registered metadata of a client with client_id and client_id_issued_at, never a secret. Raises ID006 when there is no such client.';
revoke all on function identity.client_read(text) from public;
grant execute on function identity.client_read(text) to identity_admin;

create or replace function identity_store.client_locked(client_id text)
returns identity_store.clients
language plpgsql volatile parallel unsafe
as $$
declare
  client identity_store.clients;
begin
  select * into client from identity_store.clients c where c.id = client_locked.client_id for update;
  if not found then
    raise exception using errcode = 'ID006', message = 'client_id: there is no such client';
  end if;
  return client;
end
$$;
comment on function identity_store.client_locked(text) is
  'A client, locked until the end of the transaction: changes of one client happen one after the other. Raises ID006.';
revoke all on function identity_store.client_locked(text) from public;

create or replace function identity_store.client_secret_kind(method text)
returns text
language sql immutable parallel safe
as $$
  select case when method in ('client_secret_basic', 'client_secret_post') then 'shown' when method = 'client_secret_jwt' then 'signs' end
$$;
comment on function identity_store.client_secret_kind(text) is
  'What a client of this token_endpoint_auth_method does with its secret: shown or signs; NULL: it has none.';
revoke all on function identity_store.client_secret_kind(text) from public;

create or replace function identity_store.client_secret_mint(client_id text, kind text)
returns jsonb
language plpgsql volatile parallel unsafe
as $$
declare
  secret_id uuid := identity.uuid_v7();
  minted record;
begin
  if kind is null then
    return '{}';
  end if;
  select m.token, m.hash into minted from identity.opaque_mint('secret', secret_id) m;
  insert into identity_store.client_secrets (id, client_id, secret_hash, sealed)
  values (secret_id, client_secret_mint.client_id, case kind when 'shown' then minted.hash end,
    case kind when 'signs' then identity.client_secret_seal(secret_id, minted.token) end);
  -- RFC 7591 §3.2.1: client_secret_expires_at is REQUIRED if client_secret is issued; 0 if it will not expire.
  return jsonb_build_object('client_secret', minted.token, 'client_secret_expires_at', 0);
end
$$;
comment on function identity_store.client_secret_mint(text, text) is
  'Makes and stores a secret of this kind (client_secret_kind; NULL: none); returns client_secret and client_secret_expires_at for the one answer that shows it.';
revoke all on function identity_store.client_secret_mint(text, text) from public;

create or replace function identity_store.client_display(client_id text)
returns json
language sql stable parallel safe
as $$
  select json_strip_nulls(json_build_object('client_id', c.id, 'client_name', coalesce(c.client_name, c.id),
    'client_uri', c.client_uri, 'logo_uri', c.logo_uri, 'policy_uri', c.policy_uri, 'tos_uri', c.tos_uri, 'localized', c.localized))
  from identity_store.clients c
  where c.id = client_display.client_id
$$;
comment on function identity_store.client_display(text) is
  'What a page shows of a client: client_id, client_name (the id when it has none), client_uri, logo_uri, policy_uri, tos_uri where registered, localized {client_name#fr …} with these in other languages; NULL for an unknown client.';
revoke all on function identity_store.client_display(text) from public;
