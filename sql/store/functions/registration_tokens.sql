-- Initial access tokens: who may register a client where not everybody may (RFC 7591 §3).
--
--   identity.registration_token_create, registration_token_revoke, registration_token_list    identity_admin
--   identity_store.initial_access_token_find, initial_access_token_spend                      registration.sql
--
--   minted ──a registration──▶ used (at most max_uses times)        └──▶ expired, revoked

create or replace function identity.registration_token_create(
  description text, lifetime interval default '7 days', max_uses integer default 1
)
returns jsonb
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  new_id uuid := identity.uuid_v7();
  minted record;
  stored identity_store.initial_access_tokens;
begin
  perform set_config('synchronous_commit', 'on', true);
  if coalesce(btrim(registration_token_create.description), '') = '' or length(registration_token_create.description) > 1000
    or registration_token_create.description ~ '[[:cntrl:]]' then
    raise exception using errcode = 'ID005',
      message = 'description: must say for whom it is, in at most 1000 characters without control characters';
  elsif coalesce(registration_token_create.lifetime not between '1 minute' and '365 days', true) then
    raise exception using errcode = 'ID005', message = 'lifetime: must be between 1 minute and 365 days';
  elsif coalesce(registration_token_create.max_uses not between 1 and 1000000, true) then
    raise exception using errcode = 'ID005', message = 'max_uses: must be a number from 1 to 1000000';
  end if;
  select m.token, m.hash into minted from identity.opaque_mint('initial', new_id) m;
  insert into identity_store.initial_access_tokens (id, token_hash, description, max_uses, expires_at)
  values (new_id, minted.hash, registration_token_create.description, registration_token_create.max_uses,
    now() + registration_token_create.lifetime)
  returning * into stored;
  perform identity_store.audit('initial_access_token_created', null, null, null,
    jsonb_build_object('id', new_id, 'max_uses', stored.max_uses));
  return jsonb_build_object('id', new_id, 'initial_access_token', minted.token, 'max_uses', stored.max_uses,
    'expires_at', stored.expires_at);
end
$$;
comment on function identity.registration_token_create(text, interval, integer) is
  'Mints an initial access token with which max_uses clients may be registered within lifetime; description says for whom. Returns {id, initial_access_token (shown only here), max_uses, expires_at}. Raises ID005 naming the argument.';
revoke all on function identity.registration_token_create(text, interval, integer) from public;
grant execute on function identity.registration_token_create(text, interval, integer) to identity_admin;

create or replace function identity.registration_token_revoke(id uuid)
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  update identity_store.initial_access_tokens t set revoked_at = coalesce(t.revoked_at, now())
  where t.id = registration_token_revoke.id;
  if not found then
    raise exception using errcode = 'ID006', message = 'id: there is no such initial access token';
  end if;
  perform identity_store.audit('initial_access_token_revoked', null, null, null,
    jsonb_build_object('id', registration_token_revoke.id));
end
$$;
comment on function identity.registration_token_revoke(uuid) is
  'Takes an initial access token back; clients that were registered with it stay. Returns nothing; raises ID006 when there is no such token.';
revoke all on function identity.registration_token_revoke(uuid) from public;
grant execute on function identity.registration_token_revoke(uuid) to identity_admin;

create or replace function identity.registration_token_list()
returns table (id uuid, description text, uses integer, max_uses integer, created_at timestamptz, expires_at timestamptz, revoked_at timestamptz)
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
  select t.id, t.description, t.uses, t.max_uses, t.created_at, t.expires_at, t.revoked_at
  from identity_store.initial_access_tokens t
  order by t.created_at, t.id
$$;
comment on function identity.registration_token_list() is
  'All initial access tokens, the oldest first, also those that are spent, expired (expires_at) or revoked (revoked_at; NULL: not); never the token. Raises nothing; no row before the first registration_token_create.';
revoke all on function identity.registration_token_list() from public;
grant execute on function identity.registration_token_list() to identity_admin;

create or replace function identity_store.initial_access_token_find(token text)
returns uuid
language sql stable parallel safe
as $$
  select t.id from identity_store.initial_access_tokens t
  where t.id = identity.opaque_id('initial', $1) and t.token_hash = identity.opaque_hash($1)
    and t.revoked_at is null and t.expires_at > statement_timestamp() and t.uses < t.max_uses
$$;
comment on function identity_store.initial_access_token_find(text) is 'The id of a good initial access token; NULL when it is not.';
revoke all on function identity_store.initial_access_token_find(text) from public;

-- One conditional update: of a hundred that come at once with a token for one client, one gets it.
create or replace function identity_store.initial_access_token_spend(id uuid)
returns boolean
language plpgsql volatile parallel unsafe
as $$
begin
  update identity_store.initial_access_tokens t set uses = t.uses + 1
  where t.id = initial_access_token_spend.id
    and t.revoked_at is null and t.expires_at > statement_timestamp() and t.uses < t.max_uses;
  return found;
end
$$;
comment on function identity_store.initial_access_token_spend(uuid) is
  'Counts a client that is registered with an initial access token; false when it is good no more.';
revoke all on function identity_store.initial_access_token_spend(uuid) from public;
