-- Resources: what a token is for (RFC 8707).
--
--   identity.resource_create             identity_admin
--   identity_store.resource_canonical    the form that is stored, compared and put into aud
--   identity_store.resources_requested   authorization, tokens

create or replace function identity.resource_create(identifier text, name text, scopes text[] default '{}')
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  canonical text := identity_store.resource_canonical(resource_create.identifier);
  unknown text;
begin
  perform set_config('synchronous_commit', 'on', true);
  if canonical is null then
    raise exception using errcode = 'ID005', message = 'identifier: must be an absolute URI without fragment';
  end if;
  if coalesce(btrim(resource_create.name), '') = '' or length(resource_create.name) > 1000
    or resource_create.name ~ '[[:cntrl:]]' then
    raise exception using errcode = 'ID005',
      message = 'name: must say what the person knows it as, in at most 1000 characters without control characters';
  end if;
  select u into unknown from unnest(resource_create.scopes) u
  where not exists (select from identity_store.scopes s where s.name = u) limit 1;
  if found then
    raise exception using errcode = 'ID006', message = format('scopes: there is no scope %L', left(unknown, 100));
  end if;
  insert into identity_store.resources (identifier, name) values (canonical, resource_create.name) on conflict do nothing;
  if not found then
    raise exception using errcode = 'ID007', message = 'identifier: this resource exists already';
  end if;
  insert into identity_store.resource_scopes (resource, scope)
  select canonical, u from unnest(resource_create.scopes) u on conflict do nothing;
  perform identity_store.audit('resource_created', null, null, null, jsonb_build_object('resource', canonical));
end
$$;
comment on function identity.resource_create(text, text, text[]) is
  'Adds a resource: its URI (stored in canonical form), its name for people, and the existing scopes that belong to it. '
  'Raises ID005 naming the argument, ID006 for an unknown scope, ID007 when it exists.';
revoke all on function identity.resource_create(text, text, text[]) from public;
grant execute on function identity.resource_create(text, text, text[]) to identity_admin;

-- With and without a slash at the end are the same resource: clients compose it either way.
create or replace function identity_store.resource_canonical(resource text)
returns text
language sql immutable parallel safe
as $$
  select case
    -- RFC 8707 §2: MUST be an absolute URI, MUST NOT include a fragment component.
    when resource !~ '^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$' or resource ~ '#' or length(resource) > 2000 then null
    when parts is null then case when resource ~ ':[^/]' then rtrim(resource, '/') end
    else lower(parts[1]) || '://' || case lower(parts[1])
        when 'https' then regexp_replace(lower(parts[2]), ':443$', '')
        when 'http' then regexp_replace(lower(parts[2]), ':80$', '')
        else lower(parts[2]) end || rtrim(parts[3], '/')
  end
  from regexp_match(resource, '^([A-Za-z][A-Za-z0-9+.-]*)://([^/?@]+)(.*)$') as m (parts)
$$;
comment on function identity_store.resource_canonical(text) is
  'The canonical form of a resource URI: scheme and host in lower case, no default port, no slash at the end; NULL when it is not an absolute URI without fragment.';
revoke all on function identity_store.resource_canonical(text) from public;

create or replace function identity_store.resources_requested(resource text[])
returns text[]
language sql stable parallel safe
as $$
  select case
    when count(*) filter (where c.known) < count(*) or cardinality(resources_requested.resource) > 100 then null
    else coalesce(array_agg(c.canonical order by c.canonical), '{}')
  end
  from (
    select distinct r.canonical, r.canonical = identity.configured_issuer()
      or exists (select from identity_store.resources k where k.identifier = r.canonical) as known
    from (select identity_store.resource_canonical(u) as canonical from unnest(resources_requested.resource[:101]) u where u <> '') r
  ) c
$$;
comment on function identity_store.resources_requested(text[]) is
  'The resources of a request in canonical form, sorted, once each; empty when none was asked for; NULL when one of them is malformed or unknown, or there are more than 100 (invalid_target). The issuer is always known.';
revoke all on function identity_store.resources_requested(text[]) from public;
