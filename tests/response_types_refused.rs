//! What the authorization endpoint must not do, by the section that says so, and how the refusal travels.

use serde_json::{Value, json};

use crate::authorize::{authorize, call, request, session, with};
use crate::response_types::{answered, hybrid_client};
use crate::support::{Client, Database, client, public_client, user, web_client};

fn refusal(db: &Database, app: &Client, mode: &str, error: &str, description: &str) -> (String, Value) {
    let parameters = json!({"error": error, "error_description": description, "state": "s t&a=te", "iss": db.issuer});
    let answer = json!({"redirect_uri": app.redirect_uri(), "response_mode": mode, "parameters": parameters});
    ("redirect".into(), answer)
}

#[tokio::test]
async fn each_must_of_the_response_types_is_a_refusal_by_the_mode_asked_for() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let modes = "response_mode must be query, fragment, form_post";
    let query = "response_mode query is not for response types with token or id_token";
    let nonce = "nonce is missing: it is required for an ID token";
    let openid = "scope must hold openid where response_type holds id_token";
    let unsupported = "response_type is not supported";
    for (section, change, mode, error, description) in [
        ("RFC 6749 §3.1.1", json!({"response_type": null}), "query", "invalid_request", "response_type is missing"),
        ("RFC 6749 §3.1.1", json!({"response_type": "cod"}), "query", "unsupported_response_type", unsupported),
        ("RFC 6749 §3.1.1", json!({"response_type": "code code"}), "query", "unsupported_response_type", unsupported),
        (
            "RFC 6749 §3.1.1",
            json!({"response_type": "code  id_token"}),
            "fragment",
            "unsupported_response_type",
            unsupported,
        ),
        ("RFC 6749 §4.2.2.1", json!({"response_type": "token"}), "fragment", "unsupported_response_type", unsupported),
        (
            "RFC 9700 §2.1.2",
            json!({"response_type": "token", "response_mode": "form_post"}),
            "form_post",
            "unsupported_response_type",
            unsupported,
        ),
        (
            "Multiple Response Types §4",
            json!({"response_type": "none"}),
            "query",
            "unsupported_response_type",
            unsupported,
        ),
        (
            "Multiple Response Types §3",
            json!({"response_type": "id_token", "response_mode": "query"}),
            "fragment",
            "invalid_request",
            query,
        ),
        (
            "Multiple Response Types §5",
            json!({"response_type": "code id_token token", "response_mode": "query"}),
            "fragment",
            "invalid_request",
            query,
        ),
        (
            "Multiple Response Types §5",
            json!({"response_type": "code token", "response_mode": "query"}),
            "fragment",
            "invalid_request",
            query,
        ),
        ("Multiple Response Types §2.1", json!({"response_mode": "web_message"}), "query", "invalid_request", modes),
        (
            "Multiple Response Types §2.1",
            json!({"response_type": "code token", "response_mode": "jwt"}),
            "fragment",
            "invalid_request",
            modes,
        ),
        (
            "Form Post §2",
            json!({"response_mode": "form_post", "prompt": "none login"}),
            "form_post",
            "invalid_request",
            "prompt none cannot stand with another value",
        ),
        (
            "Form Post §2",
            json!({"response_mode": "fragment", "max_age": "soon"}),
            "fragment",
            "invalid_request",
            "max_age must be a number of seconds",
        ),
        ("Core §3.2.2.1", json!({"response_type": "id_token", "nonce": null}), "fragment", "invalid_request", nonce),
        (
            "Core §3.2.2.1",
            json!({"response_type": "id_token token", "nonce": ""}),
            "fragment",
            "invalid_request",
            nonce,
        ),
        (
            "Core §3.3.2.11",
            json!({"response_type": "code id_token", "nonce": null}),
            "fragment",
            "invalid_request",
            nonce,
        ),
        (
            "Core §3.3.2.11",
            json!({"response_type": "code id_token token", "nonce": null, "response_mode": "form_post"}),
            "form_post",
            "invalid_request",
            nonce,
        ),
        (
            "Core §3.1.2.1",
            json!({"response_type": "code id_token", "scope": "profile"}),
            "fragment",
            "invalid_scope",
            openid,
        ),
        (
            "Core §3.1.2.6",
            json!({"response_type": "id_token", "prompt": "none"}),
            "fragment",
            "consent_required",
            "the person has not allowed this yet",
        ),
        (
            "RFC 6749 §3.1",
            json!({"response_type": "code id_token", "nonce": ["a", "b"]}),
            "fragment",
            "invalid_request",
            "nonce is given more than once",
        ),
    ] {
        assert_eq!(
            authorize(&sql, &with(request(&app), change.clone()), Some(&cookie)).await,
            refusal(&db, &app, mode, error, description),
            "{section}: {change}"
        );
    }
    // A mode given twice is none; what is left says how it travels.
    for (change, mode) in [
        (json!({"response_mode": ["form_post", "fragment"]}), "query"),
        (json!({"response_mode": ["form_post", "form_post"], "response_type": "code token"}), "fragment"),
    ] {
        assert_eq!(
            authorize(&sql, &with(request(&app), change), Some(&cookie)).await,
            refusal(&db, &app, mode, "invalid_request", "response_mode is given more than once")
        );
    }
    // OpenID Connect Core §3.3.2.11: optional for `code token`; RFC 6749: and no ID token where nobody asked for openid.
    let plain = json!({"response_type": "code token", "nonce": null, "scope": "profile"});
    let given = answered(&sql, &with(request(&app), plain), &cookie).await;
    assert_eq!((given["parameters"].get("id_token"), &given["parameters"]["scope"]), (None, &json!("profile")));
}

