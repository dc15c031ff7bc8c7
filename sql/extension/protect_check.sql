-- Protect, later: what would still let somebody see more, or nothing at all.
--
--   protect_check(target)         owners of tables, at any time; protect warns of what it finds
--   protect_call(target, rules)   the call that writes the same again; the rest of protect
--   protect_again(target, rules)  how to write it again, for hints
--   protect_privileges(relation)  who was granted what; protect_check, lint

create function identity.protect_call(target regclass, rules jsonb)
returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format('select identity.protect(%L%s)', target::text, (
    select string_agg(format(', %s => %L', argument, case
        when jsonb_typeof(rules -> argument) = 'array' then (
          select coalesce(array_agg(e), '{}')::text from jsonb_array_elements_text(rules -> argument) e)
        else rules ->> argument
      end), '' order by position)
    from unnest(array['owner', 'organization', 'scope_read', 'scope_write', 'role', 'members', 'members_row', 'members_key', 'members_user',
      'members_write', 'members_writers', 'agents']) with ordinality arguments (argument, position)
    where rules ? argument))
$$;
comment on function identity.protect_call(regclass, jsonb) is
  'The call of identity.protect with these rules. Rules NULL: with none. Raises nothing.';
revoke all on function identity.protect_call(regclass, jsonb) from public;
grant execute on function identity.protect_call(regclass, jsonb) to identity_owner, identity_admin, identity_app;

-- What cannot be read is written again only by who knows what it said: a call without the bounds of before would take them away.
create function identity.protect_again(target regclass, rules jsonb)
returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when rules is null and identity.protect_forgot(target)
    then format('Look at what binds today: select * from identity.policies where target = %1$L::regclass. Then say all of it again,'
      || ' with replace => true: select identity.protect(%1$L, …, replace => true)', target::text)
    else 'Run: ' || identity.protect_call(target, rules) end
$$;
comment on function identity.protect_again(regclass, jsonb) is
  'What to do to have the policies of a table as these rules (NULL: none that are known) have them. Raises nothing.';
revoke all on function identity.protect_again(regclass, jsonb) from public;
grant execute on function identity.protect_again(regclass, jsonb) to identity_owner, identity_admin, identity_app;

-- One place that knows of column privileges: what is granted of a single column leads past policies as well.
create function identity.protect_privileges(relation oid)
returns table (grantee oid, privilege text, attribute smallint)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  select acl.grantee, acl.privilege_type, granted.attribute
  from pg_class c
  cross join lateral (
    select c.relacl as list, 0::smallint as attribute
    union all
    select a.attacl, a.attnum from pg_attribute a where a.attrelid = c.oid and a.attacl is not null and not a.attisdropped
  ) granted
  cross join lateral aclexplode(granted.list) acl
  where c.oid = relation and acl.grantee <> c.relowner
$$;
comment on function identity.protect_privileges(oid) is
  'What others than its owner were granted on a table, view or sequence: grantee (0: public), privilege, and attribute, the number of the column, 0 for the whole. For identity.protect_check and identity.lint. NULL gives no row. Raises nothing.';
revoke all on function identity.protect_privileges(oid) from public;
grant execute on function identity.protect_privileges(oid) to identity_owner, identity_admin, identity_app;

create function identity.protect_check(target regclass)
returns table (finding text, hint text)
language plpgsql stable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  rules constant jsonb := identity.protect_rules(target);
  -- Not to_regclass, which refuses whoever may not use the schema, and stumbles over what somebody wrote into a comment.
  member_table constant oid := (
    select min(d.refobjid) from pg_policy p
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass
    where p.polrelid = target and d.refobjid::regclass::text = rules ->> 'members');
  written name[];
  altered name[];
