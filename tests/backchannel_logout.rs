//! Back-channel logout (sql/store/functions/backchannel_logout.sql; OpenID Connect Back-Channel Logout 1.0): who is told of which
//! session, what the token says and to whom, and that it arrives whatever happens (delivery.rs).

mod delivery;
pub mod receiver;
mod tokens;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::authorize::{Sql, call, code, request, session, with};
use crate::clients::refusal;
use crate::jwt::merged;
use crate::sessions::sessions;
use crate::support::{Client, Database, User, client, user};

/// A client that is told at this address.
pub async fn told(db: &Database, uri: &str, more: Value) -> Client {
    let metadata = json!({
        "redirect_uris": ["https://notes.example/callback"], "post_logout_redirect_uris": ["https://notes.example/"],
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile offline_access",
        "backchannel_logout_uri": uri, "backchannel_logout_session_required": true
    });
    client(db, merged(metadata, more)).await
}

/// Signs in and gives each of these clients a code; the session cookie.
pub async fn visit(sql: &Sql, person: &User, apps: &[&Client]) -> String {
    let cookie = session(sql, person).await;
    for app in apps {
        code(sql, &request(app), &cookie).await;
    }
    cookie
}

/// Who has to be told of which session, in the order of clients.
async fn waiting(db: &Database) -> Vec<(String, Uuid)> {
    let rows = db
        .superuser()
        .await
        .query("select client_id, session_id from identity_store.backchannel_logouts order by client_id, id", &[])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Takes what is due: receipts by client.
pub async fn take(sql: &Sql, places: i32) -> Vec<Value> {
    let (outcome, answer) = call(sql, "backchannel_logout_take", &[&places]).await;
    assert_eq!(outcome, "ok");
    answer["logouts"].as_array().unwrap().clone()
}

pub async fn done(sql: &Sql, taken: &Value, status: Option<i32>, failure: Option<&str>) -> String {
    call(sql, "backchannel_logout_done", &[&taken["receipt"].as_str(), &status, &failure]).await.0
}

async fn change(db: &Database, change: &str) {
    db.superuser()
        .await
        .batch_execute(&format!("update identity_store.backchannel_logouts set {change}"))
        .await
        .unwrap();
}

fn path(taken: &Value) -> &str {
    taken["uri"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test]
async fn every_way_a_session_ends_tells_the_clients_of_it_and_of_no_other_session() {
    let db = Database::new().await;
    let (sql, admin, app) =
        (db.gateway_role().await, db.admin().await, told(&db, "https://a.example/out", json!({})).await);
    for way in [
        "logout",
        "account_session_end",
        "account_sessions_end_others",
        "account_password_change",
        "session_revoke",
        "user_disable",
        "user_delete",
        "user_set_password",
        "sign_in",
    ] {
        let person = user(&db, &way.replace('_', "")).await;
        let cookie = visit(&sql, &person, &[&app]).await;
        let ended = sessions(&db, &person).await[0];
        let other = session(&sql, &person).await;
        code(&sql, &request(&app), &other).await;
        let kept: Vec<Uuid> = sessions(&db, &person).await.into_iter().filter(|id| *id != ended).collect();
        let (both, ours) = (vec![ended, kept[0]], vec![ended]);
        let expected = match way {
            "logout" => {
                let (_, answer) = call(&sql, "logout_request", &[&json!({}), &cookie, &"browser"]).await;
                call(&sql, "logout_confirm", &[&answer["resume"].as_str(), &cookie, &"browser"]).await;
                ours
            }
            "account_session_end" => {
                call(&sql, way, &[&other, &ended]).await;
                ours
            }
            "account_sessions_end_others" => {
                call(&sql, way, &[&other]).await;
                ours
            }
            "account_password_change" => {
                call(&sql, way, &[&other, &person.password, &"another good password", &None::<&str>]).await;
                ours
            }
            "session_revoke" => {
                admin.execute("select identity.session_revoke($1)", &[&ended]).await.unwrap();
                ours
            }
            "user_set_password" => {
                admin
                    .execute("select identity.user_set_password($1, 'another good password')", &[&person.id])
                    .await
                    .unwrap();
                both
            }
            "sign_in" => {
                let stranger = user(&db, "stranger").await;
                let sign_in = crate::sessions::cookie(&db, &stranger, Some(&cookie)).await;
                assert_ne!(sign_in, cookie);
                ours
            }
            _ => {
                admin.execute(&format!("select identity.{way}($1)"), &[&person.id]).await.unwrap();
                both
            }
        };
        let mut found: Vec<Uuid> = waiting(&db).await.into_iter().map(|(_, session)| session).collect();
        found.sort();
        let mut expected = expected;
        expected.sort();
        assert_eq!(found, expected, "{way}");
        db.superuser().await.batch_execute("delete from identity_store.backchannel_logouts").await.unwrap();
    }
    // A session that lies unused ends for nobody.
    let person = user(&db, "idle").await;
    let cookie = visit(&sql, &person, &[&app]).await;
    db.superuser()
        .await
        .batch_execute("update identity_store.sessions set last_seen_at = now() - interval '13 hours'")
        .await
        .unwrap();
    call(&sql, "logout_request", &[&json!({}), &cookie, &"browser"]).await;
    admin.batch_execute("select identity.maintenance_run()").await.unwrap();
    assert_eq!(waiting(&db).await, []);
}

#[tokio::test]
async fn a_client_is_told_once_if_it_got_an_id_token_in_that_session_and_wants_to_know() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let [one, two, plain, elsewhere, gone] = [
        told(&db, "https://a.example/one", json!({"client_id": "one"})).await,
        told(&db, "https://a.example/two", json!({"client_id": "two"})).await,
        told(&db, "https://a.example/plain", json!({"client_id": "plain"})).await,
        told(&db, "https://a.example/elsewhere", json!({"client_id": "elsewhere"})).await,
        told(&db, "https://a.example/gone", json!({"client_id": "gone"})).await,
    ];
    let silent =
        told(&db, "https://a.example/silent", json!({"client_id": "silent", "backchannel_logout_uri": null})).await;
    let cookie = visit(&sql, &alice, &[&one, &one, &two, &silent, &gone]).await;
    let ended = sessions(&db, &alice).await[0];
    // OAuth without OpenID Connect: it knows nobody, and no session.
    code(&sql, &with(request(&plain), json!({"scope": "profile"})), &cookie).await;
    visit(&sql, &alice, &[&elsewhere]).await;
    db.admin().await.execute("select identity.client_delete('gone')", &[]).await.unwrap();
    // What it gave back it has had.
    call(&sql, "account_application_withdraw", &[&cookie, &two.id]).await;
    db.admin().await.execute("select identity.session_revoke($1)", &[&ended]).await.unwrap();
    assert_eq!(waiting(&db).await, [("one".to_owned(), ended), ("two".to_owned(), ended)]);
    // Nobody is told twice.
    db.admin().await.execute("select identity.session_revoke($1)", &[&ended]).await.unwrap();
    assert_eq!(waiting(&db).await.len(), 2);
    // Who is given the id of a client that is gone was not there.
    db.admin().await.execute("select identity.client_delete('one')", &[]).await.unwrap();
    db.superuser().await.batch_execute("delete from identity.revocations where kind = 'client'").await.unwrap();
    told(&db, "https://evil.example/one", json!({"client_id": "one"})).await;
    let taken = take(&sql, 10).await;
    assert_eq!(taken.iter().map(path).collect::<Vec<_>>(), ["two"]);
    assert_eq!(waiting(&db).await, [("two".to_owned(), ended)]);
}

#[tokio::test]
async fn what_rolls_back_tells_nobody() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = told(&db, "https://a.example/out", json!({})).await;
    visit(&sql, &alice, &[&app]).await;
    let admin = db.admin().await;
    admin.batch_execute("begin").await.unwrap();
    admin.execute("select identity.user_disable($1)", &[&alice.id]).await.unwrap();
    assert_eq!(take(&sql, 10).await.len(), 0);
    admin.batch_execute("rollback").await.unwrap();
    assert_eq!((waiting(&db).await, take(&sql, 10).await.len()), (vec![], 0));
}

