-- Response types and response modes: what the authorization endpoint may answer with, and how it travels (RFC 6749 §3.1.1;
-- OAuth 2.0 Multiple Response Type Encoding Practices §2.1, §3, §5; OAuth 2.0 Form Post Response Mode).
--
--   identity_store.response_types    registration, provider_metadata: one line each
--   identity_store.response_type_known    authorization_checks: whether there is such a line
--   identity_store.response_type     what a request or a registration wrote, in the spelling of that list
--   identity_store.response_gives    registration, authorization: whether a word is in it
--   identity_store.response_front    the same: whether tokens leave through the browser
--   identity_store.response_mode     how the answer to a request travels, errors included
--   identity_store.response_modes    authorization_checks, provider_metadata
--
-- To add a response type of words that there are: a row here. A new word is a branch of authorization_issue too; where what it
-- gives is good for whoever sees it, it is a word of response_front. To add a response mode: a word here, and the same in the
-- gateway's web/outcome/redirection.rs. Registration, metadata, OpenAPI and the checks of a request follow.

create or replace function identity_store.response_types()
returns table (response_type text, grant_types text[], usual boolean)
language sql immutable parallel safe
as $$
  -- Words in alphabetical order. OpenID Connect Registration 1.0 §2: the grant types that a client must have for each.
  -- `token` alone is missing: RFC 9700 §2.1.2 wants access tokens bound to something that the client can check, and OpenID
  -- Connect Core §3 knows no flow without an ID token or a code.
  values
    -- RFC 7591 §2: if omitted, the default is that the client will use only the "code" response type.
    ('code', array['authorization_code'], true),
    ('id_token', array['implicit'], false),
    ('id_token token', array['implicit'], false),
    ('code id_token', array['authorization_code', 'implicit'], false),
    ('code token', array['authorization_code', 'implicit'], false),
    ('code id_token token', array['authorization_code', 'implicit'], false)
$$;
comment on function identity_store.response_types() is
  'The response types there are, each with the grant types that a client registered for it has to have; usual: a client that names no response types has it, and one with its grant types cannot do without one of the kind.';
revoke all on function identity_store.response_types() from public;

create or replace function identity_store.response_type_known(response_type text)
returns boolean
language plpgsql immutable parallel safe
as $$
begin
  return exists (select from identity_store.response_types() t where t.response_type = response_type_known.response_type);
end
$$;
comment on function identity_store.response_type_known(text) is
  'Whether there is this response type, in the spelling of identity_store.response_types().';
revoke all on function identity_store.response_type_known(text) from public;

create or replace function identity_store.response_type(written text)
returns text
language plpgsql immutable parallel safe
as $$
begin
  -- RFC 6749 §3.1.1: the order of values does not matter. Two spaces, or a word twice, make a type that does not exist.
  return case when written like '% %' then (
    select string_agg(w.word, ' ' order by w.word collate "C") from string_to_table(written, ' ') w (word)) else written end;
end
$$;
comment on function identity_store.response_type(text) is
  'A response type with its words in alphabetical order, the spelling of identity_store.response_types().';
revoke all on function identity_store.response_type(text) from public;

-- SQL and one expression each, so that they become part of the expression they stand in.
create or replace function identity_store.response_gives(response_type text, word text)
returns boolean
language sql immutable parallel safe
as $$ select word = any (string_to_array(response_type, ' ')) $$;
comment on function identity_store.response_gives(text, text) is
  'Whether a response type asks for what this word stands for; NULL for NULL.';
revoke all on function identity_store.response_gives(text, text) from public;

create or replace function identity_store.response_front(response_type text)
returns boolean
language sql immutable parallel safe
as $$ select string_to_array(response_type, ' ') && array['token', 'id_token'] $$;
comment on function identity_store.response_front(text) is
  'Whether a response type has tokens leave through the browser, not only a code for them; NULL for NULL.';
revoke all on function identity_store.response_front(text) from public;

create or replace function identity_store.response_modes()
returns text[]
language sql immutable parallel safe
as $$ select array['query', 'fragment', 'form_post'] $$;
comment on function identity_store.response_modes() is 'The response modes there are.';
revoke all on function identity_store.response_modes() from public;

create or replace function identity_store.response_mode(parameters jsonb)
returns text
language plpgsql immutable parallel safe
as $$
declare
  -- Multiple Response Type Encoding Practices §5: the default of every type that names token or id_token is fragment.
  usual text := case
    when identity_store.response_front(parameters ->> 'response_type') then 'fragment' else 'query' end;
  asked text := parameters ->> 'response_mode';
begin
  -- §3.0, §5: the query encoding MUST NOT be used for what carries tokens; servers, proxies and logs read queries.
  return case when asked = any (identity_store.response_modes()) and (asked <> 'query' or usual = 'query') then asked else usual end;
end
$$;
comment on function identity_store.response_mode(jsonb) is
  'How the answer to an authorization request with these parameters travels: the response_mode it asks for where that may be, else the default of its response_type. Of an error too.';
revoke all on function identity_store.response_mode(jsonb) from public;
