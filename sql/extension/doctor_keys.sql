-- Doctor, keys: the master key file, the issuer, the keys that sign and seal. See doctor.sql.

create function identity.master_key_complaint() returns text
language c volatile parallel safe as 'MODULE_PATHNAME', 'master_key_complaint_wrapper';
comment on function identity.master_key_complaint() is
  'Why the master key file cannot be used, without its path; NULL when it can. Reads the file anew. Raises nothing.';
revoke all on function identity.master_key_complaint() from public;
grant execute on function identity.master_key_complaint() to identity_owner, identity_admin;

create function identity.master_key_place_complaint() returns text
language c volatile parallel safe as 'MODULE_PATHNAME', 'master_key_place_complaint_wrapper';
comment on function identity.master_key_place_complaint() is
  'What is wrong with the place of the master key file: in the data directory, or in a folder that others may write to; NULL when nothing is. Raises nothing.';
revoke all on function identity.master_key_place_complaint() from public;
grant execute on function identity.master_key_place_complaint() to identity_owner, identity_admin;

-- Security definer: it opens each sealed key to see whether it opens, and gives nothing of it away.
create function identity.doctor_keys()
returns table (code text, object text, finding text, remedy text)
language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  complaint text := identity.master_key_complaint();
  sealed record;
  before integer := 0;
begin
  if complaint is not null then
    return query select 'master_key', 'the master key file', complaint,
      case when complaint ~ 'is not set$' then 'alter system set pg_identity.master_key_file = ''…'''
        else 'give it to the server''s user, mode 0400, with one key of 32 bytes in base64 per line' end;
  else
    return query select 'master_key_place', 'the master key file', 'the master key file ' || place,
        'move it, and alter system set pg_identity.master_key_file = ''…'''
      from identity.master_key_place_complaint() place where place is not null;
    for sealed in
      select 'signing' as purpose, k.kid as name, k.private_sealed as bytes, format('signing key %s', k.kid) as object
      from identity.signing_keys k where k.private_sealed is not null
      union all
      select 'encryption', k.kid, k.private_sealed, format('encryption key %s', k.kid)
      from identity.encryption_keys k where k.private_sealed is not null
      union all
      select k.purpose, k.id, k.sealed, format('sealed key %s (%s)', k.id, k.purpose) from identity.sealed_keys k
    loop
      begin
        if identity.sealed_rewrap(sealed.purpose, sealed.name, sealed.bytes) is not null then
          before := before + 1;
        end if;
      exception when sqlstate 'ID003' then
        return query select 'key_sealed_otherwise', sealed.object, format('%s does not open: %s', sealed.object, sqlerrm),
          'put the master key that sealed it into the file, and select pg_reload_conf()';
      when sqlstate 'ID001' then
        -- Said by doctor_server.
        exit;
      end;
    end loop;
    if before > 0 then
      return query select 'key_sealed_before', 'keys of this database', format('%s keys are sealed under a master key that is not the first in the file', before),
        'select identity.rewrap_keys()';
    end if;
  end if;

  -- A database that verifies tokens of others only has no issuer, and needs no keys.
  if not exists (select from identity.configuration) then
    return query select 'not_configured', 'this database', 'it has no issuer and trusts none', 'select identity.configure(''https://…'')'
      where not exists (select from identity.trusted_issuers);
  else
    return query select 'sealed_key_missing', format('keys for %s', p.purpose), format('there is no current key for %s', p.purpose),
        'select identity.create_sealed_keys()'
      from unnest(array['state', 'keyed_hash', 'refresh', 'pepper', 'client_secret', 'pairwise']) p (purpose)
      where not exists (select from identity.sealed_keys k where k.purpose = p.purpose and k.state = 'current');
    return query
      with algorithms as (
        -- What configure makes, and what was signed with since.
        select a.algorithm from unnest(array['ES256', 'RS256']) a (algorithm)
        union select k.algorithm from identity.signing_keys k where k.state in ('next', 'current')
      )
      select case wanted.state when 'current' then 'key_current_missing' else 'key_next_missing' end, format('%s keys', a.algorithm),
        format('there is no %s %s key', wanted.state, a.algorithm), format('select identity.create_signing_key(%L)', a.algorithm)
      from algorithms a cross join unnest(array['current', 'next']) wanted (state)
      where not exists (select from identity.signing_keys k where k.algorithm = a.algorithm and k.state = wanted.state);
    return query select 'key_current_missing', 'encryption keys', 'there is no current key that clients can encrypt to',
        'select identity.create_encryption_key()'
      where not exists (select from identity.encryption_keys k where k.state = 'current');
    return query select 'key_age', format('signing key %s', k.kid),
        format('%s key %s signs since %s', k.algorithm, k.kid, k.activated_at::date), 'select identity.rotate_signing_keys(older_than => ''90 days'')'
      from identity.signing_keys k
      where k.state = 'current' and k.activated_at < statement_timestamp() - interval '97 days';
  end if;
  return query select 'trusted_issuer_keyless', format('issuer %s', t.issuer), format('trusted issuer %s has no key', t.issuer),
      format('select identity.trusted_keys_replace(%L, ''…'')', t.issuer)
    from identity.trusted_issuers t where not exists (select from identity.trusted_keys k where k.issuer = t.issuer);
end
$$;
comment on function identity.doctor_keys() is
  'The master key file, the issuer, and the keys that sign and seal, without anything secret. For identity.doctor. Raises nothing.';
alter function identity.doctor_keys() owner to identity_owner;
revoke all on function identity.doctor_keys() from public;
grant execute on function identity.doctor_keys() to identity_admin;
