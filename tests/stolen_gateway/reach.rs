//! What the role reaches: the protocol functions, and what PostgreSQL gives to everybody.

use tokio_postgres::Client;

use super::thief;
use crate::jwt::sqlstate;
use crate::store::PROTOCOL;
use crate::support::{Database, Gateway, Login, user, web_client};

async fn names(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// In every schema: pg_catalog has functions that read files, and those are not for everybody.
#[tokio::test]
async fn it_executes_the_protocol_functions_and_what_everybody_executes() {
    let db = Database::new().await;
    let thief = thief(&db).await;
    let executable = "
      select p.proname::text || case n.nspname when 'identity' then '' else ' in ' || n.nspname end
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where has_function_privilege(p.oid, 'execute') and not exists (
        select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)
      order by 1";
    let expected: Vec<&str> = PROTOCOL.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&thief, executable).await, expected);
    // No extension and no schema of the application brings it more.
    let others = "select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname not in ('pg_catalog', 'information_schema', 'identity') and has_function_privilege(p.oid, 'execute')
        and has_schema_privilege(n.oid, 'usage')";
    assert_eq!(names(&thief, others).await, [""; 0]);
}

#[tokio::test]
async fn it_reads_and_writes_no_table_sequence_large_object_or_foreign_server() {
    let db = Database::new().await;
    user(&db, "alice").await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "create table notes (id bigint generated always as identity, body text);
             create view notes_view as select * from notes;
             create materialized view notes_kept as select * from notes;
             create foreign data wrapper elsewhere;
             create server elsewhere foreign data wrapper elsewhere;
             create foreign table notes_there (body text) server elsewhere;
             select lo_from_bytea(4711, 'not theirs')",
        )
        .await
        .unwrap();
    let thief = thief(&db).await;
    let privileges = "
      select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast' and case c.relkind
        when 'S' then has_sequence_privilege(c.oid, 'usage, select, update')
        when 'r' then true when 'p' then true when 'v' then true when 'm' then true when 'f' then true else false end
        and (c.relkind = 'S' or has_table_privilege(c.oid, 'select, insert, update, delete, truncate, references, trigger')
          or has_any_column_privilege(c.oid, 'select, insert, update, references'))
      union all
      select srvname::text from pg_foreign_server where has_server_privilege(oid, 'usage')
      union all
      select fdwname::text from pg_foreign_data_wrapper where has_foreign_data_wrapper_privilege(oid, 'usage')
      union all
      select nspname::text from pg_namespace where has_schema_privilege(oid, 'create')
      union all
      select spcname::text from pg_tablespace where has_tablespace_privilege(oid, 'create')
      union all
      select datname::text from pg_database where has_database_privilege(oid, 'create')";
    assert_eq!(names(&thief, privileges).await, [""; 0]);
    // Tables are not even named: the schema of the store cannot be used.
    let tables = names(
        &superuser,
        "select oid::regclass::text from pg_class where relkind in ('r', 'p', 'S', 'v', 'm')
           and relnamespace in ('identity'::regnamespace, 'identity_store'::regnamespace)",
    )
    .await;
    assert!(tables.len() > 15, "{tables:?}");
    for table in tables.iter().map(String::as_str).chain([
        "notes",
        "notes_view",
        "notes_kept",
        "pg_authid",
        "pg_largeobject",
        "pg_statistic",
        "pg_user_mapping",
        "pg_hba_file_rules",
        "pg_file_settings",
        "pg_config",
    ]) {
        for sql in [format!("select from {table}"), format!("lock table {table} in access share mode")] {
            // What everybody may do with a catalog is only read it, and not these.
            if sql.starts_with("select") || table.contains('.') {
                let refused = sqlstate(thief.batch_execute(&format!("begin; {sql}")).await);
                thief.batch_execute("rollback").await.unwrap();
                assert_eq!(refused, "42501", "{sql}");
            }
        }
    }
    for sql in
        ["select lo_get(4711)", "select lo_put(4711, 0, 'x')", "select lo_unlink(4711)", "select lo_open(4711, 262144)"]
    {
        assert_eq!(sqlstate(thief.batch_execute(sql).await), "42501", "{sql}");
    }
    // What the statistics of a table would tell of its rows.
    assert_eq!(names(&thief, "select tablename::text from pg_stats where schemaname like 'identity%'").await, [""; 0]);
}

