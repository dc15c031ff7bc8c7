-- Keys of clients: registered by value, or fetched by the gateway where the client says they are (RFC 7591 §2, jwks and jwks_uri).
--
--   identity.client_keys_store        gateway: after a call that answered need
--   identity_store.client_keys        client_assertions.sql, request_objects.sql, encrypted answers
--   identity_store.client_keys_due    the same, where a key is missing
--
--   unknown ──need──▶ fetched ──an hour──▶ need ──▶ fetched …       a fetch that fails leaves the last keys for a day
--                        └──a kid that is not there──▶ need         at most five fetches a minute and client
--
-- The gateway is believed about documents that it fetches (README, decision 2), but only at the registered address, only when
-- they are due, and never in place of keys by value.

create or replace function identity_store.client_keys(client identity_store.clients)
returns jsonb
language plpgsql stable parallel safe
as $$
declare
  keys jsonb := client.jwks;
begin
  if client.jwks_uri is not null then
    select k.jwks into keys
    from identity_store.client_key_sets k
    where k.client_id = client.id and k.jwks_uri = client.jwks_uri
      and k.fetched_at > statement_timestamp() - interval '1 day'
      -- Who takes a key away wants it to end: within the hour.
      and (k.fetched_at > statement_timestamp() - interval '1 hour' or k.asked_at > statement_timestamp() - interval '1 minute');
  end if;
  return keys;
end
$$;
comment on function identity_store.client_keys(identity_store.clients) is
  'The public keys of a client as a JWK set; NULL when it registered none, or they have to be fetched first.';
revoke all on function identity_store.client_keys(identity_store.clients) from public;

create or replace function identity_store.client_keys_due(client identity_store.clients)
returns boolean
language sql stable parallel safe
as $$
  select client.jwks_uri is not null and not exists (
    select from identity_store.client_key_sets k
    where k.client_id = client.id and k.window_since > statement_timestamp() - interval '1 minute' and k.window_fetches >= 5)
$$;
comment on function identity_store.client_keys_due(identity_store.clients) is
  'Whether the keys of a client may be fetched now, because one is missing: it has a jwks_uri, and was not asked five times within the minute.';
revoke all on function identity_store.client_keys_due(identity_store.clients) from public;

create or replace function identity_store.need_client_keys(client identity_store.clients)
returns table (outcome text, detail text, answer json)
language sql immutable parallel safe
as $$
  select 'need', null::text, json_build_object('kind', 'jwks', 'url', client.jwks_uri, 'client_id', client.id)
$$;
comment on function identity_store.need_client_keys(identity_store.clients) is
  'The one row of outcome need {kind, url, client_id} for the keys of a client: fetch that, give it to client_keys_store, and call again.';
revoke all on function identity_store.need_client_keys(identity_store.clients) from public;

create or replace function identity_store.recipient(client identity_store.clients, alg text, enc text)
returns json
language plpgsql stable parallel safe
as $$
declare
  jwk constant jsonb := identity.jwe_recipient(coalesce(identity_store.client_keys(client), '{}'), alg);
begin
  return case when jwk is not null then json_build_object('jwk', jwk, 'alg', alg, 'enc', enc) end;
end
$$;
comment on function identity_store.recipient(identity_store.clients, text, text) is
  'To whom and how an answer for this client is encrypted: {jwk, alg, enc}; NULL when it has no key for that.';
revoke all on function identity_store.recipient(identity_store.clients, text, text) from public;

create or replace function identity_store.recipient_due(client identity_store.clients)
returns boolean
language sql stable parallel safe
as $$
  select identity_store.client_keys_due(client) and not exists (
    select from identity_store.client_key_sets k
    where k.client_id = client.id and k.jwks_uri = client.jwks_uri and k.asked_at > statement_timestamp() - interval '5 seconds')
$$;
comment on function identity_store.recipient_due(identity_store.clients) is
  'Whether the keys of a client may be fetched because none can be encrypted to: as client_keys_due, but not again within five seconds.';
revoke all on function identity_store.recipient_due(identity_store.clients) from public;

create or replace function identity_store.refuse_recipient(client identity_store.clients)
returns table (outcome text, detail text, answer json)
language plpgsql stable parallel safe
as $$
begin
  if identity_store.recipient_due(client) then
    return query select * from identity_store.need_client_keys(client);
  else
    return query select * from identity_store.refuse('invalid_client_metadata', 'the client has no key that its answers can be encrypted to');
  end if;
end
$$;
comment on function identity_store.refuse_recipient(identity_store.clients) is
  'What a client is told that registered for encrypted answers and has no key for them: need {kind, url, client_id} while its keys may be fetched, else invalid_client_metadata.';
revoke all on function identity_store.refuse_recipient(identity_store.clients) from public;

create or replace function identity.client_keys_store(client_id text, jwks_uri text, document text, failure text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  present constant boolean := identity.require_present(30);
  keys jsonb := case when octet_length(document) <= 65536 then identity.client_jwks_read(document) end;
  problem text := case when keys is null then coalesce(left(client_keys_store.failure, 200), 'this is no JWK set of public keys') end;
begin
  perform set_config('synchronous_commit', 'on', true);
  insert into identity_store.client_key_sets as k
    (client_id, jwks_uri, jwks, fetched_at, failure, asked_at, window_since, window_fetches)
  select c.id, c.jwks_uri, keys, case when keys is not null then now() end, problem, now(), now(), 1
  from identity_store.clients c
  where c.id = client_keys_store.client_id and c.jwks_uri = client_keys_store.jwks_uri
  on conflict on constraint client_key_sets_pkey do update set
    jwks_uri = excluded.jwks_uri,
    jwks = case when excluded.jwks is not null or k.jwks_uri <> excluded.jwks_uri then excluded.jwks else k.jwks end,
    fetched_at = case when excluded.jwks is not null or k.jwks_uri <> excluded.jwks_uri then excluded.fetched_at else k.fetched_at end,
    failure = excluded.failure,
    asked_at = now(),
    window_since = case when k.window_since > now() - interval '1 minute' then k.window_since else now() end,
    window_fetches = case when k.window_since > now() - interval '1 minute' then k.window_fetches + 1 else 1 end
  where k.window_since <= now() - interval '1 minute' or k.window_fetches < 5;
  return query select 'ok', case when found then problem else 'not registered there, or not due' end, json_build_object();
end
$$;
comment on function identity.client_keys_store(text, text, text, text) is
  'What a gateway got at the jwks_uri of a client: the document, or NULL and why not. Taken only from the registered address and at most five times a minute; a failure leaves the keys there are. '
  'Outcome ok {}, always; detail says why nothing was kept.';
revoke all on function identity.client_keys_store(text, text, text, text) from public;
grant execute on function identity.client_keys_store(text, text, text, text) to identity_gateway;
