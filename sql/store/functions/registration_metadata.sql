-- What a client says of itself when it registers, and what is told to it (RFC 7591 §2, §3; OpenID Connect Registration 1.0 §2, §5).
--
--   identity_store.registration_checked     registration.sql: from what was sent to what may be registered
--   identity_store.registration_answer      registration.sql: client information response
-- What each member may be is in client_metadata.sql, for registrants and administrators alike.

create or replace function identity_store.registration_document(metadata json)
returns jsonb
language plpgsql immutable parallel unsafe
as $$
declare
  received jsonb;
begin
  if octet_length(metadata::text) > 65536 then
    return null;
  end if;
  begin
    received := metadata;
  exception
    -- json holds any escape and any number; text neither U+0000 nor half a surrogate pair.
    when untranslatable_character or invalid_text_representation or statement_too_complex or numeric_value_out_of_range then
      return null;
  end;
  return case when jsonb_typeof(received) = 'object' then jsonb_strip_nulls(received) end;
end
$$;
comment on function identity_store.registration_document(json) is
  'The body of a request, without members that are null (RFC 7592 §2.2: they are as good as absent); NULL when it is no object of at most 64 kB.';
revoke all on function identity_store.registration_document(json) from public;

-- Our settings are an administrator's: whoever asks for first_party gets a client like any other.
create or replace function identity_store.registrable(document jsonb)
returns jsonb
language sql immutable parallel safe
as $$
  select coalesce(jsonb_object_agg(e.key, e.value), '{}')
  from jsonb_each(document) e
  where split_part(e.key, '#', 1) in (select m.member from identity_store.client_members() m)
    and not split_part(e.key, '#', 1) = any (identity_store.client_settings())
$$;
comment on function identity_store.registrable(jsonb) is
  'Those members of a document that a client may register: metadata that we know, without our settings.';
revoke all on function identity_store.registrable(jsonb) from public;

create or replace function identity_store.registration_checked(
  document jsonb, policy identity_store.registration_policy, present identity_store.clients, statement text, documents jsonb,
  out error text, out description text, out need json, out registered jsonb
)
language plpgsql volatile parallel unsafe
as $$
declare
  given jsonb := identity_store.registrable(document);
  stated jsonb := '{}';
  read record;
begin
  if document is null then
    error := 'invalid_client_metadata';
    description := 'the body must be a JSON object of at most 64 kB';
    return;
  end if;
  if document ? 'software_statement' then
    read := identity_store.software_statement_read(
      case jsonb_typeof(document -> 'software_statement') when 'string' then document ->> 'software_statement' else '' end, statement);
    if read.error is not null then
      error := read.error;
      description := read.description;
      return;
    end if;
    stated := identity_store.registrable(jsonb_strip_nulls(read.claims));
  elsif policy.software_statement = 'required' then
    error := 'invalid_client_metadata';
    description := 'software_statement: is required here';
    return;
  end if;
  -- RFC 7591 §2.3: what the statement says MUST take precedence, in every language.
  select coalesce(jsonb_object_agg(e.key, e.value), '{}') || stated into given
  from jsonb_each(given) e
  where not stated ? split_part(e.key, '#', 1);

  begin
    -- RFC 7591 §2: without scope a server MAY register a default set. An administrator may have narrowed what is there.
    registered := jsonb_strip_nulls(identity_store.client_metadata(
      jsonb_strip_nulls(jsonb_build_object('scope', coalesce(present.scope, policy.scope))) || given));
  exception
    when sqlstate 'ID005' then
      select r.error, r.description into error, description from identity_store.registration_refusal(sqlerrm) r;
      return;
  end;
  -- What the client has already, it may keep.
  if not array(select jsonb_array_elements_text(registered -> 'grant_types')) <@ (policy.grant_types || present.grant_types) then
    error := 'invalid_client_metadata';
    description := 'grant_types: may be registered here: ' || array_to_string(policy.grant_types, ', ');
  elsif policy.scope is not null and not string_to_array(registered ->> 'scope', ' ')
    <@ (string_to_array(policy.scope, ' ') || string_to_array(present.scope, ' ')) then
    error := 'invalid_client_metadata';
    description := 'scope: may be registered here: ' || policy.scope;
  -- A sign-in page shows it: no sentence to the reader, and nothing that turns the words around it.
  elsif exists (
    select from jsonb_each_text(jsonb_build_object('client_name', registered -> 'client_name') || coalesce(registered -> 'localized', '{}')) e
    where split_part(e.key, '#', 1) = 'client_name'
      and (length(e.value) > 100 or btrim(e.value) = '' or identity_store.profile_invisible(e.value))
  ) then
    error := 'invalid_client_metadata';
    description := 'client_name: must have 1 to 100 characters, none of them invisible';
  elsif registered ? 'sector_identifier_uri' then
    select s.description, s.need into description, need
    from identity_store.sector_identifier_check(registered, documents) s;
    error := case when description is not null then 'invalid_client_metadata' end;
  end if;
