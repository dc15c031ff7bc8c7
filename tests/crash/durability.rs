//! What a function answers for good is on disk when it answers, however the connection is configured.

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use super::cluster;
use crate::authorize::{authorize, call, decide, request, session, with};
use crate::refresh::refresh;
use crate::support::{Database, client, service_client, user};
use crate::token::{method, redeem};

/// Bytes of WAL that were written and not flushed.
async fn unflushed(watcher: &tokio_postgres::Client) -> i64 {
    let query = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn())::bigint";
    watcher.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn every_transition_that_is_answered_for_good_has_been_flushed() {
    let (_turn, cluster) = cluster().await;
    let db = Database::on(cluster).await;
    // A wrong pool costs speed, never data.
    let off = format!("alter database {} set synchronous_commit = off", db.name);
    db.superuser().await.batch_execute(&off).await.unwrap();
    let (sql, admin, watcher) = (db.gateway_role().await, db.admin().await, db.superuser().await);
    let (alice, job) = (user(&db, "alice").await, service_client(&db).await);
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "refresh_token": "always", "scope": "openid"
    });
    let app = client(&db, metadata).await;
    let asked = with(request(&app), json!({"scope": "openid"}));
    let nothing = (None::<&str>, None::<Vec<&str>>);

    // That this test can fail: a line in the audit, and a code before it is redeemed, may be lost.
    let arguments: [&(dyn ToSql + Sync); 5] = [&job.id, &job.secret, &method(&job), &nothing.0, &nothing.1];
    assert_eq!(call(&sql, "token_client_credentials", &arguments).await.0, "ok");
    assert!(unflushed(&watcher).await > 100);

    let cookie = session(&sql, &alice).await;
    assert_eq!(unflushed(&watcher).await, 0, "sign_in");
    let (_, consent) = authorize(&sql, &asked, Some(&cookie)).await;
    let (_, decided) = decide(&sql, &consent, &cookie, "allow").await;
    assert_eq!(unflushed(&watcher).await, 0, "consent_decide");
    let code = decided["parameters"]["code"].as_str().unwrap();
    let (_, first) = redeem(&sql, &app, code).await;
    assert_eq!(unflushed(&watcher).await, 0, "token_authorization_code");
    let (_, second) = refresh(&sql, &app, &first["refresh_token"]).await;
    assert_eq!(unflushed(&watcher).await, 0, "token_refresh_token");
    assert_eq!(redeem(&sql, &app, code).await.0, "invalid_grant");
    assert_eq!(unflushed(&watcher).await, 0, "a code that is replayed");
    assert_eq!(refresh(&sql, &app, &second["refresh_token"]).await.0, "invalid_grant");

    let (_, answer) = authorize(&sql, &asked, Some(&cookie)).await;
    assert!(unflushed(&watcher).await > 100, "a code may be lost: it costs one more click");
    let (_, tokens) = redeem(&sql, &app, answer["parameters"]["code"].as_str().unwrap()).await;
    assert_eq!(unflushed(&watcher).await, 0);
    let revoke = async |token: &Value| {
        let token = token.as_str().unwrap();
        let arguments: [&(dyn ToSql + Sync); 5] = [&app.id, &app.secret, &method(&app), &token, &nothing.0];
        assert_eq!(call(&sql, "token_revoke", &arguments).await.0, "ok");
    };
    for token in ["access_token", "refresh_token"] {
        revoke(&tokens[token]).await;
        assert_eq!(unflushed(&watcher).await, 0, "token_revoke of {token}");
    }
    let withdrawn = call(&sql, "account_application_withdraw", &[&cookie, &app.id]).await.0;
    assert_eq!((withdrawn.as_str(), unflushed(&watcher).await), ("ok", 0), "account_application_withdraw");
    let (old, new) = (&alice.password, "quite another one");
    let changed = call(&sql, "account_password_change", &[&cookie, old, &new, &"192.0.2.1"]).await.0;
    assert_eq!((changed.as_str(), unflushed(&watcher).await), ("ok", 0), "account_password_change");
    let (_, confirm) = call(&sql, "logout_request", &[&json!({}), &cookie, &"browser"]).await;
    let resume = confirm["resume"].as_str().unwrap();
    assert_eq!(call(&sql, "logout_confirm", &[&resume, &cookie, &"browser"]).await.0, "signed_out");
    assert_eq!(unflushed(&watcher).await, 0, "logout_confirm");

    for statement in [
        format!("select identity.user_set_password('{}', 'one more of them')", alice.id),
        format!("select identity.user_disable('{}')", alice.id),
        format!("select identity.user_enable('{}')", alice.id),
        format!("select identity.user_delete('{}')", alice.id),
        format!("select identity.client_rotate_secret('{}')", app.id),
        format!("select identity.client_delete('{}')", app.id),
    ] {
        admin.batch_execute(&statement).await.unwrap();
        assert_eq!(unflushed(&watcher).await, 0, "{statement}");
    }
}