#[tokio::test]
async fn a_client_hears_of_one_event_after_the_other_and_holds_up_nobody_else() {
    let db = Database::new().await;
    let (sql, other) = (db.gateway_role().await, db.gateway_role().await);
    let (app, second) =
        (told(&db, "https://a.example/first", json!({})).await, told(&db, "https://a.example/second", json!({})).await);
    let alice = user(&db, "alice").await;
    let mut order = Vec::new();
    for _ in 0..3 {
        let cookie = visit(&sql, &alice, &[&app]).await;
        let ended = sessions(&db, &alice).await[0];
        call(&sql, "account_session_end", &[&cookie, &ended]).await;
        order.push(ended.to_string());
    }
    let sid = |taken: &Value| crate::support::Tokens::claims(taken["logout_token"].as_str().unwrap())["sid"].clone();
    let first = take(&sql, 10).await;
    assert_eq!((first.len(), sid(&first[0])), (1, json!(order[0])));
    // Whoever asks meanwhile gets nothing of this client, and what there is of others.
    assert_eq!(take(&other, 10).await.len(), 0);
    let cookie = visit(&sql, &alice, &[&second]).await;
    let (_, answer) = call(&sql, "logout_request", &[&json!({}), &cookie, &"browser"]).await;
    call(&sql, "logout_confirm", &[&answer["resume"].as_str(), &cookie, &"browser"]).await;
    let beside = take(&other, 10).await;
    assert_eq!(beside.iter().map(path).collect::<Vec<_>>(), ["second"]);
    // It fails: the first is tried again before the second is spoken of.
    assert_eq!(done(&sql, &first[0], None, Some("did not answer in time")).await, "ok");
    assert_eq!(take(&sql, 10).await.len(), 0, "not at once");
    change(&db, "due_at = now()").await;
    let again = take(&sql, 10).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|taken| sid(taken) == json!(order[0]) || sid(taken) == sid(&beside[0])), "{again:?}");
    for ended in &order {
        let taken =
            take(&sql, 10).await.into_iter().chain(again.clone()).find(|taken| sid(taken) == json!(ended)).unwrap();
        assert_eq!(done(&sql, &taken, Some(204), None).await, "ok");
    }
    assert_eq!(waiting(&db).await.len(), 1);
    let kinds =
        "select kind, client_id, details - 'jti' from identity.audit_list(array['backchannel_logout_delivered'])";
    let rows = db.admin().await.query(kinds, &[]).await.unwrap();
    let delivered: Vec<(String, Value)> = rows.iter().map(|row| (row.get(1), row.get(2))).collect();
    assert_eq!(delivered, [1, 1, 2].map(|attempts| (app.id.clone(), json!({"status": 204, "attempts": attempts}))));
}

