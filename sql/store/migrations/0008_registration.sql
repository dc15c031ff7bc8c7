-- Clients that register themselves (RFC 7591, RFC 7592; OpenID Connect Dynamic Client Registration 1.0): who may, and what is known
-- of those that did. Written by functions/registration*.sql.

-- One row, so that it can be locked: open registrations pass it one after the other, and so what they count is exact.
create table identity_store.registration_policy (
  only_row boolean primary key default true check (only_row),
  policy text not null default 'closed' check (policy in ('open', 'token', 'closed')),
  grant_types text[] not null default '{authorization_code,implicit,refresh_token}' check (cardinality(grant_types) > 0),
  scope text default 'openid profile email address phone offline_access' check (scope <> ''),
  software_statement text not null default 'optional' check (software_statement in ('optional', 'required')),
  source_quota integer not null default 100 check (source_quota between 1 and 1000000),
  unused_limit integer not null default 10000 check (unused_limit between 1 and 1000000),
  unused_lifetime interval not null default '7 days' check (unused_lifetime between '1 hour' and '365 days')
);
comment on table identity_store.registration_policy is
  'Which clients may register themselves, and how many; one row, which identity.registration_configure changes.';
comment on column identity_store.registration_policy.only_row is 'Always true: there is one row.';
comment on column identity_store.registration_policy.policy is
  'open: whoever asks; token: who shows an initial access token; closed: nobody.';
comment on column identity_store.registration_policy.grant_types is 'The grants that they may register for.';
comment on column identity_store.registration_policy.scope is
  'The scopes that they may register for, separated by spaces, and get where they name none; NULL: every one.';
comment on column identity_store.registration_policy.software_statement is
  'Whether a software statement of a trusted issuer is required or optional (RFC 7591 §2.3).';
comment on column identity_store.registration_policy.source_quota is
  'How many clients one source may register openly or change in an hour, and how many of them may stand unused; ten times as many a /48 of IPv6.';
comment on column identity_store.registration_policy.unused_limit is 'How many open registrations may stand unused, of all sources.';
comment on column identity_store.registration_policy.unused_lifetime is
  'After how long an open registration that nobody has used is reaped.';

-- Nobody, until an administrator says otherwise.
insert into identity_store.registration_policy default values;

create table identity_store.initial_access_tokens (
  id uuid primary key,
  token_hash bytea not null check (octet_length(token_hash) = 32),
  description text not null,
  max_uses integer not null check (max_uses > 0),
  uses integer not null default 0 check (uses between 0 and max_uses),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz
);
comment on table identity_store.initial_access_tokens is
  'Initial access tokens (RFC 7591 §3): minted by administrators for those who shall register clients.';
comment on column identity_store.initial_access_tokens.id is 'UUID inside the token, by which it is found.';
comment on column identity_store.initial_access_tokens.token_hash is 'SHA-256 of the token.';
comment on column identity_store.initial_access_tokens.description is 'For whom it is, for administrators.';
comment on column identity_store.initial_access_tokens.max_uses is 'How many clients may be registered with it.';
comment on column identity_store.initial_access_tokens.uses is 'How many were.';
comment on column identity_store.initial_access_tokens.created_at is 'When it was minted.';
comment on column identity_store.initial_access_tokens.expires_at is 'Until when it is good.';
comment on column identity_store.initial_access_tokens.revoked_at is 'When an administrator took it back; NULL: not.';

create table identity_store.software_statement_issuers (
  issuer text primary key check (length(issuer) between 1 and 2000),
  jwks jsonb not null check (jsonb_typeof(jwks) = 'object'),
  created_at timestamptz not null default now()
);
comment on table identity_store.software_statement_issuers is
  'Whose software statements are believed (RFC 7591 §2.3). Apart from identity.trusted_issuers: whoever vouches for software says nothing about people.';
