-- Protect: row-level security in one line. Rows of the table belong to the person whose id is in its owner column.
--
--   protect(target, owner)   owners of tables
--
-- It writes what a careful DBA would write by hand, and nothing it writes refers to protect: policies, FORCE ROW LEVEL SECURITY, an index.
-- Security invoker: it can do only what its caller could.

create function identity.protect(target regclass, owner name default null)
returns void
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  -- 64 MB are read in well under a second; longer than that nobody should be locked out.
  largest_to_index constant bigint := 64 * 1024 * 1024;
  relation pg_class;
  owner_number smallint;
  owner_type regtype;
  condition text;
  command text;
  policy text;
  finding record;
begin
  select c.* into relation from pg_class c where c.oid = target;
  if not found then
    raise exception using errcode = 'ID005', message = 'target is not a table';
  end if;
  if relation.relkind not in ('r', 'p') then
    raise exception using errcode = 'ID005',
      message = format('target %s is not a table', target),
      hint = case relation.relkind
        when 'v' then 'Protect the tables under the view, and create the view with (security_invoker = true).'
        when 'f' then 'Rows of a foreign table are protected where they are stored.'
        when 'm' then 'A materialized view holds the rows of whoever refreshed it: query the tables under it.'
        else 'Only tables and partitioned tables have row-level security.'
      end;
  end if;
  if relation.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) then
    raise exception using errcode = 'ID005', message = format('target %s is a table of the system', target);
  end if;
  if not pg_has_role(current_user, relation.relowner, 'usage') then
    raise exception using errcode = 'ID005',
      message = format('target %s belongs to another role', target),
      hint = format('Call protect as %s.', pg_get_userbyid(relation.relowner));
  end if;
  if relation.relispartition then
    raise exception using errcode = 'ID005',
      message = format('target %s is a partition', target),
      hint = 'Protect the partitioned table, and grant privileges on that one only.';
  end if;

  -- Which column.
  if owner is null then
    select min(a.attname) into owner
    from pg_attribute a
    where a.attrelid = target and a.attnum > 0 and not a.attisdropped
      and a.attname in ('user_id', 'owner_id', 'owner') and a.atttypid = 'uuid'::regtype
    having count(*) = 1;
    if owner is null then
      raise exception using errcode = 'ID005',
        message = format('owner is not given, and target %s does not have exactly one of the columns user_id, owner_id, owner of type uuid', target),
        hint = 'Name the column: identity.protect(''…'', owner => ''…'').';
    end if;
  end if;
  select a.attnum, a.atttypid into owner_number, owner_type
  from pg_attribute a
  where a.attrelid = target and a.attname = protect.owner and a.attnum > 0 and not a.attisdropped;
  if not found then
    raise exception using errcode = 'ID005', message = format('owner: target %s has no column %I', target, owner);
  end if;
  if owner_type <> 'uuid'::regtype then
    raise exception using errcode = 'ID005',
      message = format('owner: column %I of %s is of type %s, not uuid', owner, target, owner_type),
      hint = 'The column must hold identity.user_id(). Change its type with: '
        || format('alter table %s alter column %I type uuid using %I::uuid', target, owner, owner);
  end if;

  -- Every query will look for the owner. Nothing has been changed yet.
  if not exists (
    select from pg_index i
    where i.indrelid = target and i.indkey[0] = owner_number and i.indisvalid and i.indpred is null
  ) then
    if (select coalesce(sum(pg_table_size(part.relid)), 0) from pg_partition_tree(target) part) + pg_table_size(target) > largest_to_index then
      raise exception using errcode = 'ID005',
        message = format('target %s has no index on %I and is too large to be locked for making one', target, owner),
        hint = case relation.relkind
          when 'r' then format('Run first, outside a transaction: create index concurrently on %s (%I);', target, owner)
          else format('Run first: create index on only %s (%I); then for each partition, outside a transaction, create index concurrently, and attach it with alter index … attach partition.', target, owner)
        end;
    end if;
    execute format('create index on %s (%I)', target, owner);
  end if;

  -- FORCE, because otherwise the owner of the table sees everything, and so does every function it owns.
  if not relation.relrowsecurity then
    execute format('alter table %s enable row level security', target);
  end if;
  if not relation.relforcerowsecurity then
    execute format('alter table %s force row level security', target);
  end if;

  -- One policy a command. In a sub-select the reader is called once a statement and the index can be used.
  condition := format('(%I = (select identity.user_id()))', owner);
  foreach command in array array['select', 'insert', 'update', 'delete'] loop
    policy := 'identity_' || command;
    if exists (select from pg_policy p where p.polrelid = target and p.polname = policy) then
      execute format('drop policy %I on %s', policy, target);
    end if;
    execute format('create policy %I on %s as permissive for %s to public', policy, target, command)
      || case when command <> 'insert' then ' using ' || condition else '' end
      || case when command in ('insert', 'update') then ' with check ' || condition else '' end;
  end loop;

  -- What would still let somebody see more, or nothing at all.
  for finding in
    select p.polname from pg_policy p
    where p.polrelid = target and p.polpermissive
      and p.polname not in ('identity_select', 'identity_insert', 'identity_update', 'identity_delete')
  loop
    raise warning using
      message = format('policy %I on %s is permissive: its rows are allowed in addition to the owner''s', finding.polname, target),
      hint = 'Drop it, or make it restrictive.';
  end loop;
  for finding in
    select distinct case when acl.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end as grantee
    from pg_class c
    cross join lateral aclexplode(c.relacl) acl
    where c.oid = target and acl.grantee <> c.relowner
      and acl.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
      and case
        when acl.grantee = 0 then true
        when pg_has_role(acl.grantee, 'identity_app', 'usage') then false
        -- A group without login is good when all who can log in through it are.
        else exists (select from pg_roles r where r.oid = acl.grantee and r.rolcanlogin)
          or exists (
            select from pg_roles r
            where r.rolcanlogin and not r.rolsuper and pg_has_role(r.oid, acl.grantee, 'usage')
              and not pg_has_role(r.oid, 'identity_app', 'usage'))
          or not exists (select from pg_roles r where r.rolcanlogin and not r.rolsuper and pg_has_role(r.oid, acl.grantee, 'usage'))
      end
  loop
    raise warning using
      message = format('%s has privileges on %s and does not inherit identity_app: its queries will fail', finding.grantee, target),
      hint = case finding.grantee when 'public' then 'Grant the privileges to roles that inherit identity_app instead.'
        else format('Run: grant identity_app to %s', finding.grantee) end;
  end loop;
  for finding in
    select c.oid::regclass as part
    from pg_partition_tree(target) tree
    join pg_class c on c.oid = tree.relid
    where c.oid <> target and exists (select from aclexplode(c.relacl) acl where acl.grantee <> c.relowner)
  loop
    raise warning using
      message = format('partition %s can be queried by itself, past the policies of %s', finding.part, target),
      hint = format('Run: revoke all on %s from the roles that have privileges on it', finding.part);
  end loop;
end
$$;
comment on function identity.protect(regclass, name) is
  'Lets everybody see and change only rows whose owner column holds identity.user_id(): FORCE ROW LEVEL SECURITY, one policy per command, an index on the column. owner: a uuid column; NULL: the only one of user_id, owner_id, owner. May be called again. Superusers and roles with BYPASSRLS are not bound. Warns of other permissive policies, of grantees that do not inherit identity_app and of partitions with grants of their own. Raises ID005, changing nothing: not a table, not yours, no such column, wrong type, or too large to index under a lock (the hint says what to run).';
revoke all on function identity.protect(regclass, name) from public;
grant execute on function identity.protect(regclass, name) to identity_owner, identity_admin, identity_app;
