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

    // What is left behind for the time when it is preloaded again: an ordinary role leaves nothing, a superuser may.
    let app = planted(&db, Login::App, &claims).await;
    for attempt in [
        format!("alter role current_user set pg_identity.claims = '{claims}'"),
        "alter role current_user set pg_identity.claims from current".into(),
        format!("create function pg_temp.f() returns void language sql set pg_identity.claims = '{claims}' as ''"),
        "create function pg_temp.f() returns void language sql set pg_identity.claims from current as ''".into(),
        format!("alter database {} set pg_identity.claims = '{claims}'", db.name),
        format!("alter system set pg_identity.claims = '{claims}'"),
    ] {
        let refused = app.batch_execute(&attempt).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{attempt}");
    }
    let superuser = db.superuser().await;
    superuser
        .batch_execute(&format!(
            "alter role app_login set pg_identity.claims = '{claims}';
             alter role app_login in database {name} set pg_identity.claims = '{claims}';
             alter database {name} set pg_identity.claims = '{claims}';
             create function public.old() returns text language sql set pg_identity.claims = '{claims}' as 'select identity.subject()';
             create function public.worker() returns text language plpgsql parallel safe as
               $$ begin return coalesce(identity.subject(), 'nobody') || case when pg_backend_pid() = current_setting('leader.pid')::int then ' leads' else '' end; end $$;
             create table public.many as select generate_series(1, 1000) as i; grant select on public.many to app_login",
            name = db.name
        ))
        .await
        .unwrap();

    superuser.batch_execute("alter system reset shared_preload_libraries").await.unwrap();
    db.cluster.control("restart");
    let app = db.app().await;
    assert_eq!(app.query_one("select identity.subject()", &[]).await.unwrap().get::<_, Option<&str>>(0), None);
    // A function's old SET clause is looked at when it is called.
    let refused = app.query("select public.old()", &[]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    // A parallel worker starts with what ALTER ROLE left, before it takes over from its leader.
    app.batch_execute(
        "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
         set parallel_leader_participation = off; select set_config('leader.pid', pg_backend_pid()::text, false)",
    )
    .await
    .unwrap();
    let workers = "select distinct public.worker() from public.many";
    assert_eq!(app.query_one(workers, &[]).await.unwrap().get::<_, &str>(0), "nobody");
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
