-- Unprotect: takes back what protect wrote, and nothing that somebody else made.
--
--   unprotect(target)                    owners of tables
--   protect_erase(target)                policies and column defaults; the rest of protect, everybody who may call protect
--   protect_set_defaults(target, rules)

create function identity.protect_set_defaults(target regclass, rules jsonb)
returns jsonb
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  filled record;
  made jsonb := '[]';
begin
  for filled in
    select kind.rule, a.attname, case
        when kind.rule = 'owner' then 'user_id'
        when a.atttypid = 'uuid'::regtype then 'organization_uuid'
        else 'organization_id'
      end as reader
    from (values ('owner'), ('organization')) kind (rule)
    join pg_attribute a on a.attrelid = target and a.attname = rules ->> kind.rule
    -- Also true of generated columns.
    where not a.atthasdef and a.attidentity = ''
    order by kind.rule
  loop
    -- ONLY, so that partitions are not locked: rows that come in through the table get its default.
    execute format('alter table only %s alter column %I set default identity.%I()', target, filled.attname, filled.reader);
    made := made || jsonb_build_array(filled.rule);
  end loop;
  return made;
end
$$;
comment on function identity.protect_set_defaults(regclass, jsonb) is
  'Gives the owner and organization columns of these rules the signed-in identity as default where they have none. Returns which: a JSON array of owner, organization. Raises what ALTER TABLE raises.';
revoke all on function identity.protect_set_defaults(regclass, jsonb) from public;
grant execute on function identity.protect_set_defaults(regclass, jsonb) to identity_owner, identity_admin, identity_app;

create function identity.protect_erase(target regclass)
returns regclass[]
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  made constant jsonb := coalesce(identity.protect_rules(target) #> '{made,defaults}', '[]');
  others regclass[];
  gone record;
begin
  select coalesce(array_agg(distinct d.refobjid::regclass), '{}') into others
  from pg_policy p
  join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass
  where p.polrelid = target and identity.protect_wrote(p.oid) and d.refobjid <> target;

  -- By what the policies name and not by the name that it had then: columns may have been renamed.
  for gone in
    select distinct a.attname
    from pg_policy p
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
      and d.refclassid = 'pg_class'::regclass and d.refobjid = target
    join pg_attribute a on a.attrelid = target and a.attnum = d.refobjsubid
    join pg_attrdef e on e.adrelid = target and e.adnum = a.attnum
    where p.polrelid = target and identity.protect_wrote(p.oid)
      and made ? case pg_get_expr(e.adbin, target)
        when 'identity.user_id()' then 'owner'
        when 'identity.organization_id()' then 'organization'
        when 'identity.organization_uuid()' then 'organization'
      end
  loop
    execute format('alter table only %s alter column %I drop default', target, gone.attname);
  end loop;
  for gone in
    select p.polname from pg_policy p where p.polrelid = target and identity.protect_wrote(p.oid)
  loop
    execute format('drop policy %I on %s', gone.polname, target);
  end loop;
  return others;
end
$$;
comment on function identity.protect_erase(regclass) is
  'Drops the policies and column defaults that identity.protect wrote on a table. Returns the other tables that those policies read. Raises what DROP POLICY raises.';
revoke all on function identity.protect_erase(regclass) from public;
grant execute on function identity.protect_erase(regclass) to identity_owner, identity_admin, identity_app;

create function identity.unprotect(target regclass)
returns setof text
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
as $$
declare
  made jsonb;
  others regclass[];
  standing text;
begin
  perform identity.protect_table('target', target);
  if not exists (select from pg_policy p where p.polrelid = target and identity.protect_wrote(p.oid)) then
    raise exception using errcode = 'ID006',
      message = format('target %s has no policy that protect wrote', target),
      hint = 'identity.policies shows who wrote which.';
  end if;
  execute format('lock table only %s in access exclusive mode', target);
  made := coalesce(identity.protect_rules(target) -> 'made', '{}');
  others := identity.protect_erase(target);
  return query select * from identity.protect_drop_indexes(target, others);

  select string_agg(quote_ident(p.polname), ', ' order by p.polname) into standing from pg_policy p where p.polrelid = target;
  if standing is not null then
    return next format('row-level security of %s: policy %s stands', target, standing);
    return;
  end if;
  -- From here on the table is open to everybody who has privileges on it, as it was before.
  if made -> 'row_security' = 'true' then
    execute format('alter table %s disable row level security', target);
  else
    return next format('row-level security of %s: it was on before', target);
  end if;
  if made -> 'force' = 'true' then
    execute format('alter table %s no force row level security', target);
  end if;
end
$$;
comment on function identity.unprotect(regclass) is
  'Takes back what identity.protect wrote on a table: policies, column defaults, indexes, and row-level security if protect turned it on and no other policy stands. The table is then open to everybody who has privileges on it. Returns what stays, and why. Waits for its lock one second at most (55P03). Raises ID005: not a table, or not yours; ID006: protect wrote no policy on it.';
revoke all on function identity.unprotect(regclass) from public;
grant execute on function identity.unprotect(regclass) to identity_owner, identity_admin, identity_app;
