//! `identity.impersonate` and `identity.can_see`: what somebody may do, tried by an administrator, and written down.

mod can_see;

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::issuers::{Foreign, ISSUER, trust};
use crate::jwt::{BOB, access_token, authenticate, sqlstate};
use crate::support::{Database, until, user};

async fn value(client: &Client, expression: &str) -> Value {
    client
        .query_one(&format!("select to_jsonb({expression})"), &[])
        .await
        .unwrap()
        .get::<_, Option<Value>>(0)
        .unwrap_or(Value::Null)
}

/// Audit events of this kind: person, login, subject.
async fn audited(db: &Database) -> Vec<(Option<Uuid>, String, Option<String>)> {
    let sql = "select user_id, actor, actor_subject from identity.audit_list(array['user_impersonated'])";
    let rows = db.admin().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn logged(db: &Database, line: &str) {
    let log = db.cluster.dir.join("log");
    until(line, async || std::fs::read_to_string(&log).unwrap().contains(line)).await;
}

#[tokio::test]
async fn an_administrator_is_the_person_until_the_transaction_ends_and_actor_says_so() {
    let db = Database::new().await;
    let (admin, alice) = (db.admin().await, user(&db, "alice").await);
    admin.batch_execute("begin").await.unwrap();
    let sql = "select identity.impersonate($1::uuid, '{\"scope\": \"notes:read\", \"org_id\": \"o-1\"}')";
    admin.execute(sql, &[&alice.id]).await.unwrap();
    assert_eq!(value(&admin, "identity.user_id()").await, json!(alice.id));
    assert_eq!(value(&admin, "identity.issuer()").await, json!(db.issuer));
    assert_eq!(value(&admin, "identity.scopes()").await, json!(["notes:read"]));
    assert_eq!(value(&admin, "identity.organization_id()").await, json!("o-1"));
    // Roles are what the store says, where nothing else is said.
    assert_eq!(value(&admin, "identity.roles()").await, json!(["reader"]));
    let actor = json!({ "sub": "admin_login", "impersonation": true });
    assert_eq!(value(&admin, "identity.actor()").await, actor);
    assert_eq!(value(&admin, "identity.actor_chain()").await, json!([actor]));
    assert_eq!(value(&admin, "identity.claims() -> 'act'").await, actor);
    // Policies that ask for agents answer as they would for the person.
    assert_eq!(value(&admin, "identity.is_agent()").await, json!(false));
    let hour = "identity.expires_at() between now() + interval '59 minutes' and now() + interval '61 minutes'";
    assert_eq!(value(&admin, hour).await, json!(true));
    admin.batch_execute("commit").await.unwrap();
    assert_eq!(value(&admin, "identity.subject()").await, Value::Null);
    assert_eq!(value(&admin, "identity.actor()").await, Value::Null);
    assert_eq!(audited(&db).await, [(Some(alice.id), "admin_login".into(), None)]);
}

#[tokio::test]
async fn who_acts_for_the_person_stays_behind_the_administrator() {
    let db = Database::new().await;
    let (admin, alice) = (db.admin().await, user(&db, "alice").await);
    admin.batch_execute("begin").await.unwrap();
    let sql = "select identity.impersonate($1::uuid, '{\"act\": {\"sub\": \"robot\"}, \"roles\": []}')";
    admin.execute(sql, &[&alice.id]).await.unwrap();
    assert_eq!(value(&admin, "identity.is_agent()").await, json!(true));
    assert_eq!(
        value(&admin, "identity.actor()").await,
        json!({ "sub": "admin_login", "impersonation": true, "act": { "sub": "robot" } })
    );
    assert_eq!(
        value(&admin, "identity.actor_chain()").await,
        json!([{ "sub": "admin_login", "impersonation": true }, { "sub": "robot" }])
    );
    assert_eq!(value(&admin, "identity.roles()").await, json!([]));
    admin.batch_execute("rollback").await.unwrap();
}

#[tokio::test]
async fn one_transaction_has_one_subject_impersonated_or_not() {
    let db = Database::new().await;
    let (admin, alice, bob) = (db.admin().await, user(&db, "alice").await, user(&db, "bob").await);
    let sql = "select identity.impersonate($1::uuid)";
    admin.batch_execute("begin").await.unwrap();
    admin.execute(sql, &[&alice.id]).await.unwrap();
    admin.execute(sql, &[&alice.id]).await.unwrap();
    admin.batch_execute("select identity.sign_out(); savepoint one").await.unwrap();
    assert_eq!(sqlstate(admin.execute(sql, &[&bob.id]).await), "ID201");
    admin.batch_execute("rollback to one").await.unwrap();
    let token = access_token(&db, json!({ "sub": BOB })).await;
    assert_eq!(sqlstate(authenticate(&admin, &token).await), "ID201");
    admin.batch_execute("rollback; begin").await.unwrap();
    authenticate(&admin, &token).await.unwrap();
    assert_eq!(sqlstate(admin.execute(sql, &[&alice.id]).await), "ID201");
    admin.batch_execute("rollback; begin").await.unwrap();
    admin.execute(sql, &[&bob.id]).await.unwrap();
    admin.batch_execute("commit").await.unwrap();
}

#[tokio::test]
async fn a_rollback_takes_the_audit_row_but_not_the_line_in_the_log() {
    let db = Database::new().await;
    let (admin, alice) = (db.admin().await, user(&db, "alice").await);
    admin.batch_execute("begin").await.unwrap();
    admin.execute("select identity.impersonate($1::uuid)", &[&alice.id]).await.unwrap();
    admin.batch_execute("rollback").await.unwrap();
    assert!(audited(&db).await.is_empty());
    logged(&db, &format!("pg_identity: admin_login impersonates '{}' of '{}'", alice.id, db.issuer)).await;
    // In a transaction that can only read, as on a standby, the log has it alone.
    admin.batch_execute("begin read only").await.unwrap();
    admin.execute("select identity.impersonate($1::uuid)", &[&alice.id]).await.unwrap();
    assert_eq!(value(&admin, "identity.user_id()").await, json!(alice.id));
    admin.batch_execute("commit").await.unwrap();
    assert!(audited(&db).await.is_empty());
}

#[tokio::test]
async fn a_database_that_only_verifies_tries_subjects_of_its_issuers() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    superuser.batch_execute("drop schema identity_store cascade").await.unwrap();
    let admin = db.admin().await;
    let mapping = ", claims => '{\"roles\": [\"realm_access\", \"roles\"]}'";
    assert_eq!(trust(&db, &Foreign::new("ES256").jwks(), mapping).await, "accepted");
    admin.batch_execute("begin").await.unwrap();
    let claims = json!({ "realm_access": { "roles": ["editor"] }, "scope": "a b" });
    let sql = "select identity.impersonate('auth0|alice', $1, $2)";
    admin.execute(sql, &[&claims, &ISSUER]).await.unwrap();
    assert_eq!(value(&admin, "identity.subject()").await, json!("auth0|alice"));
    assert_eq!(value(&admin, "identity.user_id()").await, Value::Null);
    assert_eq!(value(&admin, "identity.has_role('editor')").await, json!(true));
    assert_eq!(value(&admin, "identity.actor() -> 'sub'").await, json!("admin_login"));
    admin.batch_execute("commit").await.unwrap();
    logged(&db, &format!("pg_identity: admin_login impersonates 'auth0|alice' of '{ISSUER}'")).await;
    // Our own issuer, without a store that could know the person.
    admin.batch_execute("begin").await.unwrap();
    admin.execute("select identity.impersonate($1)", &[&BOB]).await.unwrap();
    assert_eq!(value(&admin, "identity.user_id()").await, json!(BOB));
    admin.batch_execute("rollback").await.unwrap();
    let unknown = admin.execute("select identity.impersonate('x', issuer => 'https://unknown.example')", &[]).await;
    assert_eq!(sqlstate(unknown), "ID109");
}

