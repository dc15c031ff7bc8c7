//! What the role can hold up: nothing for longer than half a minute, and nobody who waits is overtaken.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::thief;
use crate::authorize::{Sql, call};
use crate::jwt::sqlstate;
use crate::support::{Database, PATIENCE, User, user};

async fn sign_in(sql: &Sql, alice: &User) -> String {
    let none = None::<&str>;
    call(sql, "sign_in", &[&none, &"browser", &alice.username, &alice.password, &"192.0.2.1", &none, &none, &none])
        .await
        .0
}

/// Waits until this many connections of the database wait for a row or a transaction.
async fn waiting(superuser: &Client, count: i64) {
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while superuser.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < count {}
}

#[tokio::test]
async fn disabling_a_person_is_not_overtaken_by_those_who_sign_in() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let (superuser, admin) = (db.superuser().await, db.admin().await);
    let thieves = [thief(&db).await, db.gateway_role().await];
    thieves[0].batch_execute("begin").await.unwrap();
    assert_eq!(sign_in(&thieves[0], &alice).await, "signed_in");
    let disabled = tokio::spawn(async move { admin.execute("select identity.user_disable($1)", &[&alice.id]).await });
    waiting(&superuser, 1).await;
    // Whoever shared the lock would go on, and by turns two of them would hold it for ever.
    let [first, second] = thieves;
    let alice =
        User { id: uuid::Uuid::nil(), username: "alice".into(), password: "correct horse battery alice".into() };
    let later = tokio::spawn(async move { sign_in(&second, &alice).await });
    waiting(&superuser, 2).await;
    first.batch_execute("commit").await.unwrap();
    disabled.await.unwrap().unwrap();
    assert_eq!(later.await.unwrap(), "invalid_credentials");
    let sessions = "select count(*) from identity_store.sessions where ended_at is null";
    assert_eq!(superuser.query_one(sessions, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// The connection and the SQLSTATE that it ends with, which reaches it when nobody has asked anything.
async fn watched(db: &Database, role: &str) -> (Client, tokio::task::JoinHandle<String>) {
    let (client, mut connection) = db.cluster.config(role, &db.name).connect(NoTls).await.unwrap();
    let end = tokio::spawn(async move {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notice(_) | AsyncMessage::Notification(_))) => {}
                Some(Err(error)) => return error.code().map_or_else(|| error.to_string(), |code| code.code().into()),
                _ => return "closed".to_owned(),
            }
        }
    });
    (client, end)
}

#[tokio::test]
async fn a_transaction_that_goes_on_after_a_protocol_function_is_ended() {
    let db = Database::new().await;
    let transactions = [
        "begin; select identity.require_present(1)",
        // No time limit of the session's own decides.
        "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; begin; select identity.require_present(1)",
        // Nor does a later call put it off.
        "begin; select identity.require_present(1); select identity.require_present(1000)",
        // And it does not have the time of an earlier one that may take longer.
        "begin; select identity.require_present(1000); select identity.require_present(1)",
        // While it runs and while it waits.
        "begin; select identity.require_present(1); select pg_sleep(1000)",
    ];
    for sql in transactions {
        let (client, end) = watched(&db, "migrate_login").await;
        client.batch_execute("set role identity_owner").await.unwrap();
        let begun = Instant::now();
        // Whoever waits for an answer gets it as the answer.
        let answer = sqlstate(client.batch_execute(sql).await);
        let last = timeout(PATIENCE, end).await.unwrap_or_else(|_| panic!("it goes on: {sql}")).unwrap();
        assert!(last == "57P01" || answer == "57P01", "{sql}: {answer} {last}");
        assert!(begun.elapsed() >= Duration::from_millis(900), "{sql}");
    }
    // An error disables PostgreSQL's timers; with a savepoint the transaction survives it.
    let (client, end) = watched(&db, "migrate_login").await;
    client
        .batch_execute("set role identity_owner; begin; select identity.require_present(5); savepoint s")
        .await
        .unwrap();
    assert_eq!(sqlstate(client.batch_execute("select 1 / 0").await), "22012");
    client.batch_execute("rollback to s").await.unwrap();
    assert_eq!(end.await.unwrap(), "57P01");
}

#[tokio::test]
async fn a_transaction_that_ended_in_time_ends_nobody() {
    let db = Database::new().await;
    let (client, end) = watched(&db, "migrate_login").await;
    client
        .batch_execute(
            "set role identity_owner;
             begin; select identity.require_present(5); commit;
             begin; select identity.require_present(5); rollback",
        )
        .await
        .unwrap();
    client.batch_execute("begin; select pg_sleep(5.5); commit").await.unwrap();
    drop(client);
    assert_eq!(end.await.unwrap(), "closed");
}

#[tokio::test]
async fn plans_are_not_printed_to_whoever_asks() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    for setting in ["debug_print_parse", "debug_print_rewritten", "debug_print_plan"] {
        let thief = db.gateway_role().await;
        thief.batch_execute(&format!("set {setting} = on; set client_min_messages = log")).await.unwrap();
        let call = "select identity.sign_in(null, 'b', 'alice', $1, null, null, null, null)";
        assert_eq!(sqlstate(thief.query(call, &[&alice.password]).await), "ID005", "{setting}");
    }
}