#[tokio::test]
async fn a_receipt_is_good_until_the_next_attempt_and_for_nothing_else() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = told(&db, "https://a.example/out", json!({})).await;
    let cookie = visit(&sql, &alice, &[&app]).await;
    let ended = sessions(&db, &alice).await[0];
    call(&sql, "account_session_end", &[&cookie, &ended]).await;
    let first = take(&sql, 10).await;
    assert_eq!(take(&sql, 10).await.len(), 0, "it has half a minute");
    let lease = "select due_at between now() + interval '25 seconds' and now() + interval '30 seconds' from identity_store.backchannel_logouts";
    assert!(db.superuser().await.query_one(lease, &[]).await.unwrap().get::<_, bool>(0));
    // Whoever took it has died.
    change(&db, "due_at = now()").await;
    let second = take(&sql, 10).await;
    let jti =
        |taken: &[Value]| crate::support::Tokens::claims(taken[0]["logout_token"].as_str().unwrap())["jti"].clone();
    assert_eq!(jti(&first), jti(&second), "one event, one jti");
    assert_ne!(first[0]["receipt"], second[0]["receipt"]);
    // What nobody has taken nobody settles: neither by its id nor by an older receipt.
    for receipt in [first[0]["receipt"].clone(), jti(&first), json!(""), json!("logout_x"), Value::Null] {
        assert_eq!(done(&sql, &json!({ "receipt": receipt }), Some(200), None).await, "not_found", "{receipt}");
    }
    assert_eq!(waiting(&db).await.len(), 1);
    assert_eq!(done(&sql, &second[0], Some(200), None).await, "ok");
    assert_eq!(done(&sql, &second[0], Some(200), None).await, "not_found");
    assert_eq!(waiting(&db).await, []);
}

#[tokio::test]
async fn attempts_go_on_for_a_day_at_longer_and_longer_intervals() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = told(&db, "https://a.example/out", json!({})).await;
    let cookie = visit(&sql, &alice, &[&app]).await;
    let ended = sessions(&db, &alice).await[0];
    call(&sql, "account_session_end", &[&cookie, &ended]).await;
    let superuser = db.superuser().await;
    let state = "select extract(epoch from due_at - now())::float8, failure, attempts, aside from identity_store.backchannel_logouts";
    for (attempt, seconds) in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600].into_iter().enumerate() {
        change(&db, "due_at = now()").await;
        let taken = take(&sql, 10).await;
        done(&sql, &taken[0], None, Some("did not answer in time")).await;
        let row = superuser.query_one(state, &[]).await.unwrap();
        let pause: f64 = row.get(0);
        assert!(pause <= f64::from(seconds) && pause > f64::from(seconds) - 1.0, "{attempt}: {pause}");
        let failed: (&str, i32, bool) = (row.get(1), row.get(2), row.get(3));
        assert_eq!(
            failed,
            ("did not answer in time", i32::try_from(attempt).unwrap() + 1, false),
            "silence lets nobody pass"
        );
    }
    let admin = db.admin().await;
    change(&db, "created_at = now() - interval '23 hours 59 minutes'").await;
    admin.batch_execute("select identity.maintenance_run()").await.unwrap();
    assert_eq!(waiting(&db).await.len(), 1);
    change(&db, "created_at = now() - interval '1 day 1 second'").await;
    admin.batch_execute("select identity.maintenance_run()").await.unwrap();
    assert_eq!(waiting(&db).await, []);
    let failed =
        "select client_id, session_id, details - 'jti' from identity.audit_list(array['backchannel_logout_failed'])";
    let rows = admin.query(failed, &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    let row: (String, Uuid, Value) = (rows[0].get(0), rows[0].get(1), rows[0].get(2));
    assert_eq!(row, (app.id.clone(), ended, json!({"attempts": 12, "failure": "did not answer in time"})));
}

