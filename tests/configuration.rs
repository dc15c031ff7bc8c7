//! Configuration: which audiences are accepted, and two administrators who do the same at once.

use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::issuers::{API, Foreign, ISSUER};
use crate::jwt::{access_token, authenticate, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn the_accepted_audiences_are_what_configure_said_last() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let to = async |audience: Value| access_token(&db, json!({ "aud": audience })).await;
    let (ours, api, both) = (to(json!(db.issuer)).await, to(json!(API)).await, to(json!(["x", API])).await);
    let none = crate::jwt::signed(&db, "at+jwt", json!({ "sub": "a", "client_id": "app" })).await;
    let accepted = async |tokens: [&String; 4]| {
        let mut outcomes = Vec::new();
        for token in tokens {
            outcomes.push(sqlstate(authenticate(&app, token).await));
        }
        outcomes
    };
    // In the same backend, which has seen every signature by then.
    let configure = "select identity.configure($1, $2)";
    assert_eq!(accepted([&ours, &api, &both, &none]).await, ["accepted", "ID104", "ID104", "ID104"]);
    admin.execute(configure, &[&db.issuer, &vec![API, "https://other.example"]]).await.unwrap();
    assert_eq!(accepted([&ours, &api, &both, &none]).await, ["ID104", "accepted", "accepted", "ID104"]);
    admin.execute(configure, &[&db.issuer, &None::<Vec<&str>>]).await.unwrap();
    assert_eq!(accepted([&ours, &api, &both, &none]).await, ["accepted", "ID104", "ID104", "ID104"]);
}

/// Runs `first` in a transaction that stays open until `second` waits for it, or has ended without; then commits both.
async fn meet(
    db: &Database,
    isolation: &str,
    first: (&str, &[&(dyn ToSql + Sync)]),
    second: (String, Vec<Value>),
) -> (String, String) {
    let (one, other, observer) = (db.admin().await, db.admin().await, db.superuser().await);
    let process: i32 = other.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    // The second has taken its snapshot before the first begins.
    other.batch_execute(&format!("begin isolation level {isolation}; select count(*) from pg_class")).await.unwrap();
    one.batch_execute("begin").await.unwrap();
    let done_first = sqlstate(one.execute(first.0, first.1).await);
    let waiting = tokio::spawn(async move {
        let values: Vec<&(dyn ToSql + Sync)> = second.1.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let done = sqlstate(other.execute(&second.0, &values).await);
        let end = if done == "accepted" { "commit" } else { "rollback" };
        other.batch_execute(end).await.unwrap();
        done
    });
    let waits = "select cardinality(pg_blocking_pids($1)) > 0 from pg_sleep(0.01)";
    while !waiting.is_finished() && !observer.query_one(waits, &[&process]).await.unwrap().get::<_, bool>(0) {}
    one.batch_execute("commit").await.unwrap();
    (done_first, waiting.await.unwrap())
}

/// What one may be told who did the same a moment later: done, or told why not; in words of ours, or to try again.
fn assert_told(outcome: &(String, String), isolation: &str, refusal: &str) {
    assert_eq!(outcome.0, "accepted");
    let expected: &[&str] = if isolation == "read committed" { &[refusal] } else { &[refusal, "40001"] };
    assert!(expected.contains(&outcome.1.as_str()), "{isolation}: {outcome:?}");
}

const ISOLATION: [&str; 3] = ["read committed", "repeatable read", "serializable"];

