//! `gateway migrate`: applies what is new, refuses what does not fit, never takes what is not its own.

use std::process::{Command, Stdio};

use tokio_postgres::Client;

use crate::support::{Database, Gateway, Login};

/// Runs it: whether it succeeded, and all that it said.
fn migrate(db: &Database, environment: &[(&str, &str)]) -> (bool, String) {
    finish(Gateway::command("migrate", db, environment))
}

fn finish(mut command: Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Name, digest and definition of everything in the store.
async fn state(client: &Client) -> Vec<String> {
    let sql =
        "select p.oid::regprocedure || ' ' || md5(pg_get_functiondef(p.oid)) || ' ' || coalesce(p.proacl::text, '')
               from pg_proc p where p.pronamespace in ('identity'::regnamespace, 'identity_store'::regnamespace)
               union all
               select format('%s.%s %s', a.attrelid::regclass, a.attname, a.atttypid::regtype)
               from pg_attribute a join pg_class c on c.oid = a.attrelid
               where c.relnamespace = 'identity_store'::regnamespace and a.attnum > 0 and c.relkind in ('r', 'p')
               union all
               select format('%s %s %s', version, checksum, applied_at) from identity_store.migrations
               union all
               select format('%s %s', version, migrated_at) from identity_store.store
               order by 1";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// A database with the extension and without the store.
pub async fn without_a_store() -> Database {
    let mut db = Database::new().await;
    let superuser = db.superuser().await;
    let name = format!("{}_bare", db.name);
    superuser.batch_execute(&format!("create database {name}")).await.unwrap();
    db.name = name;
    db.superuser().await.batch_execute("create extension pg_identity").await.unwrap();
    db
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    let before = state(&superuser).await;
    let (success, said) = migrate(&db, &[]);
    assert!(success && said.contains(" 0 migrations applied"), "{said}");
    assert_eq!(state(&superuser).await, before);
}

#[tokio::test]
async fn an_empty_database_becomes_a_store_also_when_two_migrate_at_once() {
    let db = without_a_store().await;
    let commands = [Gateway::command("migrate", &db, &[]), Gateway::command("migrate", &db, &[])];
    let running = commands.map(|command| std::thread::spawn(move || finish(command)));
    let said: Vec<_> = running.into_iter().map(|running| running.join().unwrap()).collect();
    assert!(said.iter().all(|(success, _)| *success), "{said:?}");
    let applied: usize = said.iter().map(|(_, said)| said.matches("applying ").count()).sum();
    let superuser = db.superuser().await;
    let recorded: i64 =
        superuser.query_one("select count(*) from identity_store.migrations", &[]).await.unwrap().get(0);
    assert_eq!(applied, usize::try_from(recorded).unwrap());
    let strangers: i64 = superuser
        .query_one(
            "select count(*) from pg_class c where c.relnamespace = 'identity_store'::regnamespace and c.relowner <> 'identity_owner'::regrole",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(strangers, 0);
}

#[tokio::test]
async fn a_migration_that_changed_after_it_was_applied_is_refused() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    superuser.execute("update identity_store.migrations set checksum = 'other' where version = 2", &[]).await.unwrap();
    let before = state(&superuser).await;
    let (success, said) = migrate(&db, &[]);
    assert!(!success && said.contains("migration 0002_users.sql was changed after it was applied"), "{said}");
    assert_eq!(state(&superuser).await, before);
}

#[tokio::test]
async fn a_store_that_is_newer_and_a_record_with_a_gap_are_refused() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    let insert = "insert into identity_store.migrations (version, name, checksum) select max(version) + 1, '9999_future.sql', 'x' from identity_store.migrations";
    superuser.execute(insert, &[]).await.unwrap();
    let (success, said) = migrate(&db, &[]);
    assert!(!success && said.contains("newer than this gateway: it has migration 9999_future.sql"), "{said}");
    superuser.execute("delete from identity_store.migrations where version = 2", &[]).await.unwrap();
    let (success, said) = migrate(&db, &[]);
    assert!(!success && said.contains("migration 2 is missing in this database"), "{said}");
}

#[tokio::test]
async fn a_function_that_disappeared_is_dropped_and_nobody_else_s_is() {
    let db = Database::new().await;
    let owner = db.owner().await;
    owner
        .batch_execute(
            "create function identity.retired(a text, b integer default 1) returns text language sql as 'select a';
             create function identity.not_ours() returns text language sql as $$ select 'mine' $$;
             insert into identity_store.functions (signature, file) values ('identity.retired(text,integer)', 'retired.sql');",
        )
        .await
        .unwrap();
    let (success, said) = migrate(&db, &[]);
    assert!(success && said.contains("dropping identity.retired(text,integer)"), "{said}");
    let left: Vec<String> = owner
        .query("select proname::text from pg_proc where proname in ('retired', 'not_ours')", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(left, ["not_ours"]);
}

#[tokio::test]
async fn a_function_that_something_depends_on_stops_the_whole_replacement() {
    let db = Database::new().await;
    let owner = db.owner().await;
    owner
        .batch_execute(
            "create function identity.retired() returns text language sql as $$ select 'x' $$;
             insert into identity_store.functions (signature, file) values ('identity.retired()', 'retired.sql');
             drop function identity.userinfo_read(text);",
        )
        .await
        .unwrap();
    db.superuser().await.batch_execute("create view public.uses_it as select identity.retired()").await.unwrap();
    let before = state(&owner).await;
    let (success, said) = migrate(&db, &[]);
    assert!(
        !success && said.contains("dropping identity.retired(): cannot drop function identity.retired()"),
        "{said}"
    );
    assert_eq!(state(&owner).await, before);
}

#[tokio::test]
async fn what_was_changed_by_hand_is_put_right() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    let definition = "select prosrc from pg_proc where oid = 'identity.readiness()'::regprocedure";
    let before: String = superuser.query_one(definition, &[]).await.unwrap().get(0);
    superuser
        .batch_execute(
            "create or replace function identity.readiness() returns table (outcome text, detail text, answer json)
               language sql as $$ select 'ok'::text, null::text, '{}'::json $$;
             alter function identity.readiness() security invoker;",
        )
        .await
        .unwrap();
    assert!(migrate(&db, &[]).0);
    let after: String = superuser.query_one(definition, &[]).await.unwrap().get(0);
    assert_eq!(after, before);
}

#[tokio::test]
async fn an_extension_that_is_missing_or_does_not_fit_is_named_with_the_statement_to_run() {
    let db = Database::new().await;
    let elsewhere = db.url(Login::Migrate).replace(&format!("/{}", db.name), "/postgres");
    let (success, said) = migrate(&db, &[("GATEWAY_MIGRATE_DATABASE_URL", &elsewhere)]);
    assert!(!success && said.contains("hint: as a superuser: create extension pg_identity"), "{said}");
    let superuser = db.superuser().await;
    let build: String = superuser.query_one("select identity.build()", &[]).await.unwrap().get(0);
    superuser
        .batch_execute("create or replace function identity.installed_build() returns text language sql immutable parallel safe as $$ select 'of yesterday' $$")
        .await
        .unwrap();
    let before = state(&superuser).await;
    let (success, said) = migrate(&db, &[]);
    assert!(!success && said.contains(&build) && said.contains("of yesterday"), "{said}");
    assert!(said.contains("alter extension pg_identity update"), "{said}");
    assert_eq!(state(&superuser).await, before);
    // The gateway does not serve such a database either.
    let (success, said) = finish(Gateway::command("check", &db, &[]));
    assert!(!success && said.contains("its SQL of build of yesterday"), "{said}");
}

#[tokio::test]
async fn a_role_that_is_no_owner_is_told_what_to_grant() {
    let db = Database::new().await;
    let (success, said) = migrate(&db, &[("GATEWAY_MIGRATE_DATABASE_URL", &db.url(Login::Gateway))]);
    assert!(!success && said.contains("role gateway_login is not a member of identity_owner"), "{said}");
    let mut command = Gateway::command("migrate", &db, &[]);
    command.env_remove("GATEWAY_MIGRATE_DATABASE_URL");
    let (success, said) = finish(command);
    // Neither does it fall back to the URL of serve.
    assert!(!success && said.contains("migrate.url: not set"), "{said}");
}

#[tokio::test]
async fn the_store_says_which_one_it_is() {
    let db = Database::new().await;
    let (_, said) = migrate(&db, &[]);
    let version: String =
        db.superuser().await.query_one("select version from identity_store.store", &[]).await.unwrap().get(0);
    assert!(said.starts_with(&format!("store {version}: ")), "{said}");
}
