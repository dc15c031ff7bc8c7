-- What a client can ask for (scopes, resources) and what a person has allowed (consents).
-- RFC 6749 §3.3, RFC 8707, OpenID Connect Core 1.0 §5.4. Written by functions/scopes.sql, resources.sql, consent.sql.

create table identity_store.scopes (
  -- RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
  name text primary key check (name ~ '^[\x21\x23-\x5b\x5d-\x7e]{1,255}$'),
  description text not null,
  claims text[] not null default '{}',
  created_at timestamptz not null default now()
);
comment on table identity_store.scopes is 'Every scope there is; a request for another one is answered without it.';
comment on column identity_store.scopes.name is 'The scope-token of RFC 6749 §3.3, at most 255 characters; compared as written.';
comment on column identity_store.scopes.description is 'The sentence the consent page shows, in plain words, to the person.';
comment on column identity_store.scopes.claims is 'Claims about the person that this scope lets the client read.';
comment on column identity_store.scopes.created_at is 'When it was added; discovery lists scopes in this order.';

insert into identity_store.scopes (name, description, claims) values
  ('openid', 'Know that it is you', array['sub']),
  ('profile', 'See your name and profile', array['name', 'family_name', 'given_name', 'middle_name', 'nickname',
    'preferred_username', 'profile', 'picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at']),
  ('email', 'See your e-mail address', array['email', 'email_verified']),
  ('address', 'See your postal address', array['address']),
  ('phone', 'See your phone number', array['phone_number', 'phone_number_verified']),
  ('offline_access', 'Keep access while you are away', '{}'),
  ('roles', 'Act with the roles you have here', array['roles']);

create table identity_store.resources (
  identifier text primary key check (identifier ~ '^[a-z][a-z0-9+.-]*:[^#\s]+$' and identifier !~ '/$'),
  name text not null,
  created_at timestamptz not null default now()
);
comment on table identity_store.resources is 'Protected resources (APIs, databases) that tokens can be made for (RFC 8707).';
comment on column identity_store.resources.identifier is
  'Canonical URI: scheme and host in lower case, no default port, no slash at the end. It is the aud of the token.';
comment on column identity_store.resources.name is 'What the consent page calls it.';
comment on column identity_store.resources.created_at is 'When it was added.';

create table identity_store.resource_scopes (
  resource text not null references identity_store.resources (identifier) on update cascade on delete cascade,
  scope text not null references identity_store.scopes (name) on update cascade on delete cascade,
  primary key (resource, scope)
);
create index on identity_store.resource_scopes (scope);
comment on table identity_store.resource_scopes is
  'Scopes that mean something at this resource only; a scope without a row here means the same everywhere.';
comment on column identity_store.resource_scopes.resource is 'The resource it belongs to.';
comment on column identity_store.resource_scopes.scope is 'A scope that belongs to a resource; it may belong to several.';

-- A row per resource, because allowing `write` at one of them and `read` at another allows nothing more than that.
create table identity_store.consents (
  user_id uuid not null references identity_store.users (id) on delete cascade,
  client_id text not null references identity_store.clients (id) on update cascade on delete cascade,
  resource text not null default '',
  scope text[] not null,
  granted_at timestamptz not null default now(),
  primary key (user_id, client_id, resource)
);
create index on identity_store.consents (client_id);
comment on table identity_store.consents is 'What a person allowed an application on the consent page, until withdrawn.';
comment on column identity_store.consents.user_id is 'Who allowed it.';
comment on column identity_store.consents.client_id is 'The application it was allowed.';
comment on column identity_store.consents.resource is 'Canonical resource, or the empty string where none was asked for.';
comment on column identity_store.consents.scope is 'Scopes allowed there so far; what is allowed later is added.';
comment on column identity_store.consents.granted_at is 'When the person last said yes.';
