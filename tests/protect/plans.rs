//! How PostgreSQL runs what protect wrote: readers and memberships once a statement, rows by an index.

use serde_json::{Value, json};

use super::notes;
use super::rules::sign_in;
use crate::jwt::{ALICE, BOB};
use crate::support::Database;

#[tokio::test]
async fn readers_are_evaluated_once_and_rows_found_by_an_index() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(&format!(
            "alter table notes.notes add org_id text, add project integer, alter user_id drop not null;
             insert into notes.notes (user_id, org_id, project, body, number)
               select md5(n::text)::uuid, 'org ' || n % 1000, n % 5000, n::text, n from generate_series(1, 30000) n;
             update notes.notes set org_id = 'acme', project = 5001 where body in ('a', 'b', 'c');
             create index on notes.notes (number);
             create table notes.shares (note_id integer references notes.notes on delete cascade, user_id uuid);
             insert into notes.shares select id, md5(body)::uuid from notes.notes;
             insert into notes.shares select id, '{ALICE}' from notes.notes where body = 'b';
             create table notes.memberships (project integer, user_id uuid);
             insert into notes.memberships select n, md5((n % 50)::text)::uuid from generate_series(1, 5000) n;
             insert into notes.memberships values (5001, '{ALICE}');
             grant select on notes.shares, notes.memberships to app_login"
        ))
        .await
        .unwrap();
    let superuser = db.superuser().await;
    let app = db.app().await;
    for (rules, claims, rows) in [
        ("owner => 'user_id'", json!({}), 1),
        ("owner => 'user_id', role => 'admin'", json!({}), 1),
        ("owner => 'user_id', organization => 'org_id'", json!({ "org_id": "acme" }), 1),
        ("organization => 'org_id', role => 'admin'", json!({ "org_id": "acme", "roles": ["admin"] }), 3),
        (
            "organization => 'org_id', scope_read => 'r', scope_write => 'w', agents => 'read'",
            json!({ "org_id": "acme", "scope": "r w" }),
            3,
        ),
        ("members => 'notes.shares'", json!({}), 1),
        ("members => 'notes.shares', role => 'admin'", json!({}), 1),
        ("owner => 'user_id', members => 'notes.shares', role => 'admin'", json!({}), 2),
        (
            "owner => 'user_id', members => 'notes.shares', role => 'admin', organization => 'org_id'",
            json!({ "org_id": "acme" }),
            2,
        ),
        ("members => 'notes.memberships', members_row => 'project', members_key => 'project'", json!({}), 3),
    ] {
        owner
            .batch_execute(&format!("select identity.protect('notes.notes', {rules}, replace => true)"))
            .await
            .unwrap();
        superuser.batch_execute("analyze notes.notes, notes.shares, notes.memberships").await.unwrap();
        sign_in(&db, &app, claims).await;
        for query in [
            "select * from notes.notes",
            "select * from notes.notes order by number limit 10",
            "update notes.notes set body = body || '!'",
            "delete from notes.notes where body <> 'x'",
        ] {
            app.batch_execute("savepoint before").await.unwrap();
            let explain = format!("explain (analyze, verbose, timing off, format json) {query}");
            let plan: Value = app.query_one(&explain, &[]).await.unwrap().get(0);
            app.batch_execute("rollback to before").await.unwrap();
            let said = format!("{rules}\n{query}\n{plan:#}");
            let mut nodes = Vec::new();
            flatten(&plan[0]["Plan"], &mut nodes);
            for node in &nodes {
                // Each table by an index.
                assert_ne!(node["Node Type"], "Seq Scan", "{said}");
                if node["Parent Relationship"] == "InitPlan" {
                    assert!(node["Actual Loops"].as_u64().unwrap() <= 1, "{said}");
                }
                // Readers only where PostgreSQL works them out in advance: a result without a table.
                if node["Node Type"] != "Result" {
                    assert!(!mentions_reader(node), "{said}");
                }
            }
            // A number with a fraction from PostgreSQL 18 on.
            let found = nodes
                .iter()
                .filter(|node| node["Alias"] == "notes" && node["Node Type"] != "ModifyTable")
                .map(|node| node["Actual Rows"].as_f64().unwrap())
                .fold(0.0, f64::max);
            assert_eq!(found, f64::from(rows), "{said}");
        }
        app.batch_execute("rollback").await.unwrap();
    }
    // Who holds the role gets everything, nobody's rows too.
    owner
        .batch_execute(
            "select identity.protect('notes.notes', 'user_id', role => 'admin', replace => true); update notes.notes set body = body",
        )
        .await
        .unwrap();
    sign_in(&db, &app, json!({ "sub": BOB, "roles": ["admin"] })).await;
    assert_eq!(app.query("select from notes.notes", &[]).await.unwrap().len(), 30003);
}

fn flatten(node: &Value, into: &mut Vec<Value>) {
    let mut alone = node.clone();
    alone.as_object_mut().unwrap().remove("Plans");
    into.push(alone);
    for below in node["Plans"].as_array().into_iter().flatten() {
        flatten(below, into);
    }
}

fn mentions_reader(node: &Value) -> bool {
    // What it returns may be the column's default or the caller's own call; what it filters by is the policy's.
    node.as_object().unwrap().iter().any(|(name, value)| name != "Output" && value.to_string().contains("identity."))
}
