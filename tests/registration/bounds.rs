//! What an unauthenticated write may cost: identical registrations are one client, a source has a quota, what nobody uses goes, and what
//! somebody uses stays.

use std::collections::HashSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{client_of, confidential, configure, count, delete, public, register, register_from, registered, text};
use crate::authorize::{Sql, call, code, request, session};
use crate::bad_input::digest;
use crate::jwt::merged;
use crate::support::{Browser, Database, Gateway, user};

fn numbered(number: usize) -> Value {
    merged(confidential(), json!({ "client_name": format!("client {number}") }))
}

/// Makes every registration older; as old as what is reaped by default.
async fn age(db: &Database, interval: &str) {
    let older = format!(
        "update identity_store.client_registrations set renewed_at = renewed_at - interval '{interval}';
         update identity_store.registration_sources set window_since = window_since - interval '{interval}'"
    );
    db.superuser().await.batch_execute(&older).await.unwrap();
}

async fn maintain(db: &Database) -> Value {
    let row = db.gateway_role().await.query_one("select answer from identity.maintenance_run()", &[]).await.unwrap();
    row.get::<_, Value>(0)["registrations_reaped"].clone()
}

async fn exists(db: &Database, answer: &Value) -> bool {
    let query = "select exists (select from identity_store.clients where id = $1)";
    db.superuser().await.query_one(query, &[&text(answer, "client_id")]).await.unwrap().get(0)
}

#[tokio::test]
async fn of_ten_thousand_registrations_from_one_source_its_quota_is_let_in() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let superuser = db.superuser().await;
    // Many in each statement, by eight connections at once: confidential ones, each another.
    let mut flood = JoinSet::new();
    for hand in 0..8 {
        let sql = db.gateway_role().await;
        // As the gateway has it on its connections: a plan is made once.
        sql.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
        flood.spawn(async move {
            let mut outcomes = Vec::new();
            for round in 0..50 {
                let query = format!(
                    "select outcome from generate_series(1, 25) n, identity.registration_create(json_build_object('redirect_uris',
                       json_build_array('https://a.example/' || n), 'client_name', '{hand} {round} ' || n), null, '2001:db8::' || n)"
                );
                let rows = sql.query(&query, &[]).await.unwrap();
                outcomes.extend(rows.iter().map(|row| row.get::<_, String>(0)));
            }
            outcomes
        });
    }
    let outcomes = flood.join_all().await.concat();
    let of = |wanted: &str| outcomes.iter().filter(|outcome| *outcome == wanted).count();
    assert_eq!((outcomes.len(), of("registered"), of("slow_down")), (10_000, 100, 9_900));
    assert_eq!(count(&db, "identity_store.clients").await, 100);
    assert_eq!(count(&db, "identity_store.registration_sources where bucket < 65536 and window_count = 100").await, 1);
    // Refused, it leaves nothing at all; and others are not its neighbours.
    let sql = db.gateway_role().await;
    let before = digest(&superuser).await;
    let (outcome, answer) = register_from(&sql, &confidential(), "2001:db8:0:0:ffff::1").await;
    let wait = answer["retry_after"].as_i64().unwrap();
    assert!((3000..=3600).contains(&wait), "{wait}");
    assert_eq!(
        (outcome.as_str(), answer),
        (
            "slow_down",
            json!({ "error": "temporarily_unavailable", "retry_after": wait,
                "error_description": "too many clients were registered from this network, please wait" })
        )
    );
    assert_eq!(digest(&superuser).await, before);
    assert_eq!(register_from(&sql, &confidential(), "2001:db8:0:1::1").await.0, "registered");

    // An hour later it still has as many unused ones; when those are gone, it may again.
    age(&db, "1 hour 1 second").await;
    assert_eq!(register_from(&sql, &confidential(), "2001:db8::1").await.0, "slow_down");
    age(&db, "7 days").await;
    assert_eq!(maintain(&db).await, json!(101));
    assert_eq!(register_from(&sql, &confidential(), "2001:db8::1").await.0, "registered");
}

