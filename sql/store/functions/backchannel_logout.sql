-- Back-channel logout: clients are told that a session has ended (OpenID Connect Back-Channel Logout 1.0).
--
--   identity.backchannel_logout_take, backchannel_logout_done    gateway: the delivery, before and after the request
--   identity_store.backchannel_logout_queue                      session_end
--   identity_store.backchannel_logouts_expire                    maintenance
--
--   waiting ──take──▶ under way ──done──▶ gone        the client understood (2xx), or said that it never will (400)
--      ▲                  ├──done──▶ waiting          any other answer, or none: again after 1 s, 2 s, 4 s … 10 minutes
--      └────────30 s──────┘                           whoever took it has died
--   waiting ──a day──▶ gone
--
-- At least once: the receipt of an attempt is good until the next one, and the jti stays. In the order of events: only the
-- oldest of a client is taken, so a client that is down for an hour hears everything in order when it is back. One event that it
-- answers with errors, ten times over, goes on trying by itself: the others must not wait a day for it.
-- The token is made when it is taken, so it is fresh at every attempt; it authenticates nobody here or elsewhere (typ logout+jwt).

create or replace function identity_store.backchannel_logout_queue(session identity_store.sessions)
returns void
language sql volatile parallel unsafe
as $$
  insert into identity_store.backchannel_logouts (id, client_id, user_id, session_id)
  select identity.uuid_v7(), c.id, session.user_id, session.id
  from identity_store.session_clients(session) c
  where c.backchannel_logout_uri is not null
$$;
comment on function identity_store.backchannel_logout_queue(identity_store.sessions) is
  'Notes which clients have to be told that this session has ended. Returns nothing.';
revoke all on function identity_store.backchannel_logout_queue(identity_store.sessions) from public;

create or replace function identity_store.backchannel_logouts_due(places integer)
returns setof identity_store.backchannel_logouts
language sql volatile parallel unsafe
as $$
  -- From client to client by the index, however much waits for one of them.
  with recursive clients (client_id) as (
    (select b.client_id from identity_store.backchannel_logouts b where not b.aside order by b.client_id limit 1)
    union all
    select (select b.client_id from identity_store.backchannel_logouts b
      where not b.aside and b.client_id > c.client_id order by b.client_id limit 1)
    from clients c where c.client_id is not null
  ), due as (
    select h.id, h.due_at from clients c, lateral (
      select b.id, b.due_at from identity_store.backchannel_logouts b
      where not b.aside and b.client_id = c.client_id order by b.id limit 1) h
    where h.due_at <= now()
    union all
    (select b.id, b.due_at from identity_store.backchannel_logouts b
      where b.aside and b.due_at <= now() order by b.due_at limit places)
  )
  -- Asked again of the row itself: another gateway may have taken it since.
  select b.* from identity_store.backchannel_logouts b
  where b.id in (select d.id from due d order by d.due_at limit places) and b.due_at <= now()
  for update skip locked
$$;
comment on function identity_store.backchannel_logouts_due(integer) is
  'Up to so many events whose turn it is, locked: the oldest of each client, and those that were set aside. What others have locked is left out.';
revoke all on function identity_store.backchannel_logouts_due(integer) from public;

create or replace function identity.backchannel_logout_take(places integer)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  present constant boolean := identity.require_present(30);
  event identity_store.backchannel_logouts;
  delivery json;
  taken json[] := '{}';
begin
  -- A receipt that is lost in a crash is an attempt that is made again.
  perform set_config('synchronous_commit', 'off', true);
  for event in
    select * from identity_store.backchannel_logouts_due(least(greatest(coalesce(backchannel_logout_take.places, 0), 0), 100))
  loop
    delivery := identity_store.backchannel_logout_begin(event);
    if delivery is not null then
      taken := taken || delivery;
    end if;
  end loop;
  return query select 'ok', null::text, json_build_object('logouts', to_json(taken));
end
$$;
comment on function identity.backchannel_logout_take(integer) is
  'Takes up to so many logouts (at most 100) that are due, for half a minute. Several may take at a time; nobody gets what another one has. '
  'Outcome ok {logouts [{receipt, uri, logout_token}, or {receipt, need {kind, url, client_id}} where the keys of the client have to be fetched first]}. Raises ID002, ID003.';
revoke all on function identity.backchannel_logout_take(integer) from public;
grant execute on function identity.backchannel_logout_take(integer) to identity_gateway;

create or replace function identity_store.backchannel_logout_begin(event identity_store.backchannel_logouts)
returns json
language plpgsql volatile parallel unsafe
as $$
declare
  client identity_store.clients;
  receipt record;
  delivery json;
begin
  select c.* into client from identity_store.clients c
  where c.id = event.client_id and c.created_at <= event.created_at and c.backchannel_logout_uri is not null;
  if not found then
    -- Nobody is there to be told.
    delete from identity_store.backchannel_logouts b where b.id = event.id;
    return null;
  end if;
  select m.token, m.hash into receipt from identity.opaque_mint('logout', event.id) m;
  delivery := identity_store.backchannel_logout_delivery(event, client);
  update identity_store.backchannel_logouts b
  set attempts = b.attempts + 1, receipt_hash = receipt.hash,
    due_at = now() + case when delivery is null then identity_store.backchannel_logout_pause(b.attempts + 1) else interval '30 seconds' end,
    failure = case when delivery is null then 'there is no key to sign it with, or none to encrypt it to' else b.failure end
  where b.id = event.id;
  return case when delivery is not null then (jsonb_build_object('receipt', receipt.token) || delivery::jsonb)::json end;
