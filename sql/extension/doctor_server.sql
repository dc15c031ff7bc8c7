-- Doctor, server: is it a good one, does it lose nothing, does it fit the machine. See doctor.sql.

-- The first minor version of each major one without known holes in row-level security and privileges: CVE-2024-10976 and CVE-2026-14666
-- reuse plans under another role. https://www.postgresql.org/support/security
create function identity.security_floors()
returns table (major integer, minor integer)
language sql immutable parallel safe
as $$
  values (15, 19), (16, 15), (17, 11), (18, 6)
$$;
comment on function identity.security_floors() is
  'The least minor version of each major version of PostgreSQL that has no known holes in row-level security or privileges. Raises nothing.';
revoke all on function identity.security_floors() from public;
grant execute on function identity.security_floors() to identity_owner, identity_admin;

create function identity.hash_memory() returns bigint
language c stable parallel safe as 'MODULE_PATHNAME', 'hash_memory_wrapper';
comment on function identity.hash_memory() is
  'Bytes that password hashes hold at most, by pg_identity.argon2_memory and pg_identity.hash_concurrency. Raises nothing.';
revoke all on function identity.hash_memory() from public;
grant execute on function identity.hash_memory() to identity_owner, identity_admin;

create function identity.machine_memory() returns bigint
language c stable parallel safe as 'MODULE_PATHNAME', 'machine_memory_wrapper';
comment on function identity.machine_memory() is
  'Bytes of memory of the machine, or of the container if that is less; NULL where the system does not say. Raises nothing.';
revoke all on function identity.machine_memory() from public;
grant execute on function identity.machine_memory() to identity_owner, identity_admin;

create function identity.doctor_server()
returns table (code text, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with version as (
    select current_setting('server_version_num')::integer / 10000 as major, current_setting('server_version_num')::integer % 10000 as minor
  )
  select 'version_floor', 'the server',
    format('PostgreSQL %s.%s is older than %s.%s', version.major, version.minor, floor.major, floor.minor),
    format('install PostgreSQL %s.%s or newer, and restart', floor.major, floor.minor)
  from version join identity.security_floors() floor on floor.major = version.major and floor.minor > version.minor
  union all
  -- Defined by the postmaster that preloads the library, and by nobody else.
  select 'not_preloaded', 'the server', 'the library is not preloaded',
    'alter system set shared_preload_libraries = ' || (
      select string_agg(quote_literal(btrim(library)), ', ' order by place)
      from regexp_split_to_table(concat_ws(',', nullif((select s.setting from pg_settings s where s.name = 'shared_preload_libraries'), ''), 'pg_identity'), ',')
        with ordinality libraries (library, place))
  where not exists (select from pg_settings s where s.name = 'pg_identity.hash_wait')
  union all
  select 'build_mismatch', 'the extension',
    format('the library is of build %s, the SQL of build %s', identity.build(), identity.installed_build()), 'alter extension pg_identity update'
  where identity.build() <> identity.installed_build()
  union all
  select 'data_checksums_off', 'the server', 'pages have no checksums', 'stop the server and run: pg_checksums --enable'
  where current_setting('data_checksums') = 'off'
  union all
  select 'wal_archive_off', 'the server',
    format('archive_mode is %s, wal_level is %s', current_setting('archive_mode'), current_setting('wal_level')),
    'alter system set ' || case current_setting('wal_level') when 'minimal' then 'wal_level = replica' else 'archive_mode = on' end
  where (current_setting('archive_mode') = 'off' or current_setting('wal_level') = 'minimal')
    and not pg_is_in_recovery() and not exists (select from pg_stat_replication)
    and not exists (select from pg_replication_slots s where s.slot_type = 'physical')
  union all
  select 'archive_failing', 'the archiver',
    format('%s attempts failed, the last one at %s', a.failed_count, a.last_failed_time),
    'read what archive_command says in the server''s log'
  from pg_stat_archiver a
  where a.last_failed_time > coalesce(a.last_archived_time, '-infinity')
  union all
  select 'replication_slot_idle', format('replication slot %s', s.slot_name),
    format('nobody reads replication slot %s', s.slot_name) || coalesce(format(', which keeps %s of WAL',
      pg_size_pretty(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn))), ''),
    format('select pg_drop_replication_slot(%L)', s.slot_name)
  from pg_replication_slots s
  where not s.active and not s.temporary
  union all
  select 'replica_lag', format('replica %s', r.application_name),
    format('replica %s is %s behind', r.application_name, coalesce(date_trunc('second', r.replay_lag)::text, 'not streaming, and so')),
    'look at its log, its disk and the network'
  from pg_stat_replication r
  where r.state is not null and (r.replay_lag > interval '1 minute' or r.state not in ('streaming', 'backup'))
  union all
  select 'replica_lag', 'this replica',
    format('the last transaction replayed here is of %s ago, and more has arrived', date_trunc('second', statement_timestamp() - pg_last_xact_replay_timestamp())),
    'look at its log, its disk and the network'
  where pg_is_in_recovery() and pg_last_xact_replay_timestamp() < statement_timestamp() - interval '1 minute'
    and pg_last_wal_receive_lsn() is distinct from pg_last_wal_replay_lsn()
  union all
  select 'not_examined', 'replicas', 'how far replicas are behind is not shown to this role', format('grant pg_read_all_stats to %I', current_user)
  where exists (select from pg_stat_replication r where r.state is null)
  union all
  select 'hash_memory', 'the server',
    format('password hashes may take %s and shared_buffers %s of %s',
      pg_size_pretty(memory.hashes), pg_size_pretty(memory.buffers), pg_size_pretty(memory.machine)),
    -- Areas of memory that fit, of which sign-in takes two a place, and administration a quarter of its places, at least one.
    format('alter system set pg_identity.hash_concurrency = %s', greatest(1, least((memory.areas - 1) / 2, memory.areas * 4 / 9)))
  from (
    select of.*, (of.machine * 3 / 4 - of.buffers) / (1024 * (select s.setting::bigint from pg_settings s where s.name = 'pg_identity.argon2_memory')) as areas
    from (
      select identity.hash_memory() as hashes, pg_size_bytes(current_setting('shared_buffers')) as buffers, identity.machine_memory() as machine
    ) of
  ) memory
  where memory.hashes + memory.buffers > memory.machine * 3 / 4
$$;
comment on function identity.doctor_server() is
  'Version, preload, durability, backup, replication and memory. For identity.doctor. Raises nothing.';
revoke all on function identity.doctor_server() from public;
grant execute on function identity.doctor_server() to identity_owner, identity_admin;
