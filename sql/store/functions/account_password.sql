-- Account: change of one's own password. The old one is demanded, under the same protection as a sign-in: whoever
-- found an open browser shall not guess it either.
--
-- identity.account_password_change()    gateway: POST /password

create or replace function identity.account_password_change(
  session_cookie text, old_password text, new_password text, source text
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present identity_store.sessions := identity_store.session_read(account_password_change.session_cookie);
  stored identity_store.passwords;
  key bytea;
  source_key bytea := identity.keyed_hash('sign_in_bucket',
    'source:' || identity_store.sign_in_source(account_password_change.source));
  seconds integer;
  fault text := identity_store.password_fault(coalesce(account_password_change.new_password, ''));
begin
  if present.id is null then
    return query select 'sign_in', null::text, json_build_object();
    return;
  elsif fault is not null then
    return query select 'invalid_password', null::text, json_build_object('error_description', fault);
    return;
  end if;

  key := identity.keyed_hash('sign_in_bucket', 'password:' || present.user_id);
  seconds := identity_store.sign_in_admit('account', key, source_key);
  if seconds is not null then
    return query select 'slow_down', 'account or source bucket', json_build_object('retry_after', seconds);
    return;
  end if;
  select p.* into stored from identity_store.passwords p where p.user_id = present.user_id;
  if not identity.sign_in_verify(coalesce(account_password_change.old_password, ''), stored.phc)
    or not identity_store.account_password_replace(present, stored.changed_at, account_password_change.new_password)
  then
    perform set_config('synchronous_commit', 'off', true);
    perform identity_store.sign_in_failed('account', key, present.user_id);
    if source_key is not null then
      perform identity_store.sign_in_failed('source', source_key, null);
    end if;
    return query select 'invalid_credentials', null::text, json_build_object();
    return;
  end if;
  perform identity_store.sign_in_succeeded('account', key);
  return query select 'ok', null::text, json_build_object();
end
$$;
comment on function identity.account_password_change(text, text, text, text) is
  'Changes the person''s own password, ends their other sessions and all refresh tokens, and revokes the tokens issued so far. source: address of the browser, counted. '
  'Outcomes: ok {}, sign_in {}, invalid_credentials {} (the old password is wrong), slow_down {retry_after seconds}, invalid_password {error_description}. Raises ID004 when hashing is busy.';
revoke all on function identity.account_password_change(text, text, text, text) from public;
grant execute on function identity.account_password_change(text, text, text, text) to identity_gateway;

-- The old password was right when it was read; it counts if it still is, with the person locked.
create or replace function identity_store.account_password_replace(
  present identity_store.sessions, changed_at timestamptz, new_password text
)
returns boolean
language plpgsql volatile parallel unsafe
as $$
declare
  new_phc text := identity.sign_in_hash(account_password_replace.new_password);
begin
  perform set_config('synchronous_commit', 'on', true);
  perform identity_store.user_lock(present.user_id);
  update identity_store.passwords p set phc = new_phc, changed_at = clock_timestamp()
  where p.user_id = present.user_id and p.changed_at = account_password_replace.changed_at;
  if not found then
    return false;
  end if;
  perform identity_store.user_access_end(present.user_id, present.id, 'password_changed');
  perform identity_store.audit('password_changed', present.user_id, null, present.id);
  return true;
end
$$;
comment on function identity_store.account_password_replace(identity_store.sessions, timestamptz, text) is
  'Sets the password of the person whose session this is, if it has not changed since changed_at. Returns whether it did.';
revoke all on function identity_store.account_password_replace(identity_store.sessions, timestamptz, text) from public;
