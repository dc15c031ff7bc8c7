-- Parameters of a request as the gateway hands them on: {"name": ["value", …]}, decoded, repetitions included.
--
--   identity_store.parameters_read    authorization_checks, logout: the one place where their form is checked

create or replace function identity_store.parameters_read(parameters json, known text[])
returns table (given jsonb, repeated text[])
language plpgsql immutable parallel unsafe
as $$
declare
  received jsonb;
begin
  begin
    received := parameters_read.parameters;
  exception
    -- json holds any escape, text neither U+0000 nor half a surrogate pair.
    when untranslatable_character or invalid_text_representation or statement_too_complex then
      received := null;
  end;
  if jsonb_typeof(received) is distinct from 'object' or received @? 'strict $.* ? (@.type() != "array")'
    or received @? 'strict $.*[*] ? (@.type() != "string")' then
    raise exception using errcode = 'ID005', message = 'parameters: must be an object of arrays of strings: {"name": ["value", …]}';
  end if;
  -- RFC 6749 §3.1: parameters sent without a value MUST be treated as if they were omitted, unrecognized ones MUST be
  -- ignored, and none MUST be included more than once (RFC 8707 §2 excepts resource).
  return query
  select
    coalesce(jsonb_object_agg(p.key, p.value -> 0)
        filter (where p.key <> 'resource' and jsonb_array_length(p.value) = 1 and p.value ->> 0 <> ''), '{}')
      || coalesce((
        select jsonb_build_object('resource', jsonb_agg(v order by v))
        from jsonb_array_elements_text(received -> 'resource') v where v <> '' and 'resource' = any (known)
        having count(*) > 0), '{}'),
    array_agg(p.key order by p.key) filter (where p.key <> 'resource' and jsonb_array_length(p.value) > 1)
  from jsonb_each(received) p
  where p.key = any (known);
end
$$;
comment on function identity_store.parameters_read(json, text[]) is
  'The known parameters that have a value, as {"name": "value", "resource": ["value", …]}, and the names given more than once, which are not among them (NULL: none). Raises ID005 when it is no object of arrays of strings.';
revoke all on function identity_store.parameters_read(json, text[]) from public;
