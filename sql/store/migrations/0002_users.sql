-- Users: people, the names that lead to them, their mail addresses, passwords and roles.
--
-- OpenID Connect Core §5.1 (standard claims), §2 (`sub` is never reassigned).
--
--            user_disable              user_delete
--   active ───────────────▶ disabled ───────────────▶ deleted      (active → deleted too; nothing leaves deleted)
--          ◀───────────────
--             user_enable

create table identity_store.users (
  id uuid not null primary key,
  state text not null default 'active' check (state in ('active', 'disabled', 'deleted')),
  username text check (username = btrim(username) and username <> '' and username !~ '[[:cntrl:]]'),
  claims jsonb not null default '{}'
    check (jsonb_typeof(claims) = 'object' and octet_length(claims::text) <= 16384),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  disabled_at timestamptz,
  deleted_at timestamptz,
  check ((state = 'disabled') = (disabled_at is not null)),
  check ((state = 'deleted') = (deleted_at is not null)),
  -- Who is deleted is erased: the id stays, so that it is never given again, and nothing personal does.
  check ((state = 'deleted') = (username is null)),
  check (state <> 'deleted' or claims = '{}'),
  -- What has a column or a table of its own is not in the claims as well.
  check (not claims ?| array['sub', 'preferred_username', 'email', 'email_verified', 'emails', 'roles', 'updated_at'])
);
comment on table identity_store.users is 'People who sign in here. The id is the `sub` of their tokens and is never used again, not even after deletion.';
comment on column identity_store.users.id is 'UUIDv7, the `sub` of tokens (OpenID Connect Core §2).';
comment on column identity_store.users.state is 'active: may sign in. disabled: may not, until enabled again. deleted: only the id is left.';
comment on column identity_store.users.username is 'As the person writes it; unique after normalisation (sign_in_names). The claim preferred_username.';
comment on column identity_store.users.claims is 'OpenID Connect standard claims by name, without nulls; checked by identity_store.profile_check().';
comment on column identity_store.users.created_at is 'When the person was added.';
comment on column identity_store.users.updated_at is 'When the profile last changed: the claim updated_at.';
comment on column identity_store.users.disabled_at is 'When the person was disabled; NULL while not disabled.';
comment on column identity_store.users.deleted_at is 'When the person was erased; NULL: not deleted.';

create table identity_store.user_emails (
  id uuid not null primary key,
  user_id uuid not null references identity_store.users on delete cascade,
  address text not null check (length(address) <= 254 and address ~ '^[^[:space:][:cntrl:]@]+@[^[:space:][:cntrl:]@]+$'),
  address_key text collate "C" not null,
  verified_at timestamptz,
  "primary" boolean not null default false,
  created_at timestamptz not null default now(),
  unique (user_id, address_key)
);
-- An unverified address is only a claim of its owner and bars nobody; a verified one belongs to one person.
create unique index user_emails_verified on identity_store.user_emails (address_key) where verified_at is not null;
create unique index user_emails_primary on identity_store.user_emails (user_id) where "primary";
comment on table identity_store.user_emails is 'Mail addresses of a person. A verified one is also a name to sign in with.';
comment on column identity_store.user_emails.id is 'UUIDv7.';
comment on column identity_store.user_emails.user_id is 'Whose address it is.';
comment on column identity_store.user_emails.address is 'As written by the person; mail goes there.';
comment on column identity_store.user_emails.address_key is 'The address normalised by identity.normalize_name: what is compared.';
comment on column identity_store.user_emails.verified_at is 'When the address was proved to be theirs; NULL: not yet.';
comment on column identity_store.user_emails."primary" is 'The one address that is the claim `email`.';
comment on column identity_store.user_emails.created_at is 'When the address was added.';

-- User names and verified addresses share one space: nobody's user name is somebody else's address.
create table identity_store.sign_in_names (
  name_key text collate "C" not null primary key check (name_key <> '' and length(name_key) <= 320),
  user_id uuid not null references identity_store.users on delete cascade
);
create index sign_in_names_user on identity_store.sign_in_names (user_id);
comment on table identity_store.sign_in_names is
  'Which name leads to which person: user names and verified addresses, normalised. Derived from users and user_emails by identity_store.sign_in_names_write().';
comment on column identity_store.sign_in_names.name_key is 'The name normalised by identity.normalize_name (NFKC, case folded, trimmed).';
comment on column identity_store.sign_in_names.user_id is 'The person it leads to.';

create table identity_store.passwords (
  user_id uuid not null primary key references identity_store.users on delete cascade,
  phc text not null check (length(phc) between 1 and 1024),
  changed_at timestamptz not null default now()
);
comment on table identity_store.passwords is 'The password of a person, hashed. No row: no password, signing in by one never succeeds.';
comment on column identity_store.passwords.user_id is 'Whose password it is; one each.';
comment on column identity_store.passwords.phc is 'PHC string of identity.hash_password. A rehash with newer parameters changes it, and only it.';
comment on column identity_store.passwords.changed_at is 'When the password itself was last set.';

create table identity_store.user_roles (
  user_id uuid not null references identity_store.users on delete cascade,
  role text not null check (role = btrim(role) and length(role) between 1 and 100 and role !~ '[[:cntrl:]]'),
  primary key (user_id, role)
);
comment on table identity_store.user_roles is 'Roles of people: the claim `roles` of tokens whose scope asks for it, what identity.has_role() answers from. Not roles of PostgreSQL.';
comment on column identity_store.user_roles.user_id is 'Who has the role.';
comment on column identity_store.user_roles.role is 'Compared as written, 1 to 100 characters.';

-- No REFERENCES for applications: PostgreSQL checks a foreign key as the owner of the table it points at, and casts that the
-- application wrote for its own column would run there as identity_owner. Their tables hold the id without a foreign key.
