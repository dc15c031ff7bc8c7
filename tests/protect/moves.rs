//! Dump and restore: policies, rules, indexes and defaults of protected tables are data of the database.

use serde_json::json;

use super::rules::outcome;
use super::{catalog, notes};
use crate::dump::restored;
use crate::jwt::{ALICE, BOB, access_token, authenticate};
use crate::support::{Database, Login};

#[tokio::test]
async fn protected_tables_survive_dump_and_restore() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(&format!(
            "alter table notes.notes add org_id text; update notes.notes set org_id = 'acme';
             create table notes.shares (note_id integer references notes.notes, user_id uuid, level text);
             insert into notes.shares values (2, '{ALICE}', 'viewer');
             create table notes.events (owner uuid, team uuid, day integer) partition by range (day);
             create table notes.events_1 partition of notes.events for values from (1) to (2);
             insert into notes.events values ('{ALICE}', null, 1), ('{BOB}', null, 1);
             grant select on notes.shares to app_login; grant select, insert on notes.events to app_login;
             select identity.protect('notes.shares');
             select identity.protect('notes.notes', 'user_id', organization => 'org_id', members => 'notes.shares', members_write => 'level',
               members_writers => '{{editor}}', role => 'it''s \\admin', agents => 'read');
             select identity.protect('notes.events', 'owner')"
        ))
        .await
        .unwrap();
    let before = catalog(&owner).await;
    let superuser = restored(&db).await;
    assert_eq!(catalog(&superuser).await, before);
    for table in ["notes", "shares", "events"] {
        let findings = format!("select finding from identity.protect_check('notes.{table}')");
        assert!(superuser.query(&findings, &[]).await.unwrap().is_empty(), "{table}");
    }

    let restored = format!("{}_restored", db.name);
    let (app, connection) =
        db.cluster.config(Login::App.role(), &restored).connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, json!({ "org_id": "acme" })).await).await.unwrap();
    assert_eq!(outcome(&app, "select body from notes.notes order by body").await, "a b");
    assert_eq!(outcome(&app, "update notes.notes set body = body returning body").await, "a");
    assert_eq!(outcome(&app, "select day::text from notes.events").await, "1");
    assert_eq!(outcome(&app, "insert into notes.events (day) values (1) returning owner::text").await, ALICE);
    app.batch_execute("commit").await.unwrap();

    // What was made is known there too, and goes.
    superuser
        .batch_execute(
            "do $$ begin
               -- Its index, which notes needs too.
               assert (select count(*) from identity.unprotect('notes.shares')) = 1;
               assert (select count(*) from identity.unprotect('notes.notes')) = 0;
               assert (select count(*) from identity.unprotect('notes.events')) = 0;
             end $$",
        )
        .await
        .unwrap();
    let left = catalog(&superuser).await;
    assert!(!left.contains("identity"), "{left}");
    // And in the first database nothing has changed.
    assert_eq!(catalog(&owner).await, before);
}
