-- Lint, columns and indexes: what policies cost, and what unique indexes tell. See lint.sql.

-- Columns by which policies tell rows apart: those that a policy names outside of sub-selects.
create function identity.lint_policy_columns()
returns table (table_id oid, number smallint, name text, compared boolean)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with conditions as materialized (
    select distinct p.polrelid, d.refobjsubid::smallint as number, pg_get_expr(p.polqual, p.polrelid) as condition
    from identity.lint_tables() t
    join pg_policy p on p.polrelid = t.id
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass
      and d.refobjid = p.polrelid and d.refobjsubid > 0
    where t.guarded
  ), bare as materialized (
    select c.condition, identity.lint_bare(c.condition) as text from (select distinct condition from conditions) c
  ), columns as materialized (
    select c.polrelid, c.number, quote_ident(a.attname) as name, b.text,
      -- With a column of another table or a call that is not of the row; = a literal is a choice among few.
      '(?<![\w".])' || regexp_replace(quote_ident(a.attname), '(\W)', '\\\1', 'g') as pattern, a.atttypid
    from conditions c
    join pg_attribute a on a.attrelid = c.polrelid and a.attnum = c.number
    left join bare b on b.condition = c.condition
  )
  select polrelid, number, name,
    coalesce(bool_or(atttypid <> 'boolean'::regtype
      and (text ~ (pattern || '\)?(?:::\w+)? = (?!''''|\(''''|true|false|\d)') or text ~ ('(?<!'''')(?<!''::text) = \(?' || pattern || '(?![\w".])'))), false)
  from columns
  group by polrelid, number, name
$$;
comment on function identity.lint_policy_columns() is
  'Columns that the policies of a table name; compared: with = to something that is no literal, outside of sub-selects. For identity.lint. Raises nothing.';
revoke all on function identity.lint_policy_columns() from public;
grant execute on function identity.lint_policy_columns() to identity_owner, identity_admin, identity_app;

create function identity.lint_columns()
returns table (code text, catalog name, id oid, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  select 'policy_column_unindexed', 'pg_class'::name, c.oid, c.oid::regclass::text,
    format('policies compare column %s of %s, and no index begins with it', p.name, c.oid::regclass),
    -- PostgreSQL makes no index of a partitioned table concurrently.
    format('create index %son %s (%s)', case c.relkind when 'r' then 'concurrently ' else '' end, c.oid::regclass, p.name)
  from identity.lint_policy_columns() p
  join pg_class c on c.oid = p.table_id
  where p.compared and not exists (
    select from pg_index i where i.indrelid = p.table_id and i.indkey[0] = p.number and i.indisvalid and i.indpred is null)
$$;
comment on function identity.lint_columns() is
  'Columns that policies compare and that no index begins with. For identity.lint. Raises nothing.';
revoke all on function identity.lint_columns() from public;
grant execute on function identity.lint_columns() to identity_owner, identity_admin, identity_app;

create function identity.lint_indexes()
returns table (code text, catalog name, id oid, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with policy_columns as materialized (
    select * from identity.lint_policy_columns()
  ), indexes as materialized (
    select i.*, t.name as table_name, c.oid as constraint_id, c.conname, c.contype, c.conexclop, x.relam,
      obj_description(i.indexrelid, 'pg_class') as comment
    from identity.lint_tables() t
    join pg_index i on i.indrelid = t.id and i.indisvalid
    join pg_class x on x.oid = i.indexrelid
    left join pg_constraint c on c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')
    where t.guarded and not x.relispartition
  ), leaky as (
    select i.*
    from indexes i
    join pg_opclass o on o.oid = i.indclass[0]
    where not exists (
        select from pg_amop m join pg_operator p on p.oid = m.amopopr join pg_proc f on f.oid = p.oprcode
        where m.amopfamily = o.opcfamily and m.amoplefttype = o.opcintype and m.amoppurpose = 's' and f.proleakproof)
      and not exists (select from policy_columns p where p.table_id = i.indrelid and p.number = i.indkey[0])
  ), revealing as (
    select i.*, first.name as tenant, first.number as tenant_number
    from indexes i
    cross join lateral (
      select p.name, p.number from policy_columns p where p.table_id = i.indrelid order by p.compared desc, p.number limit 1
    ) first
    cross join lateral (
      -- An exclusion may compare with <>, and so look for the rows of everybody else.
      select array_agg(key.number) as columns
      from unnest((string_to_array(i.indkey::text, ' ')::smallint[])[1:i.indnkeyatts]) with ordinality key (number, place)
      left join pg_operator o on o.oid = i.conexclop[key.place]
      where coalesce(o.oprname = '=', true)
    ) same
    where (i.indisunique or i.contype = 'x')
      -- A key with a column that policies tell rows apart by; a key that nobody guesses or that the database counts up.
      and not exists (select from policy_columns p where p.table_id = i.indrelid and p.number = any (same.columns))
      and not exists (
        select from pg_attribute a
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = i.indrelid and a.attnum = any (same.columns)
          and (a.atttypid = 'uuid'::regtype or a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\('))
  )
  select 'index_not_leakproof', 'pg_class'::name, l.indexrelid, l.indexrelid::regclass::text,
    format('no operator of index %s is leakproof: it serves no condition of a query under the policies of %s', l.indexrelid::regclass, l.table_name),
    case when l.constraint_id is null then format('drop index %s', l.indexrelid::regclass)
      -- The constraint needs it: whoever has seen this says so.
      else format('comment on index %s is %L', l.indexrelid::regclass, concat_ws(' ', l.comment, '@lint allow index_not_leakproof')) end
  from leaky l
  union all
  select 'unique_reveals', 'pg_class', r.indexrelid, r.indexrelid::regclass::text,
    case r.contype when 'x' then format('exclusion constraint %s tells whether a row conflicts with a hidden one of %s', r.indexrelid::regclass, r.table_name)
      else format('unique index %s tells whether a hidden row of %s has the same value', r.indexrelid::regclass, r.table_name) end,
    case
      -- What refers to it or is more than columns cannot be made anew in one statement.
      when exists (select from pg_constraint f where f.contype = 'f' and f.conindid = r.indexrelid)
        or r.contype is null and not (r.indexprs is null and r.indpred is null and r.indnatts = r.indnkeyatts)
        -- Without btree_gist, GiST compares few types; and a column that is in the key already is there for a reason.
        or r.contype = 'x' and (r.tenant_number = any (string_to_array(r.indkey::text, ' ')::smallint[]) or not exists (
          select from pg_attribute a join pg_opclass o on o.opcintype = a.atttypid and o.opcmethod = r.relam and o.opcdefault
          where a.attrelid = r.indrelid and a.attnum = r.tenant_number))
        then format('comment on index %s is %L', r.indexrelid::regclass, concat_ws(' ', r.comment, '@lint allow unique_reveals'))
      -- As PostgreSQL writes it, because a constraint is more than its columns: INCLUDE, NULLS NOT DISTINCT, WHERE, DEFERRABLE.
      when r.contype is not null then format('alter table %s drop constraint %I, add constraint %I %s', r.table_name, r.conname, r.conname,
        regexp_replace(pg_get_constraintdef(r.constraint_id), '^([^(]+\()',
          '\1' || replace(r.tenant, '\', '\\') || case r.contype when 'x' then ' WITH =, ' else ', ' end))
      else format('create unique index on %s (%s, %s)%s; drop index %s', r.table_name, r.tenant, keys.names,
        case when r.indnullsnotdistinct then ' nulls not distinct' else '' end, r.indexrelid::regclass)
    end
  from revealing r
  cross join lateral (
    select string_agg(pg_get_indexdef(r.indexrelid, key::integer, true), ', ' order by key) as names from generate_series(1, r.indnkeyatts) key
  ) keys
$$;
comment on function identity.lint_indexes() is
  'Indexes that serve no query under policies because their operators are not leakproof, and unique and excluding ones that tell about hidden rows. For identity.lint. Raises nothing.';
revoke all on function identity.lint_indexes() from public;
grant execute on function identity.lint_indexes() to identity_owner, identity_admin, identity_app;
