-- Refresh-token families: making one, and finding the one a token belongs to (RFC 6749 §1.5, §6; README, decision 9).
--
--   identity_store.refresh_given    authorization_verdict: what the consent page says of it
--   identity_store.refresh_issue    token_authorization_code
--   identity_store.refresh_find     token_refresh_token, introspection, revocation
--
-- A family is one row; a token is its id, a generation and an HMAC under its seed, so nothing is stored per token.
--
--   live ──refresh──▶ live, generation + 1            the predecessor gets the same head for 120 s more
--     ├──predecessor after 120 s, or an older one──▶ ended (refresh_token_replayed)
--     ├──revocation, withdrawal, end of session …──▶ ended
--     └──idle or absolute lifetime over──▶ expired

create or replace function identity_store.refresh_given(client identity_store.clients, scope text[])
returns boolean
language sql immutable parallel safe
as $$
  -- README, decision 9: the person allowed offline_access, or it is plain OAuth, or the client's setting says always.
  select 'refresh_token' = any (client.grant_types)
    and ('offline_access' = any (scope) or not 'openid' = any (scope) or client.refresh_token = 'always')
$$;
comment on function identity_store.refresh_given(identity_store.clients, text[]) is
  'Whether this client gets a refresh token with these scopes.';
revoke all on function identity_store.refresh_given(identity_store.clients, text[]) from public;

create or replace function identity_store.refresh_issue(client identity_store.clients, granted identity_store.grants)
returns text
language plpgsql volatile parallel unsafe
as $$
declare
  family uuid;
  seed bytea;
  ends timestamptz;
begin
  if not identity_store.refresh_given(client, granted.scope) then
    return null;
  end if;
  family := identity.uuid_v7();
  seed := identity.refresh_seed();
  ends := now() + make_interval(secs => client.refresh_token_lifetime);
  insert into identity_store.refresh_families
    (id, grant_id, client_id, user_id, session_id, seed, head_since, created_at, expires_at, idle_expires_at)
  values (family, granted.id, client.id, granted.user_id, case when granted.session_bound then granted.session_id end, seed,
    now(), now(), ends, least(ends, now() + make_interval(secs => client.refresh_token_idle_lifetime)));
  return identity.refresh_token(family, 1, seed);
end
$$;
comment on function identity_store.refresh_issue(identity_store.clients, identity_store.grants) is
  'Starts the refresh family of a grant and returns its first token; NULL when this grant gets none.';
revoke all on function identity_store.refresh_issue(identity_store.clients, identity_store.grants) from public;

-- Each row by its own id, which prunes to one partition before a statement starts; a join would open every partition.
create or replace function identity_store.refresh_find(
  refresh_token text,
  out shown integer, out family identity_store.refresh_families, out granted identity_store.grants, out session_alive boolean,
  out dead text
)
language plpgsql stable parallel unsafe
as $$
declare
  person_active boolean;
begin
  select f.* into family from identity_store.refresh_families f
  where f.id = identity.refresh_family(refresh_find.refresh_token);
  if not found or not identity.refresh_matches(refresh_find.refresh_token, family.seed) then
    family := null;
    return;
  end if;
  shown := identity.refresh_generation(refresh_find.refresh_token);
  select g.* into granted from identity_store.grants g where g.id = family.grant_id;
  select s.id is not null, u.state = 'active' into session_alive, person_active
  from identity_store.users u
  left join identity_store.sessions s on s.id = granted.session_id and s.ended_at is null and s.expires_at > now()
    and s.last_seen_at > now() - identity_store.session_idle_lifetime()
  where u.id = family.user_id;
  dead := case
    when family.ended_at is not null then 'family ended: ' || family.end_reason
    when granted.ended_at is not null then 'grant ended: ' || granted.end_reason
    when least(family.expires_at, family.idle_expires_at) <= now() then 'family expired'
    when person_active is not true then 'person may not sign in'
    when family.session_id is not null and not session_alive then 'session ended'
  end;
end
$$;
comment on function identity_store.refresh_find(text) is
  'The family a genuine refresh token belongs to, with its grant: shown is the generation of the token, dead the reason why the family gives nothing any more, NULL while it lives. All NULL for a malformed, unknown or forged token.';
revoke all on function identity_store.refresh_find(text) from public;