end
$$;
comment on function identity_store.registration_checked(jsonb, identity_store.registration_policy, identity_store.clients, text, jsonb) is
  'What a client that sent this document (registration_document) would be registered with; or error and description; or need, the answer of the outcome of that name. present, statement: what is registered of it, NULL for a new one. documents (documents_read): those that were needed before.';
revoke all on function identity_store.registration_checked(jsonb, identity_store.registration_policy, identity_store.clients, text, jsonb) from public;

create or replace function identity_store.registration_refusal(message text)
returns table (error text, description text)
language sql immutable parallel safe
as $$
  -- RFC 7591 §3.2.2. How an administrator would make a key is not for strangers.
  select case when $1 like 'redirect_uris: %' then 'invalid_redirect_uri' else 'invalid_client_metadata' end,
    regexp_replace($1, ': select .*$', '')
$$;
comment on function identity_store.registration_refusal(text) is
  'What a registrant is told of an ID005 that names a member: the error code of RFC 7591 §3.2.2, and the message.';
revoke all on function identity_store.registration_refusal(text) from public;

create or replace function identity_store.sector_identifier_check(registered jsonb, documents jsonb, out description text, out need json)
language plpgsql immutable parallel unsafe
as $$
declare
  uri constant text := registered ->> 'sector_identifier_uri';
  listed jsonb;
begin
  if not documents ? uri then
    need := json_build_object('kind', 'sector_identifier', 'url', uri);
    return;
  end if;
  begin
    listed := documents ->> uri;
  exception
    when untranslatable_character or invalid_text_representation or statement_too_complex or numeric_value_out_of_range then
      listed := null;
  end;
  -- OpenID Connect Registration §5: the values in redirect_uris MUST be included in the array, or registration MUST fail.
  description := 'sector_identifier_uri: ' || case
    when documents ->> uri is null then 'the document there cannot be fetched'
    when jsonb_typeof(listed) is distinct from 'array' or listed @? 'strict $[*] ? (@.type() != "string")' then
      'the document there is no JSON array of strings'
    when not listed @> (registered -> 'redirect_uris') then 'the document there does not list all redirect_uris'
  end;
end
$$;
comment on function identity_store.sector_identifier_check(jsonb, jsonb) is
  'What is wrong with the sector_identifier_uri of registered metadata, NULL: nothing; or need {kind, url}, while its document is not among documents ({url: text, or null when it cannot be fetched}).';
revoke all on function identity_store.sector_identifier_check(jsonb, jsonb) from public;

create or replace function identity_store.registration_answer(metadata jsonb, registration identity_store.client_registrations, token text)
returns json
language sql stable parallel safe
as $$
  select json_strip_nulls(((metadata - identity_store.client_settings()) || jsonb_build_object(
    'software_statement', registration.software_statement,
    'registration_access_token', token,
    -- OpenID Connect Registration §3.2: either both or neither.
    'registration_client_uri',
      case when token is not null then identity.configured_issuer() || '/register/' || registration.client_id end))::json)
$$;
comment on function identity_store.registration_answer(jsonb, identity_store.client_registrations, text) is
  'The client information response (RFC 7591 §3.2.1, RFC 7592 §3): what client_read or client_create say, without our settings, with the statement unmodified, and with token, the registration access token, where there is one.';
revoke all on function identity_store.registration_answer(jsonb, identity_store.client_registrations, text) from public;
