-- Doctor, roles: whom no policy binds, and who can become more than they are. See doctor.sql.

-- Roles that can act as one of ours: by logging in as a member, or by set role.
create function identity.doctor_members()
returns table (id oid, name text, ours text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  select r.oid, quote_ident(r.rolname), string_agg(g.rolname, ', ' order by g.rolname)
  from pg_roles r
  join pg_roles g on g.rolname in ('identity_admin', 'identity_app', 'identity_gateway', 'identity_sync') and pg_has_role(r.oid, g.oid, 'member')
  -- A superuser is a member of everything.
  where not r.rolsuper
  group by r.oid, r.rolname
$$;
comment on function identity.doctor_members() is
  'Every role but superusers that is one of identity_admin, identity_app, identity_gateway, identity_sync, or a member of them (ours). For identity.doctor. Raises nothing.';
revoke all on function identity.doctor_members() from public;
grant execute on function identity.doctor_members() to identity_owner, identity_admin;

create function identity.doctor_roles()
returns table (code text, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with members as materialized (
    select * from identity.doctor_members()
  ), escapes as (
    -- Predefined roles (PostgreSQL's documentation, 22.5) that read past every privilege of ours, or reach the server's files and programs;
    -- pg_maintain and pg_create_subscription run code of others as their owner.
    -- Distinct, because from PostgreSQL 16 on a membership may come from several grantors.
    select distinct m.member as holder, format('a member of %I', g.rolname) as what,
      format('revoke %I from %I', g.rolname, pg_get_userbyid(m.member)) as remedy
    from pg_auth_members m
    join pg_roles g on g.oid = m.roleid
    where g.rolname in ('pg_read_all_data', 'pg_write_all_data', 'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
        'pg_create_subscription', 'pg_maintain', 'identity_owner')
      or g.rolsuper
    union all
    select r.oid, 'allowed to ' || a.what, format('alter role %I %s', r.rolname, a.remedy)
    from pg_roles r
    cross join lateral (values
      ('make roles, and before PostgreSQL 16 to give itself any', r.rolcreaterole, 'nocreaterole'),
      ('copy the whole cluster', r.rolreplication, 'noreplication')
    ) a (what, has, remedy)
    where a.has and not r.rolsuper
  )
  select 'role_escapes', format('role %I', pg_get_userbyid(e.holder)),
    format('role %I is %s', pg_get_userbyid(e.holder), e.what) || case
      when own.name is not null then format(', and of %s', own.ours)
      else format(', and %s can become it', others.names) end,
    e.remedy
  from escapes e
  left join members own on own.id = e.holder
  left join lateral (
    select string_agg(m.name, ', ' order by m.name) as names from members m where m.id <> e.holder and pg_has_role(m.id, e.holder, 'member')
  ) others on true
  where own.name is not null or others.names is not null
  union all
  select 'role_superuser', format('role %I', r.rolname), format('role %I is a superuser', r.rolname),
    -- PostgreSQL 16 keeps the first one what it is.
    case r.oid when 10 then 'let programs and people log in as other roles' else format('alter role %I nosuperuser', r.rolname) end
  from pg_roles r where r.rolsuper
  union all
  select 'role_bypasses', format('role %I', r.rolname), format('role %I has the attribute BYPASSRLS', r.rolname), format('alter role %I nobypassrls', r.rolname)
  from pg_roles r where r.rolbypassrls and not r.rolsuper
  union all
  select 'role_owns_unforced', format('role %I', o.rolname),
    format('role %I is not bound by the policies of %s of its tables', o.rolname, count(*)),
    'select remedy from identity.lint(allowed => true) where code = ''rls_not_forced'''
  from identity.lint_tables() t join pg_roles o on o.oid = t.owner
  where t.guarded and t.policed and not t.forced and not o.rolsuper and not o.rolbypassrls
  group by o.rolname
  union all
  select 'gateway_login_excess', x.object, format('%s, a login of the gateway, %s', x.object, x.what), x.remedy
  from (
    select format('role %I', r.rolname) as object, x.what, x.remedy
    from pg_roles r
    cross join lateral (
      select 'is a superuser' as what, format('alter role %I nosuperuser', r.rolname) as remedy where r.rolsuper
      union all
      select 'may make databases', format('alter role %I nocreatedb', r.rolname) where r.rolcreatedb and not r.rolsuper
      union all
      select distinct format('is a member of %I', o.rolname), format('revoke %I from %I', o.rolname, r.rolname)
      from pg_auth_members m join pg_roles o on o.oid = m.roleid
      where m.member = r.oid and m.roleid <> 'identity_gateway'::regrole
      union all
      select format('may %s %s', lower(string_agg(acl.privilege_type, ', ' order by acl.privilege_type)), c.oid::regclass),
        format('revoke all on %s from %I', c.oid::regclass, r.rolname)
      from pg_class c cross join lateral (
        select acl.privilege_type from aclexplode(c.relacl) acl where acl.grantee = r.oid
        -- Of a single column too; what is revoked on the table is revoked on its columns.
        union
        select acl.privilege_type from pg_attribute a cross join lateral aclexplode(a.attacl) acl
        where a.attrelid = c.oid and not a.attisdropped and acl.grantee = r.oid
      ) acl
      where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') group by c.oid
      union all
      select format('may execute %s', f.oid::regprocedure), format('revoke execute on %s %s from %I',
        case f.prokind when 'p' then 'procedure' else 'function' end, f.oid::regprocedure, r.rolname)
      from pg_proc f cross join lateral aclexplode(f.proacl) acl
      where acl.grantee = r.oid and not has_function_privilege('identity_gateway', f.oid, 'execute')
      union all
      select format('may create in schema %I', n.nspname), format('revoke create on schema %I from %I', n.nspname, r.rolname)
      from pg_namespace n cross join lateral aclexplode(n.nspacl) acl where acl.grantee = r.oid and acl.privilege_type = 'CREATE'
      union all
      select format('may create schemas in database %I', d.datname), format('revoke create on database %I from %I', d.datname, r.rolname)
      from pg_database d cross join lateral aclexplode(d.datacl) acl where acl.grantee = r.oid and acl.privilege_type = 'CREATE'
    ) x
    where r.rolcanlogin
      and exists (select from pg_auth_members g where g.member = r.oid and g.roleid = 'identity_gateway'::regrole)
  ) x
$$;
comment on function identity.doctor_roles() is
  'Roles that no policy binds, roles of ours that can become more, and what logins of the gateway have too much. For identity.doctor. Raises nothing.';
revoke all on function identity.doctor_roles() from public;
grant execute on function identity.doctor_roles() to identity_owner, identity_admin;
