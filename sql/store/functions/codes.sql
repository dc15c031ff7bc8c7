-- Grants and their authorization codes (RFC 6749 §4.1.2, §10.5; README, decision 9).
--
--   identity_store.grant_issue, code_issue    authorization_response: a grant and its code, when the person has allowed it
--   identity_store.grant_end            replay, revocation, withdrawal
--   identity_store.application_withdraw account page: all a person gave an application
--   identity_store.session_families_end, user_grants_end    end of a session; change of password, disabling
--
--   code:   issued ──redeemed──▶ spent        a second, complete redemption ends the grant
--              └──60 s──▶ expired
--   grant:  live ──▶ ended, with its refresh family; its access tokens are revoked
--
-- Lock order of the whole store: client, user, session, consent, registration, code, grant, family, revocation; several of a kind by id.
-- Who issues locks what it stands on and reads it again; who ends locks the same rows, and so either came first or waits,
-- and then ends what was issued meanwhile. session_find, which never waits, may come before all of it where
-- nothing after it locks a client, a user or another session; everybody else begins with session_read and ends with it.

create or replace function identity_store.grant_issue(
  request jsonb, client identity_store.clients, session identity_store.sessions, scope text[], resources text[], claims jsonb
)
returns identity_store.grants
language plpgsql volatile parallel unsafe
as $$
declare
  granted identity_store.grants;
  noted boolean;
  event uuid;
begin
  -- The id is made under the lock of the statement that writes it: issuing_awaited (revoke_issued.sql) relies on it.
  insert into identity_store.grants
    (id, user_id, client_id, session_id, scope, resources, session_bound, auth_time, acr, amr, claims, created_at)
  values (identity.uuid_v7(), session.user_id, client.id, session.id, grant_issue.scope, grant_issue.resources,
    -- OpenID Connect Core §11: without offline_access, access ends when the person is not there. Plain OAuth knows no presence.
    'openid' = any (grant_issue.scope) and not 'offline_access' = any (grant_issue.scope),
    session.auth_time, session.acr, session.amr, grant_issue.claims, now())
  returning * into granted;
  noted := identity_store.registration_used(client.id);
  event := identity_store.audit('authorization_granted', session.user_id, client.id, session.id,
    jsonb_build_object('grant_id', granted.id, 'response_type', request -> 'parameters' -> 'response_type',
      'scope', array_to_string(grant_issue.scope, ' '), 'resources', grant_issue.resources));
  return granted;
end
$$;
comment on function identity_store.grant_issue(jsonb, identity_store.clients, identity_store.sessions, text[], text[], jsonb) is
  'Writes the grant, what code and tokens stand on, and returns it.';
revoke all on function identity_store.grant_issue(jsonb, identity_store.clients, identity_store.sessions, text[], text[], jsonb) from public;

create or replace function identity_store.code_issue(request jsonb, client identity_store.clients, granted identity_store.grants)
returns text
language plpgsql volatile parallel unsafe
as $$
declare
  p jsonb := request -> 'parameters';
  new_code uuid := identity.uuid_v7();
  code constant text := identity.opaque_token('code', new_code);
begin
  insert into identity_store.authorization_codes
    (id, grant_id, client_id, code_hash, redirect_uri, redirect_uri_given, code_challenge, nonce, expires_at)
  values (new_code, granted.id, client.id, identity.opaque_hash(code), coalesce(p ->> 'redirect_uri', client.redirect_uris[1]),
    p ? 'redirect_uri', p ->> 'code_challenge', p ->> 'nonce', now() + interval '60 seconds');
  return code;
end
$$;
comment on function identity_store.code_issue(jsonb, identity_store.clients, identity_store.grants) is
  'Writes the code of a grant, good for 60 s and once, and returns it.';
revoke all on function identity_store.code_issue(jsonb, identity_store.clients, identity_store.grants) from public;

