//! Passwords: hashes that other implementations know, bounds on what is computed, and nobody else who may.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::sign_in::sign_in;
use crate::support::{Database, user};

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
async fn absurd_and_malformed_hashes_are_refused() {
    let admin = Database::new().await.admin().await;
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

/// Malformed in every way, and costs that nobody pays: all of them together take less time than a few honest hashes.
#[tokio::test]
async fn no_hash_is_computed_for_absurd_parameters() {
    let admin = Database::new().await.admin().await;
    let (salt, tag) = ("c29tZXNhbHRzb21l", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
    let mut absurd: Vec<String> = [
        "m=4294967296,t=1,p=1",
        "m=18446744073709551616,t=1,p=1",
        "m=19456,t=4294967296,p=1",
        "m=19456,t=0,p=1",
        "m=0,t=2,p=1",
        "m=7,t=2,p=1",
        "m=19456,t=2,p=0",
        "m=19456,t=2,p=17",
        "m=19456,t=2,p=16777216",
        "m=64,t=2,p=16",
        "m=-1,t=2,p=1",
        "m=+19456,t=2,p=1",
        "m=19456.0,t=2,p=1",
        "m=0x4c00,t=2,p=1",
        "m=1e9,t=2,p=1",
        "m=262145,t=1,p=1",
        "m=65536,t=17,p=1",
        "m=19456,t=2,p=1,keyid=AAAAAAAAAAA",
        "m=19456,t=2,p=1,keyid=AAAAAAAAAAAAAAAA",
        "m=19456,t=2,p=1,x=1",
        "m=19456,m=19456,t=2,p=1",
        "",
    ]
    .iter()
    .map(|parameters| format!("$argon2id$v=19${parameters}${salt}${tag}"))
    .collect();
    let parameters = "m=19456,t=2,p=1";
    absurd.extend([
        format!("$argon2id$v=0${parameters}${salt}${tag}"),
        format!("$argon2id$v=20${parameters}${salt}${tag}"),
        format!("$argon2id$v=4294967315${parameters}${salt}${tag}"),
        format!("$argon2id$v=19${parameters}"),
        format!("$argon2id$v=19${parameters}${salt}"),
        format!("$argon2id$v=19${parameters}$${tag}"),
        format!("$argon2id$v=19${parameters}${}${tag}", "A".repeat(65)),
        format!("$argon2id$v=19${parameters}${}${tag}", "A".repeat(1_000_000)),
        format!("$argon2id$v=19${parameters}${salt}${}", "A".repeat(1_000_000)),
        format!("$argon2id$v=19${parameters}${salt}${tag}$"),
        format!("$argon2id$v=19${parameters}${salt}${tag}="),
        format!(" $argon2id$v=19${parameters}${salt}${tag}"),
        format!("$argon2id$v=19${parameters}${salt}${tag}\n"),
        "$argon2id".into(),
        "$argon2id$".into(),
    ]);
    let verify = "select identity.verify_password('x', $1)";
    let refusals = async || {
        let begun = Instant::now();
        for hash in &absurd {
            let refused = admin.query(verify, &[hash]).await.err().map(|error| error.code().unwrap().code().to_owned());
            assert_eq!(refused.as_deref(), Some("ID009"), "{hash:.120}");
        }
        begun.elapsed()
    };
    // In turns, and the quickest of several: other tests use the same cores.
    let (mut refused, mut hashed) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        refused = refused.min(refusals().await);
        let begun = Instant::now();
        for _ in 0..10 {
            admin.query(verify, &[&REFERENCE]).await.unwrap();
        }
        hashed = hashed.min(begun.elapsed());
    }
    assert!(refused < hashed, "{} refusals took {refused:?}, ten hashes {hashed:?}", absurd.len());
}

/// NIST SP 800-63B §5.1.1.2: at least 64 characters are accepted, spaces and Unicode among them; normalised before hashing.
#[tokio::test]
async fn long_and_composed_passwords_are_set_and_typed_in_any_form() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let set = "select identity.user_set_password($1, $2)";
    for (set_as, typed_as) in [
        ("\u{1f600}".repeat(64), "\u{1f600}".repeat(64)),
        ("x".repeat(1_024), "x".repeat(1_024)),
        ("   spaces   ".into(), "   spaces   ".into()),
        ("caf\u{e9} au lait".into(), "cafe\u{301} au lait".into()),
        ("cafe\u{301} au lait".into(), "caf\u{e9} au lait".into()),
        // Hangul syllables and their letters; two marks in either order; other spaces.
        (
            "\u{d55c}\u{ad6d}\u{c5b4}-hangul".into(),
            "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}\u{110b}\u{1165}-hangul".into(),
        ),
        ("q\u{307}\u{323}-two marks".into(), "q\u{323}\u{307}-two marks".into()),
        ("non\u{a0}breaking\u{2003}space".into(), "non breaking space".into()),
    ] {
        admin.execute(set, &[&alice.id, &set_as]).await.unwrap();
        assert_eq!(sign_in(&db, "alice", &typed_as).await.0, "signed_in", "{set_as}");
    }
    // NFC, not NFKC: what only looks alike is another password.
    admin.execute(set, &[&alice.id, &"fi\u{fb01}ne words"]).await.unwrap();
    assert_eq!(sign_in(&db, "alice", "fifine words").await.0, "invalid_credentials");
}

#[tokio::test]
async fn a_password_that_cannot_be_set_is_told_why_before_anything_is_hashed() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let gateway = db.gateway_role().await;
    let cookie = crate::authorize::session(&gateway, &alice).await;
    for (password, fault) in [
        (String::new(), "A password has at least 8 characters."),
        ("seven 7".into(), "A password has at least 8 characters."),
        // Eight code points, four letters.
        ("e\u{301}".repeat(4), "A password has at least 8 characters."),
        ("x".repeat(1_025), "A password has at most 1024 bytes."),
        ("x".repeat(1_000_000), "A password has at most 1024 bytes."),
        ("tab\there, long".into(), "A password has no control characters."),
        ("delete\u{7f} long".into(), "A password has no control characters."),
        ("next\u{85}line long".into(), "A password has no control characters."),
    ] {
        let refused =
            admin.query("select identity.user_set_password($1, $2)", &[&alice.id, &password]).await.unwrap_err();
        assert_eq!(crate::users::refusal(&refused), ("ID005".into(), format!("password: {fault}")), "{password:.20}");
        let own = "select outcome, answer from identity.account_password_change($1, $2, $3, null)";
        let row = gateway.query_one(own, &[&cookie, &alice.password, &password]).await.unwrap();
        let answer: serde_json::Value = row.get(1);
        assert_eq!((row.get(0), &answer["error_description"]), ("invalid_password", &fault.into()), "{password:.20}");
        // At sign-in it is only wrong.
        crate::sign_in::wait(&db, 3600).await;
        assert_eq!(sign_in(&db, "alice", &password).await.0, "invalid_credentials", "{password:.20}");
    }
    assert_eq!(crate::sessions::sessions(&db, &alice).await.len(), 1);
}
