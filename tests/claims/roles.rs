//! The role of a session and the identity of a transaction are two things, and neither gives the other away.

use super::{bodies, letters, sign_in, subject, token_of};
use crate::jwt::{ALICE, BOB, authenticate, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn a_change_of_role_changes_nobody() {
    let db = Database::new().await;
    let superuser = letters(&db).await;
    // A superuser who steps down is bound like anybody, and finds the identity as it was.
    superuser.batch_execute("begin").await.unwrap();
    authenticate(&superuser, &token_of(&db, ALICE).await).await.unwrap();
    for step in ["set local role app_login", "reset role; set local session authorization app_login"] {
        superuser.batch_execute(step).await.unwrap();
        assert_eq!(subject(&superuser).await.as_deref(), Some(ALICE), "{step}");
        assert_eq!(bodies(&superuser).await, ["to alice"], "{step}");
        superuser.batch_execute("savepoint a").await.unwrap();
        assert_eq!(sqlstate(authenticate(&superuser, &token_of(&db, BOB).await).await), "ID201", "{step}");
        superuser.batch_execute("rollback to a").await.unwrap();
    }
    superuser.batch_execute("commit").await.unwrap();
    assert_eq!(subject(&superuser).await, None);
    let app = db.app().await;
    for role in [
        "identity_owner",
        "identity_admin",
        "identity_gateway",
        "identity_sync",
        "postgres",
        "migrate_login",
        "pg_read_all_data",
    ] {
        for statement in [
            format!("set role {role}"),
            format!("set local role {role}"),
            format!("select set_config('role', '{role}', false)"),
        ] {
            assert_eq!(sqlstate(app.batch_execute(&statement).await), "42501", "{statement}");
        }
        if role != "pg_read_all_data" {
            let statement = format!("set session authorization {role}");
            assert_eq!(sqlstate(app.batch_execute(&statement).await), "42501", "{statement}");
        }
    }
    // To the group that it inherits it may change, and gains nothing.
    sign_in(&db, &app, BOB).await;
    app.batch_execute("set local role identity_app").await.unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(BOB));
    assert_eq!(sqlstate(app.query("select body from public.letters", &[]).await), "42501");
}

#[tokio::test]
async fn a_wrapper_of_the_caller_is_no_way_around() {
    let db = Database::new().await;
    letters(&db).await;
    db.superuser().await.batch_execute("create schema workshop authorization app_login").await.unwrap();
    let app = db.app().await;
    app.batch_execute(
        "create function workshop.enter(token text) returns void language sql security definer as 'select identity.authenticate(token)';
         create function workshop.leave() returns void language sql security definer as 'select identity.sign_out()';
         create function workshop.plant() returns text language sql security definer as
           $$ select set_config('pg_identity.claims', '{\"issuer\": \"x\", \"subject\": \"x\"}', true) $$;
         create function workshop.all_letters() returns setof public.letters language sql security definer as 'select * from public.letters'",
    )
    .await
    .unwrap();
    let (alice, bob) = (token_of(&db, ALICE).await, token_of(&db, BOB).await);
    app.batch_execute("begin").await.unwrap();
    app.execute("select workshop.enter($1)", &[&alice]).await.unwrap();
    assert_eq!(bodies(&app).await, ["to alice"]);
    assert_eq!(app.query("select * from workshop.all_letters()", &[]).await.unwrap().len(), 1);
    app.batch_execute("select workshop.leave(); savepoint a").await.unwrap();
    assert_eq!(app.query("select * from workshop.all_letters()", &[]).await.unwrap().len(), 0);
    assert_eq!(sqlstate(app.execute("select workshop.enter($1)", &[&bob]).await), "ID201");
    app.batch_execute("rollback to a").await.unwrap();
    assert_eq!(sqlstate(app.execute("select workshop.plant()", &[]).await), "42501");
    app.batch_execute("rollback").await.unwrap();
    assert_eq!(subject(&app).await, None);
    // A superuser's function that calls the caller's (a policy, an index, a maintenance job) does not plant one either.
    let superuser = db.superuser().await;
    assert_eq!(sqlstate(superuser.execute("select workshop.plant()", &[]).await), "42501");
    superuser
        .batch_execute(
            "alter function workshop.plant() owner to postgres; alter function workshop.plant() security definer",
        )
        .await
        .unwrap();
    assert_eq!(sqlstate(app.execute("select workshop.plant()", &[]).await), "22023");
}

