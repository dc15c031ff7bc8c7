//! Userinfo: the claims that the scopes of a token open (sql/store/functions/userinfo.sql).

use serde_json::{Value, json};

use crate::authorize::{call, code, request, session, with};
use crate::support::{Database, full_profile, user, web_client};
use crate::token::{method, redeem, refused};

#[tokio::test]
async fn each_scope_opens_its_claims_and_no_others() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let profile = full_profile("alice");
    let all = |names: &[&str]| names.iter().map(|name| (name.to_string(), profile[name].clone())).collect::<Vec<_>>();
    for (scope, claims) in [
        ("openid", all(&[])),
        ("openid email", all(&["email", "email_verified"])),
        ("openid phone", all(&["phone_number", "phone_number_verified"])),
        ("openid address", all(&["address"])),
        ("openid roles", all(&["roles"])),
        (
            "openid profile",
            all(&[
                "name",
                "family_name",
                "given_name",
                "middle_name",
                "nickname",
                "preferred_username",
                "profile",
                "picture",
                "website",
                "gender",
                "birthdate",
                "zoneinfo",
                "locale",
            ]),
        ),
    ] {
        let code = code(&sql, &with(request(&app), json!({"scope": scope})), &cookie).await;
        let (_, tokens) = redeem(&sql, &app, &code).await;
        let (outcome, answer) = call(&sql, "userinfo_read", &[&tokens["access_token"].as_str()]).await;
        assert_eq!(outcome, "ok");
        let mut expected = Value::Object(claims.into_iter().collect());
        expected["sub"] = json!(alice.id);
        if scope.contains("profile") {
            assert!(answer["updated_at"].is_i64());
            expected["updated_at"] = answer["updated_at"].clone();
        }
        assert_eq!(answer, expected, "{scope}");
    }
}

#[tokio::test]
async fn a_token_without_openid_or_not_for_us_or_dead_gets_nothing() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    db.admin().await.batch_execute("select identity.resource_create('https://a.example', 'A')").await.unwrap();
    let cookie = session(&sql, &alice).await;
    let invalid = refused("invalid_token", "the access token is malformed, expired, revoked or not for this issuer");
    let insufficient = refused("insufficient_scope", "the access token has no scope openid");

    let plain = code(&sql, &with(request(&app), json!({"scope": "profile"})), &cookie).await;
    let (_, plain) = redeem(&sql, &app, &plain).await;
    assert_eq!(call(&sql, "userinfo_read", &[&plain["access_token"].as_str()]).await, insufficient);

    let elsewhere =
        code(&sql, &with(request(&app), json!({"scope": "profile", "resource": "https://a.example"})), &cookie).await;
    let (_, elsewhere) = redeem(&sql, &app, &elsewhere).await;
    assert_eq!(call(&sql, "userinfo_read", &[&elsewhere["access_token"].as_str()]).await, invalid);

    let good = code(&sql, &request(&app), &cookie).await;
    let (_, good) = redeem(&sql, &app, &good).await;
    let token = good["access_token"].as_str();
    assert_eq!(call(&sql, "userinfo_read", &[&token]).await.0, "ok");
    for wrong in [None, Some(""), Some("x"), Some("a.b.c"), good["id_token"].as_str()] {
        assert_eq!(call(&sql, "userinfo_read", &[&wrong]).await, invalid, "{wrong:?}");
    }
    call(&sql, "token_revoke", &[&app.id, &app.secret, &method(&app), &token, &None::<&str>]).await;
    assert_eq!(call(&sql, "userinfo_read", &[&token]).await, invalid);
}
