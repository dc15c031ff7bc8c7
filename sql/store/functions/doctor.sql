-- Doctor: what is wrong with the store. Called by identity.doctor() of the extension where the store is there.
--
-- identity.doctor_store()    identity.doctor()

create or replace function identity.doctor_store()
returns table (code text, object text, finding text, remedy text)
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  settings identity_store.partition_settings;
  last_end timestamptz;
  late boolean;
begin
  for settings in select * from identity_store.partition_settings s order by s.table_name loop
    select max(p.ends_at) into last_end from identity_store.partitions(settings.table_name) p;
    if not exists (
      select from identity_store.partitions(settings.table_name) p where p.begins_at <= statement_timestamp() and p.ends_at > statement_timestamp()
    ) then
      return query select 'partition_missing', format('identity_store.%I', settings.table_name),
        format('identity_store.%I has no partition for this moment', settings.table_name), 'select * from identity.maintenance_run()';
    -- Made two widths ahead: with less than one the next run is overdue.
    elsif last_end < statement_timestamp() + settings.every then
      return query select 'partitions_ahead', format('identity_store.%I', settings.table_name),
        format('the last partition of identity_store.%I ends at %s', settings.table_name, last_end), 'select * from identity.maintenance_run()';
    end if;
    execute format('select exists (select from identity_store.%I)', settings.table_name || '_default') into late;
    if late then
      return query select 'partition_default_rows', format('identity_store.%I', settings.table_name || '_default'),
        format('identity_store.%I has rows in its default partition', settings.table_name),
        format('none: they go %s after they were written', settings.retention);
    end if;
  end loop;
end
$$;
comment on function identity.doctor_store() is
  'Partitions that are missing or not made ahead, and rows that were written meanwhile: code, object, finding, remedy. For identity.doctor. Raises nothing.';
revoke all on function identity.doctor_store() from public;
grant execute on function identity.doctor_store() to identity_admin;
