//! The request parameter `claims` (sql/store/functions/claims_parameter.sql; OpenID Connect Core §5.5), and `acr`.

use serde_json::{Value, json};

use crate::authorize::{Sql, authorize, call, code, decide, error_redirect, request, session, sign_in, with};
use crate::refresh::refresh;
use crate::response_types::{answered, hybrid_client};
use crate::support::{Client, Database, Tokens, client, user, web_client};
use crate::token::redeem;

fn asking(app: &Client, scope: &str, claims: &Value) -> Value {
    with(request(app), json!({"scope": scope, "claims": claims.to_string()}))
}

async fn userinfo(sql: &Sql, token: &Value) -> Value {
    let (outcome, answer) = call(sql, "userinfo_read", &[&token.as_str()]).await;
    assert_eq!(outcome, "ok", "{answer}");
    answer
}

/// The claims about the person in an ID token.
fn personal(id_token: &Value) -> Value {
    let mut claims = Tokens::claims(id_token.as_str().unwrap());
    let protocol =
        ["iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "acr", "amr", "sid", "at_hash", "c_hash", "s_hash"];
    claims.as_object_mut().unwrap().retain(|name, _| !protocol.contains(&name.as_str()));
    claims
}

#[tokio::test]
async fn claims_asked_for_one_by_one_are_where_they_were_asked_for_and_stay_there_when_refreshed() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let claims = json!({
        "userinfo": {
            "email": {"essential": true}, "phone_number": null, "locale": {"values": ["fr-FR", "en-GB"]},
            "zoneinfo": {"value": "Europe/Paris"}, "unheard_of": {"essential": true}, "sub": null
        },
        "id_token": {"given_name": {"essential": true, "something": "new"}, "gender": {"value": "female"},
            "birthdate": {"values": ["1900-01-01"]}, "auth_time": {"essential": true}},
        "elsewhere": {"name": null}
    });
    let code = code(&sql, &asking(&app, "openid offline_access", &claims), &cookie).await;
    let (_, tokens) = redeem(&sql, &app, &code).await;
    // §5.5.1: value and values; what does not have one of them is left out, and so is what nobody knows.
    let at_userinfo = json!({
        "sub": alice.id, "email": "alice@people.example", "phone_number": "+44 20 7946 0123", "locale": "en-GB"
    });
    let in_id_token = json!({"given_name": "alice", "gender": "female"});
    assert_eq!(tokens["scope"], "openid offline_access", "a claim is not a scope");
    assert_eq!(userinfo(&sql, &tokens["access_token"]).await, at_userinfo);
    assert_eq!(personal(&tokens["id_token"]), in_id_token);
    let (outcome, later) = refresh(&sql, &app, &tokens["refresh_token"]).await;
    assert_eq!(outcome, "ok");
    assert_eq!(userinfo(&sql, &later["access_token"]).await, at_userinfo);
    assert_eq!(personal(&later["id_token"]), in_id_token);
    // What changes meanwhile is answered as it is now.
    let change = json!({"locale": "de-DE", "given_name": "Alicia"});
    db.admin().await.execute("select identity.user_update($1, $2)", &[&alice.id, &change]).await.unwrap();
    assert_eq!(userinfo(&sql, &later["access_token"]).await.get("locale"), None);
}

#[tokio::test]
async fn the_person_is_asked_for_what_opens_a_claim_and_the_answer_is_remembered() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    code(&sql, &with(request(&app), json!({"scope": "openid"})), &cookie).await;
    let claims =
        json!({"userinfo": {"email": null, "email_verified": null, "address": null}, "id_token": {"name": null}});
    let asked = asking(&app, "openid profile", &claims);
    let (outcome, consent) = authorize(&sql, &asked, Some(&cookie)).await;
    assert_eq!(outcome, "consent");
    let (_, page) = call(&sql, "consent_page", &[&consent["resume"].as_str(), &cookie, &"browser"]).await;
    assert_eq!(
        page["scopes"],
        json!([
            {"name": "openid", "description": "Know that it is you"},
            {"name": "profile", "description": "See your name and profile"},
            {"name": "address", "description": "See your postal address"},
            {"name": "email", "description": "See your e-mail address"}
        ])
    );
    let none = with(asked.clone(), json!({"prompt": "none"}));
    assert_eq!(
        authorize(&sql, &none, Some(&cookie)).await,
        error_redirect(&db, &app, "consent_required", "the person has not allowed this yet")
    );
    assert_eq!(decide(&sql, &consent, &cookie, "deny").await.1["parameters"]["error"], "access_denied");
    assert_eq!(authorize(&sql, &asked, Some(&cookie)).await.0, "consent", "no was no");
    decide(&sql, &consent, &cookie, "allow").await;
    assert_eq!(authorize(&sql, &none, Some(&cookie)).await.0, "redirect");
    assert!(authorize(&sql, &none, Some(&cookie)).await.1["parameters"]["code"].is_string());
}

