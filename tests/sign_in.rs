//! Signing in by password, and what slows guessing down (sql/store/functions/sign_in*.sql, README, decision 11).

use std::time::Instant;

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::{Database, user};

/// A password that may be set.
pub const PASSWORD: &str = "correct horse battery staple";

/// What one browser sends with a sign-in.
#[derive(Clone, Default)]
pub struct Attempt<'a> {
    pub username: &'a str,
    pub password: &'a str,
    pub device: Option<&'a str>,
    pub session: Option<&'a str>,
    pub source: Option<&'a str>,
}

/// Outcome and answer of identity.sign_in without an authorization request.
pub async fn attempt(gateway: &Client, a: &Attempt<'_>) -> (String, Value) {
    let row = gateway
        .query_one(
            "select outcome, answer from identity.sign_in(null, 'browser', $1, $2, $3, 'Firefox', $4, $5)",
            &[&a.username, &a.password, &a.source.unwrap_or("192.0.2.1"), &a.device, &a.session],
        )
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

/// The same in a browser without cookies.
pub async fn sign_in(db: &Database, username: &str, password: &str) -> (String, Value) {
    attempt(&db.gateway_role().await, &Attempt { username, password, ..Attempt::default() }).await
}

/// Moves the clock of the counters on, instead of sleeping.
pub async fn wait(db: &Database, seconds: i32) {
    db.superuser()
        .await
        .execute(
            "update identity_store.sign_in_buckets set blocked_until = blocked_until - make_interval(secs => $1),
               failed_at = failed_at - make_interval(secs => $1)",
            &[&f64::from(seconds)],
        )
        .await
        .unwrap();
}

/// Seconds that the longest delay is long. It becomes an hour longer, so that it is not over when this machine stands still.
pub async fn hold(db: &Database) -> i32 {
    let sql = "update identity_store.sign_in_buckets
      set blocked_until = blocked_until + interval '1 hour', failed_at = failed_at + interval '1 hour'
      where blocked_until > failed_at + interval '500 milliseconds'
      returning round(extract(epoch from blocked_until - failed_at))::integer";
    db.superuser().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).max().expect("nobody has to wait")
}

/// That a guess was not looked at, in a delay of so many seconds that was put on [`hold`].
pub fn assert_slowed((outcome, answer): &(String, Value), seconds: i32) {
    let left = answer["retry_after"].as_i64().unwrap();
    assert_eq!((outcome.as_str(), answer), ("slow_down", &json!({ "retry_after": left })));
    assert!(left <= i64::from(3600 + seconds) && left > 3000, "{left}");
}

#[tokio::test]
async fn a_person_signs_in_by_user_name_or_verified_address() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    for name in ["alice", " Alice ", "ALICE@people.example"] {
        let (outcome, answer) = sign_in(&db, name, &alice.password).await;
        assert_eq!(outcome, "signed_in", "{name}");
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
        assert!(answer["session_cookie"].is_string() && answer["device_cookie"].is_string());
    }
}

#[tokio::test]
async fn an_unverified_address_signs_nobody_in() {
    let db = Database::new().await;
    let profile = json!({ "preferred_username": "alice", "email": "alice@people.example" });
    db.admin().await.execute("select identity.user_create($1, $2)", &[&profile, &PASSWORD]).await.unwrap();
    assert_eq!(sign_in(&db, "alice@people.example", PASSWORD).await.0, "invalid_credentials");
}

#[tokio::test]
async fn wrong_password_unknown_name_and_no_password_answer_alike_after_the_same_time() {
    let db = Database::new().await;
    user(&db, "alice").await;
    db.admin().await.execute("select identity.user_create('{\"preferred_username\": \"bob\"}')", &[]).await.unwrap();
    let gateway = db.gateway_role().await;
    // The best of many, and in turns: whatever else the machine does meanwhile slows all three alike.
    let names = ["alice", "nobody", "bob"];
    let mut times = [f64::MAX; 3];
    for round in 0..12 {
        for (username, best) in names.iter().zip(&mut times) {
            wait(&db, 3600).await;
            let source = format!("192.0.2.{round}");
            let wrong = Attempt { username, password: "wrong", source: Some(&source), ..Attempt::default() };
            let begun = Instant::now();
            assert_eq!(attempt(&gateway, &wrong).await, ("invalid_credentials".into(), json!({})));
            *best = best.min(begun.elapsed().as_secs_f64());
        }
    }
    // A missing hash would cost a tenth of the time.
    for time in &times {
        assert!(time * 2.5 > times[0] && *time < times[0] * 2.5, "{times:?}");
    }
}

#[tokio::test]
async fn a_hash_with_old_parameters_is_renewed_at_sign_in() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let stored = async || -> (String, String) {
        let stored = "select phc, changed_at::text from identity_store.passwords";
        let row = db.superuser().await.query_one(stored, &[]).await.unwrap();
        (row.get(0), row.get(1))
    };
    let (old, changed_at) = stored().await;
    db.superuser()
        .await
        .batch_execute(&format!("alter database {} set pg_identity.argon2_iterations = 3", db.name))
        .await
        .unwrap();
    assert_eq!(sign_in(&db, "alice", &alice.password).await.0, "signed_in");
    let (new, still) = stored().await;
    assert_ne!(new, old);
    assert_eq!(still, changed_at);
    assert_eq!(sign_in(&db, "alice", &alice.password).await.0, "signed_in");
    assert_eq!(stored().await.0, new);
}

#[tokio::test]
async fn a_sealed_request_that_is_not_ours_leads_to_an_error_page() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = db.gateway_role().await;
    let row = gateway
        .query_one(
            "select outcome, answer from identity.sign_in('forged', 'b', 'alice', $1, null, null, null, null)",
            &[&alice.password],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), "error_page");
    assert_eq!(row.get::<_, Value>(1)["error"], "invalid_request");
    let page =
        gateway.query_one("select outcome, answer from identity.sign_in_page('forged', null, 'b')", &[]).await.unwrap();
    assert_eq!(page.get::<_, String>(0), "error_page");
    let plain =
        gateway.query_one("select outcome, answer from identity.sign_in_page(null, null, 'b')", &[]).await.unwrap();
    assert_eq!((plain.get(0), plain.get(1)), ("page", json!({})));
}
