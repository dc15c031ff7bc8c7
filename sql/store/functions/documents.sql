-- Documents of other parties that a call has to know first. PostgreSQL speaks to no stranger: the gateway fetches them.
--
--   identity_store.documents_read    authorization endpoint, registration: what the gateway hands in
--
--   call ──need {kind, url, client_id}──▶ the gateway fetches, no transaction open ──▶ the same call again, with {url: text}
--
-- kind: jwks (stored by client_keys_store, and not handed in), request_object, sector_identifier. The gateway is believed about what it
-- fetched (README, decision 2), so a document is read only where a client registered its address.

create or replace function identity_store.documents_read(documents json)
returns jsonb
language plpgsql immutable parallel unsafe
as $$
declare
  handed jsonb;
begin
  if documents_read.documents is null then
    return '{}';
  end if;
  begin
    handed := documents_read.documents;
  exception
    -- json holds any escape, text neither U+0000 nor half a surrogate pair.
    when untranslatable_character or invalid_text_representation or statement_too_complex then
      handed := null;
  end;
  if jsonb_typeof(handed) is distinct from 'object' or handed @? 'strict $.* ? (@.type() != "string" && @.type() != "null")' then
    raise exception using errcode = 'ID005', message = 'documents: must be an object of texts by their URL: {"https://…": "…"}';
  end if;
  return handed;
end
$$;
comment on function identity_store.documents_read(json) is
  'The documents that were fetched for a call, by URL; null is one that cannot be had; {} for NULL. Raises ID005 when it is no object of texts and nulls.';
revoke all on function identity_store.documents_read(json) from public;
