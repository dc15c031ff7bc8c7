//! One refresh token in many hands: racing holders converge on one head, and a thief's copy collides (README, decision 9).

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{alive, consistent, session_bound_client};
use crate::authorize::{Sql, call};
use crate::refresh::{OFFLINE, count, invalid, later, refresh, tokens};
use crate::support::{Client, Database, Gateway, Tokens, service_client, user, web_client};
use crate::token::method;

/// A process of its own that shows this token to the gateway there.
fn process(at: &str, app: &Client, token: &str) -> Child {
    let secret = app.secret.as_deref().unwrap();
    Command::new("curl")
        // As any client: 503 with Retry-After means to ask again.
        .args(["--silent", "--show-error", "--retry", "9", "--noproxy", "*", "--user", &format!("{}:{secret}", app.id)])
        .args(["--data", "grant_type=refresh_token", "--data", &format!("refresh_token={token}")])
        .arg(format!("{at}/token"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sixteen processes at two gateways, all at once: what they were answered.
fn burst(gateways: [&Gateway; 2], app: &Client, token: &Value) -> Vec<Value> {
    let token = token.as_str().unwrap();
    let started: Vec<_> = (0..16).map(|n| process(&gateways[n % 2].issuer, app, token)).collect();
    let outputs = started.into_iter().map(|process| process.wait_with_output().unwrap().stdout);
    let last = |body: Vec<u8>| serde_json::Deserializer::from_slice(&body).into_iter().last().unwrap().unwrap();
    outputs.map(last).collect()
}

/// The one refresh token in all of these answers.
fn head(answers: &[Value]) -> Value {
    let heads: Vec<_> =
        answers.iter().map(|answer| answer["refresh_token"].as_str().unwrap_or_else(|| panic!("{answer}"))).collect();
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]), "{heads:?}");
    json!(heads[0])
}

#[tokio::test]
async fn sixteen_processes_get_one_head_and_again_a_minute_later_and_two_minutes_later_the_family_ends() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let watcher = service_client(&db).await;
    let first = Gateway::start(&db).await;
    let second = Gateway::start_beside(&db, &[]).await;
    let given = tokens(&sql, &app, &alice, OFFLINE).await;
    let mut token = given["refresh_token"].clone();
    let mut access = vec![given["access_token"].clone()];
    for generation in 2..4 {
        let answers = burst([&first, &second], &app, &token);
        let next = head(&answers);
        assert_ne!(next, token);
        assert_eq!(count(&db, "select generation::bigint from identity_store.refresh_families").await, generation);
        // A minute later the stragglers of that burst get the same.
        later(&db, "1 minute").await;
        let stragglers = burst([&first, &second], &app, &token);
        assert_eq!(head(&stragglers), next);
        access.extend(answers.iter().chain(&stragglers).map(|answer| answer["access_token"].clone()));
        token = next;
    }
    let jtis: std::collections::HashSet<_> =
        access.iter().map(|token| Tokens::claims(token.as_str().unwrap())["jti"].to_string()).collect();
    assert_eq!(jtis.len(), access.len(), "every access token is its own");
    assert!(alive(&sql, &watcher, access.last().unwrap()).await);

    // The second minute since the head is over: the token before it ends the family, whoever shows it.
    let last = head(&burst([&first, &second], &app, &token));
    later(&db, "2 minutes").await;
    let refusals = burst([&first, &second], &app, &token);
    assert!(refusals.iter().all(|answer| *answer == invalid().1), "{refusals:?}");
    assert_eq!(refresh(&sql, &app, &last).await, invalid());
    for token in &access {
        assert!(!alive(&sql, &watcher, token).await);
    }
    assert_eq!(count(&db, "select count(*) from identity.audit_list('{refresh_token_replayed}')").await, 1);
    consistent(&db).await;
}

#[tokio::test]
async fn a_replaced_token_gets_the_head_for_two_minutes_and_then_ends_the_family() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let first = tokens(&sql, &app, &alice, OFFLINE).await;
    let (_, second) = refresh(&sql, &app, &first["refresh_token"]).await;
    later(&db, "110 seconds").await;
    let (outcome, again) = refresh(&sql, &app, &first["refresh_token"]).await;
    assert_eq!((outcome.as_str(), &again["refresh_token"]), ("ok", &second["refresh_token"]));
    later(&db, "11 seconds").await;
    assert_eq!(refresh(&sql, &app, &first["refresh_token"]).await, invalid());
    assert_eq!(
        refresh(&sql, &app, &second["refresh_token"]).await,
        invalid(),
        "the thief's or the owner's: nobody can tell"
    );
    assert_eq!(count(&db, "select count(*) from identity.audit_list('{refresh_token_replayed}')").await, 1);
    let access = second["access_token"].as_str().unwrap();
    let userinfo = call(&sql, "userinfo_read", &[&access]).await;
    assert_eq!(userinfo.0, "invalid_token", "access tokens of the grant are revoked");
}

