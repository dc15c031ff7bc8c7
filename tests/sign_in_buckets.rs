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
