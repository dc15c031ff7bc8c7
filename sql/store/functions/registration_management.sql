-- Client configuration: a client that registered itself reads, changes and deletes what it registered (RFC 7592).
--
--   identity.registration_read, registration_update, registration_delete    gateway: GET, PUT, DELETE /register/{client_id}
--   identity.registration_rotate_token                                      identity_admin
--
-- Whoever shows the registration access token is the client. Everybody else reads the same 401, for a client that there is not, too.

create or replace function identity.registration_read(client_id text, registration_access_token text)
returns table (outcome text, detail text, answer json)
language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  registration constant identity_store.client_registrations :=
    identity_store.registration_authenticated(registration_read.client_id, registration_read.registration_access_token);
begin
  if registration.client_id is null then
    return query select * from identity_store.registration_refuse();
    return;
  end if;
  -- RFC 7592 §3: registration_access_token is REQUIRED. It is not known here but from the request.
  return query select 'ok', null::text, identity_store.registration_answer(
    identity.client_read(registration.client_id), registration, registration_read.registration_access_token);
end
$$;
comment on function identity.registration_read(text, text) is
  'What a client registered (RFC 7592 §2.1), without its secret, which is not known any more. Evidence: registration access token. Outcomes: ok {client information}; invalid_token {error, error_description}.';
revoke all on function identity.registration_read(text, text) from public;
grant execute on function identity.registration_read(text, text) to identity_gateway;

