-- Doctor, settings: what would record secrets, and what hurts; of the server, and of roles and databases that have their own. See doctor.sql.

-- Whose settings these are, with what holds for them, and how they are changed.
create function identity.doctor_scopes()
returns table (object text, change text, own text[], held jsonb)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with server as materialized (
    select jsonb_object_agg(s.name, s.reset_val) as held
    from pg_settings s
  )
  select 'the server', 'alter system', null::text[], server.held from server
  union all
  select case
      when r.setrole = 0 then format('database %I', d.datname)
      when r.setdatabase = 0 then format('role %I', pg_get_userbyid(r.setrole))
      else format('role %I in database %I', pg_get_userbyid(r.setrole), d.datname) end,
    case
      when r.setrole = 0 then format('alter database %I', d.datname)
      when r.setdatabase = 0 then format('alter role %I', pg_get_userbyid(r.setrole))
      else format('alter role %I in database %I', pg_get_userbyid(r.setrole), d.datname) end,
    own.names, server.held || own.held
  from pg_db_role_setting r
  cross join server
  left join pg_database d on d.oid = r.setdatabase
  cross join lateral (
    select array_agg(split_part(setting, '=', 1)) as names, jsonb_object_agg(split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)) as held
    from unnest(r.setconfig) setting
  ) own
$$;
comment on function identity.doctor_scopes() is
  'The server and every role and database with settings of its own: the settings that hold there (held), those of its own (NULL: the server), and the beginning of the statement that changes them. Settings that are only shown to superusers are missing for others. For identity.doctor. Raises nothing.';
revoke all on function identity.doctor_scopes() from public;
grant execute on function identity.doctor_scopes() to identity_owner, identity_admin;

