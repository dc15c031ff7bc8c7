-- Front-channel logout: clients are told by the browser that a session has ended (OpenID Connect Front-Channel Logout 1.0).
--
--   identity_store.session_clients         who has to be told; backchannel_logout.sql too
--   identity_store.frontchannel_logouts    logout: what the page after it loads in frames

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

create or replace function identity_store.frontchannel_logouts(session identity_store.sessions)
returns json
language sql volatile parallel unsafe
as $$
  -- §2: iss and sid are added whether the client demands them (frontchannel_logout_session_required) or not.
  select json_agg(json_build_object('redirect_uri', c.frontchannel_logout_uri, 'parameters', json_build_object(
      'iss', identity.configured_issuer(), 'sid', identity_store.session_for(c, session.id))) order by c.id)
  from identity_store.session_clients(session) c
  where c.frontchannel_logout_uri is not null
$$;
comment on function identity_store.frontchannel_logouts(identity_store.sessions) is
  'What is loaded in frames after the end of this session: [{redirect_uri, parameters {iss, sid}}]; NULL when no client wants that.';
revoke all on function identity_store.frontchannel_logouts(identity_store.sessions) from public;
