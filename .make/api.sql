-- Prints sql/API.md from the comments in the catalog of a database that has the extension and the store. By .make/api, and by a test
-- that compares. Sorted byte by byte, so that it is the same everywhere.
\pset tuples_only on
\pset format unaligned
\pset pager off
set search_path = pg_catalog;
set client_min_messages = warning;

-- What would be read as markup.
create function pg_temp.plain(text) returns text immutable language sql
  return regexp_replace(btrim($1), '([*<|])', '\\\1', 'g');

create temporary view functions as
  select f.proname, f.oid, obj_description(f.oid, 'pg_proc') as comment, f.provolatile, f.proparallel,
    array(
      select g.rolname::text from pg_roles g
      where g.rolname in ('identity_app', 'identity_admin', 'identity_gateway', 'identity_sync') and has_function_privilege(g.oid, f.oid, 'execute')
      order by g.rolname collate "C") as roles
  from pg_proc f
  where f.pronamespace = 'identity'::regnamespace;

create function pg_temp.entry(functions) returns text stable language sql
  return format(E'### %s\n\n```sql\nidentity.%s(%s) → %s\n```\n\n%s\n\n*%s*, for %s\n', $1.proname, $1.proname, pg_get_function_arguments($1.oid),
    pg_get_function_result($1.oid), pg_temp.plain($1.comment), case $1.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
    array_to_string($1.roles, ', '));

select E'# SQL API\n\nWhat can be called, from the comments in the catalog (`\\df+ identity.*` says the same). Written by `make api`; a test compares.\n'
  '\n- [For applications](#for-applications): authenticate, readers of the verified identity, protect, lint; what inherits `identity_app` may call'
  '\n- [For administrators](#for-administrators): users, clients, keys, sessions, issuers, doctor; `identity_admin`'
  '\n- [For the gateway](#for-the-gateway): the protocol functions; `identity_gateway`'
  '\n- [For synchronisers](#for-synchronisers): keys of trusted issuers; `identity_sync`'
  '\n- [Parts of lint and doctor](#parts-of-lint-and-doctor)'
  '\n- [Findings of lint](#findings-of-lint), [findings of doctor](#findings-of-doctor)'
  '\n- [Errors](#errors), [settings](#settings), [roles](#roles), [tables](#tables), [types](#types)\n';

select E'## For applications\n';
select pg_temp.entry(f) from functions f
where 'identity_app' = any (f.roles) and f.comment !~ 'For identity\.(lint|doctor)\.' order by f.proname collate "C", f.oid::regprocedure::text collate "C";
select E'## For administrators\n';
select pg_temp.entry(f) from functions f
where 'identity_admin' = any (f.roles) and not 'identity_app' = any (f.roles) and f.comment !~ 'For identity\.(lint|doctor)\.'
order by f.proname collate "C", f.oid::regprocedure::text collate "C";
select E'## For the gateway\n';
select pg_temp.entry(f) from functions f where 'identity_gateway' = any (f.roles) and not f.roles && '{identity_app,identity_admin}'
order by f.proname collate "C", f.oid::regprocedure::text collate "C";
select E'## For synchronisers\n\n' || string_agg(format('- `%s`', f.oid::regprocedure), E'\n' order by f.proname collate "C") || E'\n'
from functions f where 'identity_sync' = any (f.roles);
select E'## Parts of lint and doctor\n\n' || string_agg(
  format('- `identity.%s(%s)`: %s', f.proname, pg_get_function_arguments(f.oid), pg_temp.plain(f.comment)), E'\n' order by f.proname collate "C") || E'\n'
from functions f where f.comment ~ 'For identity\.(lint|doctor)\.';

select E'## Findings of lint\n\nA finding that is meant so is left out once the comment on its object says `@lint allow` and the code.\n';
select format(E'### %s\n\n*%s.* %s\n', code, severity, pg_temp.plain(meaning)) from identity.lint_rules() order by code collate "C";
select E'## Findings of doctor\n';
select format(E'### %s\n\n*%s.* %s\n', code, severity, pg_temp.plain(meaning)) from identity.doctor_rules() order by code collate "C";

select E'## Errors\n\n| SQLSTATE | name | |\n|---|---|---|';
select format('| %s | %s | %s |', sqlstate, name, pg_temp.plain(meaning)) from identity.errors() order by sqlstate collate "C";
select E'\n## Settings\n\n| setting | default | |\n|---|---|---|';
select format('| `%s` | `%s`%s | %s |', name, case when boot_val = '' then ' ' else boot_val end, ' ' || unit, pg_temp.plain(concat_ws(' ', short_desc, extra_desc)))
from pg_settings where name like 'pg\_identity.%' order by name collate "C";
select E'\n## Roles\n\n| role | |\n|---|---|';
select format('| `%s` | %s |', rolname, pg_temp.plain(shobj_description(oid, 'pg_authid'))) from pg_roles
where rolname in ('identity_owner', 'identity_admin', 'identity_gateway', 'identity_app', 'identity_sync') order by rolname collate "C";
select E'\n## Tables\n\nOf the extension, and a view. Only the view is for everybody; the tables are `identity_owner`''s. Those of the store are in `identity_store`.\n';
select format(E'### identity.%s\n\n%s\n\n| column | type | |\n|---|---|---|\n%s\n', c.relname, pg_temp.plain(obj_description(c.oid, 'pg_class')), (
  select string_agg(format('| `%s` | %s | %s |', a.attname, format_type(a.atttypid, a.atttypmod), pg_temp.plain(col_description(c.oid, a.attnum))), E'\n' order by a.attnum)
  from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))
from pg_class c where c.relnamespace = 'identity'::regnamespace and c.relkind in ('r', 'p', 'v') order by c.relname collate "C";
select E'## Types\n\n' || coalesce(string_agg(format('- `%s`: %s', t.oid::regtype, pg_temp.plain(obj_description(t.oid, 'pg_type'))), E'\n' order by t.typname collate "C"), 'None.')
from pg_type t left join pg_class c on c.oid = t.typrelid
where t.typnamespace = 'identity'::regnamespace and t.typelem = 0 and (t.typrelid = 0 or c.relkind = 'c');