-- No access token lives longer than a day (clients.access_token_lifetime).
create or replace function identity_store.grant_end(grant_id uuid, reason text)
returns boolean
language plpgsql volatile parallel unsafe
as $$
begin
  update identity_store.grants g set ended_at = now(), end_reason = grant_end.reason
  where g.id = grant_end.grant_id and g.ended_at is null;
  if not found then
    return false;
  end if;
  update identity_store.refresh_families f set ended_at = now(), end_reason = grant_end.reason
  where f.grant_id = grant_end.grant_id and f.ended_at is null;
  perform identity.revoke('grant', grant_end.grant_id::text, now() + interval '25 hours');
  return true;
end
$$;
comment on function identity_store.grant_end(uuid, text) is
  'Ends a grant and its refresh family and revokes its access tokens; false when it had ended before or is unknown.';
revoke all on function identity_store.grant_end(uuid, text) from public;

create or replace function identity_store.application_withdraw(user_id uuid, client_id text)
returns boolean
language plpgsql volatile parallel unsafe
as $$
declare
  ended bigint;
  forgotten bigint;
begin
  -- Nothing there: nothing to lock. What is given at this moment is given after this.
  if not exists (
    select from identity_store.grants g where g.user_id = application_withdraw.user_id
      and g.client_id = application_withdraw.client_id and g.ended_at is null)
    and not exists (
    select from identity_store.consents c where c.user_id = application_withdraw.user_id
      and c.client_id = application_withdraw.client_id) then
    return false;
  end if;
  perform set_config('synchronous_commit', 'on', true);
  perform from identity_store.clients c where c.id = application_withdraw.client_id for key share;
  perform from identity_store.users u where u.id = application_withdraw.user_id for no key update;
  -- Consents first: an authorization that stands on one is waited for, and its grant is then among those that end.
  perform from identity_store.consents c
  where c.user_id = application_withdraw.user_id and c.client_id = application_withdraw.client_id
  order by c.resource for update;
  delete from identity_store.consents c
  where c.user_id = application_withdraw.user_id and c.client_id = application_withdraw.client_id;
  get diagnostics forgotten = row_count;
  select count(*) filter (where identity_store.grant_end(g.id, 'withdrawn')) into ended from (
    select g.id from identity_store.grants g
    where g.user_id = application_withdraw.user_id and g.client_id = application_withdraw.client_id and g.ended_at is null
    order by g.id
  ) g;
  if ended + forgotten = 0 then
    return false;
  end if;
  perform identity_store.audit('application_withdrawn', application_withdraw.user_id, application_withdraw.client_id, null,
    jsonb_build_object('grants', ended));
  return true;
end
$$;
comment on function identity_store.application_withdraw(uuid, text) is
  'Takes back all that a person gave an application: consents, grants, tokens. False when there was nothing.';
revoke all on function identity_store.application_withdraw(uuid, text) from public;

create or replace function identity_store.session_families_end(session_id uuid)
returns void
language sql volatile parallel unsafe
as $$
  select from identity_store.refresh_families f
  where f.session_id = session_families_end.session_id and f.ended_at is null order by f.id for no key update;
  update identity_store.refresh_families f set ended_at = now(), end_reason = 'session_ended'
  where f.session_id = session_families_end.session_id and f.ended_at is null
$$;
comment on function identity_store.session_families_end(uuid) is
  'Ends the refresh families that do not outlive this browser session (OpenID Connect Core §11). Its access tokens are revoked by the session''s own end.';
revoke all on function identity_store.session_families_end(uuid) from public;

create or replace function identity_store.user_grants_end(user_id uuid, reason text)
returns void
language sql volatile parallel unsafe
as $$
  select from identity_store.grants g
  where g.user_id = user_grants_end.user_id and g.ended_at is null order by g.id for no key update;
  update identity_store.grants g set ended_at = now(), end_reason = user_grants_end.reason
  where g.user_id = user_grants_end.user_id and g.ended_at is null;
  select from identity_store.refresh_families f
  where f.user_id = user_grants_end.user_id and f.ended_at is null order by f.id for no key update;
  update identity_store.refresh_families f set ended_at = now(), end_reason = user_grants_end.reason
  where f.user_id = user_grants_end.user_id and f.ended_at is null
$$;
comment on function identity_store.user_grants_end(uuid, text) is
  'Ends every grant and refresh family of a person, offline ones too. Access tokens are the caller''s to revoke (kind user).';
revoke all on function identity_store.user_grants_end(uuid, text) from public;
