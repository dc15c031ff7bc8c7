-- Doctor: what is wrong around the database: server, settings, roles, network, keys. Nothing it says holds a secret.
--
--   doctor()         administrators, gateway check
--   doctor_rules()   what each code means: the page of every finding
--
-- doctor_server     (doctor_server.sql)     version, durability, backup, replication, memory
-- doctor_settings   (doctor_settings.sql)   what would record secrets, or hurts, for the server and for single roles and databases
-- doctor_network    (doctor_network.sql)    TLS, pg_hba.conf, passwords
-- doctor_roles      (doctor_roles.sql)      who is bound by no policy, and who can become more than they are
-- doctor_keys       (doctor_keys.sql)       master key file, issuer, keys
-- identity.doctor_store, where the store is there
--
-- With the rights of whoever asks; what these do not show is said in a row of its own.

create function identity.doctor_rules()
returns table (code text, severity text, meaning text)
language sql immutable parallel safe
as $$
  select * from (values
    ('archive_failing', 'error',
      'PostgreSQL cannot hand over its WAL: there is no point-in-time recovery, and the disk fills. The server''s log says what archive_command answered.'),
    ('auto_explain_records', 'error',
      'auto_explain logs plans with bind values, or statements within functions with theirs: passwords and tokens.'),
    ('build_mismatch', 'error',
      'The library and the SQL of the extension are of different builds.'),
    ('data_checksums_off', 'warning',
      'A damaged page is not noticed before it is in every backup. pg_checksums --enable turns them on while the server is stopped.'),
    ('durability_off', 'error',
      'After a crash of the machine the database is damaged, and what was rotated, revoked or consumed may be back.'),
    ('gateway_login_excess', 'error',
      'A login of the gateway can do more than execute the protocol functions: whoever takes over a gateway then leaves with it. gateway serve refuses to start with it.'),
    ('hash_memory', 'warning',
      'Password hashes and shared_buffers together may take more than three quarters of the memory: the kernel ends a process then, and PostgreSQL restarts.'),
    ('hba_password', 'error',
      'pg_hba.conf asks for the password itself over connections that are not encrypted.'),
    ('hba_trust', 'error',
      'pg_hba.conf believes everybody from another machine who says who they are.'),
    ('hba_weak', 'warning',
      'pg_hba.conf believes what others can arrange: local users without asking, or MD5 (pass the hash), or ident. Use scram-sha-256, or peer for local users.'),
    ('idle_in_transaction', 'info',
      'A client that went to sleep in a transaction holds its locks, and keeps dead rows from being removed, for as long as it is connected.'),
    ('key_age', 'warning',
      'A signing key signs for longer than 97 days. identity.maintenance_run() rotates after 90.'),
    ('key_current_missing', 'error',
      'An algorithm that was signed with has no current key: tokens cannot be issued.'),
    ('key_next_missing', 'warning',
      'There is no next key, so a rotation, or the revocation of the current key, would meet clients that do not know its successor.'),
    ('key_sealed_before', 'info',
      'Keys are sealed under a master key that is not the first in the file. Seal them anew before you remove it.'),
    ('key_sealed_otherwise', 'error',
      'A key is sealed under a master key that is not in the file: it opens nothing, signs nothing. Put that master key back, after the first line; after a restore it is the file of the database that was dumped.'),
    ('logs_failing_statements', 'warning',
      'A statement that fails is logged with its literals. Programs of ours use bind values; people at a prompt may not.'),
    ('logs_parameters', 'error',
      'Statements are logged with their bind values: passwords, tokens and codes. log_parameter_max_length = 0 keeps the statements and drops the values.'),
    ('logs_parameters_on_error', 'error',
      'The bind values of failing statements are logged: passwords, tokens and codes.'),
    ('logs_trees', 'warning',
      'Parse trees and plans are logged, with the literals in them.'),
    ('master_key', 'error',
      'The master key file cannot be used: nothing that needs a key works. It must belong to the server''s user, mode 0400, and hold one key of 32 bytes per line.'),
    ('master_key_place', 'warning',
      'Keep the master key file apart from what it seals, in a folder of the server''s user or of root.'),
    ('not_configured', 'error',
      'The database has no issuer and trusts none: no token authenticates anybody.'),
    ('not_examined', 'info',
      'Whoever asked may not see this. A superuser sees all.'),
    ('not_preloaded', 'error',
      'The library is not in shared_preload_libraries: the functions refuse, because clients could plant settings of its name.'),
    ('parameter_acl', 'error',
      'A role was granted SET on a setting of ours, or on one that decides what is logged or who is who.'),
    ('partition_default_rows', 'warning',
      'Rows were written while their partition was missing. They stay in the default partition until their time is over and are found as ever; the table is slower meanwhile.'),
    ('partition_missing', 'warning',
      'A partition for this moment is missing: rows go to the default partition. Look whether the gateway runs its maintenance.'),
    ('partitions_ahead', 'warning',
      'The next partition has not been made: maintenance has not run, or found the table locked, for a while.'),
    ('password_encryption', 'warning',
      'New passwords of roles are kept as MD5: whoever reads the hash can log in with it. Existing ones stay as they are until they are set again.'),
    ('password_md5', 'warning',
      'The password of a role is kept as MD5: whoever reads the hash can log in with it. Set it again, with password_encryption = scram-sha-256.'),
    ('pgaudit_parameters', 'error',
      'pgaudit logs bind values: passwords, tokens and codes.'),
    ('replica_lag', 'warning',
      'A replica is more than a minute behind: what was revoked still authenticates there, and a failover loses that minute.'),
    ('replication_slot_idle', 'warning',
      'Nobody reads a replication slot; PostgreSQL keeps WAL for it until the disk is full.'),
    ('role_bypasses', 'warning',
      'No policy binds this role. Tools that copy the database need it; nobody else does.'),
    ('role_escapes', 'error',
      'A role of ours can do more than its functions allow: by a predefined role, by becoming a role with attributes, or by membership in the owner of the store. It reads the tables, or the server''s files, the master key file among them.'),
    ('role_owns_unforced', 'warning',
      'The owner of tables whose policies do not bind it, for want of FORCE ROW LEVEL SECURITY.'),
    ('role_superuser', 'info',
      'Superusers are outside the boundary: they read every row and may read the master key file. Let programs log in as somebody else.'),
    ('sealed_key_missing', 'error',
      'A key that seals is missing. identity.configure makes it.'),
    ('setting_hurts', 'warning',
      'A setting makes functions fail, queries slow or constraints idle.'),
    ('statements_kept', 'warning',
      'pg_stat_statements keeps utility statements verbatim, with the literals of CREATE ROLE … PASSWORD, CALL and DO.'),
    ('synchronous_commit_off', 'warning',
      'A crash loses transactions that were answered. Ours choose for themselves; those of your applications are concerned.'),
    ('tls_off', 'warning',
      'The server listens on more than loopback and speaks no TLS: passwords, tokens and rows cross the network in clear.'),
    ('tls_old', 'warning',
      'TLS 1.0 and 1.1 are accepted (RFC 8996 forbids both).'),
    ('trusted_issuer_keyless', 'warning',
      'A trusted issuer has no key: its tokens are refused.'),
    ('version_floor', 'error',
      'A minor version with known holes in row-level security or privileges (identity.security_floors()). Install the newest minor version and restart.'),
    ('wal_archive_off', 'info',
      'WAL is not archived: without a replica or frequent dumps, a lost disk loses everything since the last backup.')
  ) as registry (code, severity, meaning)
