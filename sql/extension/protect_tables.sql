-- Which tables and columns protect accepts: each refusal names the argument and says what to do, and comes before anything is changed.
--
--   protect_table(argument, relation)                          the rest of protect; everybody who may call protect
--   protect_column(argument, relation, name, types, hint)

create function identity.protect_table(argument text, relation regclass)
returns void
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  found_class pg_class;
begin
  select c.* into found_class from pg_class c where c.oid = relation;
  if not found then
    raise exception using errcode = 'ID005',
      message = format('%s is not a table', argument),
      hint = 'Name a table, as in: identity.protect(''orders'').';
  end if;
  if found_class.relkind not in ('r', 'p') then
    raise exception using errcode = 'ID005',
      message = format('%s %s is not a table', argument, relation),
      hint = case found_class.relkind
        when 'v' then 'Protect the tables under the view, and create the view with (security_invoker = true).'
        when 'f' then 'Rows of a foreign table are protected where they are stored.'
        when 'm' then 'A materialized view holds the rows of whoever refreshed it: query the tables under it.'
        else 'Only tables and partitioned tables have row-level security.'
      end;
  end if;
  if found_class.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) then
    raise exception using errcode = 'ID005',
      message = format('%s %s is a table of the system', argument, relation),
      hint = 'PostgreSQL takes no policies on these; what they may be asked is a matter of privileges.';
  end if;
  if found_class.relnamespace in (to_regnamespace('identity'), to_regnamespace('identity_store')) then
    raise exception using errcode = 'ID005',
      message = format('%s %s is a table of pg_identity', argument, relation),
      hint = 'Nobody reaches these tables but through its functions.';
  end if;
  if not pg_has_role(current_user, found_class.relowner, 'usage') then
    raise exception using errcode = 'ID005',
      message = format('%s %s belongs to another role', argument, relation),
      hint = format('Call it as %s.', pg_get_userbyid(found_class.relowner));
  end if;
  if found_class.relispartition then
    raise exception using errcode = 'ID005',
      message = format('%s %s is a partition', argument, relation),
      hint = 'Protect the partitioned table, and grant privileges on that one only.';
  end if;
end
$$;
comment on function identity.protect_table(text, regclass) is
  'Refuses what identity.protect cannot protect: what is not a table, is a partition, belongs to the system, to pg_identity or to another role. argument: what the message calls it. Writes nothing. Raises ID005.';
revoke all on function identity.protect_table(text, regclass) from public;
grant execute on function identity.protect_table(text, regclass) to identity_owner, identity_admin, identity_app;

create function identity.protect_column(argument text, relation regclass, called name, types regtype[], hint text)
returns regtype
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  column_type regtype;
begin
  select a.atttypid into column_type
  from pg_attribute a
  where a.attrelid = relation and a.attname = called and a.attnum > 0 and not a.attisdropped;
  if not found then
    raise exception using errcode = 'ID005',
      message = format('%s: %s has no column %I', argument, relation, called),
      hint = (
        select coalesce(
          'Columns it could be: ' || string_agg(quote_ident(a.attname), ', ' order by a.attnum),
          format('Add one first: alter table %s add column … %s', relation, types[1]))
        from pg_attribute a
        where a.attrelid = relation and a.atttypid = any (types) and a.attnum > 0 and not a.attisdropped);
  end if;
  if column_type <> all (types) then
    raise exception using errcode = 'ID005',
      message = format('%s: column %I of %s is of type %s, not %s', argument, called, relation, column_type, array_to_string(types, ', ')),
      hint = hint || format(' alter table %s alter column %I type %s using %I::%s', relation, called, types[1], called, types[1]);
  end if;
  return column_type;
end
$$;
comment on function identity.protect_column(text, regclass, name, regtype[], text) is
  'The type of a column that identity.protect was given. argument: what the message calls it; types: those that are accepted. Writes nothing. Raises ID005: no such column, or another type.';
revoke all on function identity.protect_column(text, regclass, name, regtype[], text) from public;
grant execute on function identity.protect_column(text, regclass, name, regtype[], text) to identity_owner, identity_admin, identity_app;
