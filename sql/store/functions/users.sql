-- Users: adding, changing and finding people. OpenID Connect Core §5.1 (standard claims).
--
-- identity.user_create(), user_update(), user_set_roles()    administrators
-- identity.user_read(), user_list(), user_find()             administrators
-- identity_store.user_claims()                               userinfo and ID tokens

create or replace function identity.user_create(profile jsonb, password text default null)
returns uuid
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  new_id uuid := identity.uuid_v7();
begin
  perform set_config('synchronous_commit', 'on', true);
  perform identity_store.profile_check(user_create.profile);
  if user_create.profile ->> 'preferred_username' is null then
    raise exception using errcode = 'ID005', message = 'profile: preferred_username is required';
  end if;
  insert into identity_store.users (id, username) values (new_id, btrim(user_create.profile ->> 'preferred_username'));
  perform identity_store.profile_write(new_id, user_create.profile);
  perform identity_store.audit('user_created', new_id, null, null);
  perform identity_store.user_roles_write(new_id, identity_store.roles_named(user_create.profile))
  where user_create.profile ? 'roles';
  if user_create.password is not null then
    perform identity_store.password_check(user_create.password);
    insert into identity_store.passwords (user_id, phc) values (new_id, identity.hash_password(user_create.password));
  end if;
  return new_id;
end
$$;
comment on function identity.user_create(jsonb, text) is
  'Adds a person. profile: OpenID Connect standard claims, "preferred_username" (required: the name to sign in with), "email", "email_verified", "emails" [{"address", "verified", "primary"}], "roles" ["…"]. '
  'password: 8 characters or more; NULL: none yet. Returns the user id, the `sub` of their tokens. Raises ID005 naming the member, ID007 when a name is taken.';
revoke all on function identity.user_create(jsonb, text) from public;
grant execute on function identity.user_create(jsonb, text) to identity_admin;

create or replace function identity.user_update(user_id uuid, profile jsonb)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  perform identity_store.profile_check(user_update.profile);
  if user_update.profile -> 'preferred_username' = 'null' then
    raise exception using errcode = 'ID005', message = 'profile: preferred_username is required';
  end if;
  perform identity_store.user_lock(user_update.user_id);
  perform identity_store.profile_write(user_update.user_id, user_update.profile);
  perform identity_store.audit('user_updated', user_update.user_id, null, null, jsonb_build_object(
    'members', (select coalesce(jsonb_agg(k order by k), '[]') from jsonb_object_keys(user_update.profile) k)));
  perform identity_store.user_roles_write(user_update.user_id, identity_store.roles_named(user_update.profile))
  where user_update.profile ? 'roles';
end
$$;
comment on function identity.user_update(uuid, jsonb) is
  'Changes the profile of a person by JSON merge patch (RFC 7396): members as for user_create, null removes; "emails" and "roles" replace the whole list. '
  'A new address or phone number is unverified unless the patch says otherwise. Returns nothing; raises ID005 naming the member, ID006 (no such person), ID007 (name taken).';
revoke all on function identity.user_update(uuid, jsonb) from public;
grant execute on function identity.user_update(uuid, jsonb) to identity_admin;

-- One change of a person at a time: everything that writes about one begins here, and so locks in the same order.
create or replace function identity_store.user_lock(user_id uuid)
returns void
language plpgsql volatile parallel unsafe
as $$
begin
  perform from identity_store.users u where u.id = user_lock.user_id and u.state <> 'deleted' for no key update;
  if not found then
    raise exception using errcode = 'ID006', message = 'there is no such user';
  end if;
end
$$;
comment on function identity_store.user_lock(uuid) is 'Locks a person''s row until the transaction ends. Returns nothing; raises ID006 when there is none or it is deleted.';
revoke all on function identity_store.user_lock(uuid) from public;

create or replace function identity_store.roles_named(profile jsonb)
returns text[]
language sql immutable parallel safe
as $$
  select coalesce(array_agg(r), '{}')
  from jsonb_array_elements_text(case when jsonb_typeof(profile -> 'roles') = 'array' then profile -> 'roles' else '[]' end) r
$$;
comment on function identity_store.roles_named(jsonb) is 'The member roles of a profile as an array, empty when null.';
revoke all on function identity_store.roles_named(jsonb) from public;

-- Everything but roles, which are audited by themselves. The patch has passed profile_check.
create or replace function identity_store.profile_write(user_id uuid, patch jsonb)
returns void
language plpgsql volatile parallel unsafe
as $$
begin
  update identity_store.users u
  set username = coalesce(btrim(patch ->> 'preferred_username'), u.username),
    claims = identity_store.merge_patch(u.claims, identity_store.phone_unverified(u.claims, patch)
      - array['preferred_username', 'email', 'email_verified', 'emails', 'roles', 'updated_at']),
    updated_at = now()
  where u.id = profile_write.user_id;
  if patch ?| array['email', 'email_verified', 'emails'] then
    perform identity_store.user_emails_write(profile_write.user_id, patch);
  end if;
  perform identity_store.sign_in_names_write(profile_write.user_id);
end
$$;
comment on function identity_store.profile_write(uuid, jsonb) is
  'Applies a checked profile patch to a person, roles excepted. Returns nothing; raises ID005 and ID007 as user_update.';
revoke all on function identity_store.profile_write(uuid, jsonb) from public;

-- Another number is not verified because the last one was.
create or replace function identity_store.phone_unverified(claims jsonb, patch jsonb)
returns jsonb
language sql immutable parallel safe
as $$
  select case
    when patch ? 'phone_number' and not patch ? 'phone_number_verified'
      and patch -> 'phone_number' is distinct from claims -> 'phone_number'
    then patch || '{"phone_number_verified": null}'
    else patch
  end
$$;
comment on function identity_store.phone_unverified(jsonb, jsonb) is 'The patch, which also removes phone_number_verified when it brings another number and does not say.';
revoke all on function identity_store.phone_unverified(jsonb, jsonb) from public;

create or replace function identity.user_set_roles(user_id uuid, roles text[])
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  fault text := identity_store.profile_fault('roles', coalesce(to_jsonb(user_set_roles.roles), '[]'));
begin
  perform set_config('synchronous_commit', 'on', true);
  if fault is not null then
    raise exception using errcode = 'ID005', message = 'roles: ' || fault;
  end if;
  perform identity_store.user_lock(user_set_roles.user_id);
  perform identity_store.user_roles_write(user_set_roles.user_id, coalesce(user_set_roles.roles, '{}'));
end
$$;
comment on function identity.user_set_roles(uuid, text[]) is
  'Makes these the roles of a person, replacing what was. When a role is taken away, tokens issued so far are refused from the next transaction on. Returns nothing; raises ID005 (malformed role), ID006 (no such person).';
revoke all on function identity.user_set_roles(uuid, text[]) from public;
grant execute on function identity.user_set_roles(uuid, text[]) to identity_admin;
