-- Sessions: finding the one a cookie stands for, starting and ending it. The diagram is in migrations/0003_sessions.sql.
--
-- identity.user_sessions(), session_revoke()          administrators
-- identity_store.session_find(), session_read()       every function that is given a session cookie
-- identity_store.session_start(), session_renew()     sign-in
-- identity_store.session_end()                        sign-out, account page, administration

-- README, decision 9: 12 hours idle, 30 days absolute.
create or replace function identity_store.session_idle_lifetime()
returns interval language sql immutable parallel safe as $$ select interval '12 hours' $$;
create or replace function identity_store.session_lifetime()
returns interval language sql immutable parallel safe as $$ select interval '30 days' $$;
comment on function identity_store.session_idle_lifetime() is 'How long a session may lie unused.';
comment on function identity_store.session_lifetime() is 'How long a session lasts at most; its partition is kept longer (partition_settings).';
revoke all on function identity_store.session_idle_lifetime(), identity_store.session_lifetime() from public;

-- All the evidence is in one condition: secret, not ended, neither lifetime over, the person may sign in.
create or replace function identity_store.session_read(session_cookie text)
returns identity_store.sessions
language plpgsql stable parallel safe
as $$
declare
  present constant boolean := identity.require_present(30);
  session constant identity_store.sessions := identity.row_by_id(null::identity_store.sessions,
    identity.opaque_id('ids', session_read.session_cookie));
begin
  if session.secret_hash = identity.opaque_hash(session_read.session_cookie)
    and session.ended_at is null and session.expires_at > now()
    and session.last_seen_at > now() - identity_store.session_idle_lifetime()
    and (identity.row_by_id(null::identity_store.users, session.user_id)).state = 'active' then
    return session;
  end if;
  return null;
end
$$;
comment on function identity_store.session_read(text) is
  'The live session of a cookie; a row of NULLs when there is none, it ended or expired, or the person may not sign in. Writes nothing: for functions on pipelined connections.';
revoke all on function identity_store.session_read(text) from public;

-- skip locked: whoever holds the row is noting the same minute, and nobody should wait for that.
create or replace function identity_store.session_find(session_cookie text)
returns identity_store.sessions
language plpgsql volatile parallel unsafe
as $$
declare
  session identity_store.sessions := identity_store.session_read(session_find.session_cookie);
begin
  if session.last_seen_at < now() - interval '1 minute' then
    update identity_store.sessions s set last_seen_at = now()
    where s.id = session.id and s.ended_at is null and s.id in (
      select l.id from identity_store.sessions l where l.id = session.id for update skip locked);
  end if;
  return session;
end
$$;
comment on function identity_store.session_find(text) is
  'The live session of a cookie as session_read, noting once a minute that it was used. For functions that may write.';
revoke all on function identity_store.session_find(text) from public;

-- The id is made by the statement that writes it, under its lock: issuing_awaited (revoke_issued.sql) relies on it.
create or replace function identity_store.session_start(user_id uuid, amr text[], source text, user_agent text)
returns text
language plpgsql volatile parallel unsafe
as $$
declare
  cookie text;
begin
  with made as materialized (
    select n.id, m.token, m.hash
    from (select identity.uuid_v7() as id offset 0) n, lateral identity.opaque_mint('ids', n.id) m
  ), started as (
    insert into identity_store.sessions (id, user_id, secret_hash, auth_time, acr, amr, source, user_agent, expires_at)
    select made.id, session_start.user_id, made.hash, now(), identity_store.acr_reached(session_start.amr), session_start.amr,
      left(session_start.source, 100), left(session_start.user_agent, 300), now() + identity_store.session_lifetime()
    from made
  )
  select made.token into cookie from made;
  return cookie;
end
$$;
comment on function identity_store.session_start(uuid, text[], text, text) is
  'Makes a session for a person who has just proved who they are. Returns the cookie.';
revoke all on function identity_store.session_start(uuid, text[], text, text) from public;

-- The same person proves it again in the same browser: the cookie changes, so that a stolen one dies; the session, and
-- what applications hold from it, stays. Of two racing sign-ins with one cookie only the first finds the old secret.
create or replace function identity_store.session_renew(
  session identity_store.sessions, amr text[], source text, user_agent text
)
returns text
language plpgsql volatile parallel unsafe
as $$
declare
  cookie constant record := identity.opaque_mint('ids', session.id);
