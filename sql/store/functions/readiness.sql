-- Readiness: can this database serve?
--
-- identity.readiness()    gateway: GET /readyz

create or replace function identity.readiness()
returns table (outcome text, detail text, answer json)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select 'ok', null::text, json_build_object()
  where identity.configured_issuer() is not null
  union all
  select 'temporarily_unavailable', 'identity.configure() has not been called', json_build_object()
  where identity.configured_issuer() is null
$$;
comment on function identity.readiness() is
  'Whether the database can serve. Outcomes: ok {}, temporarily_unavailable {} (no issuer is configured). Raises what keeps the extension from working, such as ID001.';
revoke all on function identity.readiness() from public;
grant execute on function identity.readiness() to identity_gateway;
