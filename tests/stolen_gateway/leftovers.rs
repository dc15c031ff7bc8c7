//! What is left to the role, as README lists it: all of it while it is there, and none of it a token or a page of somebody
//! who is not.

use serde_json::json;

use super::{login, thief};
use crate::authorize::{call, code, request, session, with};
use crate::hashing::busy::{Held, narrow};
use crate::jwt::{authenticate, sqlstate};
use crate::refresh::{OFFLINE, invalid, refresh, tokens};
use crate::sign_in::{Attempt, attempt};
use crate::support::{Database, Tokens, until, user, web_client};
use crate::token::{method, redeem};

/// What ends all of it, as README says.
fn close(login: &str) -> String {
    format!(
        "alter role {login} nologin password null; alter role {login} reset all;
         select pg_terminate_backend(pid) from pg_stat_activity where usename = '{login}'"
    )
}

#[tokio::test]
async fn tokens_whose_transaction_is_rolled_back_live_their_minutes_and_renew_nothing() {
    let db = Database::new().await;
    let (alice, app) = (user(&db, "alice").await, web_client(&db).await);
    let thief = thief(&db).await;
    let cookie = session(&thief, &alice).await;
    let asked = with(request(&app), json!({ "scope": "openid offline_access" }));
    let code = code(&thief, &asked, &cookie).await;
    thief.batch_execute("begin").await.unwrap();
    let (outcome, tokens) = redeem(&thief, &app, &code).await;
    assert_eq!(outcome, "ok");
    thief.batch_execute("rollback").await.unwrap();
    let access = tokens["access_token"].as_str().unwrap();
    authenticate(&db.app().await, access).await.unwrap();
    assert_eq!(Tokens::claims(access)["exp"], json!(Tokens::claims(access)["iat"].as_i64().unwrap() + 300));
    let refreshed = call(
        &thief,
        "token_refresh_token",
        &[&app.id, &app.secret, &method(&app), &tokens["refresh_token"].as_str(), &None::<&str>, &Vec::<String>::new()],
    )
    .await;
    assert_eq!(refreshed.0, "invalid_grant");
    // The end of her session ends what no row knows of, too.
    db.admin().await.execute("select identity.user_disable($1)", &[&alice.id]).await.unwrap();
    assert_eq!(sqlstate(authenticate(&db.app().await, access).await), "ID107");
}

#[tokio::test]
async fn source_addresses_are_taken_on_its_word() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let thief = thief(&db).await;
    for source in ["203.0.113.7", "not an address", "::ffff:10.0.0.1", "fe80::1%eth0", ""] {
        let signed_in =
            Attempt { username: "alice", password: &alice.password, source: Some(source), ..Attempt::default() };
        assert_eq!(attempt(&thief, &signed_in).await.0, "signed_in", "{source}");
    }
}

#[tokio::test]
async fn guesses_that_it_rolls_back_keep_out_strangers_of_one_account_and_not_its_owner() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    user(&db, "bob").await;
    let thief = thief(&db).await;
    let right = Attempt { username: "alice", password: &alice.password, ..Attempt::default() };
    let (_, answer) = attempt(&thief, &right).await;
    let device = answer["device_cookie"].as_str();
    for _ in 0..2 {
        thief.batch_execute("begin").await.unwrap();
        assert_eq!(attempt(&thief, &Attempt { password: "wrong", ..right.clone() }).await.0, "invalid_credentials");
        thief.batch_execute("rollback").await.unwrap();
    }
    let busy = "select identity.sign_in(null, 'b', 'alice', 'wrong', null, null, null, null)";
    assert_eq!(sqlstate(thief.query(busy, &[]).await), "ID004");
    // The browser that she has signed in with before, and everybody else, go on.
    assert_eq!(attempt(&thief, &Attempt { device, ..right }).await.0, "signed_in");
    let bob = Attempt { username: "bob", password: "correct horse battery bob", ..Attempt::default() };
    assert_eq!(attempt(&thief, &bob).await.0, "signed_in");
}

