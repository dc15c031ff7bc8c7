-- Installed: which build this SQL came with, and whether there is a store. Always the last file of the script.
--
-- Public: build() of the library and installed_build() of the SQL, for whoever checks that they fit (ID301).
-- For our own functions: store_has.

create function identity.build() returns text
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'build_wrapper';
comment on function identity.build() is
  'Digest of the SQL that the loaded library was built with, 16 hexadecimal digits. Raises nothing.';
revoke all on function identity.build() from public;
grant execute on function identity.build() to identity_owner, identity_admin, identity_gateway, identity_app, identity_sync;

create function identity.store_has(function_name name)
returns boolean
language sql stable parallel safe
as $$
  -- What somebody else has made under that name is not the store: it would run with the rights of identity_owner.
  select exists (
    select from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'identity_store' and p.proname = store_has.function_name
      and n.nspowner = 'identity_owner'::pg_catalog.regrole and p.proowner = 'identity_owner'::pg_catalog.regrole)
$$;
comment on function identity.store_has(name) is
  'Whether this database has a store with such a function; one that only verifies has none. Raises nothing.';
revoke all on function identity.store_has(name) from public;
grant execute on function identity.store_has(name) to identity_owner;

do $$
begin
  execute format(
    'create function identity.installed_build() returns text language sql immutable parallel safe as %L',
    format('select %L::text', identity.build())
  );
end
$$;
comment on function identity.installed_build() is
  'What build() was when this SQL was installed; another value than build() means that library and SQL do not fit. Raises nothing.';
revoke all on function identity.installed_build() from public;
grant execute on function identity.installed_build()
  to identity_owner, identity_admin, identity_gateway, identity_app, identity_sync;
