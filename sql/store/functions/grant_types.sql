-- Grant types: what a client may be registered for (RFC 6749 §1.3; RFC 7591 §2).
--
--   identity_store.grant_types    client_metadata, registration_policy: one line each
--
-- To add a grant: a row here, and its own file token_<name>.sql with identity.token_<name>, which the gateway may execute; in the
-- gateway a row of `grants!` in token/mod.rs, and its own file token/<name>.rs beside it. Registration, the policy of registration,
-- both metadata documents and OpenAPI follow; tests/grant_types.rs says what is missing, tests/store.rs asks for its evidence. Who
-- has clients that register themselves allows it to them (identity.registration_configure): what strangers may do does not grow
-- with a release.

create or replace function identity_store.grant_types()
returns table (grant_type text, person boolean, redirects boolean, refreshed boolean, confidential boolean)
language sql immutable parallel safe
as $$
  values
    ('authorization_code', true, true, true, false),
    ('implicit', true, true, false, false),
    ('refresh_token', true, false, false, false),
    -- RFC 6749 §4.4: the client credentials grant type MUST only be used by confidential clients.
    ('client_credentials', false, false, false, true)
$$;
comment on function identity_store.grant_types() is
  'The grant types there are. person: it gives nothing until a person has allowed it, so that strangers may register for it, and a client of it gets ID tokens; '
  'redirects: the person comes back to a redirect URI; refreshed: it gives the first refresh token; confidential: only for clients that authenticate.';
revoke all on function identity_store.grant_types() from public;