/// A function of that name that is not the store's would run with the rights of identity_owner.
#[tokio::test]
async fn a_schema_that_somebody_else_has_made_under_the_name_of_the_store_is_not_asked() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "drop schema identity_store cascade;
             create schema identity_store authorization app_login;
             grant usage on schema identity_store to public;
             set role app_login;
             create function identity_store.impersonation(subject text, claims jsonb) returns jsonb language plpgsql
             as $$ begin raise exception 'ran as %', current_user; end $$;
             reset role",
        )
        .await
        .unwrap();
    let admin = db.admin().await;
    admin.batch_execute("begin").await.unwrap();
    admin.execute("select identity.impersonate($1)", &[&BOB]).await.unwrap();
    admin.batch_execute("rollback").await.unwrap();
}

#[tokio::test]
async fn whom_nobody_knows_nobody_impersonates() {
    let db = Database::new().await;
    let (admin, alice) = (db.admin().await, user(&db, "alice").await);
    let capitals = alice.id.to_string().to_uppercase();
    for (arguments, expected) in [
        (format!("'{BOB}'::uuid"), "ID006"),
        ("null::uuid".into(), "ID005"),
        ("''".into(), "ID005"),
        ("'alice'".into(), "ID006"),
        (format!("'{capitals}'"), if capitals == alice.id.to_string() { "accepted" } else { "ID006" }),
        (format!("'{}', '[]'", alice.id), "ID005"),
        (format!("'{}', null", alice.id), "ID005"),
        (format!("'{}', '{{\"roles\": 7}}'", alice.id), "ID101"),
        (format!("'{}', '{{\"act\": 7}}'", alice.id), "ID101"),
        ("'x', '{}', 'https://unknown.example'".into(), "ID109"),
        // Nothing in the claims is another person.
        (format!("'{}', '{{\"sub\": \"{BOB}\", \"iss\": \"https://x.example\", \"exp\": 1}}'", alice.id), "accepted"),
    ] {
        let outcome = admin.execute(&format!("select identity.impersonate({arguments})"), &[]).await;
        assert_eq!(sqlstate(outcome), expected, "{arguments}");
    }
    admin.batch_execute("begin").await.unwrap();
    let sql = "select identity.impersonate($1::uuid, $2)";
    admin.execute(sql, &[&alice.id, &json!({ "sub": BOB, "iss": "https://x.example" })]).await.unwrap();
    assert_eq!(value(&admin, "array[identity.subject(), identity.issuer()]").await, json!([alice.id, db.issuer]));
    admin.batch_execute("rollback").await.unwrap();
    admin.execute("select identity.user_delete($1)", &[&alice.id]).await.unwrap();
    assert_eq!(sqlstate(admin.execute("select identity.impersonate($1::uuid)", &[&alice.id]).await), "ID006");
}

#[tokio::test]
async fn nobody_but_administrators_impersonates() {
    let db = Database::new().await;
    for client in [db.app().await, db.gateway_role().await] {
        for call in [
            "identity.impersonate('x')",
            "identity.impersonate('00000000-0000-0000-0000-000000000001'::uuid)",
            "identity.impersonation_record('x', 'y', '{}')",
            "identity.impersonation_begin('x', '{}', 'y')",
            "identity.can_see('x', 'pg_class')",
            "identity_store.impersonation('x', '{}')",
        ] {
            assert_eq!(sqlstate(client.query(&format!("select {call}"), &[]).await), "42501", "{call}");
        }
    }
    // Without the record there is no way.
    let begin = "select identity.impersonation_begin('x', '{}', 'y')";
    assert_eq!(sqlstate(db.admin().await.query(begin, &[]).await), "42501");
}
