-- Revocation: what died before its time. authenticate and verify_jwt read this list, with the latest snapshot.
--
--   revoke(kind, id, until, issued_before)   administrators, the store
--   revoke_issued_between(…)                 administrators: revoke_issued.sql
--
-- A row is needed only as long as a token that stands on it may live, so the list stays as small as what was revoked lately.

create table identity.revocations (
  kind text collate "C" not null check (kind in ('token', 'session', 'grant', 'client', 'user', 'agent', 'issuer')),
  id text collate "C" not null check (length(id) between 1 and 1024),
  until timestamptz not null,
  issued_before timestamptz not null,
  issued_after timestamptz not null default '-infinity',
  -- An issuer has a row for each interval; all else is found by kind and id alone.
  primary key (kind, id, issued_after),
  check (kind = 'issuer' or issued_after = '-infinity')
);
alter table identity.revocations owner to identity_owner;
create index revocations_until on identity.revocations (until);
create index revocations_issued_before on identity.revocations (issued_before);
comment on table identity.revocations is 'What no token may stand on any more';
comment on column identity.revocations.kind is 'token (jti), session (sid), grant (grant_id), client (client_id), user (sub), agent (sub of an actor), issuer (iss)';
comment on column identity.revocations.id is 'Which one, as the token names it, whoever issued it';
comment on column identity.revocations.until is 'After this no token that stands on it is alive, and the row may go';
comment on column identity.revocations.issued_before is 'For user, client, agent and issuer: only tokens issued up to this moment are dead; by iat the whole second is, by a jti of UUID version 7 the moment. For the others without meaning';
comment on column identity.revocations.issued_after is 'For issuer: only tokens issued from this moment on are dead, compared as issued_before. -infinity for the others';
select pg_catalog.pg_extension_config_dump('identity.revocations', '');

create function identity.revoke(kind text, id text, until timestamptz default null, issued_before timestamptz default now())
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- Our own tokens live for a day at most; of other issuers nobody can say, so a month.
  forgotten_at timestamptz := coalesce(until, now() +
    case when exists (select from identity.trusted_issuers) then interval '31 days' else interval '1 day 1 minute' end);
begin
  if kind is null or kind not in ('token', 'session', 'grant', 'client', 'user', 'agent') then
    raise exception using errcode = 'ID005',
      message = 'kind is unknown',
      hint = 'Known are token, session, grant, client, user and agent.';
  end if;
  if id is null or length(id) not between 1 and 1024 then
    raise exception using errcode = 'ID005', message = 'id is not a text of 1 to 1024 characters';
  end if;
  if issued_before is null then
    raise exception using errcode = 'ID005', message = 'issued_before is null';
  end if;
  insert into identity.revocations as r (kind, id, until, issued_before)
  values (revoke.kind, revoke.id, forgotten_at, revoke.issued_before)
  on conflict on constraint revocations_pkey do update
    -- A revocation is never made weaker by a later one.
    set until = greatest(r.until, excluded.until),
        issued_before = greatest(r.issued_before, excluded.issued_before);
  -- Tidied by those who write, a few at a time, never waiting for another.
  delete from identity.revocations
  where ctid = any (array(
    select old.ctid from identity.revocations old where old.until < now() limit 10 for update skip locked));
end
$$;
alter function identity.revoke(text, text, timestamptz, timestamptz) owner to identity_owner;
comment on function identity.revoke(text, text, timestamptz, timestamptz) is
  'Ends every token that stands on this token (jti), session (sid), grant, client, user (sub) or agent (sub of an actor), at its next authenticate. For user, client and agent: tokens issued up to issued_before, so that signing in again works at once; the others for good. until: when the row may be forgotten; NULL: 1 day (31 days where issuers are trusted). Raises ID005.';
revoke all on function identity.revoke(text, text, timestamptz, timestamptz) from public;
grant execute on function identity.revoke(text, text, timestamptz, timestamptz) to identity_owner, identity_admin;
