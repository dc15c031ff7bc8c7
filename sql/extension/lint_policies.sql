-- Lint, policies: what their conditions say, and to whom. See lint.sql.
--
-- A condition is read as PostgreSQL writes it back (pg_get_expr), which is one way only and qualifies every name; which functions it calls
-- is asked of pg_depend (lint_conditions.sql). All findings of one policy have one remedy, because each remedy says the whole condition.

create function identity.lint_policy_facts()
returns table (
  id oid, name name, command "char", permissive boolean, everybody boolean, table_id oid, table_name text, condition text, checked text,
  settings text[], believers oid[], believed text[], calls text
)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with policies as materialized (
    select p.*, t.id, t.name, pg_get_expr(p.polqual, t.id) as condition, pg_get_expr(p.polwithcheck, t.id) as checked
    from identity.lint_tables() t join pg_policy p on p.polrelid = t.id
  ), called as materialized (
    select d.objid as policy, d.refobjid as function
    from pg_depend d where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass
  ), functions as materialized (
    select f.oid, f.provolatile, regexp_replace(format('%I.%I', n.nspname, f.proname), '(\W)', '\\\1', 'g') as pattern,
      case when l.lanname in ('sql', 'plpgsql') and n.nspname <> 'identity'
        then identity.lint_settings(coalesce(pg_get_function_sqlbody(f.oid), f.prosrc)) end as asked
    from pg_proc f
    join pg_namespace n on n.oid = f.pronamespace
    join pg_language l on l.oid = f.prolang
    where f.oid in (select function from called)
  ), asking as materialized (
    select p.oid, identity.lint_settings(concat(p.condition, ' ', p.checked)) as asked
    from policies p where concat(p.condition, p.checked) like '%current\_setting(%'
  ), forgeable as materialized (
    -- Ours refuse everybody; who may set role is decided by memberships.
    select a.name
    from (select unnest(asked) as name from functions union select unnest(asked) from asking) a
    left join pg_settings known on known.name = lower(a.name)
    where a.name !~* '^(role|session_authorization|pg_identity\..*)$'
      and coalesce(known.context in ('user', 'backend'), a.name ~ '\.')
  ), believing as materialized (
    select a.oid, array_agg(a.name order by a.name) as settings
    from (select oid, unnest(asked) as name from functions union select oid, unnest(asked) from asking) a
    join forgeable on forgeable.name = a.name
    group by a.oid
  ), calls as materialized (
    select called.policy,
      identity.lint_calls('current_setting' || coalesce('|' || string_agg(f.pattern, '|' order by f.pattern) filter (where f.provolatile = 's'), '')) as pattern,
      array_agg(f.oid) filter (where b.oid is not null) as believers,
      array_agg(b.settings[1] order by b.settings[1]) filter (where b.oid is not null) as believed
    from called
    join functions f on f.oid = called.function
    left join believing b on b.oid = f.oid
    group by called.policy
  )
  select p.oid, p.polname, p.polcmd, p.polpermissive,
    exists (select from unnest(p.polroles) r where r = 0 or pg_has_role(r, 'identity_app', 'usage')),
    p.id, p.name, p.condition, p.checked,
    b.settings, calls.believers, calls.believed, coalesce(calls.pattern, identity.lint_calls('current_setting'))
  from policies p
  left join believing b on b.oid = p.oid
  left join calls on calls.policy = p.oid
$$;
comment on function identity.lint_policy_facts() is
  'Every policy that lint looks at: its conditions as text, whether it is for everybody or for roles that inherit identity_app, the settings that it believes, functions that believe settings (believers, and the settings they believe), and the pattern of calls that could stand in a sub-select. For identity.lint. Raises nothing.';
revoke all on function identity.lint_policy_facts() from public;
grant execute on function identity.lint_policy_facts() to identity_owner, identity_admin, identity_app;

