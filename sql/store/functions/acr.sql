-- Authentication context classes: how sure it is who signed in (OpenID Connect Core 1.0 §2, §5.5.1.1).
--
--   identity_store.acr_values     authorization_checks, provider_metadata
--   identity_store.acr_reached    sessions: what a sign-in is worth

create or replace function identity_store.acr_values()
returns text[]
language sql immutable parallel safe
as $$ select array['1'] $$;
comment on function identity_store.acr_values() is
  'The classes there are, the weakest first. 1: one factor, which is the password.';
revoke all on function identity_store.acr_values() from public;

create or replace function identity_store.acr_reached(amr text[])
returns text
language sql immutable parallel safe
as $$ select case when 'pwd' = any (amr) then '1' end $$;
comment on function identity_store.acr_reached(text[]) is
  'The class of a sign-in by these methods (RFC 8176 names); NULL: none.';
revoke all on function identity_store.acr_reached(text[]) from public;
