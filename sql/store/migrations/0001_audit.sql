-- Audit: what happened to whom, when, and who did it.
--
-- A row is written in the transaction of what it records: either both exist or neither.
-- Written by identity_store.audit(), read by identity.audit_list() (functions/audit.sql, where all kinds are listed).

create schema if not exists identity_store;
comment on schema identity_store is
  'The identity provider''s tables and internal functions. Nobody but identity_owner uses it directly: everything callable is in schema identity.';
-- PostgreSQL lets everybody execute a new function; each file revokes that, and this covers what a file forgot.
alter default privileges revoke execute on functions from public;

-- Partitioned by the UUIDv7 id, that is by time: expiry is a dropped partition (functions/maintenance.sql).
-- No foreign key: the row outlives what it is about. No index but the primary key: each would be paid at every
-- token request, while questions are asked about a span of time, which the primary key finds. No check either: PostgreSQL reads
-- it anew for every insert, a tenth of a token request, and identity_store.audit() is the only one that writes.
create table identity_store.audit_events (
  id uuid not null primary key,
  occurred_at timestamptz not null default now(),
  kind text not null,
  user_id uuid,
  client_id text,
  session_id uuid,
  actor text not null,
  actor_subject text,
  details jsonb not null default '{}'
) partition by range (id);
create table identity_store.audit_events_default partition of identity_store.audit_events default;

comment on table identity_store.audit_events is
  'One row for each thing worth answering for. Partitioned by id; kept as long as partition_settings says.';
comment on column identity_store.audit_events.id is 'UUIDv7: sorts by time.';
comment on column identity_store.audit_events.occurred_at is 'When its transaction began.';
comment on column identity_store.audit_events.kind is 'What happened: one of identity.audit_kinds().';
comment on column identity_store.audit_events.user_id is 'The person it happened to; NULL when no person is concerned.';
comment on column identity_store.audit_events.client_id is 'The OAuth client concerned, if any.';
comment on column identity_store.audit_events.session_id is 'The browser session concerned, if any.';
comment on column identity_store.audit_events.actor is
  'The database role that was logged in: the gateway''s for what people do there, an administrator''s for administration.';
comment on column identity_store.audit_events.actor_subject is
  'The verified identity of the transaction (identity.subject()) when there was one.';
comment on column identity_store.audit_events.details is 'What the kind needs besides. Names of changed fields, never secrets, never old or new values.';
comment on table identity_store.audit_events_default is 'Catches rows for which maintenance has not made a partition; they stay until their time is over.';
