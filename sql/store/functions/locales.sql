-- In which language a person reads the pages of a request (OpenID Connect Core 1.0 §3.1.2.1, ui_locales). The database opens the
-- sealed request and says what the client wishes; which languages there are, the gateway knows.
--
--   identity_store.locales_answer    authorization, consent, select_account: every answer that the gateway makes a page of

-- plpgsql because every authorization passes here.
create or replace function identity_store.locales_answer(request jsonb, answer json)
returns json
language plpgsql immutable parallel safe
as $$
begin
  return case when request #> '{parameters,ui_locales}' is null then answer
    else (answer::jsonb || jsonb_build_object('ui_locales', request #> '{parameters,ui_locales}'))::json end;
end
$$;
comment on function identity_store.locales_answer(jsonb, json) is
  'The answer to a pending request, with its ui_locales where it has any.';
revoke all on function identity_store.locales_answer(jsonb, json) from public;
