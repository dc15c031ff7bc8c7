//! A client that registered itself, at the authorization endpoint and at logout: nobody has looked at where it sends people (RFC 9700
//! §4.11.2), so nobody is sent there before they have signed in.

use serde_json::{Value, json};

use super::{client_of, confidential, configure, initial_access_token, register_with, registered};
use crate::authorize::{authorize, call, decide, error_redirect, request, session, sign_in, with};
use crate::jwt::merged;
use crate::support::{Client, Database, client, user};

async fn stage() -> (Database, Client) {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let answer = registered(&db.gateway_role().await, &confidential()).await;
    (db, client_of(&answer))
}

/// Requests that are wrong, with what the client is told of them.
const WRONG: [(&str, &str, &str, &str); 4] = [
    ("scope", "nothing", "invalid_scope", "scope names nothing that this client may ask for"),
    ("response_type", "nothing", "unsupported_response_type", "response_type is not supported"),
    ("prompt", "none login", "invalid_request", "prompt none cannot stand with another value"),
    ("max_age", "x", "invalid_request", "max_age must be a number of seconds"),
];

#[tokio::test]
async fn an_error_is_told_to_it_only_after_the_person_has_signed_in() {
    let (db, app) = stage().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    for (name, value, error, description) in WRONG {
        let asked = with(request(&app), json!({ name: value }));
        let (outcome, resume) = authorize(&sql, &asked, None).await;
        assert_eq!((outcome.as_str(), resume.as_object().unwrap().len()), ("sign_in", 1), "{name}: {resume}");
        // Whoever opens the link again, and whoever opens the consent page with it, is asked to sign in too.
        let again = call(&sql, "authorization_resume", &[&resume["resume"].as_str(), &None::<&str>, &"browser"]).await;
        assert_eq!(again.0, "sign_in", "{name}");
        let (_, next) = sign_in(&sql, &alice, &resume, None).await;
        let expected = error_redirect(&db, &app, error, description);
        assert_eq!(next, json!({ "outcome": expected.0, "answer": expected.1 }), "{name}");
        // Who is signed in already has signed in.
        let cookie = session(&sql, &alice).await;
        assert_eq!(authorize(&sql, &asked, Some(&cookie)).await, expected, "{name}");
    }
}

#[tokio::test]
async fn with_prompt_none_it_is_told_at_once() {
    let (db, app) = stage().await;
    let sql = db.gateway_role().await;
    let silent = with(request(&app), json!({ "prompt": "none" }));
    let refusal = error_redirect(&db, &app, "login_required", "the person is not signed in");
    assert_eq!(authorize(&sql, &silent, None).await, refusal);
    let wrong = with(silent, json!({ "scope": "nothing" }));
    let refusal = error_redirect(&db, &app, "invalid_scope", "scope names nothing that this client may ask for");
    assert_eq!(authorize(&sql, &wrong, None).await, refusal);
}

#[tokio::test]
async fn a_client_of_an_administrator_is_told_at_once() {
    let (db, _) = stage().await;
    let sql = db.gateway_role().await;
    let app = client(&db, confidential()).await;
    for (name, value, error, description) in WRONG {
        let asked = with(request(&app), json!({ name: value }));
        assert_eq!(authorize(&sql, &asked, None).await, error_redirect(&db, &app, error, description), "{name}");
    }
}

/// An initial access token is given to somebody; what that somebody registers was looked at by nobody.
#[tokio::test]
async fn an_initial_access_token_does_not_vouch_for_where_people_are_sent() {
    let db = Database::new().await;
    configure(&db, "'token'").await;
    let sql = db.gateway_role().await;
    let (_, answer) = register_with(&sql, &confidential(), &initial_access_token(&db, 1).await).await;
    let asked = with(request(&client_of(&answer)), json!({ "scope": "nothing" }));
    assert_eq!(authorize(&sql, &asked, None).await.0, "sign_in");
}

#[tokio::test]
async fn a_request_too_large_to_wait_for_a_sign_in_is_a_page() {
    let (db, app) = stage().await;
    let sql = db.gateway_role().await;
    let asked = with(request(&app), json!({ "state": "x".repeat(5000) }));
    let refusal = json!({ "error": "invalid_request", "error_description": "the request is too large" });
    assert_eq!(authorize(&sql, &asked, None).await, ("error_page".into(), refusal));
}

