-- Revoke issued: the end of everything that was issued between two moments, for when somebody else has been the gateway.
--
--   revoke_issued_between(issued_after, issued_before, issuer, used, dry_run)   administrators
--
-- Access tokens are ended by one row of identity.revocations, however many they are; what renews them by the store, where there is
-- one (sql/store/functions/revoke_issued.sql). A database that only verifies has the tokens of each issuer it trusts to end.

create function identity.revoke_issued_between(
  issued_after timestamptz, issued_before timestamptz, issuer text default null, used boolean default false, dry_run boolean default false
)
returns table (sessions bigint, grants bigint)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  of_issuer constant text := coalesce(issuer, identity.configured_issuer());
  ours constant boolean := of_issuer is not distinct from identity.configured_issuer();
begin
  if issued_after is null or issued_before is null or not isfinite(issued_after) or not isfinite(issued_before) then
    raise exception using errcode = 'ID005', message = 'issued_after and issued_before must be moments, neither null nor infinity';
  elsif issued_after > issued_before then
    raise exception using errcode = 'ID005', message = 'issued_after is later than issued_before';
  elsif issued_before > clock_timestamp() then
    raise exception using errcode = 'ID005', message = 'issued_before is in the future',
      hint = 'What is not issued yet cannot be ended. Call again when it is over, or end at now().';
  elsif used is null or dry_run is null then
    raise exception using errcode = 'ID005', message = 'used and dry_run must be true or false';
  elsif of_issuer is null then
    raise exception using errcode = 'ID002', message = 'issuer is null, and this database has no issuer of its own',
      hint = 'Name the trusted issuer whose tokens are meant.';
  elsif not ours and not exists (select from identity.trusted_issuers t where t.issuer = of_issuer) then
    raise exception using errcode = 'ID006', message = 'issuer is neither this database''s nor a trusted one';
  end if;
  perform set_config('synchronous_commit', 'on', true);
  sessions := 0;
  grants := 0;
  if ours and identity.store_has('issued_end') then
    select e.sessions, e.grants into sessions, grants
    from identity_store.issued_end(issued_after, issued_before, used, dry_run) e;
  end if;
  if not dry_run then
    insert into identity.revocations as r (kind, id, until, issued_after, issued_before)
    -- Our own tokens live for a day at most; of other issuers nobody can say, so a month.
    values ('issuer', of_issuer, revoke_issued_between.issued_before + case when ours then interval '1 day 1 minute' else interval '31 days' end,
      revoke_issued_between.issued_after, revoke_issued_between.issued_before)
    on conflict on constraint revocations_pkey do update
      set until = greatest(r.until, excluded.until), issued_before = greatest(r.issued_before, excluded.issued_before);
  end if;
  return next;
end
$$;
alter function identity.revoke_issued_between(timestamptz, timestamptz, text, boolean, boolean) owner to identity_owner;
comment on function identity.revoke_issued_between(timestamptz, timestamptz, text, boolean, boolean) is
  'Ends what was issued between two moments, both included, by this database''s issuer or (issuer) a trusted one: its tokens at their next authenticate, by iat the whole seconds; in the store sessions begun or renewed then, grants and refresh tokens given then, and grants given in those sessions at any time; clients are told (back-channel logout). Keys of clients that were fetched then are forgotten, and fetched again. used: sessions too that were used since, whose cookies passed by. Passwords and client secrets stay as they are. dry_run: nothing ends. Returns how many sessions and grants; tokens are not counted. Raises ID002 without an issuer, ID005 bad argument or isolation level, ID006 unknown issuer, 55P03 when a transaction that is writing does not end within five seconds.';
revoke all on function identity.revoke_issued_between(timestamptz, timestamptz, text, boolean, boolean) from public;
grant execute on function identity.revoke_issued_between(timestamptz, timestamptz, text, boolean, boolean) to identity_owner, identity_admin;
