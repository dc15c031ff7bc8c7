//! Sessions and grants of the interval (sql/store/functions/revoke_issued.sql): which end, who is told, and who was just being given one.

use serde_json::{Value, json};
use uuid::Uuid;

use super::revoke;
use crate::account::page;
use crate::authorize::{Sql, authorize, code, request, session, with};
use crate::races::{alive, code_for, consistent, session_bound_client, tokens_for, waits};
use crate::refresh::{invalid, refresh};
use crate::sessions::{cookie, sessions};
use crate::support::{Client, Database, User, service_client, user, web_client};
use crate::token::{audited, redeem, refused};
use crate::users::refusal;

/// A moment after all that was done before and before all that is done later: ids know milliseconds.
async fn moment(sql: &Sql) -> String {
    let ask = async || -> (i64, String) {
        let now = "select (extract(epoch from t) * 1000)::bigint, t::text from (select clock_timestamp() t) t";
        let row = sql.query_one(now, &[]).await.unwrap();
        (row.get(0), row.get(1))
    };
    let (start, _) = ask().await;
    loop {
        let (now, text) = ask().await;
        if now > start + 1 {
            return text;
        }
    }
}

fn between(from: &str, to: &str) -> String {
    format!("'{from}', '{to}'")
}

/// A client whose grants outlive the session, for one moment of a story.
async fn offline(sql: &Sql, app: &Client, cookie: &str) -> Value {
    tokens_for(sql, app, cookie, "openid offline_access").await
}

/// Whether a refresh gives a token that lives. What was minted in the last second of an interval, after its last moment, dies with it.
async fn refreshes(sql: &Sql, app: &Client, watcher: &Client, tokens: &Value) -> bool {
    let answer = refresh(sql, app, &tokens["refresh_token"]).await;
    if answer == invalid() {
        assert!(!alive(sql, watcher, &tokens["access_token"]).await);
        return false;
    }
    assert_eq!(answer.0, "ok");
    assert!(alive(sql, watcher, &answer.1["access_token"]).await);
    true
}

/// Five people with a session each, of which the third began between two moments.
async fn five(db: &Database, sql: &Sql) -> (Vec<(User, String)>, String, String) {
    let mut people = Vec::new();
    let (mut from, mut to) = (String::new(), String::new());
    for (n, name) in ["ann", "bea", "cat", "dee", "eva"].into_iter().enumerate() {
        let person = user(db, name).await;
        if n == 2 {
            from = moment(sql).await;
        }
        let cookie = session(sql, &person).await;
        if n == 2 {
            to = moment(sql).await;
        }
        people.push((person, cookie));
    }
    (people, from, to)
}

#[tokio::test]
async fn sessions_of_the_interval_end_with_what_was_given_in_them_and_others_go_on() {
    let db = Database::new().await;
    let (sql, admin) = (db.gateway_role().await, db.admin().await);
    let (app, watcher) = (web_client(&db).await, service_client(&db).await);
    let told = json!({ "backchannel_logout_uri": "https://a.example/logout" });
    admin.execute("select identity.client_update($1, $2)", &[&app.id, &told]).await.unwrap();
    let (people, from, to) = five(&db, &sql).await;
    // All of it given after the interval: it is the session that was begun in it.
    let mut given = Vec::new();
    for (_, cookie) in &people {
        given.push(offline(&sql, &app, cookie).await);
    }
    let waiting = code(&sql, &request(&app), &people[2].1).await;
    let ended: Uuid = sessions(&db, &people[2].0).await[0];

    assert_eq!(revoke(&admin, &format!("{}, dry_run => true", between(&from, &to))).await, (1, 2));
    assert_eq!(audited(&db, "issued_between_revoked").await, 0);
    assert_eq!(revoke(&admin, &between(&from, &to)).await, (1, 2));
    for (n, ((person, cookie), tokens)) in people.iter().zip(&given).enumerate() {
        let lives = n != 2;
        assert_eq!(page(&db, cookie).await.0, if lives { "page" } else { "sign_in" }, "{}", person.username);
        assert_eq!(refreshes(&sql, &app, &watcher, tokens).await, lives, "{}", person.username);
    }
    let refusal = refused("invalid_grant", "the authorization code is invalid");
    assert_eq!(redeem(&sql, &app, &waiting).await, refusal);

    let superuser = db.superuser().await;
    let queued = superuser.query("select session_id from identity_store.backchannel_logouts", &[]).await.unwrap();
    assert_eq!(queued.iter().map(|row| row.get(0)).collect::<Vec<Uuid>>(), [ended]);
    let reason = "select details ->> 'reason' from identity.audit_list(array['session_ended'])";
    assert_eq!(admin.query_one(reason, &[]).await.unwrap().get::<_, String>(0), "issued_between_revoked");
    let event = "select actor, details - 'issued_after' - 'issued_before',
        (details ->> 'issued_after')::timestamptz = $1::text::timestamptz
        and (details ->> 'issued_before')::timestamptz = $2::text::timestamptz
      from identity.audit_list(array['issued_between_revoked'])";
    let event = admin.query_one(event, &[&from, &to]).await.unwrap();
    let details = json!({ "used": false, "sessions": 1, "grants": 2 });
    assert_eq!(
        (event.get::<_, String>(0), event.get::<_, Value>(1), event.get::<_, bool>(2)),
        ("admin_login".into(), details, true)
    );
    // Nothing is left of it.
    assert_eq!(revoke(&admin, &between(&from, &to)).await, (0, 0));
    consistent(&db).await;
}