#[tokio::test]
async fn a_refusal_is_final_and_an_error_is_not_but_does_not_block_the_others_for_ever() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = told(&db, "https://a.example/out", json!({})).await;
    let end = async || {
        let cookie = visit(&sql, &alice, &[&app]).await;
        let ended = sessions(&db, &alice).await[0];
        call(&sql, "account_session_end", &[&cookie, &ended]).await;
        ended
    };
    // §2.8: 400 is the answer to a request that is invalid, and always will be.
    end().await;
    done(&sql, &take(&sql, 10).await[0], Some(400), None).await;
    assert_eq!(waiting(&db).await, []);
    let (poison, good) = (end().await, end().await);
    let sid = |taken: &Value| crate::support::Tokens::claims(taken["logout_token"].as_str().unwrap())["sid"].clone();
    for status in [500, 503, 404, 302, 401, 429, 500, 500, 500, 100] {
        change(&db, "due_at = now()").await;
        let taken = take(&sql, 10).await;
        assert_eq!(taken.iter().map(sid).collect::<Vec<_>>(), [json!(poison)], "{status}");
        done(&sql, &taken[0], Some(status), None).await;
    }
    change(&db, "due_at = now()").await;
    let mut both = take(&sql, 10).await.iter().map(sid).map(|sid| sid.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let mut expected = [poison.to_string(), good.to_string()];
    both.sort();
    expected.sort();
    assert_eq!(both, expected);
    let failed = "select details - 'jti' from identity.audit_list(array['backchannel_logout_failed'])";
    let details: Value = db.admin().await.query_one(failed, &[]).await.unwrap().get(0);
    assert_eq!(details, json!({"status": 400, "attempts": 1}));
}

#[tokio::test]
async fn an_address_with_a_fragment_or_of_another_host_is_not_registered() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let foreign =
        "frontchannel_logout_uri: must be without fragment, and of scheme, host and port of one of redirect_uris";
    let page = "must be an https URL (http on loopback)";
    for (member, value, message) in [
        ("backchannel_logout_uri", json!("http://a.example/out"), format!("backchannel_logout_uri: {page}")),
        ("backchannel_logout_uri", json!("https://u@a.example/out"), format!("backchannel_logout_uri: {page}")),
        (
            "backchannel_logout_uri",
            json!("https://a.example/out#x"),
            "backchannel_logout_uri: must be without fragment".into(),
        ),
        (
            "backchannel_logout_session_required",
            json!("yes"),
            "backchannel_logout_session_required: must be true or false".into(),
        ),
        ("frontchannel_logout_uri", json!("https://evil.example/out"), foreign.into()),
        ("frontchannel_logout_uri", json!("https://notes.example:8443/out"), foreign.into()),
        ("frontchannel_logout_uri", json!("https://notes.example/out#x"), foreign.into()),
        ("frontchannel_logout_uri", json!("javascript:alert(1)"), format!("frontchannel_logout_uri: {page}")),
    ] {
        let metadata = json!({"redirect_uris": ["https://notes.example/callback"], member: value});
        let refused = admin.query("select identity.client_create($1)", &[&metadata]).await;
        assert_eq!(refusal(refused), ("ID005".into(), message), "{metadata}");
    }
    let good = json!({
        "redirect_uris": ["https://Notes.example/callback", "https://other.example:443/cb"],
        "frontchannel_logout_uri": "https://other.example/out?x=1", "backchannel_logout_uri": "https://elsewhere.example/out?x=1",
        "frontchannel_logout_session_required": true, "backchannel_logout_session_required": false
    });
    let registered = client(&db, good.clone()).await.metadata;
    for (member, value) in good.as_object().unwrap() {
        assert_eq!(&registered[member], value);
    }
    let changed: Value = admin
        .query_one(
            "select identity.client_update($1, $2)",
            &[&registered["client_id"].as_str(), &json!({"backchannel_logout_uri": null})],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(
        (changed.get("backchannel_logout_uri"), &changed["frontchannel_logout_uri"]),
        (None, &good["frontchannel_logout_uri"])
    );
}
