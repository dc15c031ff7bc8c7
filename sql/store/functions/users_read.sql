-- Users: reading people, as administrators and as tokens see them. OpenID Connect Core §5.1, §5.4.
--
-- identity.user_read(), user_list(), user_find()    administrators
-- identity_store.user_claims()                      userinfo and ID tokens

-- plpgsql here and in user_claims, because it keeps its plans; a function in SQL is planned at every call. What nobody asked
-- for is not read.
create or replace function identity_store.user_profile(user_id uuid, names text[] default null, more jsonb default '{}')
returns jsonb
language plpgsql stable parallel safe
as $$
declare
  person constant identity_store.users := identity.row_by_id(null::identity_store.users, user_profile.user_id);
  derived jsonb;
begin
  if coalesce(person.state, 'deleted') = 'deleted' then
    return null;
  end if;
  derived := jsonb_build_object('preferred_username', person.username, 'updated_at', floor(extract(epoch from person.updated_at))::bigint);
  if names is null or 'email' = any (names) or 'email_verified' = any (names) then
    derived := derived || coalesce((
      select jsonb_build_object('email', e.address, 'email_verified', e.verified_at is not null)
      from identity_store.user_emails e where e.user_id = person.id and e."primary"), '{}');
  end if;
  if names is null or 'roles' = any (names) then
    derived := derived || jsonb_build_object('roles', coalesce((
      select jsonb_agg(r.role order by r.role) from identity_store.user_roles r where r.user_id = person.id), '[]'));
  end if;
  return case when names is null then person.claims || derived
    else identity.jsonb_members(person.claims, names, identity.jsonb_members(derived, names, more)) end;
end
$$;
comment on function identity_store.user_profile(uuid, text[], jsonb) is
  'All claims about a person; or those with these names, and the members of more. NULL when there is none or it is deleted. No member of the person is null.';
revoke all on function identity_store.user_profile(uuid, text[], jsonb) from public;

-- OpenID Connect Core §5.4: a scope value stands for a set of claims. Which ones are rows, not code.
create or replace function identity_store.user_claims(user_id uuid, scopes text[], more jsonb default '{}')
returns jsonb
language plpgsql stable parallel safe
as $$
declare
  names constant text[] := array(select unnest(s.claims) from identity_store.scopes s where s.name = any (user_claims.scopes));
begin
  return coalesce(identity_store.user_profile(user_claims.user_id, names, more), more);
end
$$;
comment on function identity_store.user_claims(uuid, text[], jsonb) is
  'The claims about a person that these scopes allow to see, without sub and without nulls, and the members of more; more alone when there are none.';
revoke all on function identity_store.user_claims(uuid, text[], jsonb) from public;

create or replace function identity.user_read(user_id uuid)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  person jsonb;
begin
  select jsonb_build_object(
      'sub', u.id, 'state', u.state,
      'created_at', floor(extract(epoch from u.created_at))::bigint,
      'password', exists (select from identity_store.passwords p where p.user_id = u.id),
      'emails', identity_store.user_emails_read(u.id)
    ) || identity_store.user_profile(u.id)
  into person
  from identity_store.users u
  where u.id = user_read.user_id and u.state <> 'deleted';
  if person is null then
    raise exception using errcode = 'ID006', message = 'there is no such user';
  end if;
  return person;
end
$$;
comment on function identity.user_read(uuid) is
  'A person: the profile with all members of user_create, and "sub", "state" (active, disabled), "created_at", "updated_at" (seconds since 1970) and "password" (whether there is one). Raises ID006 when there is no such person.';
revoke all on function identity.user_read(uuid) from public;
grant execute on function identity.user_read(uuid) to identity_admin;

create or replace function identity.user_list(search text default null, max_rows integer default 100)
returns table (
  user_id uuid, state text, username text, name text, email text, email_verified boolean, roles text[],
  created_at timestamptz
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select u.id, u.state, u.username, u.claims ->> 'name', e.address, e.verified_at is not null,
    array(select r.role from identity_store.user_roles r where r.user_id = u.id order by r.role), u.created_at
  from identity_store.users u
  left join identity_store.user_emails e on e.user_id = u.id and e."primary"
  where u.state <> 'deleted'
    and (user_list.search is null or u.id in (
      select s.user_id from identity_store.sign_in_names s
      where starts_with(s.name_key, identity.normalize_name(user_list.search))))
  order by u.username
  limit least(greatest(coalesce(user_list.max_rows, 100), 0), 10000)
$$;
comment on function identity.user_list(text, integer) is
  'People by user name, those without deletion. search: the beginning of a user name or verified address, NULL: all; max_rows: at most 10000. email_verified is NULL without an address. Raises nothing.';
revoke all on function identity.user_list(text, integer) from public;
grant execute on function identity.user_list(text, integer) to identity_admin;

create or replace function identity.user_find(name text)
returns uuid
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select s.user_id from identity_store.sign_in_names s where s.name_key = identity.normalize_name(user_find.name)
$$;
comment on function identity.user_find(text) is
  'The person whom this user name or verified address signs in. Returns the user id, NULL when there is none; raises nothing.';
revoke all on function identity.user_find(text) from public;
grant execute on function identity.user_find(text) to identity_admin;
