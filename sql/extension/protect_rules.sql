-- Rules: the arguments of protect as one JSON object, checked and completed, and read back from a protected table.
--
--   protect_rules(target, rules)             completes them; the rest of protect, everybody who may call protect
--   protect_rules(target)                    those of the table
--   protect_before(target, rules, replace)   those of the table, where the others may take their place
--   protect_wrote(policy)                    whether a policy is protect's
--   protect_forgot(target)                   whether it is, and nobody knows the rules
--   protect_written(target)                  every policy that should be there, and whether it is as it was written

create function identity.protect_rules(target regclass, rules jsonb)
returns jsonb
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  argument text;
  owner name := rules ->> 'owner';
begin
  foreach argument in array array['scope_read', 'scope_write'] loop
    -- RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
    if rules ->> argument !~ '^[\u0021\u0023-\u005B\u005D-\u007E]+$' then
      raise exception using errcode = 'ID005',
        message = format('%s: %L is not one scope', argument, left(rules ->> argument, 100)),
        hint = 'A scope is a word of visible ASCII characters, without spaces, quotes and backslashes.';
    end if;
  end loop;
  if rules ->> 'role' = '' then
    raise exception using errcode = 'ID005', message = 'role is empty', hint = 'Name a role as identity.roles() has it.';
  end if;
  if rules ->> 'agents' not in ('deny', 'read') then
    raise exception using errcode = 'ID005',
      message = format('agents: %L is none of deny, read, write', left(rules ->> 'agents', 100)),
      hint = 'What an agent that acts for a person may do: nothing, only read, or as much as the person with the scopes of its token.';
  end if;
  if not rules ? 'members' and rules ?| array['members_row', 'members_key', 'members_user', 'members_write', 'members_writers'] then
    raise exception using errcode = 'ID005',
      message = format('%s is given, and members is not', (
        select min(k) from jsonb_object_keys(rules) k where k like 'members%')),
      hint = 'Name the member table: members => ''…''.';
  end if;
  if rules ->> 'owner' = rules ->> 'organization' then
    raise exception using errcode = 'ID005',
      message = format('owner and organization are the same column %I', owner),
      hint = 'One holds the person whose row it is, the other the organization that it belongs to.';
  end if;

  if not rules ?| array['owner', 'organization', 'scope_read', 'scope_write', 'role', 'members'] then
    select min(a.attname) into owner
    from pg_attribute a
    where a.attrelid = target and a.attnum > 0 and not a.attisdropped
      and a.attname in ('user_id', 'owner_id', 'owner') and a.atttypid = 'uuid'::regtype
    having count(*) = 1;
    if owner is null then
      raise exception using errcode = 'ID005',
        message = format('owner is not given, and target %s does not have exactly one of the columns user_id, owner_id, owner'
          || ' of type uuid', target),
        hint = 'Say who is let in, for example: identity.protect(''…'', owner => ''…'').';
    end if;
    rules := rules || jsonb_build_object('owner', owner);
  end if;
  if rules ? 'owner' then
    perform identity.protect_column('owner', target, owner, '{uuid}', 'The column must hold identity.user_id(). Change its type with:');
  end if;
  if rules ? 'organization' then
    perform identity.protect_column('organization', target, (rules ->> 'organization')::name, '{text,uuid}',
      'The column must hold identity.organization_id(). Change its type with:');
  end if;
  if rules ? 'members' then
    rules := identity.protect_members(target, rules);
  end if;
  return rules;
end
$$;
comment on function identity.protect_rules(regclass, jsonb) is
  'The arguments of identity.protect as JSON, completed: the columns it finds by itself. Writes nothing. Raises ID005: an argument that cannot be accepted, or that contradicts another.';
revoke all on function identity.protect_rules(regclass, jsonb) from public;
grant execute on function identity.protect_rules(regclass, jsonb) to identity_owner, identity_admin, identity_app;

create function identity.protect_wrote(policy oid)
returns boolean
language sql stable parallel safe
return coalesce(obj_description(policy, 'pg_policy') like 'Written by identity.protect: %', false);
comment on function identity.protect_wrote(oid) is
  'Whether identity.protect wrote a policy (pg_policy.oid): its comment says so. Raises nothing.';
revoke all on function identity.protect_wrote(oid) from public;
grant execute on function identity.protect_wrote(oid) to identity_owner, identity_admin, identity_app;

