//! Refresh tokens: one family, one head (sql/store/functions/refresh.sql, token_refresh_token.sql; README, decision 9).

use serde_json::{Value, json};

use crate::authorize::{Answer, Sql, call, code, request, session, with};
use crate::support::{Client, Database, Tokens, User, client, user, web_client};
use crate::token::{method, redeem, refused};

pub async fn refresh(sql: &Sql, client: &Client, token: &Value) -> Answer {
    narrowed(sql, client, token, None, None).await
}

async fn narrowed(
    sql: &Sql,
    client: &Client,
    token: &Value,
    scope: Option<&str>,
    resource: Option<Vec<&str>>,
) -> Answer {
    let token = token.as_str().unwrap();
    call(sql, "token_refresh_token", &[&client.id, &client.secret, &method(client), &token, &scope, &resource]).await
}

/// The first tokens of a grant with these scopes.
pub async fn tokens(sql: &Sql, app: &Client, user: &User, scope: &str) -> Value {
    let cookie = session(sql, user).await;
    let code = code(sql, &with(request(app), json!({"scope": scope})), &cookie).await;
    let (outcome, answer) = redeem(sql, app, &code).await;
    assert_eq!(outcome, "ok");
    answer
}

pub fn invalid() -> Answer {
    refused("invalid_grant", "the refresh token is invalid")
}

pub async fn count(db: &Database, query: &str) -> i64 {
    db.superuser().await.query_one(query, &[]).await.unwrap().get(0)
}

pub async fn later(db: &Database, interval: &str) {
    db.superuser()
        .await
        .batch_execute(&format!(
            "update identity_store.refresh_families set head_since = head_since - interval '{interval}',
               idle_expires_at = idle_expires_at - interval '{interval}', expires_at = expires_at - interval '{interval}'"
        ))
        .await
        .unwrap();
}

pub const OFFLINE: &str = "openid offline_access";

#[tokio::test]
async fn a_refresh_replaces_the_token_and_keeps_the_rest() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let first = tokens(&sql, &app, &alice, OFFLINE).await;
    let (outcome, answer) = refresh(&sql, &app, &first["refresh_token"]).await;
    assert_eq!(outcome, "ok");
    assert_eq!(
        answer,
        json!({
            "access_token": answer["access_token"], "id_token": answer["id_token"], "refresh_token": answer["refresh_token"],
            "token_type": "Bearer", "expires_in": 300, "scope": OFFLINE
        })
    );
    assert_ne!(answer["refresh_token"], first["refresh_token"]);
    let before = Tokens::claims(first["id_token"].as_str().unwrap());
    let after = Tokens::claims(answer["id_token"].as_str().unwrap());
    // OpenID Connect Core §12.2.
    for same in ["iss", "sub", "aud", "auth_time", "sid"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(after.get("nonce"), None);
    let before = Tokens::claims(first["access_token"].as_str().unwrap());
    let after = Tokens::claims(answer["access_token"].as_str().unwrap());
    for same in ["iss", "sub", "aud", "auth_time", "sid", "grant_id", "client_id", "scope"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_ne!(before["jti"], after["jti"]);
}

#[tokio::test]
async fn a_token_in_the_hands_of_another_client_changes_nothing() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let other = web_client(&db).await;
    let first = tokens(&sql, &app, &alice, OFFLINE).await;
    let (_, second) = refresh(&sql, &app, &first["refresh_token"]).await;
    later(&db, "10 minutes").await;
    for token in [&first["refresh_token"], &second["refresh_token"]] {
        assert_eq!(refresh(&sql, &other, token).await, invalid());
    }
    let mut forged = second["refresh_token"].as_str().unwrap().to_string();
    let last = if forged.ends_with('A') { 'B' } else { 'A' };
    forged.pop();
    forged.push(last);
    for token in [json!(forged), json!("rt_nonsense"), second["access_token"].clone()] {
        assert_eq!(refresh(&sql, &app, &token).await, invalid());
    }
    assert_eq!(
        call(
            &sql,
            "token_refresh_token",
            &[&app.id, &app.secret, &method(&app), &"", &None::<&str>, &None::<Vec<&str>>]
        )
        .await,
        refused("invalid_request", "refresh_token is missing")
    );
    assert_eq!(refresh(&sql, &app, &second["refresh_token"]).await.0, "ok");
}

