-- Applications that may ask for tokens, and the secrets they prove themselves with (RFC 7591 §2, RFC 6749 §2).
-- Written by functions/clients.sql; read by every endpoint a client calls.

-- A column carries the name of its metadata member, so that `jsonb_populate_record` and `to_jsonb` are the whole
-- translation between the row and the RFC 7591 document, and a member without a column is not registered.
create table identity_store.clients (
  id text primary key check (id ~ '^[\x21-\x7e]+$' and length(id) <= 1024),
  redirect_uris text[] not null default '{}',
  post_logout_redirect_uris text[] not null default '{}',
  backchannel_logout_uri text,
  backchannel_logout_session_required boolean,
  frontchannel_logout_uri text,
  frontchannel_logout_session_required boolean,
  token_endpoint_auth_method text not null
    check (token_endpoint_auth_method in ('none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
      'tls_client_auth', 'self_signed_tls_client_auth')),
  token_endpoint_auth_signing_alg text,
  tls_client_auth_subject_dn text,
  tls_client_auth_san_dns text,
  tls_client_auth_san_uri text,
  tls_client_auth_san_ip text,
  tls_client_auth_san_email text,
  -- Which ones there are is said by identity_store.grant_types() and response_types(), and client_metadata, through which every
  -- row comes, refuses others. No constraint here: it would be a second list, or call these functions, and such a one is not asked
  -- again when they change, but when a dump is restored, which then fails on rows that nobody touched. A name that no
  -- endpoint knows gives its client nothing.
  grant_types text[] not null,
  response_types text[] not null,
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
  subject_type text not null check (subject_type in ('public', 'pairwise')),
  sector_identifier_uri text,
  id_token_signed_response_alg text not null
    check (id_token_signed_response_alg in ('RS256', 'PS256', 'ES256', 'EdDSA', 'none')),
  id_token_encrypted_response_alg text check (id_token_encrypted_response_alg in ('RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A256KW')),
  id_token_encrypted_response_enc text check (id_token_encrypted_response_enc in ('A128CBC-HS256', 'A256GCM')),
  userinfo_signed_response_alg text check (userinfo_signed_response_alg in ('RS256', 'PS256', 'ES256', 'EdDSA', 'none')),
  userinfo_encrypted_response_alg text check (userinfo_encrypted_response_alg in ('RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A256KW')),
  userinfo_encrypted_response_enc text check (userinfo_encrypted_response_enc in ('A128CBC-HS256', 'A256GCM')),
  request_object_signing_alg text,
  request_object_encryption_alg text check (request_object_encryption_alg in ('RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A256KW')),
  request_object_encryption_enc text check (request_object_encryption_enc in ('A128CBC-HS256', 'A256GCM')),
  require_signed_request_object boolean,
  request_uris text[],
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
  check (token_endpoint_auth_method <> 'none' or not introspect_any),
  -- A token signed with a public key taken for a secret is a forgery (RFC 8725 §2.1): each method has algorithms of its own.
  check (token_endpoint_auth_signing_alg is null
    or token_endpoint_auth_method = 'private_key_jwt' and token_endpoint_auth_signing_alg !~ '^(HS|none$)'
    or token_endpoint_auth_method = 'client_secret_jwt' and token_endpoint_auth_signing_alg ~ '^HS'),
  check (token_endpoint_auth_method not in ('private_key_jwt', 'self_signed_tls_client_auth') or num_nonnulls(jwks, jwks_uri) = 1),
  -- RFC 8705 §2.1.2: exactly one of them.
  check (num_nonnulls(tls_client_auth_subject_dn, tls_client_auth_san_dns, tls_client_auth_san_uri, tls_client_auth_san_ip,
    tls_client_auth_san_email) = case token_endpoint_auth_method when 'tls_client_auth' then 1 else 0 end),
  check ((id_token_encrypted_response_alg is null) = (id_token_encrypted_response_enc is null)),
  check ((userinfo_encrypted_response_alg is null) = (userinfo_encrypted_response_enc is null)),
  check ((request_object_encryption_alg is null) = (request_object_encryption_enc is null))
);
comment on table identity_store.clients is
  'Registered applications: one column per client metadata member (RFC 7591 §2, OpenID Connect Registration 1.0 §2) and our settings.';
comment on column identity_store.clients.id is 'client_id; public, never reused for another application.';
comment on column identity_store.clients.redirect_uris is
  'Acted on: where /authorize may send a person back, compared byte for byte but for the port of a native client on loopback (RFC 6749 §3.1.2, RFC 8252 §7.3). Empty: no authorization_code.';
comment on column identity_store.clients.post_logout_redirect_uris is
  'Acted on: where a logout may send the browser, compared byte for byte (OpenID Connect RP-Initiated Logout 1.0 §3). Empty: nowhere.';
