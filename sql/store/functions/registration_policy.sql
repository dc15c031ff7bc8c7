-- Registration policy: who may register clients, for what, and how many.
--
--   identity.registration_configure, registration_policy    identity_admin

create or replace function identity.registration_configure(
  policy text, grant_types text[] default null, scope text default null, software_statement text default null,
  source_quota integer default null, unused_limit integer default null, unused_lifetime interval default null
)
returns jsonb
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  known constant text[] := array(select g.grant_type from identity_store.grant_types() g);
  chosen identity_store.registration_policy;
begin
  perform set_config('synchronous_commit', 'on', true);
  select p.* into chosen from identity_store.registration_policy p for update;
  chosen.policy := registration_configure.policy;
  chosen.grant_types := coalesce(registration_configure.grant_types, chosen.grant_types);
  chosen.scope := case when registration_configure.scope is null then chosen.scope else nullif(registration_configure.scope, '') end;
  chosen.software_statement := coalesce(registration_configure.software_statement, chosen.software_statement);
  chosen.source_quota := coalesce(registration_configure.source_quota, chosen.source_quota);
  chosen.unused_limit := coalesce(registration_configure.unused_limit, chosen.unused_limit);
  chosen.unused_lifetime := coalesce(registration_configure.unused_lifetime, chosen.unused_lifetime);
  if coalesce(chosen.policy not in ('open', 'token', 'closed'), true) then
    raise exception using errcode = 'ID005', message = 'policy: must be open, token or closed';
  elsif coalesce(cardinality(chosen.grant_types), 0) = 0 or array_ndims(chosen.grant_types) > 1
    or exists (select from unnest(chosen.grant_types) g where coalesce(not g = any (known), true)) then
    raise exception using errcode = 'ID005', message = 'grant_types: must be some of ' || array_to_string(known, ', ');
  elsif chosen.policy = 'open' and exists (
    select from identity_store.grant_types() g where g.grant_type = any (chosen.grant_types) and not g.person) then
    raise exception using errcode = 'ID005', message = 'grant_types: with policy open, only grants for which a person is asked',
      hint = 'With policy token, those whom you gave an initial access token may register for others.';
  elsif chosen.scope is not null and not identity_store.client_member_fits(to_jsonb(chosen.scope), 'scope', null) then
    raise exception using errcode = 'ID005', message = 'scope: must be scope names separated by one space each, or empty for every one';
  elsif chosen.software_statement not in ('optional', 'required') then
    raise exception using errcode = 'ID005', message = 'software_statement: must be optional or required';
  elsif chosen.source_quota not between 1 and 1000000 then
    raise exception using errcode = 'ID005', message = 'source_quota: must be a number from 1 to 1000000';
  elsif chosen.unused_limit not between 1 and 1000000 then
    raise exception using errcode = 'ID005', message = 'unused_limit: must be a number from 1 to 1000000';
  elsif chosen.unused_lifetime not between '1 hour' and '365 days' then
    raise exception using errcode = 'ID005', message = 'unused_lifetime: must be between 1 hour and 365 days';
  end if;
  update identity_store.registration_policy p set (
    policy, grant_types, scope, software_statement, source_quota, unused_limit, unused_lifetime
  ) = (
    chosen.policy, chosen.grant_types, chosen.scope, chosen.software_statement, chosen.source_quota, chosen.unused_limit,
    chosen.unused_lifetime);
  perform identity_store.audit('registration_configured', null, null, null, jsonb_build_object('policy', chosen.policy));
  return identity.registration_policy();
end
$$;
comment on function identity.registration_configure(text, text[], text, text, integer, integer, interval) is
  'Says who may register clients: policy open (whoever asks), token (who shows an initial access token) or closed (nobody; the default). '
  'grant_types, scope (separated by spaces, empty: every one): for what. software_statement: optional or required. source_quota: how many clients one network (ten times as many a /48 of IPv6) may register openly or change in an hour, and have unused. '
  'unused_limit: how many open registrations may stand unused in all. unused_lifetime: when they are reaped. NULL leaves a setting as it is. Returns all of it as registration_policy. Raises ID005 naming the argument.';
revoke all on function identity.registration_configure(text, text[], text, text, integer, integer, interval) from public;
grant execute on function identity.registration_configure(text, text[], text, text, integer, integer, interval) to identity_admin;

create or replace function identity.registration_policy()
returns jsonb
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
  select jsonb_strip_nulls(to_jsonb(p) - 'only_row') from identity_store.registration_policy p
$$;
comment on function identity.registration_policy() is
  'Who may register clients: {policy, grant_types, scope?, software_statement, source_quota, unused_limit, unused_lifetime}; scope is absent where it is every one. Raises nothing.';
revoke all on function identity.registration_policy() from public;
grant execute on function identity.registration_policy() to identity_admin;
