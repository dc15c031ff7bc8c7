//! A server that does not preload the library: a client can plant a setting of our name, so nothing may believe it.

use serde_json::json;
use tokio_postgres::{Client, NoTls};

use crate::jwt::{ALICE, access_token};
use crate::support::{Cluster, Database, Login};

/// A connection that brings this identity along, and that the server lets in.
async fn planted(db: &Database, login: Login, claims: &str) -> Client {
    let mut config = db.cluster.config(login.role(), &db.name);
    config.options(format!("-c pg_identity.claims={claims}"));
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn without_preload_a_planted_identity_is_refused_and_so_is_everything_else() {
    let db = Database::on(Cluster::start()).await;
    let token = access_token(&db, json!({})).await;
    // Any other library: ALTER SYSTEM would write an empty list as a list of one empty name.
    db.superuser().await.batch_execute("alter system set shared_preload_libraries = 'plpgsql'").await.unwrap();
    db.cluster.control("restart");

    let claims = json!({ "issuer": db.issuer, "subject": ALICE, "user_id": ALICE, "scope": "x" }).to_string();
    for (login, calls) in [
        (
            Login::App,
            &[
                "select identity.user_id()",
                "select identity.subject()",
                "select identity.issuer()",
                "select identity.has_scope('x')",
                "select identity.scopes()",
                "select identity.is_agent()",
                "select identity.claim('sub')",
                "select identity.claims()",
                "select identity.sign_out()",
            ][..],
        ),
        (
            Login::Admin,
            &[
                "select identity.hash_password('x')",
                "select identity.create_signing_key('EdDSA')",
                "select identity.sign_jwt('{}')",
                "select identity.rewrap_keys()",
            ],
        ),
    ] {
        let client = planted(&db, login, &claims).await;
        // It is a placeholder now: PostgreSQL takes any value for a name that no library has claimed.
        let shown: String = client.query_one("show pg_identity.claims", &[]).await.unwrap().get(0);
        assert_eq!(shown, claims);
        for call in calls {
            assert_not_preloaded(client.query(*call, &[]).await, call);
        }
    }
    // The library has been loaded by now, and refuses still: here with a token that is good.
    let app = planted(&db, Login::App, &claims).await;
    for _ in 0..2 {
        assert_not_preloaded(app.query("select identity.authenticate($1)", &[&token]).await, "authenticate");
    }

    db.superuser().await.batch_execute("alter system reset shared_preload_libraries").await.unwrap();
    db.cluster.control("restart");
    let app = db.app().await;
    app.batch_execute("begin").await.unwrap();
    app.execute("select identity.authenticate($1)", &[&token]).await.unwrap();
    assert_eq!(app.query_one("select identity.subject()", &[]).await.unwrap().get::<_, &str>(0), ALICE);
}

fn assert_not_preloaded<T>(outcome: Result<T, tokio_postgres::Error>, call: &str) {
    let error = outcome.err().unwrap_or_else(|| panic!("{call} was answered"));
    let error = error.as_db_error().unwrap_or_else(|| panic!("{call}: {error}"));
    assert_eq!(
        (error.code().code(), error.message(), error.hint()),
        (
            "ID001",
            "pg_identity was not preloaded",
            Some("Set shared_preload_libraries = 'pg_identity' and restart the server.")
        ),
        "{call}"
    );
}