/// What PostgreSQL gives to every login, and how to take it back.
#[tokio::test]
async fn it_can_do_what_every_login_can_until_its_role_may_not_log_in() {
    let db = Database::new().await;
    let name = format!("stolen_{}_login", db.name);
    let (thief, superuser) = (thief(&db).await, db.superuser().await);
    let second = login(&db, &name).await;
    for sql in [
        // Fills disks.
        "create temp table t as select repeat('x', 1000)",
        "select lo_from_bytea(0, 'x')",
        "notify elsewhere, 'x'",
        "select pg_logical_emit_message(false, 'x', 'x')",
        // Reads the catalog: names, sizes, estimates.
        "select reltuples from pg_class where relname = 'users'",
        "select prosrc from pg_proc where proname = 'sign_in'",
        // Its own login: password, settings, other connections.
        &format!("alter role {name} password 'mine'"),
        &format!("alter role {name} set default_transaction_isolation = 'serializable'"),
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()",
    ] {
        assert_eq!(sqlstate(thief.batch_execute(sql).await), "accepted", "{sql}");
    }
    assert!(second.batch_execute("select 1").await.is_err());
    superuser.batch_execute(&close(&name)).await.unwrap();
    assert!(thief.batch_execute("select 1").await.is_err());
    let refused = db.cluster.config(&name, &db.name).connect(tokio_postgres::NoTls).await.err().unwrap();
    assert_eq!(refused.code().unwrap().code(), "28000");
    let settings =
        "select count(*) from pg_db_role_setting s join pg_roles r on r.oid = s.setrole where r.rolname = $1";
    assert_eq!(superuser.query_one(settings, &[&name]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn logouts_that_it_takes_are_told_to_nobody_if_it_says_so_and_others_are() {
    let db = Database::new().await;
    let (alice, thief, gateway) = (user(&db, "alice").await, thief(&db).await, db.gateway_role().await);
    let metadata =
        json!({"redirect_uris": ["https://a.example/cb"], "backchannel_logout_uri": "https://a.example/out"});
    let app = crate::support::client(&db, metadata).await;
    for _ in 0..2 {
        let cookie = session(&gateway, &alice).await;
        code(&gateway, &request(&app), &cookie).await;
    }
    db.admin().await.execute("select identity.user_disable($1)", &[&alice.id]).await.unwrap();
    let (_, taken) = call(&thief, "backchannel_logout_take", &[&100]).await;
    let taken = taken["logouts"].as_array().unwrap().clone();
    assert_eq!(taken.len(), 1);
    let told = |receipt: &serde_json::Value| receipt["receipt"].as_str().map(str::to_owned);
    assert_eq!(call(&thief, "backchannel_logout_done", &[&told(&taken[0]), &200, &None::<&str>]).await.0, "ok");
    // It sees who is meant, by the names that this client has for them.
    let token = taken[0]["logout_token"].as_str().unwrap();
    let claims = Tokens::claims(token);
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!(alice.id), &json!(app.id)));
    assert!(claims["sid"].is_string(), "{claims}");
    // What the token is worth: nothing here.
    assert_eq!(sqlstate(authenticate(&db.app().await, token).await), "ID108");
    let (_, taken) = call(&gateway, "backchannel_logout_take", &[&100]).await;
    assert_eq!(taken["logouts"].as_array().unwrap().len(), 1);
    assert_eq!(call(&thief, "backchannel_logout_take", &[&100]).await.1, json!({"logouts": []}));
}

/// Who shows a token that was just replaced shares the row (races/refresh.rs), and who shares it overtakes whoever waits to end it.
#[tokio::test]
async fn refreshing_in_turns_keeps_the_end_of_those_families_waiting_until_its_login_is_closed() {
    let db = Database::new().await;
    let (alice, bob, app) = (user(&db, "alice").await, user(&db, "bob").await, web_client(&db).await);
    let name = format!("stolen_{}_login", db.name);
    let thieves = [thief(&db).await, login(&db, &name).await];
    let passed = tokens(&thieves[0], &app, &alice, OFFLINE).await["refresh_token"].clone();
    assert_eq!(refresh(&thieves[0], &app, &passed).await.0, "ok");
    let (superuser, admin, other_admin) = (db.superuser().await, db.admin().await, db.admin().await);
    let ender: i32 = admin.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let (mut holder, mut next) = (&thieves[0], &thieves[1]);
    holder.batch_execute("begin").await.unwrap();
    assert_eq!(refresh(holder, &app, &passed).await.0, "ok");
    let disabled = tokio::spawn(async move { admin.execute("select identity.user_disable($1)", &[&alice.id]).await });
    for _ in 0..5 {
        let process: i32 = holder.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
        let held_up = "select pg_blocking_pids($1) = array[$2::integer]";
        until("the end waits for it", async || superuser.query_one(held_up, &[&ender, &process]).await.unwrap().get(0))
            .await;
        next.batch_execute("begin").await.unwrap();
        assert_eq!(refresh(next, &app, &passed).await.0, "ok");
        holder.batch_execute("commit").await.unwrap();
        (holder, next) = (next, holder);
    }
    assert!(!disabled.is_finished());
    // The families of others end.
    other_admin.execute("select identity.user_disable($1)", &[&bob.id]).await.unwrap();
    superuser.batch_execute(&close(&name)).await.unwrap();
    disabled.await.unwrap().unwrap();
    assert_eq!(refresh(&db.gateway_role().await, &app, &passed).await, invalid());
}

/// The guess that stands still in the middle of its hash stands for all those that it would make one after the other.
#[tokio::test]
async fn a_queue_for_hashes_that_it_fills_keeps_out_passwords_and_nothing_else_until_its_login_is_closed() {
    let db = narrow().await;
    let (alice, app, gateway) = (user(&db, "alice").await, web_client(&db).await, db.gateway_role().await);
    let given = tokens(&gateway, &app, &alice, OFFLINE).await;
    let held = Held::by(&db, thief(&db).await).await;
    let right = "select outcome from identity.sign_in(null, 'b', 'alice', $1, null, null, null, null)";
    assert_eq!(sqlstate(gateway.query(right, &[&alice.password]).await), "ID004");
    // Who is signed in goes on, and so does administration.
    authenticate(&db.app().await, given["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(refresh(&gateway, &app, &given["refresh_token"]).await.0, "ok");
    user(&db, "bob").await;
    db.superuser().await.batch_execute(&close(&format!("stolen_{}_login", db.name))).await.unwrap();
    assert!(held.go_on().await.is_err());
    until("its place is free", async || gateway.query(right, &[&alice.password]).await.is_ok()).await;
}

#[tokio::test]
async fn a_connection_limit_bounds_how_many_of_it_there_are() {
    let db = Database::new().await;
    let name = format!("stolen_{}_login", db.name);
    let first = thief(&db).await;
    db.superuser().await.batch_execute(&format!("alter role {name} connection limit 2")).await.unwrap();
    let _second = login(&db, &name).await;
    let refused = db.cluster.config(&name, &db.name).connect(tokio_postgres::NoTls).await.err().unwrap();
    assert_eq!(refused.code().unwrap().code(), "53300");
    // Which it cannot lift.
    assert_eq!(sqlstate(first.batch_execute(&format!("alter role {name} connection limit -1")).await), "42501");
}
