-- The refresh token grant: a refresh token for new tokens (RFC 6749 §6; RFC 9700 §4.14; README, decision 9).
--
--   identity.token_refresh_token    gateway: POST /token
-- The life of a family is drawn in refresh.sql.

create or replace function identity.token_refresh_token(
  client_id text, client_secret text, method text, refresh_token text, scope text, resource text[], client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  durable constant text := set_config('synchronous_commit', 'on', true);
  client identity_store.clients := identity_store.client_authenticate($1, $2, $3, token_refresh_token.client_certificate);
  f record;
  family identity_store.refresh_families;
  granted identity_store.grants;
  asked text[] := string_to_array(nullif(token_refresh_token.scope, ''), ' ');
  resources text[];
  allowed text[];
  head integer;
begin
  if client.id is null then
    return query select * from identity_store.refuse_client($1, $2, $3, token_refresh_token.client_certificate);
    return;
  elsif not 'refresh_token' = any (client.grant_types) then
    return query select * from identity_store.refuse('unauthorized_client', 'the client is not registered for refresh_token');
    return;
  elsif client.id_token_encrypted_response_alg is not null and identity_store.recipient(
    client, client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc) is null then
    return query select * from identity_store.refuse_recipient(client);
    return;
  elsif coalesce(token_refresh_token.refresh_token, '') = '' then
    return query select * from identity_store.refuse('invalid_request', 'refresh_token is missing');
    return;
  end if;

  f := identity_store.refresh_find(token_refresh_token.refresh_token);
  family := f.family;
  granted := f.granted;
  -- RFC 6749 §10.4: the authorization server MUST maintain the binding between a refresh token and the client it was
  -- issued to. Another client changes nothing: it must not be able to end what is not its own.
  if f.shown is null or family.client_id <> client.id or f.dead is not null then
    return query select * from identity_store.refuse('invalid_grant', 'the refresh token is invalid',
      case when f.shown is null then 'refresh token is malformed, unknown or forged'
        when family.client_id <> client.id then 'refresh token of another client' else f.dead end);
    return;
  end if;

  -- RFC 6749 §6: the requested scope MUST NOT include any scope not originally granted. The family keeps all of it.
  resources := identity_store.token_target(granted, token_refresh_token.resource);
  if resources is null then
    return query select * from identity_store.refuse('invalid_target', 'resource was not part of the authorization');
    return;
  elsif not asked <@ granted.scope then
    return query select * from identity_store.refuse('invalid_scope', 'scope was not part of the authorization');
    return;
  end if;

  -- Roles are written into the token: whoever takes one away waits for us, and then revokes what we are about to issue.
  if 'roles' = any (granted.scope) then
    perform from identity_store.users u where u.id = family.user_id for no key update;
  end if;
  head := identity_store.refresh_advance(client, family, f.shown);
  if head is null then
    if exists (select from identity_store.refresh_families r where r.id = family.id and r.ended_at is null and r.generation > f.shown)
      and identity_store.grant_end(family.grant_id, 'refresh_token_replayed') then
      perform identity_store.audit('refresh_token_replayed', family.user_id, client.id, granted.session_id,
        jsonb_build_object('grant_id', family.grant_id, 'generation', f.shown));
    end if;
    return query select * from identity_store.refuse('invalid_grant', 'the refresh token is invalid',
      'refresh token was replaced before: family ended');
    return;
  end if;
  allowed := granted.scope;
  if asked is not null then
    allowed := array(select g from unnest(allowed) g where g = any (asked));
  end if;
  outcome := 'ok';
  answer := identity_store.tokens_answer(client, granted, identity_store.scopes_at(allowed, resources), resources,
    f.session_alive, null, identity.refresh_token(family.id, head, family.seed));
  return next;
end
$$;
comment on function identity.token_refresh_token(text, text, text, text, text, text[], bytea) is
  'New tokens for a refresh token. Evidence: client credentials (method: as client_authenticate says; client_certificate: DER, NULL without one) and the token. scope and resource may narrow the answer. '
  'Outcomes: ok with the token answer, refresh_token in it being the one to use from now on; invalid_client, unauthorized_client, invalid_request, invalid_grant, invalid_scope, invalid_target {error, error_description}. '
  'A token replaced more than 120 s ago ends its family.';
revoke all on function identity.token_refresh_token(text, text, text, text, text, text[], bytea) from public;
grant execute on function identity.token_refresh_token(text, text, text, text, text, text[], bytea) to identity_gateway;

-- One conditional update moves the head. Whoever comes second finds it moved, and gets the same head: a branch of its own
-- would give a thief a line that never meets the owner's.
create or replace function identity_store.refresh_advance(
  client identity_store.clients, family identity_store.refresh_families, shown integer
)
returns integer
language plpgsql volatile parallel unsafe
as $$
declare
  idle_end timestamptz := least(family.expires_at, now() + make_interval(secs => client.refresh_token_idle_lifetime));
  head integer;
begin
  if client.refresh_token_rotation then
    update identity_store.refresh_families f
    set generation = f.generation + 1, head_since = now(), idle_expires_at = idle_end
    where f.id = family.id and f.generation = refresh_advance.shown and f.ended_at is null
    returning f.generation into head;
    if found then
      return head;
    end if;
  elsif idle_end > family.idle_expires_at + make_interval(secs => client.refresh_token_idle_lifetime / 10) then
    -- Without rotation only the idle end moves, and only when it is worth a write.
    update identity_store.refresh_families f set idle_expires_at = idle_end where f.id = family.id and f.ended_at is null;
  end if;

  -- for share: whoever ends the family meanwhile waits, and then revokes what is about to be issued.
  select f.generation into head from identity_store.refresh_families f
  where f.id = family.id and f.ended_at is null
    and (f.generation = refresh_advance.shown and not client.refresh_token_rotation
      -- README, decision 9: 120 s, so that racing clients and lost answers do not end the family.
      or f.generation = refresh_advance.shown + 1 and f.head_since > now() - interval '120 seconds')
  for share;
  return head;
end
$$;
comment on function identity_store.refresh_advance(identity_store.clients, identity_store.refresh_families, integer) is
  'The generation to answer a refresh with: the next one, or the head there is when the token shown is its recent predecessor; NULL when it is older (a replay) or the family ended meanwhile.';
revoke all on function identity_store.refresh_advance(identity_store.clients, identity_store.refresh_families, integer) from public;
