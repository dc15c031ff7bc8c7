-- States of people: disabling, enabling, deleting. The diagram is in migrations/0002_users.sql.
--
-- identity.user_disable(), user_enable(), user_delete()    administrators

create or replace function identity.user_disable(user_id uuid)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  perform identity_store.user_lock(user_disable.user_id);
  update identity_store.users u set state = 'disabled', disabled_at = now()
  where u.id = user_disable.user_id and u.state = 'active';
  if found then
    perform identity_store.user_access_end(user_disable.user_id, null, 'user_disabled');
    perform identity_store.audit('user_disabled', user_disable.user_id, null, null);
  end if;
end
$$;
comment on function identity.user_disable(uuid) is
  'Keeps a person from signing in, ends their sessions and refresh tokens, and refuses their tokens from the next transaction on. Again: nothing happens. Returns nothing; raises ID006 when there is no such person.';
revoke all on function identity.user_disable(uuid) from public;
grant execute on function identity.user_disable(uuid) to identity_admin;

create or replace function identity.user_enable(user_id uuid)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  perform identity_store.user_lock(user_enable.user_id);
  update identity_store.users u set state = 'active', disabled_at = null
  where u.id = user_enable.user_id and u.state = 'disabled';
  if found then
    perform identity_store.audit('user_enabled', user_enable.user_id, null, null);
  end if;
end
$$;
comment on function identity.user_enable(uuid) is
  'Lets a disabled person sign in again. What was ended stays ended. On somebody active nothing happens. Returns nothing; raises ID006 when there is no such person.';
revoke all on function identity.user_enable(uuid) from public;
grant execute on function identity.user_enable(uuid) to identity_admin;

-- OpenID Connect Core §2: `sub` is never reassigned; so the row stays, emptied, and everything personal goes.
create or replace function identity.user_delete(user_id uuid)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  perform identity_store.user_lock(user_delete.user_id);
  perform identity_store.sessions_lock(user_delete.user_id);
  perform from identity_store.consents c where c.user_id = user_delete.user_id order by c.client_id, c.resource for update;
  delete from identity_store.consents c where c.user_id = user_delete.user_id;
  perform identity_store.user_access_end(user_delete.user_id, null, 'user_deleted');
  update identity_store.users u
  set state = 'deleted', username = null, claims = '{}', disabled_at = null, deleted_at = now(), updated_at = now()
  where u.id = user_delete.user_id;
  delete from identity_store.sign_in_names s where s.user_id = user_delete.user_id;
  delete from identity_store.user_emails e where e.user_id = user_delete.user_id;
  delete from identity_store.passwords p where p.user_id = user_delete.user_id;
  delete from identity_store.user_roles r where r.user_id = user_delete.user_id;
  update identity_store.sessions s set source = null, user_agent = null where s.user_id = user_delete.user_id;
  perform identity_store.audit('user_deleted', user_delete.user_id, null, null);
end
$$;
comment on function identity.user_delete(uuid) is
  'Erases a person: profile, names, password, roles, consents; ends sessions and tokens as user_disable. The id stays taken, so that no later person gets it, and audit events keep it. Returns nothing; raises ID006 when there is no such person.';
revoke all on function identity.user_delete(uuid) from public;
grant execute on function identity.user_delete(uuid) to identity_admin;

-- clock_timestamp(), not now(): with the person's row locked, whoever was issuing a token meanwhile has finished,
-- possibly after this transaction began.
create or replace function identity_store.user_access_end(user_id uuid, kept_session uuid, reason text)
returns void
language plpgsql volatile parallel unsafe
as $$
begin
  -- Sessions are locked first and ended last: ending one ends families, and those come after grants (codes.sql).
  perform identity_store.sessions_lock(user_access_end.user_id);
  perform identity_store.user_grants_end(user_access_end.user_id, user_access_end.reason);
  perform identity_store.sessions_end(user_access_end.user_id, user_access_end.kept_session, user_access_end.reason);
  perform identity.revoke('user', user_access_end.user_id::text, null, clock_timestamp());
end
$$;
comment on function identity_store.user_access_end(uuid, uuid, text) is
  'Ends all sessions of a person but one (NULL: all) and all refresh families, and revokes the tokens issued so far. Returns nothing.';
revoke all on function identity_store.user_access_end(uuid, uuid, text) from public;
