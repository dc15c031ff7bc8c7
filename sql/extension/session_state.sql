-- Session management: hashes and origins (OpenID Connect Session Management 1.0 §3.2). The reasons are in
-- pg_identity/src/session_state.rs.
--
-- For our own functions: session_state, url_origin.

create function identity.session_state(client_id text, redirect_uri text, secret bytea) returns text
language c volatile parallel safe as 'MODULE_PATHNAME', 'session_state_wrapper';
comment on function identity.session_state(text, text, bytea) is
  'The session_state of an answer to this client at this redirect URI, salted anew each time; secret: what stands for the browser, NULL for one of which nothing will be said to be unchanged. Raises nothing.';
revoke all on function identity.session_state(text, text, bytea) from public;
grant execute on function identity.session_state(text, text, bytea) to identity_owner;

create function identity.url_origin(url text) returns text
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'url_origin_wrapper';
comment on function identity.url_origin(text) is
  'The origin of a web address as browsers write it (RFC 6454 §6.2); null, the word, for any other address. Raises nothing.';
revoke all on function identity.url_origin(text) from public;
grant execute on function identity.url_origin(text) to identity_owner;