/// A client reads nothing by its name that its scopes do not open.
#[tokio::test]
async fn no_claim_opens_more_than_the_scopes_the_client_registered() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = client(&db, json!({"redirect_uris": ["https://a.example/cb"], "scope": "openid email"})).await;
    let cookie = session(&sql, &alice).await;
    let claims = json!({"userinfo": {"name": {"essential": true}, "email": null, "roles": null}, "id_token": {"phone_number": null}});
    let given = code(&sql, &asking(&app, "openid", &claims), &cookie).await;
    let (_, tokens) = redeem(&sql, &app, &given).await;
    assert_eq!(
        userinfo(&sql, &tokens["access_token"]).await,
        json!({"sub": alice.id, "email": "alice@people.example"})
    );
    assert_eq!(personal(&tokens["id_token"]), json!({}));
    // Without openid it is no OpenID request: the parameter means nothing, and userinfo is not to be had.
    let given = code(&sql, &asking(&app, "email", &claims), &cookie).await;
    let (_, tokens) = redeem(&sql, &app, &given).await;
    assert_eq!(tokens.get("id_token"), None);
    assert_eq!(call(&sql, "userinfo_read", &[&tokens["access_token"].as_str()]).await.0, "insufficient_scope");
}

#[tokio::test]
async fn claims_that_cannot_be_read_are_an_invalid_request() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    for claims in [
        "{",
        "[]",
        "1",
        "null",
        "\"x\"",
        "true",
        "{\"userinfo\":[]}",
        "{\"userinfo\":\"email\"}",
        "{\"id_token\":1}",
        "{\"id_token\":{\"email\":1}}",
        "{\"id_token\":{\"email\":[]}}",
        "{\"userinfo\":{\"email\":{\"essential\":1}}}",
        "{\"userinfo\":{\"email\":{\"essential\":\"true\"}}}",
        "{\"userinfo\":{\"email\":{\"values\":\"x\"}}}",
        "{\"x\":\"\\u0000\"}",
        "{\"x\":\"\\ud800\"}",
        "{\"x\":1e999999}",
        "{'x':1}",
        &deep,
    ] {
        assert_eq!(
            authorize(&sql, &with(request(&app), json!({"claims": claims})), None).await,
            error_redirect(
                &db,
                &app,
                "invalid_request",
                "claims must be a JSON object of the members userinfo and id_token"
            ),
            "{claims:.80}"
        );
    }
    for claims in ["{}", "{\"userinfo\":null}", "{\"id_token\":{\"a\":{\"value\":{\"b\":[1]}}},\"x\":[1]}"] {
        assert_eq!(
            authorize(&sql, &with(request(&app), json!({"claims": claims})), None).await.0,
            "sign_in",
            "{claims}"
        );
    }
    // Bounded with the rest of the request.
    let large = json!({"userinfo": {"email": {"values": vec!["x".repeat(100); 50]}}}).to_string();
    assert_eq!(
        authorize(&sql, &with(request(&app), json!({"claims": large})), None).await,
        error_redirect(&db, &app, "invalid_request", "the request is too large")
    );
}

/// §5.5: with userinfo, an access token MUST result.
#[tokio::test]
async fn claims_for_userinfo_need_an_access_token() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let asked = |response_type: &str, claims: Value| {
        with(asking(&app, "openid", &claims), json!({"response_type": response_type}))
    };
    let both = json!({"userinfo": {"email": null}, "id_token": {"name": null}});
    let (outcome, answer) = authorize(&sql, &asked("id_token", both.clone()), Some(&cookie)).await;
    assert_eq!(outcome, "redirect");
    let refusal = json!({
        "error": "invalid_request", "state": "s t&a=te", "iss": db.issuer,
        "error_description": "claims has a member userinfo, and response_type id_token gives no access token"
    });
    assert_eq!((&answer["response_mode"], &answer["parameters"]), (&json!("fragment"), &refusal));
    let given = answered(&sql, &asked("id_token", json!({"id_token": {"name": null}})), &cookie).await;
    assert_eq!(personal(&given["parameters"]["id_token"]), json!({"name": "alice Liddell"}));
    let given = answered(&sql, &asked("id_token token", both), &cookie).await;
    assert_eq!(personal(&given["parameters"]["id_token"]), json!({"name": "alice Liddell"}));
    let at_userinfo = userinfo(&sql, &given["parameters"]["access_token"]).await;
    assert_eq!(at_userinfo, json!({"sub": alice.id, "email": "alice@people.example"}));
}

