//! Nobody writes the setting by hand: not by SET in any of its forms, not by what a connection brings along.

use serde_json::json;
use tokio_postgres::NoTls;

use super::{sign_in, subject};
use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::{Database, Login};

#[tokio::test]
async fn reset_all_only_signs_out() {
    let db = Database::new().await;
    let app = db.app().await;
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, json!({})).await).await.unwrap();
    app.batch_execute("reset all").await.unwrap();
    assert_eq!(subject(&app).await, None);
    app.batch_execute("commit").await.unwrap();
    assert_eq!(subject(&app).await, None);
    app.batch_execute("discard all").await.unwrap();
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn no_role_can_set_it_by_hand() {
    let db = Database::new().await;
    let (app, superuser) = (db.app().await, db.superuser().await);
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, json!({})).await).await.unwrap();
    app.batch_execute("commit").await.unwrap();
    let value = json!({ "issuer": db.issuer, "subject": BOB }).to_string();
    const DENIED: &str = "42501";
    let set = format!("set pg_identity.claims = '{value}'");
    let set_config = format!("select set_config('pg_identity.claims', '{value}', true)");
    let planted = [
        (DENIED, set.clone()),
        (DENIED, format!("set local pg_identity.claims = '{value}'")),
        (DENIED, format!("set session characteristics as transaction read only; {set}")),
        (DENIED, set_config.clone()),
        (DENIED, format!("select set_config('PG_Identity.Claims', '{value}', false)")),
        (
            DENIED,
            format!(
                "create function pg_temp.f() returns uuid language sql set pg_identity.claims = '{value}' as 'select identity.user_id()'; select pg_temp.f()"
            ),
        ),
        (DENIED, format!("alter role current_user set pg_identity.claims = '{value}'")),
        (DENIED, format!("alter database {} set pg_identity.claims = '{value}'", db.name)),
        (DENIED, format!("alter system set pg_identity.claims = '{value}'")),
        (DENIED, "create function pg_temp.c() returns void language sql set pg_identity.claims from current as ''; select pg_temp.c()".into()),
        (DENIED, "alter role current_user set pg_identity.claims from current".into()),
        (DENIED, format!("alter role all set pg_identity.claims = '{value}'")),
        (DENIED, format!("do $$ begin perform set_config('pg_identity.claims', '{value}', true); end $$")),
        (DENIED, format!("do $$ begin set local pg_identity.claims = '{value}'; end $$")),
        (DENIED, format!("do $$ begin execute $x$ set pg_identity.claims = '{value}' $x$; end $$")),
        (DENIED, format!("create procedure pg_temp.p() language sql set pg_identity.claims = '{value}' as ''; call pg_temp.p()")),
        (
            DENIED,
            format!("create function pg_temp.a() returns uuid language sql as 'select identity.user_id()'; alter function pg_temp.a() set pg_identity.claims = '{value}'; select pg_temp.a()"),
        ),
        (DENIED, format!("deallocate all; prepare p as select set_config('pg_identity.claims', '{value}', true); execute p")),
        (DENIED, format!("select set_config(name, '{value}', true) from (values ('pg_identity.claims')) as v (name)")),
        (DENIED, "select current_setting('pg_identity.claims')".into()),
        (DENIED, "select set_config('pg_identity.claims', '', true)".into()),
        // The setting is not shown to an ordinary role, so there is no row to update.
        ("accepted", format!("update pg_settings set setting = '{value}' where name = 'pg_identity.claims'")),
        (DENIED, "set pg_identity.claims to default".into()),
        (DENIED, "reset pg_identity.claims".into()),
        (DENIED, "show pg_identity.claims".into()),
        // A reserved prefix: no placeholder can be made.
        ("42602", "set pg_identity.something_else = 'x'".into()),
        ("42602", "select set_config('pg_identity.something_else', 'x', false)".into()),
    ];
    for (expected, statement) in &planted {
        assert_eq!(sqlstate(app.batch_execute(statement).await), *expected, "{statement}");
        assert_eq!(subject(&app).await, None, "{statement}");
    }
    // While somebody is signed in neither.
    for (expected, statement) in &planted {
        sign_in(&db, &app, ALICE).await;
        app.batch_execute("savepoint a").await.unwrap();
        if !statement.starts_with("alter system") {
            assert_eq!(sqlstate(app.batch_execute(statement).await), *expected, "{statement}");
            app.batch_execute("rollback to a").await.unwrap();
        }
        assert_eq!(subject(&app).await.as_deref(), Some(ALICE), "{statement}");
        app.batch_execute("commit").await.unwrap();
        assert_eq!(subject(&app).await, None, "{statement}");
    }
    // Not even a superuser, nor a role that was granted the setting: only authenticate writes it.
    superuser
        .batch_execute(
            "do $$ begin
               create role granted_login login in role identity_app;
             exception when duplicate_object or unique_violation then null; end $$;
             grant set, alter system on parameter pg_identity.claims to granted_login",
        )
        .await
        .unwrap();
    let (granted, connection) = db.cluster.config("granted_login", &db.name).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    for client in [&granted, &superuser] {
        for (expected, statement) in [
            ("22023", &set),
            ("22023", &set_config),
            ("22023", &format!("alter role current_user set pg_identity.claims = '{value}'")),
            ("55P02", &format!("alter system set pg_identity.claims = '{value}'")),
            (
                "22023",
                &format!(
                    "create function pg_temp.g() returns void language sql set pg_identity.claims = '{value}' as ''; select pg_temp.g()"
                ),
            ),
        ] {
            assert_eq!(sqlstate(client.batch_execute(statement).await), expected, "{statement}");
            assert_eq!(subject(client).await, None, "{statement}");
        }
    }
    assert_eq!(
        sqlstate(
            superuser.batch_execute(&format!("alter database {} set pg_identity.claims = '{value}'", db.name)).await
        ),
        "22023"
    );
    assert_eq!(
        sqlstate(superuser.batch_execute(&format!("alter role all set pg_identity.claims = '{value}'")).await),
        "22023"
    );
    superuser.batch_execute("drop owned by granted_login; drop role granted_login").await.unwrap();
}

#[tokio::test]
async fn no_client_brings_it_along() {
    let db = Database::new().await;
    for (expected, option) in [
        ("42501", "-c pg_identity.claims={}"),
        ("42501", "--pg_identity.claims={}"),
        ("42602", "-c pg_identity.unknown=1"),
    ] {
        let mut config = db.cluster.config(Login::App.role(), &db.name);
        let refused = config.options(option).connect(NoTls).await.err().expect("the connection is refused");
        assert_eq!(refused.code().unwrap().code(), expected, "{option}");
    }
}
