//! Passwords: hashes that other implementations know, bounds on what is computed, and nobody else who may.

use std::time::{Duration, Instant};

use crate::support::Database;
use tokio_postgres::Client;

/// The reference implementation's own test vector (phc-winner-argon2, test.c).
const REFERENCE: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

async fn text(client: &Client, sql: &str, parameter: &str) -> String {
    client.query_one(sql, &[&parameter]).await.unwrap().get(0)
}

async fn truth(client: &Client, password: &str, hash: &str) -> bool {
    client.query_one("select identity.verify_password($1, $2)", &[&password, &hash]).await.unwrap().get(0)
}

/// The SQLSTATE that the statement is refused with.
async fn refusal(client: &Client, sql: &str) -> String {
    client.query(sql, &[]).await.unwrap_err().code().unwrap().code().to_owned()
}

#[tokio::test]
async fn a_password_has_its_hash_and_no_other() {
    let admin = Database::new().await.admin().await;
    let hash = text(&admin, "select identity.hash_password($1)", "correct horse").await;
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(truth(&admin, "correct horse", &hash).await);
    assert!(!truth(&admin, "correct horse ", &hash).await);
    assert_ne!(hash, text(&admin, "select identity.hash_password($1)", "correct horse").await);
}

#[tokio::test]
async fn hashes_of_the_reference_implementation_are_known() {
    let admin = Database::new().await.admin().await;
    assert!(truth(&admin, "password", REFERENCE).await);
    let argon2i = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA";
    assert!(truth(&admin, "password", argon2i).await);
    let without_version = "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ";
    assert!(truth(&admin, "password", without_version).await);
    assert!(!truth(&admin, "passwore", REFERENCE).await);
}

#[tokio::test]
async fn the_same_letters_typed_differently_are_the_same_password() {
    let admin = Database::new().await.admin().await;
    let hash = text(&admin, "select identity.hash_password($1)", "caf\u{e9}\u{a0}x").await;
    assert!(truth(&admin, "cafe\u{301} x", &hash).await);
}

#[tokio::test]
async fn absurd_and_malformed_hashes_are_refused_at_once() {
    let admin = Database::new().await.admin().await;
    let started = Instant::now();
    for (hash, code) in [
        ("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        ("$argon2id$v=19$m=262144,t=16,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        (
            "$argon2id$v=19$m=19456,t=4294967295,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "ID009",
        ),
        ("$argon2id$v=19$m=19456,t=2,p=255$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        ("$argon2id$v=19$m=19456,t=2,p=1$c29t$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        ("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6M", "ID009"),
        ("$argon2id$v=18$m=19456,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        (
            "$argon2id$v=19$m=19456,t=2,p=1,keyid=AAAA$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "ID009",
        ),
        ("no hash", "ID009"),
        ("", "ID009"),
        ("$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234", "ID008"),
    ] {
        let sql = format!("select identity.verify_password('x', '{hash}')");
        assert_eq!(refusal(&admin, &sql).await, code, "{hash}");
    }
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_password_that_cannot_be_hashed_is_refused_or_wrong() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for password in ["", "a\tb", &"x".repeat(1_025)] {
        let error = admin.query("select identity.hash_password($1)", &[&password]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "ID005");
        // An exception at sign-in would roll back the count of the attempt.
        assert!(!truth(&admin, password, REFERENCE).await);
    }
    let longest = "x".repeat(1_024);
    let hash = text(&admin, "select identity.hash_password($1)", &longest).await;
    assert!(truth(&admin, &longest, &hash).await);
}

#[tokio::test]
async fn a_hash_is_made_again_when_parameters_moved() {
    let client = Database::new().await.superuser().await;
    let stale = |hash: String| {
        let client = &client;
        async move {
            client.query_one("select identity.password_needs_rehash($1)", &[&hash]).await.unwrap().get::<_, bool>(0)
        }
    };
    let hash = text(&client, "select identity.hash_password($1)", "x").await;
    assert!(!stale(hash.clone()).await);
    assert!(stale(REFERENCE.to_owned()).await);
    client.batch_execute("set pg_identity.argon2_iterations = 3").await.unwrap();
    assert!(stale(hash.clone()).await);
    client.batch_execute("reset pg_identity.argon2_iterations; set pg_identity.password_pepper = on").await.unwrap();
    assert!(stale(hash).await);
}

#[tokio::test]
async fn a_pepper_is_named_in_the_hash_and_may_be_succeeded() {
    let client = Database::new().await.superuser().await;
    client.batch_execute("set pg_identity.password_pepper = on").await.unwrap();
    let hash = text(&client, "select identity.hash_password($1)", "x").await;
    assert!(hash.contains(",keyid="), "{hash}");
    client.batch_execute("select identity.rotate_sealed_key('pepper')").await.unwrap();
    client.batch_execute("set pg_identity.password_pepper = off").await.unwrap();
    assert!(truth(&client, "x", &hash).await);
    client.batch_execute("delete from identity.sealed_keys where purpose = 'pepper'").await.unwrap();
    let error = client.query("select identity.verify_password('x', $1)", &[&hash]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "ID009");
}

#[tokio::test]
async fn parameters_have_a_minimum_and_a_ceiling() {
    let client = Database::new().await.superuser().await;
    assert_eq!(refusal(&client, "set pg_identity.argon2_memory = '8MB'").await, "22023");
    assert_eq!(refusal(&client, "set pg_identity.argon2_iterations = 1").await, "22023");
    client
        .batch_execute("set pg_identity.argon2_memory = '256MB'; set pg_identity.argon2_iterations = 16")
        .await
        .unwrap();
    assert_eq!(refusal(&client, "select identity.hash_password('x')").await, "ID005");
}

#[tokio::test]
async fn applications_and_gateways_cannot_hash() {
    let db = Database::new().await;
    for client in [db.app().await, db.gateway_role().await] {
        for call in [
            "hash_password('x')",
            "verify_password('x', 'y')",
            "sign_in_verify('x', 'y')",
            "sign_in_slot('x')",
            "argon2_spend('sign_in')",
        ] {
            assert_eq!(refusal(&client, &format!("select identity.{call}")).await, "42501", "{call}");
        }
        assert_eq!(refusal(&client, "set pg_identity.hash_wait = 0").await, "42501");
    }
}

#[tokio::test]
async fn an_unknown_name_costs_as_much_as_a_wrong_password() {
    let client = Database::new().await.owner().await;
    let hash = text(&client, "select identity.sign_in_hash($1)", "x").await;
    let mut times = [Duration::MAX; 2];
    // The quickest of several: other tests use the same cores.
    for _ in 0..15 {
        for (time, hash) in times.iter_mut().zip([Some(&hash), None]) {
            let started = Instant::now();
            let row = client.query_one("select identity.sign_in_verify('wrong', $1)", &[&hash]).await.unwrap();
            assert!(!row.get::<_, bool>(0));
            *time = started.elapsed().min(*time);
        }
    }
    let ratio = times[1].as_secs_f64() / times[0].as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "{times:?}");
}