#[tokio::test]
async fn the_gateway_tells_the_address_and_when_to_come_again() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 3").await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    let browser = Browser::new();
    let register = async |number: usize, address: &str| {
        let request =
            browser.http.post(gateway.url("/register")).header("X-Forwarded-For", address).json(&numbered(number));
        browser.send(request).await
    };
    let mut statuses = Vec::new();
    for number in 0..6 {
        statuses.push(register(number, &format!("2001:db8::{number}")).await.status.as_u16());
    }
    assert_eq!(statuses, [201, 201, 201, 429, 429, 429]);
    let page = register(7, "2001:db8::7").await;
    let said = "too many clients were registered from this network, please wait";
    let body = json!({ "error": "temporarily_unavailable", "error_description": said });
    crate::http::assert_answer(&page, 429, &body);
    let wait: i64 = crate::http::header(&page, "retry-after").unwrap().parse().unwrap();
    assert!((3000..=3600).contains(&wait), "{wait}");
    assert_eq!(register(8, "198.51.100.7").await.status, 201);
}

/// Quota is for what stands about: who deletes theirs, or has somebody who uses it, may go on.
#[tokio::test]
async fn what_is_used_or_deleted_counts_no_more_but_the_hour_does() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 3").await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let mut answers = Vec::new();
    for number in 0..3 {
        answers.push(registered(&sql, &numbered(number)).await);
    }
    code(&sql, &request(&client_of(&answers[0])), &cookie).await;
    let (id, token) = (text(&answers[1], "client_id"), text(&answers[1], "registration_access_token"));
    assert_eq!(delete(&sql, id, token).await.0, "deleted");
    assert_eq!(register(&sql, &numbered(3)).await.0, "slow_down", "three within the hour");
    age(&db, "1 hour 1 second").await;
    for (number, outcome) in [(4, "registered"), (5, "registered"), (6, "slow_down")] {
        assert_eq!(register(&sql, &numbered(number)).await.0, outcome, "{number}");
    }
}

#[tokio::test]
async fn identical_public_registrations_are_one_client_for_everybody_and_for_ever() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 2").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let first = registered(&sql, &public()).await;
    let before = digest(&superuser).await;
    // In another order, with what we do not know, with defaults spelt out, from anywhere, over quota.
    for (change, source) in [
        (json!({}), "192.0.2.1"),
        (json!({ "unheard_of": 1, "first_party": true, "client_id": "x" }), "192.0.2.1"),
        (json!({ "application_type": "web", "post_logout_redirect_uris": [], "contacts": null }), "203.0.113.9"),
    ] {
        for _ in 0..3 {
            assert_eq!(
                register_from(&sql, &merged(public(), change.clone()), source).await,
                ("registered".into(), first.clone())
            );
        }
    }
    assert_eq!(digest(&superuser).await, before, "the same again is a read");
    // Anything else is another client.
    let other = registered(&sql, &merged(public(), json!({ "client_name": "Another" }))).await;
    assert_ne!(other["client_id"], first["client_id"]);
    // A client with a secret is always one's own.
    assert_eq!(register_from(&sql, &confidential(), "203.0.113.1").await.0, "registered");
    let (_, own) = register_from(&sql, &confidential(), "203.0.113.1").await;
    assert_eq!(count(&db, "identity_store.client_registrations where digest is null").await, 2);
    assert!(own["client_secret"].is_string());
    // The first registrant has no more say than the last: there is no token, in the database neither.
    assert_eq!(
        count(&db, "identity_store.client_registrations where digest is not null and token_hash is not null").await,
        0
    );
}

#[tokio::test]
async fn identical_public_registrations_at_once_are_one_client() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let gateway = Gateway::start(&db).await;
    let mut registrations = JoinSet::new();
    for number in 0..100 {
        let (url, http) = (gateway.url("/register"), reqwest::Client::new());
        // Two programs, fifty times each.
        let metadata = merged(public(), json!({ "client_name": format!("program {}", number % 2) }));
        registrations.spawn(async move {
            let response = http.post(url).json(&metadata).send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.json::<Value>().await.unwrap()["client_id"].as_str().map(str::to_owned))
        });
    }
    let answers = registrations.join_all().await;
    assert!(answers.iter().all(|(status, _)| *status == 201), "{answers:?}");
    assert_eq!(answers.into_iter().map(|(_, id)| id.unwrap()).collect::<HashSet<_>>().len(), 2);
    assert_eq!(count(&db, "identity_store.clients").await, 2);
    assert_eq!(count(&db, "identity_store.registration_sources where window_count = 2").await, 1);
}

