-- Dynamic registration: a client registers itself (RFC 7591; OpenID Connect Dynamic Client Registration 1.0).
--
--   identity.registration_create                gateway: POST /register
--   identity.registration_list                  identity_admin
--   identity_store.client_registered_itself     authorization, logout
--
--   register ──▶ access_denied, invalid_token      policy of the database, initial access token
--       ├──────▶ slow_down, temporarily_unavailable    bounds (registration_bounds.sql)
--       ├──────▶ need ──the document──▶ the same again
--       ├──────▶ invalid_redirect_uri, invalid_client_metadata, …    registration_metadata.sql
--       └──────▶ registered: a client of its own with a registration access token; or, open and without a secret, the client of
--                everybody who registers the same, which nobody of them can change

create or replace function identity.registration_create(
  metadata json, initial_access_token text, source text, documents json default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  present constant boolean := identity.require_present(30);
  policy identity_store.registration_policy;
  initial uuid;
  buckets integer[];
  document jsonb;
  checked record;
  digest bytea;
  seconds integer;
begin
  perform set_config('synchronous_commit', 'on', true);
  select p.* into policy from identity_store.registration_policy p;
  if coalesce(policy.policy not in ('open', 'token'), true) then
    return query select * from identity_store.refuse('access_denied', 'clients cannot register themselves here');
    return;
  elsif initial_access_token <> '' then
    initial := identity_store.initial_access_token_find(initial_access_token);
  end if;
  -- A token that is no good is told to whoever thinks that it is, also where none is needed.
  if initial is null and (policy.policy = 'token' or initial_access_token <> '') then
    return query select * from identity_store.refuse('invalid_token', case when initial_access_token <> ''
      then 'the initial access token is not valid' else 'an initial access token is needed' end);
    return;
  elsif initial is null then
    buckets := identity_store.registration_buckets(registration_create.source);
  end if;

  document := identity_store.registration_document(registration_create.metadata);
  checked := identity_store.registration_checked(document, policy, null, null,
    identity_store.documents_read(registration_create.documents));
  if checked.error is not null then
    return query select * from identity_store.refuse(checked.error, checked.description);
    return;
  elsif initial is null and checked.registered ->> 'token_endpoint_auth_method' = 'none' then
    digest := sha256(convert_to(checked.registered::text || coalesce(document ->> 'software_statement', ''), 'UTF8'));
    return query select * from identity_store.registration_again(identity_store.registration_shared(digest, buckets, policy.source_quota));
    if found then
      return;
    end if;
  end if;
  if initial is null then
    -- Before a document is fetched for it; and once more where it counts.
    seconds := identity_store.registration_source_wait(buckets, policy.source_quota);
    if seconds is null and checked.need is null then
      perform from identity_store.registration_policy p for no key update;
      if digest is not null then
        return query select * from identity_store.registration_again(identity_store.registration_shared(digest, buckets, policy.source_quota));
        if found then
          return;
        end if;
      end if;
      seconds := identity_store.registration_source_wait(buckets, policy.source_quota);
    end if;
    if seconds is not null then
      return query select * from identity_store.registration_slow_down(seconds, 'too many clients were registered from this network, please wait');
      return;
    end if;
  end if;
  if checked.need is not null then
    return query select 'need', null::text, checked.need;
    return;
  elsif initial is not null and not identity_store.initial_access_token_spend(initial) then
    return query select * from identity_store.refuse('invalid_token', 'the initial access token is not valid');
    return;
  elsif initial is null and not identity_store.registration_room(policy.unused_limit) then
    return query select 'temporarily_unavailable', null::text, json_build_object('error', 'temporarily_unavailable',
      'error_description', 'too many clients are registered that nobody uses, please wait', 'retry_after', 600);
    return;
  end if;
  if initial is null then
    perform identity_store.registration_source_take(buckets);
  end if;
  return query select 'registered', null::text, identity_store.registration_store(
    checked.registered, document ->> 'software_statement', initial, digest, buckets, registration_create.source);
end
$$;
comment on function identity.registration_create(json, text, text, json) is
  'Registers a client with the metadata it sent (RFC 7591 §3.1), without our settings. Evidence: the initial access token, where the policy of the database (registration_configure) demands one; source is the network address, for the quota. '
  'Outcomes: registered {client information}; need {kind: sector_identifier, url}: call again with documents {url: text, or null when it cannot be fetched}; access_denied, invalid_token, invalid_redirect_uri, invalid_client_metadata, invalid_software_statement, unapproved_software_statement {error, error_description}; '
  'slow_down, temporarily_unavailable {error, error_description, retry_after}.';
revoke all on function identity.registration_create(json, text, text, json) from public;
grant execute on function identity.registration_create(json, text, text, json) to identity_gateway;

create or replace function identity.registration_list(max_rows integer default 100)
returns table (client_id text, client_name text, open boolean, shared boolean, registered_at timestamptz, renewed_at timestamptz,
  used_at timestamptz, initial_access_token uuid)
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
  select c.id, c.client_name, r.open, r.digest is not null, r.registered_at, r.renewed_at, r.used_at, r.initial_access_token
  from identity_store.client_registrations r
  join identity_store.clients c on c.id = r.client_id
  order by r.registered_at desc, c.id
  limit least(greatest(coalesce(registration_list.max_rows, 100), 0), 10000)
$$;
comment on function identity.registration_list(integer) is
  'The clients that registered themselves, the newest first, at most 10000: whether anybody could (open), whether all who register the same get it (shared), when the same was last registered (renewed_at) and when a person last allowed it something or an administrator first changed it (used_at; NULL: never), and with which initial access token (NULL: none). Raises nothing.';
revoke all on function identity.registration_list(integer) from public;
grant execute on function identity.registration_list(integer) to identity_admin;

create or replace function identity_store.registration_store(
  registered jsonb, statement text, initial uuid, digest bytea, buckets integer[], source text
)
returns json
language plpgsql volatile parallel unsafe
as $$
declare
  created constant jsonb := identity.client_create(
    identity_store.registrable(registered) || coalesce(registered -> 'localized', '{}'));
  registration identity_store.client_registrations;
  minted record;
  token text;
begin
  if registration_store.digest is null then
    registration.token_id := identity.uuid_v7();
    select m.token, m.hash into minted from identity.opaque_mint('registration', registration.token_id) m;
    registration.token_hash := minted.hash;
    token := minted.token;
  end if;
  insert into identity_store.client_registrations
    (client_id, token_id, token_hash, digest, open, initial_access_token, software_statement, source_bucket,
     site_bucket)
  values (created ->> 'client_id', registration.token_id, registration.token_hash, registration_store.digest,
    registration_store.initial is null, registration_store.initial, registration_store.statement, registration_store.buckets[1],
    registration_store.buckets[2])
  returning * into registration;
  perform identity_store.audit('client_registered', null, registration.client_id, null, jsonb_strip_nulls(jsonb_build_object(
    'source', left(registration_store.source, 64), 'initial_access_token', registration_store.initial,
    'software_statement', case when registration_store.statement is not null then true end)));
  return identity_store.registration_answer(created, registration, token);
end
$$;
comment on function identity_store.registration_store(jsonb, text, uuid, bytea, integer[], text) is
  'Makes the client and notes how it was registered; returns the client information response with its secret and, unless it is shared (digest), its registration access token.';
revoke all on function identity_store.registration_store(jsonb, text, uuid, bytea, integer[], text) from public;

create or replace function identity_store.registration_again(client_id text)
returns table (outcome text, detail text, answer json)
language sql stable parallel safe
as $$
  select 'registered', 'the same was registered before',
    identity_store.registration_answer(identity.client_read(r.client_id), r, null)
  from identity_store.client_registrations r
  where r.client_id = registration_again.client_id
$$;
comment on function identity_store.registration_again(text) is
  'The outcome registered for a client that is there already, without a registration access token; no row when it is not.';
revoke all on function identity_store.registration_again(text) from public;

create or replace function identity_store.registration_slow_down(seconds integer, description text)
returns table (outcome text, detail text, answer json)
language sql immutable parallel safe
as $$
  select 'slow_down', null::text, json_build_object('error', 'temporarily_unavailable', 'error_description', description,
    'retry_after', seconds)
$$;
comment on function identity_store.registration_slow_down(integer, text) is 'The answer to a source that has to wait so many seconds.';
revoke all on function identity_store.registration_slow_down(integer, text) from public;

create or replace function identity_store.client_registered_itself(client_id text)
returns boolean
language sql stable parallel safe
as $$
  select exists (select from identity_store.client_registrations r where r.client_id = $1)
$$;
comment on function identity_store.client_registered_itself(text) is
  'Whether a client registered itself: nobody here has looked at where it sends people.';
revoke all on function identity_store.client_registered_itself(text) from public;
