-- Audit: writing down what happened, and reading it.
--
-- identity.audit_kinds(), identity.audit_list()    administrators
-- identity_store.audit()                           every function that changes something worth answering for

create or replace function identity.audit_kinds()
returns table (kind text, meaning text)
language sql immutable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  values
    ('user_created', 'A person was added.'),
    ('user_updated', 'A profile changed; details name the members.'),
    ('user_roles_set', 'A person got other roles; details name added and removed ones.'),
    ('user_disabled', 'A person may not sign in any more; sessions ended, tokens revoked.'),
    ('user_enabled', 'A disabled person may sign in again.'),
    ('user_impersonated', 'An administrator tried what a person may do, in one transaction.'),
    ('user_deleted', 'A person was erased; the id stays taken.'),
    ('password_set', 'An administrator set a password; sessions ended, tokens revoked.'),
    ('password_changed', 'A person changed their own password; their other sessions ended, tokens revoked.'),
    ('session_started', 'A person signed in; details hold how, from where and the failures just before.'),
    ('session_renewed', 'A signed-in person proved again who they are; the cookie changed, the session did not.'),
    ('session_ended', 'A session ended before its time; details hold the reason.'),
    ('backchannel_logout_delivered', 'A client was told that a session ended, and understood.'),
    ('backchannel_logout_failed', 'A client could not be told that a session ended: it refused, or a day went by; details say which.'),
    ('sign_in_failed', 'Failed guesses, counted by bucket and minute; a row stands for many.'),
    ('sign_in_threshold_crossed', 'A bucket reached the number of failures at which somebody should look.'),
    ('client_created', 'A client was registered.'),
    ('client_updated', 'Metadata of a client changed; details name the members.'),
    ('client_secret_rotated', 'A client got another secret; the old one is good for the overlap.'),
    ('client_deleted', 'A client was deleted; its grants ended, its tokens were revoked.'),
    ('client_registered', 'A client registered itself; details hold from where and with what.'),
    ('registration_configured', 'Who may register clients was changed.'),
    ('registration_token_rotated', 'A client that registered itself got another registration access token.'),
    ('registrations_reaped', 'Clients that registered themselves and that nobody used were deleted; details name them.'),
    ('initial_access_token_created', 'An initial access token was minted.'),
    ('initial_access_token_revoked', 'An initial access token was taken back.'),
    ('software_statement_issuer_trusted', 'Software statements of an issuer are believed.'),
    ('software_statement_issuer_distrusted', 'Software statements of an issuer are believed no more.'),
    ('scope_created', 'A scope was added.'),
    ('resource_created', 'A resource was added.'),
    ('consent_given', 'A person allowed a client on the consent page; details hold what.'),
    ('application_withdrawn', 'A person took back all they gave a client.'),
    ('authorization_granted', 'A client got a code or tokens from the authorization endpoint; details hold the grant.'),
    ('code_redeemed', 'A client redeemed its code for tokens.'),
    ('code_replayed', 'A code was redeemed a second time; the grant ended, its tokens were revoked.'),
    ('client_token_issued', 'A client got a token of its own.'),
    ('refresh_token_replayed', 'A refresh token was used long after it was replaced; the grant ended, its tokens were revoked.'),
    ('access_token_revoked', 'A client gave an access token back.'),
    ('refresh_token_revoked', 'A client gave a refresh token back; the grant ended, its tokens were revoked.'),
    ('issued_between_revoked', 'An administrator ended what was issued between two moments; details hold which, and how much it was.'),
    ('revocation_refused', 'A client tried to revoke the token of another one; nothing happened to it.'),
    ('keys_rotated', 'Maintenance brought the next signing keys into use.'),
    ('partition_dropped', 'Maintenance dropped a partition whose retention was over.')
$$;
comment on function identity.audit_kinds() is
  'All kinds of audit events with their meaning: the one list, which a test compares with what the functions write. Returns one row a kind; raises nothing.';
revoke all on function identity.audit_kinds() from public;
grant execute on function identity.audit_kinds() to identity_admin;

-- The actor is who is logged in to the database, not the owner that a security definer function runs as. plpgsql, because
-- it keeps its plan between calls.
create or replace function identity_store.audit(
  kind text, user_id uuid, client_id text, session_id uuid, details jsonb default '{}'
)
returns uuid
language plpgsql volatile parallel unsafe
as $$
declare
  event constant uuid := identity.uuid_v7();
begin
  insert into identity_store.audit_events (id, kind, user_id, client_id, session_id, actor, actor_subject, details)
  values (
    event, audit.kind, audit.user_id, audit.client_id, audit.session_id,
    session_user, identity.subject(), audit.details);
  return event;
end
$$;
comment on function identity_store.audit(text, uuid, text, uuid, jsonb) is
  'Writes one audit event in the caller''s transaction, with the database login and the verified subject as actors. Returns its id; kinds are listed by identity.audit_kinds().';
revoke all on function identity_store.audit(text, uuid, text, uuid, jsonb) from public;

create or replace function identity.audit_list(
  kinds text[] default null,
  of_user uuid default null,
  of_client text default null,
  since timestamptz default null,
  max_rows integer default 100
)
returns table (
  occurred_at timestamptz, kind text, user_id uuid, client_id text, session_id uuid,
  actor text, actor_subject text, details jsonb
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select e.occurred_at, e.kind, e.user_id, e.client_id, e.session_id, e.actor, e.actor_subject, e.details
  from identity_store.audit_events e
  -- The id carries the time: only partitions of the time asked for are opened.
  where e.id >= identity.uuid_v7_floor(
      least(greatest(coalesce(audit_list.since, now() - interval '7 days'), 'epoch'), timestamptz '9999-12-31'))
    and (audit_list.kinds is null or e.kind = any (audit_list.kinds))
    and (audit_list.of_user is null or e.user_id = audit_list.of_user)
    and (audit_list.of_client is null or e.client_id = audit_list.of_client)
  order by e.id desc
  limit least(greatest(coalesce(audit_list.max_rows, 100), 0), 10000)
$$;
comment on function identity.audit_list(text[], uuid, text, timestamptz, integer) is
  'Audit events, newest first. kinds, of_user, of_client: NULL means all; since: from then on, by default seven days back; max_rows: at most 10000. Raises nothing.';
revoke all on function identity.audit_list(text[], uuid, text, timestamptz, integer) from public;
grant execute on function identity.audit_list(text[], uuid, text, timestamptz, integer) to identity_admin;
