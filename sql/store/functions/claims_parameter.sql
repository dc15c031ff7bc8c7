-- The request parameter `claims`: single claims, by name, for the ID token and for userinfo (OpenID Connect Core 1.0 §5.5).
--
--   identity_store.claims_parameter    authorization_checks: what was sent, in our form
--   identity_store.claims_allowed      authorization_verdict: what of it the client may ask for, and what the person is asked
--   identity_store.claims_answer       tokens_answer, userinfo: what the grant says of it, about this person
--
-- Our form: {"userinfo": {"name of a claim": null or {"essential"?: true, "values"?: [value, …]}, …}, "id_token": {…}}.

create or replace function identity_store.claims_parameter(claims text)
returns jsonb
language plpgsql immutable parallel unsafe
as $$
declare
  given jsonb;
begin
  begin
    given := claims_parameter.claims;
  exception
    when invalid_text_representation or untranslatable_character or numeric_value_out_of_range or statement_too_complex then
      return null;
  end;
  -- §5.5: a JSON object. §5.5.1: a member is null or an object. Other members MUST be ignored.
  if jsonb_typeof(given) <> 'object' or given @? 'strict $.userinfo ? (@.type() != "object" && @.type() != "null")'
    or given @? 'strict $.id_token ? (@.type() != "object" && @.type() != "null")' then
    return null;
  end if;
  given := jsonb_build_object('userinfo', coalesce(nullif(given -> 'userinfo', 'null'), '{}'),
    'id_token', coalesce(nullif(given -> 'id_token', 'null'), '{}'));
  if exists (
    select from jsonb_each(given) t, jsonb_each(t.value) c
    where jsonb_typeof(c.value) not in ('object', 'null') or jsonb_typeof(c.value -> 'essential') <> 'boolean'
      or jsonb_typeof(c.value -> 'values') <> 'array') then
    return null;
  end if;
  return (
    select coalesce(jsonb_object_agg(t.key, m.members), '{}')
    from jsonb_each(given) t, lateral (
      select jsonb_object_agg(c.key, nullif(jsonb_strip_nulls(jsonb_build_object(
        'essential', nullif(c.value -> 'essential', 'false'),
        'values', case when c.value ? 'value' then jsonb_build_array(c.value -> 'value') else c.value -> 'values' end)), '{}')) as members
      from jsonb_each(t.value) c) m
    where m.members is not null);
end
$$;
comment on function identity_store.claims_parameter(text) is
  'The claims parameter in our form (see the top of the file); NULL when it is malformed. Raises nothing.';
revoke all on function identity_store.claims_parameter(text) from public;

create or replace function identity_store.claims_allowed(requested jsonb, client identity_store.clients, scope text[])
returns table (claims jsonb, asked text[])
language plpgsql stable parallel safe
as $$
begin
  if requested is null or not 'openid' = any (claims_allowed.scope) then
    -- Without openid it is no OpenID request, and a parameter that means nothing is ignored.
    return query select null::jsonb, claims_allowed.scope;
    return;
  end if;
  -- What a claim may be asked for with is a scope that opens it: no client reads more than it registered for, and the person
  -- is asked in the words they know. §5.5: a claim that nobody knows is left out, essential or not.
  return query
  with named as (
    select t.key as target, c.key as name, c.value -> 'values' as values, (
      select s.name from identity_store.scopes s
      where c.key = any (s.claims) and c.key <> 'sub'
        and (client.scope is null or s.name = any (string_to_array(client.scope, ' ')))
      order by s.name = any (claims_allowed.scope) desc, s.created_at, s.name limit 1) as opened_by
    from jsonb_each(requested) t, jsonb_each(t.value) c
  ), allowed as (
    select a.target, jsonb_object_agg(a.name, a.values) as members, array_agg(a.opened_by order by a.opened_by) as scopes
    from named a where a.opened_by is not null
    group by a.target
  )
  select jsonb_object_agg(a.target, a.members), claims_allowed.scope || array(
    select distinct o.name from allowed w, unnest(w.scopes) o (name)
    where not o.name = any (claims_allowed.scope) order by o.name)
  from allowed a;
end
$$;
comment on function identity_store.claims_allowed(jsonb, identity_store.clients, text[]) is
  'Of the claims requested those that the client may ask for, as they are kept with the grant: {"userinfo": {"name": null or [value, …], …}, "id_token": {…}}, NULL for none; and the scopes that the person allows with them: scope, and those that open the claims.';
revoke all on function identity_store.claims_allowed(jsonb, identity_store.clients, text[]) from public;

create or replace function identity_store.claims_answer(user_id uuid, granted jsonb)
returns jsonb
language plpgsql stable parallel safe
as $$
begin
  return (
    select coalesce(jsonb_object_agg(c.key, c.value), '{}')
    from jsonb_each(identity_store.user_profile(claims_answer.user_id)) c
    -- §5.5.1: a claim requested with values is returned when it has one of them, and §5.5: no error when it is not.
    where granted ? c.key and (granted -> c.key = 'null' or granted -> c.key @> jsonb_build_array(c.value)));
end
$$;
comment on function identity_store.claims_answer(uuid, jsonb) is
  'The claims about a person that a grant names for userinfo or for the ID token; granted: {"name": null or [value, …], …}. {} when there are none.';
revoke all on function identity_store.claims_answer(uuid, jsonb) from public;
