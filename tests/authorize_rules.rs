//! What RFC 6749 §3 and §4, RFC 9700 and OpenID Connect Core §3 demand of the authorization endpoint, by section: each sentence
//! with MUST or MUST NOT that a request can break, and what comes of breaking it. Of response types and modes:
//! response_types_refused.rs; what a browser sees: response_modes.rs, http_browsers.rs.

use serde_json::json;

use crate::authorize::{authorize, code, decide, error_redirect, request, session, sign_in, with};
use crate::response_types::{answered, hybrid_client};
use crate::support::{Client, Database, client, public_client, user, web_client};
use crate::token::{redeem, refused};

async fn with_uris(db: &Database, uris: &[&str], native: bool) -> Client {
    let application_type = if native { "native" } else { "web" };
    client(db, json!({"redirect_uris": uris, "application_type": application_type})).await
}

/// RFC 6749 §3.1.2.4: the authorization server MUST NOT automatically redirect the user-agent to the invalid redirection URI.
#[tokio::test]
async fn nobody_is_sent_where_the_client_did_not_say() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let (one, two) = ("https://a.example/cb", "https://a.example/cb?x=y");
    let web = with_uris(&db, &[one], false).await;
    let several = with_uris(&db, &[one, two], false).await;
    let native = with_uris(&db, &["http://127.0.0.1/cb", "com.example.app:/cb"], true).await;
    let missing = "redirect_uri is missing";
    let unregistered = "redirect_uri is not registered for this client";
    for (section, app, change, description) in [
        ("RFC 6749 §3.1.2.3: several registered", &several, json!({"redirect_uri": null, "scope": "profile"}), missing),
        ("Core §3.1.2.1: REQUIRED", &web, json!({"redirect_uri": null}), missing),
        ("RFC 6749 §3.1: without a value is omitted", &web, json!({"redirect_uri": ""}), missing),
        (
            "RFC 6749 §3.1: not more than once",
            &web,
            json!({"redirect_uri": [one, one]}),
            "redirect_uri is given more than once",
        ),
        ("RFC 6749 §3.1.2: an absolute URI", &web, json!({"redirect_uri": "/cb"}), unregistered),
        ("RFC 6749 §3.1.2: no fragment", &web, json!({"redirect_uri": format!("{one}#")}), unregistered),
        (
            "RFC 9700 §2.1: exact string matching",
            &web,
            json!({"redirect_uri": "https://a.example/cb/../cb"}),
            unregistered,
        ),
        ("RFC 9700 §2.1: exact string matching", &web, json!({"redirect_uri": two}), unregistered),
        (
            "RFC 9700 §2.1: exact string matching",
            &several,
            json!({"redirect_uri": "https://a.example/cb?x=y&z"}),
            unregistered,
        ),
        (
            "RFC 9700 §4.1.3: the port is part of it",
            &web,
            json!({"redirect_uri": "https://a.example:443/cb"}),
            unregistered,
        ),
        ("RFC 9700 §2.1: no http", &web, json!({"redirect_uri": "http://a.example/cb"}), unregistered),
        (
            "RFC 8252 §7.3: the port alone is free",
            &native,
            json!({"redirect_uri": "http://127.0.0.1:80/cb2"}),
            unregistered,
        ),
        ("RFC 8252 §7.1: the scheme is exact", &native, json!({"redirect_uri": "com.example.App:/cb"}), unregistered),
        (
            "RFC 6749 §10.15: no open redirector",
            &web,
            json!({"redirect_uri": "https://a.example.evil.example/cb"}),
            unregistered,
        ),
        (
            "RFC 6749 §10.15: no open redirector",
            &web,
            json!({"redirect_uri": "https://a.example@evil.example/cb"}),
            unregistered,
        ),
    ] {
        assert_eq!(
            authorize(&sql, &with(request(app), change.clone()), None).await,
            ("error_page".into(), json!({"error": "invalid_request", "error_description": description})),
            "{section}: {change}"
        );
    }
}

