-- Impersonation: what the store adds when an administrator acts as one of its people (identity.impersonate of the extension).
--
-- identity_store.impersonation()    identity.impersonation_record()

create or replace function identity_store.impersonation(subject text, claims jsonb)
returns jsonb
language plpgsql volatile parallel unsafe
as $$
declare
  -- One spelling only, as in tokens.
  person constant uuid := case when subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then subject::uuid end;
  profile constant jsonb := identity_store.user_profile(person);
begin
  if profile is null then
    raise exception using errcode = 'ID006', message = 'there is no such user';
  end if;
  -- A standby, and a transaction that only reads, have the line in the log.
  if current_setting('transaction_read_only') = 'off' then
    perform identity_store.audit('user_impersonated', person, claims ->> 'client_id', null);
  end if;
  return jsonb_build_object('roles', profile -> 'roles') || claims || jsonb_build_object('sub', subject);
end
$$;
comment on function identity_store.impersonation(text, jsonb) is
  'Audits that the administrator who is logged in acts as this person, and returns the claims of the person: theirs, with roles where they name none. Raises ID006 when there is no such person.';
revoke all on function identity_store.impersonation(text, jsonb) from public;