#[tokio::test]
async fn codes_and_refresh_tokens_of_the_interval_end_and_their_session_goes_on() {
    let db = Database::new().await;
    let (sql, admin) = (db.gateway_role().await, db.admin().await);
    let (app, alice, watcher) = (web_client(&db).await, user(&db, "alice").await, service_client(&db).await);
    let cookie = session(&sql, &alice).await;
    let scope = json!({ "scope": "openid offline_access" });
    let asked = with(request(&app), scope);
    let before = offline(&sql, &app, &cookie).await;
    let rotated = offline(&sql, &app, &cookie).await;
    let redeemed = code(&sql, &asked, &cookie).await;
    let from = moment(&sql).await;
    // A token that was issued in the interval by a family that is older, and one by a code that is.
    let rotated = refresh(&sql, &app, &rotated["refresh_token"]).await.1;
    let redeemed = redeem(&sql, &app, &redeemed).await.1;
    let within = offline(&sql, &app, &cookie).await;
    let unused = code(&sql, &asked, &cookie).await;
    let to = moment(&sql).await;
    // Moved on since, so that nothing shows any more that a token of it was issued in the interval.
    let rotated = refresh(&sql, &app, &rotated["refresh_token"]).await.1;
    let after = offline(&sql, &app, &cookie).await;

    assert_eq!(revoke(&admin, &between(&from, &to)).await, (0, 4));
    assert_eq!(page(&db, &cookie).await.0, "page");
    for (name, tokens, lives) in [
        ("before", &before, true),
        ("rotated", &rotated, false),
        ("redeemed", &redeemed, false),
        ("within", &within, false),
        ("after", &after, true),
    ] {
        assert_eq!(refreshes(&sql, &app, &watcher, tokens).await, lives, "{name}");
    }
    let refusal = refused("invalid_grant", "the authorization code is invalid");
    assert_eq!(redeem(&sql, &app, &unused).await, refusal);
    consistent(&db).await;
}

#[tokio::test]
async fn a_session_that_got_its_cookie_in_the_interval_ends() {
    let db = Database::new().await;
    let (sql, admin, alice, bob) =
        (db.gateway_role().await, db.admin().await, user(&db, "alice").await, user(&db, "bob").await);
    let (first, of_bob) = (cookie(&db, &alice, None).await, cookie(&db, &bob, None).await);
    let from = moment(&sql).await;
    let renewed = cookie(&db, &alice, Some(&first)).await;
    let to = moment(&sql).await;
    assert_eq!(revoke(&admin, &between(&from, &to)).await, (1, 0));
    assert_eq!(page(&db, &renewed).await.0, "sign_in");
    assert_eq!(page(&db, &of_bob).await.0, "page");
}

