-- Session management: a client learns by a frame of ours, without a request, that who is signed in has changed (OpenID Connect
-- Session Management 1.0 §3). Hashes and origins are in pg_identity/src/session_state.rs.
--
-- For our own functions: session_state (authorization_redirect: what the client asks that frame about), url_origin.
--
-- Browser state is a digest of a secret that changes with every sign-in and logout, and gives nothing away. No constant stands for
-- nobody: any site could ask the frame about it, and learn whether somebody is signed in.

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