-- Policies that end in 42P17. PostgreSQL expands the policies of each table that a condition reads, and refuses to expand one twice on the way.
create function identity.lint_recursion()
returns table (policy oid, through text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with recursive policies as materialized (
    select p.oid, p.polrelid, p.polcmd in ('r', '*') as selects, concat(pg_get_expr(p.polqual, t.id), ' ', pg_get_expr(p.polwithcheck, t.id)) as text,
      t.name as table_name, '(?:FROM|JOIN|,)\s+\(*' || regexp_replace(t.name, '(\W)', '\\\1', 'g') || '(?![\w"$.])' as itself
    from identity.lint_tables() t join pg_policy p on p.polrelid = t.id
    where t.guarded
  ), reads as materialized (
    select distinct p.oid, p.polrelid, p.selects, d.refobjid as other
    from policies p
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass
    where d.refobjid <> p.polrelid and d.refobjid in (select polrelid from policies)
  ), reached (policy, home, other, steps) as (
    select r.oid, r.polrelid, r.other, 1 from reads r
    union
    select reached.policy, reached.home, r.other, reached.steps + 1
    from reached join reads r on r.polrelid = reached.other and r.selects
    where reached.steps < 8 and reached.other <> reached.home
  )
  select p.oid, 'itself' from policies p
  -- The pattern only where the name occurs at all: every table has another one to compile.
  where p.text like '%FROM %' and position(p.table_name in p.text) > 0 and p.text ~ p.itself
    -- Without a sub-select in the policies for SELECT there is nothing to expand a second time.
    and (p.selects or exists (select from policies s where s.polrelid = p.polrelid and s.selects and s.text like '%SELECT%'))
  union
  select distinct reached.policy, 'other tables whose policies read it' from reached where reached.other = reached.home
$$;
comment on function identity.lint_recursion() is
  'Policies that read their own table, themselves or through the policies of other tables. For identity.lint. Raises nothing.';
revoke all on function identity.lint_recursion() from public;
grant execute on function identity.lint_recursion() to identity_owner, identity_admin, identity_app;

create function identity.lint_policies()
returns table (code text, catalog name, id oid, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with facts as materialized (
    select * from identity.lint_policy_facts()
  ), judged as materialized (
    select f.*, format('policy %I on %s', f.name, f.table_name) as object, recursion.through,
      coalesce(f.settings, f.believed) is not null as forgeable,
      coalesce(f.condition ~ ('(?<!SELECT )' || f.calls) and identity.lint_bare(f.condition) ~ f.calls, false)
        or coalesce(f.checked ~ ('(?<!SELECT )' || f.calls) and identity.lint_bare(f.checked) ~ f.calls, false) as per_row,
      f.permissive and f.everybody
        and coalesce(f.command in ('w', 'd', '*') and f.condition = 'true' or f.checked = 'true', false) as unchecked,
      f.permissive and f.command in ('w', '*') and f.checked is null and f.condition like '% OR %'
        and identity.lint_bare(f.condition) ~ ' OR ' as branches,
      f.permissive and coalesce(f.condition ~ open.pattern, false) as open
    from facts f
    left join identity.lint_recursion() recursion on recursion.policy = f.id
    cross join (
      select '^\(\(' || reader || ' IS NULL\) OR | OR \(' || reader || ' IS NULL\)\)$' as pattern
      from (values ('(?:\( SELECT )?(?:identity|auth)\.\w+\([^()]*\)(?: AS \w+\))?')) readers (reader)
    ) open
  ), mended as materialized (
    select j.*, instead.condition as new_condition,
      case when j.checked = 'true' and j.unchecked
          then case when j.command = 'a' or j.condition = 'true' then fallback.condition else instead.condition end
        when j.branches then instead.condition
        else identity.lint_mended(j.checked, j.settings, j.believers, j.calls) end as new_check
    from judged j
    left join lateral (
      select coalesce(
        (select identity.lint_mended(s.condition, s.settings, s.believers, s.calls) from facts s
         where s.table_id = j.table_id and s.command in ('r', '*') and s.permissive and s.condition <> 'true' and s.id <> j.id
         order by s.name limit 1),
        '((select identity.subject()) is not null)') as condition
    ) fallback on j.unchecked
    cross join lateral (
      select case when j.unchecked and j.condition = 'true' then fallback.condition
        when j.open then format('(((select identity.subject()) is not null) and %s)',
          identity.lint_mended(j.condition, j.settings, j.believers, j.calls))
        else identity.lint_mended(j.condition, j.settings, j.believers, j.calls) end as condition
    ) instead
    where j.through is not null or j.forgeable or j.per_row or j.unchecked or j.branches or j.open
  ), statements as (
    select m.*, format('alter policy %I on %s', m.name, m.table_name)
      || coalesce(' using (' || case when m.condition is not null then case when m.through is null then m.new_condition else 'false' end end || ')', '')
      || coalesce(' with check (' || case when m.through is null then m.new_check when m.checked is not null then 'false' end || ')', '') as statement
    from mended m
  )
  select found.code, 'pg_policy'::name, s.id, s.object, format('%s %s', s.object, found.what), s.statement
  from statements s
  cross join lateral (values
    ('policy_recursion', s.through is not null, 'reads ' || s.through),
    ('policy_forgeable', s.forgeable, format('believes the setting %s, which whoever can run SQL can set', (s.settings || s.believed)[1])),
    ('policy_per_row', s.per_row, 'calls a function for every row that it could call once a statement'),
    ('policy_writes_unchecked', s.unchecked, 'lets everybody write any row'),
    ('policy_without_check', s.branches, 'has no WITH CHECK: a row may be changed into one that another branch of USING allows'),
    ('policy_open_when_signed_out', s.open, 'allows every row when nobody is signed in')
  ) found (code, holds, what)
  where found.holds
$$;
comment on function identity.lint_policies() is
  'Policies that can be forged, recurse, are open, leave writes unchecked, or ask for every row what holds for the statement. For identity.lint. Raises nothing.';
revoke all on function identity.lint_policies() from public;
grant execute on function identity.lint_policies() to identity_owner, identity_admin, identity_app;
