-- Partitions: made ahead, dropped when their time is over. README, decision 15.
--
-- Internal: called by identity.maintenance_run() (maintenance.sql). The tables and widths are rows of partition_settings.
--
--   made ahead ──▶ current ──▶ past ──▶ dropped, `retention` after its end
--
-- Partitions are made by CREATE and ATTACH, which lets readers and writers of the table go on; `create … partition of`
-- would stop them. What was written while a partition was missing stays in the default partition until its time is over.

-- The borders are written in the catalog as ids of the first moment of a day; an id tells its time.
create or replace function identity_store.partitions(table_name text)
returns table (name text, begins_at timestamptz, ends_at timestamptz)
language sql stable parallel safe
as $$
  select c.relname::text, identity.uuid_v7_time(b.ids[1]::uuid), identity.uuid_v7_time(b.ids[2]::uuid)
  from pg_catalog.pg_class parent
  join pg_catalog.pg_inherits i on i.inhparent = parent.oid
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  cross join lateral (
    select regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('([0-9a-f-]+)'\) TO \('([0-9a-f-]+)'\)$re$) as ids
  ) b
  where parent.relname = partitions.table_name
    and parent.relnamespace = (select n.oid from pg_catalog.pg_namespace n where n.nspname = 'identity_store')
    and b.ids is not null
$$;
comment on function identity_store.partitions(text) is 'The partitions of a table of identity_store but the default one, with the times they hold (ends_at excluded).';
revoke all on function identity_store.partitions(text) from public;

-- Continues where the last partition ends, so that a changed width makes no overlap. Two widths ahead of now: a
-- maintenance that fails for that long loses nothing.
create or replace function identity_store.partitions_missing(settings identity_store.partition_settings)
returns table (begins_at timestamptz, ends_at timestamptz)
language sql stable parallel safe
as $$
  with recursive origin as (
    select timestamptz '2020-01-01 00:00:00+00' as at
  ), missing as (
    select f.at as begins_at, date_bin(settings.every, f.at, o.at) + settings.every as ends_at
    from origin o, lateral (
      select greatest(
        date_bin(settings.every, now(), o.at),
        (select max(p.ends_at) from identity_store.partitions(settings.table_name) p)) as at
    ) f
    where f.at <= now() + 2 * settings.every
    union all
    select m.ends_at, m.ends_at + settings.every
    from missing m
    where m.ends_at <= now() + 2 * settings.every
  )
  select m.begins_at, m.ends_at from missing m
$$;
comment on function identity_store.partitions_missing(identity_store.partition_settings) is 'The spans from now to two widths ahead that no partition holds.';
revoke all on function identity_store.partitions_missing(identity_store.partition_settings) from public;

-- Rows are never moved from the default partition: whoever began to read before the move and got the lock after it would
-- find them in neither place, and a good token would be refused. So a partition begins after them.
create or replace function identity_store.partition_make(
  settings identity_store.partition_settings, begins_at timestamptz, ends_at timestamptz
)
returns text
language plpgsql volatile parallel unsafe
as $$
declare
  name text;
  first_id uuid := identity.uuid_v7_floor(begins_at);
  end_id uuid := identity.uuid_v7_floor(ends_at);
  late boolean;
begin
  if begins_at <= clock_timestamp() then
    -- A row of this moment may be on its way to the default partition, which refuses it once this one is attached. So
    -- writers wait before they choose. Partitions made ahead, which is nearly all of them, hold up nobody.
    execute format('lock table identity_store.%I in share row exclusive mode', settings.table_name);
    execute format('select exists (select from identity_store.%I where id >= $1 and id < $2)', settings.table_name || '_default')
      into late using first_id, end_id;
    if late then
      begins_at := date_trunc('hour', clock_timestamp()) + interval '2 hours';
      if begins_at >= ends_at then
        return null;
      end if;
      first_id := identity.uuid_v7_floor(begins_at);
    end if;
  end if;
  name := settings.table_name || '_' || to_char(begins_at at time zone 'UTC', 'YYYYMMDD');
  execute format(
    'create table identity_store.%I (like identity_store.%I including defaults including constraints including indexes including storage including comments) with (fillfactor = %s)',
    name, settings.table_name, settings.fillfactor);
  execute format('comment on table identity_store.%I is %L', name,
    format('Partition of %s: ids from %s to %s.', settings.table_name, begins_at at time zone 'UTC', ends_at at time zone 'UTC'));
  execute format('alter table identity_store.%I attach partition identity_store.%I for values from (%L) to (%L)',
    settings.table_name, name, first_id, end_id);
  return name;
end
$$;
comment on function identity_store.partition_make(identity_store.partition_settings, timestamptz, timestamptz) is
  'Makes and attaches one partition; one that begins in the past begins in an hour or two instead when the default partition holds rows of it. Returns its name, NULL when nothing of it is left; raises lock_not_available when somebody holds the table for longer than lock_timeout.';
revoke all on function identity_store.partition_make(identity_store.partition_settings, timestamptz, timestamptz) from public;

-- Each table in a subtransaction of its own: one that is busy is left for the next run and holds up no other.
create or replace function identity_store.partitions_make(settings identity_store.partition_settings)
returns text[]
language plpgsql volatile parallel unsafe
as $$
declare
  made text[] := '{}';
  span record;
begin
  for span in select m.begins_at, m.ends_at from identity_store.partitions_missing(settings) m order by m.begins_at loop
    made := array_remove(made || identity_store.partition_make(settings, span.begins_at, span.ends_at), null);
  end loop;
  return made;
exception
  when lock_not_available or deadlock_detected then
    return null;
end
$$;
comment on function identity_store.partitions_make(identity_store.partition_settings) is
  'Makes the missing partitions of a table. Returns their names; NULL when the table was busy, nothing is made then.';
revoke all on function identity_store.partitions_make(identity_store.partition_settings) from public;

create or replace function identity_store.partitions_drop(settings identity_store.partition_settings)
returns text[]
language plpgsql volatile parallel unsafe
as $$
declare
  dropped text[] := '{}';
  over record;
begin
  for over in
    select p.name from identity_store.partitions(settings.table_name) p
    where p.ends_at + settings.retention < now() order by p.begins_at
  loop
    execute format('drop table identity_store.%I', over.name);
    dropped := dropped || over.name;
  end loop;
  -- What no partition was ever made for.
  execute format('delete from identity_store.%I where id < $1', settings.table_name || '_default')
    using identity.uuid_v7_floor(now() - settings.retention);
  return dropped;
exception
  when lock_not_available or deadlock_detected then
    return null;
end
$$;
comment on function identity_store.partitions_drop(identity_store.partition_settings) is
  'Drops the partitions of a table whose retention is over. Returns their names; NULL when the table was busy, nothing is dropped then.';
revoke all on function identity_store.partitions_drop(identity_store.partition_settings) from public;
