-- Applications that may ask for tokens, and the secrets they prove themselves with (RFC 7591 §2, RFC 6749 §2).
-- Written by functions/clients.sql; read by every endpoint a client calls.

-- A column carries the name of its metadata member, so that `jsonb_populate_record` and `to_jsonb` are the whole
-- translation between the row and the RFC 7591 document, and a member without a column is not registered.
create table identity_store.clients (
  id text primary key check (id ~ '^[\x21-\x7e]+$' and length(id) <= 1024),
  redirect_uris text[] not null default '{}',
  post_logout_redirect_uris text[] not null default '{}',
  token_endpoint_auth_method text not null
    check (token_endpoint_auth_method in ('none', 'client_secret_basic', 'client_secret_post')),
  grant_types text[] not null
    check (grant_types <@ array['authorization_code', 'implicit', 'refresh_token', 'client_credentials']),
  response_types text[] not null check (response_types <@ array[
    'code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token']),
  application_type text not null check (application_type in ('web', 'native')),
  scope text,
  client_name text,
  client_uri text,
  logo_uri text,
  policy_uri text,
  tos_uri text,
  contacts text[],
  localized jsonb check (jsonb_typeof(localized) = 'object'),
  jwks_uri text,
  jwks jsonb check (jsonb_typeof(jwks) = 'object'),
  software_id text,
  software_version text,
  subject_type text not null check (subject_type = 'public'),
  id_token_signed_response_alg text not null
    check (id_token_signed_response_alg in ('RS256', 'PS256', 'ES256', 'EdDSA')),
  default_max_age integer check (default_max_age >= 0),
  require_auth_time boolean,
  default_acr_values text[],
  initiate_login_uri text,
  first_party boolean not null,
  introspect_any boolean not null,
  refresh_token text not null check (refresh_token in ('offline_access', 'always')),
  refresh_token_rotation boolean not null,
  -- A revocation is remembered for a day and no token may outlive it; a family may not outlive its partition.
  access_token_lifetime integer not null check (access_token_lifetime between 10 and 86400),
  id_token_lifetime integer not null check (id_token_lifetime between 10 and 86400),
  refresh_token_idle_lifetime integer not null check (refresh_token_idle_lifetime between 60 and 31536000),
  refresh_token_lifetime integer not null check (refresh_token_lifetime between 60 and 31536000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- RFC 7591 §2: jwks_uri and jwks MUST NOT both be present in the same request or response.
  check (jwks_uri is null or jwks is null),
  -- RFC 6749 §4.4: the client credentials grant type MUST only be used by confidential clients.
  check (token_endpoint_auth_method <> 'none' or not 'client_credentials' = any (grant_types)),
  check (token_endpoint_auth_method <> 'none' or not introspect_any)
);
comment on table identity_store.clients is
  'Registered applications: one column per client metadata member (RFC 7591 §2, OpenID Connect Registration 1.0 §2) and our settings.';
comment on column identity_store.clients.id is 'client_id; public, never reused for another application.';
comment on column identity_store.clients.redirect_uris is
  'Acted on: where /authorize may send a person back, compared byte for byte but for the port of a native client on loopback (RFC 6749 §3.1.2, RFC 8252 §7.3). Empty: no authorization_code.';
comment on column identity_store.clients.post_logout_redirect_uris is
  'Acted on: where a logout may send the browser, compared byte for byte (OpenID Connect RP-Initiated Logout 1.0 §3). Empty: nowhere.';
comment on column identity_store.clients.token_endpoint_auth_method is
  'Acted on: how the client proves itself (RFC 7591 §2); none: a public client, without a secret.';
comment on column identity_store.clients.grant_types is 'Acted on: the grants it may use (RFC 7591 §2).';
comment on column identity_store.clients.response_types is
  'Acted on: what it may ask /authorize for, words in alphabetical order (RFC 7591 §2.1); code unless it asked for others, empty without authorization_code and implicit.';
comment on column identity_store.clients.application_type is
  'Acted on: native allows redirect URIs with a scheme of its own and any port on loopback (OpenID Connect Registration 1.0 §2, RFC 8252 §7).';
comment on column identity_store.clients.scope is
  'Scopes the client may ask for, separated by spaces; NULL: every scope a person consents to, and none for the client itself.';
comment on column identity_store.clients.client_name is 'Shown on our pages (RFC 7591 §2); NULL: the id is.';
comment on column identity_store.clients.client_uri is 'Shown on our pages: the client''s home page (RFC 7591 §2); NULL: none.';
comment on column identity_store.clients.logo_uri is 'Shown on our pages: its picture, fetched by the browser (RFC 7591 §2); NULL: none.';
comment on column identity_store.clients.policy_uri is 'Shown on our pages: what it does with personal data (RFC 7591 §2); NULL: none.';
comment on column identity_store.clients.tos_uri is 'Shown on our pages: its terms of service (RFC 7591 §2); NULL: none.';
comment on column identity_store.clients.contacts is
  'Stored and echoed only: who answers for the client, as a rule mail addresses (RFC 7591 §2); NULL: not said.';
comment on column identity_store.clients.localized is 'Members with a language tag, such as client_name#fr (RFC 7591 §2.2), stored and echoed only; NULL: none.';
comment on column identity_store.clients.jwks_uri is
  'Stored and echoed only, never fetched: no method of authentication here uses keys of the client (RFC 7591 §2); NULL: none.';
comment on column identity_store.clients.jwks is
  'Stored and echoed only, as jwks_uri, in whose place it stands: a JWK set (RFC 7517 §5); NULL: none.';
comment on column identity_store.clients.software_id is
  'Stored and echoed only: the same for every installation of one software (RFC 7591 §2); NULL: not said.';
comment on column identity_store.clients.software_version is
  'Stored and echoed only: version of software_id (RFC 7591 §2); NULL: not said.';
comment on column identity_store.clients.subject_type is
  'public, the one kind there is: every client sees the same sub (OpenID Connect Core §8). Stored and echoed only.';
comment on column identity_store.clients.id_token_signed_response_alg is
  'Acted on: the algorithm that signs its ID tokens (OpenID Connect Registration 1.0 §2); default RS256.';
comment on column identity_store.clients.default_max_age is
  'Acted on: seconds after which a sign-in is too old, where the request has no max_age (OpenID Connect Registration 1.0 §2); NULL: never too old.';
comment on column identity_store.clients.require_auth_time is
  'Met without a look at it: auth_time is in every ID token (OpenID Connect Registration 1.0 §2); NULL: not said.';
comment on column identity_store.clients.default_acr_values is
  'Stored and echoed only: wishes, where there is one way to sign in (OpenID Connect Registration 1.0 §2); NULL: not said.';
comment on column identity_store.clients.initiate_login_uri is
  'Shown on the account page: where others may start a sign-in at the client (OpenID Connect Core §4); NULL: nowhere.';
comment on column identity_store.clients.first_party is 'True: the person is not asked for consent, except where security demands a page.';
comment on column identity_store.clients.introspect_any is 'True: may introspect every access token, not only its own.';
comment on column identity_store.clients.refresh_token is
  'When an OpenID request gets a refresh token: offline_access (allowed by the person) or always.';
comment on column identity_store.clients.refresh_token_rotation is 'True: every refresh replaces the refresh token.';
comment on column identity_store.clients.access_token_lifetime is 'Seconds; default 300.';
comment on column identity_store.clients.id_token_lifetime is 'Seconds; default 300.';
comment on column identity_store.clients.refresh_token_idle_lifetime is 'Seconds without use after which a refresh token ends; default 14 days.';
comment on column identity_store.clients.refresh_token_lifetime is 'Seconds after which a refresh token ends in any case; default 90 days.';
comment on column identity_store.clients.created_at is 'When it was registered; not part of its document.';
comment on column identity_store.clients.updated_at is 'When its metadata were last written; not part of its document.';

create table identity_store.client_secrets (
  id uuid primary key,
  client_id text not null references identity_store.clients (id) on update cascade on delete cascade,
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
create index on identity_store.client_secrets (client_id);
comment on table identity_store.client_secrets is
  'SHA-256 of the secrets we minted for confidential clients; several are good while one replaces the other.';
comment on column identity_store.client_secrets.id is 'UUID inside the secret, by which it is found.';
comment on column identity_store.client_secrets.client_id is 'The client that proves itself with it.';
comment on column identity_store.client_secrets.secret_hash is 'SHA-256 of the secret, 32 bytes.';
comment on column identity_store.client_secrets.created_at is 'When it was minted.';
comment on column identity_store.client_secrets.expires_at is 'End of the overlap after a rotation; NULL: good until replaced.';