#[tokio::test]
async fn an_older_token_than_the_predecessor_ends_the_family_at_once() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let first = tokens(&sql, &app, &alice, OFFLINE).await;
    let (_, second) = refresh(&sql, &app, &first["refresh_token"]).await;
    let (_, third) = refresh(&sql, &app, &second["refresh_token"]).await;
    assert_eq!(refresh(&sql, &app, &first["refresh_token"]).await, invalid());
    assert_eq!(refresh(&sql, &app, &third["refresh_token"]).await, invalid());
}

/// What a family is, in as few words as possible: the reference that the database is compared with.
struct Model {
    head: i64,
    /// Seconds since the head was made.
    age: i64,
    ended: bool,
}

impl Model {
    /// The generation that showing this one gives; none when it is refused.
    fn show(&mut self, generation: i64) -> Option<i64> {
        if self.ended {
            return None;
        }
        if generation == self.head {
            (self.head, self.age) = (self.head + 1, 0);
        } else if generation + 1 != self.head || self.age >= 120 {
            self.ended = true;
            return None;
        }
        Some(self.head)
    }

    /// Whether introspection calls this one active.
    fn active(&self, generation: i64) -> bool {
        !self.ended && (generation == self.head || generation + 1 == self.head && self.age < 120)
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

async fn introspected(sql: &Sql, app: &Client, token: &str) -> bool {
    let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&app.id, &app.secret, &method(app), &token, &None::<&str>];
    call(sql, "token_introspect", &arguments).await.1["active"] == true
}

#[tokio::test]
async fn a_stolen_predecessor_never_grows_a_branch() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, session_bound_client(&db).await, user(&db, "alice").await);
    let cookie = crate::authorize::session(&sql, &alice).await;
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let first = super::tokens_for(&sql, &app, &cookie, "openid").await;
        let grant = Tokens::claims(first["access_token"].as_str().unwrap())["grant_id"].as_str().unwrap().to_owned();
        let mut model = Model { head: 1, age: 0, ended: false };
        // The one token of each generation, and what each of the two holds.
        let mut known = HashMap::from([(1, first["refresh_token"].as_str().unwrap().to_owned())]);
        let mut held = [vec![1], vec![1]];
        let mut story = Vec::new();
        for _ in 0..12 {
            let who = dice.roll(2);
            // Mostly the newest that they hold, now and then any.
            let mine = &held[who];
            let generation = if dice.roll(4) == 0 { mine[dice.roll(mine.len())] } else { mine[mine.len() - 1] };
            match dice.roll(5) {
                0 => {
                    // Far enough from 120 s that a slow machine does not decide.
                    let seconds = [30, 60, 150][dice.roll(3)];
                    let pass = format!(
                        "update identity_store.refresh_families set head_since = head_since - interval '{seconds} s'
                         where grant_id = '{grant}'"
                    );
                    db.superuser().await.batch_execute(&pass).await.unwrap();
                    model.age += seconds;
                    story.push(format!("{seconds} s pass"));
                }
                1 => {
                    story.push(format!("{who} asks about {generation}"));
                    let active = introspected(&sql, &app, &known[&generation]).await;
                    assert_eq!(active, model.active(generation), "seed {seed}: {story:?}");
                }
                _ => {
                    story.push(format!("{who} shows {generation}"));
                    let (outcome, answer) = refresh(&sql, &app, &json!(known[&generation])).await;
                    let expected = model.show(generation);
                    assert_eq!(outcome == "ok", expected.is_some(), "seed {seed}: {story:?}: {answer}");
                    let Some(given) = expected else { continue };
                    let token = answer["refresh_token"].as_str().unwrap();
                    let same = known.entry(given).or_insert_with(|| token.to_owned());
                    assert_eq!(same, token, "seed {seed}: a branch: {story:?}");
                    held[who].push(given);
                }
            }
        }
        let row = "select generation::bigint, ended_at is not null from identity_store.refresh_families where grant_id::text = $1";
        let row = db.superuser().await.query_one(row, &[&grant]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get(1)), (model.head, model.ended), "seed {seed}: {story:?}");
        assert_eq!(known.len() as i64, model.head, "seed {seed}: one token for each generation");
    }
    consistent(&db).await;
}
