-- Profiles: which members a profile may have, and what their values must look like.
--
-- OpenID Connect Core §5.1 (standard claims) and §5.1.1 (address). Internal: called by user_create and user_update.

-- RFC 7396, the whole of it.
create or replace function identity_store.merge_patch(target jsonb, patch jsonb)
returns jsonb
language plpgsql immutable parallel safe
as $$
declare
  merged jsonb;
  member record;
begin
  if jsonb_typeof(patch) is distinct from 'object' then
    return patch;
  end if;
  merged := case when jsonb_typeof(target) = 'object' then target else '{}' end;
  for member in select p.key, p.value from jsonb_each(patch) p loop
    if member.value = 'null' then
      merged := merged - member.key;
    else
      merged := merged || jsonb_build_object(
        member.key, identity_store.merge_patch(merged -> member.key, member.value));
    end if;
  end loop;
  return merged;
end
$$;
comment on function identity_store.merge_patch(jsonb, jsonb) is
  'JSON merge patch (RFC 7396): members of patch replace those of target, null removes, objects merge. Returns the result; raises nothing.';
revoke all on function identity_store.merge_patch(jsonb, jsonb) from public;

-- The members of a profile by the rule their value obeys. Localised ones (§5.2, name#ja) are not kept.
create or replace function identity_store.profile_members()
returns table (member text, rule text)
language sql immutable parallel safe
as $$
  values
    ('name', 'line'), ('given_name', 'line'), ('family_name', 'line'), ('middle_name', 'line'), ('nickname', 'line'),
    ('gender', 'line'), ('preferred_username', 'username'), ('profile', 'url'), ('picture', 'url'), ('website', 'url'),
    ('email', 'email'), ('email_verified', 'boolean'), ('emails', 'emails'), ('birthdate', 'birthdate'),
    ('zoneinfo', 'zoneinfo'), ('locale', 'locale'), ('phone_number', 'phone_number'),
    ('phone_number_verified', 'boolean'), ('address', 'address'), ('roles', 'roles'),
    -- Derived by us; taken and dropped, so that what user_read returned can be edited and handed back.
    ('updated_at', 'number')
$$;
comment on function identity_store.profile_members() is 'The members of a profile and the rule of each (identity_store.profile_fault). Returns one row a member.';
revoke all on function identity_store.profile_members() from public;

-- What is wrong with one value, in words that follow "member … "; NULL: nothing.
create or replace function identity_store.profile_fault(rule text, value jsonb)
returns text
language sql immutable parallel safe
as $$
  with given as (select jsonb_typeof(value) as type, value #>> '{}' as word)
  select case
    when value = 'null' then null
    when rule = 'boolean' then case when type <> 'boolean' then 'must be true or false' end
    when rule = 'number' then case when type <> 'number' then 'must be a number' end
    when rule = 'address' then identity_store.profile_address_fault(value)
    when rule = 'emails' then identity_store.profile_emails_fault(value)
    when rule = 'roles' then case
      when type <> 'array' then 'must be an array of strings'
      when exists (
        select from jsonb_array_elements(value) r
        where jsonb_typeof(r) <> 'string' or (r #>> '{}') <> btrim(r #>> '{}')
          or length(r #>> '{}') not between 1 and 100 or (r #>> '{}') ~ '[[:cntrl:]]')
        then 'must hold strings of 1 to 100 characters, without control characters or spaces around them'
    end
    when type <> 'string' then 'must be a string'
    when word = '' then 'must not be empty; leave it out or set it to null'
    when length(word) > 1000 then 'must have at most 1000 characters'
    when word ~ '[[:cntrl:]]' then 'must not contain control characters'
    when rule = 'username' then case
      when length(btrim(word)) not between 1 and 255 then 'must have 1 to 255 characters'
      -- Invisible and direction-changing characters make two names look like one.
      when identity_store.profile_invisible(word) then 'must not contain invisible characters'
    end
    when rule = 'url' then case when word !~* '^https?://[^[:space:]]+$' then 'must be an http or https URL' end
    when rule = 'email' then case
      when length(word) > 254 or word !~ '^[^[:space:]@]+@[^[:space:]@]+$' then 'must be a mail address' end
    when rule = 'birthdate' then case
      when not identity_store.profile_birthdate_good(word) then 'must be YYYY-MM-DD, 0000-MM-DD or YYYY' end
    when rule = 'zoneinfo' then case
      when word !~ '^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$' then 'must be a time zone name such as Europe/Paris' end
    when rule = 'locale' then case
      when word !~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$' then 'must be a language tag such as en-US (RFC 5646)' end
    when rule = 'phone_number' then case
      when word !~ '^\+[0-9][0-9 ().-]{2,40}(;ext=[0-9]{1,10})?$' then 'must be a number such as +1 (425) 555-1212 (E.164)' end
  end
  from given
$$;
comment on function identity_store.profile_fault(text, jsonb) is
  'What is wrong with a profile value under a rule of profile_members(). Returns words to follow the member''s name, NULL when nothing is; raises nothing.';
revoke all on function identity_store.profile_fault(text, jsonb) from public;

create or replace function identity_store.profile_invisible(word text)
returns boolean
language sql immutable parallel safe
as $$
  select word ~ '[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0]'
$$;
comment on function identity_store.profile_invisible(text) is
  'Whether a name holds characters that nobody sees, that change direction, or that end a line.';
revoke all on function identity_store.profile_invisible(text) from public;

-- OpenID Connect Core §5.1.1. formatted and street_address may have several lines.
create or replace function identity_store.profile_address_fault(value jsonb)
returns text
language sql immutable parallel safe
as $$
  select case
    when jsonb_typeof(value) <> 'object' then 'must be an object'
    else (
      select format(case
        when m.key not in ('formatted', 'street_address', 'locality', 'region', 'postal_code', 'country')
          then 'has a member %I that addresses do not have'
        else 'member %I must be a string of at most 1000 characters' end, m.key)
      from jsonb_each(value) m
      where m.key not in ('formatted', 'street_address', 'locality', 'region', 'postal_code', 'country')
        or jsonb_typeof(m.value) not in ('string', 'null') or length(m.value #>> '{}') > 1000
      limit 1)
  end
$$;
comment on function identity_store.profile_address_fault(jsonb) is 'What is wrong with an address claim; NULL when nothing is.';
revoke all on function identity_store.profile_address_fault(jsonb) from public;

create or replace function identity_store.profile_emails_fault(value jsonb)
returns text
language sql immutable parallel safe
as $$
  select case
    when jsonb_typeof(value) <> 'array' then 'must be an array of objects {"address", "verified", "primary"}'
    when jsonb_array_length(value) > 20 then 'must hold at most 20 addresses'
    else (
      select case
        when jsonb_typeof(e) <> 'object' then 'must hold objects {"address", "verified", "primary"}'
        when coalesce(jsonb_typeof(e -> 'address'), 'null') <> 'string' then 'has an entry without "address"'
        when (e ->> 'address') !~ '^[^[:space:][:cntrl:]@]+@[^[:space:][:cntrl:]@]+$' or length(e ->> 'address') > 254
          then 'has an "address" that is not a mail address'
        else 'may hold "address", "verified" (true or false) and "primary" (true or false) only' end
      from jsonb_array_elements(value) e
      where jsonb_typeof(e) <> 'object'
        or coalesce(jsonb_typeof(e -> 'address'), 'null') <> 'string'
        or (e ->> 'address') !~ '^[^[:space:][:cntrl:]@]+@[^[:space:][:cntrl:]@]+$' or length(e ->> 'address') > 254
        or e - array['address', 'verified', 'primary'] <> '{}'
        or coalesce(jsonb_typeof(e -> 'verified'), 'boolean') <> 'boolean'
        or coalesce(jsonb_typeof(e -> 'primary'), 'boolean') <> 'boolean'
      limit 1)
  end
$$;
comment on function identity_store.profile_emails_fault(jsonb) is 'What is wrong with the member emails of a profile; NULL when nothing is.';
revoke all on function identity_store.profile_emails_fault(jsonb) from public;

-- §5.1: YYYY-MM-DD, the year 0000 when it is withheld, or the year alone.
create or replace function identity_store.profile_birthdate_good(word text)
returns boolean
language sql immutable parallel safe
as $$
  select word ~ '^[0-9]{4}$' or case when word ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' then
    -- PostgreSQL knows no year 0; 2000 is a leap year as well.
    right(word, 2)::integer <= extract(day from
      make_date(coalesce(nullif(left(word, 4)::integer, 0), 2000), substr(word, 6, 2)::integer, 1)
      + interval '1 month' - interval '1 day')
    else false end
$$;
comment on function identity_store.profile_birthdate_good(text) is 'Whether a birthdate claim is a date, a date without year (0000) or a year. Returns a boolean; raises nothing.';
revoke all on function identity_store.profile_birthdate_good(text) from public;

create or replace function identity_store.profile_check(profile jsonb)
returns void
language plpgsql immutable parallel safe
as $$
declare
  wrong record;
begin
  if jsonb_typeof(profile) is distinct from 'object' then
    raise exception using errcode = 'ID005', message = 'profile: must be a JSON object';
  end if;
  select p.key, case when m.member is null then 'is not known' else identity_store.profile_fault(m.rule, p.value) end as fault
  into wrong
  from jsonb_each(profile) p
  left join identity_store.profile_members() m on m.member = p.key
  where m.member is null or identity_store.profile_fault(m.rule, p.value) is not null
  order by p.key
  limit 1;
  if found then
    -- The name of the member, never its value: messages reach logs.
    raise exception using errcode = 'ID005', message = format('profile: %s %s', left(wrong.key, 100), wrong.fault),
      hint = 'Members are the standard claims of OpenID Connect Core §5.1, "emails" and "roles".';
  end if;
end
$$;
comment on function identity_store.profile_check(jsonb) is
  'Checks the members of a profile (or of a merge patch, where null removes) one by one. Returns nothing; raises ID005 naming the first wrong member.';
revoke all on function identity_store.profile_check(jsonb) from public;
