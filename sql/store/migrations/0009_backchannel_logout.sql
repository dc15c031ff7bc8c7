-- Logouts that applications have not heard of yet: an outbox (OpenID Connect Back-Channel Logout 1.0 §2.5). Filled in the transaction
-- that ends a session, emptied by functions/backchannel_logout.sql; where nothing is under way it is empty.

-- No foreign keys: the end of a session must not wait for somebody who changes a client (lock order: functions/codes.sql), and
-- the row of a session or a person says nothing that is needed here.
create table identity_store.backchannel_logouts (
  id uuid primary key,
  client_id text not null,
  user_id uuid not null,
  session_id uuid not null,
  created_at timestamptz not null default now(),
  due_at timestamptz not null default now(),
  receipt_hash bytea check (octet_length(receipt_hash) = 32),
  attempts integer not null default 0 check (attempts >= 0),
  refusals integer not null default 0 check (refusals between 0 and attempts),
  aside boolean not null default false,
  failure text
) with (fillfactor = 70);
-- The oldest of each client, and those that wait for no other.
create index on identity_store.backchannel_logouts (client_id, id) where not aside;
create index on identity_store.backchannel_logouts (due_at) where aside;
create index on identity_store.backchannel_logouts (created_at);
comment on table identity_store.backchannel_logouts is
  'One row for each client that has to be told of the end of a session; deleted when it was, or a day later.';
comment on column identity_store.backchannel_logouts.id is 'UUIDv7, in the order of events; the jti of the logout token, the same at every attempt.';
comment on column identity_store.backchannel_logouts.client_id is 'Who is told.';
comment on column identity_store.backchannel_logouts.user_id is 'Whose session ended.';
comment on column identity_store.backchannel_logouts.session_id is 'The session that ended.';
comment on column identity_store.backchannel_logouts.created_at is 'When it ended; a client that was made later under the same id is not told.';
comment on column identity_store.backchannel_logouts.due_at is
  'When it is tried again. While somebody delivers it: when nobody believes any more that they do.';
comment on column identity_store.backchannel_logouts.receipt_hash is
  'SHA-256 of what was given to whoever delivers it, 32 bytes; NULL: nobody does.';
comment on column identity_store.backchannel_logouts.attempts is 'How often it was taken.';
comment on column identity_store.backchannel_logouts.refusals is 'How often the client answered, and not that it had understood.';
comment on column identity_store.backchannel_logouts.aside is
  'True: refused so often that later ones of this client do not wait for it any more.';
comment on column identity_store.backchannel_logouts.failure is 'Why the last attempt failed, for administrators; NULL: none has.';
