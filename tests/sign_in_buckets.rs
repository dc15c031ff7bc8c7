//! Guessing at passwords, and what slows it down (sql/store/functions/sign_in_buckets.sql, README, decision 11).

use std::time::Instant;

use serde_json::json;
use tokio_postgres::Client;

use crate::sign_in::{Attempt, assert_slowed, attempt, hold, sign_in, wait};
use crate::support::{Database, user};
use crate::users::refusal;

async fn fail(gateway: &Client, times: usize, wrong: &Attempt<'_>) {
    for _ in 0..times {
        assert_eq!(attempt(gateway, wrong).await, ("invalid_credentials".into(), json!({})));
    }
}

#[tokio::test]
async fn the_delay_grows_to_thirty_seconds_and_the_right_password_then_works() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = db.gateway_role().await;
    let wrong = Attempt { username: "alice", password: "wrong", ..Attempt::default() };
    let right = Attempt { password: &alice.password, ..wrong.clone() };
    fail(&gateway, 3, &wrong).await;
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(hold(&db).await, seconds);
        // Even the right password waits, or the answer would tell which one it was.
        assert_slowed(&attempt(&gateway, &right).await, seconds);
        wait(&db, 3600 + seconds).await;
        fail(&gateway, 1, &wrong).await;
    }
    wait(&db, 30).await;
    assert_eq!(attempt(&gateway, &right).await.0, "signed_in");
    // Success forgets.
    fail(&gateway, 3, &wrong).await;
}

#[tokio::test]
async fn names_that_do_not_exist_slow_down_too() {
    let db = Database::new().await;
    let gateway = db.gateway_role().await;
    let wrong = Attempt { username: "nobody", password: "wrong", ..Attempt::default() };
    fail(&gateway, 3, &wrong).await;
    assert_eq!(hold(&db).await, 1);
    assert_slowed(&attempt(&gateway, &wrong).await, 1);
    // Another spelling of the name is the same name.
    let spelled = Attempt { username: " NoBody", ..wrong };
    assert_eq!(attempt(&gateway, &spelled).await.0, "slow_down");
}

#[tokio::test]
async fn a_known_browser_is_not_slowed_by_strangers() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = db.gateway_role().await;
    let (_, answer) = sign_in(&db, "alice", &alice.password).await;
    let device = answer["device_cookie"].as_str().unwrap();
    let stranger = Attempt { username: "alice", password: "wrong", ..Attempt::default() };
    fail(&gateway, 3, &stranger).await;
    hold(&db).await;
    let known = Attempt { password: &alice.password, device: Some(device), ..stranger.clone() };
    assert_eq!(attempt(&gateway, &known).await.0, "signed_in");
    assert_eq!(attempt(&gateway, &Attempt { device: None, ..known.clone() }).await.0, "slow_down");
    // It has a counter of its own, and is known for those only who signed in with it.
    let guess = Attempt { password: "wrong", ..known.clone() };
    fail(&gateway, 3, &guess).await;
    hold(&db).await;
    assert_eq!(attempt(&gateway, &known).await.0, "slow_down");
    let other = Attempt { username: "nobody", ..guess };
    fail(&gateway, 3, &other).await;
    hold(&db).await;
    let without = Attempt { device: None, ..other };
    assert_eq!(attempt(&gateway, &without).await.0, "slow_down");
}

#[tokio::test]
async fn a_source_that_guesses_at_many_names_is_slowed() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = db.gateway_role().await;
    for n in 0..30 {
        // One IPv6 subscriber has many addresses.
        let (name, source) = (format!("nobody{n}"), format!("2001:db8:1:2::{n:x}"));
        fail(&gateway, 1, &Attempt { username: &name, password: "wrong", source: Some(&source), ..Attempt::default() })
            .await;
    }
    let there = Attempt {
        username: "alice",
        password: &alice.password,
        source: Some("2001:db8:1:2::ffff"),
        ..Attempt::default()
    };
    assert_eq!(hold(&db).await, 1);
    assert_slowed(&attempt(&gateway, &there).await, 1);
    let elsewhere = Attempt { source: Some("2001:db8:1:3::1"), ..there };
    assert_eq!(attempt(&gateway, &elsewhere).await.0, "signed_in");
}

