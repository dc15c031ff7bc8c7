//! Authorization requests in request objects, by value (RFC 9101; OpenID Connect Core §6.1;
//! sql/store/functions/authorization_parameters.sql). What an object is worth: request_objects.rs.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authorize::{CHALLENGE, authorize, call, code, decide, error_redirect, request, session, with};
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::support::{Client, Database, Tokens, client, user, web_client};
use crate::token::redeem;

pub fn unsigned(claims: &Value) -> String {
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.", encode(&json!({"alg": "none"})), encode(claims))
}

async fn signing_client(db: &Database, more: Value) -> (Client, Foreign) {
    let key = Foreign::new("ES256");
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "jwks": key.jwks(), "first_party": true, "request_object_signing_alg": "ES256"
    });
    (client(db, merged(metadata, more)).await, key)
}

/// OpenID Connect Core §6.1: what the object says counts, the rest comes from the request around it.
#[tokio::test]
async fn in_an_openid_request_the_object_counts_and_the_request_fills_it_up() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let object = json!({
        "iss": app.id, "aud": db.issuer, "response_type": "code", "client_id": app.id, "state": "of the object",
        "scope": "openid email", "max_age": 86400, "claims": {"id_token": {"given_name": null}}, "display": "popup", "nonce": "inner"
    });
    let asked = with(request(&app), json!({"request": unsigned(&object)}));
    let (outcome, consent) = authorize(&sql, &asked, Some(&cookie)).await;
    assert_eq!(outcome, "consent");
    let (_, answer) = decide(&sql, &consent, &cookie, "allow").await;
    let code = answer["parameters"]["code"].as_str().unwrap();
    assert_eq!(
        answer,
        json!({
            "redirect_uri": app.redirect_uri(), "response_mode": "query",
            "parameters": {"code": code, "state": "of the object", "iss": db.issuer}
        })
    );
    let (_, tokens) = redeem(&sql, &app, code).await;
    let id = Tokens::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(
        (&tokens["scope"], &id["nonce"], &id["given_name"]),
        (&json!("openid email"), &json!("inner"), &json!("alice"))
    );
    // §6.1: response_type MUST match.
    let other = with(request(&app), json!({"request": unsigned(&json!({"response_type": "id_token"}))}));
    assert_eq!(
        authorize(&sql, &other, Some(&cookie)).await,
        error_redirect(&db, &app, "invalid_request", "response_type is not that of the request object")
    );
}

/// RFC 9101 §6.3: the authorization server MUST only use the parameters in the request object.
#[tokio::test]
async fn a_client_that_signs_is_asked_for_nothing_that_it_did_not_sign() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let (strict, key) = signing_client(&db, json!({"require_signed_request_object": true})).await;
    let signed = json!({
        "iss": strict.id, "aud": db.issuer, "response_type": "code", "client_id": strict.id, "redirect_uri": "https://a.example/cb",
        "scope": "openid", "code_challenge": CHALLENGE, "code_challenge_method": "S256", "state": "signed"
    });
    let around = with(
        request(&strict),
        json!({"request": key.sign(json!({}), signed.clone()), "scope": "openid email roles", "state": "not signed", "nonce": "not signed"}),
    );
    let (outcome, answer) = authorize(&sql, &around, Some(&cookie)).await;
    assert_eq!((outcome.as_str(), &answer["parameters"]["state"]), ("redirect", &json!("signed")));
    let (_, tokens) = redeem(&sql, &strict, answer["parameters"]["code"].as_str().unwrap()).await;
    let id = Tokens::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&tokens["scope"], id.get("nonce")), (&json!("openid"), None));
    // Only client_id and request: RFC 9101 §5.
    let bare = json!({"client_id": [strict.id], "request": [key.sign(json!({}), signed.clone())]});
    assert!(code(&sql, &bare, &cookie).await.starts_with("code_"));
    // Plain OAuth too, whoever signs.
    let (plain, key) = signing_client(&db, json!({})).await;
    let object = merged(signed, json!({"iss": plain.id, "client_id": plain.id, "scope": "email"}));
    let around = with(request(&plain), json!({"request": key.sign(json!({}), object), "scope": "profile"}));
    let given = code(&sql, &around, &cookie).await;
    assert_eq!(redeem(&sql, &plain, &given).await.1["scope"], "email");
}

