//! What protect warns of, and protect_check finds at any time: the ways past the policies.

use tokio_postgres::Client;

use super::{listening, notes};
use crate::jwt::sqlstate;
use crate::support::Database;

#[tokio::test]
async fn it_warns_of_what_is_left_open() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "grant select on notes.notes to public;
             create policy everything on notes.notes using (true);",
        )
        .await
        .unwrap();
    let mut config = db.cluster.config("table_owner", &db.name);
    let (client, mut said) = listening(config.options("-c client_min_messages=warning")).await;
    client.batch_execute("select identity.protect('notes.notes')").await.unwrap();
    drop(client);
    let expected = [
        "policy everything on notes.notes is permissive: its rows are allowed in addition to what protect allows",
        "public has privileges on notes.notes and does not inherit identity_app: its queries will fail",
    ];
    for message in expected {
        assert_eq!(said.recv().await.as_deref(), Some(message));
    }
    assert_eq!(said.recv().await, None);
    // The same may be asked at any time.
    assert_eq!(findings(&owner).await, expected);
    owner
        .batch_execute("drop policy everything on notes.notes; revoke select on notes.notes from public")
        .await
        .unwrap();
    assert_eq!(findings(&owner).await, [""; 0]);
}

async fn findings(client: &Client) -> Vec<String> {
    let rows = client.query("select finding from identity.protect_check('notes.notes')", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn it_warns_of_privileges_that_no_policy_binds() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute("select identity.protect('notes.notes'); grant all on notes.notes to app_login").await.unwrap();
    assert_eq!(
        findings(&owner).await,
        ["app_login has references, trigger, truncate on notes.notes, which no policy binds"]
    );
    // The hint is what to run.
    let hint: String =
        owner.query_one("select hint from identity.protect_check('notes.notes')", &[]).await.unwrap().get(0);
    owner.batch_execute(hint.strip_prefix("Run: ").unwrap()).await.unwrap();
    assert_eq!(findings(&owner).await, [""; 0]);
    assert_eq!(sqlstate(db.app().await.batch_execute("truncate notes.notes").await), "42501");
}

#[tokio::test]
async fn it_warns_of_relatives_and_views_that_show_the_same_rows() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "create table notes.drafts () inherits (notes.notes);
             create table notes.everything (user_id uuid, body text);
             alter table notes.notes inherit notes.everything;
             create materialized view notes.copy as select * from notes.notes;
             create view notes.harmless as select * from notes.notes;
             grant select on notes.drafts, notes.everything, notes.copy, notes.harmless to app_login;
             reset role;
             create view notes.of_superuser as select * from notes.notes;
             create view notes.of_invoker with (security_invoker = on) as select * from notes.notes;
             create view notes.for_itself as select * from notes.notes;
             grant select on notes.of_superuser, notes.of_invoker to app_login;
             set role table_owner;
             select identity.protect('notes.notes')",
        )
        .await
        .unwrap();
    let mut found = findings(&owner).await;
    found.sort();
    assert_eq!(
        found,
        [
            "child notes.drafts can be queried by itself, past the policies of notes.notes",
            "materialized view notes.copy holds a copy of rows of notes.notes, which no policy guards",
            "rows of notes.notes are seen through its parent notes.everything, past its policies",
            "view notes.of_superuser shows all rows of notes.notes: it reads with the rights of its owner, whom no policy binds",
        ]
    );
    // What it does not speak of shows nothing: the owner of the table is bound too.
    let app = db.app().await;
    for (table, rows) in [("harmless", 0), ("of_invoker", 0), ("of_superuser", 3)] {
        assert_eq!(app.query(&format!("select from notes.{table}"), &[]).await.unwrap().len(), rows, "{table}");
    }
    owner.batch_execute("reset role; alter view notes.of_superuser set (security_invoker = true)").await.unwrap();
    assert_eq!(app.query("select from notes.of_superuser", &[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn it_is_seen_when_somebody_loosens_the_protection() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    let protect = "select identity.protect('notes.notes')";
    owner.batch_execute(protect).await.unwrap();
    for (loosened, found) in [
        ("alter table notes.notes disable row level security", "row-level security of notes.notes is off"),
        (
            "alter table notes.notes no force row level security",
            "the owner of notes.notes is not bound by its policies",
        ),
        (
            "alter policy identity_select on notes.notes using (true)",
            "policy identity_select on notes.notes is not what protect wrote",
        ),
        (
            "alter policy identity_update on notes.notes with check (true)",
            "policy identity_update on notes.notes is not what protect wrote",
        ),
        (
            "alter policy identity_insert on notes.notes with check (user_id = (select identity.user_id()) or body = 'x')",
            "policy identity_insert on notes.notes is not what protect wrote",
        ),
        (
            "alter policy identity_delete on notes.notes to app_login",
            "policy identity_delete on notes.notes is not what protect wrote",
        ),
        (
            "drop policy identity_delete on notes.notes",
            "policy identity_delete on notes.notes is not what protect wrote",
        ),
    ] {
        owner.batch_execute(loosened).await.unwrap();
        assert_eq!(findings(&owner).await, [found], "{loosened}");
        // And the hint mends it.
        let hint: String =
            owner.query_one("select hint from identity.protect_check('notes.notes')", &[]).await.unwrap().get(0);
        owner.batch_execute(hint.strip_prefix("Run: ").unwrap()).await.unwrap();
        assert_eq!(findings(&owner).await, [""; 0], "{loosened}");
    }
    // A table that nobody protected is not one where nothing was found.
    owner.batch_execute("create table notes.bare (user_id uuid)").await.unwrap();
    let bare = owner.query("select finding from identity.protect_check('notes.bare')", &[]).await.unwrap();
    assert_eq!(bare.len(), 5);
}
