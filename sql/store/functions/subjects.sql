-- Subjects: whom and which session a client sees (OpenID Connect Core 1.0 §8; Back-Channel Logout 1.0 §2.1).
--
--   identity_store.subject_for, session_for    wherever a client is told sub or sid
--   identity_store.subject_user, subject_session    wherever a token of ours comes back
--   identity_store.id_token_hint    authorization, sign-in, logout: an ID token that comes back

create or replace function identity_store.url_host(url text)
returns text
language sql immutable parallel safe
as $$
  select lower((regexp_match(url, '^https?://(?:[^/?#@]*@)?(\[[^]]*\]|[^/?#:]+)', 'i'))[1])
$$;
comment on function identity_store.url_host(text) is 'The host of an http or https URL, in lower case; NULL for anything else.';
revoke all on function identity_store.url_host(text) from public;

-- A native application is at home nowhere: its loopback address and its scheme are everybody's, so each is a sector of its own.
create or replace function identity_store.client_sector(client identity_store.clients)
returns text
language sql immutable parallel safe
as $$
  select case
    when client.sector_identifier_uri is not null then identity_store.url_host(client.sector_identifier_uri)
    when client.redirect_uris[1] like 'https://%' then identity_store.url_host(client.redirect_uris[1])
    else 'client ' || client.id
  end
$$;
comment on function identity_store.client_sector(identity_store.clients) is
  'The sector of a pairwise client: the host of sector_identifier_uri, or of its redirect URIs, or the client itself where that is no host of its own.';
revoke all on function identity_store.client_sector(identity_store.clients) from public;

create or replace function identity_store.subject_for(client identity_store.clients, user_id uuid)
returns text
language plpgsql volatile parallel unsafe
as $$
begin
  return case when client.subject_type = 'pairwise'
    then identity.pairwise_identifier('user', user_id, identity_store.client_sector(client)) else user_id::text end;
end
$$;
comment on function identity_store.subject_for(identity_store.clients, uuid) is 'The sub of a person as this client sees it.';
revoke all on function identity_store.subject_for(identity_store.clients, uuid) from public;

create or replace function identity_store.session_for(client identity_store.clients, session_id uuid)
returns text
language plpgsql volatile parallel unsafe
as $$
begin
  return case when client.subject_type = 'pairwise'
    then identity.pairwise_identifier('session', session_id, identity_store.client_sector(client)) else session_id::text end;
end
$$;
comment on function identity_store.session_for(identity_store.clients, uuid) is 'The sid of a session as this client sees it; NULL for no session.';
revoke all on function identity_store.session_for(identity_store.clients, uuid) from public;

create or replace function identity_store.id_token_hint(token text)
returns jsonb
language plpgsql volatile parallel unsafe
as $$
begin
  -- OpenID Connect Core §3.1.2.1: a client that gets its ID tokens encrypted may encrypt one to us, to use it as a hint.
  return identity.id_token_hint_verify(case when token like '%.%.%.%.%' then identity.jwe_open(token) else token end);
end
$$;
comment on function identity_store.id_token_hint(text) is
  'The claims of an ID token of ours, as id_token_hint_verify, also where it was encrypted to us; NULL when it is anything else.';
revoke all on function identity_store.id_token_hint(text) from public;

create or replace function identity_store.subject_user(claims jsonb)
returns uuid
language plpgsql volatile parallel unsafe
as $$
begin
  return identity.subject_id('user', claims ->> 'sub');
end
$$;
comment on function identity_store.subject_user(jsonb) is
  'The person that the claims of a token of ours mean; NULL when sub is no person of ours.';
revoke all on function identity_store.subject_user(jsonb) from public;

create or replace function identity_store.subject_session(claims jsonb)
returns uuid
language plpgsql volatile parallel unsafe
as $$
begin
  return identity.subject_id('session', claims ->> 'sid');
end
$$;
comment on function identity_store.subject_session(jsonb) is 'The session that the claims of a token of ours name; NULL for none.';
revoke all on function identity_store.subject_session(jsonb) from public;
