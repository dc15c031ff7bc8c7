-- Roles: five groups without login, one per kind of caller. Made here if missing and never dropped, because a role belongs
-- to the whole server and may be in use in another database.
--
--   identity_owner    owns every security definer function and table of ours; nobody logs in as it
--   identity_admin    administration functions
--   identity_gateway  protocol functions, and nothing else
--   identity_app      authenticate and the readers: what applications inherit
--   identity_sync     keys of trusted issuers

do $$
declare
  role_name text;
begin
  foreach role_name in array array['identity_owner', 'identity_admin', 'identity_gateway', 'identity_app', 'identity_sync'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
      execute format('create role %I nologin', role_name);
    end if;
  end loop;
  -- The store's schema is made by `gateway migrate`, which does `set role identity_owner`.
  execute format('grant create on database %I to identity_owner', pg_catalog.current_database());
end
$$;

comment on role identity_owner is 'pg_identity: owner of its tables and security definer functions; no login';
comment on role identity_admin is 'pg_identity: may call the administration functions';
comment on role identity_gateway is 'pg_identity: may call the protocol functions, has no table privileges';
comment on role identity_app is 'pg_identity: may authenticate and read the verified identity; applications inherit it';
comment on role identity_sync is 'pg_identity: may write the keys of trusted issuers';

comment on schema identity is 'pg_identity: everything callable';

grant create, usage on schema identity to identity_owner;
grant usage on schema identity to identity_admin, identity_gateway, identity_app, identity_sync;