#[tokio::test]
async fn quota_and_limit_hold_exactly_when_many_come_at_once() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 5, unused_limit => 12").await;
    let mut registrations = JoinSet::new();
    for number in 0..48 {
        let sql = db.gateway_role().await;
        registrations
            .spawn(async move { register_from(&sql, &numbered(number), &format!("203.0.113.{}", number % 6)).await.0 });
    }
    let outcomes = registrations.join_all().await;
    let of = |wanted: &str| outcomes.iter().filter(|outcome| *outcome == wanted).count();
    assert_eq!(of("registered"), 12, "{outcomes:?}");
    assert_eq!(of("slow_down") + of("temporarily_unavailable"), 36, "{outcomes:?}");
    assert_eq!(count(&db, "identity_store.clients").await, 12);
    let over = "(select from identity_store.client_registrations group by source_bucket having count(*) > 5) s";
    assert_eq!(count(&db, over).await, 0);
}

#[tokio::test]
async fn unused_registrations_are_reaped_and_used_ones_are_not() {
    let db = Database::new().await;
    configure(&db, "'open', unused_lifetime => '2 days'").await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let ours = crate::support::web_client(&db).await;
    let (unused, used, shared, withdrawn) = (
        registered(&sql, &numbered(1)).await,
        registered(&sql, &numbered(2)).await,
        registered(&sql, &public()).await,
        registered(&sql, &numbered(3)).await,
    );
    for answer in [&used, &withdrawn] {
        code(&sql, &request(&client_of(answer)), &cookie).await;
    }
    age(&db, "1 day 23 hours").await;
    assert_eq!(maintain(&db).await, json!(0));
    // Somebody starts the program again: it is in use, as far as anybody can tell.
    assert_eq!(registered(&sql, &public()).await, shared);
    age(&db, "2 hours").await;
    assert_eq!(maintain(&db).await, json!(1));
    assert!(!exists(&db, &unused).await && exists(&db, &used).await && exists(&db, &shared).await);
    age(&db, "3 days").await;
    assert_eq!(maintain(&db).await, json!(1));
    // It was somebody's, and they may come back.
    assert!(exists(&db, &used).await && !exists(&db, &shared).await && exists(&db, &withdrawn).await);
    let reaped = "select details from identity.audit_list(array['registrations_reaped'])";
    let rows = db.admin().await.query(reaped, &[]).await.unwrap();
    let named: Vec<Value> = rows.iter().map(|row| row.get::<_, Value>(0)["clients"].clone()).collect();
    assert_eq!(named, [json!([shared["client_id"]]), json!([unused["client_id"]])]);
    let kept = "select exists (select from identity_store.clients where id = $1)";
    assert!(db.superuser().await.query_one(kept, &[&ours.id]).await.unwrap().get::<_, bool>(0));
    // The same again is another client, with an id that nobody ever had.
    assert_ne!(registered(&sql, &public()).await["client_id"], shared["client_id"]);
}

