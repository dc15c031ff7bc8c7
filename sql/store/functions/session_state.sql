-- Session management: a client learns by a frame of ours, without a request, that who is signed in has changed (OpenID Connect
-- Session Management 1.0 §3).
--
--   identity.session_state_check    gateway: GET /session-state/check, what the frame asks now and then
--
-- What the client asks that frame about is identity.session_state (extension/session_state.sql). Browser state is a digest of the
-- session's secret, and of the browser cookie while nobody is signed in: it changes with every sign-in and logout, and gives nothing
-- away. The gateway keeps it in a cookie that the frame reads, computing it from those two (web/cookies.rs). No constant stands for
-- nobody: any site could ask the frame about it, and learn whether somebody is signed in.

create or replace function identity.session_state_check(session_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- Read, and not noted as a use: a window that is left open keeps no session alive.
  outcome := case when (identity_store.session_read(session_state_check.session_cookie)).id is null then 'signed_out' else 'ok' end;
  answer := json_build_object();
  return next;
end
$$;
comment on function identity.session_state_check(text) is
  'Whether the session of a browser goes on. Evidence: the session cookie. Outcomes: ok {}; signed_out {} when it is over, or was none. Raises nothing.';
revoke all on function identity.session_state_check(text) from public;
grant execute on function identity.session_state_check(text) to identity_gateway;
