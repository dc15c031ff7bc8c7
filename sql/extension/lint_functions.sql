-- Lint, functions: security definer. See lint.sql.

create function identity.lint_functions()
returns table (code text, catalog name, id oid, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with definers as materialized (
    select f.oid, f.oid::regprocedure::text as name, f.proowner, f.prosrc, f.prosqlbody, f.proacl, f.prorettype, f.prokind, n.nspname,
      l.lanname in ('c', 'internal') as compiled,
      o.rolsuper or o.rolbypassrls as unbound,
      (select substr(setting, 13) from unnest(f.proconfig) setting where setting like 'search\_path=%') as path,
      case f.prokind when 'p' then 'procedure' else 'function' end as kind
    from pg_proc f
    join pg_namespace n on n.oid = f.pronamespace
    join pg_language l on l.oid = f.prolang
    join pg_roles o on o.oid = f.proowner
    where f.prosecdef and n.nspname not in ('identity', 'identity_store', 'information_schema') and n.nspname !~ '^pg_'
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e')
      -- What only its owner may execute gives nobody anything.
      and exists (select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) acl where acl.grantee <> f.proowner)
  ), paths as materialized (
    select d.oid, array_agg(btrim(part, ' "') order by place) as schemas
    from definers d
    cross join lateral regexp_split_to_table(d.path, ',') with ordinality parts (part, place)
    group by d.oid
  ), creators as materialized (
    -- Beside the owner of the schema and superusers, from whom nothing is safe anyway.
    select n.nspname, acl.grantee
    from pg_namespace n cross join lateral aclexplode(n.nspacl) acl
    where n.nspname !~ '^pg_' and acl.privilege_type = 'CREATE' and acl.grantee <> n.nspowner
      and not exists (select from pg_roles r where r.oid = acl.grantee and r.rolsuper)
  ), words as materialized (
    select distinct d.oid, lower(word) as word
    from definers d cross join lateral regexp_split_to_table(d.prosrc, '[^\w$]+') word
    where d.prosqlbody is null and not d.compiled
  ), reads as (
    select w.oid, t.id from words w join pg_class c on c.relname = w.word join identity.lint_tables() t on t.id = c.oid
    where t.guarded
    union
    select d.oid, t.id from definers d join pg_depend p on p.classid = 'pg_proc'::regclass and p.objid = d.oid and p.refclassid = 'pg_class'::regclass
    join identity.lint_tables() t on t.id = p.refobjid where t.guarded
    union
    select d.oid, t.id from definers d join pg_class c on c.reltype = d.prorettype join identity.lint_tables() t on t.id = c.oid
    where t.guarded and not d.compiled
  )
  select 'definer_search_path', 'pg_proc'::name, d.oid, d.name,
    format('security definer %s %s %s', d.kind, d.name, case
      when d.path is null then 'has no search_path of its own'
      when open.schema is not null then format('finds what others create in schema %I', open.schema)
      else 'searches temporary tables of its caller first' end),
    format('alter %s %s set search_path = %s, pg_temp', d.kind, d.name,
      case when exists (select from creators c where c.nspname = d.nspname and c.grantee <> d.proowner)
        then 'pg_catalog' else quote_ident(d.nspname) end)
  from definers d
  left join paths p on p.oid = d.oid
  left join lateral (
    select c.nspname as schema from creators c
    where c.nspname = any (p.schemas) and c.grantee <> d.proowner
    order by array_position(p.schemas, c.nspname::text)
    limit 1
  ) open on true
  where d.prosqlbody is null and not d.compiled
    and (d.path is null or open.schema is not null
      or p.schemas <> array[''] and p.schemas[cardinality(p.schemas)] is distinct from 'pg_temp')
  union all
  select 'definer_public', 'pg_proc', d.oid, d.name,
    format('everybody may execute security definer %s %s', d.kind, d.name), format('revoke execute on %s %s from public', d.kind, d.name)
  from definers d
  where exists (select from aclexplode(coalesce(d.proacl, acldefault('f', d.proowner))) acl where acl.grantee = 0)
    -- Event triggers and triggers are called by PostgreSQL alone.
    and d.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
  union all
  select 'definer_reads_protected', 'pg_proc', d.oid, d.name,
    format('security definer %s %s names %s, whose policies do not bind its owner %I', d.kind, d.name,
      string_agg(t.name, ', ' order by t.name), pg_get_userbyid(d.proowner)),
    format('alter %s %s security invoker', d.kind, d.name)
  from definers d
  join reads on reads.oid = d.oid
  join identity.lint_tables() t on t.id = reads.id
  where d.unbound or not t.forced and pg_has_role(d.proowner, t.owner, 'usage')
  group by d.oid, d.name, d.kind, d.proowner
$$;
comment on function identity.lint_functions() is
  'Security definer functions whose names a caller can redirect, that everybody may execute, or that read rows past policies. For identity.lint. Raises nothing.';
revoke all on function identity.lint_functions() from public;
grant execute on function identity.lint_functions() to identity_owner, identity_admin, identity_app;