create function identity.doctor_settings()
returns table (code text, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with scopes as materialized (
    select s.*,
      -- With -1 as much as there is; numbers may have units.
      coalesce(s.held ->> 'log_parameter_max_length', '-1') !~ '^0' as parameters
    from identity.doctor_scopes() s
  )
  select rule.code, s.object, format('%s: %s', s.object, rule.finding), format('%s set %s', s.change, rule.change)
  from scopes s
  cross join lateral (values
    ('logs_parameters', array['log_statement', 'log_parameter_max_length'],
      s.parameters and s.held ->> 'log_statement' in ('mod', 'all'),
      format('log_statement is %s, and bind values are logged', s.held ->> 'log_statement'), 'log_parameter_max_length = 0'),
    ('logs_parameters', array['log_min_duration_statement', 'log_parameter_max_length'],
      s.parameters and s.held ->> 'log_min_duration_statement' <> '-1',
      'log_min_duration_statement is on, and bind values are logged', 'log_parameter_max_length = 0'),
    ('logs_parameters', array['log_min_duration_sample', 'log_statement_sample_rate', 'log_parameter_max_length'],
      s.parameters and s.held ->> 'log_min_duration_sample' <> '-1' and s.held ->> 'log_statement_sample_rate' !~ '^0*(\.0*)?$',
      'log_min_duration_sample is on, and bind values are logged', 'log_parameter_max_length = 0'),
    ('logs_parameters', array['log_transaction_sample_rate', 'log_parameter_max_length'],
      s.parameters and s.held ->> 'log_transaction_sample_rate' !~ '^0*(\.0*)?$',
      'log_transaction_sample_rate is on, and bind values are logged', 'log_parameter_max_length = 0'),
    ('logs_parameters_on_error', array['log_parameter_max_length_on_error'],
      s.held ->> 'log_parameter_max_length_on_error' !~ '^0', 'bind values of failing statements are logged', 'log_parameter_max_length_on_error = 0'),
    ('logs_failing_statements', array['log_min_error_statement'],
      s.held ->> 'log_min_error_statement' not in ('fatal', 'panic'), 'failing statements are logged with their literals', 'log_min_error_statement = panic'),
    ('logs_trees', array['debug_print_parse', 'debug_print_rewritten', 'debug_print_plan'],
      'on' in (s.held ->> 'debug_print_parse', s.held ->> 'debug_print_rewritten', s.held ->> 'debug_print_plan'),
      'parse trees or plans are logged',
      case 'on' when s.held ->> 'debug_print_parse' then 'debug_print_parse' when s.held ->> 'debug_print_rewritten' then 'debug_print_rewritten'
        else 'debug_print_plan' end || ' = off'),
    ('auto_explain_records', array['auto_explain.log_min_duration', 'auto_explain.log_nested_statements'],
      s.held ->> 'auto_explain.log_min_duration' <> '-1' and s.held ->> 'auto_explain.log_nested_statements' = 'on',
      'auto_explain logs the statements within functions', 'auto_explain.log_nested_statements = off'),
    -- From PostgreSQL 16 on it logs bind values.
    ('auto_explain_records', array['auto_explain.log_min_duration', 'auto_explain.log_parameter_max_length'],
      s.held ->> 'auto_explain.log_min_duration' <> '-1' and s.held ->> 'auto_explain.log_parameter_max_length' !~ '^0',
      'auto_explain logs bind values', 'auto_explain.log_parameter_max_length = 0'),
    ('statements_kept', array['pg_stat_statements.track_utility', 'pg_stat_statements.track'],
      s.held ->> 'pg_stat_statements.track_utility' = 'on' and coalesce(s.held ->> 'pg_stat_statements.track', 'top') <> 'none',
      'pg_stat_statements keeps utility statements with their literals', 'pg_stat_statements.track_utility = off'),
    ('pgaudit_parameters', array['pgaudit.log_parameter'],
      s.held ->> 'pgaudit.log_parameter' = 'on', 'pgaudit logs bind values', 'pgaudit.log_parameter = off'),
    ('durability_off', array['fsync'], s.held ->> 'fsync' = 'off', 'fsync is off', 'fsync = on'),
    ('durability_off', array['full_page_writes'], s.held ->> 'full_page_writes' = 'off', 'full_page_writes is off', 'full_page_writes = on'),
    ('synchronous_commit_off', array['synchronous_commit'],
      s.held ->> 'synchronous_commit' in ('off', 'false', 'no', '0'), 'synchronous_commit is off', 'synchronous_commit = on'),
    ('setting_hurts', array['default_transaction_isolation'],
      s.held ->> 'default_transaction_isolation' <> 'read committed',
      format('default_transaction_isolation is %s: protocol functions refuse', s.held ->> 'default_transaction_isolation'),
      'default_transaction_isolation = ''read committed'''),
    ('setting_hurts', array['default_transaction_read_only'],
      s.held ->> 'default_transaction_read_only' = 'on', 'default_transaction_read_only is on: nothing can be written', 'default_transaction_read_only = off'),
    ('setting_hurts', array['session_replication_role'],
      s.held ->> 'session_replication_role' <> 'origin',
      format('session_replication_role is %s: triggers and foreign keys are idle', s.held ->> 'session_replication_role'), 'session_replication_role = origin'),
    ('setting_hurts', array['autovacuum'],
      s.held ->> 'autovacuum' = 'off', 'autovacuum is off: tables and indexes grow without end', 'autovacuum = on'),
    ('setting_hurts', array['track_counts'],
      s.held ->> 'track_counts' = 'off', 'track_counts is off, so autovacuum does nothing', 'track_counts = on'),
    ('setting_hurts', array['enable_partition_pruning'],
      s.held ->> 'enable_partition_pruning' = 'off', 'enable_partition_pruning is off: every look-up reads every partition', 'enable_partition_pruning = on'),
    ('setting_hurts', array['plan_cache_mode'],
      s.held ->> 'plan_cache_mode' = 'force_custom_plan', 'plan_cache_mode is force_custom_plan: planning costs more than most statements here', 'plan_cache_mode = auto'),
    ('idle_in_transaction', array['idle_in_transaction_session_timeout'],
      -- Where nobody set it, it is said once, and not by every role.
      s.own is null and s.held ->> 'idle_in_transaction_session_timeout' = '0',
      'idle_in_transaction_session_timeout is 0',
      'idle_in_transaction_session_timeout = ''5min'''),
    ('password_encryption', array['password_encryption'],
      s.held ->> 'password_encryption' <> 'scram-sha-256', format('password_encryption is %s', s.held ->> 'password_encryption'), 'password_encryption = ''scram-sha-256'''),
    ('tls_old', array['ssl_min_protocol_version'],
      s.held ->> 'ssl' = 'on' and s.held ->> 'ssl_min_protocol_version' in ('', 'TLSv1', 'TLSv1.1'), 'TLS 1.0 and 1.1 are accepted', 'ssl_min_protocol_version = ''TLSv1.2''')
  ) rule (code, names, holds, finding, change)
  where rule.holds and (s.own is null or s.own && rule.names)
  union all
  -- ALTER SYSTEM of a role that was granted it, and SET of settings that only superusers may set otherwise.
  select 'parameter_acl', format('setting %s', p.parname),
    format('%s may %s %s', g.name, g.privileges, p.parname), format('revoke %s on parameter %s from %s', g.privileges, p.parname, g.name)
  from pg_parameter_acl p
  cross join lateral (
    select case acl.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end as name,
      lower(string_agg(acl.privilege_type, ', ' order by acl.privilege_type desc)) as privileges
    from aclexplode(p.paracl) acl
    left join pg_roles r on r.oid = acl.grantee
    where r.rolsuper is not true and acl.grantee <> 10
    group by acl.grantee
  ) g
  where p.parname ~ '^(pg_identity\.|log_|debug_print_|auto_explain\.|pg_stat_statements\.|pgaudit\.|session_preload_libraries|local_preload_libraries|shared_preload_libraries|session_replication_role|hba_file|ident_file|archive_command|restore_command|ssl)'
$$;
comment on function identity.doctor_settings() is
  'Settings that record secrets, lose what was answered, or hurt, and who else may change them. For identity.doctor. Raises nothing.';
revoke all on function identity.doctor_settings() from public;
grant execute on function identity.doctor_settings() to identity_owner, identity_admin;
