-- Lint, conditions of policies: how they are read, and written better. See lint_policies.sql.


-- Literals and quoted names, in which anything may stand, are taken out, and sub-selects, which PostgreSQL evaluates once unless they speak
-- of the row: what is left is asked for every row.
create function identity.lint_bare(condition text)
returns text
language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  bare text := condition;
  shorter text;
begin
  if bare ~ '[''"]' then
    select string_agg(
        case when piece[1] ~ '^''' then '''''' when piece[1] ~ '^"' and piece[1] ~ '[^\w" $]' then '"?"' else piece[1] end, '' order by place)
      into bare
    from regexp_matches(condition, '''(?:[^'']|'''')*''|"(?:[^"]|"")*"|[^''"]+', 'g') with ordinality pieces (piece, place);
  end if;
  -- The innermost brackets first: those of a sub-select go, others become braces until no sub-select is left.
  while bare ~ '\( *(?:SELECT|WITH|VALUES)\M' loop
    shorter := regexp_replace(bare, '\( *(?:SELECT|WITH|VALUES)\M[^()]*\)', '{}', 'g');
    if shorter = bare then
      shorter := regexp_replace(bare, '\(([^()]*)\)', '{\1}', 'g');
      exit when shorter = bare;
    end if;
    bare := shorter;
  end loop;
  return translate(bare, '{}', '()');
end
$$;
comment on function identity.lint_bare(text) is
  'A condition of a policy without what stands in literals and sub-selects: literals become '''', sub-selects (). For identity.lint. Raises nothing.';
revoke all on function identity.lint_bare(text) from public;
grant execute on function identity.lint_bare(text) to identity_owner, identity_admin, identity_app;

-- Arguments that do not speak of the row: literals, numbers, arrays of them, casts.
create function identity.lint_calls(names text)
returns text
language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
  select '(?<![\w."$])(?:' || names || ')\((?:''(?:[^'']|'''')*''|-?\d[\d.]*|true|false|NULL|ARRAY\[|\]|VARIADIC |, |::[\w ."]+(?:\[\])?)*\)'
$$;
comment on function identity.lint_calls(text) is
  'Pattern of a call of one of the functions (names, a pattern itself) with arguments that do not depend on the row. For identity.lint. Raises nothing.';
revoke all on function identity.lint_calls(text) from public;
grant execute on function identity.lint_calls(text) to identity_owner, identity_admin, identity_app;

-- Which reader answers what a setting of that name is asked for, as text like current_setting().
create function identity.lint_reader(setting text)
returns text
language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
  select case
    when setting ~* '(^|[._])(claims?|jwt)$' then '(select identity.claims()::text)'
    when setting ~* '\.claims?\.\w+$' then format('(select identity.claim(%L))', (regexp_match(setting, '\w+$'))[1])
    when setting ~* 'tenant|org' then '(select identity.organization_id())'
    when setting ~* 'role' then '(select identity.claim(''role''))'
    when setting ~* 'client' then '(select identity.client_id())'
    when setting ~* 'session' then '(select identity.session_id())'
    else '(select identity.user_id()::text)'
  end
$$;
comment on function identity.lint_reader(text) is
  'The verified reader, in a sub-select and as text, that answers what a setting of this name is asked for. For identity.lint. Raises nothing.';
revoke all on function identity.lint_reader(text) from public;
grant execute on function identity.lint_reader(text) to identity_owner, identity_admin, identity_app;

create function identity.lint_settings(source text)
returns text[]
language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
  select array_agg(distinct asked.name[1] order by asked.name[1])
  from regexp_matches(source, 'current_setting\s*\(\s*''((?:[^'']|'''')+)''', 'gi') as asked (name)
$$;
comment on function identity.lint_settings(text) is
  'The settings that a condition or the source of a function asks for with current_setting, by name. NULL: none. For identity.lint. Raises nothing.';
revoke all on function identity.lint_settings(text) from public;
grant execute on function identity.lint_settings(text) to identity_owner, identity_admin, identity_app;

create function identity.lint_mended(condition text, settings text[], believers oid[], calls text)
returns text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  mended text := condition;
  literals text[];
  setting text;
  believer record;
begin
  foreach setting in array coalesce(settings, '{}') loop
    mended := regexp_replace(mended, 'current_setting\(''' || regexp_replace(setting, '(\W)', '\\\1', 'g') || '''::text(?:, (?:true|false))?\)',
      identity.lint_reader(setting), 'g');
  end loop;
  -- A literal may read like a call: numbers stand for literals meanwhile.
  select array_agg(piece[1] order by place), string_agg(case when piece[1] ~ '^''' then format('''%s''', place) else piece[1] end, '' order by place)
    into literals, mended
  from regexp_matches(mended, '''(?:[^'']|'''')*''|[^'']+', 'g') with ordinality pieces (piece, place);
  for believer in
    select format('%I.%I', n.nspname, f.proname) as name, f.proname, format_type(f.prorettype, null) as type
    from pg_proc f join pg_namespace n on n.oid = f.pronamespace where f.oid = any (believers)
  loop
    mended := regexp_replace(mended, identity.lint_calls(regexp_replace(believer.name, '(\W)', '\\\1', 'g')), case
        when believer.type = 'uuid' then '(select identity.user_id())'
        when believer.type in ('json', 'jsonb') then format('(select identity.claims()::%s)', believer.type)
        when believer.proname ~* 'tenant|org' then format('(select identity.organization_id()::%s)', believer.type)
        when believer.proname ~* 'role' then format('(select identity.claim(''role'')::%s)', believer.type)
        else format('(select identity.user_id()::text::%s)', believer.type)
      end, 'g');
  end loop;
  if calls is not null then
    mended := regexp_replace(mended, '(?<!SELECT )(?<!select )' || calls, '(select \&)', 'g');
  end if;
  select string_agg(case when piece[1] ~ '^''\d+''$' then literals[trim(both '''' from piece[1])::integer] else piece[1] end, '' order by place)
    into mended
  from regexp_matches(mended, '''(?:[^'']|'''')*''|[^'']+', 'g') with ordinality pieces (piece, place);
  return mended;
end
$$;
comment on function identity.lint_mended(text, text[], oid[], text) is
  'A condition with verified readers in place of settings and of functions that believe settings (believers), and with calls (a pattern) in sub-selects. NULL for NULL. For identity.lint. Raises nothing.';
revoke all on function identity.lint_mended(text, text[], oid[], text) from public;
grant execute on function identity.lint_mended(text, text[], oid[], text) to identity_owner, identity_admin, identity_app;