/// OpenID Connect Core §3.1.2.6, RFC 6749 §4.1.2.1: what is told to the client, with its state.
#[tokio::test]
async fn every_other_rule_is_told_to_the_client() {
    let db = Database::new().await;
    let (sql, web, public) = (db.gateway_role().await, web_client(&db).await, public_client(&db).await);
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let cookie = session(&sql, &alice).await;
    let own = code(&sql, &with(request(&web), json!({"scope": "openid"})), &cookie).await;
    let of_bob = code(&sql, &request(&web), &session(&sql, &bob).await).await;
    let hint = redeem(&sql, &web, &of_bob).await.1["id_token"].take();
    let access = redeem(&sql, &web, &own).await.1["access_token"].take();
    let hints = "id_token_hint is not an ID token of this issuer";
    let s256 = "code_challenge_method must be S256";
    for (section, app, change, error, description) in [
        (
            "RFC 6749 §3.1: not more than once",
            &web,
            json!({"state": "s t&a=te", "scope": ["openid", "openid"]}),
            "invalid_request",
            "scope is given more than once",
        ),
        (
            "RFC 6749 §3.3: unknown scope",
            &web,
            json!({"scope": "root"}),
            "invalid_scope",
            "scope names nothing that this client may ask for",
        ),
        (
            "RFC 9700 §2.1.1: public clients MUST use PKCE",
            &public,
            json!({"code_challenge": null, "code_challenge_method": null}),
            "invalid_request",
            "code_challenge is missing: PKCE is required",
        ),
        (
            "RFC 7636 §4.4.1; RFC 9700 §2.1.1: no plain",
            &public,
            json!({"code_challenge_method": "plain"}),
            "invalid_request",
            s256,
        ),
        ("RFC 7636 §4.3: absent is plain", &public, json!({"code_challenge_method": null}), "invalid_request", s256),
        (
            "RFC 7636 §4.2",
            &web,
            json!({"code_challenge": "a".repeat(44)}),
            "invalid_request",
            "code_challenge is malformed",
        ),
        (
            "Core §3.1.2.1: none with any other value",
            &web,
            json!({"prompt": "none consent"}),
            "invalid_request",
            "prompt none cannot stand with another value",
        ),
        (
            "Core §3.1.2.1: max_age is seconds",
            &web,
            json!({"max_age": "1e3"}),
            "invalid_request",
            "max_age must be a number of seconds",
        ),
        (
            "Core §3.1.2.2: the hint MUST be ours",
            &web,
            json!({"id_token_hint": "eyJhbGciOiJub25lIn0.e30."}),
            "invalid_request",
            hints,
        ),
        (
            "Core §3.1.2.2: an access token is no ID token",
            &web,
            json!({"id_token_hint": access}),
            "invalid_request",
            hints,
        ),
        (
            "Core §3.1.2.3: MUST NOT interact with none",
            &web,
            json!({"prompt": "none", "max_age": "0"}),
            "login_required",
            "the sign-in is older than max_age",
        ),
        (
            "Core §3.1.2.3: MUST NOT interact with none",
            &web,
            json!({"prompt": "none", "scope": "openid email"}),
            "consent_required",
            "the person has not allowed this yet",
        ),
        (
            "Core §3.1.2.1: another person than the hint",
            &web,
            json!({"prompt": "none", "id_token_hint": hint}),
            "login_required",
            "another person is signed in",
        ),
        (
            "Core §6.1: request",
            &web,
            json!({"request": "e30.e30."}),
            "invalid_request_object",
            "the request object is invalid",
        ),
        (
            "Core §6.2: request_uri",
            &web,
            json!({"request_uri": "https://a.example/r"}),
            "invalid_request_uri",
            "request_uri is not registered for this client",
        ),
        (
            "Core §7.2.1: registration",
            &web,
            json!({"registration": "{}"}),
            "registration_not_supported",
            "registration is not supported",
        ),
    ] {
        assert_eq!(
            authorize(&sql, &with(request(app), change.clone()), Some(&cookie)).await,
            error_redirect(&db, app, error, description),
            "{section}: {change}"
        );
    }
}

