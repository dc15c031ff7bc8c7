-- Policies in words: what each table with row-level security allows to whom.
--
--   policies   a view for everybody who may call identity functions

create view identity.policies with (security_invoker = true) as
  with tables as (
    select c.oid, c.oid::regclass as target, c.relrowsecurity as enabled,
      case
        when not c.relrowsecurity then 'no: row-level security is off'
        when c.relforcerowsecurity then 'yes'
        else 'not on the owner of the table'
      end as binding
    from pg_catalog.pg_class c
    where c.relrowsecurity or exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid)
  ), written as (
    select t.*, p.polname as policy, p.polcmd as letter,
      case when p.polpermissive then 'allows' else 'demands' end as effect,
      case when w.intact then w.words
        else 'rows where ' || pg_catalog.concat_ws(', and after the change ',
          pg_catalog.pg_get_expr(p.polqual, t.oid), pg_catalog.pg_get_expr(p.polwithcheck, t.oid))
      end || case when p.polroles = '{0}' then ''
        else pg_catalog.format(' (to %s)', (
          select pg_catalog.string_agg(r::regrole::text, ', ' order by r::regrole::text) from pg_catalog.unnest(p.polroles) r))
      end as words,
      case when w.intact then 'protect' when identity.protect_wrote(p.oid) then 'protect, and changed since' else 'hand' end as written_by
    from tables t
    join pg_catalog.pg_policy p on p.polrelid = t.oid
    left join lateral identity.protect_written(t.oid) w on w.policy = p.polname
  ), commands (command, letter, position) as (
    values ('select', 'r', 1), ('insert', 'a', 2), ('update', 'w', 3), ('delete', 'd', 4)
  ), listed as (
    select w.target, c.command, c.position, w.effect, w.words, w.policy, w.written_by, w.binding
    from written w
    join commands c on w.letter in (c.letter, '*')
    union all
    select t.target, c.command, c.position, 'allows', 'nothing, to nobody', null, null, t.binding
    from tables t
    cross join commands c
    where t.enabled and not exists (select from written w where w.oid = t.oid and w.effect = 'allows' and w.letter in (c.letter, '*'))
  )
  select l.target, l.command, l.effect, l.words, l.policy, l.written_by, l.binding
  from listed l
  order by l.target::text, l.position, l.effect, l.policy;
comment on view identity.policies is
  'What tables with row-level security allow to whom, in words: a row for each table, command and policy. What is allowed is any of the rows that some policy allows, and of those only what all others demand.';
comment on column identity.policies.target is 'The table.';
comment on column identity.policies.command is 'select, insert, update or delete.';
comment on column identity.policies.effect is 'allows: a way in, beside others; demands: a bound on all ways in.';
comment on column identity.policies.words is 'Which rows, and to whom; the condition itself where the policy was written by hand.';
comment on column identity.policies.policy is 'The policy. NULL: there is none that allows the command.';
comment on column identity.policies.written_by is 'protect; "protect, and changed since"; or hand.';
comment on column identity.policies.binding is 'Whether it is in force: yes; not on the owner of the table (FORCE ROW LEVEL SECURITY is missing); no.';
alter view identity.policies owner to identity_owner;
revoke all on identity.policies from public;
grant select on identity.policies to identity_owner, identity_admin, identity_app;
