//! Passwords: hashes that other implementations know, a limit that holds for the whole server, and slots that free themselves.

use std::time::{Duration, Instant};

use support::{Cluster, Database};
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
        ("$argon2id$v=19$m=19456,t=4294967295,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        ("$argon2id$v=19$m=19456,t=2,p=255$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        ("$argon2id$v=19$m=19456,t=2,p=1$c29t$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        ("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6M", "ID009"),
        ("$argon2id$v=18$m=19456,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
        ("$argon2id$v=19$m=19456,t=2,p=1,keyid=AAAA$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "ID009"),
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
        async move { client.query_one("select identity.password_needs_rehash($1)", &[&hash]).await.unwrap().get::<_, bool>(0) }
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
    client.batch_execute("set pg_identity.argon2_memory = '256MB'; set pg_identity.argon2_iterations = 16").await.unwrap();
    assert_eq!(refusal(&client, "select identity.hash_password('x')").await, "ID005");
}

#[tokio::test]
async fn applications_and_gateways_cannot_hash() {
    let db = Database::new().await;
    for client in [db.app().await, db.gateway_role().await] {
        for call in ["hash_password('x')", "verify_password('x', 'y')", "sign_in_verify('x', 'y')", "sign_in_slot('x')", "argon2_spend('sign_in')"] {
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

#[tokio::test]
async fn at_most_two_attempts_of_an_account_are_in_flight() {
    let db = Database::new().await;
    let holders = [db.owner().await, db.owner().await];
    for holder in &holders {
        // Twice in one transaction is one attempt, and a savepoint does not give it back.
        holder
            .batch_execute("begin; select identity.sign_in_slot('bob'); savepoint s; select identity.sign_in_slot('bob'); rollback to s")
            .await
            .unwrap();
    }
    let superuser = db.superuser().await;
    superuser.batch_execute("set pg_identity.hash_wait = 50").await.unwrap();
    assert_eq!(refusal(&superuser, "select identity.sign_in_slot('bob')").await, "ID004");
    superuser.batch_execute("select identity.sign_in_slot('another')").await.unwrap();
    // Released by commit and by an error alike, after which the waiting one goes on.
    superuser.batch_execute("set pg_identity.hash_wait = 10000").await.unwrap();
    let waiting = superuser.batch_execute("select identity.sign_in_slot('bob')");
    let (waited, _) = tokio::join!(waiting, async { holders[0].batch_execute("commit").await.unwrap() });
    waited.unwrap();
    holders[0].batch_execute("begin; select identity.sign_in_slot('bob')").await.unwrap();
    holders[1].batch_execute("rollback to s; release s; select 1 / 0").await.unwrap_err();
    superuser.batch_execute("set pg_identity.hash_wait = 0; select identity.sign_in_slot('bob')").await.unwrap();
}

#[tokio::test]
async fn parallel_guesses_do_not_slip_past_the_counter() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "create table public.attempts as select 0 as n, 0 as hashes;
             create procedure public.attempt() language plpgsql as $$
             declare
               seen integer;
             begin
               perform identity.sign_in_slot('eve');
               select n into seen from public.attempts;
               if seen < 3 then
                 -- The hash. Its result is not counted before it is known.
                 perform identity.argon2_spend('sign_in');
                 update public.attempts set n = n + 1, hashes = hashes + 1;
               end if;
             end
             $$",
        )
        .await
        .unwrap();
    let mut tasks = Vec::new();
    for _ in 0..12 {
        let client = db.superuser().await;
        client.batch_execute("set pg_identity.hash_wait = 60000").await.unwrap();
        tasks.push(tokio::spawn(async move { client.batch_execute("call public.attempt()").await.unwrap() }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let hashes: i32 = superuser.query_one("select hashes from public.attempts", &[]).await.unwrap().get(0);
    // Two in flight may both see two failures; nobody else gets in between.
    assert!((3..=4).contains(&hashes), "{hashes}");
}

#[tokio::test]
async fn waiting_can_be_cancelled() {
    let db = Database::new().await;
    let holders = [db.owner().await, db.owner().await];
    for holder in &holders {
        holder.batch_execute("begin; select identity.sign_in_slot('dan')").await.unwrap();
    }
    let superuser = db.superuser().await;
    superuser.batch_execute("set pg_identity.hash_wait = 60000; set statement_timeout = 200").await.unwrap();
    let started = Instant::now();
    assert_eq!(refusal(&superuser, "select identity.sign_in_slot('dan')").await, "57014");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn hashing_is_limited_and_its_budgets_are_apart() {
    // A server of its own: the others hash as well.
    let db = Database::on(Cluster::start()).await;
    let superuser = db.superuser().await;
    superuser.batch_execute("alter system set pg_identity.hash_concurrency = 1").await.unwrap();
    drop(superuser);
    db.cluster.control("restart");
    let slow = "set pg_identity.argon2_memory = '256MB'; set pg_identity.argon2_iterations = 4; set pg_identity.hash_wait = 60000";
    let busy = db.superuser().await;
    busy.batch_execute(slow).await.unwrap();
    let mut other = db.superuser().await;
    other.batch_execute("set pg_identity.hash_wait = 0").await.unwrap();
    let task = tokio::spawn(async move { for _ in 0..4 { busy.batch_execute("select identity.sign_in_hash('x')").await.unwrap() } busy });
    // The sign-in budget of one is taken: sooner or later an attempt meets it, and administration never does.
    let mut met = false;
    while !met && !task.is_finished() {
        other.batch_execute("select identity.hash_password('x')").await.unwrap();
        match other.batch_execute("select identity.sign_in_hash('x')").await {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.code().unwrap().code(), "ID004");
                met = true;
            }
        }
    }
    assert!(met);
    let busy = task.await.unwrap();
    // The place of a backend that dies while hashing is not lost.
    let process: i32 = busy.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let task = tokio::spawn(async move { busy.batch_execute("select identity.sign_in_hash('x')").await });
    let active = format!("select state = 'active' from pg_stat_activity where pid = {process}");
    while !other.query_one(&active, &[]).await.unwrap().get::<_, bool>(0) {}
    assert!(std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
    assert!(task.await.unwrap().is_err());
    // The server starts again by itself.
    for _ in 0..100 {
        if let Ok((client, connection)) = db.cluster.config("postgres", &db.name).connect(tokio_postgres::NoTls).await {
            tokio::spawn(connection);
            other = client;
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    other.batch_execute("set pg_identity.hash_wait = 0; select identity.sign_in_hash('x')").await.unwrap();
}
