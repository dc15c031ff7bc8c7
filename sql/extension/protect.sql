-- Protect: row-level security in one line. It says who is let in and what bounds everybody, and writes what a careful DBA would.
--
--   protect(target, …)   owners of tables
--
-- Nothing it writes refers to protect: policies, FORCE ROW LEVEL SECURITY, indexes, column defaults. What it wrote is remembered in the
-- comments of those policies and indexes, so that dump and restore keep it. Security invoker: it can do only what its caller could.

create function identity.protect(
  target regclass,
  owner name default null,
  organization name default null,
  scope_read text default null,
  scope_write text default null,
  role text default null,
  members regclass default null,
  members_row name default null,
  members_key name default null,
  members_user name default null,
  members_write name default null,
  members_writers text[] default null,
  agents text default null,
  replace boolean default false
)
returns void
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp set standard_conforming_strings = on
-- ALTER TABLE waits for running queries, and every new query waits behind it: not for long.
set lock_timeout = '1s'
as $$
declare
  rules jsonb := jsonb_strip_nulls(jsonb_build_object('owner', owner, 'organization', organization, 'scope_read', scope_read,
    'scope_write', scope_write, 'role', role, 'members', members::text, 'members_row', members_row, 'members_key', members_key,
    'members_user', members_user, 'members_write', members_write, 'members_writers', to_jsonb(members_writers),
    'agents', nullif(agents, 'write')));
  relation pg_class;
  before jsonb;
  others regclass[];
  policy record;
  gap record;
begin
  -- Everything that can be refused is refused before anything is locked or changed.
  perform identity.protect_table('target', target);
  if members is not null then
    perform identity.protect_table('members', members);
  end if;
  rules := identity.protect_rules(target, rules);
  perform identity.protect_before(target, rules, replace);
  select p.polname into policy
  from pg_policy p
  join identity.protect_policies(target, rules) written on written.policy = p.polname
  where p.polrelid = target and not identity.protect_wrote(p.oid)
  limit 1;
  if found then
    raise exception using errcode = 'ID007',
      message = format('target %s has a policy %I that protect did not write', target, policy.polname),
      hint = format('Run: drop policy %I on %s, or rename it.', policy.polname, target);
  end if;
  -- Refuses tables too large to be locked for it.
  perform from identity.protect_indexes(target, rules);

  execute format('lock table only %s in access exclusive mode', target);
  select c.* into relation from pg_class c where c.oid = target;
  -- Again, because somebody else may have protected it while this waited for its lock.
  before := identity.protect_before(target, rules, replace);
  others := identity.protect_erase(target);
  perform identity.protect_create_indexes(target, rules);
  rules := rules || jsonb_build_object('made', jsonb_build_object(
    'row_security', not relation.relrowsecurity or coalesce((before #> '{made,row_security}')::boolean, false),
    'force', not relation.relforcerowsecurity or coalesce((before #> '{made,force}')::boolean, false),
    'defaults', identity.protect_set_defaults(target, rules)));

  -- FORCE, because otherwise the owner of the table sees everything, and so does every function it owns.
  if not relation.relrowsecurity then
    execute format('alter table %s enable row level security', target);
  end if;
  if not relation.relforcerowsecurity then
    execute format('alter table %s force row level security', target);
  end if;
  for policy in
    select * from identity.protect_policies(target, rules)
  loop
    execute format('create policy %I on %s as %s for %s to public', policy.policy, target,
        case when policy.permissive then 'permissive' else 'restrictive' end, policy.command)
      || case when policy.command <> 'insert' then format(' using (%s)', policy.condition) else '' end
      || case when policy.command in ('insert', 'update', 'all') then format(' with check (%s)', policy.condition) else '' end;
    execute format('comment on policy %I on %s is %L', policy.policy, target, 'Written by identity.protect: ' || rules::text);
  end loop;
  perform from identity.protect_drop_indexes(target, others);

  for gap in
    select g.finding, g.hint from identity.protect_check(target) g
  loop
    raise warning using message = gap.finding, hint = gap.hint;
  end loop;
end
$$;
comment on function identity.protect(regclass, name, name, text, text, text, regclass, name, name, name, name, text[], text, boolean) is
  'Row-level security in one call. Who is let in, any of: owner, a uuid column that holds identity.user_id(); members, a table that names people (members_user, uuid) beside members_row, which equals members_key of the target, found by foreign keys and names where not given; role, whose holders see and change all rows. Where none of these is given: everybody signed in, within organization or with the scope; with nothing at all, owner is the only one of user_id, owner_id, owner. What bounds everybody, all of: organization, a text or uuid column that holds identity.organization_id(); scope_read for SELECT; scope_write for INSERT, UPDATE, DELETE; agents: deny, read or write (the default: as their person). Members change what they see, or only where members_write (boolean) is true or (text, enum) one of members_writers; with members_writers => ''{}'' they read only. A changed row must be one that its changer may change still. Writes FORCE ROW LEVEL SECURITY, policies, indexes, and defaults of the owner and organization columns where there are none. Called again with the same arguments it writes again what was changed since; with others only where replace is true, and then it replaces all that it wrote before. Waits for its lock one second at most (55P03), and holds it until the transaction ends. Warns of what identity.protect_check finds. Superusers and roles with BYPASSRLS are not bound. Raises, changing nothing: ID005, an argument that cannot be accepted, a table not yours, or too large to index under a lock (the hint says what to run); ID007, the table is protected with other arguments and replace is not true, or a policy of somebody else has the name of one of ours.';
revoke all on function identity.protect(regclass, name, name, text, text, text, regclass, name, name, name, name, text[], text, boolean) from public;
grant execute on function identity.protect(regclass, name, name, text, text, text, regclass, name, name, name, name, text[], text, boolean)
  to identity_owner, identity_admin, identity_app;
