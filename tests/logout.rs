//! Logout that a client asks for (sql/store/functions/logout.sql; OpenID Connect RP-Initiated Logout 1.0).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authorize::{Answer, Sql, call, code, request, session};
use crate::encrypted::Jose;
use crate::issuers::Foreign;
use crate::jwt::merged;
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

/// RP-Initiated Logout §2: the hint decides nothing, but where it is about somebody else, the person is asked, with their own name.
#[tokio::test]
async fn a_logout_hint_at_somebody_else_makes_the_person_decide() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    user(&db, "bob").await;
    let metadata = json!({
        "client_name": "Pair", "redirect_uris": ["https://pair.example/cb"], "subject_type": "pairwise"
    });
    let app = client(&db, metadata).await;
    let cookie = session(&sql, &alice).await;
    let hint = id_token(&sql, &app, &cookie).await;
    let claims = crate::support::Tokens::claims(&hint);
    let (public, sub) = (alice.id.to_string(), claims["sub"].as_str().unwrap());
    for other in ["bob", "bob@people.example", "nobody", &public, "{[\u{1f600}", &"x".repeat(400)] {
        let asked = json!({"id_token_hint": [hint], "logout_hint": [other]});
        let (outcome, answer) = logout(&sql, &asked, Some(&cookie)).await;
        assert_eq!((outcome.as_str(), &answer["user"]), ("confirm", &json!("alice Liddell")), "{other}");
        let asked = json!({"client_id": [app.id], "logout_hint": [other]});
        assert_eq!(logout(&sql, &asked, Some(&cookie)).await.1["user"], "alice Liddell", "{other}");
        // Nobody is there to be asked.
        assert_eq!(logout(&sql, &asked, None).await, ("signed_out".into(), json!({})), "{other}");
    }
    // The right one is no proof.
    let named = json!({"client_id": [app.id], "logout_hint": ["alice"]});
    let (outcome, answer) = logout(&sql, &named, Some(&cookie)).await;
    assert_eq!((outcome.as_str(), answer.get("user")), ("confirm", None));
    assert!(signed_in(&sql, &cookie).await);
    for right in ["alice", "ALICE", "alice@people.example", sub, "sid"] {
        let cookie = session(&sql, &alice).await;
        let hint = id_token(&sql, &app, &cookie).await;
        let sid = crate::support::Tokens::claims(&hint)["sid"].as_str().unwrap().to_owned();
        let right = if right == "sid" { sid.as_str() } else { right };
        let asked = json!({"id_token_hint": [hint], "logout_hint": [right]});
        assert_eq!(logout(&sql, &asked, Some(&cookie)).await, ("signed_out".into(), json!({})), "{right}");
    }
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

/// §2: "The OP SHOULD accept ID Tokens … even when the exp time has passed". Core §3.1.2.1: encrypted to us it is a hint, too.
#[tokio::test]
async fn a_hint_may_be_old_pairwise_or_encrypted_to_us_and_is_never_unsigned() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let metadata = json!({
        "redirect_uris": ["https://notes.example/cb"], "post_logout_redirect_uris": ["https://notes.example/"], "subject_type": "pairwise"
    });
    let app = client(&db, metadata).await;
    let mut jose = Jose::new();
    let jwks: Value = db.admin().await.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    let key = jwks["keys"].as_array().unwrap().iter().find(|key| key["use"] == "enc" && key["kty"] == "EC").unwrap();
    let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT", "kid": key["kid"]});
    for way in ["fresh", "expired", "encrypted", "encrypted to somebody else", "unsigned", "of another key"] {
        let cookie = session(&sql, &alice).await;
        let fresh = id_token(&sql, &app, &cookie).await;
        let mut claims = crate::support::Tokens::claims(&fresh);
        let hint = match way {
            "fresh" => fresh,
            "expired" => {
                claims["iat"] = json!(1_700_000_000);
                claims["exp"] = json!(1_700_000_300);
                crate::jwt::signed(&db, "JWT", claims).await
            }
            "encrypted" => {
                let arguments = merged(json!({"text": fresh, "key": key}), header.clone());
                jose.ask("encrypt", arguments).await.as_str().unwrap().to_owned()
            }
            "encrypted to somebody else" => {
                let (_, other) = jose.key("EC", json!("P-256"), "x").await;
                let arguments = merged(json!({"text": fresh, "key": other}), header.clone());
                jose.ask("encrypt", arguments).await.as_str().unwrap().to_owned()
            }
            "unsigned" => {
                let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
                format!("{}.{}.", encoded(json!({"alg": "none"})), encoded(claims))
            }
            _ => Foreign::new("ES256").token(merged(claims, json!({"iss": db.issuer}))),
        };
        let asked = json!({"id_token_hint": [hint], "post_logout_redirect_uri": ["https://notes.example/"]});
        let answer = logout(&sql, &asked, Some(&cookie)).await;
        let good = ["fresh", "expired", "encrypted"].contains(&way);
        let expected: Answer = if good {
            ("signed_out".into(), json!({"redirect_uri": "https://notes.example/"}))
        } else {
            let description = "id_token_hint is not an ID token of this issuer";
            ("error_page".into(), json!({"error": "invalid_request", "error_description": description}))
        };
        assert_eq!((answer, signed_in(&sql, &cookie).await), (expected, !good), "{way}");
    }
}

#[tokio::test]
async fn a_long_hint_is_no_long_request() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let claims = crate::support::Tokens::claims(&id_token(&sql, &app, &cookie).await);
    let hint = crate::jwt::signed(&db, "JWT", merged(claims, json!({"name": "x".repeat(5000)}))).await;
    assert_eq!(logout(&sql, &json!({"id_token_hint": [hint]}), Some(&cookie)).await, ("signed_out".into(), json!({})));
    let large = json!({"client_id": [app.id], "state": ["x".repeat(5000)]});
    assert_eq!(logout(&sql, &large, None).await.1["error_description"], "the request is too large");
}
