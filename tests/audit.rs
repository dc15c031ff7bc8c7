//! Audit events: who did what to whom (sql/store/functions/audit.sql).

use serde_json::{Value, json};
use uuid::Uuid;

use crate::sessions::cookie;
use crate::sign_in::{Attempt, attempt};
use crate::support::{Database, user};

async fn events(db: &Database, kinds: &[&str]) -> Vec<(String, Option<Uuid>, String, Value)> {
    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    let rows = db
        .admin()
        .await
        .query("select kind, user_id, actor, details from identity.audit_list($1)", &[&kinds])
        .await
        .unwrap();
    rows.iter().rev().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

#[tokio::test]
async fn administration_is_audited_with_the_login_that_did_it() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    admin.execute("select identity.user_update($1, '{\"name\": \"A\", \"email\": null}')", &[&alice.id]).await.unwrap();
    admin.execute("select identity.user_set_roles($1, '{editor}')", &[&alice.id]).await.unwrap();
    admin.execute("select identity.user_set_password($1, 'another password')", &[&alice.id]).await.unwrap();
    for state in ["disable", "disable", "enable", "enable", "delete"] {
        admin.execute(&format!("select identity.user_{state}($1)"), &[&alice.id]).await.unwrap();
    }
    let kinds = [
        "user_created",
        "user_updated",
        "user_roles_set",
        "password_set",
        "user_disabled",
        "user_enabled",
        "user_deleted",
    ];
    let of_alice = |kind: &str, details: Value| (kind.to_owned(), Some(alice.id), "admin_login".to_owned(), details);
    assert_eq!(
        events(&db, &kinds).await,
        [
            of_alice("user_created", json!({})),
            of_alice("user_roles_set", json!({ "added": ["reader"], "removed": [] })),
            of_alice("user_updated", json!({ "members": ["email", "name"] })),
            of_alice("user_roles_set", json!({ "added": ["editor"], "removed": ["reader"] })),
            of_alice("password_set", json!({ "removed": false })),
            of_alice("user_disabled", json!({})),
            of_alice("user_enabled", json!({})),
            of_alice("user_deleted", json!({})),
        ]
    );
}

#[tokio::test]
async fn what_a_person_does_is_audited_with_the_gateway_as_actor() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = db.gateway_role().await;
    let wrong = Attempt { username: "alice", password: "wrong", ..Attempt::default() };
    attempt(&gateway, &wrong).await;
    let first = cookie(&db, &alice, None).await;
    let second = cookie(&db, &alice, Some(&first)).await;
    let change = "select identity.account_password_change($1, $2, 'another password', null)";
    cookie(&db, &alice, None).await;
    gateway.execute(change, &[&second, &alice.password]).await.unwrap();
    let from = json!({ "amr": ["pwd"], "source": "192.0.2.1", "user_agent": "Firefox" });
    let mut after_failure = from.clone();
    after_failure["failures_before"] = json!(1);
    let of_alice = |kind: &str, details: Value| (kind.to_owned(), Some(alice.id), "gateway_login".to_owned(), details);
    assert_eq!(
        events(&db, &["session_started", "session_renewed", "session_ended", "password_changed"]).await,
        [
            of_alice("session_started", after_failure),
            of_alice("session_renewed", from.clone()),
            of_alice("session_started", from),
            of_alice("session_ended", json!({ "reason": "password_changed" })),
            of_alice("password_changed", json!({})),
        ]
    );
}

#[tokio::test]
async fn failures_are_counted_not_listed_and_a_threshold_gets_a_row() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = db.gateway_role().await;
    let superuser = db.superuser().await;
    let wrong = Attempt { username: "alice", password: "wrong", ..Attempt::default() };
    for _ in 0..10 {
        assert_eq!(attempt(&gateway, &wrong).await.0, "invalid_credentials");
        superuser.batch_execute("update identity_store.sign_in_buckets set blocked_until = null").await.unwrap();
    }
    let crossed = events(&db, &["sign_in_threshold_crossed"]).await;
    assert_eq!(crossed.len(), 1);
    assert_eq!(crossed[0].1, Some(alice.id));
    assert_eq!((&crossed[0].3["kind"], &crossed[0].3["failures"]), (&json!("account"), &json!(10)));
    // At most one row for each bucket when a minute turned meanwhile, none otherwise.
    superuser.batch_execute("delete from identity_store.audit_events where kind = 'sign_in_failed'").await.unwrap();
    superuser
        .batch_execute(
            "update identity_store.sign_in_buckets set minute = date_trunc('minute', now()) - interval '1 minute', minute_failures = 10",
        )
        .await
        .unwrap();
    let run = "select answer from identity.maintenance_run()";
    let answer: Value = db.admin().await.query_one(run, &[]).await.unwrap().get(0);
    assert_eq!(answer["failure_buckets"], json!(2));
    let counted = events(&db, &["sign_in_failed"]).await;
    assert_eq!(counted.len(), 1);
    assert_eq!(counted[0].3["total"], json!({ "account": 10, "source": 10 }));
    assert_eq!(counted[0].3["buckets"].as_array().unwrap().len(), 2);
    let again: Value = db.admin().await.query_one(run, &[]).await.unwrap().get(0);
    assert_eq!(again["failure_buckets"], json!(0));
}

#[tokio::test]
async fn an_event_exists_only_with_what_it_records() {
    let db = Database::new().await;
    let mut admin = db.admin().await;
    let undone = admin.transaction().await.unwrap();
    undone.execute("select identity.user_create('{\"preferred_username\": \"alice\"}')", &[]).await.unwrap();
    undone.rollback().await.unwrap();
    assert_eq!(events(&db, &["user_created"]).await, []);
}

#[tokio::test]
async fn every_kind_that_is_written_is_in_the_list() {
    let db = Database::new().await;
    let set = async |sql: &str| -> Vec<String> {
        db.superuser().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    let unlisted = r"select distinct k[1] from pg_proc p, regexp_matches(p.prosrc, $$audit\(\s*'([^']*)'$$, 'g') k
         where k[1] not in (select kind from identity.audit_kinds())";
    assert_eq!(set(unlisted).await, [""; 0], "written, and not in identity.audit_kinds()");
    let unused = "select k.kind from identity.audit_kinds() k where not exists (
           select from pg_proc p where p.proname <> 'audit_kinds' and p.prosrc like '%' || quote_literal(k.kind) || '%')";
    assert_eq!(set(unused).await, [""; 0], "in identity.audit_kinds(), and never written");
}
