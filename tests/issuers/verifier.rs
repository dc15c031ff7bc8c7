//! A database that only verifies: the extension, no store, and people whom only their issuer knows.

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::{API, Foreign, ISSUER, trust};
use crate::jwt::{ALICE, access_token, authenticate, sqlstate};
use crate::migrate::without_a_store;
use crate::protect::rules::outcome;
use crate::support::{Database, Login};

const MAPPING: &str = ", claims => '{\"roles\": \"roles\", \"organization_id\": \"org_id\"}'";
const NOTES: &str = "select body from desk.notes order by body";

/// Notes of two organizations, which their editors reach.
async fn notes(db: &Database) {
    db.superuser()
        .await
        .batch_execute(
            "create schema desk; grant usage on schema desk to app_login;
             create table desk.notes (org_id text, body text);
             insert into desk.notes values ('acme', 'a'), ('acme', 'b'), ('other', 'c');
             grant select, insert, update, delete on desk.notes to app_login;
             select identity.protect('desk.notes', organization => 'org_id', role => 'editor')",
        )
        .await
        .unwrap();
}

/// Begins a transaction with this token.
async fn sign_in(client: &Client, token: &str) {
    client.batch_execute("rollback; begin").await.unwrap();
    authenticate(client, token).await.unwrap();
}

