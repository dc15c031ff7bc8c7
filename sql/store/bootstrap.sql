-- What `gateway migrate` needs before anything else: the schema, and the record of what has been applied.
--
-- Run at every start of `gateway migrate`, as identity_owner; changes nothing that exists.

create schema if not exists identity_store;

create table if not exists identity_store.migrations (
  version integer not null primary key check (version > 0),
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
);
comment on table identity_store.migrations is
  'One row for each file of sql/store/migrations that has been applied, written in the transaction that applied it. A file whose checksum changes afterwards is refused.';
comment on column identity_store.migrations.version is 'The number in front of the file''s name; without gaps.';
comment on column identity_store.migrations.name is 'The file''s name, without its folder.';
comment on column identity_store.migrations.checksum is 'SHA-256 of the file, hexadecimal.';
comment on column identity_store.migrations.applied_at is 'When its transaction began.';

create table if not exists identity_store.functions (
  signature text not null primary key,
  file text not null
);
comment on table identity_store.functions is
  'Every function that sql/store/functions has made: what disappears from the files is dropped from here, and nothing else ever is.';
comment on column identity_store.functions.signature is 'As regprocedure writes it, with its schema.';
comment on column identity_store.functions.file is 'Name of the file that made it last, without its folder.';

create table if not exists identity_store.store (
  store boolean not null primary key default true check (store),
  version text not null,
  migrated_at timestamptz not null default now()
);
comment on table identity_store.store is 'One row: which store this is.';
comment on column identity_store.store.store is 'Always true: the key that keeps the table at one row.';
comment on column identity_store.store.version is
  'Number of the last migration, a hyphen, and the first 12 digits of the SHA-256 over all function files.';
comment on column identity_store.store.migrated_at is 'When gateway migrate last changed something.';
