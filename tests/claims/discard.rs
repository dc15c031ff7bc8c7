//! DISCARD and the packet that begins a connection: what a pooler sends between two clients, and what a client brings along.

use serde_json::json;
use tokio_postgres::Client;

use super::{bodies, letters, sign_in, subject, token_of};
use crate::jwt::{ALICE, BOB, authenticate, sqlstate};
use crate::support::{Database, Login, Pooler, startup};

/// Whether the transaction is still alice's and takes nobody else.
async fn assert_alices_alone(app: &Client, bob: &str, after: &str) {
    assert_eq!(subject(app).await.as_deref(), Some(ALICE), "{after}");
    assert_eq!(bodies(app).await, ["to alice"], "{after}");
    app.batch_execute("savepoint before_bob").await.unwrap();
    assert_eq!(sqlstate(authenticate(app, bob).await), "ID201", "{after}");
    app.batch_execute("rollback to before_bob").await.unwrap();
    assert_eq!(subject(app).await.as_deref(), Some(ALICE), "{after}");
}

/// In a transaction of its own: where DISCARD ALL follows, a statement that was prepared before is gone.
async fn assert_nobody(app: &Client, after: &str) {
    app.batch_execute("begin").await.unwrap();
    assert_eq!(subject(app).await, None, "{after}");
    assert!(bodies(app).await.is_empty(), "{after}");
    app.batch_execute("commit").await.unwrap();
}

#[tokio::test]
async fn discarding_less_than_all_leaves_the_identity_and_its_first_subject() {
    let db = Database::new().await;
    letters(&db).await;
    let (app, bob) = (db.app().await, token_of(&db, BOB).await);
    for statement in ["discard plans", "discard sequences", "discard temp", "discard temporary"] {
        sign_in(&db, &app, ALICE).await;
        app.batch_execute(statement).await.unwrap();
        assert_alices_alone(&app, &bob, statement).await;
        app.batch_execute("commit").await.unwrap();
        assert_nobody(&app, statement).await;
    }
}

#[tokio::test]
async fn discard_all_is_refused_within_a_transaction_and_changes_nobody() {
    const WITHIN: &str = "25001";
    let db = Database::new().await;
    letters(&db).await;
    let (app, alice, bob) = (db.app().await, token_of(&db, ALICE).await, token_of(&db, BOB).await);
    sign_in(&db, &app, ALICE).await;
    app.batch_execute("savepoint a").await.unwrap();
    assert_eq!(sqlstate(app.batch_execute("discard all").await), WITHIN);
    app.batch_execute("rollback to a").await.unwrap();
    assert_alices_alone(&app, &bob, "in a savepoint").await;
    assert_eq!(sqlstate(app.batch_execute("discard all").await), WITHIN);
    app.batch_execute("rollback").await.unwrap();
    assert_nobody(&app, "rollback").await;
    // Several statements in one message are a transaction too.
    let both = format!("select identity.authenticate('{alice}'); discard all; select identity.authenticate('{bob}')");
    assert_eq!(sqlstate(app.batch_execute(&both).await), WITHIN);
    assert_nobody(&app, "statements of one message").await;

    // By itself it is good, and whoever comes next begins afresh.
    sign_in(&db, &app, ALICE).await;
    app.batch_execute("commit").await.unwrap();
    app.batch_execute("discard all").await.unwrap();
    assert_nobody(&app, "discard all").await;
    sign_in(&db, &app, BOB).await;
    assert_eq!(bodies(&app).await, ["to bob"]);
    app.batch_execute("commit").await.unwrap();
}

#[tokio::test]
async fn a_pooler_that_discards_all_after_each_transaction_leaves_nobody_and_bars_nobody() {
    let db = Database::new().await;
    letters(&db).await;
    let pooler = Pooler::start_with(&db, "server_reset_query = discard all\nserver_reset_query_always = 1\n");
    let clients = [(pooler.app().await, ALICE, "to alice"), (pooler.app().await, BOB, "to bob")];
    // It does discard: a setting of the session is gone with the transaction.
    clients[0].0.batch_execute("set lock_timeout = '7s'").await.unwrap();
    clients[1].0.batch_execute("begin").await.unwrap();
    let kept: String = clients[1].0.query_one("show lock_timeout", &[]).await.unwrap().get(0);
    assert_eq!(kept, "0");
    clients[1].0.batch_execute("commit").await.unwrap();
    for turn in 0..12 {
        let (client, person, own) = &clients[turn % 2];
        let end = ["commit", "rollback", "reset all; commit"][turn % 3];
        sign_in(&db, client, person).await;
        assert_eq!(bodies(client).await, [*own], "{turn}");
        client.batch_execute(end).await.unwrap();
        assert_nobody(&clients[(turn + 1) % 2].0, end).await;
    }
}

#[tokio::test]
async fn no_packet_that_begins_a_connection_brings_an_identity_along() {
    let db = Database::new().await;
    let value = json!({ "issuer": db.issuer, "subject": BOB }).to_string();
    let connect = |login: Login, name: &str, value: &str| {
        let parameters = [("user", login.role()), ("database", &db.name), (name, value)];
        startup(db.cluster, &parameters).err()
    };
    // The packet itself is good.
    assert_eq!(connect(Login::App, "application_name", &value), None);
    for login in [Login::App, Login::Gateway, Login::Admin] {
        for (expected, name, value) in [
            ("42501", "pg_identity.claims", value.as_str()),
            ("42501", "PG_Identity.Claims", &value),
            ("42501", "pg_identity.claims", "{}"),
            ("42501", "pg_identity.claims", ""),
            ("42602", "pg_identity.something_else", "x"),
        ] {
            assert_eq!(connect(login, name, value).as_deref(), Some(expected), "{login:?} {name} {value}");
        }
    }
    // Who may set it may not set it to anybody.
    assert_eq!(connect(Login::Superuser, "pg_identity.claims", &value).as_deref(), Some("22023"));
}
