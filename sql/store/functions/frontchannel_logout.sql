-- Front-channel logout: clients are told by the browser that a session has ended (OpenID Connect Front-Channel Logout 1.0).
--
--   identity.frontchannel_logout_take      gateway: GET /logout/elsewhere
--   identity_store.session_clients         who has to be told; backchannel_logout.sql too
--   identity_store.frontchannel_due        sign-in page: whether this browser has to go there first
--   identity_store.frontchannel_logouts    logout, sign-in: what the page after it loads in frames
--
--   live ──session_end──▶ due ──frontchannel_logouts──▶ told
--
-- Only the browser can tell them, so a session that was ended elsewhere (by an administrator, by its person in another browser)
-- is due until its browser comes back. Its cookie is the evidence; the gateway keeps it until it has asked for the frames.

-- Who has an ID token of this session, or could have got one for its code. The index of grants leads from the person, and the
-- id of a grant is younger than its session: partitions before it are not opened.
create or replace function identity_store.session_clients(session identity_store.sessions)
returns setof identity_store.clients
language sql stable parallel safe
as $$
  select c.* from identity_store.clients c
  where c.id in (
    select g.client_id from identity_store.grants g
    where g.user_id = session.user_id and g.session_id = session.id and 'openid' = any (g.scope)
      and g.id >= identity.uuid_v7_floor(session.created_at - interval '1 minute')
      -- A client that was given the id of one that is gone had no part in it.
      and g.created_at >= c.created_at)
$$;
comment on function identity_store.session_clients(identity_store.sessions) is
  'The clients that a person signed in to by this session (OpenID Connect), each once.';
revoke all on function identity_store.session_clients(identity_store.sessions) from public;

-- The secret of an ended session is evidence of nothing but this browser having had it.
create or replace function identity_store.frontchannel_due(session_cookie text)
returns boolean
language plpgsql stable parallel safe
as $$
declare
  session constant identity_store.sessions := identity.row_by_id(null::identity_store.sessions,
    identity.opaque_id('ids', frontchannel_due.session_cookie));
begin
  return session.secret_hash = identity.opaque_hash(frontchannel_due.session_cookie)
    and session.ended_at is not null and session.frontchannel_told_at is null
    and exists (select from identity_store.session_clients(session) c where c.frontchannel_logout_uri is not null);
end
$$;
comment on function identity_store.frontchannel_due(text) is
  'Whether the session of a cookie has ended and its clients have not been told in this browser; false or NULL if not. Writes nothing: for functions on pipelined connections.';
revoke all on function identity_store.frontchannel_due(text) from public;

create or replace function identity_store.frontchannel_logouts(session_cookie text)
returns json
language plpgsql volatile parallel unsafe
as $$
declare
  session identity_store.sessions;
begin
  -- One statement: of two windows of a browser one has the frames.
  update identity_store.sessions s set frontchannel_told_at = now()
  where s.id = identity.opaque_id('ids', frontchannel_logouts.session_cookie)
    and s.secret_hash = identity.opaque_hash(frontchannel_logouts.session_cookie)
    and s.ended_at is not null and s.frontchannel_told_at is null
    and exists (select from identity_store.session_clients(s) c where c.frontchannel_logout_uri is not null)
  returning s.* into session;
  if not found then
    return null;
  end if;
  -- §2: iss and sid are added whether the client demands them (frontchannel_logout_session_required) or not.
  return (
    select json_agg(json_build_object('redirect_uri', c.frontchannel_logout_uri, 'parameters', json_build_object(
        'iss', identity.configured_issuer(), 'sid', identity_store.session_for(c, session.id))) order by c.id)
    from identity_store.session_clients(session) c
    where c.frontchannel_logout_uri is not null);
end
$$;
comment on function identity_store.frontchannel_logouts(text) is
  'What this browser loads in frames, once, when the session of its cookie has ended: [{redirect_uri, parameters {iss, sid}}]; NULL when the session is live or unknown, when it was given before, and when no client wants that.';
revoke all on function identity_store.frontchannel_logouts(text) from public;

create or replace function identity.frontchannel_logout_take(session_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- Lost in a crash it is told twice.
  perform set_config('synchronous_commit', 'off', true);
  if (identity_store.session_read(frontchannel_logout_take.session_cookie)).id is not null then
    return query select 'ok', 'the session is live', json_build_object();
    return;
  end if;
  return query select 'signed_out', null::text, json_strip_nulls(json_build_object(
    'frames', identity_store.frontchannel_logouts(frontchannel_logout_take.session_cookie)));
end
$$;
comment on function identity.frontchannel_logout_take(text) is
  'A browser whose session was ended elsewhere. Evidence: the session cookie. '
  'Outcomes: signed_out {frames? [{redirect_uri, parameters {iss, sid}}]}, the frames once; ok {} when that session is live. Raises nothing.';
revoke all on function identity.frontchannel_logout_take(text) from public;
grant execute on function identity.frontchannel_logout_take(text) to identity_gateway;
