-- Signing keys: which key signs, which are published. RFC 7517 (JWK), RFC 7638 (kid). The cryptography is pg_identity/src/keys.rs.
--
-- Public: create_signing_key, rotate_signing_keys, revoke_signing_key, rewrap_keys, signing_key_list for administrators; jwks for
-- all of ours.
--
--   next ------> current ------> retired      rotate_signing_keys
--     `------------'----------------'-------> revoked      revoke_signing_key
--
-- next is published before it signs, retired is published while what it signed may live, revoked verifies nothing.

create table identity.signing_keys (
  kid text primary key,
  algorithm text not null check (algorithm in ('ES256', 'RS256', 'PS256', 'EdDSA')),
  state text not null check (state in ('next', 'current', 'retired', 'revoked')),
  public_jwk jsonb not null,
  private_sealed bytea,
  created_at timestamptz not null,
  activated_at timestamptz,
  retired_at timestamptz,
  revoked_at timestamptz,
  -- A key that may not sign any more loses its private part for good.
  constraint private_part_while_it_may_sign check ((state in ('next', 'current')) = (private_sealed is not null)),
  constraint current_was_activated check (state <> 'current' or activated_at is not null),
  constraint retired_has_a_time check (state <> 'retired' or retired_at is not null),
  constraint revoked_has_a_time check ((state = 'revoked') = (revoked_at is not null))
);
create unique index signing_keys_current on identity.signing_keys (algorithm) where state = 'current';
create unique index signing_keys_next on identity.signing_keys (algorithm) where state = 'next';
comment on table identity.signing_keys is 'Keys that sign, or signed, the tokens of this database''s issuer.';
comment on column identity.signing_keys.kid is 'RFC 7638 thumbprint of the public key.';
comment on column identity.signing_keys.algorithm is 'JOSE algorithm; a key signs with this one only.';
comment on column identity.signing_keys.state is
  'next: published, not yet signing. current: signs. retired: verifies what it signed. revoked: verifies nothing.';
comment on column identity.signing_keys.public_jwk is 'Public JWK with kid, alg and use.';
comment on column identity.signing_keys.private_sealed is
  'PKCS#8, AES-256-GCM under a master key, bound to the kid; NULL once the key may not sign any more.';
comment on column identity.signing_keys.created_at is 'When it was made, and published.';
comment on column identity.signing_keys.activated_at is 'When it became current.';
comment on column identity.signing_keys.retired_at is 'When it stopped signing by rotation.';
comment on column identity.signing_keys.revoked_at is 'When it was revoked.';
alter table identity.signing_keys owner to identity_owner;
select pg_catalog.pg_extension_config_dump('identity.signing_keys', '');

create function identity.signing_key_make(algorithm text, rsa_bits integer) returns text
language c volatile strict parallel unsafe cost 100000 as 'MODULE_PATHNAME', 'signing_key_make_wrapper';
comment on function identity.signing_key_make(text, integer) is
  'A new key pair as JSON: kid, public_jwk, private_sealed (base64). Raises ID001, ID003, ID005, ID008.';
revoke all on function identity.signing_key_make(text, integer) from public;
grant execute on function identity.signing_key_make(text, integer) to identity_owner;

create function identity.signing_key_bits(public_jwk jsonb) returns integer
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- Six bits a letter of base64url; whole bytes of eight.
  select case when public_jwk ? 'n' then length(public_jwk ->> 'n') * 6 / 8 * 8 else 2048 end
$$;
comment on function identity.signing_key_bits(jsonb) is
  'Bits of an RSA key, so that its successor is as long; 2048 for other keys. Raises nothing.';
alter function identity.signing_key_bits(jsonb) owner to identity_owner;
revoke all on function identity.signing_key_bits(jsonb) from public;

-- The first key of an algorithm signs at once, because there is none that could sign meanwhile.
create function identity.create_signing_key(algorithm text default 'ES256', rsa_bits integer default 2048)
returns text
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  made jsonb := identity.signing_key_make(coalesce(algorithm, ''), coalesce(rsa_bits, 0))::jsonb;
  has_current boolean;
begin
  lock table identity.signing_keys in share row exclusive mode;
  has_current := exists (
    select from identity.signing_keys as key
    where key.algorithm = create_signing_key.algorithm and key.state = 'current'
  );
  if has_current and exists (
    select from identity.signing_keys as key
    where key.algorithm = create_signing_key.algorithm and key.state = 'next'
  ) then
    raise exception using errcode = 'ID007', message = 'there is a next ' || algorithm || ' key already',
      hint = 'identity.rotate_signing_keys() makes it current.';
  end if;
  begin
    insert into identity.signing_keys (kid, algorithm, state, public_jwk, private_sealed, created_at, activated_at)
    values (
      made ->> 'kid', algorithm, case when has_current then 'next' else 'current' end, made -> 'public_jwk',
      decode(made ->> 'private_sealed', 'base64'), statement_timestamp(), case when has_current then null else statement_timestamp() end
    );
  exception when unique_violation then
    -- Made by a transaction that the snapshot of this one does not show.
    raise exception using errcode = 'ID007', message = 'another transaction has just made a ' || algorithm || ' key';
  end;
  return made ->> 'kid';
end
$$;
comment on function identity.create_signing_key(text, integer) is
  'Makes a signing key (ES256, RS256, PS256 or EdDSA; RSA of 2048, 3072 or 4096 bits) and returns its kid. It is current when the algorithm has no current key, else next. Raises ID001, ID003, ID005, ID007 (there is a next one already), ID008.';
alter function identity.create_signing_key(text, integer) owner to identity_owner;
revoke all on function identity.create_signing_key(text, integer) from public;
grant execute on function identity.create_signing_key(text, integer) to identity_admin;

-- README, decision 13: the next key is published at least as long as clients may cache the key set before it signs. May be
-- called as often as one likes: it only does what is due.
create function identity.rotate_signing_keys(
  older_than interval default interval '0', published_for interval default interval '1 hour'
)
returns table (algorithm text, kid text, state text, rotated boolean, due_at timestamptz)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  due record;
  moved_on text[] := '{}';
begin
  -- Further back timestamps end.
  if older_than is null or older_than not between interval '0' and interval '100 years' then
    raise exception using errcode = 'ID005', message = 'older_than must lie between 0 and 100 years';
  end if;
  if published_for is null or published_for not between interval '0' and interval '100 years' then
    raise exception using errcode = 'ID005', message = 'published_for must lie between 0 and 100 years';
  end if;
  lock table identity.signing_keys in share row exclusive mode;
  for due in
    select current_key.algorithm, current_key.kid as current_kid, next_key.kid as next_kid,
      next_key.created_at <= statement_timestamp() - published_for as next_is_known,
      identity.signing_key_bits(current_key.public_jwk) as rsa_bits
    from identity.signing_keys as current_key
    left join identity.signing_keys as next_key
      on next_key.algorithm = current_key.algorithm and next_key.state = 'next'
    where current_key.state = 'current'
      and current_key.activated_at <= statement_timestamp() - older_than
  loop
    if due.next_is_known then
      update identity.signing_keys as key
      set state = 'retired', retired_at = statement_timestamp(), private_sealed = null
      where key.kid = due.current_kid;
      update identity.signing_keys as key
      set state = 'current', activated_at = statement_timestamp()
      where key.kid = due.next_kid;
      moved_on := moved_on || due.algorithm;
    elsif due.next_kid is not null then
      raise notice 'the next % key is not published long enough to sign', due.algorithm
        using hint = 'Call again later, or with published_for => ''0'' if no client caches the key set.';
    end if;
    if due.next_kid is null or due.next_is_known then
      perform identity.create_signing_key(due.algorithm, due.rsa_bits);
    end if;
  end loop;
  return query
    select key.algorithm, key.kid, key.state, key.algorithm = any (moved_on),
      max(case key.state when 'current' then key.activated_at + older_than else key.created_at + published_for end)
        over (partition by key.algorithm)
    from identity.signing_keys as key
    where key.state in ('next', 'current')
    order by key.algorithm, key.state;
end
$$;
comment on function identity.rotate_signing_keys(interval, interval) is
  'For every algorithm whose current key signs since at least older_than: the next key becomes current if it is published since at least published_for, the current one retires, and a new next key is made. Does only what is due, so a timer may call it with older_than => ''90 days''. Returns the current and next keys; rotated: whether the algorithm''s keys moved on; due_at: when they would at the earliest, by the same arguments. Raises ID001, ID003.';
alter function identity.rotate_signing_keys(interval, interval) owner to identity_owner;
revoke all on function identity.rotate_signing_keys(interval, interval) from public;
grant execute on function identity.rotate_signing_keys(interval, interval) to identity_admin;

create function identity.revoke_signing_key(kid text)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  revoked record;
begin
  lock table identity.signing_keys in share row exclusive mode;
  select key.algorithm, key.state, identity.signing_key_bits(key.public_jwk) as rsa_bits into revoked
  from identity.signing_keys as key where key.kid = revoke_signing_key.kid;
  if not found then
    raise exception using errcode = 'ID006', message = 'there is no signing key with this kid';
  end if;
  update identity.signing_keys as key
  set state = 'revoked', revoked_at = statement_timestamp(), private_sealed = null
  where key.kid = revoke_signing_key.kid and key.state <> 'revoked';
  -- Somebody else may sign with that key. A successor at once is worth more than the caches of clients.
  if revoked.state = 'current' then
    update identity.signing_keys as key
    set state = 'current', activated_at = statement_timestamp()
    where key.algorithm = revoked.algorithm and key.state = 'next';
    if not found then
      perform identity.create_signing_key(revoked.algorithm, revoked.rsa_bits);
    end if;
  end if;
end
$$;
comment on function identity.revoke_signing_key(text) is
  'Ends a compromised key at once: nothing it signed is accepted any more and it leaves the key set. A current key is succeeded by the next one, or by a new one. Raises ID006; ID003 when a new key has to be made and cannot.';
alter function identity.revoke_signing_key(text) owner to identity_owner;
revoke all on function identity.revoke_signing_key(text) from public;
grant execute on function identity.revoke_signing_key(text) to identity_admin;

create function identity.rewrap_keys()
returns integer
language sql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  with signing as (
    update identity.signing_keys as key
    set private_sealed = rewrapped.sealed
    from (
      select kid, identity.sealed_rewrap('signing', kid, private_sealed) as sealed
      from identity.signing_keys where private_sealed is not null
    ) as rewrapped
    where key.kid = rewrapped.kid and rewrapped.sealed is not null
    returning 1
  ), encryption as (
    update identity.encryption_keys as key
    set private_sealed = rewrapped.sealed
    from (
      select kid, identity.sealed_rewrap('encryption', kid, private_sealed) as sealed
      from identity.encryption_keys where private_sealed is not null
    ) as rewrapped
    where key.kid = rewrapped.kid and rewrapped.sealed is not null
    returning 1
  ), symmetric_keys as (
    update identity.sealed_keys as key
    set sealed = rewrapped.sealed
    from (
      select id, identity.sealed_rewrap(purpose, id, sealed) as sealed from identity.sealed_keys
    ) as rewrapped
    where key.id = rewrapped.id and rewrapped.sealed is not null
    returning 1
  )
  select ((select count(*) from signing) + (select count(*) from encryption) + (select count(*) from symmetric_keys))::integer
$$;
comment on function identity.rewrap_keys() is
  'Seals every key of this database anew under the first key of the master key file; returns how many were sealed under another one. Afterwards the other master keys may be removed from the file. Raises ID001, ID003.';
alter function identity.rewrap_keys() owner to identity_owner;
revoke all on function identity.rewrap_keys() from public;
grant execute on function identity.rewrap_keys() to identity_admin;

create function identity.signing_key_list()
returns table (
  kid text, algorithm text, state text, created_at timestamptz, activated_at timestamptz, retired_at timestamptz,
  revoked_at timestamptz
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select key.kid, key.algorithm, key.state, key.created_at, key.activated_at, key.retired_at, key.revoked_at
  from identity.signing_keys as key
  order by key.algorithm, key.created_at, key.kid
$$;
comment on function identity.signing_key_list() is
  'Every signing key there was, with its state and the times at which it came into them; by algorithm, the oldest first. Raises nothing.';
alter function identity.signing_key_list() owner to identity_owner;
revoke all on function identity.signing_key_list() from public;
grant execute on function identity.signing_key_list() to identity_admin;

-- Retired keys stay published for a day, longer than any access or ID token lives.
create function identity.jwks()
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('keys', coalesce(jsonb_agg(published.public_jwk order by published.place, algorithm, created_at, kid), '[]'))
  from (
    select 1 as place, algorithm, created_at, kid, public_jwk
    from identity.signing_keys
    where state in ('next', 'current')
      or state = 'retired' and retired_at > statement_timestamp() - interval '1 day'
    union all
    select 2, algorithm, created_at, kid, public_jwk from identity.encryption_keys where state = 'current'
  ) as published
$$;
comment on function identity.jwks() is
  'The published key set (RFC 7517 §5): public keys for signatures (use sig) that are next, current, or retired within a day, and current ones for encryption (use enc). Raises nothing.';
alter function identity.jwks() owner to identity_owner;
revoke all on function identity.jwks() from public;
grant execute on function identity.jwks() to identity_admin, identity_gateway, identity_app;