comment on column identity_store.clients.backchannel_logout_uri is
  'Acted on: where it is told that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.2); NULL: it is not.';
comment on column identity_store.clients.backchannel_logout_session_required is
  'Met without a look at it: sid is in every logout token (Back-Channel Logout 1.0 §2.2); NULL: not said.';
comment on column identity_store.clients.frontchannel_logout_uri is
  'Acted on: what a logout loads in a frame, so that the client ends its session in that browser (OpenID Connect Front-Channel Logout 1.0 §2); NULL: nothing.';
comment on column identity_store.clients.frontchannel_logout_session_required is
  'Met without a look at it: iss and sid are always added (Front-Channel Logout 1.0 §2); NULL: not said.';
comment on column identity_store.clients.token_endpoint_auth_method is
  'Acted on: how the client proves itself (RFC 7591 §2); none: a public client, without a secret.';
comment on column identity_store.clients.token_endpoint_auth_signing_alg is
  'Acted on: the one algorithm of its assertions (OpenID Connect Registration 1.0 §2); NULL: any that its method of authentication allows.';
comment on column identity_store.clients.tls_client_auth_subject_dn is
  'Acted on: the subject of its certificate as an RFC 4514 string, compared as a name (RFC 8705 §2.1.2); NULL: it is known by another name, or by no certificate.';
comment on column identity_store.clients.tls_client_auth_san_dns is
  'Acted on: a dNSName of its certificate, compared without case (RFC 8705 §2.1.2); NULL: as above.';
comment on column identity_store.clients.tls_client_auth_san_uri is
  'Acted on: a uniformResourceIdentifier of its certificate, compared byte for byte (RFC 8705 §2.1.2); NULL: as above.';
comment on column identity_store.clients.tls_client_auth_san_ip is
  'Acted on: an iPAddress of its certificate, compared as an address (RFC 8705 §2.1.2); NULL: as above.';
comment on column identity_store.clients.tls_client_auth_san_email is
  'Acted on: an rfc822Name of its certificate, compared without case behind the @ (RFC 8705 §2.1.2); NULL: as above.';
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
comment on column identity_store.clients.localized is 'Shown on our pages to whoever reads that language: members with a language tag, such as client_name#fr (RFC 7591 §2.2); NULL: none.';
comment on column identity_store.clients.jwks_uri is
  'Acted on: where its keys are (RFC 7591 §2); fetched by the gateway when needed, kept in client_key_sets; NULL: nowhere.';
comment on column identity_store.clients.jwks is
  'Acted on: its public keys by value (RFC 7517 §5), in place of jwks_uri; NULL: none.';
comment on column identity_store.clients.software_id is
  'Stored and echoed only: the same for every installation of one software (RFC 7591 §2); NULL: not said.';
comment on column identity_store.clients.software_version is
  'Stored and echoed only: version of software_id (RFC 7591 §2); NULL: not said.';
comment on column identity_store.clients.subject_type is
  'Acted on: public: the sub that every such client sees; pairwise: one that only its sector sees (OpenID Connect Core §8).';
comment on column identity_store.clients.sector_identifier_uri is
  'Acted on: its host is the sector of a pairwise client, in place of that of its redirect URIs (OpenID Connect Core §8.1); NULL: it is that one.';
comment on column identity_store.clients.id_token_signed_response_alg is
  'Acted on: the algorithm that signs its ID tokens, or none (OpenID Connect Registration 1.0 §2); default RS256.';
comment on column identity_store.clients.id_token_encrypted_response_alg is
  'Acted on: how the key of its encrypted ID tokens is given (RFC 7518 §4); NULL: they are not encrypted.';
comment on column identity_store.clients.id_token_encrypted_response_enc is
  'Acted on: how its ID tokens are encrypted (RFC 7518 §5); NULL: not.';
comment on column identity_store.clients.userinfo_signed_response_alg is
  'Acted on: the algorithm that signs what userinfo answers, as a token; NULL: it is JSON (OpenID Connect Core §5.3.2).';
comment on column identity_store.clients.userinfo_encrypted_response_alg is
  'Acted on: how the key of encrypted userinfo is given; NULL: it is not encrypted.';
comment on column identity_store.clients.userinfo_encrypted_response_enc is 'Acted on: how userinfo is encrypted; NULL: not.';
comment on column identity_store.clients.request_object_signing_alg is
  'Acted on: the one algorithm of its request objects, none among them (OpenID Connect Registration 1.0 §2); NULL: any.';
comment on column identity_store.clients.request_object_encryption_alg is
  'Acted on: how the key of its request objects is given; NULL: any, or they are not encrypted.';