#[tokio::test]
async fn no_client_gets_a_response_type_that_it_did_not_register() {
    let db = Database::new().await;
    let (sql, app, hybrid) = (db.gateway_role().await, web_client(&db).await, hybrid_client(&db).await);
    for written in ["id_token", "token id_token", "code id_token", "token code", "code id_token token"] {
        let mut words: Vec<&str> = written.split(' ').collect();
        words.sort_unstable();
        assert_eq!(
            authorize(&sql, &with(request(&app), json!({"response_type": written})), None).await,
            refusal(
                &db,
                &app,
                "fragment",
                "unauthorized_client",
                &format!("the client is not registered for response_type {}", words.join(" "))
            )
        );
    }
    let admin = db.admin().await;
    let patch = json!({"response_types": ["token id_token"], "grant_types": ["implicit"]});
    admin.query_one("select identity.client_update($1, $2)", &[&hybrid.id, &patch]).await.unwrap();
    assert_eq!(
        authorize(&sql, &request(&hybrid), None).await,
        refusal(&db, &hybrid, "query", "unauthorized_client", "the client is not registered for response_type code")
    );
    let kept = json!({"client_name": "Another name"});
    let row = admin.query_one("select identity.client_update($1, $2)", &[&hybrid.id, &kept]).await.unwrap();
    assert_eq!(row.get::<_, Value>(0)["response_types"], json!(["id_token token"]));
}

/// RFC 9700 §2.1.1: a challenge binds a code; where there is none, nothing is bound.
#[tokio::test]
async fn a_public_client_needs_a_challenge_for_a_code_and_for_nothing_else() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, public_client(&db).await);
    let types = json!({"grant_types": ["authorization_code", "implicit"], "response_types": ["code", "id_token", "code id_token"]});
    db.admin().await.query_one("select identity.client_update($1, $2)", &[&app.id, &types]).await.unwrap();
    let bare = json!({"code_challenge": null, "code_challenge_method": null});
    for (response_type, mode) in [("code", "query"), ("code id_token", "fragment")] {
        let asked = with(with(request(&app), bare.clone()), json!({"response_type": response_type}));
        assert_eq!(
            authorize(&sql, &asked, None).await,
            refusal(&db, &app, mode, "invalid_request", "code_challenge is missing: PKCE is required")
        );
    }
    let asked = with(with(request(&app), bare), json!({"response_type": "id_token"}));
    assert_eq!(authorize(&sql, &asked, None).await.0, "sign_in");
}

