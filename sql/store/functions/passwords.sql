-- Passwords: the rule for new ones, and setting one as an administrator.
--
-- identity.user_set_password()                        administrators
-- identity_store.password_fault(), password_check()   user_create, account_password_change

-- NIST SP 800-63B §5.1.1.2: at least 8 characters, no rule about their kinds. The rest
-- is what identity.hash_password takes.
create or replace function identity_store.password_fault(password text)
returns text
language sql immutable parallel safe
as $$
  select case
    when octet_length(password) > 1024 then 'A password has at most 1024 bytes.'
    -- §5.1.1.2: each code point counts as one character, of the form that is hashed: an accent typed by itself is none.
    when length(normalize(password, nfc)) < 8 then 'A password has at least 8 characters.'
    -- Written out, because what [[:cntrl:]] means depends on the locale of the database.
    when password ~ '[\u0001-\u001f\u007f-\u009f]' then 'A password has no control characters.'
  end
$$;
comment on function identity_store.password_fault(text) is 'What keeps a password from being set, as a sentence for the person; NULL: nothing.';
revoke all on function identity_store.password_fault(text) from public;

create or replace function identity_store.password_check(password text)
returns void
language plpgsql immutable parallel safe
as $$
begin
  if identity_store.password_fault(password_check.password) is not null then
    raise exception using errcode = 'ID005', message = 'password: ' || identity_store.password_fault(password_check.password);
  end if;
end
$$;
comment on function identity_store.password_check(text) is 'Returns nothing; raises ID005 when a password may not be set.';
revoke all on function identity_store.password_check(text) from public;

-- Hashed before the person is locked: nobody waits for 25 milliseconds of Argon2.
create or replace function identity.user_set_password(user_id uuid, password text)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  new_phc text;
begin
  perform set_config('synchronous_commit', 'on', true);
  if user_set_password.password is not null then
    perform identity_store.password_check(user_set_password.password);
    new_phc := identity.hash_password(user_set_password.password);
  end if;
  perform identity_store.user_lock(user_set_password.user_id);
  if new_phc is null then
    delete from identity_store.passwords p where p.user_id = user_set_password.user_id;
  else
    insert into identity_store.passwords (user_id, phc) values (user_set_password.user_id, new_phc)
    on conflict on constraint passwords_pkey do update set phc = excluded.phc, changed_at = clock_timestamp();
  end if;
  perform identity_store.user_access_end(user_set_password.user_id, null, 'password_set');
  perform identity_store.audit('password_set', user_set_password.user_id, null, null,
    jsonb_build_object('removed', new_phc is null));
end
$$;
comment on function identity.user_set_password(uuid, text) is
  'Sets the password of a person (NULL: takes it away), ends all their sessions and refresh tokens, and revokes the tokens issued so far. Returns nothing; raises ID004 (hashing is busy, try again), ID005 (unsuitable password), ID006 (no such person).';
revoke all on function identity.user_set_password(uuid, text) from public;
grant execute on function identity.user_set_password(uuid, text) to identity_admin;