#[tokio::test]
async fn a_function_of_the_caller_inside_a_policy_sees_the_same_person() {
    let db = Database::new().await;
    db.superuser().await.batch_execute("create schema workshop authorization app_login").await.unwrap();
    let app = db.app().await;
    app.batch_execute(&format!(
        "create function workshop.me() returns text language plpgsql stable security definer set search_path = pg_catalog, pg_temp as
           'begin return identity.subject(); end';
         create function workshop.try(token text) returns boolean language plpgsql volatile as $$
         begin
           perform identity.authenticate(token);
           return true;
         exception when sqlstate 'ID201' then
           return false;
         end $$;
         create table workshop.notes (person text, body text);
         insert into workshop.notes values ('{ALICE}', 'a'), ('{BOB}', 'b');
         alter table workshop.notes enable row level security, force row level security;
         create policy own on workshop.notes using (person = workshop.me());
         create view workshop.definer as select * from workshop.notes;
         create view workshop.invoker with (security_invoker = true) as select * from workshop.notes"
    ))
    .await
    .unwrap();
    let bob = token_of(&db, BOB).await;
    for table in ["notes", "definer", "invoker"] {
        for (person, own) in [(ALICE, "a"), (BOB, "b")] {
            sign_in(&db, &app, person).await;
            let rows = app.query(&format!("select body from workshop.{table}"), &[]).await.unwrap();
            assert_eq!(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), [own], "{table}");
            // In the middle of the statement nobody becomes somebody else.
            let rows = app
                .query(&format!("select body from workshop.{table} where workshop.try($1) or true"), &[&bob])
                .await
                .unwrap();
            assert_eq!(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), [own], "{table}");
            app.batch_execute("commit").await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_application_role_has_nothing_of_the_store_nor_of_our_tables() {
    let db = Database::new().await;
    let (app, superuser) = (db.app().await, db.superuser().await);
    let relations = superuser
        .query(
            "select format('%I.%I', n.nspname, c.relname), c.relkind::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname in ('identity', 'identity_store') and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
               -- A view over PostgreSQL's own catalog, which everybody may read.
               and c.oid <> 'identity.policies'::regclass",
            &[],
        )
        .await
        .unwrap();
    assert!(relations.len() > 20, "{}", relations.len());
    for row in &relations {
        let (relation, kind): (&str, &str) = (row.get(0), row.get(1));
        let mut attempts = vec![format!("select from {relation}"), format!("copy {relation} to stdout")];
        if kind != "S" {
            attempts.extend([
                format!("insert into {relation} default values"),
                format!("delete from {relation}"),
                format!("truncate {relation}"),
                format!("lock table {relation}"),
                format!("create trigger t after insert on {relation} execute function pg_catalog.suppress_redundant_updates_trigger()"),
                format!("create policy p on {relation}"),
                format!("alter table {relation} disable row level security"),
                format!("create temporary view pg_temp.v as select * from {relation}; select from pg_temp.v"),
                format!("copy {relation} from stdin"),
                format!("analyze (verbose) {relation}"),
            ]);
        }
        for attempt in attempts {
            app.batch_execute("begin").await.unwrap();
            let outcome = sqlstate(app.batch_execute(&attempt).await);
            // ANALYZE skips, with a warning, what is not the caller's.
            assert!(
                outcome == "42501" || attempt.starts_with("analyze") && relation.starts_with("identity."),
                "{attempt}: {outcome}"
            );
            app.batch_execute("rollback").await.unwrap();
        }
    }
    for attempt in [
        "create table identity.t ()",
        "create table identity_store.t ()",
        "create function identity.user_id(text) returns uuid language sql as 'select null::uuid'",
        "create or replace function identity.user_id() returns uuid language sql as 'select null::uuid'",
        "alter function identity.user_id() immutable",
        "drop function identity.user_id()",
        "alter extension pg_identity update",
        "drop extension pg_identity",
        "drop schema identity_store cascade",
        "select identity_store.audit('x', null, null, null)",
        "select identity_store.user_claims(null, '{}')",
        "insert into identity.audiences values ('mine')",
        "update identity.configuration set issuer = 'https://mine.example'",
        "load '$libdir/pg_identity'",
        "create function pg_temp.f(text) returns void language c as '$libdir/pg_identity', 'authenticate_wrapper'",
        "create function pg_temp.f(text, text, bool) returns text language internal as 'set_config_by_name'",
        "update pg_catalog.pg_db_role_setting set setconfig = '{}'",
        "select pg_catalog.pg_read_file('PG_VERSION')",
        "copy (select 1) to program 'true'",
        "create role somebody",
        "grant identity_admin to app_login",
        "alter role app_login superuser",
        "alter role app_login bypassrls",
        "alter role app_login replication",
        "select pg_catalog.pg_create_logical_replication_slot('s', 'test_decoding')",
        "select pg_catalog.pg_ls_logdir()",
        "select pg_catalog.lo_import('/etc/hostname')",
        "select pg_catalog.pg_reload_conf()",
        "select pg_catalog.pg_log_backend_memory_contexts(pg_catalog.pg_backend_pid())",
        "show pg_identity.master_key_file",
        "set pg_identity.argon2_memory = 19456",
        "set session_replication_role = replica",
        "set session_preload_libraries = 'x'",
        "set dynamic_library_path = '/tmp'",
        "set log_statement = 'all'",
        "create extension dblink",
    ] {
        let outcome = sqlstate(app.batch_execute(attempt).await);
        assert_eq!(outcome, "42501", "{attempt}");
    }
    // Not through any privilege or membership either, whichever way it was given.
    let open = superuser
        .query_one(
            "select array(
               select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname in ('identity', 'identity_store') and c.relkind in ('r', 'p', 'v', 'm', 'f')
                 and (has_table_privilege('app_login', c.oid, 'select,insert,update,delete,truncate,references,trigger')
                   or has_any_column_privilege('app_login', c.oid, 'select,insert,update,references'))
               union all
               select p.oid::regprocedure::text from pg_proc p
               where p.pronamespace = 'identity_store'::regnamespace and has_function_privilege('app_login', p.oid, 'execute')
               union all
               select n.nspname from pg_namespace n
               where n.nspname = 'identity_store' and has_schema_privilege('app_login', n.oid, 'usage,create')
                 or n.nspname = 'identity' and has_schema_privilege('app_login', n.oid, 'create')
               union all
               select r.rolname from pg_roles r
               where r.rolname not in ('app_login', 'identity_app') and pg_has_role('app_login', r.oid, 'member'))::text[]",
            &[],
        )
        .await
        .unwrap();
    // A view over PostgreSQL's own catalog, read with the rights of whoever asks.
    assert_eq!(open.get::<_, Vec<String>>(0), ["identity.policies"]);
}

#[tokio::test]
async fn the_application_role_sees_and_stops_nobody_elses_work() {
    let db = Database::new().await;
    let (app, gateway) = (db.app().await, db.gateway_role().await);
    let process: i32 =
        gateway.query_one("select pg_backend_pid() /* what the gateway asks */", &[]).await.unwrap().get(0);
    let seen = app.query("select query from pg_stat_activity where pid = $1", &[&process]).await.unwrap();
    assert_eq!(seen.iter().map(|row| row.get(0)).collect::<Vec<&str>>(), ["<insufficient privilege>"]);
    for stop in ["pg_cancel_backend", "pg_terminate_backend"] {
        assert_eq!(sqlstate(app.query(&format!("select {stop}($1)"), &[&process]).await), "42501");
    }
    gateway.batch_execute("select 1").await.unwrap();
}
