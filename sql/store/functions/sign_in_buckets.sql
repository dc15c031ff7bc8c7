-- Counting failed guesses, and making the next one wait. README, decision 11.
--
-- Internal: called by identity.sign_in() and identity.account_password_change().
-- A guess is let in by sign_in_admit() and reported by sign_in_failed() or sign_in_succeeded(), in one transaction.

-- The same for names that do not exist. Without the database's key nobody finds two names that meet in a bucket.
create or replace function identity_store.sign_in_bucket(key bytea)
returns integer
language sql immutable parallel safe
as $$ select get_byte(key, 0) * 256 + get_byte(key, 1) $$;
comment on function identity_store.sign_in_bucket(bytea) is 'The bucket of a key: its first 16 bits.';
revoke all on function identity_store.sign_in_bucket(bytea) from public;

-- Failures in a row after which the next guess waits, and the number that is worth a look. A source is a household or
-- an office: it may be wrong more often before it waits.
create or replace function identity_store.sign_in_patience(kind text)
returns table (free integer, threshold integer)
language sql immutable parallel safe
as $$ select case kind when 'source' then 30 else 3 end, case kind when 'source' then 100 else 10 end $$;
comment on function identity_store.sign_in_patience(text) is
  'free: failures before a kind of bucket makes the next guess wait; threshold: failures that are worth an audit row.';
revoke all on function identity_store.sign_in_patience(text) from public;

-- 1, 2, 4, 8, 16 and then 30 seconds: never longer, so that somebody else's guesses only slow the owner down.
create or replace function identity_store.sign_in_delay(kind text, failures integer)
returns interval
language sql immutable parallel safe
as $$
  select case when failures >= p.free
    then make_interval(secs => least(30, 2 ^ least(failures - p.free, 10)))
    else interval '0' end
  from identity_store.sign_in_patience(kind) p
$$;
comment on function identity_store.sign_in_delay(text, integer) is 'How long the next guess waits after this many failures in a row: at most 30 seconds.';
revoke all on function identity_store.sign_in_delay(text, integer) from public;

-- All of an IPv6 network of one subscriber is one source.
create or replace function identity_store.sign_in_source(source text)
returns text
language plpgsql immutable parallel safe
as $$
begin
  if source ~* '^::ffff:[0-9.]+$' then
    return substr(source, 8);
  elsif source like '%:%' then
    begin
      return host(network(set_masklen(source::inet, 64)));
    exception
      when invalid_text_representation then
        null;
    end;
  end if;
  return source;
end
$$;
comment on function identity_store.sign_in_source(text) is 'What an address is counted as: an IPv4 address by itself, an IPv6 address by its /64.';
revoke all on function identity_store.sign_in_source(text) from public;

-- The slot first, then the counter: at most two guesses with one key are between here and their commit, so that a
-- thousand parallel ones see each other's failures. Every statement of the caller must see what has been committed
-- meanwhile; in a repeatable read transaction the counter would stand still.
create or replace function identity_store.sign_in_admit(kind text, key bytea, source_key bytea)
returns integer
language plpgsql volatile parallel unsafe
as $$
declare
  seconds integer;
begin
  perform identity.require_present(30);
  perform identity.sign_in_slot(sign_in_admit.key);
  select max(ceil(extract(epoch from b.blocked_until - clock_timestamp())))::integer into seconds
  from identity_store.sign_in_buckets b
  where b.blocked_until > clock_timestamp() and (
    (b.kind = sign_in_admit.kind and b.bucket = identity_store.sign_in_bucket(sign_in_admit.key))
    -- A browser that the person has used before does not wait for its neighbours.
    or (sign_in_admit.kind = 'account'
      and b.kind = 'source' and b.bucket = identity_store.sign_in_bucket(sign_in_admit.source_key)));
  return seconds;
end
$$;
comment on function identity_store.sign_in_admit(text, bytea, bytea) is
  'Takes a place for a guess with this key (account or device), and says how many seconds it has to wait: NULL, the password may be checked. source_key may be NULL. Raises ID004 when no place got free in time.';
revoke all on function identity_store.sign_in_admit(text, bytea, bytea) from public;

-- Quiet for 15 minutes: what was is forgotten. The count of a minute goes to the audit when the next minute begins, or
-- with maintenance.
create or replace function identity_store.sign_in_failed(kind text, key bytea, user_id uuid)
returns void
language plpgsql volatile parallel unsafe
as $$
declare
  bucket_number integer := identity_store.sign_in_bucket(sign_in_failed.key);
  this_minute timestamptz := date_trunc('minute', clock_timestamp());
  past record;
  count integer;
