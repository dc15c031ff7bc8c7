-- Maintenance: what has to happen regularly, in one call that may be made at any time and by any number of callers.
--
-- identity.maintenance_run()    gateway: a timer; administrators
--
-- Partitions ahead, old ones dropped, expired revocations, client assertions and unused registrations reaped, logouts given up that
-- nobody took for a day, failed sign-ins of past minutes written to the audit,
-- signing keys rotated when due.

-- lock_timeout, because a request for a table lock that waits makes everybody behind it wait too; shorter than the 50 ms that
-- reads on shared connections wait for a lock (README, decision 3), or a dump would fail them whenever a partition is due.
create or replace function identity.maintenance_run()
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '20ms'
as $$
declare
  settings identity_store.partition_settings;
  made text[] := '{}';
  dropped text[] := '{}';
  busy text[] := '{}';
  names text[];
  failures integer;
  reaped integer;
  registrations integer;
begin
  -- As long as the gateway's own limit: moving the rows of a missed week takes its time.
  perform identity.require_present(300);
  -- One runner at a time; who comes second has nothing to do. A row, because anybody who can connect can take an advisory lock.
  perform from identity_store.partition_settings s where s.table_name = 'audit_events' for update skip locked;
  if not found then
    return query select 'ok', 'another run is under way', json_build_object('running', true);
    return;
  end if;
  failures := identity_store.sign_in_failures_audit();
  delete from identity.revocations r
  where (r.kind, r.id, r.issued_after) in (
    select o.kind, o.id, o.issued_after from identity.revocations o where o.until < now() for update skip locked);
  get diagnostics reaped = row_count;
  perform identity_store.client_assertions_reap();
  registrations := identity_store.registrations_reap();
  perform identity_store.backchannel_logouts_expire();
  perform identity_store.keys_rotate();

  -- Last, because the locks of partitions made and dropped are held until the end.
  for settings in select * from identity_store.partition_settings s order by s.table_name loop
    names := identity_store.partitions_make(settings);
    made := made || names;
    if names is not null then
      names := identity_store.partitions_drop(settings);
      dropped := dropped || names;
    end if;
    if names is null then
      busy := busy || settings.table_name;
    end if;
  end loop;
  perform identity_store.audit('partition_dropped', null, null, null, jsonb_build_object('partition', d.name))
  from unnest(dropped) d (name);
  return query select 'ok', nullif(array_to_string(busy, ' '), ''), json_build_object(
    'made', to_json(made), 'dropped', to_json(dropped), 'busy', to_json(busy),
    'revocations_reaped', reaped, 'registrations_reaped', registrations, 'failure_buckets', failures);
end
$$;
comment on function identity.maintenance_run() is
  'Makes partitions ahead and drops expired ones, reaps expired revocations, client assertions and unused registrations, gives up logouts that could not be delivered for a day, audits counted sign-in failures, rotates signing keys when due. Idempotent; meant to be called every minute or so. '
  'Outcome: ok {made, dropped, busy (tables left for the next run), revocations_reaped, registrations_reaped, failure_buckets}, or ok {running: true} when another run is under way. '
  'Keys that cannot be rotated for want of a master key or a lock are a warning. Raises ID001 when keys are due and the library is not preloaded, 55P03 when a table it needs is locked for longer than 20 ms: nothing is done then.';
revoke all on function identity.maintenance_run() from public;
grant execute on function identity.maintenance_run() to identity_gateway, identity_admin;

-- A key signs for 90 days. Asked only when it is due, because rotating locks the table of keys: when a current key has
-- no successor yet, and again when the successor has been published for as long as clients may cache the key set.
create or replace function identity_store.keys_rotate()
returns void
language plpgsql volatile parallel unsafe
as $$
declare
  signing text[];
begin
  if not exists (
    select from identity.signing_keys c
    left join identity.signing_keys n on n.algorithm = c.algorithm and n.state = 'next'
    where c.state = 'current' and c.activated_at < now() - interval '90 days'
      and (n.kid is null or n.created_at < now() - interval '1 hour')
  ) then
    return;
  end if;
  select array_agg(k.kid) into signing from identity.signing_keys k where k.state = 'current';
  perform identity.rotate_signing_keys(interval '90 days', interval '1 hour');
  perform identity_store.audit('keys_rotated', null, null, null, jsonb_build_object('kid', k.kid, 'algorithm', k.algorithm))
  from identity.signing_keys k
  where k.state = 'current' and k.kid <> all (signing);
exception
  -- A master key that is missing, or a key that somebody is making, must not keep partitions from being made.
  when lock_not_available or sqlstate 'ID003' then
    raise warning using message = 'signing keys were not rotated: ' || sqlerrm;
end
$$;
comment on function identity_store.keys_rotate() is
  'Rotates the signing keys whose time is over, with an audit row for each that begins to sign. Returns nothing; warns when it cannot.';
revoke all on function identity_store.keys_rotate() from public;