#[tokio::test]
async fn it_makes_nothing_that_stays_and_becomes_nobody_else() {
    let db = Database::new().await;
    let thief = thief(&db).await;
    for sql in [
        "create schema mine",
        "create table public.t ()",
        "create table identity.t ()",
        "create function public.f() returns int language sql as 'select 1'",
        "create function identity.f() returns int language sql as 'select 1'",
        "create or replace function identity.errors() returns table (sqlstate text, name text, meaning text) language sql as 'select 1, 2, 3'",
        "create extension dblink",
        "create extension plpython3u",
        "create language plpgsql",
        "create event trigger e on ddl_command_start execute function identity.errors()",
        "create publication p",
        "create subscription s connection '' publication p",
        "create foreign data wrapper w",
        "create role r",
        "create database d",
        "create tablespace s location '/tmp'",
        "create cast (text as integer) with inout",
        "alter role identity_gateway bypassrls",
        "alter role identity_admin password 'x'",
        "alter system set log_statement = 'none'",
        "alter database postgres set log_statement = 'none'",
        "alter extension pg_identity update",
        "drop extension pg_identity",
        "drop function identity.errors()",
        "grant identity_gateway to app_login",
        "grant execute on function identity.hash_password(text) to public",
        "set role identity_owner",
        "set role identity_admin",
        "set role identity_app",
        "set role postgres",
        "set session authorization postgres",
        "set session authorization admin_login",
        "set pg_identity.hash_wait = 0",
        "set pg_identity.master_key_file = '/etc/passwd'",
        "show pg_identity.master_key_file",
        "set session_replication_role = 'replica'",
        "set log_min_duration_statement = 0",
        "set session_preload_libraries = 'x'",
        "load 'auto_explain'",
        "copy (select 1) to '/tmp/stolen'",
        "copy (select 1) to program 'id'",
        "create temp table t (x text); copy t from '/etc/passwd'",
        "select pg_read_file('PG_VERSION')",
        "select pg_read_binary_file('PG_VERSION')",
        "select pg_stat_file('PG_VERSION')",
        "select pg_ls_dir('.')",
        "select pg_ls_waldir()",
        "select pg_ls_logdir()",
        "select pg_current_logfile()",
        "select lo_import('/etc/passwd')",
        "select lo_export(4711, '/tmp/stolen')",
        "select pg_reload_conf()",
        "select pg_rotate_logfile()",
        "select pg_switch_wal()",
        "select pg_create_restore_point('x')",
        "select pg_stat_reset()",
        "select pg_promote()",
        "select pg_create_physical_replication_slot('x')",
        "select pg_logical_slot_peek_changes('x', null, null)",
        "checkpoint",
    ] {
        let refused = sqlstate(thief.batch_execute(sql).await);
        // Or: not in this PostgreSQL at all (0A000, 42704, 58P01, 42710), or nobody's while the server runs (55P02).
        assert!(["42501", "0A000", "42704", "58P01", "42710", "55P02"].contains(&refused.as_str()), "{sql}: {refused}");
    }
}

/// pg_temp is the last place where our functions look, so a name of theirs is never one of ours.
#[tokio::test]
async fn tables_and_types_of_its_own_with_our_names_are_not_taken_for_ours() {
    let db = Database::new().await;
    let (alice, app) = (user(&db, "alice").await, web_client(&db).await);
    let thief = thief(&db).await;
    let ours = names(
        &db.superuser().await,
        "select c.relname::text from pg_class c where c.relnamespace in ('identity'::regnamespace, 'identity_store'::regnamespace)
           and c.relkind in ('r', 'p') and not c.relispartition
         union select unnest(array['text', 'uuid', 'jsonb', 'pg_class', 'pg_roles'])",
    )
    .await;
    for name in &ours {
        thief
            .batch_execute(&format!("create temp table {name} as select 1 as id, 'x'::pg_catalog.text as name"))
            .await
            .unwrap();
    }
    thief.batch_execute("set search_path = pg_temp, pg_catalog, identity, identity_store").await.unwrap();
    let cookie = crate::authorize::session(&thief, &alice).await;
    let code = crate::authorize::code(&thief, &crate::authorize::request(&app), &cookie).await;
    assert_eq!(crate::token::redeem(&thief, &app, &code).await.0, "ok");
    thief.batch_execute("select identity.maintenance_run()").await.unwrap();
    for name in &ours {
        let rows: i64 =
            thief.query_one(&format!("select pg_catalog.count(*) from pg_temp.{name}"), &[]).await.unwrap().get(0);
        assert_eq!(rows, 1, "{name}");
    }
}

/// A login of ours that can do more than is needed is no courier any more.
#[tokio::test]
async fn a_gateway_whose_login_could_create_or_become_more_does_not_start() {
    let db = Database::new().await;
    let login = format!("excessive_{}_login", db.name);
    let superuser = db.superuser().await;
    superuser
        .batch_execute(&format!("create role {login} login in role identity_gateway; create role {login}_team"))
        .await
        .unwrap();
    let url = db.url(Login::Gateway).replace("gateway_login", &login);
    for (more, less, excess) in [
        ("grant {team} to {login}", "revoke {team} from {login}", "it is a member of {team}"),
        (
            "grant create on schema public to {login}",
            "revoke create on schema public from {login}",
            "it may create objects in schema public",
        ),
        (
            "grant create on database {db} to {login}",
            "revoke create on database {db} from {login}",
            "it may create schemas in database {db}",
        ),
    ] {
        let filled = |text: &str| {
            text.replace("{team}", &format!("{login}_team")).replace("{login}", &login).replace("{db}", &db.name)
        };
        superuser.batch_execute(&filled(more)).await.unwrap();
        let mut gateway = Gateway::spawn(&db, &[("GATEWAY_DATABASE_URL", &url)]);
        assert!(!gateway.wait().await.success());
        let log = gateway.log_text();
        assert!(log.contains(&format!("role {login} can do more than serve needs: {}\n", filled(excess))), "{log}");
        superuser.batch_execute(&filled(less)).await.unwrap();
    }
}
