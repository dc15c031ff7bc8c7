-- Scopes: what there is to ask for, and what a set of resources makes of it (RFC 6749 §3.3, RFC 8707 §2.2).
--
--   identity.scope_create                identity_admin
--   identity_store.scopes_requested      authorization
--   identity_store.scopes_default        authorization: what a request without scope asks for
--   identity_store.scopes_at             tokens: the scopes that mean something at the resources of one token

create or replace function identity.scope_create(name text, description text, claims text[] default '{}')
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  if coalesce(scope_create.name !~ '^[\x21\x23-\x5b\x5d-\x7e]{1,255}$', true) then
    raise exception using errcode = 'ID005', message = 'name: must be a scope-token of RFC 6749 §3.3';
  end if;
  if coalesce(btrim(scope_create.description), '') = '' or length(scope_create.description) > 1000
    or scope_create.description ~ '[[:cntrl:]]' then
    raise exception using errcode = 'ID005',
      message = 'description: must say what the person allows, in at most 1000 characters without control characters';
  end if;
  if array_ndims(scope_create.claims) > 1 or cardinality(scope_create.claims) > 100
    or exists (select from unnest(scope_create.claims) c where coalesce(c !~ '^[^[:space:][:cntrl:]]{1,255}$', true)) then
    raise exception using errcode = 'ID005', message = 'claims: must be at most 100 names of claims';
  end if;
  insert into identity_store.scopes (name, description, claims)
  values (scope_create.name, scope_create.description, coalesce(scope_create.claims, '{}'))
  on conflict do nothing;
  if not found then
    raise exception using errcode = 'ID007', message = 'name: this scope exists already';
  end if;
  perform identity_store.audit('scope_created', null, null, null, jsonb_build_object('scope', scope_create.name));
end
$$;
comment on function identity.scope_create(text, text, text[]) is
  'Adds a scope: its name, the sentence the consent page shows, the claims about the person it opens. Raises ID005 naming the argument, ID007 when it exists.';
revoke all on function identity.scope_create(text, text, text[]) from public;
grant execute on function identity.scope_create(text, text, text[]) to identity_admin;

-- plpgsql, here and wherever every authorization passes, because it keeps its plans; a function in SQL is planned at every call.
create or replace function identity_store.scopes_requested(scope text, registered text)
returns text[]
language plpgsql stable parallel safe
as $$
declare
  allowed constant text[] := string_to_array(scopes_requested.registered, ' ');
  names text[] := '{}';
  word text;
begin
  if scopes_requested.registered is null then
    return (
      select coalesce(array_agg(s.name order by r.position), '{}')
      from (
        select w.word, min(w.position) as position
        from string_to_table(scopes_requested.scope, ' ') with ordinality as w (word, position)
        group by w.word
      ) r
      join identity_store.scopes s on s.name = r.word);
  end if;
  -- Without a statement, which takes longer than a few words do.
  foreach word in array coalesce(string_to_array(scopes_requested.scope, ' '), '{}') loop
    if word = any (allowed) and not word = any (names)
      and (identity.row_by_id(null::identity_store.scopes, word)).name is not null then
      names := names || word;
    end if;
  end loop;
  return names;
end
$$;
comment on function identity_store.scopes_requested(text, text) is
  'Those scopes of a request that exist and that the client registered (NULL: every one), once each, in the order of the request.';
revoke all on function identity_store.scopes_requested(text, text) from public;

create or replace function identity_store.scopes_default(registered text, resources text[])
returns text
language sql stable parallel safe
as $$
  -- OpenID Connect Core §3.1.2.1 and §11: openid and offline_access mean something because the client asked for them.
  select string_agg(word, ' ' order by position)
  from (
    select w.word, w.position from string_to_table(registered, ' ') with ordinality as w (word, position)
    union all
    select r.scope, row_number() over (order by r.scope) from identity_store.resource_scopes r
    where registered is null and r.resource = any (resources)
  ) d
  where word not in ('openid', 'offline_access')
$$;
comment on function identity_store.scopes_default(text, text[]) is
  'The scope of a request without one (RFC 6749 §3.3): all that the client registered or, if it registered none, that of the resources asked for, each without openid and offline_access; NULL when that is nothing.';
revoke all on function identity_store.scopes_default(text, text[]) from public;

create or replace function identity_store.scopes_at(scope text[], resources text[])
returns text[]
language plpgsql stable parallel safe
as $$
begin
  if cardinality(scopes_at.resources) = 0 or cardinality(scopes_at.scope) = 0 then
    return scopes_at.scope;
  end if;
  return array(
    select w.name
    from unnest(scopes_at.scope) with ordinality as w (name, position)
    where not exists (select from identity_store.resource_scopes r where r.scope = w.name)
      or exists (select from identity_store.resource_scopes r where r.scope = w.name and r.resource = any (scopes_at.resources))
    order by w.position);
end
$$;
comment on function identity_store.scopes_at(text[], text[]) is
  'The scopes without those that belong to other resources only; all of them when no resource is named.';
revoke all on function identity_store.scopes_at(text[], text[]) from public;
