-- Doctor, network: what crosses it, and who is believed. See doctor.sql.

create function identity.doctor_network()
returns table (code text, object text, finding text, remedy text)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select 'tls_off', 'the server', format('the server listens on %s without TLS', current_setting('listen_addresses')), 'alter system set ssl = on'
    where current_setting('ssl') = 'off' and exists (
      select from regexp_split_to_table(current_setting('listen_addresses'), ',') address
      where btrim(address) <> '' and btrim(address) !~* '^(localhost|127\.[\d.]+|::1)$');

  if has_table_privilege('pg_hba_file_rules', 'select') and has_function_privilege('pg_hba_file_rules()', 'execute') then
    return query
      with rules as (
        select format('pg_hba.conf, line %s', h.line_number) as line, h.type, h.auth_method as method, h.error,
          case when h.type = 'local' then true
            when h.address in ('all', 'samenet') then false
            when h.address in ('samehost', 'localhost') then true
            else coalesce(h.address ~ '^(127\.[\d.]+|::1)$', false) end as here
        from pg_hba_file_rules h
      )
      select case
          when r.error is null and r.method = 'trust' and not r.here then 'hba_trust'
          when r.method = 'password' and not r.here and r.type not in ('hostssl', 'hostgssenc') then 'hba_password'
          else 'hba_weak' end,
        r.line,
        case
          when r.error is not null then format('%s cannot be read: %s', r.line, r.error)
          when r.method = 'trust' and r.here then format('%s believes every local user who says who they are, superusers included', r.line)
          when r.method = 'trust' then format('%s believes everybody from another machine who says who they are', r.line)
          when r.method = 'password' then format('%s asks for the password itself%s', r.line, case when r.here then '' else ', from other machines' end)
          when r.method = 'ident' then format('%s believes what another machine says about its users', r.line)
          else format('%s accepts MD5', r.line) end,
        format('write %s there, then select pg_reload_conf()', case when r.error is not null then 'what it should be'
          when r.type = 'local' then 'peer or scram-sha-256' else 'scram-sha-256' end)
      from rules r
      where r.error is not null or r.method in ('trust', 'md5') or r.method in ('password', 'ident') and r.type <> 'local';
  else
    return query select 'not_examined', 'pg_hba.conf', 'who is believed at connection is not shown to this role',
      format('grant select on pg_catalog.pg_hba_file_rules to %1$I; grant execute on function pg_catalog.pg_hba_file_rules() to %1$I', current_user);
  end if;

  if has_column_privilege('pg_authid', 'rolpassword', 'select') then
    return query select 'password_md5', format('role %I', a.rolname), format('the password of role %I is kept as MD5', a.rolname),
        format('in psql: \password %I', a.rolname)
      from pg_authid a where a.rolpassword ~ '^md5';
  else
    return query select 'not_examined', 'pg_authid', 'how passwords of roles are kept is not shown to this role', 'call identity.doctor() as a superuser';
  end if;
end
$$;
comment on function identity.doctor_network() is
  'TLS, pg_hba.conf and how passwords of roles are kept, as far as the caller may see them. For identity.doctor. Raises nothing.';
revoke all on function identity.doctor_network() from public;
grant execute on function identity.doctor_network() to identity_owner, identity_admin;