#[tokio::test]
async fn the_person_is_asked_for_consent_and_sees_where_the_answer_goes() {
    let (db, _) = stage().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    for (uri, host, remembered) in [
        ("https://client.example:8443/cb", "client.example", true),
        // Another program may be listening: asked every time.
        ("http://127.0.0.1:4711/cb", "127.0.0.1", false),
        ("http://[::1]/cb", "[::1]", false),
        ("com.example.app:/cb", "com.example.app", false),
    ] {
        let metadata = merged(
            confidential(),
            json!({ "redirect_uris": [uri], "application_type": "native", "first_party": true }),
        );
        let app = client_of(&registered(&sql, &metadata).await);
        let asked = request(&app);
        let (outcome, consent) = authorize(&sql, &asked, Some(&cookie)).await;
        assert_eq!(outcome, "consent", "{uri}");
        let resume = consent["resume"].as_str().unwrap();
        let (outcome, page) = call(&sql, "consent_page", &[&resume, &cookie, &"browser"]).await;
        assert_eq!((outcome.as_str(), &page["redirect_host"]), ("page", &json!(host)), "{uri}");
        let (_, answer) = decide(&sql, &consent, &cookie, "allow").await;
        assert!(answer["parameters"]["code"].is_string(), "{uri}: {answer}");
        let expected = if remembered { "redirect" } else { "consent" };
        assert_eq!(authorize(&sql, &asked, Some(&cookie)).await.0, expected, "{uri}");
    }
}

#[tokio::test]
async fn after_logout_nobody_is_sent_to_it_on_its_own_word() {
    let (db, _) = stage().await;
    let sql = db.gateway_role().await;
    let metadata = merged(confidential(), json!({ "post_logout_redirect_uris": ["https://a.example/out"] }));
    let (itself, ours) = (client_of(&registered(&sql, &metadata).await), client(&db, metadata).await);
    let out = async |app: &Client| -> Value {
        let asked =
            json!({ "client_id": [app.id], "post_logout_redirect_uri": ["https://a.example/out"], "state": ["s"] });
        let (outcome, answer) = call(&sql, "logout_request", &[&asked, &None::<&str>, &"browser"]).await;
        assert_eq!(outcome, "signed_out");
        answer
    };
    assert_eq!(out(&itself).await, json!({}));
    assert_eq!(out(&ours).await, json!({ "redirect_uri": "https://a.example/out", "parameters": { "state": "s" } }));
}

/// With its registration access token a thief could have the answers sent to themselves.
#[tokio::test]
async fn a_client_that_adds_a_redirect_uri_asks_everybody_again() {
    let (db, _) = stage().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let metadata = json!({ "redirect_uris": ["https://a.example/cb", "https://a.example/two"], "client_name": "A" });
    let answer = registered(&sql, &metadata).await;
    let (app, token) = (client_of(&answer), answer["registration_access_token"].as_str().unwrap());
    let asked = request(&app);
    let next = async || authorize(&sql, &asked, Some(&cookie)).await;
    let allowed = async |consent: &Value| decide(&sql, consent, &cookie, "allow").await.0;
    let change = async |uris: Value| {
        let body = merged(metadata.clone(), json!({ "client_id": app.id, "redirect_uris": uris }));
        assert_eq!(super::replace(&sql, &app.id, token, &body).await.0, "ok", "{uris}");
    };
    assert_eq!(allowed(&next().await.1).await, "redirect");
    assert_eq!(next().await.0, "redirect");
    // Less, or the same: nobody is sent anywhere new.
    change(json!(["https://a.example/cb"])).await;
    change(json!(["https://a.example/cb"])).await;
    assert_eq!(next().await.0, "redirect");
    change(json!(["https://a.example/cb", "https://evil.example/cb"])).await;
    let silent = with(asked.clone(), json!({ "prompt": "none" }));
    let refusal =
        error_redirect(&db, &app, "consent_required", "the client sends people elsewhere since they allowed this");
    assert_eq!(authorize(&sql, &silent, Some(&cookie)).await, refusal);
    let (outcome, consent) = next().await;
    assert_eq!(outcome, "consent");
    assert_eq!(allowed(&consent).await, "redirect");
    assert_eq!(next().await.0, "redirect");
}
