-- Client authentication: is this really that client? RFC 6749 §2.3.
--
--   identity_store.client_authenticate           token*, refresh*, introspection, revocation
--   identity_store.client_authentication_failure the same, for the log line of a refusal
--   identity_store.refuse                        every function that answers an OAuth error

-- One statement, because it stands before every token. A secret is found by the id in it and compared by its SHA-256 in
-- the same `where`: nothing is looked up by hash, and no time tells how near a guess was. (plpgsql, here and below where
-- tokens are made, because it keeps its plans; a function in SQL is planned at every call.)
create or replace function identity_store.client_authenticate(client_id text, client_secret text, method text)
returns identity_store.clients
language plpgsql stable parallel safe
as $$
declare
  present constant boolean := identity.require_present(30);
  client identity_store.clients;
begin
  -- RFC 6749 §2.3.1: the server MUST support Basic for a client with a password and MAY support the body. Both prove the
  -- same secret, and libraries choose by their own default, so the registered one of the two does not bar the other.
  if client_authenticate.method = 'none' then
    select c.* into client from identity_store.clients c
    where c.id = client_authenticate.client_id and c.token_endpoint_auth_method = 'none'
      and coalesce(client_authenticate.client_secret, '') = '';
  elsif client_authenticate.method in ('client_secret_basic', 'client_secret_post') then
    select c.* into client
    from identity_store.client_secrets s
    join identity_store.clients c on c.id = s.client_id
    where s.id = identity.opaque_id('secret', client_authenticate.client_secret)
      and s.secret_hash = identity.opaque_hash(client_authenticate.client_secret)
      and c.id = client_authenticate.client_id and c.token_endpoint_auth_method <> 'none'
      and (s.expires_at is null or s.expires_at > statement_timestamp());
  end if;
  return client;
end
$$;
comment on function identity_store.client_authenticate(text, text, text) is
  'The client that client_id, secret and method (none, client_secret_basic, client_secret_post: as the request used it) prove; a NULL row when they do not.';
revoke all on function identity_store.client_authenticate(text, text, text) from public;

create or replace function identity_store.client_authentication_failure(client_id text, client_secret text, method text)
returns text
language sql stable parallel safe
as $$
  select coalesce((
    select case
      when (c.token_endpoint_auth_method = 'none') <> (client_authentication_failure.method = 'none')
        then format('client is registered for %s and used %s', c.token_endpoint_auth_method, client_authentication_failure.method)
      else 'client secret is wrong, expired or missing'
    end
    from identity_store.clients c
    where c.id = client_authentication_failure.client_id
  ), 'unknown client')
$$;
comment on function identity_store.client_authentication_failure(text, text, text) is
  'Why client_authenticate found nobody: for logs, never for the client, which would learn which ids exist.';
revoke all on function identity_store.client_authentication_failure(text, text, text) from public;

create or replace function identity_store.refuse(error text, description text, detail text default null)
returns table (outcome text, detail text, answer json)
language sql immutable parallel safe
as $$
  select refuse.error, coalesce($3, refuse.description),
    json_build_object('error', refuse.error, 'error_description', refuse.description)
$$;
comment on function identity_store.refuse(text, text, text) is
  'The one row of a refusal: outcome and answer.error are the OAuth error code; detail (default: the public description) is for logs only.';
revoke all on function identity_store.refuse(text, text, text) from public;

create or replace function identity_store.refuse_client(client_id text, client_secret text, method text)
returns table (outcome text, detail text, answer json)
language sql stable parallel safe
as $$
  select * from identity_store.refuse('invalid_client', 'client authentication failed',
    identity_store.client_authentication_failure(refuse_client.client_id, refuse_client.client_secret, refuse_client.method))
$$;
comment on function identity_store.refuse_client(text, text, text) is
  'The invalid_client answer (RFC 6749 §5.2): the same for an unknown client, a wrong method and a wrong secret; detail says which.';
revoke all on function identity_store.refuse_client(text, text, text) from public;