-- Owners of tables may write what they like into their comments, and those who read the catalog must not stumble over it: only what looks
-- as this feature writes it is read as JSON. Strings, lists of strings, true and false, and one object of such in it.
create function identity.protect_rules(target regclass)
returns jsonb
language sql stable parallel safe
return (
  with text (string) as (
    values ('"(?:[^"\\\x01-\x1f]|\\["\\bfnrt]|\\u00(?:0[1-9a-f]|1[0-9a-f]))*"')
  ), flat (string, list) as (
    select string, format('\[(?:%1$s(?:, %1$s)*)?\]', string) from text
  ), written (pattern) as (
    select format('^\{(?:%1$s: %2$s(?:, %1$s: %2$s)*)?\}$', string,
      format('(?:%1$s|%2$s|\{(?:%1$s: (?:true|false|%2$s)(?:, %1$s: (?:true|false|%2$s))*)?\})', string, list))
    from flat
  )
  select case when r.rules ~ written.pattern then r.rules::jsonb end
  from written, (
    select substr(min(obj_description(p.oid, 'pg_policy')), length('Written by identity.protect: ') + 1)
    from pg_policy p
    where p.polrelid = target and identity.protect_wrote(p.oid)
  ) as r (rules)
);
comment on function identity.protect_rules(regclass) is
  'The rules by which identity.protect protected a table, from the comments of its policies: the arguments, and in made what it changed besides. NULL when it did not, or when the comments were lost. Raises nothing.';
revoke all on function identity.protect_rules(regclass) from public;
grant execute on function identity.protect_rules(regclass) to identity_owner, identity_admin, identity_app;

create function identity.protect_forgot(target regclass)
returns boolean
language sql stable parallel safe
return identity.protect_rules(target) is null
  and exists (select from pg_policy p where p.polrelid = target and identity.protect_wrote(p.oid));
comment on function identity.protect_forgot(regclass) is
  'Whether identity.protect wrote policies on a table whose comments do not say any more by which rules. Raises nothing.';
revoke all on function identity.protect_forgot(regclass) from public;
grant execute on function identity.protect_forgot(regclass) to identity_owner, identity_admin, identity_app;

-- A call that forgets an argument would take a bound away without a word: what is there is replaced only by who says so.
create function identity.protect_before(target regclass, rules jsonb, replace boolean)
returns jsonb
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  before constant jsonb := identity.protect_rules(target);
  -- Without what is no argument. One contains the other and the other the one: the same, with lists in any order.
  asked constant jsonb := rules - array['made', 'members_write_type'];
  there constant jsonb := before - array['made', 'members_write_type'];
begin
  if replace is not true and identity.protect_forgot(target) then
    raise exception using errcode = 'ID007',
      message = format('target %s is protected, and the comments of its policies no longer say with which arguments', target),
      hint = identity.protect_again(target, before);
  end if;
  if replace is not true and not (asked @> there and there @> asked) then
    raise exception using errcode = 'ID007',
      message = format('target %s is protected with other arguments', target),
      hint = format('There is: %s. Say replace => true to replace them all, or take them back first: select identity.unprotect(%L)',
        identity.protect_call(target, before), target::text);
  end if;
  return before;
end
$$;
comment on function identity.protect_before(regclass, jsonb, boolean) is
  'The rules by which a table is protected, NULL when it is not, for identity.protect, which puts the given ones (completed) in their place. Writes nothing. Raises ID007: they are others, or can no longer be read, and replace is not true.';
revoke all on function identity.protect_before(regclass, jsonb, boolean) from public;
grant execute on function identity.protect_before(regclass, jsonb, boolean) to identity_owner, identity_admin, identity_app;

create function identity.protect_written(target regclass)
returns table (policy name, command text, permissive boolean, words text, intact boolean)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp set standard_conforming_strings = on
as $$
  select written.policy, written.command, written.permissive, written.words, exists (
    select from pg_policy p
    where p.polrelid = target and p.polname = written.policy and identity.protect_wrote(p.oid)
      and p.polpermissive = written.permissive and p.polroles = '{0}'
      and p.polcmd = case written.command
        when 'select' then 'r' when 'insert' then 'a' when 'update' then 'w' when 'delete' then 'd' else '*' end
      and (written.command = 'insert') = (p.polqual is null)
      and (written.command in ('select', 'delete')) = (p.polwithcheck is null)
      and identity.protect_normal(written.condition) = all (array[
        identity.protect_normal(coalesce(pg_get_expr(p.polqual, target), written.condition)),
        identity.protect_normal(coalesce(pg_get_expr(p.polwithcheck, target), written.condition))]))
  from identity.protect_rules(target) rules
  cross join lateral identity.protect_policies(target, rules) written
  where rules is not null
$$;
comment on function identity.protect_written(regclass) is
  'The policies that identity.protect wrote on a table, in words, and whether each is still there as it was written. No row: it wrote none. Raises nothing.';
revoke all on function identity.protect_written(regclass) from public;
grant execute on function identity.protect_written(regclass) to identity_owner, identity_admin, identity_app;
