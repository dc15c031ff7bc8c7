-- Installed: which build this SQL came with. Always the last file of the script.
--
-- Public: build() of the library and installed_build() of the SQL, for whoever checks that they fit (ID301).

create function identity.build() returns text
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'build_wrapper';
comment on function identity.build() is
  'Digest of the SQL that the loaded library was built with, 16 hexadecimal digits. Raises nothing.';
revoke all on function identity.build() from public;
grant execute on function identity.build() to identity_owner, identity_admin, identity_gateway, identity_app, identity_sync;

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