#[tokio::test]
async fn a_full_house_makes_room_by_what_is_unused_longest_and_never_by_what_is_in_use_or_fresh() {
    let db = Database::new().await;
    configure(&db, "'open', unused_limit => 3").await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let used = registered(&sql, &numbered(0)).await;
    code(&sql, &request(&client_of(&used)), &cookie).await;
    let mut unused = Vec::new();
    for number in 1..4 {
        unused.push(registered(&sql, &numbered(number)).await);
        age(&db, "1 minute").await;
    }
    // Each of them may have its person on the way.
    let (outcome, answer) = register_from(&sql, &numbered(4), "203.0.113.1").await;
    let full = "too many clients are registered that nobody uses, please wait";
    let refusal = json!({ "error": "temporarily_unavailable", "error_description": full, "retry_after": 600 });
    assert_eq!((outcome.as_str(), answer), ("temporarily_unavailable", refusal));
    age(&db, "58 minutes").await;
    assert_eq!(register_from(&sql, &numbered(4), "203.0.113.1").await.0, "registered");
    assert_eq!(
        (exists(&db, &unused[0]).await, exists(&db, &unused[1]).await, exists(&db, &used).await),
        (false, true, true)
    );
    // Somebody is being asked for consent to the next one that would go.
    let person = db.superuser().await;
    let id = text(&unused[1], "client_id");
    person.batch_execute("begin").await.unwrap();
    person.execute("select from identity_store.clients where id = $1 for key share", &[&id]).await.unwrap();
    age_of(&db, &unused[2]).await;
    assert_eq!(register_from(&sql, &numbered(5), "203.0.113.1").await.0, "registered");
    person.batch_execute("commit").await.unwrap();
    assert_eq!((exists(&db, &unused[1]).await, exists(&db, &unused[2]).await), (true, false));
}

async fn age_of(db: &Database, answer: &Value) {
    let older = "update identity_store.client_registrations set renewed_at = renewed_at - interval '2 minutes' where client_id = $1";
    db.superuser().await.execute(older, &[&text(answer, "client_id")]).await.unwrap();
}

/// A person allows a client at the moment at which it would be reaped: one of the two wins, and no grant stands on nothing.
#[tokio::test]
async fn a_client_that_is_being_used_is_not_reaped_from_under_its_grant() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 1000").await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let mut apps = Vec::new();
    for number in 0..24 {
        apps.push(client_of(&registered(&sql, &numbered(number)).await));
    }
    age(&db, "8 days").await;
    let mut hands = JoinSet::new();
    for (number, app) in apps.into_iter().enumerate() {
        let (db_sql, cookie) = (db.gateway_role().await, cookie.clone());
        let reaper: Option<Sql> = if number % 6 == 0 { Some(db.gateway_role().await) } else { None };
        hands.spawn(async move {
            if let Some(reaper) = reaper {
                call(&reaper, "maintenance_run", &[]).await;
            }
            // It may be gone before: an error page. A foreign key says so where it went meanwhile.
            let (outcome, consent) = crate::authorize::authorize(&db_sql, &request(&app), Some(&cookie)).await;
            if outcome == "consent" {
                let resume = consent["resume"].as_str().unwrap().to_owned();
                let query = "select outcome from identity.consent_decide($1, $2, 'browser', 'allow')";
                match db_sql.query_one(query, &[&resume, &cookie]).await {
                    Ok(row) => assert!(["redirect", "error_page"].contains(&row.get::<_, &str>(0))),
                    Err(error) => assert_eq!(error.code().unwrap().code(), "23503", "{error:?}"),
                }
            }
        });
    }
    hands.join_all().await;
    maintain(&db).await;
    let orphans =
        "identity_store.grants g where not exists (select from identity_store.clients c where c.id = g.client_id)";
    assert_eq!(count(&db, orphans).await, 0);
    let unused = "identity_store.client_registrations where used_at is null";
    assert_eq!(count(&db, unused).await, 0);
    let grants = count(&db, "identity_store.grants").await;
    assert_eq!(count(&db, "identity_store.clients").await, grants);
}

/// Registering and deleting in turns leaves an audit row each time, and an hour has room for few.
#[tokio::test]
async fn who_registers_and_deletes_in_turns_is_stopped_by_the_hour() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 10").await;
    let sql = db.gateway_role().await;
    let mut outcomes = Vec::new();
    for number in 0..20 {
        let (outcome, answer) = register(&sql, &numbered(number)).await;
        if outcome == "registered" {
            let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
            assert_eq!(delete(&sql, id, token).await.0, "deleted");
        }
        outcomes.push(outcome);
    }
    assert_eq!(outcomes, [vec!["registered"; 10], vec!["slow_down"; 10]].concat());
    assert_eq!(count(&db, "identity_store.clients").await, 0);
}
