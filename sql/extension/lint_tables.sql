-- Lint, tables: who reaches which table, whether policies are asked, and what leads past them. See lint.sql.
--
-- What identity.protect_check finds is asked of it, for every table with row-level security; here it only gets its code and, where its
-- hint is advice, a statement.

create function identity.lint_tables()
returns table (id oid, name text, owner oid, relkind "char", guarded boolean, forced boolean, policed boolean, protected boolean, grantees text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with policies as materialized (
    select polrelid, bool_or(polname like 'identity\_%') as protected from pg_policy group by polrelid
  ), ours as materialized (
    select objid from pg_depend where classid = 'pg_class'::regclass and deptype = 'e'
  ), bound as materialized (
    -- Not bound by any policy, or PostgreSQL's own: those are what doctor speaks of.
    select oid from pg_roles where not rolsuper and not rolbypassrls and rolname !~ '^pg_' and rolname <> 'identity_owner'
    union all select 0::oid
  ), privileges as materialized (
    select c.oid, acl.grantee, acl.privilege_type from pg_class c cross join lateral aclexplode(c.relacl) acl where c.relkind in ('r', 'p')
    union all
    select a.attrelid, acl.grantee, acl.privilege_type from pg_attribute a cross join lateral aclexplode(a.attacl) acl where a.attacl is not null
    union all
    -- An application that logs in as the owner of its tables.
    select c.oid, c.relowner, 'SELECT' from pg_class c join pg_roles o on o.oid = c.relowner
    where c.relkind in ('r', 'p') and o.rolcanlogin and pg_has_role(o.oid, 'identity_app', 'usage')
  ), exposed as materialized (
    select p.oid, string_agg(distinct case p.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(p.grantee)) end, ', ') as grantees
    from privileges p
    join bound on bound.oid = p.grantee
    join pg_class c on c.oid = p.oid
    where p.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
      and (p.grantee <> c.relowner or pg_has_role(c.relowner, 'identity_app', 'usage'))
      -- What the owner has by itself is in the list too once anything was granted.
      and (p.grantee <> c.relowner or exists (select from pg_roles o where o.oid = c.relowner and o.rolcanlogin))
    group by p.oid
  )
  select c.oid, c.oid::regclass::text, c.relowner, c.relkind, c.relrowsecurity, c.relforcerowsecurity,
    policies.polrelid is not null, coalesce(policies.protected, false), exposed.grantees
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join policies on policies.polrelid = c.oid
  left join exposed on exposed.oid = c.oid
  where c.relkind in ('r', 'p') and c.relpersistence <> 't'
    and n.nspname not in ('identity', 'identity_store', 'information_schema') and n.nspname !~ '^pg_'
    and not exists (select from ours where ours.objid = c.oid)
$$;
comment on function identity.lint_tables() is
  'The tables that lint looks at: id, name, owner, relkind, whether row-level security is on (guarded) and forced, whether there are policies (policed), those of identity.protect among them (protected), and the ordinary roles that reach it (grantees; NULL: none). For identity.lint. Raises nothing.';
revoke all on function identity.lint_tables() from public;
grant execute on function identity.lint_tables() to identity_owner, identity_admin, identity_app;

