//! Response types: what the authorization endpoint gives by itself, and for how long (sql/store/functions/response_types.sql,
//! authorization_response.sql; OpenID Connect Core §3.2, §3.3). What is refused: response_types_refused.rs.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authorize::{Sql, authorize, call, decide, request, session, with};
use crate::grant_types::response_types;
use crate::support::{Client, Database, Tokens, client, full_profile, service_client, user};
use crate::token::{audited, redeem, refused};

/// A confidential web client that may have everything.
pub async fn hybrid_client(db: &Database) -> Client {
    let metadata = json!({
        "client_name": "Notes, every way", "redirect_uris": ["https://notes.example/callback"],
        "grant_types": ["authorization_code", "implicit", "refresh_token"],
        "response_types": ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"],
        "scope": "openid profile email address phone roles offline_access"
    });
    client(db, metadata).await
}

/// The parameters of the answer to a request of somebody who is signed in and allows it.
pub async fn answered(sql: &Sql, request: &Value, session: &str) -> Value {
    let (mut outcome, mut answer) = authorize(sql, request, Some(session)).await;
    if outcome == "consent" {
        (outcome, answer) = decide(sql, &answer, session, "allow").await;
    }
    assert_eq!(outcome, "redirect", "{answer}");
    answer
}

/// OpenID Connect Core §3.1.3.6, §3.3.2.11: for RS256 the left half of SHA-256.
fn half_hash(value: &Value) -> String {
    let whole = digest(&SHA256, value.as_str().unwrap().as_bytes());
    URL_SAFE_NO_PAD.encode(&whole.as_ref()[..16])
}

async fn introspected(sql: &Sql, service: &Client, token: &Value) -> Value {
    let arguments = (&service.id, service.secret.as_ref().unwrap(), token.as_str().unwrap());
    let (outcome, answer) = call(
        sql,
        "token_introspect",
        &[&arguments.0, &arguments.1, &"client_secret_basic", &arguments.2, &None::<&str>],
    )
    .await;
    assert_eq!(outcome, "ok");
    answer
}

#[tokio::test]
async fn every_response_type_gives_what_its_words_name_and_nothing_else() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    // RFC 6749 §3.1.1: the order of the words does not matter.
    let written = [
        ("code", true, false, false),
        ("id_token", false, false, true),
        ("id_token token", false, true, true),
        ("token id_token", false, true, true),
        ("code id_token", true, false, true),
        ("id_token code", true, false, true),
        ("code token", true, true, false),
        ("token code", true, true, false),
        ("code id_token token", true, true, true),
        ("token id_token code", true, true, true),
    ];
    let known = written.map(|(written, ..)| {
        let mut words: Vec<&str> = written.split(' ').collect();
        words.sort_unstable();
        words.join(" ")
    });
    assert_eq!(BTreeSet::from(known), response_types(&db).await.into_iter().collect(), "none is left out");
    for (written, code, token, id_token) in written {
        let asked = with(request(&app), json!({"response_type": written, "scope": "openid email"}));
        let answer = answered(&sql, &asked, &cookie).await;
        let given = &answer["parameters"];
        let mut expected = json!({"state": "s t&a=te", "iss": db.issuer});
        for (named, members) in [(code, &["code"][..]), (token, &["access_token"]), (id_token, &["id_token"])] {
            for member in members.iter().filter(|_| named) {
                assert!(given[member].is_string(), "{written}: {answer}");
                expected[member] = given[member].clone();
            }
        }
        if token {
            // RFC 6749 §4.2.2.
            expected["token_type"] = json!("Bearer");
            expected["expires_in"] = json!("300");
            expected["scope"] = json!("openid email");
        }
        let mode = if token || id_token { "fragment" } else { "query" };
        assert_eq!(
            answer,
            json!({"redirect_uri": app.redirect_uri(), "response_mode": mode, "parameters": expected}),
            "{written}"
        );
        if id_token {
            let claims = Tokens::claims(given["id_token"].as_str().unwrap());
            let mut expected = json!({
                "iss": db.issuer, "aud": app.id, "sub": alice.id, "nonce": "n", "sid": claims["sid"], "acr": "1", "amr": ["pwd"],
                "auth_time": claims["auth_time"], "iat": claims["iat"], "exp": claims["iat"].as_i64().unwrap() + 300,
                "s_hash": half_hash(&json!("s t&a=te")),
            });
            if token {
                expected["at_hash"] = json!(half_hash(&given["access_token"]));
            }
            if code {
                expected["c_hash"] = json!(half_hash(&given["code"]));
            }
            if !code && !token {
                // OpenID Connect Core §5.4: no access token, so what the scopes stand for is here.
                expected["email"] = json!("alice@people.example");
                expected["email_verified"] = json!(true);
            }
            assert_eq!(claims, expected, "{written}");
        }
        if code {
            let (outcome, tokens) = redeem(&sql, &app, given["code"].as_str().unwrap()).await;
            assert_eq!(outcome, "ok", "{written}: {tokens}");
            let id = Tokens::claims(tokens["id_token"].as_str().unwrap());
            assert_eq!((&id["sub"], &id["nonce"], id.get("c_hash")), (&json!(alice.id), &json!("n"), None));
        }
    }
}