$$;
comment on function identity.doctor_rules() is
  'What each code of identity.doctor means: severity (error: broken or leaking; warning: likely so; info: good to know), why it matters and what mends it. Raises nothing.';
revoke all on function identity.doctor_rules() from public;
grant execute on function identity.doctor_rules() to identity_owner, identity_admin;

create function identity.doctor()
returns table (severity text, code text, object text, finding text, remedy text)
language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  store constant text := case when to_regprocedure('identity.doctor_store()') is null
    then 'select null::text, null::text, null::text, null::text where false' else 'select * from identity.doctor_store()' end;
begin
  return query execute '
    select rule.severity, found.*
    from (
      select * from identity.doctor_server()
      union all select * from identity.doctor_settings()
      union all select * from identity.doctor_network()
      union all select * from identity.doctor_roles()
      union all select * from identity.doctor_keys()
      union all ' || store || '
    ) found (code, object, finding, remedy)
    join identity.doctor_rules() rule on rule.code = found.code
    order by array_position(array[''error'', ''warning'', ''info''], rule.severity), found.code, found.object, found.finding';
end
$$;
comment on function identity.doctor() is
  'What is wrong around this database: severity (error, warning, info), code (select * from identity.doctor_rules() says what it means), object, finding, and the remedy: a statement, or what to do outside of SQL. alter system counts after select pg_reload_conf(), for shared_preload_libraries and archive_mode after a restart. Holds no secret. What the caller may not see is a row not_examined. Raises nothing.';
revoke all on function identity.doctor() from public;
grant execute on function identity.doctor() to identity_owner, identity_admin;
