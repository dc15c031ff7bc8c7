-- Two people and three clients to try things with. Prints NAME=value lines for .run/env.
--   psql -v app_url=… -f demo.sql
\set alice_password 'down-the-rabbit-hole'
\set bob_password 'can-we-fix-it-yes-we-can'
begin;
set local role identity_admin;

\o /dev/null
select identity.user_create($${
  "preferred_username": "alice",
  "name": "Alice Pleasance Liddell",
  "given_name": "Alice",
  "middle_name": "Pleasance",
  "family_name": "Liddell",
  "nickname": "Al",
  "profile": "https://wonderland.example/people/alice",
  "picture": "https://wonderland.example/people/alice.png",
  "website": "https://alice.example/",
  "email": "alice@wonderland.example",
  "email_verified": true,
  "gender": "female",
  "birthdate": "1852-05-04",
  "zoneinfo": "Europe/London",
  "locale": "en-GB",
  "phone_number": "+44 1865 276150",
  "phone_number_verified": true,
  "address": {
    "formatted": "The Deanery, Christ Church\nSt Aldate's\nOxford\nOX1 1DP\nUnited Kingdom",
    "street_address": "The Deanery, Christ Church\nSt Aldate's",
    "locality": "Oxford",
    "region": "Oxfordshire",
    "postal_code": "OX1 1DP",
    "country": "United Kingdom"
  },
  "roles": ["editor"]
}$$, :'alice_password');

select identity.user_create($${
  "preferred_username": "bob",
  "name": "Robert Quentin Builder",
  "given_name": "Robert",
  "middle_name": "Quentin",
  "family_name": "Builder",
  "nickname": "Bob",
  "profile": "https://sunflower.example/people/bob",
  "picture": "https://sunflower.example/people/bob.png",
  "website": "https://bob.example/",
  "email": "bob@sunflower.example",
  "email_verified": true,
  "gender": "male",
  "birthdate": "1998-11-28",
  "zoneinfo": "Europe/Berlin",
  "locale": "de-DE",
  "phone_number": "+49 30 901820",
  "phone_number_verified": true,
  "address": {
    "formatted": "Sonnenblumenweg 7\n10115 Berlin\nGermany",
    "street_address": "Sonnenblumenweg 7",
    "locality": "Berlin",
    "region": "Berlin",
    "postal_code": "10115",
    "country": "Germany"
  },
  "roles": ["reader"]
}$$, :'bob_password');

-- A resource other than the issuer, to ask tokens for (RFC 8707).
select identity.scope_create('notes.read', 'Read your notes', '{}');
select identity.resource_create('https://notes.example/api', 'Notes', array['notes.read']);

-- Clients may register themselves, as many as a certification suite does.
select identity.registration_configure('open', source_quota => 10000);

-- The notes example: public, hence PKCE; it may keep access while the person is away, if they allow it.
select identity.client_create(jsonb_build_object(
  'client_id', 'demo-app',
  'client_name', 'Notes',
  'client_uri', :'app_url' || '/',
  'token_endpoint_auth_method', 'none',
  'grant_types', array['authorization_code', 'refresh_token'],
  'redirect_uris', array[:'app_url' || '/callback'],
  'post_logout_redirect_uris', array[:'app_url' || '/'],
  'scope', 'openid profile email address phone roles offline_access'));
\o

-- A program of yours: any OpenID Connect library with a secret, answering on port 4700.
select identity.client_create(jsonb_build_object(
  'client_id', 'demo-web',
  'client_name', 'Demo of a web application',
  'token_endpoint_auth_method', 'client_secret_basic',
  'grant_types', array['authorization_code', 'refresh_token'],
  'redirect_uris', array['http://127.0.0.1:4700/cb'],
  'post_logout_redirect_uris', array['http://127.0.0.1:4700/'],
  'scope', 'openid profile email address phone roles offline_access notes.read')) ->> 'client_secret' as web_secret
\gset

-- A service: acts for itself, and may ask about any token (RFC 7662).
select identity.client_create(jsonb_build_object(
  'client_id', 'demo-service',
  'client_name', 'Demo of a service',
  'token_endpoint_auth_method', 'client_secret_basic',
  'grant_types', array['client_credentials'],
  'introspect_any', true,
  'scope', 'notes.read')) ->> 'client_secret' as service_secret
\gset

commit;

\echo DEMO_USERNAME=alice
\echo DEMO_PASSWORD=:alice_password
\echo DEMO_SECOND_USERNAME=bob
\echo DEMO_SECOND_PASSWORD=:bob_password
\echo DEMO_CLIENT_ID=demo-app
\echo DEMO_WEB_CLIENT_ID=demo-web
\echo DEMO_WEB_CLIENT_SECRET=:web_secret
\echo DEMO_SERVICE_CLIENT_ID=demo-service
\echo DEMO_SERVICE_CLIENT_SECRET=:service_secret
