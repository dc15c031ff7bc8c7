//! Each argument of protect, and combinations, as people and agents meet them.

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::notes;
use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::Database;

/// Begins a transaction with these claims.
pub async fn sign_in(db: &Database, client: &Client, claims: Value) {
    client.batch_execute("rollback; begin").await.unwrap();
    authenticate(client, &access_token(db, claims).await).await.unwrap();
}

/// What the statement does: the bodies it returns, or its SQLSTATE. It is undone.
pub async fn outcome(client: &Client, statement: &str) -> String {
    client.batch_execute("savepoint tried").await.unwrap();
    let outcome = match client.query(statement, &[]).await {
        Ok(rows) => {
            rows.iter().map(|row| row.get::<_, Option<&str>>(0).unwrap_or("null")).collect::<Vec<_>>().join(" ")
        }
        refused => sqlstate(refused),
    };
    client.batch_execute("rollback to tried").await.unwrap();
    outcome
}

const ACME: &str = "a0000000-0000-0000-0000-00000000000a";

/// Notes of two people in two organizations, and one of nobody.
async fn of_organizations(db: &Database, protect: &str) -> Client {
    let owner = notes(db).await;
    owner
        .batch_execute(&format!(
            "alter table notes.notes add org_id text, add team_id uuid, alter user_id drop not null;
             update notes.notes set org_id = 'acme', team_id = '{ACME}' where body in ('a', 'b');
             update notes.notes set org_id = 'other', team_id = gen_random_uuid() where body = 'c';
             insert into notes.notes (body, org_id, team_id) values ('n', 'acme', '{ACME}');
             select identity.protect('notes.notes', {protect})"
        ))
        .await
        .unwrap();
    owner
}

const ALL: &str = "select body from notes.notes order by body";
const UPDATE: &str = "with u as (update notes.notes set number = 1 returning body) select body from u order by body";
const DELETE: &str = "with d as (delete from notes.notes returning body) select body from d order by body";

/// What can be seen, changed and deleted.
async fn reach(db: &Database, client: &Client, claims: Value) -> [String; 3] {
    sign_in(db, client, claims).await;
    [outcome(client, ALL).await, outcome(client, UPDATE).await, outcome(client, DELETE).await]
}

#[tokio::test]
async fn an_organization_bounds_owners_and_holders_of_the_role() {
    let db = Database::new().await;
    of_organizations(&db, "owner => 'user_id', organization => 'org_id', role => 'notes:admin'").await;
    let app = db.app().await;
    for (claims, rows) in [
        (json!({ "sub": BOB }), ""),
        (json!({ "sub": BOB, "org_id": "acme" }), "b"),
        (json!({ "sub": BOB, "org_id": "other" }), "c"),
        (json!({ "sub": ALICE, "org_id": "other" }), ""),
        // Also rows that are nobody's.
        (json!({ "sub": ALICE, "org_id": "acme", "roles": ["notes:admin"] }), "a b n"),
        (json!({ "sub": ALICE, "roles": ["notes:admin"] }), ""),
        (json!({ "sub": "app", "org_id": "acme", "roles": ["notes:admin"] }), "a b n"),
        (json!({ "sub": ALICE, "org_id": "acme", "roles": ["notes:administrator"] }), "a"),
    ] {
        assert_eq!(reach(&db, &app, claims.clone()).await, [rows; 3], "{claims}");
    }
    // No row leaves the tenant, not even by an administrator; people cannot give theirs away.
    sign_in(&db, &app, json!({ "org_id": "acme", "roles": ["notes:admin"] })).await;
    assert_eq!(outcome(&app, "update notes.notes set org_id = 'other'").await, "42501");
    assert_eq!(outcome(&app, "update notes.notes set org_id = null").await, "42501");
    assert_eq!(outcome(&app, &format!("update notes.notes set user_id = '{BOB}' returning body")).await, "a b n");
    sign_in(&db, &app, json!({ "org_id": "acme" })).await;
    assert_eq!(outcome(&app, &format!("update notes.notes set user_id = '{BOB}'")).await, "42501");
    // What is not said is filled in.
    assert_eq!(outcome(&app, "insert into notes.notes (body) values ('x') returning user_id::text").await, ALICE);
    assert_eq!(outcome(&app, "insert into notes.notes (body) values ('x') returning org_id").await, "acme");
    assert_eq!(outcome(&app, "insert into notes.notes (body, org_id) values ('x', 'other')").await, "42501");
}

