-- Can see: what somebody sees of a table and by which policies, for administrators.
--
--   can_see(user_id, target, role, claims)           administrators
--   can_see(subject, target, role, claims, issuer)   administrators
--
-- It looks as that person (impersonate, recorded as such), through a role that applications use, in a subtransaction that can only read and
-- is taken back. Security invoker: the administrator must be able to change to that role, and the policies run with its rights.

create function identity.can_see(
  subject text, target regclass, role name default null, claims jsonb default '{}', issuer text default null
)
returns table (rule text, passed boolean, detail text)
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  -- More is not counted: nobody reads the number, and the table may be large.
  most constant integer := 10000;
  reader constant name := coalesce(role, current_user);
  relation pg_class;
  unbound text;
  policy record;
  permissive integer := 0;
  seen bigint;
  shown bigint;
begin
  select c.* into relation from pg_class c where c.oid = target;
  if not found or relation.relkind not in ('r', 'p') then
    raise exception using errcode = 'ID005', message = 'target is not a table',
      hint = 'Views show what the tables under them show: ask about those.';
  end if;
  if not exists (select from pg_roles r where r.rolname = reader and pg_has_role(session_user, r.oid, 'member')) then
    raise exception using errcode = 'ID005',
      message = format('role %s is none that %s may change to', quote_ident(reader), quote_ident(session_user)),
      hint = 'Name the role that applications query the table as, and grant it to the administrator.';
  end if;
  perform identity.impersonation_record(subject, coalesce(issuer, identity.configured_issuer()), claims);

  rule := 'privilege';
  passed := has_schema_privilege(reader, relation.relnamespace, 'usage') and has_any_column_privilege(reader, target, 'select');
  detail := format('role %I %s select from %s', reader, case when passed then 'may' else 'may not' end, target);
  return next;
  if not passed then
    return;
  end if;

  unbound := case
    when not relation.relrowsecurity then 'row-level security is off: every row is seen'
    when exists (select from pg_roles r where r.rolname = reader and (r.rolsuper or r.rolbypassrls))
      then format('role %I bypasses row-level security: every row is seen', reader)
    when not relation.relforcerowsecurity and pg_has_role(reader, relation.relowner, 'usage')
      then format('role %I owns the table, and row-level security is not forced: every row is seen', reader)
  end;
  rule := 'row-level security';
  passed := unbound is null;
  detail := coalesce(unbound, format('binds role %I', reader));
  return next;

  begin
    perform identity.impersonate(subject, claims, issuer);
    perform set_config('role', reader, true), set_config('transaction_read_only', 'on', true);
    execute format('select count(*) from (select from %s limit %s) seen', target, most + 1) into seen;
    for policy in
      select p.polname, p.polpermissive, p.polcmd, pg_get_expr(p.polqual, p.polrelid) as condition
      from pg_policy p
      where unbound is null and p.polrelid = target and p.polcmd in ('*', 'r') and exists (
        select from unnest(p.polroles) granted (id) where granted.id = 0 or pg_has_role(reader, granted.id, 'usage'))
      order by p.polpermissive desc, p.polname
    loop
      -- Of the rows that all policies together show, those that this one would: a permissive one shows all it can.
      execute format('select count(*) from (select from %s where %s limit %s) seen', target, policy.condition, most + 1) into shown;
      permissive := permissive + policy.polpermissive::integer;
      rule := format('policy %I', policy.polname);
      passed := shown > 0;
      detail := format('%s, for %s, where %s: %s of the rows seen',
        case when policy.polpermissive then 'permissive' else 'restrictive: narrows what the permissive ones show' end,
        case policy.polcmd when '*' then 'all' else 'select' end, policy.condition,
        case when shown > most then 'more than ' || most else shown::text end);
      return next;
    end loop;
    -- PostgreSQL: "If no policy exists for the table, a default-deny policy is used".
    if unbound is null and permissive = 0 then
      rule := 'policies';
      passed := false;
      detail := format('no permissive policy for select applies to role %I: no row is seen', reader);
      return next;
    end if;
    raise sqlstate 'ID202' using message = 'looked';
  exception when sqlstate 'ID202' then
    null;
  end;
  rule := 'rows';
  passed := seen > 0;
  detail := format('%s seen%s', case when seen > most then 'more than ' || most else seen::text end,
    case when relation.reltuples >= 0 then format('; the table has about %s', relation.reltuples::bigint) else '' end);
  return next;
end
$$;
comment on function identity.can_see(text, regclass, name, jsonb, text) is
  'What somebody sees of a table, and why: privilege, row-level security, each policy for select that applies, and how many rows. role: the one that applications query as (NULL: the caller''s); subject, claims and issuer as for identity.impersonate, and recorded like it. What was done to look is taken back; the subject counts as the one of the transaction. Counts end at 10000. Raises ID005 when target is no table or role none that the login may change to, and what identity.impersonate raises.';
revoke all on function identity.can_see(text, regclass, name, jsonb, text) from public;
grant execute on function identity.can_see(text, regclass, name, jsonb, text) to identity_owner, identity_admin;

create function identity.can_see(user_id uuid, target regclass, role name default null, claims jsonb default '{}')
returns table (rule text, passed boolean, detail text)
language sql volatile parallel unsafe
as $$
  select c.rule, c.passed, c.detail
  from identity.can_see(can_see.user_id::text, can_see.target, can_see.role, can_see.claims, null::text) c
$$;
comment on function identity.can_see(uuid, regclass, name, jsonb) is
  'What a person of this database sees of a table, and why: as identity.can_see(text, regclass, name, jsonb, text). Raises what that does, ID006 when there is no such person among them.';
revoke all on function identity.can_see(uuid, regclass, name, jsonb) from public;
grant execute on function identity.can_see(uuid, regclass, name, jsonb) to identity_owner, identity_admin;
