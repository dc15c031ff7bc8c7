//! Logout that a client asks for (sql/store/functions/logout.sql; OpenID Connect RP-Initiated Logout 1.0).

use serde_json::{Value, json};

use crate::authorize::{Answer, Sql, call, code, request, session};
use crate::support::{Client, Database, client, user, web_client};
use crate::token::redeem;

async fn logout(sql: &Sql, parameters: &Value, session: Option<&str>) -> Answer {
    call(sql, "logout_request", &[parameters, &session, &"browser"]).await
}

async fn id_token(sql: &Sql, app: &Client, session: &str) -> String {
    let code = code(sql, &request(app), session).await;
    redeem(sql, app, &code).await.1["id_token"].as_str().unwrap().into()
}

async fn signed_in(sql: &Sql, session: &str) -> bool {
    call(sql, "account_page", &[&session]).await.0 == "page"
}

#[tokio::test]
async fn the_id_token_of_this_session_signs_out_at_once_and_goes_where_it_was_registered() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let hint = id_token(&sql, &app, &cookie).await;
    let asked =
        json!({"id_token_hint": [hint], "post_logout_redirect_uri": ["https://notes.example/"], "state": ["a&b"]});
    let done: Answer =
        ("signed_out".into(), json!({"redirect_uri": "https://notes.example/", "parameters": {"state": "a&b"}}));
    assert_eq!(logout(&sql, &asked, Some(&cookie)).await, done);
    assert!(!signed_in(&sql, &cookie).await);
    assert_eq!(logout(&sql, &asked, Some(&cookie)).await, done, "again");
    assert_eq!(logout(&sql, &json!({}), None).await, ("signed_out".into(), json!({})), "nobody there");
}

#[tokio::test]
async fn without_proof_the_person_is_asked_in_the_same_browser() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let (cookie, of_bob, second) =
        (session(&sql, &alice).await, session(&sql, &bob).await, session(&sql, &alice).await);
    let (hint_of_bob, hint_of_second) = (id_token(&sql, &app, &of_bob).await, id_token(&sql, &app, &second).await);
    let display = json!({"client_id": app.id, "client_name": "Notes on the web"});
    for (parameters, shown) in [
        (json!({}), None),
        (json!({"client_id": [app.id]}), Some(&display)),
        (json!({"id_token_hint": [hint_of_bob]}), Some(&display)),
        (json!({"id_token_hint": [hint_of_second]}), Some(&display)),
    ] {
        let (outcome, answer) = logout(&sql, &parameters, Some(&cookie)).await;
        assert_eq!((outcome.as_str(), answer.get("client")), ("confirm", shown));
        assert!(answer["resume"].is_string());
    }
    let asked = json!({"client_id": [app.id], "post_logout_redirect_uri": ["https://notes.example/"]});
    let (_, answer) = logout(&sql, &asked, Some(&cookie)).await;
    let resume = answer["resume"].as_str().unwrap();
    for (resume, browser) in [(resume, "other"), ("x", "browser")] {
        assert_eq!(call(&sql, "logout_confirm", &[&resume, &cookie, &browser]).await.0, "error_page");
    }
    assert!(signed_in(&sql, &cookie).await);
    assert_eq!(
        call(&sql, "logout_confirm", &[&resume, &cookie, &"browser"]).await,
        ("signed_out".into(), json!({"redirect_uri": "https://notes.example/"}))
    );
    assert!(!signed_in(&sql, &cookie).await && signed_in(&sql, &second).await);
}

#[tokio::test]
async fn a_malformed_request_or_an_unregistered_place_is_an_error_page_and_signs_nobody_out() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let other = client(&db, json!({"redirect_uris": ["https://other.example/cb"]})).await;
    let cookie = session(&sql, &alice).await;
    let hint = id_token(&sql, &app, &cookie).await;
    let unregistered = "post_logout_redirect_uri is not registered for this client";
    for (parameters, description) in [
        (json!({"state": ["a", "b"]}), "state is given more than once"),
        (json!({"id_token_hint": ["a.b.c"]}), "id_token_hint is not an ID token of this issuer"),
        (json!({"id_token_hint": [hint], "client_id": [other.id]}), "client_id is not that of id_token_hint"),
        (json!({"client_id": ["nobody"]}), "unknown client"),
        (
            json!({"post_logout_redirect_uri": ["https://notes.example/"]}),
            "post_logout_redirect_uri needs client_id or id_token_hint",
        ),
        (json!({"id_token_hint": [hint], "post_logout_redirect_uri": ["https://notes.example"]}), unregistered),
        (json!({"id_token_hint": [hint], "post_logout_redirect_uri": ["https://evil.example/"]}), unregistered),
        (json!({"client_id": [other.id], "post_logout_redirect_uri": ["https://notes.example/"]}), unregistered),
    ] {
        assert_eq!(
            logout(&sql, &parameters, Some(&cookie)).await,
            ("error_page".into(), json!({"error": "invalid_request", "error_description": description})),
            "{parameters}"
        );
    }
    assert!(signed_in(&sql, &cookie).await);
}
