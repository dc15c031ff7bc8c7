//! The gateway starts only where it fits: roles with one privilege too many, other issuers, stores that do not match.

use crate::support::{Database, Gateway, Login};

/// The gateway must end with an error; returns its log.
async fn refusal(db: &Database, environment: &[(&str, &str)]) -> String {
    let mut gateway = Gateway::spawn(db, environment);
    assert!(!gateway.wait().await.success());
    gateway.log_text()
}

#[tokio::test]
async fn a_role_that_can_do_more_than_it_needs_is_refused() {
    let db = Database::new().await;
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &db.url(Login::Superuser))]).await;
    assert!(log.contains("role postgres can do more than serve needs: it is a superuser"), "{log}");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &db.url(Login::Migrate))]).await;
    assert!(log.contains("it is a member of identity_owner"), "{log}");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &db.url(Login::Admin))]).await;
    assert!(log.contains("it is a member of identity_admin"), "{log}");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &db.url(Login::App))]).await;
    assert!(log.contains("it is a member of identity_app"), "{log}");
}

#[tokio::test]
async fn a_role_with_a_privilege_on_one_table_is_refused() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute("grant usage on schema identity_store to gateway_login; grant select (phc) on identity_store.passwords to gateway_login")
        .await
        .unwrap();
    let log = refusal(&db, &[]).await;
    assert!(log.contains("it has privileges on identity_store.passwords"), "{log}");
}

#[tokio::test]
async fn a_role_without_the_protocol_functions_is_told_what_to_grant() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute("do $$ begin create role stranger login; exception when duplicate_object then null; end $$")
        .await
        .unwrap();
    let url = db.url(Login::Gateway).replace("gateway_login", "stranger");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &url)]).await;
    assert!(log.contains("role stranger is not a member of identity_gateway"), "{log}");
    assert!(log.contains("grant identity_gateway to stranger"), "{log}");
}

#[tokio::test]
async fn another_issuer_than_the_database_s_is_refused() {
    let db = Database::new().await;
    let log = refusal(&db, &[("GATEWAY_ISSUER", "https://id.example.com")]).await;
    let expected = format!("issuer is https://id.example.com, but the database's is {}", db.issuer);
    assert!(log.contains(&expected), "{log}");
}

#[tokio::test]
async fn an_issuer_that_is_no_issuer_is_refused() {
    let db = Database::new().await;
    for (issuer, reason) in [
        ("http://id.example.com", "http is for loopback hosts only"),
        ("https://id.example.com/", "must not end with a slash"),
        ("https://ID.example.com", "is not in normal form, which is https://id.example.com"),
        ("https://id.example.com?x=1", "must not have a query or fragment"),
        ("id.example.com", "is not a URL"),
        ("", "is not a URL"),
    ] {
        let log = refusal(&db, &[("GATEWAY_ISSUER", issuer)]).await;
        assert!(log.contains("--issuer") && log.contains(reason), "{issuer}: {log}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_match_is_refused_with_the_function_that_is_missing() {
    let db = Database::new().await;
    let owner = db.superuser().await;
    owner.batch_execute("drop function identity.userinfo_read(text)").await.unwrap();
    let log = refusal(&db, &[]).await;
    assert!(log.contains("the store does not match this gateway: identity.userinfo_read"), "{log}");
    assert!(log.contains("run: gateway migrate"), "{log}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_database_are_told_and_not_retried() {
    let db = Database::new().await;
    let url = db.url(Login::Gateway).replace(&db.name, "nowhere");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &url)]).await;
    assert!(log.contains("database \"nowhere\" does not exist (SQLSTATE 3D000)"), "{log}");
}
