-- Passwords: Argon2id (RFC 9106) in PHC strings. The computing is pg_identity/src/passwords.rs, the limit on it hashing.rs.
--
-- Public: hash_password, verify_password, password_needs_rehash for administrators, on a budget of their own, so that no
-- caller can stop logins.
-- For our own functions: sign_in_slot, sign_in_verify, sign_in_hash.

create function identity.argon2_hash(password text, pepper_id text, pepper bytea, budget text) returns text
language c volatile parallel unsafe cost 200000 as 'MODULE_PATHNAME', 'argon2_hash_wrapper';
comment on function identity.argon2_hash(text, text, bytea, text) is
  'Hashes a password with the current parameters, with a pepper if one is given, in its turn (budget sign_in or administration). Raises ID001, ID003, ID004, ID005.';
revoke all on function identity.argon2_hash(text, text, bytea, text) from public;
grant execute on function identity.argon2_hash(text, text, bytea, text) to identity_owner;

create function identity.argon2_verify(password text, hash text, pepper bytea, budget text) returns boolean
language c volatile parallel unsafe cost 200000 as 'MODULE_PATHNAME', 'argon2_verify_wrapper';
comment on function identity.argon2_verify(text, text, bytea, text) is
  'Whether the password has this hash; pepper is the key that the hash names. Raises ID001, ID003, ID004, ID008, ID009.';
revoke all on function identity.argon2_verify(text, text, bytea, text) from public;
grant execute on function identity.argon2_verify(text, text, bytea, text) to identity_owner;

create function identity.argon2_spend(budget text) returns void
language c volatile parallel unsafe cost 200000 as 'MODULE_PATHNAME', 'argon2_spend_wrapper';
comment on function identity.argon2_spend(text) is
  'Costs as much as one hash with the current parameters and does nothing else. Raises ID001, ID004.';
revoke all on function identity.argon2_spend(text) from public;
grant execute on function identity.argon2_spend(text) to identity_owner;

create function identity.argon2_differs(hash text, pepper_id text) returns boolean
language c stable parallel safe as 'MODULE_PATHNAME', 'argon2_differs_wrapper';
comment on function identity.argon2_differs(text, text) is
  'Whether a new hash with this pepper (NULL: none) would have other parameters. Raises ID001, ID008, ID009.';
revoke all on function identity.argon2_differs(text, text) from public;
grant execute on function identity.argon2_differs(text, text) to identity_owner;

create function identity.password_pepper_id(hash text) returns text
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'password_pepper_id_wrapper';
comment on function identity.password_pepper_id(text) is
  'Id of the pepper that a hash names (its keyid); NULL when it names none. Raises ID008, ID009.';
revoke all on function identity.password_pepper_id(text) from public;
grant execute on function identity.password_pepper_id(text) to identity_owner;

-- The pepper of new hashes: none unless the setting asks for it.
create function identity.password_pepper(out id text, out sealed bytea)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('pg_identity.password_pepper', true)::boolean then
    select key.id, key.sealed into password_pepper.id, password_pepper.sealed from identity.sealed_key('pepper') as key;
  end if;
end
$$;
comment on function identity.password_pepper() is
  'The pepper of new hashes: id and sealed form, NULLs while pg_identity.password_pepper is off. Raises ID002.';
alter function identity.password_pepper() owner to identity_owner;
revoke all on function identity.password_pepper() from public;

-- plpgsql, here and in password_needs_rehash, because it keeps its plan between sign-ins.
create function identity.password_verify(password text, hash text, budget text)
returns boolean
language plpgsql volatile parallel unsafe cost 200000
set search_path = pg_catalog, pg_temp
as $$
begin
  return identity.argon2_verify(password, hash,
    (select key.sealed from identity.sealed_keys as key
     where key.id = identity.password_pepper_id(hash) and key.purpose = 'pepper'),
    budget);
end
$$;
comment on function identity.password_verify(text, text, text) is
  'Whether the password has this hash, within a budget. Raises ID001, ID003, ID004, ID008, ID009.';
alter function identity.password_verify(text, text, text) owner to identity_owner;
revoke all on function identity.password_verify(text, text, text) from public;