#[tokio::test]
async fn a_bad_object_is_told_to_the_client_where_the_request_says_where() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let (app, key) = signing_client(&db, json!({})).await;
    let stranger = Foreign::new("ES256");
    let good = json!({"response_type": "code", "redirect_uri": "https://a.example/cb", "scope": "openid"});
    let invalid = "the request object is invalid";
    for object in [
        "x".to_owned(),
        unsigned(&good),
        stranger.sign(json!({}), good.clone()),
        key.sign(json!({}), merged(good.clone(), json!({"aud": "https://other.example"}))),
        key.sign(json!({}), merged(good.clone(), json!({"client_id": "other"}))),
        key.sign(json!({}), merged(good.clone(), json!({"exp": 1}))),
    ] {
        let asked = with(request(&app), json!({"request": object}));
        assert_eq!(
            authorize(&sql, &asked, None).await,
            error_redirect(&db, &app, "invalid_request_object", invalid),
            "{object:.60}"
        );
        // What stands in a bad object counts for nothing, its redirect_uri neither.
        let nowhere = json!({"client_id": [app.id], "request": [object]});
        assert_eq!(
            authorize(&sql, &nowhere, None).await,
            ("error_page".into(), json!({"error": "invalid_request_object", "error_description": invalid}))
        );
    }
    let both = with(
        request(&app),
        json!({"request": key.sign(json!({}), good.clone()), "request_uri": "https://a.example/r"}),
    );
    assert_eq!(
        authorize(&sql, &both, None).await,
        error_redirect(&db, &app, "invalid_request", "request cannot stand beside request_uri")
    );
    // A signed redirect_uri is no registered one.
    let evil = merged(good.clone(), json!({"redirect_uri": "https://evil.example/cb"}));
    let asked = with(request(&app), json!({"request": key.sign(json!({}), evil)}));
    assert_eq!(authorize(&sql, &asked, None).await.0, "error_page");
    let nobody = with(request(&app), json!({"client_id": "nobody", "request": key.sign(json!({}), good.clone())}));
    assert_eq!(authorize(&sql, &nobody, None).await.1["error"], "invalid_client");
    // What it says is looked at as if it had come without it.
    let plain = merged(good, json!({"claims": "not JSON", "prompt": 1, "resource": [1, null]}));
    let (outcome, answer) =
        authorize(&sql, &with(request(&app), json!({"request": key.sign(json!({}), plain)})), None).await;
    assert_eq!((outcome.as_str(), &answer["parameters"]["error"]), ("redirect", &json!("invalid_target")));
    let empty = with(request(&app), json!({"request": key.sign(json!({}), json!({}))}));
    assert_eq!(authorize(&sql, &empty, None).await.0, "sign_in");
}

#[tokio::test]
async fn an_object_that_was_posted_is_read_when_it_comes_back_and_keys_are_asked_for() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let (app, key) = signing_client(&db, json!({})).await;
    let object =
        json!({"response_type": "code", "redirect_uri": "https://a.example/cb", "scope": "openid", "state": "posted"});
    let asked = with(request(&app), json!({"request": key.sign(json!({}), object.clone())}));
    let (_, deferred) = call(&sql, "authorization_defer", &[&asked]).await;
    let resume = deferred["resume"].as_str().unwrap();
    let (outcome, answer) = call(&sql, "authorization_resume", &[&resume, &cookie, &"browser"]).await;
    assert_eq!((outcome.as_str(), &answer["parameters"]["state"]), ("redirect", &json!("posted")));

    let distant = json!({"redirect_uris": ["https://a.example/cb"], "jwks_uri": "https://a.example/jwks"});
    let distant = client(&db, distant).await;
    let asked = with(request(&distant), json!({"request": key.sign(json!({}), object)}));
    let need = ("need".to_owned(), json!({"kind": "jwks", "url": "https://a.example/jwks", "client_id": distant.id}));
    assert_eq!(authorize(&sql, &asked, Some(&cookie)).await, need);
    let (_, deferred) = call(&sql, "authorization_defer", &[&asked]).await;
    let resume = deferred["resume"].as_str().unwrap();
    assert_eq!(call(&sql, "authorization_resume", &[&resume, &cookie, &"browser"]).await, need);
}