#[tokio::test]
async fn sessions_that_were_only_used_since_end_where_that_is_asked() {
    let db = Database::new().await;
    let (sql, admin, app) = (db.gateway_role().await, db.admin().await, web_client(&db).await);
    let mut cookies = Vec::new();
    for name in ["alice", "bob"] {
        cookies.push(session(&sql, &user(&db, name).await).await);
    }
    let superuser = db.superuser().await;
    let old = "update identity_store.sessions set last_seen_at = last_seen_at - interval '1 hour'";
    superuser.batch_execute(old).await.unwrap();
    let from = moment(&sql).await;
    assert_eq!(authorize(&sql, &request(&app), Some(&cookies[0])).await.0, "consent");
    let to = moment(&sql).await;
    assert_eq!(revoke(&admin, &between(&from, &to)).await, (0, 0));
    assert_eq!(revoke(&admin, &format!("{}, used => true", between(&from, &to))).await, (1, 0));
    assert_eq!(page(&db, &cookies[0]).await.0, "sign_in");
    assert_eq!(page(&db, &cookies[1]).await.0, "page");
}

#[tokio::test]
async fn who_is_being_given_something_at_that_moment_loses_it() {
    let db = Database::new().await;
    let (reader, app, watcher) = (db.gateway_role().await, session_bound_client(&db).await, service_client(&db).await);
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let old = session(&reader, &alice).await;
    let ready = code_for(&reader, &app, &old, "openid").await;
    let before = tokens_for(&reader, &app, &old, "openid").await;
    let from = moment(&reader).await;
    // Each has its answer and has not committed: a session, a code, the tokens of a code, those of a refresh.
    let mut writing = Vec::new();
    for _ in 0..4 {
        let sql = db.gateway_role().await;
        sql.batch_execute("begin").await.unwrap();
        writing.push(sql);
    }
    let of_bob = session(&writing[0], &bob).await;
    let unused = code_for(&writing[1], &app, &old, "openid").await;
    let (outcome, redeemed) = redeem(&writing[2], &app, &ready).await;
    assert_eq!(outcome, "ok");
    let (outcome, refreshed) = refresh(&writing[3], &app, &before["refresh_token"]).await;
    assert_eq!(outcome, "ok");

    let admin = db.admin().await;
    let pid: i32 = admin.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let ending = tokio::spawn(async move { revoke(&admin, &format!("'{from}', clock_timestamp()")).await });
    for sql in &writing {
        waits(&db, pid).await;
        sql.batch_execute("commit").await.unwrap();
    }
    assert_eq!(ending.await.unwrap(), (1, 3));
    assert_eq!(page(&db, &of_bob).await.0, "sign_in");
    assert_eq!(page(&db, &old).await.0, "page");
    let refusal = refused("invalid_grant", "the authorization code is invalid");
    assert_eq!(redeem(&reader, &app, &unused).await, refusal);
    for tokens in [&redeemed, &refreshed] {
        assert!(!refreshes(&reader, &app, &watcher, tokens).await);
    }
    consistent(&db).await;
}

#[tokio::test]
async fn a_transaction_that_may_see_the_past_ends_nothing() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for isolation in ["repeatable read", "serializable"] {
        admin.batch_execute(&format!("begin isolation level {isolation}")).await.unwrap();
        let refused = admin.execute("select identity.revoke_issued_between(now(), now())", &[]).await.unwrap_err();
        let reason = "what is issued meanwhile is not seen in this transaction";
        assert_eq!(refusal(&refused), ("ID005".into(), reason.into()));
        admin.batch_execute("rollback").await.unwrap();
    }
}

#[tokio::test]
async fn whoever_goes_on_writing_is_named_as_the_reason_and_the_others_go_on() {
    let db = Database::new().await;
    let (sql, reader, admin) = (db.gateway_role().await, db.gateway_role().await, db.admin().await);
    let (app, alice, bob) = (web_client(&db).await, user(&db, "alice").await, user(&db, "bob").await);
    let of_bob = session(&reader, &bob).await;
    sql.batch_execute("begin").await.unwrap();
    session(&sql, &alice).await;
    let refused = admin.execute("select identity.revoke_issued_between(now(), now())", &[]).await.unwrap_err();
    let reason = "a transaction that has begun sessions or grants does not end";
    assert_eq!(refusal(&refused), ("55P03".into(), reason.into()));
    code(&reader, &request(&app), &of_bob).await;
    assert_eq!(page(&db, &of_bob).await.0, "page");
    drop(sql);
}
