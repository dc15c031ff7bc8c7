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
  seed := identity.refresh_seed();
  ends := now() + make_interval(secs => client.refresh_token_lifetime);
  -- The id is made under the lock of the statement that writes it: issuing_awaited (revoke_issued.sql) relies on it.
  insert into identity_store.refresh_families
    (id, grant_id, client_id, user_id, session_id, seed, head_since, created_at, expires_at, idle_expires_at)
  values (identity.uuid_v7(), granted.id, client.id, granted.user_id,
    case when granted.session_bound then granted.session_id end, seed,
    now(), now(), ends, least(ends, now() + make_interval(secs => client.refresh_token_idle_lifetime)))
  returning id into family;
  return identity.refresh_token(family, 1, seed);
end
$$;
comment on function identity_store.refresh_issue(identity_store.clients, identity_store.grants) is
  'Starts the refresh family of a grant and returns its first token; NULL when this grant gets none.';
revoke all on function identity_store.refresh_issue(identity_store.clients, identity_store.grants) from public;

create or replace function identity_store.refresh_find(
  refresh_token text,
  out shown integer, out family identity_store.refresh_families, out granted identity_store.grants, out session_alive boolean,
  out dead text
)
language plpgsql stable parallel unsafe
as $$
declare
  person identity_store.users;
  session identity_store.sessions;
begin
  family := identity.row_by_id(null::identity_store.refresh_families, identity.refresh_family(refresh_find.refresh_token));
  if family.id is null or not identity.refresh_matches(refresh_find.refresh_token, family.seed) then
    family := null;
    return;
  end if;
  shown := identity.refresh_generation(refresh_find.refresh_token);
  granted := identity.row_by_id(null::identity_store.grants, family.grant_id);
  person := identity.row_by_id(null::identity_store.users, family.user_id);
  session := identity.row_by_id(null::identity_store.sessions, granted.session_id);
  session_alive := session.id is not null and session.ended_at is null and session.expires_at > now()
    and session.last_seen_at > now() - identity_store.session_idle_lifetime();
  dead := case
    when family.ended_at is not null then 'family ended: ' || family.end_reason
    when granted.ended_at is not null then 'grant ended: ' || granted.end_reason
    when least(family.expires_at, family.idle_expires_at) <= now() then 'family expired'
    when person.state is distinct from 'active' then 'person may not sign in'
    when family.session_id is not null and not session_alive then 'session ended'
  end;
end
$$;
comment on function identity_store.refresh_find(text) is
  'The family a genuine refresh token belongs to, with its grant: shown is the generation of the token, dead the reason why the family gives nothing any more, NULL while it lives. All NULL for a malformed, unknown or forged token.';
revoke all on function identity_store.refresh_find(text) from public;
