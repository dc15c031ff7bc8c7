-- What was granted: a grant for each authorization, its code, and the family of its refresh tokens (RFC 6749 §4.1, §6).
-- Partitioned by the UUIDv7 id; functions/maintenance makes and drops partitions. A grant, its code and its family live
-- at most 365 days (client setting refresh_token_lifetime), so rows are kept 400 days and dropped together: a spent code
-- and an ended family stay known as long as what they gave (README, decision 9).

create table identity_store.grants (
  id uuid primary key,
  user_id uuid not null references identity_store.users (id) on delete cascade,
  client_id text not null,
  session_id uuid not null,
  scope text[] not null,
  resources text[] not null,
  session_bound boolean not null,
  auth_time timestamptz not null,
  acr text,
  amr text[],
  claims jsonb check (octet_length(claims::text) <= 8192),
  created_at timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  check ((ended_at is null) = (end_reason is null))
) partition by range (id);
create table identity_store.grants_default partition of identity_store.grants default;
create index on identity_store.grants (user_id, client_id);
comment on table identity_store.grants is
  'One row per authorization a person gave a client; grant_id in the tokens that come from it.';
comment on column identity_store.grants.id is 'UUIDv7: sorts by time. grant_id in tokens.';
comment on column identity_store.grants.user_id is 'Who gave it.';
comment on table identity_store.grants_default is 'Catches rows that no partition was made for yet.';
comment on column identity_store.grants.client_id is 'The client; no foreign key, because history outlives it.';
comment on column identity_store.grants.session_id is 'Browser session it was given in; no foreign key, because history outlives it.';
comment on column identity_store.grants.scope is 'Scopes granted; a refresh may ask for fewer (RFC 6749 §6).';
comment on column identity_store.grants.resources is 'Canonical resources that tokens of this grant may be made for; empty: the issuer alone.';
comment on column identity_store.grants.session_bound is
  'True: an OpenID grant without offline_access, which ends with the browser session (OpenID Connect Core 1.0 §11).';
comment on column identity_store.grants.auth_time is
  'When the person had last proved who they are: the claim auth_time (OpenID Connect Core §2).';
comment on column identity_store.grants.acr is 'Authentication context class of that proof, the claim acr; NULL: none claimed.';
comment on column identity_store.grants.amr is 'How it was proved, RFC 8176 names, the claim amr; NULL: not known.';
comment on column identity_store.grants.claims is
  'Claims that the request named one by one and the person allowed (OpenID Connect Core §5.5): {"userinfo": {"name": null or [value, …]}, "id_token": {…}}; NULL: none.';
comment on column identity_store.grants.created_at is 'When it was given.';
comment on column identity_store.grants.ended_at is 'When it ended; NULL: not ended, though its code and refresh family may have expired.';
comment on column identity_store.grants.end_reason is
  'code_replayed, refresh_token_replayed, revoked, withdrawn, session_ended, client_deleted, issued_between_revoked …';

create table identity_store.authorization_codes (
  id uuid primary key,
  grant_id uuid not null,
  client_id text not null,
  code_hash bytea not null check (octet_length(code_hash) = 32),
  redirect_uri text not null,
  redirect_uri_given boolean not null,
  code_challenge text,
  nonce text,
  expires_at timestamptz not null,
  used_at timestamptz
) partition by range (id);
create table identity_store.authorization_codes_default partition of identity_store.authorization_codes default;
comment on table identity_store.authorization_codes is 'Authorization codes: good once, for 60 seconds; only the SHA-256 is kept.';
comment on column identity_store.authorization_codes.id is 'UUIDv7 inside the code, by which it is found.';
comment on column identity_store.authorization_codes.grant_id is
  'The grant it stands for; no foreign key, because the partitions of both are dropped together.';
comment on column identity_store.authorization_codes.client_id is
  'The only client that may redeem it (RFC 6749 §4.1.3); no foreign key, because history outlives it.';
comment on column identity_store.authorization_codes.code_hash is 'SHA-256 of the code, 32 bytes.';
comment on column identity_store.authorization_codes.redirect_uri is
  'Where the code was sent; a token request that names one must name this (RFC 6749 §4.1.3).';
comment on column identity_store.authorization_codes.nonce is
  'Given back in the ID token (OpenID Connect Core §3.1.2.1); NULL: the client sent none.';
comment on column identity_store.authorization_codes.expires_at is '60 seconds after it was made.';
comment on column identity_store.authorization_codes.used_at is
  'When it was redeemed; NULL: not yet. A second redemption ends the grant (RFC 6749 §4.1.2).';
comment on table identity_store.authorization_codes_default is 'Catches rows that no partition was made for yet.';
comment on column identity_store.authorization_codes.code_challenge is 'S256 challenge (RFC 7636); NULL: the client sent none.';
comment on column identity_store.authorization_codes.redirect_uri_given is
  'False: the request relied on the only registered URI, so the token request may leave it out too.';

-- fillfactor: a refresh changes no indexed column, so the new version stays in the page (HOT).
create table identity_store.refresh_families (
  id uuid primary key,
  grant_id uuid not null,
  client_id text not null,
  user_id uuid not null references identity_store.users (id) on delete cascade,
  session_id uuid,
  generation integer not null default 1 check (generation > 0),
  seed bytea not null,
  head_since timestamptz not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  idle_expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  check ((ended_at is null) = (end_reason is null))
) partition by range (id);
create table identity_store.refresh_families_default partition of identity_store.refresh_families default
  with (fillfactor = 80);
create index on identity_store.refresh_families (grant_id);
create index on identity_store.refresh_families (user_id);
create index on identity_store.refresh_families (session_id) where session_id is not null;
comment on table identity_store.refresh_families is
  'Refresh tokens: one row for all generations of a token (README, decision 9). The tokens are computed, never stored.';
comment on column identity_store.refresh_families.id is 'UUIDv7 inside every token of the family, by which it is found.';
comment on column identity_store.refresh_families.grant_id is
  'The grant it refreshes; no foreign key, because the partitions of both are dropped together.';
comment on column identity_store.refresh_families.client_id is
  'The only client that may use it (RFC 6749 §6); no foreign key, because history outlives it.';
comment on column identity_store.refresh_families.user_id is 'Who gave the grant.';
comment on table identity_store.refresh_families_default is 'Catches rows that no partition was made for yet.';
comment on column identity_store.refresh_families.session_id is 'Browser session the family ends with; NULL: it outlives the session.';
comment on column identity_store.refresh_families.generation is 'Number of the current token of the family, the head.';
comment on column identity_store.refresh_families.seed is 'Sealed key that the tokens of all generations are computed from.';
comment on column identity_store.refresh_families.head_since is 'When the head was made; its predecessor is accepted for 120 s after it.';
comment on column identity_store.refresh_families.created_at is 'When the first token was made.';
comment on column identity_store.refresh_families.expires_at is 'Absolute end, fixed at the start (client setting refresh_token_lifetime).';
comment on column identity_store.refresh_families.idle_expires_at is
  'End unless it is used before: moved on by use (client setting refresh_token_idle_lifetime), never past expires_at.';
comment on column identity_store.refresh_families.ended_at is 'When it ended before its time; NULL: not ended, though it may have expired.';
comment on column identity_store.refresh_families.end_reason is 'Why it ended, as in grants.end_reason; NULL while ended_at is.';
