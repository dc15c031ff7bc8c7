-- Names of people: mail addresses, roles, and the one table that says which name leads to whom.
--
-- Internal: called by user_create, user_update, user_set_roles and the sign-in. The caller holds the user's row.

-- The addresses of a person as a list {address, verified, primary}, before and after a profile patch.
create or replace function identity_store.user_emails_read(user_id uuid)
returns jsonb
language sql stable parallel safe
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'address', e.address, 'verified', e.verified_at is not null, 'primary', e."primary"
    ) order by e."primary" desc, e.created_at, e.id), '[]')
  from identity_store.user_emails e
  where e.user_id = user_emails_read.user_id
$$;
comment on function identity_store.user_emails_read(uuid) is 'The mail addresses of a person, primary first: [{"address", "verified", "primary"}].';
revoke all on function identity_store.user_emails_read(uuid) from public;

-- What the members emails, email and email_verified of a profile patch make of the addresses:
-- `emails` replaces the whole list; `email` names the primary address, replacing the one that was; a new address is
-- not verified unless the patch says so.
create or replace function identity_store.user_emails_patched(emails jsonb, patch jsonb)
returns table (address text, address_key text, verified boolean, "primary" boolean)
language sql stable parallel safe
as $$
  with listed as (
    select distinct on (identity.normalize_name(e ->> 'address'))
      e ->> 'address' as address,
      identity.normalize_name(e ->> 'address') as address_key,
      coalesce((e ->> 'verified')::boolean, false) as verified,
      coalesce((e ->> 'primary')::boolean, false) as "primary",
      n
    from jsonb_array_elements(case
      when jsonb_typeof(patch -> 'emails') = 'array' then patch -> 'emails'
      when patch ? 'emails' then '[]' else emails end) with ordinality l (e, n)
    order by identity.normalize_name(e ->> 'address'), n
  ), named as (
    select patch ->> 'email' as address, identity.normalize_name(patch ->> 'email') as address_key
  ), kept as (
    select l.address, l.address_key, l.verified, l.n,
      case when patch ? 'email' then coalesce(l.address_key = n.address_key, false) else l."primary" end as "primary"
    from listed l, named n
    -- `email` without `emails` replaces the primary address.
    where not (patch ? 'email' and not patch ? 'emails' and l."primary" and l.address_key is distinct from n.address_key)
    union all
    select n.address, n.address_key, false, 0, true
    from named n
    where n.address is not null and not exists (select from listed l where l.address_key = n.address_key)
  ), ranked as (
    -- There is always one primary address when there is any: the first so marked, else the first.
    select k.*, row_number() over (order by k."primary" desc, k.n) as rank from kept k
  )
  select r.address, r.address_key,
    case when r.rank = 1 and jsonb_typeof(patch -> 'email_verified') = 'boolean'
      then (patch ->> 'email_verified')::boolean else r.verified end,
    r.rank = 1
  from ranked r
$$;
comment on function identity_store.user_emails_patched(jsonb, jsonb) is
  'The addresses that result from a profile patch, with exactly one primary if there are any. Returns one row an address; raises nothing.';
revoke all on function identity_store.user_emails_patched(jsonb, jsonb) from public;

create or replace function identity_store.user_emails_write(user_id uuid, patch jsonb)
returns void
language plpgsql volatile parallel unsafe
as $$
declare
  before jsonb := identity_store.user_emails_read(user_emails_write.user_id);