begin
  -- Once: it costs more than all the rest.
  select array_agg(w.policy), array_agg(w.policy) filter (where not w.intact) into written, altered from identity.protect_written(target) w;

  return query
    select case when c.relrowsecurity then format('the owner of %s is not bound by its policies', target)
        else format('row-level security of %s is off', target) end,
      identity.protect_again(target, rules)
    from pg_class c
    where c.oid = target and not (c.relrowsecurity and c.relforcerowsecurity);

  -- Without any policy of ours: as if it had been protected by owner.
  return query
    select format('policy %I on %s is not what protect wrote', policy, target), identity.protect_again(target, rules)
    from unnest(altered) policy
    union all
    select format('policy %I on %s is not what protect wrote', 'identity_' || command, target),
      identity.protect_again(target, null)
    from unnest(array['select', 'insert', 'update', 'delete']) command
    where rules is null;

  return query
    select format('policy %I on %s is permissive: its rows are allowed in addition to what protect allows', p.polname, target),
      'Drop it, or make it restrictive.'
    from pg_policy p
    where p.polrelid = target and p.polpermissive
      and not (identity.protect_wrote(p.oid) and (rules is null or p.polname = any (coalesce(written, '{}'))));

  return query
    select format('%s has privileges on %s and does not inherit identity_app: its queries will fail', g.grantee, target),
      case g.grantee when 'public' then 'Grant the privileges to roles that inherit identity_app instead.'
        else format('Run: grant identity_app to %s', g.grantee) end
    from (
      select distinct case when acl.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end as grantee
      from identity.protect_privileges(target) acl
      where acl.privilege in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
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

  -- A policy reads the member table as whoever queries.
  if rules ? 'members' then
    return query
      select format('%s may query %s and not its member table %s: its queries will fail', g.grantee, target, rules ->> 'members'),
        format('Run: grant select on %s to %s', rules ->> 'members', g.grantee)
      from (
        select distinct case when acl.grantee = 0 then 'public' else pg_get_userbyid(acl.grantee) end as name,
          case when acl.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end as grantee
        from identity.protect_privileges(target) acl
        where acl.privilege in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
      ) g
      join pg_attribute a on a.attrelid = member_table
        and a.attname in (rules ->> 'members_user', rules ->> 'members_row', rules ->> 'members_write')
      group by g.grantee
      having not bool_and(has_column_privilege(g.name, a.attrelid, a.attnum, 'select'))
      order by 1;
    -- Whoever writes memberships decides who sees the rows. Of an insertion the defaults may fill in what is not granted; a change
    -- of any other column makes nobody a member.
    return query
      select format('%s may write memberships of its own into %s, and so see rows of %s', g.grantee, rules ->> 'members', target),
        format('Run: revoke insert, update on %s from %s', rules ->> 'members', g.grantee)
          || ' (or bind them there, with scope_write for example)'
      from pg_class c
      cross join lateral (
        select distinct case when acl.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end as grantee
        from identity.protect_privileges(c.oid) acl
        left join pg_attribute a on a.attrelid = c.oid and a.attnum = acl.attribute
        where (acl.privilege = 'INSERT' or acl.privilege = 'UPDATE' and (a.attnum is null
            or a.attname in (rules ->> 'members_user', rules ->> 'members_row', rules ->> 'members_write')))
          and not exists (select from pg_roles r where r.oid = acl.grantee and r.rolsuper)
      ) g
      where c.oid = member_table
        and (not c.relrowsecurity or exists (
          select from identity.protect_rules(c.oid) m
          where m ->> 'owner' = rules ->> 'members_user' and not m ?| array['scope_write', 'role']))
      order by g.grantee;
  end if;

  -- TRUNCATE empties the table for everybody, a trigger sees every row that anybody writes, a foreign key finds rows that are hidden:
  -- GRANT ALL gives all three.
  return query
    select format('%s has %s on %s, which no policy binds', g.grantee, g.privileges, target),
      format('Run: revoke %s on %s from %s', g.privileges, target, g.grantee)
    from (
      select case when acl.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end as grantee,
        string_agg(distinct lower(acl.privilege), ', ' order by lower(acl.privilege)) as privileges
      from identity.protect_privileges(target) acl
      where acl.privilege in ('TRUNCATE', 'REFERENCES', 'TRIGGER')
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
    where not c.relrowsecurity and exists (select from identity.protect_privileges(c.oid));
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
      and exists (select from identity.protect_privileges(v.oid))
      and (v.relkind = 'm'
        or v.relkind = 'v' and (o.rolsuper or o.rolbypassrls) and not exists (
          select from pg_options_to_table(v.reloptions) option
          where option.option_name = 'security_invoker' and option.option_value::boolean));
end
$$;
comment on function identity.protect_check(regclass) is
  'What lets somebody past the policies of a protected table, or keeps everybody out, each with a hint: row-level security that is off or does not bind the owner; policies that are not as protect wrote them, and others that are permissive; grantees that do not inherit identity_app; a member table that cannot be read, or that people may write their own memberships into; privileges to truncate, to reference and to make triggers; partitions, children and parents that can be queried by themselves; materialized views, and views of owners whom no policy binds. No row: nothing found. NULL gives no row. Raises nothing.';
revoke all on function identity.protect_check(regclass) from public;
grant execute on function identity.protect_check(regclass) to identity_owner, identity_admin, identity_app;