#[tokio::test]
async fn every_claim_of_a_scope_is_in_the_id_token_where_no_access_token_is_given() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let asked =
        with(request(&app), json!({"response_type": "id_token", "scope": "openid profile email address phone"}));
    let answer = answered(&sql, &asked, &cookie).await;
    let mut claims = Tokens::claims(answer["parameters"]["id_token"].as_str().unwrap());
    let updated_at = claims["updated_at"].take();
    assert!(updated_at.as_i64().unwrap() > 1_700_000_000);
    let mut profile = full_profile("alice");
    profile.as_object_mut().unwrap().remove("roles");
    for (name, value) in profile.as_object().unwrap() {
        assert_eq!(claims[name], *value, "{name}");
    }
}

#[tokio::test]
async fn a_token_from_the_authorization_endpoint_is_a_grants_like_any_other() {
    let db = Database::new().await;
    let (sql, app, service) = (db.gateway_role().await, hybrid_client(&db).await, service_client(&db).await);
    let admin = db.admin().await;
    let ask = |change: Value| with(request(&app), change);
    let hybrid = json!({"response_type": "code token", "scope": "openid offline_access"});
    let implicit = json!({"response_type": "id_token token", "scope": "openid"});
    for (n, (end, asked)) in [
        ("replay", hybrid.clone()),
        ("select identity.session_revoke(s.session_id) from identity.user_sessions($1) s", implicit.clone()),
        ("select identity.user_disable($1)", implicit.clone()),
        ("select identity.user_delete($1)", hybrid.clone()),
        ("select identity.user_set_password($1, 'a new one, quite long')", implicit),
        ("withdraw", hybrid),
    ]
    .into_iter()
    .enumerate()
    {
        let person = user(&db, &format!("person{n}")).await;
        let cookie = session(&sql, &person).await;
        let given = answered(&sql, &ask(asked), &cookie).await["parameters"].take();
        let token = &given["access_token"];
        let claims = Tokens::claims(token.as_str().unwrap());
        let answer = introspected(&sql, &service, token).await;
        assert_eq!((&answer["active"], &answer["sub"]), (&json!(true), &json!(person.id)), "{end}");
        let (outcome, info) = call(&sql, "userinfo_read", &[&token.as_str()]).await;
        assert_eq!((outcome.as_str(), info), ("ok", json!({"sub": person.id})));
        let row = "select session_id::text, client_id from identity_store.grants where id::text = $1";
        let row = db.superuser().await.query_one(row, &[&claims["grant_id"].as_str()]).await.unwrap();
        assert_eq!((claims["sid"].as_str(), claims["client_id"].as_str()), (Some(row.get(0)), Some(row.get(1))));
        match end {
            // RFC 6749 §4.1.2: what was issued by a code that is used twice is revoked, by whichever way it left.
            "replay" => {
                let code = given["code"].as_str().unwrap();
                let (_, tokens) = redeem(&sql, &app, code).await;
                assert_eq!(introspected(&sql, &service, token).await["active"], true, "redeeming once ends nothing");
                let refusal = refused("invalid_grant", "the authorization code is invalid");
                assert_eq!(redeem(&sql, &app, code).await, refusal);
                let later = introspected(&sql, &service, &tokens["access_token"]).await;
                assert_eq!(later, json!({"active": false}));
                assert_eq!(audited(&db, "code_replayed").await, 1);
            }
            "withdraw" => {
                let answer = call(&sql, "account_application_withdraw", &[&cookie, &app.id]).await;
                assert_eq!(answer.0, "ok");
            }
            statement => drop(admin.query(statement, &[&person.id]).await.unwrap()),
        }
        assert_eq!(introspected(&sql, &service, token).await, json!({"active": false}), "{end}");
    }
}

/// OpenID Connect Core §11: offline_access MUST be ignored unless a code is returned.
#[tokio::test]
async fn without_a_code_there_is_no_offline_access_and_nobody_is_asked_for_it() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let asked = with(request(&app), json!({"response_type": "id_token token", "scope": "openid offline_access"}));
    let (outcome, consent) = authorize(&sql, &asked, Some(&cookie)).await;
    assert_eq!(outcome, "consent");
    let (_, page) = call(&sql, "consent_page", &[&consent["resume"].as_str(), &cookie, &"browser"]).await;
    assert_eq!(page["scopes"], json!([{"name": "openid", "description": "Know that it is you"}]));
    let (_, answer) = decide(&sql, &consent, &cookie, "allow").await;
    assert_eq!(answer["parameters"]["scope"], "openid");
    let bound: bool =
        db.superuser().await.query_one("select session_bound from identity_store.grants", &[]).await.unwrap().get(0);
    assert!(bound, "it ends with the session");
}

#[tokio::test]
async fn who_says_no_is_told_so_in_the_way_the_client_asked_for() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    for (asked, mode) in [
        (json!({}), "query"),
        (json!({"response_type": "code id_token"}), "fragment"),
        (json!({"response_mode": "form_post"}), "form_post"),
    ] {
        let (_, consent) = authorize(&sql, &with(request(&app), asked), Some(&cookie)).await;
        let (outcome, answer) = decide(&sql, &consent, &cookie, "deny").await;
        assert_eq!(outcome, "redirect");
        let parameters = json!({
            "error": "access_denied", "error_description": "the person did not allow it", "state": "s t&a=te", "iss": db.issuer
        });
        assert_eq!(
            answer,
            json!({"redirect_uri": app.redirect_uri(), "response_mode": mode, "parameters": parameters})
        );
    }
}