begin
  -- Two steps for the primary mark, because a unique index is checked row by row.
  update identity_store.user_emails e set "primary" = false where e.user_id = user_emails_write.user_id and e."primary";
  delete from identity_store.user_emails e
  where e.user_id = user_emails_write.user_id
    and e.address_key not in (select p.address_key from identity_store.user_emails_patched(before, patch) p);
  insert into identity_store.user_emails as e (id, user_id, address, address_key, verified_at, "primary")
  select identity.uuid_v7(), user_emails_write.user_id, p.address, p.address_key,
    case when p.verified then now() end, p."primary"
  from identity_store.user_emails_patched(before, patch) p
  -- One order for all: two who add the same addresses at once wait for each other in turn, not in a circle.
  order by p.address_key
  on conflict on constraint user_emails_user_id_address_key_key do update set
    address = excluded.address,
    verified_at = case when excluded.verified_at is not null then coalesce(e.verified_at, excluded.verified_at) end,
    "primary" = excluded."primary";
  if patch ->> 'email_verified' = 'true' and not exists (
    select from identity_store.user_emails e where e.user_id = user_emails_write.user_id
  ) then
    raise exception using errcode = 'ID005', message = 'profile: email_verified needs an email';
  end if;
exception
  when unique_violation then
    raise exception using errcode = 'ID007', message = 'profile: email is a verified address of somebody else';
end
$$;
comment on function identity_store.user_emails_write(uuid, jsonb) is
  'Applies the address members of a profile patch. Returns nothing; raises ID005 (email_verified without an address), ID007 (verified address of somebody else).';
revoke all on function identity_store.user_emails_write(uuid, jsonb) from public;

create or replace function identity_store.sign_in_names_write(user_id uuid)
returns void
language plpgsql volatile parallel unsafe
as $$
begin
  with names as (
    select identity.normalize_name(u.username) as name_key
    from identity_store.users u
    where u.id = sign_in_names_write.user_id and u.username is not null
    union
    select e.address_key
    from identity_store.user_emails e
    where e.user_id = sign_in_names_write.user_id and e.verified_at is not null
  ), dropped as (
    delete from identity_store.sign_in_names s
    where s.user_id = sign_in_names_write.user_id and s.name_key not in (select n.name_key from names n)
  )
  insert into identity_store.sign_in_names (name_key, user_id)
  select n.name_key, sign_in_names_write.user_id
  from names n
  where not exists (
    select from identity_store.sign_in_names s
    where s.name_key = n.name_key and s.user_id = sign_in_names_write.user_id)
  order by n.name_key;
exception
  when unique_violation then
    raise exception using errcode = 'ID007',
      message = 'profile: preferred_username or email already leads to somebody else';
end
$$;
comment on function identity_store.sign_in_names_write(uuid) is
  'Brings sign_in_names in line with a person''s user name and verified addresses. Returns nothing; raises ID007 when a name is somebody else''s.';
revoke all on function identity_store.sign_in_names_write(uuid) from public;

-- A role taken away ends with the next transaction, not when the token runs out.
create or replace function identity_store.user_roles_write(user_id uuid, roles text[])
returns void
language plpgsql volatile parallel unsafe
as $$
declare
  added text[];
  removed text[];
begin
  with gone as (
    delete from identity_store.user_roles r
    where r.user_id = user_roles_write.user_id and r.role <> all (user_roles_write.roles)
    returning r.role
  )
  select coalesce(array_agg(g.role order by g.role), '{}') into removed from gone g;
  with new as (
    insert into identity_store.user_roles (user_id, role)
    select distinct user_roles_write.user_id, r from unnest(user_roles_write.roles) r
    on conflict do nothing
    returning role
  )
  select coalesce(array_agg(n.role order by n.role), '{}') into added from new n;
  if removed <> '{}' then
    perform identity.revoke('user', user_roles_write.user_id::text, null, clock_timestamp());
  end if;
  if removed <> '{}' or added <> '{}' then
    perform identity_store.audit('user_roles_set', user_roles_write.user_id, null, null,
      jsonb_build_object('added', added, 'removed', removed));
  end if;
end
$$;
comment on function identity_store.user_roles_write(uuid, text[]) is
  'Makes these the roles of a person; when one is taken away, tokens issued so far are revoked. Returns nothing; raises check_violation on a malformed role.';
revoke all on function identity_store.user_roles_write(uuid, text[]) from public;