/// §5.5.1: the server MUST NOT reply with a token for another person than the claim sub names.
#[tokio::test]
async fn a_request_for_one_person_is_never_answered_for_another() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let cookie = session(&sql, &bob).await;
    code(&sql, &with(request(&app), json!({"scope": "openid"})), &cookie).await;
    for claims in [
        json!({"id_token": {"sub": {"value": alice.id}}}),
        json!({"id_token": {"sub": {"values": [alice.id, "x"]}}}),
        json!({"userinfo": {"sub": {"value": alice.id}}}),
    ] {
        let asked = asking(&app, "openid", &claims);
        assert_eq!(
            authorize(&sql, &with(asked.clone(), json!({"prompt": "none"})), Some(&cookie)).await,
            error_redirect(&db, &app, "login_required", "another person is signed in"),
            "{claims}"
        );
        let (outcome, resume) = authorize(&sql, &asked, Some(&cookie)).await;
        assert_eq!(outcome, "sign_in", "{claims}");
        let (_, next) = sign_in(&sql, &bob, &resume, None).await;
        let refusal = error_redirect(&db, &app, "login_required", "another person signed in");
        assert_eq!((next["outcome"].as_str().unwrap(), &next["answer"]), (refusal.0.as_str(), &refusal.1));
        let (_, next) = sign_in(&sql, &alice, &resume, None).await;
        assert!(["consent", "redirect"].contains(&next["outcome"].as_str().unwrap()), "{next}");
    }
    let own = asking(&app, "openid", &json!({"id_token": {"sub": {"value": bob.id}}}));
    assert!(
        authorize(&sql, &with(own, json!({"prompt": "none"})), Some(&cookie)).await.1["parameters"]["code"].is_string()
    );
}

/// §5.5.1.1.
#[tokio::test]
async fn an_essential_acr_is_met_or_the_sign_in_has_failed() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    for (acr, met) in [
        (json!({"essential": true, "values": ["1", "2"]}), true),
        (json!({"essential": true, "value": "1"}), true),
        (json!({"essential": true}), true),
        (json!({"values": ["phr"]}), true),
        (json!(null), true),
        (json!({"essential": true, "values": ["phr", "2"]}), false),
        (json!({"essential": true, "value": "0"}), false),
        (json!({"essential": true, "values": []}), false),
    ] {
        let asked = asking(&app, "openid", &json!({"id_token": {"acr": acr}}));
        if met {
            let given = code(&sql, &asked, &cookie).await;
            let (_, tokens) = redeem(&sql, &app, &given).await;
            assert_eq!(Tokens::claims(tokens["id_token"].as_str().unwrap())["acr"], "1", "{acr}");
        } else {
            let refusal = error_redirect(
                &db,
                &app,
                "unmet_authentication_requirements",
                "no sign-in here reaches an acr that was asked for",
            );
            assert_eq!(authorize(&sql, &asked, Some(&cookie)).await, refusal, "{acr}");
        }
    }
    // A session from before anybody claimed a class: proving it again reaches it.
    db.superuser().await.execute("update identity_store.sessions set acr = null", &[]).await.unwrap();
    let asked = asking(&app, "openid", &json!({"id_token": {"acr": {"essential": true, "value": "1"}}}));
    let none = with(asked.clone(), json!({"prompt": "none"}));
    assert_eq!(
        authorize(&sql, &none, Some(&cookie)).await,
        error_redirect(&db, &app, "login_required", "the sign-in does not reach the acr that was asked for")
    );
    let (outcome, resume) = authorize(&sql, &asked, Some(&cookie)).await;
    assert_eq!(outcome, "sign_in");
    assert_eq!(sign_in(&sql, &alice, &resume, Some(&cookie)).await.1["outcome"], "redirect");
}
