-- Member tables: rows of a table shared with the people whom another table names beside the row's key.
--
--   protect_members(target, rules)   the rest of protect; everybody who may call protect
--
--   projects (id)  ←  project_members (project_id, user_id)     project_members refers to projects
--   tasks (project_id) → projects (id) ← project_members        both refer to projects: members of the project share its tasks
--
-- A policy reads the member table with the rights of whoever queries: roles that query the one need SELECT on the other, and who is bound
-- by policies there sees the memberships those show. That is wanted: nobody learns a membership that the member table hides. It also
-- means that policies of the member table must not lead back to the target: PostgreSQL refuses every query of such tables (42P17).

create function identity.protect_members(target regclass, rules jsonb)
returns jsonb
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  -- Equality of these is leakproof, is what an index answers, and means that the same value is written the same way.
  key_types constant regtype[] := '{uuid,bigint,integer,smallint,text}';
  members constant regclass := (rules ->> 'members')::regclass;
  member_user name := rules ->> 'members_user';
  member_row name := rules ->> 'members_row';
  target_key name := rules ->> 'members_key';
  writer constant name := rules ->> 'members_write';
  writer_type regtype;
  missing text;
  pairs bigint;
begin
  if members = target then
    raise exception using errcode = 'ID005',
      message = format('members: %s cannot be its own member table', target),
      hint = 'A policy that reads its own table is refused by PostgreSQL at every query (42P17). Protect it by its owner column.';
  end if;
  perform identity.protect_table('members', members);
  if (select c.relpersistence from pg_class c where c.oid = members) = 't' then
    raise exception using errcode = 'ID005',
      message = format('members %s is a temporary table', members),
      hint = 'Policies outlive the session that it ends with: name an ordinary table.';
  end if;

  -- What the policies of the member table read, through views too.
  if exists (
    with recursive read_by (relation) as (
      select members::oid
      union
      select d.refobjid
      from read_by r
      join lateral (
        select p.oid, 'pg_policy'::regclass as catalog from pg_policy p where p.polrelid = r.relation
        union all
        select w.oid, 'pg_rewrite'::regclass from pg_rewrite w where w.ev_class = r.relation
      ) source on true
      join pg_depend d on d.classid = source.catalog and d.objid = source.oid and d.refclassid = 'pg_class'::regclass
    )
    select from read_by where relation = target
  ) then
    raise exception using errcode = 'ID005',
      message = format('members: policies of %s read %s, and would read each other without end', members, target),
      hint = format('Protect %s without a member table, for example: select identity.protect(%L, owner => ''user_id'')',
        members, members::text);
  end if;

  if member_user is null then
    select min(a.attname) into member_user
    from pg_attribute a
    where a.attrelid = members and a.attnum > 0 and not a.attisdropped and a.atttypid = 'uuid'::regtype
      and a.attname in ('user_id', 'member_id') and a.attname is distinct from member_row
    having count(*) = 1;
    if member_user is null then
      raise exception using errcode = 'ID005',
        message = format('members: %s does not have exactly one of the columns user_id, member_id of type uuid', members),
        hint = 'Name the column that holds identity.user_id(): members_user => ''…''.';
    end if;
  end if;
  perform identity.protect_column('members_user', members, member_user, '{uuid}',
    'The column must hold identity.user_id(). Change its type with:');

  if member_row is null or target_key is null then
    -- By a foreign key to the target; else by one of each to the same column of a third table.
    with links as (
      select r.attname as member_row, k.attname as target_key, 1 as rank
      from pg_constraint f
      join pg_attribute r on r.attrelid = members and r.attnum = f.conkey[1]
      join pg_attribute k on k.attrelid = target and k.attnum = f.confkey[1]
      where f.contype = 'f' and f.conrelid = members and f.confrelid = target and cardinality(f.conkey) = 1
      union
      select r.attname, k.attname, 2
      from pg_constraint f
      join pg_constraint g on g.contype = 'f' and g.conrelid = target and g.confrelid = f.confrelid and g.confkey = f.confkey
      join pg_attribute r on r.attrelid = members and r.attnum = f.conkey[1]
      join pg_attribute k on k.attrelid = target and k.attnum = g.conkey[1]
      where f.contype = 'f' and f.conrelid = members and cardinality(f.conkey) = 1
      union
      -- Or to the primary key, where the argument says what points at it.
      select (rules ->> 'members_row')::name, k.attname, 3
      from pg_index i
      join pg_attribute k on k.attrelid = target and k.attnum = i.indkey[0]
      where rules ? 'members_row' and i.indrelid = target and i.indisprimary and i.indnkeyatts = 1
    ), fitting as (
      select l.*, min(l.rank) over () as best
      from links l
      where l.member_row <> member_user
        and l.member_row = coalesce(rules ->> 'members_row', l.member_row)
        and l.target_key = coalesce(rules ->> 'members_key', l.target_key)
    )
    select count(*), min(f.member_row), min(f.target_key) into pairs, member_row, target_key from fitting f where f.rank = f.best;
    if pairs <> 1 then
      raise exception using errcode = 'ID005',
        message = format('members: %s which columns of %s and %s belong together',
          case pairs when 0 then 'no foreign key says' else 'more than one foreign key could say' end, members, target),
        hint = 'Name them: members_row => a column of the member table, members_key => the column of the target that it equals.';
    end if;
  end if;
  perform identity.protect_column('members_key', target, target_key, key_types, 'Change its type with:');
  perform identity.protect_column('members_row', members, member_row,
    array[identity.protect_column('members_key', target, target_key, key_types, '')],
    format('It must have the type of %s.%I. Change its type with:', target, target_key));
  if member_row = member_user then
    raise exception using errcode = 'ID005',
      message = format('members_row and members_user are the same column %I', member_row),
      hint = 'members_row says which row of the target is shared, members_user with whom.';
  end if;

  if writer is null and rules ? 'members_writers' and rules -> 'members_writers' <> '[]' then
    raise exception using errcode = 'ID005',
      message = 'members_writers is given, and members_write is not',
      hint = format('Name the column of %s that holds these values: members_write => ''…''.', members);
  end if;
  if writer is not null then
    if rules ? 'members_writers' then
      select a.atttypid into writer_type
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
      where a.attrelid = members and a.attname = writer and t.typtype = 'e';
      writer_type := identity.protect_column('members_write', members, writer, array_remove(array['text'::regtype, writer_type], null),
        'Values are compared as text or as an enum. Change its type with:');
      if rules -> 'members_writers' = '[]' then
        raise exception using errcode = 'ID005',
          message = 'members_writers is empty, and members_write is given',
          hint = 'Leave out members_write: with an empty members_writers members read only.';
      end if;
      select min(w) into missing
      from jsonb_array_elements_text(rules -> 'members_writers') w
      where w is null or writer_type <> 'text'::regtype
        and not exists (select from pg_enum e where e.enumtypid = writer_type and e.enumlabel = w);
      if missing is not null or rules -> 'members_writers' @> '[null]' then
        raise exception using errcode = 'ID005',
          message = format('members_writers: %s is not a value of type %s', coalesce(quote_literal(left(missing, 100)), 'NULL'), writer_type),
          hint = coalesce((select 'Its values are: ' || string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
            from pg_enum e where e.enumtypid = writer_type), 'Leave NULL out: no membership equals it.');
      end if;
    else
      perform identity.protect_column('members_write', members, writer, '{boolean}',
        'For other types give members_writers too, or change its type with:');
    end if;
  end if;

  return rules
    || jsonb_build_object('members', members::text, 'members_user', member_user, 'members_row', member_row, 'members_key', target_key)
    || case when writer_type <> 'text'::regtype then jsonb_build_object('members_write_type', writer_type::text) else '{}' end;
end
$$;
comment on function identity.protect_members(regclass, jsonb) is
  'The rules with the columns that tie a member table to the target, found by foreign keys and names where they are not given. Writes nothing. Raises ID005: not a table, not yours, no usable or no single pair of columns, wrong types, a policy that would read itself without end, or arguments that contradict each other.';
revoke all on function identity.protect_members(regclass, jsonb) from public;
grant execute on function identity.protect_members(regclass, jsonb) to identity_owner, identity_admin, identity_app;