async fn counted(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn two_rotations_of_a_sealed_key_leave_one_current_key() {
    for isolation in ISOLATION {
        let db = Database::new().await;
        for purpose in ["state", "refresh", "pepper", "client_secret"] {
            let rotate = format!("select identity.rotate_sealed_key('{purpose}')");
            let outcome = meet(&db, isolation, (&rotate, &[]), (rotate.clone(), vec![])).await;
            assert_told(&outcome, isolation, "accepted");
            let superuser = db.superuser().await;
            let keys = format!("select count(*) from identity.sealed_keys where purpose = '{purpose}' and state");
            assert_eq!(counted(&superuser, &format!("{keys} = 'current'")).await, 1, "{isolation} {purpose}");
            let retired = if outcome.1 == "accepted" { 2 } else { 1 };
            assert_eq!(counted(&superuser, &format!("{keys} = 'retired'")).await, retired, "{isolation} {purpose}");
        }
        // What is made with them still opens.
        let owner = db.owner().await;
        let opened: Value = owner
            .query_one(
                "select identity.state_open('login', identity.state_seal('login', '{\"a\": 1}', '1 minute'))",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(opened, json!({ "a": 1 }));
    }
}

#[tokio::test]
async fn a_rotation_and_a_rewrapping_at_once_leave_keys_that_open() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for (first, second) in [
        ("select identity.rotate_sealed_key('state')", "select identity.rewrap_keys()"),
        ("select identity.rewrap_keys()", "select identity.rotate_sealed_key('state')"),
        ("select identity.rotate_signing_keys(published_for => '0')", "select identity.rewrap_keys()"),
        ("select identity.create_sealed_keys()", "select identity.rotate_sealed_key('state')"),
        ("select identity.rotate_sealed_key('state')", "select identity.create_sealed_keys()"),
    ] {
        for isolation in ["read committed", "repeatable read"] {
            let outcome = meet(&db, isolation, (first, &[]), (second.into(), vec![])).await;
            assert_told(&outcome, isolation, "accepted");
            admin.query("select identity.sign_jwt('{}')", &[]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn two_who_trust_an_issuer_leave_the_keys_of_one_of_them() {
    let trust = format!("select identity.trust_issuer('{ISSUER}', '{API}', $1)");
    for known in [false, true] {
        for isolation in ISOLATION {
            let db = Database::new().await;
            let app = db.app().await;
            let (one, other, before) = (Foreign::new("ES256"), Foreign::new("EdDSA"), Foreign::new("ES256"));
            if known {
                db.admin().await.execute(&trust, &[&before.jwks()]).await.unwrap();
            }
            let outcome = meet(&db, isolation, (&trust, &[&one.jwks()]), (trust.clone(), vec![other.jwks()])).await;
            assert_told(&outcome, isolation, "accepted");
            // Both keys have one name: with the keys of one, the other's tokens are bad.
            let (good, bad) = if outcome.1 == "accepted" { (&other, &one) } else { (&one, &other) };
            assert_eq!(sqlstate(authenticate(&app, &good.token(json!({}))).await), "accepted", "{isolation}");
            assert_ne!(sqlstate(authenticate(&app, &bad.token(json!({}))).await), "accepted", "{isolation}");
            assert_eq!(counted(&db.superuser().await, "select count(*) from identity.trusted_keys").await, 1);
        }
    }
}

#[tokio::test]
async fn of_two_issuers_that_would_name_our_users_one_is_refused_in_words_of_ours() {
    let trust = |issuer: &str| {
        format!("select identity.trust_issuer('https://{issuer}.example', '{API}', $1, subject_is_user_id => true)")
    };
    for isolation in ISOLATION {
        let db = Database::new().await;
        let keys = Foreign::new("ES256").jwks();
        let outcome = meet(&db, isolation, (&trust("one"), &[&keys]), (trust("other"), vec![keys.clone()])).await;
        assert_told(&outcome, isolation, "ID005");
        let named = "select count(*) from identity.trusted_issuers where subject_is_user_id";
        assert_eq!(counted(&db.superuser().await, named).await, 1, "{isolation}");
    }
}

#[tokio::test]
async fn distrust_beside_new_keys_leaves_no_key_behind() {
    let replace = format!("select identity.trusted_keys_replace('{ISSUER}', $1)");
    let distrust = format!("select identity.distrust_issuer('{ISSUER}')");
    for isolation in ISOLATION {
        let db = Database::new().await;
        let (app, keys) = (db.app().await, Foreign::new("ES256"));
        let trust = format!("select identity.trust_issuer('{ISSUER}', '{API}', $1)");
        for distrust_first in [false, true] {
            db.admin().await.execute(&trust, &[&keys.jwks()]).await.unwrap();
            let outcome = if distrust_first {
                meet(&db, isolation, (&distrust, &[]), (replace.clone(), vec![keys.jwks()])).await
            } else {
                meet(&db, isolation, (&replace, &[&keys.jwks()]), (distrust.clone(), vec![])).await
            };
            assert_told(&outcome, isolation, if distrust_first { "ID006" } else { "accepted" });
            let distrusted = distrust_first || outcome.1 == "accepted";
            let left = counted(&db.superuser().await, "select count(*) from identity.trusted_keys").await;
            assert_eq!(left, i64::from(!distrusted), "{isolation}");
            let expected = if distrusted { "ID109" } else { "accepted" };
            assert_eq!(sqlstate(authenticate(&app, &keys.token(json!({}))).await), expected, "{isolation}");
        }
    }
}

#[tokio::test]
async fn two_who_make_the_first_key_of_an_algorithm_leave_one_current_key() {
    let make = "select identity.create_signing_key('EdDSA')";
    for isolation in ISOLATION {
        let db = Database::new().await;
        // The second makes the next key, unless its transaction cannot see the first one.
        let outcome = meet(&db, isolation, (make, &[]), (make.into(), vec![])).await;
        assert_told(&outcome, isolation, if isolation == "read committed" { "accepted" } else { "ID007" });
        let current = "select count(*) from identity.signing_keys where algorithm = 'EdDSA' and state = 'current'";
        assert_eq!(counted(&db.superuser().await, current).await, 1, "{isolation}");
    }
}

#[tokio::test]
async fn two_who_configure_leave_the_audiences_of_one_of_them() {
    for isolation in ISOLATION {
        let db = Database::new().await;
        let configure =
            |name: &str| format!("select identity.configure('https://{name}.example', array['{name}', '{name}-2'])");
        let outcome = meet(&db, isolation, (&configure("one"), &[]), (configure("other"), vec![])).await;
        assert_told(&outcome, isolation, "accepted");
        let row = db
            .superuser()
            .await
            .query_one("select issuer, (select array_agg(audience order by audience) from identity.audiences) from identity.configuration", &[])
            .await
            .unwrap();
        let name = if outcome.1 == "accepted" { "other" } else { "one" };
        assert_eq!(row.get::<_, String>(0), format!("https://{name}.example"));
        assert_eq!(row.get::<_, Vec<String>>(1), [name.to_owned(), format!("{name}-2")]);
    }
}