comment on column identity_store.clients.request_object_encryption_enc is
  'Acted on: how its request objects are encrypted; NULL: any, or not.';
comment on column identity_store.clients.require_signed_request_object is
  'Acted on: true where it must always send a signed request object (RFC 9101 §10.5); NULL: it need not.';
comment on column identity_store.clients.request_uris is
  'Acted on: where requests may be fetched that it sends by reference, compared without fragment (OpenID Connect Registration 1.0 §2, Core §6.2); NULL: nowhere.';
comment on column identity_store.clients.default_max_age is
  'Acted on: seconds after which a sign-in is too old, where the request has no max_age (OpenID Connect Registration 1.0 §2); NULL: never too old.';
comment on column identity_store.clients.require_auth_time is
  'Met without a look at it: auth_time is in every ID token (OpenID Connect Registration 1.0 §2); NULL: not said.';
comment on column identity_store.clients.default_acr_values is
  'Stored and echoed only: wishes, where there is one way to sign in (OpenID Connect Registration 1.0 §2); NULL: not said.';
comment on column identity_store.clients.initiate_login_uri is
  'Shown on the account page, of a first_party client to everybody: where others may start a sign-in at the client (OpenID Connect Core §4); NULL: nowhere.';
comment on column identity_store.clients.first_party is 'True: the person is not asked for consent, except where security demands a page; and every person is offered it on their account page if it has an initiate_login_uri.';
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
  secret_hash bytea check (octet_length(secret_hash) = 32),
  sealed bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  -- A secret that an HMAC is checked with must be known again; every other one need not, and is not.
  check (num_nonnulls(secret_hash, sealed) = 1)
);
create index on identity_store.client_secrets (client_id);
comment on table identity_store.client_secrets is
  'Secrets we minted for confidential clients; several are good while one replaces the other.';
comment on column identity_store.client_secrets.id is 'UUID inside the secret, by which it is found.';
comment on column identity_store.client_secrets.client_id is 'The client that proves itself with it.';
comment on column identity_store.client_secrets.secret_hash is
  'SHA-256 of a secret that the client shows, 32 bytes; NULL where it signs with it.';
comment on column identity_store.client_secrets.sealed is
  'The secret of a client_secret_jwt client, sealed (purpose client_secret) with the id as name; NULL where it shows it.';
comment on column identity_store.client_secrets.created_at is 'When it was minted.';
comment on column identity_store.client_secrets.expires_at is 'End of the overlap after a rotation; NULL: good until replaced.';

-- What a client published at its jwks_uri, as the gateway fetched it. It never stands beside keys by value.
create table identity_store.client_key_sets (
  client_id text primary key references identity_store.clients (id) on update cascade on delete cascade,
  jwks_uri text not null,
  jwks jsonb check (jsonb_typeof(jwks) = 'object'),
  fetched_at timestamptz,
  failure text,
  asked_at timestamptz not null,
  window_since timestamptz not null,
  window_fetches integer not null check (window_fetches > 0),
  check ((jwks is null) = (fetched_at is null))
);
comment on table identity_store.client_key_sets is
  'Keys of clients that registered a jwks_uri: source, time, and how often it was asked. functions/client_keys.sql says when it is asked again.';
comment on column identity_store.client_key_sets.client_id is 'Whose keys.';
comment on column identity_store.client_key_sets.jwks_uri is 'Where they were fetched; keys of another address than the registered one count for nothing.';
comment on column identity_store.client_key_sets.jwks is 'The public keys of the set (RFC 7517 §5); NULL: no fetch has succeeded.';
comment on column identity_store.client_key_sets.fetched_at is 'When they were fetched; NULL: never.';
comment on column identity_store.client_key_sets.failure is 'Why the last fetch failed, for administrators; NULL: it succeeded.';
comment on column identity_store.client_key_sets.asked_at is 'Time of the last fetch, good or bad.';
comment on column identity_store.client_key_sets.window_since is 'Start of the minute in which fetches are counted.';
comment on column identity_store.client_key_sets.window_fetches is 'Fetches since then.';

-- An assertion is good once (OpenID Connect Core §9). Not partitioned, because a jti is unique whatever its time is;
-- maintenance reaps what has expired, and an assertion may live for an hour.
create table identity_store.client_assertions (
  digest bytea primary key check (octet_length(digest) = 32),
  expires_at timestamptz not null
);
create index on identity_store.client_assertions (expires_at);
comment on table identity_store.client_assertions is 'Client assertions that were accepted, until they expire.';
comment on column identity_store.client_assertions.digest is 'SHA-256 of client_id and jti.';
comment on column identity_store.client_assertions.expires_at is 'When it would be refused for its age anyway; then the row is reaped.';