create function identity.hash_password(password text)
returns text
language sql volatile strict parallel unsafe cost 200000 security definer
set search_path = pg_catalog, pg_temp
as $$
  select identity.argon2_hash($1, pepper.id, pepper.sealed, 'administration') from identity.password_pepper() as pepper
$$;
comment on function identity.hash_password(text) is
  'Argon2id hash of a password as a PHC string, with the parameters of the settings pg_identity.argon2_* and a random salt of 16 bytes. The password (1 to 1024 bytes, no control characters) is put into Unicode form NFC first. Pass it as a bind parameter only. Raises ID001, ID004 (busy: retry), ID005 (password or settings); with pg_identity.password_pepper also ID002, ID003.';
alter function identity.hash_password(text) owner to identity_owner;
revoke all on function identity.hash_password(text) from public;
grant execute on function identity.hash_password(text) to identity_admin;

create function identity.verify_password(password text, hash text)
returns boolean
language sql volatile strict parallel unsafe cost 200000 security definer
set search_path = pg_catalog, pg_temp
as $$
  select identity.password_verify($1, $2, 'administration')
$$;
comment on function identity.verify_password(text, text) is
  'Whether the password has this hash (PHC string of Argon2id, Argon2i or Argon2d). Raises ID001, ID004 (busy: retry), ID008 (another algorithm), ID009 (malformed, or more than 256 MiB, 1 GiB times passes or 16 lanes: not computed), ID003 for a hash with a pepper.';
alter function identity.verify_password(text, text) owner to identity_owner;
revoke all on function identity.verify_password(text, text) from public;
grant execute on function identity.verify_password(text, text) to identity_admin;

create function identity.password_needs_rehash(hash text)
returns boolean
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  pepper constant record := identity.password_pepper();
begin
  return identity.argon2_differs(hash, pepper.id);
end
$$;
comment on function identity.password_needs_rehash(text) is
  'Whether a hash made now would differ in algorithm, parameters or pepper; then hash again at the next sign-in. Raises ID001, ID002, ID008, ID009.';
alter function identity.password_needs_rehash(text) owner to identity_owner;
revoke all on function identity.password_needs_rehash(text) from public;
grant execute on function identity.password_needs_rehash(text) to identity_admin;

-- Before a hash is computed the attempt takes its slot, and after that reads the counter in a statement of its own: the slot is
-- free only after the attempts before it have committed what they counted (README, decision 11).
create function identity.sign_in_slot(account bytea) returns void
language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'sign_in_slot_wrapper';
comment on function identity.sign_in_slot(bytea) is
  'Waits until fewer than two sign-ins of the account are in flight, at most pg_identity.hash_wait, and counts this one until the transaction has ended, or for 30 s when it was rolled back after a hash. Raises ID001, ID004 (also for a second attempt after a hash in the same transaction).';
revoke all on function identity.sign_in_slot(bytea) from public;
grant execute on function identity.sign_in_slot(bytea) to identity_owner;

create function identity.sign_in_verify(password text, hash text)
returns boolean
language plpgsql volatile parallel unsafe cost 200000 security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if hash is null or password is null then
    -- The same time for an unknown name and a wrong password.
    perform identity.argon2_spend('sign_in');
    return false;
  end if;
  return identity.password_verify(password, hash, 'sign_in');
end
$$;
comment on function identity.sign_in_verify(text, text) is
  'Whether the password has this hash, on the budget of sign-in; false after the same time when the hash is NULL. Raises ID001, ID003, ID004 (busy: retry), ID008, ID009.';
alter function identity.sign_in_verify(text, text) owner to identity_owner;
revoke all on function identity.sign_in_verify(text, text) from public;

create function identity.sign_in_hash(password text)
returns text
language sql volatile strict parallel unsafe cost 200000 security definer
set search_path = pg_catalog, pg_temp
as $$
  select identity.argon2_hash($1, pepper.id, pepper.sealed, 'sign_in') from identity.password_pepper() as pepper
$$;
comment on function identity.sign_in_hash(text) is
  'As hash_password, on the budget of sign-in: for a rehash at sign-in and a change of password by its owner. Raises ID001, ID002, ID003, ID004, ID005.';
alter function identity.sign_in_hash(text) owner to identity_owner;
revoke all on function identity.sign_in_hash(text) from public;