create or replace function identity.registration_update(
  client_id text, registration_access_token text, metadata json, documents json default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  present constant boolean := identity.require_present(30);
  registration identity_store.client_registrations :=
    identity_store.registration_authenticated(registration_update.client_id, registration_update.registration_access_token);
  document jsonb := identity_store.registration_document(registration_update.metadata);
  client identity_store.clients;
  policy identity_store.registration_policy;
  checked record;
  refusal record;
  patch jsonb;
  seconds integer;
  changed jsonb;
begin
  perform set_config('synchronous_commit', 'on', true);
  if registration.client_id is null then
    return query select * from identity_store.registration_refuse();
    return;
  end if;
  select p.* into policy from identity_store.registration_policy p;
  select c.* into client from identity_store.clients c where c.id = registration.client_id;
  select r.description into refusal from identity_store.registration_update_rules(document, registration) r where r.broken limit 1;
  if found then
    return query select * from identity_store.refuse('invalid_client_metadata', refusal.description);
    return;
  end if;
  checked := identity_store.registration_checked(document, policy, client, registration.software_statement,
    identity_store.documents_read(registration_update.documents));
  if checked.error is not null then
    return query select * from identity_store.refuse(checked.error, checked.description);
    return;
  end if;
  -- Before a document is fetched for it, or anything is written, a lock included; and once more where it counts.
  if registration.open then
    seconds := identity_store.registration_hour_wait(array[registration.source_bucket, registration.site_bucket], policy.source_quota);
  end if;
  begin
    if checked.need is null then
      patch := identity_store.registration_patch(client, checked.registered);
      perform identity_store.client_changed(client, patch);
    end if;
  exception
    when sqlstate 'ID005' then
      return query select f.* from identity_store.registration_refusal(sqlerrm) r, identity_store.refuse(r.error, r.description) f;
      return;
  end;
  if patch = '{}' and document ->> 'software_statement' is not distinct from registration.software_statement then
    return query select 'ok', 'nothing changes', identity_store.registration_answer(
      identity.client_read(client.id), registration, registration_update.registration_access_token);
    return;
  elsif seconds is not null then
    return query select * from identity_store.registration_slow_down(seconds, 'too many clients were changed from this network, please wait');
    return;
  elsif checked.need is not null then
    return query select 'need', null::text, checked.need;
    return;
  end if;

  -- The client first, as whoever deletes it; whoever came before may have done so.
  select c.* into client from identity_store.clients c where c.id = registration.client_id for update;
  registration := identity_store.registration_authenticated(client.id, registration_update.registration_access_token);
  if registration.client_id is null then
    return query select * from identity_store.registration_refuse();
    return;
  end if;
  if registration.open then
    perform from identity_store.registration_policy p for no key update;
    seconds := identity_store.registration_hour_wait(array[registration.source_bucket, registration.site_bucket], policy.source_quota);
    if seconds is not null then
      return query select * from identity_store.registration_slow_down(seconds, 'too many clients were changed from this network, please wait');
      return;
    end if;
    perform identity_store.registration_source_take(array[registration.source_bucket, registration.site_bucket]);
  end if;
  begin
    changed := identity_store.client_change(client.id, identity_store.registration_patch(client, checked.registered));
  exception
    when sqlstate 'ID005' then
      return query select f.* from identity_store.registration_refusal(sqlerrm) r, identity_store.refuse(r.error, r.description) f;
      return;
  end;
  registration.software_statement := document ->> 'software_statement';
  -- Whoever steals the token could have the answers sent to themselves: people are asked again, and see the new host.
  update identity_store.client_registrations r set software_statement = registration.software_statement,
    moved_at = case when n.redirect_uris <@ client.redirect_uris then r.moved_at else clock_timestamp() end
  from identity_store.clients n
  where r.client_id = registration.client_id and n.id = r.client_id;
  -- RFC 7592 §3 allows for another registration access token here. It stays: a client whose answer was lost would be locked out.
  return query select 'ok', null::text,
    identity_store.registration_answer(changed, registration, registration_update.registration_access_token);
end
$$;
comment on function identity.registration_update(text, text, json, json) is
  'Replaces all that a client registered by what it sends (RFC 7592 §2.2); our settings stay, and its scope where it sends none. Changes of an open registration count for the quota of where it came from. Evidence: registration access token. A client that begins to need a secret gets it here. '
  'Outcomes: ok {client information}; need {kind: sector_identifier, url} as registration_create; invalid_token, invalid_redirect_uri, invalid_client_metadata, invalid_software_statement, unapproved_software_statement {error, error_description}; slow_down {error, error_description, retry_after}.';
revoke all on function identity.registration_update(text, text, json, json) from public;
grant execute on function identity.registration_update(text, text, json, json) to identity_gateway;

create or replace function identity.registration_delete(client_id text, registration_access_token text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  present constant boolean := identity.require_present(30);
  registration identity_store.client_registrations :=
    identity_store.registration_authenticated(registration_delete.client_id, registration_delete.registration_access_token);
begin
  perform set_config('synchronous_commit', 'on', true);
  if registration.client_id is not null then
    perform from identity_store.clients c where c.id = registration.client_id for update;
    registration := identity_store.registration_authenticated(registration.client_id, registration_delete.registration_access_token);
  end if;
  if registration.client_id is null then
    return query select * from identity_store.registration_refuse();
    return;
  end if;
  perform identity.client_delete(registration.client_id);
  return query select 'deleted', null::text, json_build_object();
end
$$;
comment on function identity.registration_delete(text, text) is
  'Deletes a client that registered itself as client_delete does (RFC 7592 §2.3): its grants end, its tokens are revoked. Evidence: registration access token. Outcomes: deleted {}; invalid_token {error, error_description}.';
revoke all on function identity.registration_delete(text, text) from public;
grant execute on function identity.registration_delete(text, text) to identity_gateway;

create or replace function identity.registration_rotate_token(client_id text)
returns jsonb
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  client identity_store.clients := identity_store.client_locked(registration_rotate_token.client_id);
  new_id uuid := identity.uuid_v7();
  minted record;
begin
  perform set_config('synchronous_commit', 'on', true);
  select m.token, m.hash into minted from identity.opaque_mint('registration', new_id) m;
  update identity_store.client_registrations r set token_id = new_id, token_hash = minted.hash
  where r.client_id = client.id and r.digest is null;
  if not found then
    raise exception using errcode = 'ID005', message = 'client_id: no registrant may manage this client';
  end if;
  perform identity_store.audit('registration_token_rotated', null, client.id, null);
  return jsonb_build_object('client_id', client.id, 'registration_access_token', minted.token,
    'registration_client_uri', identity.configured_issuer() || '/register/' || client.id);
end
$$;
comment on function identity.registration_rotate_token(text) is
  'Gives a client that registered itself another registration access token; the one before, lost or stolen, is worth nothing any more. Returns {client_id, registration_access_token (shown only here), registration_client_uri}. '
  'Raises ID005 for a client that an administrator made or that is shared by its registrants, ID006 when there is no such client.';
revoke all on function identity.registration_rotate_token(text) from public;
grant execute on function identity.registration_rotate_token(text) to identity_admin;

create or replace function identity_store.registration_authenticated(client_id text, token text)
returns identity_store.client_registrations
language plpgsql stable parallel safe
as $$
declare
  registration identity_store.client_registrations;
begin
  select r.* into registration
  from identity_store.client_registrations r
  where r.token_id = identity.opaque_id('registration', registration_authenticated.token)
    and r.token_hash = identity.opaque_hash(registration_authenticated.token)
    and r.client_id = registration_authenticated.client_id;
  return registration;
end
$$;
comment on function identity_store.registration_authenticated(text, text) is
  'The registration of a client that shows its registration access token; a NULL row when it does not.';
revoke all on function identity_store.registration_authenticated(text, text) from public;

create or replace function identity_store.registration_refuse()
returns table (outcome text, detail text, answer json)
language sql immutable parallel safe
as $$
  -- RFC 7592 §2.1: 401, whether there is such a client or not. One answer for all, or it would tell which clients there are.
  select * from identity_store.refuse('invalid_token', 'the registration access token is not valid')
$$;
comment on function identity_store.registration_refuse() is
  'The answer to everybody without the registration access token of the client, and for a client that is not there any more.';
revoke all on function identity_store.registration_refuse() from public;

create or replace function identity_store.registration_update_rules(document jsonb, registration identity_store.client_registrations)
returns table (description text, broken boolean)
language sql stable parallel safe
as $$
  -- RFC 7592 §2.2, sentence by sentence.
  select r.* from (values
    ('client_id: must be that of the client', coalesce(document -> 'client_id' <> to_jsonb(registration.client_id), document is not null)),
    ('registration_access_token: must not be sent', document ? 'registration_access_token'),
    ('registration_client_uri: must not be sent', document ? 'registration_client_uri'),
    ('client_secret_expires_at: must not be sent', document ? 'client_secret_expires_at'),
    ('client_id_issued_at: must not be sent', document ? 'client_id_issued_at'),
    -- The client MUST NOT be allowed to overwrite its existing client secret with its own chosen value.
    ('client_secret: must be the one that the client has', document ? 'client_secret' and not exists (
      select from identity_store.client_secrets s
      where s.client_id = registration.client_id and s.id = identity.opaque_id('secret', document ->> 'client_secret')
        and (s.secret_hash is null or s.secret_hash = identity.opaque_hash(document ->> 'client_secret'))
        and (s.expires_at is null or s.expires_at > statement_timestamp())))
  ) r (description, broken)
$$;
comment on function identity_store.registration_update_rules(jsonb, identity_store.client_registrations) is
  'Rules for what a change may hold beside metadata, each with whether it is broken.';
revoke all on function identity_store.registration_update_rules(jsonb, identity_store.client_registrations) from public;

create or replace function identity_store.registration_patch(client identity_store.clients, registered jsonb)
returns jsonb
language sql stable parallel safe
as $$
  -- RFC 7592 §2.2: members that are left out are as good as deleted.
  with now_there as (
    select e.key, e.value from jsonb_each(identity_store.client_document(client) - identity_store.client_settings()) e
  ), wanted as (
    select e.key, e.value
    from jsonb_each(identity_store.registrable(registered) || coalesce(registered -> 'localized', '{}')) e
  ), changes as (
    select coalesce(w.key, n.key) as key, coalesce(w.value, 'null') as value
    from now_there n full join wanted w using (key)
    where n.value is distinct from w.value
  )
  select coalesce(jsonb_object_agg(c.key, c.value), '{}')
    -- Where grant_types change, client_update takes response_types for what follows from them.
    || case when bool_or(c.key = 'grant_types') then jsonb_build_object('response_types', registered -> 'response_types') else '{}' end
  from changes c
$$;
comment on function identity_store.registration_patch(identity_store.clients, jsonb) is
  'What client_update has to change so that a client has this metadata and nothing else, but for our settings.';
revoke all on function identity_store.registration_patch(identity_store.clients, jsonb) from public;