create function identity.lint_exposure()
returns table (code text, catalog name, id oid, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with tables as materialized (
    select t.*,
      (select count(*) = 1 from pg_attribute a
       where a.attrelid = t.id and a.attname in ('user_id', 'owner_id', 'owner') and a.atttypid = 'uuid'::regtype and not a.attisdropped) as owned
    from identity.lint_tables() t
  ), above as (
    select i.inhrelid as id, p.guarded or p.policed or p.grantees is not null as reported
    from pg_inherits i join tables p on p.id = i.inhparent
  )
  select case when t.owned then 'rls_off_owned' else 'rls_off' end, 'pg_class'::name, t.id, t.name,
    format('row-level security of %s is off: %s reaches every row', t.name, t.grantees),
    case when t.owned and not exists (select from above where above.id = t.id) then format('select identity.protect(%L)', t.name)
      else format('alter table %s enable row level security, force row level security', t.name) end
  from tables t
  where not t.guarded and not t.policed and t.grantees is not null
    -- One finding for a table and its partitions.
    and not exists (select from above where above.id = t.id and above.reported)
  union all
  select 'policies_without_rls', 'pg_class', t.id, t.name,
    format('%s has policies, and row-level security is off', t.name),
    format('alter table %s enable row level security, force row level security', t.name)
  from tables t
  where t.policed and not t.guarded
  union all
  select 'rls_without_policy', 'pg_class', t.id, t.name,
    format('row-level security of %s is on without a policy: %s gets no row', t.name, t.grantees),
    case when t.owned and not exists (select from above where above.id = t.id) then format('select identity.protect(%L)', t.name)
      else format('revoke all on %s from %s', t.name, t.grantees) end
  from tables t
  where t.guarded and not t.policed and t.grantees is not null
  union all
  select 'public_grant', 'pg_class', c.oid, c.oid::regclass::text,
    format('everybody has %s on %s', g.privileges, c.oid::regclass), format('revoke all on %s from public', c.oid::regclass)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join lateral (
    select string_agg(distinct lower(acl.privilege), ', ' order by lower(acl.privilege)) as privileges
    from identity.protect_privileges(c.oid) acl where acl.grantee = 0
  ) g
  where g.privileges is not null and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't'
    and n.nspname not in ('identity', 'identity_store', 'information_schema') and n.nspname !~ '^pg_'
    and not exists (select from tables t where t.id = c.oid and t.protected)
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  union all
  select 'public_create', 'pg_namespace', n.oid, format('schema %I', n.nspname),
    format('everybody may create objects in schema %I', n.nspname), format('revoke create on schema %I from public', n.nspname)
  from pg_namespace n
  cross join lateral aclexplode(n.nspacl) acl
  where acl.grantee = 0 and acl.privilege_type = 'CREATE' and n.nspname !~ '^pg_'
$$;
comment on function identity.lint_exposure() is
  'Tables that ordinary roles reach without row-level security, policies that are never asked, and what everybody was granted. For identity.lint. Raises nothing.';
revoke all on function identity.lint_exposure() from public;
grant execute on function identity.lint_exposure() to identity_owner, identity_admin, identity_app;

create function identity.lint_ways_past()
returns table (code text, catalog name, id oid, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with found as (
    select t.*, gap.finding, gap.hint,
      case
        when gap.finding ~ '^policy .* is not what protect wrote$' then 'protect_altered'
        when gap.finding ~ '^policy .* is permissive: ' then 'policy_beside_protect'
        when gap.finding ~ '^(partition|child) .* can be queried by itself, ' then 'partition_past_policies'
        when gap.finding ~ '^rows of .* are seen through its parent ' then 'parent_past_policies'
        when gap.finding ~ '^materialized view ' then 'matview_past_policies'
        when gap.finding ~ '^view .* shows all rows of ' then 'view_past_policies'
        when gap.finding ~ '^the owner of .* is not bound by its policies$' then 'rls_not_forced'
        when gap.finding ~ '^row-level security of .* is off$' then 'policies_without_rls'
        when gap.finding ~ '^public has privileges on ' then 'public_grant'
        when gap.finding ~ ' and not its member table .*: its queries will fail$' then 'member_table_unreadable'
        when gap.finding ~ ' may write memberships of its own into .*, and so see rows of ' then 'member_table_writable'
        when gap.finding ~ ' does not inherit identity_app: its queries will fail$' then 'grantee_cannot_authenticate'
        when gap.finding ~ ', which no policy binds$' then 'privilege_past_policies'
        else 'protect_check'
      end as rule,
      -- The relation that the finding is about, where that is another one. Anything may stand between quotation marks.
      regexp_match(gap.finding, '^(?:partition|child|view|materialized view) ' || names.pattern || ' |through its parent ' || names.pattern || ', past its policies$') as other
    from identity.lint_tables() t
    cross join lateral identity.protect_check(t.id::regclass) gap
    cross join (
      select format('(%1$s(?:\.%1$s)?)', '(?:"(?:[^"]|"")+"|[^" .]+)') as pattern
    ) names
    where t.guarded
  ), named as (
    select found.*, coalesce(c.oid, found.id) as about
    from found
    -- Not to_regclass, which refuses whoever may not use the schema.
    left join pg_class c on c.oid::regclass::text = coalesce(found.other[1], found.other[2])
  )
  select distinct on (named.rule, named.about, named.finding) rule, 'pg_class'::name, about, about::regclass::text, finding,
    case
      when rule in ('partition_past_policies', 'matview_past_policies') then format('revoke all on %s from %s', about::regclass, (
        select string_agg(distinct case acl.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end, ', ')
        from identity.protect_privileges(about) acl))
      when rule = 'parent_past_policies' and not (select relispartition from pg_class where oid = named.id)
        then format('alter table %s no inherit %s', name, about::regclass)
      when rule = 'parent_past_policies' then format('alter table %s enable row level security, force row level security', about::regclass)
      when rule = 'public_grant' then format('revoke all on %s from public', name)
      when rule = 'policy_beside_protect' then regexp_replace(finding, '^policy (.*) on (.*) is permissive: .*$', 'drop policy \1 on \2')
      when rule = 'rls_not_forced' then format('alter table %s force row level security', name)
      when rule = 'member_table_writable' then regexp_replace(substr(hint, 6), ' \(or bind them there, [^()]*\)$', '')
      -- At its beginning only: a name may contain anything.
      when hint ~ '^Run: ' then substr(hint, 6)
      else hint
    end
  from named
  -- Of a table that protect never wrote on, only what holds for every table.
  where (protected or rule not in ('protect_altered', 'policy_beside_protect', 'public_grant', 'grantee_cannot_authenticate', 'protect_check',
      'member_table_unreadable', 'member_table_writable'))
    and (rule <> 'rls_not_forced' or grantees is not null)
$$;
comment on function identity.lint_ways_past() is
  'What identity.protect_check finds, of every table with row-level security, with a code and a statement; of tables that protect never wrote on, what holds for every table. For identity.lint. Raises nothing.';
revoke all on function identity.lint_ways_past() from public;
grant execute on function identity.lint_ways_past() to identity_owner, identity_admin, identity_app;

-- The views that protect_check does not speak of: of the owner of a table without FORCE, and those that are reached through another view.
create function identity.lint_views()
returns table (code text, catalog name, id oid, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with recursive edges as materialized (
    select distinct w.ev_class as upper, d.refobjid as lower
    from pg_depend d
    join pg_rewrite w on w.oid = d.objid
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and w.ev_class <> d.refobjid
  ), views as materialized (
    select v.oid, v.relowner, o.rolsuper or o.rolbypassrls as unbound,
      exists (select from identity.protect_privileges(v.oid)) as granted
    from pg_class v
    join pg_roles o on o.oid = v.relowner
    where v.relkind = 'v'
      and not exists (
        select from pg_options_to_table(v.reloptions) option where option.option_name = 'security_invoker' and option.option_value::boolean)
  ), seen (view, lower_view) as (
    select v.oid, v.oid from pg_class v
    where v.relkind = 'v' and exists (select from identity.protect_privileges(v.oid))
    union
    select seen.view, e.lower from seen join edges e on e.upper = seen.lower_view join pg_class v on v.oid = e.lower and v.relkind = 'v'
  )
  select distinct on (views.oid, t.name) 'view_past_policies', 'pg_class'::name, views.oid, views.oid::regclass::text,
    format('view %s shows all rows of %s: it reads with the rights of its owner, whom the policies do not bind', views.oid::regclass, t.name),
    format('alter view %s set (security_invoker = true)', views.oid::regclass)
  from views
  join edges e on e.upper = views.oid
  join identity.lint_tables() t on t.id = e.lower and t.guarded
  where (views.unbound or not t.forced and pg_has_role(views.relowner, t.owner, 'usage'))
    and exists (select from seen where seen.lower_view = views.oid)
    and not (views.unbound and views.granted)
$$;
comment on function identity.lint_views() is
  'Views that show all rows of a table with row-level security, beside those that identity.protect_check finds: of an owner whom a missing FORCE does not bind, or below another view. For identity.lint. Raises nothing.';
revoke all on function identity.lint_views() from public;
grant execute on function identity.lint_views() to identity_owner, identity_admin, identity_app;