begin
  update identity_store.sessions s
  set secret_hash = cookie.hash, auth_time = now(), last_seen_at = now(),
    acr = identity_store.acr_reached(session_renew.amr), amr = session_renew.amr,
    source = left(session_renew.source, 100), user_agent = left(session_renew.user_agent, 300)
  where s.id = session.id and s.secret_hash = session.secret_hash and s.ended_at is null;
  return case when found then cookie.token end;
end
$$;
comment on function identity_store.session_renew(identity_store.sessions, text[], text, text) is
  'Gives a session a new secret and auth_time. Returns the new cookie; NULL when it ended or was renewed meanwhile.';
revoke all on function identity_store.session_renew(identity_store.sessions, text[], text, text) from public;

create or replace function identity_store.session_end(session_id uuid, reason text)
returns void
language plpgsql volatile parallel unsafe
as $$
declare
  ended identity_store.sessions;
begin
  update identity_store.sessions s set ended_at = now(), end_reason = session_end.reason
  where s.id = session_end.session_id and s.ended_at is null
  returning s.* into ended;
  if found then
    perform set_config('synchronous_commit', 'on', true);
    perform identity.revoke('session', session_end.session_id::text);
    perform identity_store.session_families_end(session_end.session_id);
    perform identity_store.backchannel_logout_queue(ended);
    perform identity_store.audit('session_ended', ended.user_id, null, session_end.session_id,
      jsonb_build_object('reason', session_end.reason));
  end if;
end
$$;
comment on function identity_store.session_end(uuid, text) is
  'Ends a session, refuses its tokens from the next transaction on, ends the refresh families that depend on it, and has its clients told (back-channel logout; front-channel logout when its browser comes by). On one that has ended nothing happens. Returns nothing.';
revoke all on function identity_store.session_end(uuid, text) from public;

-- In the order of ids, so that two who end the same sessions do not wait for each other in a circle.
create or replace function identity_store.sessions_end(user_id uuid, kept_session uuid, reason text)
returns void
language plpgsql volatile parallel unsafe
as $$
begin
  perform identity_store.session_end(s.id, sessions_end.reason)
  from (
    select l.id from identity_store.sessions l
    where l.user_id = sessions_end.user_id and l.ended_at is null and l.expires_at > now()
      and l.id is distinct from sessions_end.kept_session
    order by l.id
  ) s;
end
$$;
comment on function identity_store.sessions_end(uuid, uuid, text) is 'Ends the sessions of a person but one (NULL: all) as session_end. Returns nothing.';
revoke all on function identity_store.sessions_end(uuid, uuid, text) from public;

create or replace function identity_store.sessions_lock(user_id uuid)
returns void
language sql volatile parallel unsafe
as $$
  select from identity_store.sessions s
  where s.user_id = sessions_lock.user_id and s.ended_at is null order by s.id for no key update
$$;
comment on function identity_store.sessions_lock(uuid) is
  'Locks the sessions of a person until the transaction ends, for those who lock grants before they end sessions. Returns nothing.';
revoke all on function identity_store.sessions_lock(uuid) from public;

create or replace function identity.session_revoke(session_id uuid)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform identity_store.session_end(session_revoke.session_id, 'revoked');
  if not exists (select from identity_store.sessions s where s.id = session_revoke.session_id) then
    raise exception using errcode = 'ID006', message = 'there is no such session';
  end if;
end
$$;
comment on function identity.session_revoke(uuid) is
  'Ends a browser session: the browser is signed out, tokens of the session are refused from the next transaction on, and its clients are told (back-channel logout; front-channel logout when its browser comes by). On one that has ended nothing happens. Returns nothing; raises ID006 when there is no such session.';
revoke all on function identity.session_revoke(uuid) from public;
grant execute on function identity.session_revoke(uuid) to identity_admin;

create or replace function identity.user_sessions(user_id uuid)
returns table (
  session_id uuid, started_at timestamptz, last_seen_at timestamptz, expires_at timestamptz, auth_time timestamptz,
  amr text[], source text, user_agent text
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select s.id, s.created_at, s.last_seen_at, s.expires_at, s.auth_time, s.amr, s.source, s.user_agent
  from identity_store.sessions s
  where s.user_id = user_sessions.user_id
    and s.ended_at is null and s.expires_at > now()
    and s.last_seen_at > now() - identity_store.session_idle_lifetime()
  order by s.last_seen_at desc, s.id
$$;
comment on function identity.user_sessions(uuid) is
  'The live browser sessions of a person, last used first; expires_at is the absolute end. What ended is in audit_list(). Raises nothing; no row for an unknown person.';
revoke all on function identity.user_sessions(uuid) from public;
grant execute on function identity.user_sessions(uuid) to identity_admin;
