-- Maintenance: which tables are partitioned by their UUIDv7 id, how wide a partition is and how long it is kept.
--
-- Rows are settings: an administrator of the database may change them; functions/maintenance.sql follows.

create table identity_store.partition_settings (
  table_name text not null primary key,
  every interval not null,
  retention interval not null,
  fillfactor integer not null default 100 check (fillfactor between 10 and 100),
  -- Months differ in length; a partition's borders are found by dividing time into equal parts.
  check (every >= '1 day' and every = make_interval(days => extract(day from every)::integer)),
  check (retention >= every)
);
comment on table identity_store.partition_settings is
  'One row for each table that identity.maintenance_run() partitions: it makes partitions ahead and drops those whose time is over.';
comment on column identity_store.partition_settings.table_name is 'A table of schema identity_store, partitioned by range of its UUIDv7 id, with a default partition named <table>_default.';
comment on column identity_store.partition_settings.every is 'Width of a partition, in whole days. A change counts from the next partition on.';
comment on column identity_store.partition_settings.retention is 'A partition is dropped this long after its end. At least the longest life of a row.';
comment on column identity_store.partition_settings.fillfactor is 'Fill factor of new partitions: below 100 where rows are updated.';

-- A retention is at least the longest life of a row: sessions 30 days (README, decision 9); grants, their codes and their
-- refresh families up to 365 days (client setting refresh_token_lifetime), dropped together.
insert into identity_store.partition_settings (table_name, every, retention, fillfactor) values
  ('audit_events', '30 days', '400 days', 100),
  ('sessions', '7 days', '31 days', 80),
  ('grants', '30 days', '400 days', 80),
  ('authorization_codes', '30 days', '400 days', 80),
  ('refresh_families', '30 days', '400 days', 80);