end
$$;
comment on function identity_store.backchannel_logout_begin(identity_store.backchannel_logouts) is
  'An attempt at this event, which the caller has locked: what is delivered, with its receipt; NULL where nobody is there to be told, or a key is missing.';
revoke all on function identity_store.backchannel_logout_begin(identity_store.backchannel_logouts) from public;

create or replace function identity_store.backchannel_logout_delivery(
  event identity_store.backchannel_logouts, client identity_store.clients
)
returns json
language plpgsql volatile parallel unsafe
as $$
declare
  -- §2.6: "alg with the value none MUST NOT be used"; §2.4 wants the algorithm of ID tokens, whose default is RS256.
  alg constant text := coalesce(nullif(client.id_token_signed_response_alg, 'none'), 'RS256');
  recipient json;
  token text;
begin
  if not exists (select from identity.signing_keys k where k.algorithm = alg and k.state = 'current') then
    return null;
  elsif client.id_token_encrypted_response_alg is not null then
    -- §2.4: encrypted as its ID tokens are.
    recipient := identity_store.recipient(client, client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc);
    if recipient is null then
      return case when identity_store.recipient_due(client)
        then json_build_object('need', (select n.answer from identity_store.need_client_keys(client) n)) end;
    end if;
  end if;
  token := identity.mint_logout_token(json_build_object(
    'aud', client.id, 'jti', event.id, 'sub', identity_store.subject_for(client, event.user_id),
    'sid', identity_store.session_for(client, event.session_id)), alg);
  if recipient is not null then
    token := identity.jwe_seal(token, (recipient -> 'jwk')::jsonb, recipient ->> 'alg', recipient ->> 'enc', 'JWT');
    if token is null then
      -- Not an error: that would be the end of this round for all clients, and of every later one.
      return null;
    end if;
  end if;
  return json_build_object('uri', client.backchannel_logout_uri, 'logout_token', token);
end
$$;
comment on function identity_store.backchannel_logout_delivery(identity_store.backchannel_logouts, identity_store.clients) is
  'What is delivered: {uri, logout_token}, or need {kind, url, client_id} where keys have to be fetched first; NULL when there is no key for it.';
revoke all on function identity_store.backchannel_logout_delivery(identity_store.backchannel_logouts, identity_store.clients) from public;

create or replace function identity.backchannel_logout_done(receipt text, status integer, failure text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  present constant boolean := identity.require_present(30);
  event identity_store.backchannel_logouts;
begin
  perform set_config('synchronous_commit', 'off', true);
  update identity_store.backchannel_logouts b
  set receipt_hash = null,
    due_at = now() + identity_store.backchannel_logout_pause(b.attempts),
    refusals = b.refusals + case when backchannel_logout_done.status is null then 0 else 1 end,
    aside = b.aside or backchannel_logout_done.status is not null and b.refusals >= 9,
    failure = left(coalesce(backchannel_logout_done.failure, 'answered with status ' || backchannel_logout_done.status), 200)
  where b.id = identity.opaque_id('logout', backchannel_logout_done.receipt)
    and b.receipt_hash = identity.opaque_hash(backchannel_logout_done.receipt)
  returning b.* into event;
  if not found then
    return query select 'not_found', 'taken by another one since, or over', json_build_object();
    return;
  end if;
  -- §2.8: 200 if the logout succeeded, and 204 is accepted; 400 if the request was invalid or the logout failed.
  if backchannel_logout_done.status between 200 and 299 or backchannel_logout_done.status = 400 then
    delete from identity_store.backchannel_logouts b where b.id = event.id;
    perform identity_store.audit(
      case backchannel_logout_done.status when 400 then 'backchannel_logout_failed' else 'backchannel_logout_delivered' end,
      event.user_id, event.client_id, event.session_id,
      jsonb_build_object('jti', event.id, 'status', backchannel_logout_done.status, 'attempts', event.attempts));
  end if;
  return query select 'ok', event.failure, json_build_object();
end
$$;
comment on function identity.backchannel_logout_done(text, integer, text) is
  'What came of a delivery. Evidence: the receipt of the last attempt. status: of the answer, NULL and why in failure when there was none. 2xx and 400 end it, all else is tried again. '
  'Outcomes: ok {}; not_found {} when it was taken again since, or is over. Raises nothing.';
revoke all on function identity.backchannel_logout_done(text, integer, text) from public;
grant execute on function identity.backchannel_logout_done(text, integer, text) to identity_gateway;

create or replace function identity_store.backchannel_logout_pause(attempts integer)
returns interval
language sql immutable parallel safe
as $$ select least(make_interval(secs => 2 ^ least(attempts - 1, 20)), interval '10 minutes') $$;
comment on function identity_store.backchannel_logout_pause(integer) is
  'How long after the so-manyeth attempt the next one is made: 1 s, 2 s, 4 s … 10 minutes.';
revoke all on function identity_store.backchannel_logout_pause(integer) from public;

create or replace function identity_store.backchannel_logouts_expire()
returns void
language sql volatile parallel unsafe
as $$
  with expired as (
    delete from identity_store.backchannel_logouts b
    where b.id in (
      select o.id from identity_store.backchannel_logouts o
      where o.created_at < now() - interval '1 day' order by o.created_at limit 10000 for update skip locked)
    returning b.*
  )
  select identity_store.audit('backchannel_logout_failed', e.user_id, e.client_id, e.session_id,
    jsonb_build_object('jti', e.id, 'attempts', e.attempts, 'failure', e.failure))
  from expired e
$$;
comment on function identity_store.backchannel_logouts_expire() is
  'Gives up what could not be delivered for a day, with an audit row for each. Returns nothing.';
revoke all on function identity_store.backchannel_logouts_expire() from public;