#[tokio::test]
async fn of_fifty_parallel_guesses_at_one_account_few_are_checked() {
    let db = Database::new().await;
    user(&db, "alice").await;
    let begun = Instant::now();
    let mut guesses = Vec::new();
    for n in 0..50 {
        let gateway = db.gateway_role().await;
        guesses.push(tokio::spawn(async move {
            let source = format!("198.51.100.{n}");
            let row = gateway
                .query_one(
                    "select outcome from identity.sign_in(null, 'b', 'alice', 'wrong', $1, 'Firefox', null, null)",
                    &[&source],
                )
                .await;
            row.map(|row| row.get::<_, String>(0)).map_err(|error| refusal(&error).0)
        }));
    }
    let mut checked = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            Ok(outcome) if outcome == "invalid_credentials" => checked += 1,
            Ok(outcome) => assert_eq!(outcome, "slow_down"),
            Err(sqlstate) => assert_eq!(sqlstate, "ID004"),
        }
    }
    // Three are free, and at most two are under way together; so after a second, two more, four more.
    let most = 5 + 2 * (1 + begun.elapsed().as_secs()).ilog2();
    assert!((3..=most).contains(&checked), "{checked} of 50 were checked");
}

#[tokio::test]
async fn a_snapshot_that_stands_still_signs_nobody_in() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = db.gateway_role().await;
    gateway.batch_execute("begin isolation level repeatable read").await.unwrap();
    let refused = gateway
        .query("select identity.sign_in(null, 'b', 'alice', $1, null, null, null, null)", &[&alice.password])
        .await
        .unwrap_err();
    assert_eq!(refusal(&refused).0, "ID005");
}

/// Wrong guesses at these names, counted as identity.sign_in() counts them, but without the time that a hash takes.
async fn flood(owner: &Client, names: std::ops::Range<i32>) {
    let guess = "select identity_store.sign_in_failed('account', identity.keyed_hash('sign_in_bucket',
        'account:' || identity.normalize_name('Stranger-' || n || '@flood.example')), null)
      from generate_series($1::integer, $2::integer - 1) n";
    assert_eq!(owner.execute(guess, &[&names.start, &names.end]).await.unwrap(), names.len() as u64);
}

#[tokio::test]
async fn names_share_the_counters_that_there_are_and_none_of_them_is_kept() {
    let db = Database::new().await;
    let (owner, gateway) = (db.owner().await, db.gateway_role().await);
    let used = async || -> i64 {
        let used = "select count(*) from identity_store.sign_in_buckets where kind = 'account'";
        owner.query_one(used, &[]).await.unwrap().get(0)
    };
    flood(&owner, 0..20_000).await;
    let first = used().await;
    // 20,000 throws at 65,536 counters meet 17,236 of them, give or take 47: with more there would be fewer that meet, with a bad
    // spread more.
    assert!((16_900..17_600).contains(&first), "{first}");
    flood(&owner, 0..5_000).await;
    assert_eq!(used().await, first, "the same names have the same counters");
    let guess = Attempt {
        username: "Somebody@flood.example",
        password: "wrong",
        source: Some("203.0.113.77"),
        ..Attempt::default()
    };
    attempt(&gateway, &guess).await;
    assert!((first..=first + 1).contains(&used().await));

    // A kind, numbers and moments: nothing that came from outside.
    let other = r#"select b::text from identity_store.sign_in_buckets b
      where b::text !~ '^\((account|source),\d+,\d+(,("\d{4}-\d\d-\d\d [\d:.+-]+")?){3},\d+\)$' limit 1"#;
    let other: Vec<String> = owner.query(other, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(other, [""; 0]);
    for (table, least) in [("sign_in_buckets", first + 1), ("audit_events", 0)] {
        let count = format!(
            "select count(*), count(*) filter (where r::text ~* 'stranger|somebody|flood|203\\.0\\.113')
             from identity_store.{table} r"
        );
        let row = owner.query_one(&count, &[]).await.unwrap();
        let (rows, named): (i64, i64) = (row.get(0), row.get(1));
        assert!(rows >= least && named == 0, "{table}: {named} of {rows}");
    }
}