#[tokio::test]
async fn an_organization_alone_lets_in_everybody_of_it() {
    let db = Database::new().await;
    let owner = of_organizations(&db, "organization => 'team_id'").await;
    let app = db.app().await;
    for (claims, rows) in [
        (json!({ "org_id": ACME }), "a b n"),
        (json!({ "org_id": ACME.to_uppercase() }), "a b n"),
        (json!({ "sub": "app", "org_id": ACME }), "a b n"),
        (json!({}), ""),
        // An organization that is no uuid is nowhere, and no error.
        (json!({ "org_id": "acme" }), ""),
        (json!({ "org_id": format!("{{{ACME}}}") }), ""),
    ] {
        assert_eq!(reach(&db, &app, claims.clone()).await, [rows; 3], "{claims}");
    }
    sign_in(&db, &app, json!({ "org_id": ACME })).await;
    assert_eq!(outcome(&app, "insert into notes.notes (body) values ('x') returning team_id::text").await, ACME);
    // With a role beside it, being of the organization is not enough.
    owner
        .batch_execute(
            "select identity.protect('notes.notes', organization => 'team_id', role => 'boss', replace => true)",
        )
        .await
        .unwrap();
    assert_eq!(reach(&db, &app, json!({ "org_id": ACME })).await, [""; 3]);
    assert_eq!(reach(&db, &app, json!({ "org_id": ACME, "roles": ["boss"] })).await, ["a b n"; 3]);
    app.batch_execute("rollback").await.unwrap();
    assert_eq!(app.query(ALL, &[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn scopes_bound_the_commands_they_are_for() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    let app = db.app().await;
    owner
        .batch_execute("select identity.protect('notes.notes', 'user_id', scope_read => 'notes:read', scope_write => 'notes:write')")
        .await
        .unwrap();
    let insert = "insert into notes.notes (body) values ('x')";
    for (scope, seen, changed, inserted) in [
        ("", "", "", "42501"),
        ("notes:read", "a", "", "42501"),
        ("notes:write", "", "", ""),
        ("notes:read notes:write", "a", "a", ""),
        ("notes:readwrite notes", "", "", "42501"),
    ] {
        assert_eq!(reach(&db, &app, json!({ "scope": scope })).await, [seen, changed, changed], "{scope}");
        assert_eq!(outcome(&app, insert).await, inserted, "{scope}");
    }
    // Alone they are the way in; what has no scope nobody may do.
    owner
        .batch_execute("select identity.protect('notes.notes', scope_read => 'notes:read', replace => true)")
        .await
        .unwrap();
    assert_eq!(reach(&db, &app, json!({ "scope": "notes:read" })).await, ["a b c", "", ""]);
    assert_eq!(outcome(&app, insert).await, "42501");
    assert_eq!(reach(&db, &app, json!({ "scope": "notes:write" })).await, [""; 3]);
    owner
        .batch_execute("select identity.protect('notes.notes', scope_write => 'notes:write', replace => true)")
        .await
        .unwrap();
    assert_eq!(reach(&db, &app, json!({ "scope": "notes:write" })).await, [""; 3]);
    assert_eq!(outcome(&app, &format!("insert into notes.notes (user_id, body) values ('{BOB}', 'x')")).await, "");
}

#[tokio::test]
async fn an_agent_does_what_it_may_and_no_more_than_its_person() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    let app = db.app().await;
    let person = json!({ "scope": "notes:read" });
    let agent = json!({ "scope": "notes:read", "act": { "sub": "robot" } });
    let insert = "insert into notes.notes (body) values ('x')";
    for (agents, seen, changed, inserted) in
        [("deny", "", "", "42501"), ("read", "a", "", "42501"), ("write", "a", "a", "")]
    {
        let protect = format!(
            "select identity.protect('notes.notes', scope_read => 'notes:read', owner => 'user_id', agents => '{agents}', replace => true)"
        );
        owner.batch_execute(&protect).await.unwrap();
        assert_eq!(reach(&db, &app, person.clone()).await, ["a"; 3], "{agents}");
        assert_eq!(outcome(&app, insert).await, "", "{agents}");
        assert_eq!(reach(&db, &app, agent.clone()).await, [seen, changed, changed], "{agents}");
        assert_eq!(outcome(&app, insert).await, inserted, "{agents}");
        // Fewer scopes than its person.
        assert_eq!(reach(&db, &app, json!({ "act": { "sub": "robot" } })).await, [""; 3], "{agents}");
        // Whoever signs out is nobody, and nobody is not known to be human.
        app.batch_execute("select identity.sign_out()").await.unwrap();
        assert_eq!(outcome(&app, ALL).await, "", "{agents}");
    }
    // The role does not lift it.
    owner
        .batch_execute("select identity.protect('notes.notes', role => 'admin', agents => 'read', replace => true)")
        .await
        .unwrap();
    let agent = json!({ "roles": ["admin"], "act": { "sub": "robot" } });
    assert_eq!(reach(&db, &app, json!({ "roles": ["admin"] })).await, ["a b c"; 3]);
    assert_eq!(reach(&db, &app, agent).await, ["a b c", "", ""]);
}

#[tokio::test]
async fn partitions_are_bound_through_the_table_also_when_attached_later() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(&format!(
            "create table notes.events (user_id uuid, org_id text, body text, day integer) partition by range (day);
             create table notes.events_1 partition of notes.events for values from (1) to (2);
             select identity.protect('notes.events', 'user_id', organization => 'org_id');
             create table notes.events_2 (user_id uuid, org_id text, body text, day integer);
             insert into notes.events_2 values ('{ALICE}', 'acme', 'late', 2), ('{BOB}', 'acme', 'bob', 2);
             alter table notes.events attach partition notes.events_2 for values from (2) to (3);
             grant select, insert, update on notes.events to app_login"
        ))
        .await
        .unwrap();
    let app = db.app().await;
    sign_in(&db, &app, json!({ "org_id": "acme" })).await;
    app.batch_execute("insert into notes.events (body, day) values ('x', 1), ('y', 2)").await.unwrap();
    assert_eq!(outcome(&app, "select body from notes.events order by body").await, "late x y");
    // From one partition to the other.
    assert_eq!(outcome(&app, "update notes.events set day = 2 where body = 'x' returning body").await, "x");
    assert_eq!(outcome(&app, &format!("update notes.events set day = 2, user_id = '{BOB}'")).await, "42501");
    assert_eq!(outcome(&app, "select body from notes.events_2").await, "42501");
    let indexes =
        "select count(*) from pg_index where indrelid in ('notes.events_1'::regclass, 'notes.events_2'::regclass)";
    assert_eq!(owner.query_one(indexes, &[]).await.unwrap().get::<_, i64>(0), 4);
    app.batch_execute("rollback").await.unwrap();
    owner.batch_execute("select identity.unprotect('notes.events')").await.unwrap();
    assert_eq!(owner.query_one(indexes, &[]).await.unwrap().get::<_, i64>(0), 0);
}
