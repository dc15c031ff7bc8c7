-- Configuration: who this database is (its issuer) and which audiences it accepts. OpenID Connect Discovery 1.0 §3, RFC 9068 §4.
--
-- Public: configure(issuer, audiences) for administrators; configured_issuer() for all roles of ours.
-- Rows and not settings: a setting could be changed by the caller (README, decision 4).

create table identity.configuration (
  single boolean primary key default true check (single),
  issuer text not null,
  configured_at timestamptz not null,
  -- Discovery §3: https, no query, no fragment; http is for this machine only. The rest is byte for byte what tokens say,
  -- hence no slash at the end.
  constraint issuer_is_a_url check (
    issuer ~ '^https://[^/?#[:space:]]+(/[^?#[:space:]]*[^/?#[:space:]])?$'
    or issuer ~ '^http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/[^?#[:space:]]*[^/?#[:space:]])?$'
  )
);
comment on table identity.configuration is 'The one row that says which issuer this database is.';
comment on column identity.configuration.single is 'Always true: there is one row.';
comment on column identity.configuration.issuer is 'The issuer identifier, exactly as in tokens and metadata; no slash at the end.';
comment on column identity.configuration.configured_at is 'When it was last written.';
alter table identity.configuration owner to identity_owner;
select pg_catalog.pg_extension_config_dump('identity.configuration', '');

create table identity.audiences (
  audience text primary key check (audience <> '')
);
comment on table identity.audiences is 'Audiences that authenticate() accepts in this database (the aud of an access token).';
comment on column identity.audiences.audience is 'Compared byte for byte.';
alter table identity.audiences owner to identity_owner;
select pg_catalog.pg_extension_config_dump('identity.audiences', '');

-- Says who we are, and makes the keys that are missing. Again with other arguments changes the rows and keeps the keys.
create function identity.configure(issuer text, audiences text[] default null)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  wanted text[] := coalesce(configure.audiences, array[configure.issuer]);
begin
  if configure.issuer is null then
    raise exception using errcode = 'ID005', message = 'issuer must not be null';
  end if;
  if cardinality(wanted) = 0 or exists (select from unnest(wanted) w where coalesce(w, '') = '') then
    raise exception using errcode = 'ID005', message = 'audiences must name at least one audience, none of them empty or null';
  end if;
  if array_ndims(wanted) > 1 or exists (select from unnest(wanted) w where octet_length(w) > 2048 or w ~ '[[:cntrl:]]') then
    raise exception using errcode = 'ID005', message = 'audiences must be a list of texts of at most 2048 bytes without control characters';
  end if;
  begin
    insert into identity.configuration (issuer, configured_at)
    values (configure.issuer, statement_timestamp())
    on conflict (single) do update set issuer = excluded.issuer, configured_at = excluded.configured_at;
  exception when check_violation then
    raise exception using errcode = 'ID005',
      message = 'issuer must be an https URL without query, fragment or slash at the end',
      hint = 'http is accepted for localhost, 127.0.0.1 and [::1] only.';
  end;
  delete from identity.audiences where audience <> all (wanted);
  insert into identity.audiences (audience) select distinct unnest(wanted) on conflict do nothing;
  perform identity.create_sealed_keys();
  -- ES256 for access tokens, RS256 for ID tokens, because every OpenID client knows it. The successor is published from the
  -- beginning, so that a rotation never has to wait for the caches of clients.
  perform identity.create_signing_key(missing.algorithm)
  from unnest(array['ES256', 'RS256']) as missing (algorithm)
  cross join unnest(array['current', 'next']) as missing_state (state)
  where not exists (
    select from identity.signing_keys as existing
    where existing.algorithm = missing.algorithm and existing.state = missing_state.state
  );
  perform identity.create_encryption_key('ECDH-ES')
  where not exists (select from identity.encryption_keys as existing where existing.algorithm = 'ECDH-ES' and existing.state = 'current');
end
$$;
comment on function identity.configure(text, text[]) is
  'Sets the issuer of this database and the audiences it accepts (default: the issuer alone), and makes missing keys: ES256 and RS256 for signing, ECDH-ES for what is encrypted to us, and those that seal. May be repeated. Raises ID005 for a bad issuer or audience, ID003 without a master key.';
alter function identity.configure(text, text[]) owner to identity_owner;
revoke all on function identity.configure(text, text[]) from public;
grant execute on function identity.configure(text, text[]) to identity_admin;

create function identity.configured_issuer() returns text
language c stable strict parallel safe as 'MODULE_PATHNAME', 'configured_issuer_wrapper';
comment on function identity.configured_issuer() is 'The issuer of this database; NULL before identity.configure. Raises nothing.';
revoke all on function identity.configured_issuer() from public;
grant execute on function identity.configured_issuer() to identity_owner, identity_admin, identity_gateway, identity_app;