/// OpenID Connect Registration §2; RFC 7591 §2.1.
#[tokio::test]
async fn response_types_and_grant_types_are_registered_together() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let fit = "response_types: must fit grant_types: code needs authorization_code, id_token needs implicit, id_token token needs implicit, code id_token needs authorization_code and implicit, code token needs authorization_code and implicit, code id_token token needs authorization_code and implicit";
    let https = "redirect_uris: must be https, and not on this machine, for response types with token or id_token of a web client";
    let uris = json!(["https://a.example/cb"]);
    for (metadata, message) in [
        (
            json!({"redirect_uris": uris, "response_types": ["code id_token"], "grant_types": ["authorization_code"]}),
            fit,
        ),
        (json!({"redirect_uris": uris, "response_types": ["id_token"], "grant_types": ["authorization_code"]}), fit),
        (
            json!({"redirect_uris": uris, "response_types": ["id_token"], "grant_types": ["authorization_code", "implicit"]}),
            fit,
        ),
        (json!({"redirect_uris": uris, "response_types": ["code"], "grant_types": ["implicit"]}), fit),
        (json!({"redirect_uris": uris, "grant_types": ["implicit"]}), fit),
        (
            json!({"grant_types": ["implicit"], "response_types": ["id_token"]}),
            "redirect_uris: are required for implicit",
        ),
        (
            json!({"redirect_uris": uris, "response_types": ["token"]}),
            "response_types: must be an array of some of code, id_token, id_token token, code id_token, code token, code id_token token",
        ),
        (
            json!({"redirect_uris": uris, "response_types": [1]}),
            "response_types: must be an array of some of code, id_token, id_token token, code id_token, code token, code id_token token",
        ),
        (json!({"redirect_uris": ["http://127.0.0.1/cb"], "response_types": ["id_token"]}), https),
        (json!({"redirect_uris": ["https://localhost/cb"], "response_types": ["id_token"]}), https),
    ] {
        let error = admin.query_one("select identity.client_create($1)", &[&metadata]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("ID005", message), "{metadata}");
    }
    for (metadata, response_types, grant_types) in [
        (
            json!({"response_types": ["token id_token code"]}),
            json!(["code id_token token"]),
            json!(["authorization_code", "implicit"]),
        ),
        (json!({"response_types": ["id_token"]}), json!(["id_token"]), json!(["implicit"])),
        (json!({"response_types": ["code"]}), json!(["code"]), json!(["authorization_code"])),
        (
            json!({"grant_types": ["authorization_code", "implicit"]}),
            json!(["code"]),
            json!(["authorization_code", "implicit"]),
        ),
    ] {
        let mut whole = metadata.clone();
        whole["redirect_uris"] = uris.clone();
        let app = client(&db, whole).await;
        assert_eq!(
            (&app.metadata["response_types"], &app.metadata["grant_types"]),
            (&response_types, &grant_types),
            "{metadata}"
        );
    }
    // A native client keeps its loopback address (OpenID Connect Core §3.2.2.1).
    let native =
        json!({"redirect_uris": ["http://127.0.0.1/cb"], "application_type": "native", "response_types": ["id_token"]});
    assert_eq!(client(&db, native).await.metadata["response_types"], json!(["id_token"]));
}

#[tokio::test]
async fn an_id_token_from_the_authorization_endpoint_makes_nobody_anybody() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let asked = with(request(&app), json!({"response_type": "id_token"}));
    let token = answered(&sql, &asked, &cookie).await["parameters"]["id_token"].take();
    let refused = db.app().await.execute("select identity.authenticate($1)", &[&token.as_str()]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "ID108");
    assert_eq!(call(&sql, "userinfo_read", &[&token.as_str()]).await.0, "invalid_token");
}