async fn rules(client: &Client, call: &str) -> Vec<(String, bool, String)> {
    let rows = client.query(&format!("select rule, passed, detail from identity.{call}"), &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// What the doctor finds wrong with this database. Roles and databases of other tests are on the same server.
async fn faults(client: &Client) -> Vec<String> {
    let sql = "select concat_ws(': ', code, object) from identity.doctor()
      where severity = 'error' and object !~ '^(role|database|setting) ' or code in (select code from identity.doctor_keys())";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_foreign_token_reaches_the_rows_of_its_organization_and_role() {
    let db = without_a_store().await;
    let (app, elsewhere) = (db.app().await, Foreign::new("ES256"));
    let token = |claims: Value| elsewhere.token(claims);
    assert_eq!(sqlstate(authenticate(&app, &token(json!({}))).await), "ID109");
    assert_eq!(trust(&db, &elsewhere.jwks(), MAPPING).await, "accepted");
    notes(&db).await;
    let editor = json!({ "org_id": "acme", "roles": ["editor"] });
    for configured in [false, true] {
        if configured {
            let configure = "select identity.configure($1, array[$2])";
            db.admin().await.execute(configure, &[&db.issuer, &API]).await.unwrap();
        }
        app.batch_execute("rollback; begin").await.unwrap();
        assert_eq!(outcome(&app, NOTES).await, "");
        for (claims, rows) in [
            (editor.clone(), "a b"),
            (json!({ "org_id": "other", "roles": ["editor"] }), "c"),
            (json!({ "org_id": "acme", "roles": ["reader"] }), ""),
            (json!({ "roles": ["editor"] }), ""),
        ] {
            sign_in(&app, &token(claims.clone())).await;
            assert_eq!(outcome(&app, NOTES).await, rows, "{claims}");
            let update =
                "with u as (update desk.notes set body = body returning body) select body from u order by body";
            assert_eq!(outcome(&app, update).await, rows, "{claims}");
            let insert = "insert into desk.notes values ('nobodys', 'x')";
            assert_eq!(outcome(&app, insert).await, "42501", "{claims}");
        }
        sign_in(&app, &token(json!({ "org_id": "acme", "roles": ["reader"] }))).await;
        assert_eq!(outcome(&app, "insert into desk.notes values ('acme', 'x')").await, "42501");
        sign_in(&app, &token(editor.clone())).await;
        assert_eq!(outcome(&app, "insert into desk.notes (body) values ('x') returning org_id").await, "acme");
        assert_eq!(outcome(&app, "update desk.notes set org_id = 'other'").await, "42501");
    }
    // Once it has an issuer of its own, it may sign too.
    let own = json!({ "sub": ALICE, "aud": API, "org_id": "acme", "roles": ["editor"] });
    sign_in(&app, &access_token(&db, own).await).await;
    assert_eq!(outcome(&app, NOTES).await, "a b");
}

#[tokio::test]
async fn lint_doctor_explain_and_can_see_miss_no_store() {
    let db = without_a_store().await;
    let (app, admin, elsewhere) = (db.app().await, db.admin().await, Foreign::new("EdDSA"));
    assert_eq!(faults(&admin).await, ["not_configured: this database"]);
    assert_eq!(trust(&db, &elsewhere.jwks(), MAPPING).await, "accepted");
    notes(&db).await;
    db.superuser().await.batch_execute("create role verifier_app; grant verifier_app to admin_login").await.unwrap();
    let grants = "grant identity_app to verifier_app; grant usage on schema desk to verifier_app;
      grant select on desk.notes to verifier_app; analyze desk.notes";
    db.superuser().await.batch_execute(grants).await.unwrap();
    for configured in [false, true] {
        if configured {
            admin.execute("select identity.configure($1)", &[&db.issuer]).await.unwrap();
        }
        for client in [&app, &admin] {
            let found = client.query("select code, object from identity.lint()", &[]).await.unwrap();
            assert!(found.is_empty(), "{found:?}");
        }
        assert_eq!(faults(&admin).await, [""; 0]);
        let token = elsewhere.token(json!({ "org_id": "acme", "roles": ["editor"] }));
        let said = rules(&admin, &format!("explain('{token}')")).await;
        assert!(said.iter().all(|(_, passed, _)| *passed), "{said:?}");
        assert_eq!(said.last().unwrap().2, format!("good for auth0|alice of {ISSUER}"));
        let claims = r#"{"org_id": "acme", "roles": ["editor"]}"#;
        let call = format!("can_see('auth0|alice', 'desk.notes', 'verifier_app', '{claims}', '{ISSUER}')");
        let seen = rules(&admin, &call).await;
        let names: Vec<_> = seen.iter().map(|(rule, passed, _)| (rule.as_str(), *passed)).collect();
        let policies =
            ["privilege", "row-level security", "policy identity_select", "policy identity_organization", "rows"];
        assert_eq!(names, policies.map(|rule| (rule, true)));
        assert_eq!(seen.last().unwrap().2, "2 seen; the table has about 3");
    }
    db.superuser().await.batch_execute("drop owned by verifier_app; drop role verifier_app").await.unwrap();
}

#[tokio::test]
async fn whoever_fetches_keys_replaces_them_and_decides_nothing_else() {
    let db = without_a_store().await;
    let (app, admin, sync) = (db.app().await, db.admin().await, db.connect(Login::Sync).await);
    let (old, mut new) = (Foreign::new("ES256"), Foreign::new("EdDSA"));
    new.jwk["kid"] = json!("key-2");
    let replace = async |jwks: &Value| {
        sqlstate(sync.execute("select identity.trusted_keys_replace($1, $2)", &[&ISSUER, jwks]).await)
    };
    assert_eq!(replace(&old.jwks()).await, "ID006");
    admin.execute("select identity.trust_issuer($1, $2)", &[&ISSUER, &API]).await.unwrap();
    let issuers = sync.query("select issuer from identity.trusted_issuer_list()", &[]).await.unwrap();
    assert_eq!(issuers.iter().map(|row| row.get(0)).collect::<Vec<&str>>(), [ISSUER]);
    assert_eq!(faults(&admin).await, [format!("trusted_issuer_keyless: issuer {ISSUER}")]);
    let successor = new.sign(
        json!({ "kid": "key-2" }),
        json!({ "iss": ISSUER, "aud": API, "sub": "auth0|alice", "exp": 4_000_000_000_i64 }),
    );
    let tokens = [old.token(json!({})), successor];
    for (keys, expected) in [
        (None, ["ID105", "ID105"]),
        (Some(old.jwks()), ["accepted", "ID105"]),
        (Some(new.jwks()), ["ID105", "accepted"]),
    ] {
        if let Some(jwks) = keys {
            assert_eq!(replace(&jwks).await, "accepted");
            assert_eq!(faults(&admin).await, [""; 0]);
        }
        for (token, expected) in tokens.iter().zip(expected) {
            assert_eq!(sqlstate(authenticate(&app, token).await), expected);
        }
    }
    for call in [
        format!("identity.trust_issuer('{ISSUER}', 'x')"),
        format!("identity.distrust_issuer('{ISSUER}')"),
        format!("identity.configure('{ISSUER}')"),
    ] {
        assert_eq!(sqlstate(sync.execute(&format!("select {call}"), &[]).await), "42501", "{call}");
    }
}
