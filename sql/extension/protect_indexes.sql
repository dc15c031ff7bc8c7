-- Indexes: every query of a protected table looks for the columns that its policies name. One that protect makes says so in its comment,
-- and goes when no policy needs it any more; those that somebody else made are used and left alone.
--
--   protect_indexes(target, rules)          the rest of protect; everybody who may call protect
--   protect_create_indexes(target, rules)
--   protect_drop_indexes(target, others)

create function identity.protect_indexes(target regclass, rules jsonb)
returns table (relation regclass, names name[])
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  -- 64 MB are read in well under a second; longer than that nobody should be locked out.
  largest_to_index constant bigint := 64 * 1024 * 1024;
  columns text;
begin
  for relation, names in
    select distinct needed.relation, needed.names
    from (values
      (target, array[rules ->> 'owner']::name[]),
      (target, array[rules ->> 'organization']::name[]),
      (target, array[rules ->> 'members_key']::name[]),
      -- With the second column the heap is not read for memberships.
      ((rules ->> 'members')::regclass, array[rules ->> 'members_user', rules ->> 'members_row']::name[])
    ) as needed (relation, names)
    where needed.names[1] is not null
      and not exists (
        select
        from pg_index i
        join pg_class c on c.oid = i.indexrelid
        join pg_am m on m.oid = c.relam
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid = needed.relation and a.attname = needed.names[1] and i.indisvalid and i.indpred is null and m.amname = 'btree')
  loop
    if pg_table_size(relation) + (select coalesce(sum(pg_table_size(part.relid)), 0) from pg_partition_tree(relation) part)
      > largest_to_index then
      columns := (select string_agg(quote_ident(n), ', ') from unnest(names) n);
      raise exception using errcode = 'ID005',
        message = format('%s has no index on %I and is too large to be locked for making one', relation, names[1]),
        hint = case (select c.relkind from pg_class c where c.oid = relation)
          when 'r' then format('Run first, outside a transaction: create index concurrently on %s (%s);', relation, columns)
          else format('Run first: create index on only %s (%s); then for each partition, outside a transaction,'
            || ' create index concurrently, and attach it with alter index … attach partition.', relation, columns)
        end;
    end if;
    return next;
  end loop;
end
$$;
comment on function identity.protect_indexes(regclass, jsonb) is
  'The indexes that the policies of these rules need and that are missing, each by its table and columns: there must be a valid btree index that begins with the first of them. Writes nothing. Raises ID005 when a table, with its partitions, is larger than 64 MB (the hint says what to run).';
revoke all on function identity.protect_indexes(regclass, jsonb) from public;
grant execute on function identity.protect_indexes(regclass, jsonb) to identity_owner, identity_admin, identity_app;

create function identity.protect_create_indexes(target regclass, rules jsonb)
returns void
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  needed record;
  present oid[];
begin
  for needed in
    select * from identity.protect_indexes(target, rules)
  loop
    present := array(select i.indexrelid from pg_index i where i.indrelid = needed.relation);
    execute format('create index on %s (%s)', needed.relation, (select string_agg(quote_ident(n), ', ') from unnest(needed.names) n));
    execute (
      select format('comment on index %s is ''Made by identity.protect.''', i.indexrelid::regclass)
      from pg_index i
      where i.indrelid = needed.relation and i.indexrelid <> all (present));
  end loop;
end
$$;
comment on function identity.protect_create_indexes(regclass, jsonb) is
  'Makes the indexes that identity.protect_indexes misses, and says in their comments whose they are. Raises what CREATE INDEX raises.';
revoke all on function identity.protect_create_indexes(regclass, jsonb) from public;
grant execute on function identity.protect_create_indexes(regclass, jsonb) to identity_owner, identity_admin, identity_app;

create function identity.protect_drop_indexes(target regclass, others regclass[])
returns setof text
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  made record;
begin
  for made in
    select i.indexrelid::regclass as index, i.indrelid::regclass as relation, (
      -- A policy depends on every column that it names, in its own table and in others.
      select min(format('policy %I on %s', p.polname, p.polrelid::regclass))
      from pg_depend d
      join pg_policy p on p.oid = d.objid
      where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_class'::regclass
        and d.refobjid = i.indrelid and d.refobjsubid = i.indkey[0]) as needed_by
    from pg_index i
    where i.indrelid = any (target || others) and obj_description(i.indexrelid, 'pg_class') = 'Made by identity.protect.'
    order by 1
  loop
    if made.needed_by is null then
      execute format('drop index %s', made.index);
    else
      return next format('index %s on %s: %s needs it', made.index, made.relation, made.needed_by);
    end if;
  end loop;
end
$$;
comment on function identity.protect_drop_indexes(regclass, regclass[]) is
  'Drops the indexes that identity.protect made on these tables and no policy needs any more. Returns those that stay, and why. Raises what DROP INDEX raises.';
revoke all on function identity.protect_drop_indexes(regclass, regclass[]) from public;
grant execute on function identity.protect_drop_indexes(regclass, regclass[]) to identity_owner, identity_admin, identity_app;