begin
  insert into identity_store.sign_in_buckets (kind, bucket) values (sign_in_failed.kind, bucket_number)
  on conflict do nothing;
  select b.minute, b.minute_failures,
    case when b.failed_at > clock_timestamp() - interval '15 minutes' then b.failures else 0 end as failures
  into past
  from identity_store.sign_in_buckets b
  where b.kind = sign_in_failed.kind and b.bucket = bucket_number
  for update;
  count := past.failures + 1;
  update identity_store.sign_in_buckets b
  set failures = count, failed_at = clock_timestamp(),
    blocked_until = clock_timestamp() + identity_store.sign_in_delay(b.kind, count),
    minute = this_minute,
    minute_failures = case when b.minute = this_minute then b.minute_failures else 0 end + 1
  where b.kind = sign_in_failed.kind and b.bucket = bucket_number;
  if past.minute < this_minute then
    perform identity_store.audit('sign_in_failed', null, null, null, jsonb_build_object('buckets', jsonb_build_array(
      jsonb_build_object('kind', sign_in_failed.kind, 'bucket', bucket_number, 'minute', past.minute,
        'failures', past.minute_failures))));
  end if;
  if count = (select p.threshold from identity_store.sign_in_patience(sign_in_failed.kind) p) then
    perform identity_store.audit('sign_in_threshold_crossed', sign_in_failed.user_id, null, null,
      jsonb_build_object('kind', sign_in_failed.kind, 'bucket', bucket_number, 'failures', count));
  end if;
end
$$;
comment on function identity_store.sign_in_failed(text, bytea, uuid) is
  'Counts a wrong guess with this key. user_id: whom it aimed at, NULL if nobody. Returns nothing.';
revoke all on function identity_store.sign_in_failed(text, bytea, uuid) from public;

-- A source is not forgiven: somebody with an account of their own would guess at others between two sign-ins.
create or replace function identity_store.sign_in_succeeded(kind text, key bytea)
returns integer
language plpgsql volatile parallel unsafe
as $$
declare
  bucket_number constant integer := identity_store.sign_in_bucket(sign_in_succeeded.key);
  forgiven integer;
begin
  select b.failures into forgiven from identity_store.sign_in_buckets b
  where b.kind = sign_in_succeeded.kind and b.bucket = bucket_number and b.failures > 0
  for update;
  if found then
    update identity_store.sign_in_buckets b set failures = 0, blocked_until = null
    where b.kind = sign_in_succeeded.kind and b.bucket = bucket_number;
  end if;
  return coalesce(forgiven, 0);
end
$$;
comment on function identity_store.sign_in_succeeded(text, bytea) is 'Forgets the failures counted with this key. Returns how many there were.';
revoke all on function identity_store.sign_in_succeeded(text, bytea) from public;

-- One row however many buckets there are, so that a flood of names costs one row a run.
create or replace function identity_store.sign_in_failures_audit()
returns integer
language plpgsql volatile parallel unsafe
as $$
declare
  counted record;
begin
  with past as (
    select b.kind, b.bucket, b.minute, b.minute_failures
    from identity_store.sign_in_buckets b
    where b.minute < date_trunc('minute', clock_timestamp())
    for update skip locked
  ), taken as (
    update identity_store.sign_in_buckets b set minute = null, minute_failures = 0
    from past p where b.kind = p.kind and b.bucket = p.bucket
  ), totals as (
    select p.kind, sum(p.minute_failures) as failures, count(*) as buckets from past p group by p.kind
  ), worst as (
    select p.kind, p.bucket, p.minute, p.minute_failures as failures
    from past p order by p.minute_failures desc, p.minute limit 100
  )
  select
    (select coalesce(sum(t.buckets), 0)::integer from totals t) as buckets,
    jsonb_build_object(
      'total', (select jsonb_object_agg(t.kind, t.failures) from totals t),
      'buckets', (select jsonb_agg(to_jsonb(w)) from worst w)) as details
  into counted;
  if counted.buckets > 0 then
    perform identity_store.audit('sign_in_failed', null, null, null, counted.details);
  end if;
  return counted.buckets;
end
$$;
comment on function identity_store.sign_in_failures_audit() is
  'Writes the failures of past minutes to the audit, in one row: totals by kind and the hundred worst buckets. Returns the number of buckets.';
revoke all on function identity_store.sign_in_failures_audit() from public;