#[tokio::test]
async fn scope_and_resource_may_shrink_but_never_grow_and_shrink_only_the_answer() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    db.admin().await.batch_execute("select identity.resource_create('https://a.example', 'A')").await.unwrap();
    let cookie = session(&sql, &alice).await;
    let asked = with(request(&app), json!({"scope": "openid email offline_access", "resource": "https://a.example/"}));
    let code = code(&sql, &asked, &cookie).await;
    let (_, mut answer) = redeem(&sql, &app, &code).await;
    let audience = json!(["https://a.example", db.issuer]);
    let token = answer["refresh_token"].clone();
    for refusal in [
        (
            narrowed(&sql, &app, &token, Some("openid profile"), None).await,
            "invalid_scope",
            "scope was not part of the authorization",
        ),
        (
            narrowed(&sql, &app, &token, None, Some(vec!["https://b.example"])).await,
            "invalid_target",
            "resource was not part of the authorization",
        ),
    ] {
        assert_eq!(refusal.0, refused(refusal.1, refusal.2));
    }
    for (scope, expected, audience, with_id_token) in [
        (Some("email"), "email", json!("https://a.example"), false),
        (Some("openid"), "openid", audience.clone(), true),
        (None, "openid email offline_access", audience, true),
    ] {
        let (outcome, next) = narrowed(&sql, &app, &answer["refresh_token"], scope, None).await;
        assert_eq!((outcome.as_str(), &next["scope"]), ("ok", &json!(expected)));
        assert_eq!(Tokens::claims(next["access_token"].as_str().unwrap())["aud"], audience, "the audience survives");
        assert_eq!(next["id_token"].is_string(), with_id_token);
        answer = next;
    }
}

#[tokio::test]
async fn without_rotation_the_same_token_stays_good() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = client(
        &db,
        json!({
            "redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
            "refresh_token_rotation": false, "refresh_token_idle_lifetime": 1000, "refresh_token_lifetime": 2000
        }),
    )
    .await;
    let first = tokens(&sql, &app, &alice, OFFLINE).await;
    for _ in 0..2 {
        later(&db, "900 seconds").await;
        let (outcome, answer) = refresh(&sql, &app, &first["refresh_token"]).await;
        assert_eq!((outcome.as_str(), &answer["refresh_token"]), ("ok", &first["refresh_token"]));
    }
    later(&db, "200 seconds").await;
    assert_eq!(refresh(&sql, &app, &first["refresh_token"]).await, invalid(), "the absolute lifetime is over");
}

#[tokio::test]
async fn a_family_ends_with_its_lifetimes_its_person_its_session_or_its_grant() {
    let db = Database::new().await;
    let (sql, owner) = (db.gateway_role().await, db.superuser().await);
    let metadata = |name: &str| {
        json!({
            "client_name": name, "redirect_uris": ["https://a.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"], "refresh_token": "always"
        })
    };
    let (withdrawn, idle) = (
        "select identity_store.application_withdraw(user_id, client_id) from identity_store.grants",
        "update identity_store.refresh_families set idle_expires_at = now()",
    );
    for (number, (scope, after, alive)) in [
        (OFFLINE, "select 1", true),
        (OFFLINE, idle, false),
        (OFFLINE, "update identity_store.refresh_families set expires_at = now()", false),
        (OFFLINE, "select identity.user_disable(user_id) from identity_store.grants", false),
        (OFFLINE, "select identity.user_delete(user_id) from identity_store.grants", false),
        (OFFLINE, withdrawn, false),
        (OFFLINE, "select identity.client_delete(client_id) from identity_store.grants", false),
        // OpenID Connect Core §11: offline access is access without the person's session; plain OAuth knows no session.
        (OFFLINE, "select identity.session_revoke(session_id) from identity_store.grants", true),
        ("profile", "select identity.session_revoke(session_id) from identity_store.grants", true),
        ("openid", "select identity.session_revoke(session_id) from identity_store.grants", false),
        ("openid", "update identity_store.sessions set last_seen_at = now() - interval '13 hours'", false),
        ("openid", "update identity_store.sessions set expires_at = now()", false),
    ]
    .into_iter()
    .enumerate()
    {
        let app = client(&db, metadata(after)).await;
        let person = user(&db, &format!("person{number}")).await;
        let answer = tokens(&sql, &app, &person, scope).await;
        owner.batch_execute(after).await.unwrap();
        let (outcome, next) = refresh(&sql, &app, &answer["refresh_token"]).await;
        let expected = if alive {
            "ok"
        } else if after.contains("client_delete") {
            "invalid_client"
        } else {
            "invalid_grant"
        };
        assert_eq!(outcome, expected, "{scope} after {after}: {next}");
        if alive && after.contains("session_revoke") {
            assert_eq!(
                Tokens::claims(next["access_token"].as_str().unwrap()).get("sid"),
                None,
                "a token that named the ended session would be born dead"
            );
        }
        owner
            .batch_execute("delete from identity_store.refresh_families; delete from identity_store.grants")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn only_a_client_registered_for_it_may_refresh() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let first = tokens(&sql, &app, &alice, OFFLINE).await;
    db.admin()
        .await
        .execute("select identity.client_update($1, $2)", &[&app.id, &json!({"grant_types": ["authorization_code"]})])
        .await
        .unwrap();
    assert_eq!(
        refresh(&sql, &app, &first["refresh_token"]).await,
        refused("unauthorized_client", "the client is not registered for refresh_token")
    );
}
