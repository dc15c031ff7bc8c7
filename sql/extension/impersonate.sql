-- Impersonate: what somebody may do, tried by an administrator in a transaction, to test policies.
--
--   impersonate(user_id, claims)           administrators
--   impersonate(subject, claims, issuer)   administrators
--
-- The administrator is the outermost actor (act, RFC 8693 §4.1), so that rows written meanwhile show it where they keep
-- identity.actor(). is_agent() answers as it would for the person. It ends with the transaction, at the latest after an hour, and
-- counts as the one subject of the transaction.
-- Written down before anything else: in the server's log, which no rollback takes back, and by the store, where there is one, in its audit.

create function identity.impersonation_begin(issuer text, claims jsonb, administrator text)
returns void
language c volatile strict parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'impersonation_begin_wrapper';
comment on function identity.impersonation_begin(text, jsonb, text) is
  'Signs in whoever these claims of this issuer speak for, with the administrator as outermost actor; internal. Raises ID001, ID005, ID101, ID109, ID201.';
revoke all on function identity.impersonation_begin(text, jsonb, text) from public;
grant execute on function identity.impersonation_begin(text, jsonb, text) to identity_owner;

create function identity.impersonation_record(subject text, issuer text, claims jsonb)
returns jsonb
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if subject is null or length(subject) not between 1 and 1024 then
    raise exception using errcode = 'ID005', message = 'subject (user_id) is not a text of 1 to 1024 characters';
  end if;
  if issuer is null then
    raise exception using errcode = 'ID002', message = 'issuer is null, and this database has no issuer of its own',
      hint = 'Name the trusted issuer whose subject it is.';
  end if;
  if claims is null or jsonb_typeof(claims) <> 'object' then
    raise exception using errcode = 'ID005', message = 'claims is not an object';
  end if;
  raise log 'pg_identity: % impersonates % of %', session_user, quote_literal(subject), quote_literal(issuer);
  if issuer = identity.configured_issuer() and identity.store_has('impersonation') then
    return identity_store.impersonation(subject, claims);
  end if;
  return claims || jsonb_build_object('sub', subject);
end
$$;
alter function identity.impersonation_record(text, text, jsonb) owner to identity_owner;
comment on function identity.impersonation_record(text, text, jsonb) is
  'Writes down that the administrator who is logged in acts as this subject: in the log, and in the audit of the store where the subject is a person of it. Returns the claims of the person. Raises ID002, ID005, and ID006 when the store knows no such person.';
revoke all on function identity.impersonation_record(text, text, jsonb) from public;
grant execute on function identity.impersonation_record(text, text, jsonb) to identity_owner, identity_admin;

create function identity.impersonate(subject text, claims jsonb default '{}', issuer text default null)
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  of_issuer constant text := coalesce(issuer, identity.configured_issuer());
begin
  perform identity.impersonation_begin(of_issuer, identity.impersonation_record(subject, of_issuer, claims), session_user);
end
$$;
alter function identity.impersonate(text, jsonb, text) owner to identity_owner;
comment on function identity.impersonate(text, jsonb, text) is
  'Until the end of the transaction, at most an hour: what somebody may do, to test policies. subject and issuer (NULL: this database''s): who; a person of the store comes with their roles. claims: what else their token would say, such as {"scope": "orders:read", "org_id": "…"}, in the form of that issuer. actor() names the login of the administrator; the log and the store''s audit too. Raises ID001 not preloaded, ID002 without issuer, ID005 bad argument, ID006 no such person, ID101 a claim of the wrong type, ID109 unknown issuer, ID201 when another subject was signed in earlier in this transaction.';
revoke all on function identity.impersonate(text, jsonb, text) from public;
grant execute on function identity.impersonate(text, jsonb, text) to identity_owner, identity_admin;

create function identity.impersonate(user_id uuid, claims jsonb default '{}')
returns void
language sql volatile parallel unsafe
as $$
  select identity.impersonate(impersonate.user_id::text, impersonate.claims, null::text)
$$;
comment on function identity.impersonate(uuid, jsonb) is
  'Until the end of the transaction, at most an hour: what a person of this database may do, to test policies. claims and records as for identity.impersonate(text, jsonb, text). Raises what that does, ID006 when there is no such person among them.';
revoke all on function identity.impersonate(uuid, jsonb) from public;
grant execute on function identity.impersonate(uuid, jsonb) to identity_owner, identity_admin;
