//! What the time of a refusal tells: nothing. An unknown name, a wrong password, a disabled person, one without a password and
//! one whose hash was made with older parameters take the same time, in SQL and over HTTP.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::sign_in::{Attempt, attempt, wait};
use crate::support::{Browser, Database, Gateway, user};

/// The first is what the others are compared with.
const NAMES: [&str; 5] = ["alice", "nobody", "disabled", "passwordless", "stale"];

/// One of each, in a database whose parameters were raised after `stale` got a password.
async fn people() -> Database {
    let db = Database::new().await;
    user(&db, "stale").await;
    let raise = format!("alter database {} set pg_identity.argon2_iterations = 3", db.name);
    db.superuser().await.batch_execute(&raise).await.unwrap();
    user(&db, "alice").await;
    let disabled = user(&db, "disabled").await;
    let admin = db.admin().await;
    admin.execute("select identity.user_disable($1)", &[&disabled.id]).await.unwrap();
    let passwordless = json!({ "preferred_username": "passwordless" });
    admin.execute("select identity.user_create($1)", &[&passwordless]).await.unwrap();
    db
}

/// Times of each name, measured in turns, so that whatever else the machine does meanwhile meets them all alike.
type Times = [Vec<Duration>; NAMES.len()];

const ROUNDS: usize = 24;

/// Each name is first as often as the others: the first of a round may meet other caches than the last.
fn turns(round: usize) -> impl Iterator<Item = usize> {
    (0..NAMES.len()).map(move |turn| (round + turn) % NAMES.len())
}

#[track_caller]
fn assert_alike(times: &Times) {
    let (known, others) = times.split_first().unwrap();
    for (name, other) in NAMES[1..].iter().zip(others) {
        // Mann and Whitney: how often a time of the one is longer than a time of the other; half of all pairs if they are alike,
        // give or take a twelfth with this many.
        let longer = known.iter().map(|a| other.iter().filter(|b| a > *b).count()).sum::<usize>();
        let share = longer as f64 / (known.len() * other.len()) as f64;
        // On a quiet machine a microsecond can be seen in the ranks; nobody counts it over a network.
        let ratio = median(other).as_secs_f64() / median(known).as_secs_f64();
        assert!(
            (0.1..0.9).contains(&share) || (0.92..1.08).contains(&ratio),
            "{name}: in {share:.2} of all pairs quicker, median {:?} against {:?}",
            median(other),
            median(known)
        );
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[tokio::test]
async fn in_sql_no_refusal_is_told_from_another_by_its_time() {
    let db = people().await;
    let gateway = db.gateway_role().await;
    let mut times = Times::default();
    for round in 0..ROUNDS {
        wait(&db, 3600).await;
        for index in turns(round) {
            let (username, times) = (NAMES[index], &mut times[index]);
            let source = format!("192.0.2.{round}");
            let wrong = Attempt { username, password: "wrong password", source: Some(&source), ..Attempt::default() };
            let begun = Instant::now();
            assert_eq!(attempt(&gateway, &wrong).await, ("invalid_credentials".into(), json!({})));
            times.push(begun.elapsed());
        }
    }
    assert_alike(&times);
}

#[tokio::test]
async fn over_http_no_refusal_is_told_from_another_by_its_time_or_its_words() {
    let db = people().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    let page = browser.open(gateway.url("/login")).await;
    let mut times = Times::default();
    let mut words = Vec::new();
    for round in 0..ROUNDS {
        wait(&db, 3600).await;
        for index in turns(round) {
            let (username, times) = (NAMES[index], &mut times[index]);
            let begun = Instant::now();
            let refused = browser.sign_in(&page, username, "wrong password").await;
            times.push(begun.elapsed());
            assert_eq!(refused.status, 422);
            words.push(refused.body.replace(username, "somebody"));
        }
    }
    words.dedup();
    assert_eq!(words.len(), 1);
    assert_alike(&times);
}
