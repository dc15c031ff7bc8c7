//! Protect: one call, and everybody sees their own rows only.

mod again;
mod check;
mod generated;
mod leaks;
mod members;
mod moves;
mod plans;
mod policies;
mod refusals;
mod replace;
pub mod rules;

use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::Database;

/// A table `notes` of alice and bob, owned by a role that is not a superuser.
async fn notes(db: &Database) -> Client {
    let superuser = db.superuser().await;
    superuser
        .batch_execute(&format!(
            "do $$ begin create role table_owner login; exception when duplicate_object or unique_violation then null; end $$;
             grant identity_app to table_owner;
             create schema notes authorization table_owner; grant usage on schema notes to app_login;
             set role table_owner;
             create table notes.notes (id serial primary key, user_id uuid not null, body text, number integer);
             insert into notes.notes (user_id, body) values ('{ALICE}', 'a'), ('{BOB}', 'b'), ('{BOB}', 'c');
             grant select, insert, update, delete on notes.notes to app_login; grant usage on sequence notes.notes_id_seq to app_login;"
        ))
        .await
        .unwrap();
    superuser
}

/// A connection, and what the server says on it beside its answers.
async fn listening(config: &Config) -> (Client, UnboundedReceiver<String>) {
    let (client, mut connection) = config.connect(NoTls).await.unwrap();
    let (sender, said) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                let _ = sender.send(notice.message().to_owned());
            }
        }
    });
    (client, said)
}

async fn bodies(client: &Client) -> Vec<String> {
    let rows = client.query("select body from notes.notes order by id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// What is written in the catalog about the tables of `notes`: policies, indexes, defaults, comments, row-level security.
async fn catalog(client: &Client) -> String {
    client
        .query_one(
            "select string_agg(line, E'\\n' order by line) from (
               select concat_ws(' ', c.oid::regclass, c.relrowsecurity, c.relforcerowsecurity)
               from pg_class c where c.relnamespace = 'notes'::regnamespace and c.relkind in ('r', 'p')
               union all
               select concat_ws(' ', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid),
                 '/', pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy'))
               from pg_policy p
               union all
               select concat_ws(' ', pg_get_indexdef(i.indexrelid), obj_description(i.indexrelid, 'pg_class'))
               from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'notes'::regnamespace
               union all
               select concat_ws(' ', d.adrelid::regclass, d.adnum, pg_get_expr(d.adbin, d.adrelid))
               from pg_attrdef d join pg_class c on c.oid = d.adrelid where c.relnamespace = 'notes'::regnamespace
             ) lines (line)",
            &[],
        )
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn everybody_sees_and_changes_their_own_rows_only() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute("select identity.protect('notes.notes')").await.unwrap();
    let app = db.app().await;
    assert!(bodies(&app).await.is_empty());
    // The owner of the table is bound too.
    assert!(bodies(&owner).await.is_empty());
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, json!({ "sub": BOB })).await).await.unwrap();
    assert_eq!(bodies(&app).await, ["b", "c"]);
    assert_eq!(app.execute("update notes.notes set body = body || '!'", &[]).await.unwrap(), 2);
    assert_eq!(app.execute("delete from notes.notes where body = 'c!'", &[]).await.unwrap(), 1);
    app.batch_execute(&format!("insert into notes.notes (user_id, body) values ('{BOB}', 'd')")).await.unwrap();
    assert_eq!(bodies(&app).await, ["b!", "d"]);
    for statement in [
        format!("insert into notes.notes (user_id, body) values ('{ALICE}', 'x')"),
        format!("update notes.notes set user_id = '{ALICE}'"),
    ] {
        app.batch_execute("savepoint a").await.unwrap();
        assert_eq!(sqlstate(app.batch_execute(&statement).await), "42501", "{statement}");
        app.batch_execute("rollback to a").await.unwrap();
    }
    app.batch_execute("commit").await.unwrap();
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, json!({})).await).await.unwrap();
    assert_eq!(bodies(&app).await, ["a"]);
}

#[tokio::test]
async fn it_may_be_called_again_and_makes_one_index() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    for _ in 0..3 {
        owner.batch_execute("select identity.protect('notes.notes', owner => 'user_id')").await.unwrap();
    }
    let row = owner
        .query_one(
            "select (select count(*) from pg_policy where polrelid = 'notes.notes'::regclass),
               (select count(*) from pg_index where indrelid = 'notes.notes'::regclass),
               (select relrowsecurity and relforcerowsecurity from pg_class where oid = 'notes.notes'::regclass)",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, bool>(2)), (4, 2, true));
}

#[tokio::test]
async fn what_cannot_be_protected_is_refused_and_left_alone() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "create view notes.all_notes as select * from notes.notes;
             create materialized view notes.copy as select * from notes.notes;
             create table notes.texts (user_id text);
             create table notes.two (user_id uuid, owner_id uuid);
             create table notes.parts (user_id uuid) partition by hash (user_id);
             create table notes.part partition of notes.parts for values with (modulus 1, remainder 0);
             create table notes.\"odd \"\"name\" (\"user id\" uuid);",
        )
        .await
        .unwrap();
    for arguments in [
        "'notes.all_notes'",
        "'notes.copy'",
        "'notes.notes_id_seq'",
        "'notes.notes', 'nothing'",
        "'notes.notes', 'body'",
        "'notes.notes', 'ctid'",
        "'notes.texts'",
        "'notes.texts', 'user_id'",
        "'notes.two'",
        "'notes.part'",
        "'pg_class', 'oid'",
        "null",
    ] {
        assert_eq!(
            sqlstate(owner.batch_execute(&format!("select identity.protect({arguments})")).await),
            "ID005",
            "{arguments}"
        );
    }
    let app = db.app().await;
    assert_eq!(sqlstate(app.batch_execute("select identity.protect('notes.notes')").await), "ID005");
    let touched: i64 = owner
        .query_one("select count(*) from pg_class where relnamespace = 'notes'::regnamespace and relrowsecurity", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(touched, 0);
    owner
        .batch_execute("select identity.protect('notes.parts'), identity.protect('notes.\"odd \"\"name\"', 'user id')")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_large_table_is_not_locked_for_an_index() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(&format!(
            "insert into notes.notes (user_id, body) select '{ALICE}', repeat('x', 7000) from generate_series(1, 10);
             alter table notes.notes alter column body set storage plain;
             insert into notes.notes (user_id, body) select '{ALICE}', repeat('x', 7000) from generate_series(1, 9000)"
        ))
        .await
        .unwrap();
    let error = owner.batch_execute("select identity.protect('notes.notes')").await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "ID005");
    let hint = error.hint().unwrap();
    assert!(hint.ends_with("create index concurrently on notes.notes (user_id);"), "{hint}");
    let changed: bool = owner
        .query_one("select relrowsecurity from pg_class where oid = 'notes.notes'::regclass", &[])
        .await
        .unwrap()
        .get(0);
    assert!(!changed);
    owner.batch_execute("create index concurrently on notes.notes (user_id)").await.unwrap();
    owner.batch_execute("select identity.protect('notes.notes')").await.unwrap();
}