comment on column identity_store.software_statement_issuers.issuer is 'The claim iss of its statements, compared as written.';
comment on column identity_store.software_statement_issuers.jwks is 'Its public keys (RFC 7517 §5).';
comment on column identity_store.software_statement_issuers.created_at is 'When an administrator began to trust it.';

create table identity_store.client_registrations (
  client_id text primary key references identity_store.clients (id) on update cascade on delete cascade,
  token_id uuid unique,
  token_hash bytea check (octet_length(token_hash) = 32),
  digest bytea unique check (octet_length(digest) = 32),
  open boolean not null,
  initial_access_token uuid,
  software_statement text,
  source_bucket integer check (source_bucket between 0 and 65535),
  site_bucket integer check (site_bucket between 65536 and 131071),
  registered_at timestamptz not null default now(),
  renewed_at timestamptz not null default now(),
  used_at timestamptz,
  moved_at timestamptz,
  check ((token_id is null) = (token_hash is null)),
  -- What several registrants share, none of them may change.
  check (digest is null or token_id is null),
  check (open or source_bucket is null and site_bucket is null)
);
create index client_registrations_unused on identity_store.client_registrations (renewed_at) where open and used_at is null;
create index client_registrations_source on identity_store.client_registrations (source_bucket) where open and used_at is null;
create index client_registrations_site on identity_store.client_registrations (site_bucket) where open and used_at is null;
comment on table identity_store.client_registrations is
  'A row for each client that registered itself: how, and with what it manages itself (RFC 7592). A client without one was made by an administrator.';
comment on column identity_store.client_registrations.client_id is 'The client.';
comment on column identity_store.client_registrations.token_id is
  'UUID inside its registration access token, by which that is found; NULL: it has none, because it may be several registrants.';
comment on column identity_store.client_registrations.token_hash is 'SHA-256 of its registration access token.';
comment on column identity_store.client_registrations.digest is
  'SHA-256 of its metadata, where everybody who registers the same gets this client: an open registration without a secret; NULL: only one registrant has it.';
comment on column identity_store.client_registrations.open is 'True: anybody could register it, so that it counts, and goes when unused.';
comment on column identity_store.client_registrations.initial_access_token is
  'The initial access token it was registered with; no foreign key, because history outlives it; NULL: none.';
comment on column identity_store.client_registrations.software_statement is
  'The statement it was registered with, to be returned unmodified (RFC 7591 §3.2.1); NULL: none.';
comment on column identity_store.client_registrations.source_bucket is
  'Whose quota it and its changes count for (registration_sources); NULL: nobody''s.';
comment on column identity_store.client_registrations.site_bucket is 'The same of the /48 of an IPv6 source; NULL: it is none.';
comment on column identity_store.client_registrations.registered_at is 'When it was registered first.';
comment on column identity_store.client_registrations.renewed_at is
  'When somebody last registered the same, to ten minutes: how long it has been unused is counted from here.';
comment on column identity_store.client_registrations.used_at is
  'When a person last allowed it something, to the day, or an administrator changed it; NULL: nobody has, and there is no grant of it.';
comment on column identity_store.client_registrations.moved_at is
  'When it last added a redirect URI: what people allowed before that, they are asked again; NULL: never.';

-- A fixed number of counters, as for failed sign-ins: no growth, whoever asks.
create table identity_store.registration_sources (
  bucket integer primary key check (bucket between 0 and 131071),
  window_since timestamptz not null,
  window_count integer not null check (window_count > 0)
) with (fillfactor = 80);
comment on table identity_store.registration_sources is
  'Open registrations, their renewals and changes by source and hour, at most 131072 rows. Two sources may share a row; the cost is a shared quota.';
comment on column identity_store.registration_sources.bucket is
  'First 16 bits of identity.keyed_hash over the network address, from 65536 on over the /48 of an IPv6 address: without the key nobody finds addresses that meet.';
comment on column identity_store.registration_sources.window_since is 'Start of the hour that is counted.';
comment on column identity_store.registration_sources.window_count is 'Registrations, renewals and changes since then.';
