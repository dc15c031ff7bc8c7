-- Sessions: a browser in which somebody has proved who they are; and the counters that slow guessing down.
--
--   live ──▶ ended ──▶ told      by sign-out, by another person signing in, by an administrator, by change of password …; told:
--     │                          its browser has been there since, and its clients heard of it in frames (frontchannel_logout.sql)
--     └────▶ expired    12 hours unused or 30 days old (README, decision 9): nothing is written, the row stops counting

-- Partitioned by the UUIDv7 id. last_seen_at is in no index and partitions have fillfactor 80 (partition_settings),
-- so that noting it stays within the page (HOT).
create table identity_store.sessions (
  id uuid not null primary key,
  user_id uuid not null references identity_store.users on delete cascade,
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  auth_time timestamptz not null,
  acr text,
  amr text[] not null,
  source text,
  user_agent text,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  frontchannel_told_at timestamptz,
  check ((ended_at is null) = (end_reason is null)),
  check (frontchannel_told_at is null or ended_at is not null)
) partition by range (id);
create index sessions_user on identity_store.sessions (user_id);
create table identity_store.sessions_default partition of identity_store.sessions default with (fillfactor = 80);

comment on table identity_store.sessions is
  'Browser sessions. The cookie is the prefix ids, the id and a secret; a new secret at every sign-in. The id is the `sid` of tokens.';
comment on column identity_store.sessions.id is 'UUIDv7: sorts by time. In the cookie, and the `sid` of tokens.';
comment on column identity_store.sessions.user_id is 'Who is signed in.';
comment on column identity_store.sessions.secret_hash is 'SHA-256 of the secret in the cookie.';
comment on column identity_store.sessions.auth_time is 'When the person last proved who they are (OpenID Connect Core §2, auth_time).';
comment on column identity_store.sessions.acr is 'Authentication context class reached, of identity_store.acr_values(); NULL: none claimed.';
comment on column identity_store.sessions.amr is 'How: RFC 8176 names, such as pwd.';
comment on column identity_store.sessions.source is 'Address of the browser at sign-in, as the gateway saw it.';
comment on column identity_store.sessions.user_agent is 'User-Agent at sign-in, shown to the person; first 300 characters.';
comment on column identity_store.sessions.created_at is
  'When the person signed in; a later proof in the same browser changes auth_time instead.';
comment on column identity_store.sessions.last_seen_at is 'Last use, to the minute: the idle lifetime is counted from here.';
comment on column identity_store.sessions.expires_at is 'Absolute end, fixed at the start.';
comment on column identity_store.sessions.ended_at is 'When it ended before its time; NULL: not ended, though it may have expired.';
comment on column identity_store.sessions.end_reason is 'Why it ended before its time; NULL while it has not.';
comment on column identity_store.sessions.frontchannel_told_at is
  'When its browser was given the frames that tell its clients of the end (OpenID Connect Front-Channel Logout 1.0); NULL: it has not been there since, or there is nobody to tell.';
comment on table identity_store.sessions_default is 'Catches rows for which maintenance has not made a partition; they stay until their time is over.';

-- A fixed number of counters, found by keyed hash, the same for names that do not exist: no enumeration, no growth.
create table identity_store.sign_in_buckets (
  kind text not null check (kind in ('account', 'device', 'source')),
  bucket integer not null check (bucket between 0 and 65535),
  failures integer not null default 0 check (failures >= 0),
  failed_at timestamptz,
  blocked_until timestamptz,
  minute timestamptz,
  minute_failures integer not null default 0 check (minute_failures >= 0),
  primary key (kind, bucket),
  check ((minute is null) = (minute_failures = 0))
) with (fillfactor = 80);
comment on table identity_store.sign_in_buckets is
  'Failed guesses at passwords, at most 65536 rows a kind. Two names may share a row; the cost is a wait of seconds.';
comment on column identity_store.sign_in_buckets.kind is
  'account: by the name tried. device: by browser and person, for browsers that person has signed in with before. source: by network address.';
comment on column identity_store.sign_in_buckets.bucket is 'First 16 bits of identity.keyed_hash over kind and name: without the key nobody finds names that meet.';
comment on column identity_store.sign_in_buckets.failures is 'Failures in a row, forgotten after a quiet while or, but for a source, a success.';
comment on column identity_store.sign_in_buckets.failed_at is
  'The last failure, from which the quiet while of 15 minutes is counted; NULL: none yet.';
comment on column identity_store.sign_in_buckets.blocked_until is 'No guess is checked before. Never more than 30 s away: not a lock that somebody else can keep closed for good.';
comment on column identity_store.sign_in_buckets.minute is 'The minute that minute_failures counts; NULL: nothing waits to be audited.';
comment on column identity_store.sign_in_buckets.minute_failures is 'Failures of that minute that are not in the audit yet.';
