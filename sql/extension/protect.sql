-- Protect: row-level security in one line. Rows of the table belong to the person whose id is in its owner column.
--
--   protect(target, owner)   owners of tables
--   protect_check(target)    the same, later and at any time
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
  gap record;
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

  for gap in
    select g.finding, g.hint from identity.protect_check(target) g
  loop
    raise warning using message = gap.finding, hint = gap.hint;
  end loop;
end
$$;
comment on function identity.protect(regclass, name) is
  'Lets everybody see and change only rows whose owner column holds identity.user_id(): FORCE ROW LEVEL SECURITY, one policy per command, an index on the column. owner: a uuid column; NULL: the only one of user_id, owner_id, owner. May be called again. Superusers and roles with BYPASSRLS are not bound. Warns of what identity.protect_check finds. Raises ID005, changing nothing: not a table, not yours, no such column, wrong type, or too large to index under a lock (the hint says what to run).';
revoke all on function identity.protect(regclass, name) from public;
grant execute on function identity.protect(regclass, name) to identity_owner, identity_admin, identity_app;

-- What would still let somebody see more, or nothing at all.
create function identity.protect_check(target regclass)
returns table (finding text, hint text)
language plpgsql stable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select case when c.relrowsecurity then format('the owner of %s is not bound by its policies', target)
        else format('row-level security of %s is off', target) end,
      format('Run: select identity.protect(%L)', target::text)
    from pg_class c
    where c.oid = target and not (c.relrowsecurity and c.relforcerowsecurity);

  -- PostgreSQL writes a policy back in one way only, whatever its search_path says here.
  return query
    select format('policy %I on %s is not what protect wrote', 'identity_' || command, target),
      format('Run: select identity.protect(%L)', target::text)
    from unnest(array['select', 'insert', 'update', 'delete']) command
    where not exists (
      select from pg_policy p
      where p.polrelid = target and p.polname = 'identity_' || command and p.polpermissive and p.polroles = '{0}'
        and coalesce(pg_get_expr(p.polqual, target), pg_get_expr(p.polwithcheck, target))
          ~ '^\([^()]+ = \( SELECT identity\.user_id\(\) AS user_id\)\)$'
        and coalesce(pg_get_expr(p.polwithcheck, target) = pg_get_expr(p.polqual, target), true));

  return query
    select format('policy %I on %s is permissive: its rows are allowed in addition to the owner''s', p.polname, target),
      'Drop it, or make it restrictive.'
    from pg_policy p
    where p.polrelid = target and p.polpermissive
      and p.polname not in ('identity_select', 'identity_insert', 'identity_update', 'identity_delete');

  return query
    select format('%s has privileges on %s and does not inherit identity_app: its queries will fail', g.grantee, target),
      case g.grantee when 'public' then 'Grant the privileges to roles that inherit identity_app instead.'
        else format('Run: grant identity_app to %s', g.grantee) end
    from (
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
    ) g;

  -- TRUNCATE empties the table for everybody, a trigger sees every row that anybody writes, a foreign key finds rows that are hidden:
  -- GRANT ALL gives all three.
  return query
    select format('%s has %s on %s, which no policy binds', g.grantee, g.privileges, target),
      format('Run: revoke %s on %s from %s', g.privileges, target, g.grantee)
    from (
      select case when acl.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end as grantee,
        string_agg(lower(acl.privilege_type), ', ' order by acl.privilege_type) as privileges
      from pg_class c
      cross join lateral aclexplode(c.relacl) acl
      where c.oid = target and acl.grantee <> c.relowner and acl.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER')
        and not exists (select from pg_roles r where r.oid = acl.grantee and r.rolsuper)
      group by acl.grantee
    ) g;

  -- PostgreSQL asks the policies of the table that a query names, and of no other.
  return query
    with recursive below (part) as (
      select i.inhrelid from pg_inherits i where i.inhparent = target
      union
      select i.inhrelid from below join pg_inherits i on i.inhparent = below.part
    )
    select format('%s %s can be queried by itself, past the policies of %s',
        case when c.relispartition then 'partition' else 'child' end, c.oid::regclass, target),
      format('Run: revoke all on %s from the roles that have privileges on it', c.oid::regclass)
    from below
    join pg_class c on c.oid = below.part
    where not c.relrowsecurity and exists (select from aclexplode(c.relacl) acl where acl.grantee <> c.relowner);
  return query
    with recursive above (whole) as (
      select i.inhparent from pg_inherits i where i.inhrelid = target
      union
      select i.inhparent from above join pg_inherits i on i.inhrelid = above.whole
    )
    select format('rows of %s are seen through its parent %s, past its policies', target, c.oid::regclass),
      format('Protect %s too, or run: alter table %s no inherit %s', c.oid::regclass, target, c.oid::regclass)
    from above
    join pg_class c on c.oid = above.whole
    where not c.relrowsecurity;

  return query
    select distinct format(
        case v.relkind when 'm' then 'materialized view %s holds a copy of rows of %s, which no policy guards'
          else 'view %s shows all rows of %s: it reads with the rights of its owner, whom no policy binds' end, v.oid::regclass, target),
      case v.relkind when 'm' then format('Run: revoke all on %s from the roles that have privileges on it', v.oid::regclass)
        else format('Run: alter view %s set (security_invoker = true)', v.oid::regclass) end
    from pg_depend d
    join pg_rewrite w on w.oid = d.objid
    join pg_class v on v.oid = w.ev_class
    join pg_roles o on o.oid = v.relowner
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = target
      and exists (select from aclexplode(v.relacl) acl where acl.grantee <> v.relowner)
      and (v.relkind = 'm'
        or v.relkind = 'v' and (o.rolsuper or o.rolbypassrls) and not exists (
          select from pg_options_to_table(v.reloptions) option
          where option.option_name = 'security_invoker' and option.option_value::boolean));
end
$$;
comment on function identity.protect_check(regclass) is
  'What lets somebody past the policies of a protected table, or keeps everybody out, each with a hint: row-level security that is off or does not bind the owner; policies that are not as protect wrote them, and others that are permissive; grantees that do not inherit identity_app; privileges to truncate, to reference and to make triggers; partitions, children and parents that can be queried by themselves; materialized views, and views of owners whom no policy binds. No row: nothing found. NULL gives no row. Raises nothing.';
revoke all on function identity.protect_check(regclass) from public;
grant execute on function identity.protect_check(regclass) to identity_owner, identity_admin, identity_app;