#[tokio::test]
async fn what_a_person_must_be_asked_is_asked() {
    let db = Database::new().await;
    let (sql, web, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let native = with_uris(&db, &["com.example.app:/cb"], true).await;
    let (strict, cookie) = (
        client(&db, json!({"redirect_uris": ["https://a.example/cb"], "default_max_age": 0, "first_party": true}))
            .await,
        session(&sql, &alice).await,
    );
    for app in [&web, &native] {
        code(&sql, &request(app), &cookie).await;
    }
    let bare = json!({"redirect_uri": "com.example.app:/cb"});
    for (section, app, change, outcome) in [
        ("Core §3.1.2.3: MUST reauthenticate with login", &web, json!({"prompt": "login"}), "sign_in"),
        ("Core §3.1.2.1: MUST reauthenticate after max_age", &web, json!({"max_age": "0"}), "sign_in"),
        ("Registration §2: default_max_age", &strict, json!({}), "sign_in"),
        ("Core §3.1.2.1: max_age overrides it", &strict, json!({"max_age": "600"}), "redirect"),
        ("Core §3.1.2.1: consent asks", &web, json!({"prompt": "consent"}), "consent"),
        ("Core §3.1.2.1: select_account asks", &web, json!({"prompt": "select_account"}), "select_account"),
        ("RFC 8252 §8.6: no redirect without a page", &native, bare, "consent"),
        ("and with nothing of that a redirect", &web, json!({}), "redirect"),
    ] {
        let asked = with(request(app), change.clone());
        assert_eq!(authorize(&sql, &asked, Some(&cookie)).await.0, outcome, "{section}: {change}");
    }
    // What was proved after the request began counts once and for all of it.
    let asked = with(request(&web), json!({"prompt": "login consent", "max_age": "0"}));
    let (_, resume) = authorize(&sql, &asked, Some(&cookie)).await;
    let (fresh, next) = sign_in(&sql, &alice, &resume, Some(&cookie)).await;
    assert_eq!(next["outcome"], "consent");
    assert_eq!(decide(&sql, &next["answer"], &fresh, "allow").await.0, "redirect");
}

/// RFC 6749 §4.1.2, §4.2.2, §10.5; RFC 9207 §2.
#[tokio::test]
async fn what_leaves_is_bound_and_says_from_whom_it_comes() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let (other, cookie) = (hybrid_client(&db).await, session(&sql, &alice).await);
    for response_type in ["code", "code token", "code id_token token"] {
        let asked = with(request(&app), json!({"response_type": response_type, "scope": "openid offline_access"}));
        let given = answered(&sql, &asked, &cookie).await;
        let parameters = given["parameters"].as_object().unwrap();
        // RFC 6749 §4.2.2: the authorization server MUST NOT issue a refresh token here.
        assert_eq!(parameters.get("refresh_token"), None, "{response_type}");
        assert_eq!((&parameters["state"], &parameters["iss"]), (&json!("s t&a=te"), &json!(db.issuer)));
        // RFC 6749 §4.1.2: the code MUST be bound to the client identifier and redirection URI.
        let code = parameters["code"].as_str().unwrap();
        let invalid = refused("invalid_grant", "the authorization code is invalid");
        assert_eq!(redeem(&sql, &other, code).await, invalid, "{response_type}");
        assert_eq!(redeem(&sql, &app, code).await.0, "ok");
    }
    // RFC 6749 §4.1.1: state is OPTIONAL, and comes back only where there was one.
    let given = answered(&sql, &with(request(&app), json!({"state": null})), &cookie).await;
    assert_eq!(given["parameters"].as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "iss"]);
    let asked = with(request(&app), json!({"state": null, "response_type": "id_token"}));
    let token = answered(&sql, &asked, &cookie).await["parameters"]["id_token"].take();
    assert_eq!(crate::support::Tokens::claims(token.as_str().unwrap()).get("s_hash"), None);
}

/// RFC 6749 §3.1: unrecognized parameters MUST be ignored.
#[tokio::test]
async fn what_nobody_knows_changes_nothing() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    code(&sql, &request(&app), &cookie).await;
    for change in [
        json!({"favourite_colour": ["blue", "green"]}),
        json!({"display": "wap", "ui_locales": "de fr", "claims_locales": "x", "acr_values": "9 8"}),
        json!({"code": "x", "error": "x", "iss": "https://evil.example", "id_token": "x"}),
        json!({"user_id": "x", "sub": alice.id, "selected": alice.id, "started_at": "0", "parameters": "{}"}),
    ] {
        let (outcome, answer) = authorize(&sql, &with(request(&app), change.clone()), Some(&cookie)).await;
        assert_eq!(outcome, "redirect");
        let code = answer["parameters"]["code"].clone();
        assert_eq!(answer["parameters"], json!({"code": code, "state": "s t&a=te", "iss": db.issuer}), "{change}");
    }
    // Nor does what the page of another step would take for its own.
    let chosen = with(request(&app), json!({"prompt": "select_account", "selected": alice.id.to_string()}));
    assert_eq!(authorize(&sql, &chosen, Some(&cookie)).await.0, "select_account");
}
