-- Revoke issued: which sessions and grants end with what was issued between two moments (identity.revoke_issued_between).
--
--   identity_store.issued_end    identity.revoke_issued_between, after a theft of the gateway's role
--
-- A moment counts from the start of a transaction (created_at) to the making of the id in it: what either of them puts into the
-- interval is in it.

create or replace function identity_store.issued_sessions(issued_after timestamptz, issued_before timestamptz, used boolean)
returns setof uuid
language sql stable parallel safe
as $$
  select s.id from identity_store.sessions s
  where s.ended_at is null and s.expires_at > now() and s.created_at <= issued_before and (
    s.id >= identity.uuid_v7_floor(greatest(issued_after, 'epoch'))
    -- A session that is renewed gets another secret.
    or s.auth_time between issued_after and issued_before
    -- Noted once a minute.
    or used and s.last_seen_at >= issued_after - interval '1 minute')
$$;
comment on function identity_store.issued_sessions(timestamptz, timestamptz, boolean) is
  'Live sessions that began between two moments, or got their secret then; used: also those used since the first of them.';
revoke all on function identity_store.issued_sessions(timestamptz, timestamptz, boolean) from public;

create or replace function identity_store.issued_grants(issued_after timestamptz, issued_before timestamptz, ended_sessions uuid[])
returns setof uuid
language sql stable parallel safe
as $$
  select g.id from identity_store.grants g
  where g.ended_at is null and g.created_at <= issued_before
    and g.id >= identity.uuid_v7_floor(greatest(issued_after, 'epoch'))
  union
  -- When a token of a family was issued is known of the last one only; those before it may have been at any time since the family began.
  select f.grant_id from identity_store.refresh_families f
  where f.ended_at is null and f.expires_at > now() and f.created_at <= issued_before
    and (f.id >= identity.uuid_v7_floor(greatest(issued_after, 'epoch')) or f.head_since >= issued_after)
  union
  select g.id from identity_store.sessions s
  join identity_store.grants g on g.user_id = s.user_id and g.session_id = s.id
  where s.id = any (ended_sessions) and g.ended_at is null
    and g.id >= identity.uuid_v7_floor(s.created_at - interval '1 minute')
$$;
comment on function identity_store.issued_grants(timestamptz, timestamptz, uuid[]) is
  'Grants that were given between two moments, whose refresh token may have been, or that were given in one of these sessions.';
revoke all on function identity_store.issued_grants(timestamptz, timestamptz, uuid[]) from public;

-- An id is made under the lock of the statement that writes it, so whoever made one before this, has written it after this. Taken back
-- one by one: whoever holds two of these locks at a time waits in a circle sooner or later with those who write.
create or replace function identity_store.issuing_awaited()
returns void
language plpgsql volatile parallel unsafe set lock_timeout = '5s'
as $$
begin
  begin
    lock table only identity_store.sessions in share mode;
    raise sqlstate 'ID202' using message = 'looked';
  exception when sqlstate 'ID202' then null;
  end;
  begin
    lock table only identity_store.grants in share mode;
    raise sqlstate 'ID202' using message = 'looked';
  exception when sqlstate 'ID202' then null;
  end;
  begin
    lock table only identity_store.refresh_families in share mode;
    raise sqlstate 'ID202' using message = 'looked';
  exception when sqlstate 'ID202' then null;
  end;
  begin
    lock table only identity_store.client_key_sets in share mode;
    raise sqlstate 'ID202' using message = 'looked';
  exception when sqlstate 'ID202' then null;
  end;
end
$$;
comment on function identity_store.issuing_awaited() is
  'Returns when every session, grant and refresh family whose id was made before the call, and every key set that was being stored, is there to be seen, or never will be. Raises 55P03 when a transaction that is writing does not end within five seconds.';
revoke all on function identity_store.issuing_awaited() from public;

create or replace function identity_store.issued_end(
  issued_after timestamptz, issued_before timestamptz, used boolean, dry_run boolean, out sessions bigint, out grants bigint
)
language plpgsql volatile parallel unsafe
as $$
declare
  sessions_found uuid[];
  grants_found uuid[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using errcode = 'ID005', message = 'what is issued meanwhile is not seen in this transaction',
      hint = 'Begin one of isolation level read committed.';
  end if;
  if dry_run then
    sessions_found := array(select identity_store.issued_sessions(issued_after, issued_before, used));
    grants_found := array(select identity_store.issued_grants(issued_after, issued_before, sessions_found));
    sessions := cardinality(sessions_found);
    grants := cardinality(grants_found);
    return;
  end if;
  begin
    perform identity_store.issuing_awaited();
  exception when lock_not_available then
    raise exception using errcode = 'lock_not_available',
      message = 'a transaction that has begun sessions or grants does not end',
      hint = 'End the connections of the stolen role with pg_terminate_backend, and call again.';
  end;
  -- Locked in the order of codes.sql. Sessions end last: ending one ends families, and those come after grants.
  sessions_found := array(
    select s.id from identity_store.sessions s
    where s.id = any (array(select identity_store.issued_sessions(issued_after, issued_before, used))) and s.ended_at is null
    order by s.id for no key update);
  grants_found := array(
    select g.id from identity_store.grants g
    where g.id = any (array(select identity_store.issued_grants(issued_after, issued_before, sessions_found))) and g.ended_at is null
    order by g.id for no key update);
  perform from identity_store.refresh_families f
  where f.grant_id = any (grants_found) and f.ended_at is null order by f.id for no key update;
  select count(*) filter (where identity_store.grant_end(g.id, 'issued_between_revoked')) into grants
  from unnest(grants_found) g (id);
  perform identity_store.session_end(s.id, 'issued_between_revoked') from unnest(sessions_found) s (id);
  sessions := cardinality(sessions_found);
  -- The stolen role may have said what a client publishes. Whoever has the private keys would be that client until the next fetch.
  delete from identity_store.client_key_sets k where k.fetched_at between issued_after and issued_before;
  perform identity_store.audit('issued_between_revoked', null, null, null, jsonb_build_object(
    'issued_after', issued_after, 'issued_before', issued_before, 'used', used, 'sessions', sessions, 'grants', grants));
end
$$;
comment on function identity_store.issued_end(timestamptz, timestamptz, boolean, boolean) is
  'Ends sessions and grants and forgets key sets as identity.revoke_issued_between says, with an audit row; dry_run: only counts them. Returns how many. Raises ID005 in a transaction that may see the past, and as issuing_awaited.';
revoke all on function identity_store.issued_end(timestamptz, timestamptz, boolean, boolean) from public;
