//! What a client gets: tokens, claims, and the way back.

use serde_json::{Value, json};

use super::{Suite, Variant};
use crate::http::{assert_answer, assert_error};
use crate::jwt::merged;
use crate::registration::{client_of, configure, text};
use crate::support::{Browser, Flow, client, full_profile, pkce};

/// `oidcc-server`, `oidcc-idtoken-signature`: the whole flow, and no claim about the person in an ID token beside an access token.
#[tokio::test]
async fn every_flow_ends_with_tokens_that_can_be_verified() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let given = suite.complete(&suite.request(variant), variant).await;
        assert_eq!(given.id.get("name"), None, "{variant:?}");
        assert_eq!((&given.id["sub"], &given.id["acr"]), (&json!(suite.alice.id), &json!("1")));
        // RFC 6749 §4.2.2.
        if variant.gives("token") {
            assert_eq!((given.front["token_type"].as_str(), given.front["expires_in"].as_str()), ("Bearer", "300"));
        }
    }
}

/// `oidcc-server` in a browser that nobody has used yet: sign-in page, consent page, client.
#[tokio::test]
async fn every_flow_begins_in_a_new_browser() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let flow = suite.request(variant).in_browser(Browser::new());
        assert!(flow.open().await.has("sign-in"), "{variant:?}");
        suite.complete(&flow, variant).await;
    }
}

/// The same for a client of the plans' `dynamic_client`.
#[tokio::test]
async fn every_flow_is_for_a_client_that_registered_itself_too() {
    let suite = Suite::new().await;
    configure(&suite.db, "'open'").await;
    for variant in Variant::all() {
        let secret = json!({
            "redirect_uris": [suite.app.redirect_uri()], "token_endpoint_auth_method": "client_secret_basic"
        });
        let metadata = merged(variant.metadata(), secret);
        let request = suite.browser.http.post(suite.gateway.url("/register")).json(&metadata);
        let registered = suite.browser.send(request).await;
        let made = registered.json();
        assert_answer(&registered, 201, &made);
        for (name, value) in metadata.as_object().unwrap() {
            assert_eq!(made[name], *value, "{variant:?}: {name}");
        }
        let app = client_of(&made);
        suite.complete(&suite.request_of(&app, variant), variant).await;
        // `UnregisterDynamicallyRegisteredClient`.
        let (address, token) = (text(&made, "registration_client_uri"), text(&made, "registration_access_token"));
        let gone = suite.browser.send(suite.browser.http.delete(address).bearer_auth(token)).await;
        assert_eq!((gone.status.as_u16(), gone.body.as_str()), (204, ""), "{variant:?}");
        let page = suite.request_of(&app, variant).open().await;
        assert_eq!((page.status.as_u16(), page.text("error").as_deref()), (400, Some("invalid_client")), "{variant:?}");
    }
}

/// `oidcc-server-client-secret-post`, `oidcc-ensure-request-with-valid-pkce-succeeds`, and both at once.
#[tokio::test]
async fn a_secret_in_the_body_and_a_challenge_are_as_good() {
    let suite = Suite::new().await;
    let mut metadata = suite.app.metadata.clone();
    for name in ["client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at"] {
        metadata.as_object_mut().unwrap().remove(name);
    }
    metadata["token_endpoint_auth_method"] = json!("client_secret_post");
    let post = client(&suite.db, metadata).await;
    for variant in Variant::all().filter(|variant| variant.gives("code")) {
        let (verifier, challenge) = pkce();
        for (with_challenge, app) in [(false, &post), (true, &post), (true, &suite.app)] {
            let mut flow = suite.request_of(app, variant);
            let mut fields = vec![
                ("grant_type", "authorization_code"),
                ("redirect_uri", app.redirect_uri()),
                ("client_id", &app.id),
                ("client_secret", app.secret.as_deref().unwrap()),
            ];
            if with_challenge {
                flow = flow.with("code_challenge", &challenge).with("code_challenge_method", "S256");
                fields.push(("code_verifier", &verifier));
            }
            let front = suite.returned(&flow, variant).await;
            fields.push(("code", &front["code"]));
            let page = suite.browser.post(suite.gateway.url("/token"), &fields).await;
            assert_answer(&page, 200, &page.json());
            suite.verified(&flow, page.json()["id_token"].as_str().unwrap());
        }
    }
}

/// `oidcc-idtoken-unsigned`: where no ID token comes from the authorization endpoint.
#[tokio::test]
async fn an_id_token_is_unsigned_where_the_client_registered_for_it() {
    let suite = Suite::new().await;
    let patch = json!({"id_token_signed_response_alg": "none", "response_types": ["code", "code token"]});
    suite.db.admin().await.query_one("select identity.client_update($1, $2)", &[&suite.app.id, &patch]).await.unwrap();
    for variant in Variant::all().filter(|variant| variant.gives("code") && !variant.gives("id_token")) {
        let flow = suite.request(variant);
        let front = suite.returned(&flow, variant).await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &front["code"]),
            ("redirect_uri", suite.app.redirect_uri()),
        ];
        let body = flow.token(&fields).await.json();
        let token = body["id_token"].as_str().unwrap();
        assert!(token.starts_with("eyJhbGciOiJub25lIn") && token.ends_with('.'), "{token}");
        assert_eq!(crate::support::Tokens::claims(token)["nonce"], "n-0S6_WzA2Mj");
    }
}

/// `oidcc-userinfo-get`, `oidcc-userinfo-post-header`, `oidcc-userinfo-post-body`.
#[tokio::test]
async fn userinfo_takes_the_token_in_every_way_it_may_come() {
    let suite = Suite::new().await;
    for variant in Variant::all().filter(|variant| variant.response_type != "id_token") {
        let given = suite.complete(&suite.request(variant), variant).await;
        let url = suite.gateway.url("/userinfo");
        for token in given.access_tokens() {
            let http = &suite.browser.http;
            for request in [
                http.get(&url).bearer_auth(token),
                http.post(&url).bearer_auth(token),
                http.post(&url).form(&[("access_token", token)]),
            ] {
                assert_answer(&suite.browser.send(request).await, 200, &json!({"sub": suite.alice.id}));
            }
        }
    }
}

/// `oidcc-scope-profile`, `oidcc-scope-email`, `oidcc-scope-address`, `oidcc-scope-phone`, `oidcc-scope-all`,
/// `oidcc-ensure-other-scope-order-succeeds`: every claim that the scope stands for, in its type, from userinfo, or in the ID token
/// where there is no access token.
#[tokio::test]
async fn every_scope_brings_all_its_claims_where_the_specification_puts_them() {
    let suite = Suite::new().await;
    let whole = full_profile("alice");
    let profile = [
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "preferred_username",
    ];
    let (email, phone) = (["email", "email_verified"], ["phone_number", "phone_number_verified"]);
    let all = [&profile[..], &email, &["address"], &phone].concat();
    for variant in Variant::all() {
        for (scope, names) in [
            ("openid profile", &profile[..]),
            ("openid email", &email),
            ("email openid", &email),
            ("openid address", &["address"]),
            ("openid phone", &phone),
            ("openid address email phone profile", &all),
        ] {
            let given = suite.complete(&suite.request(variant).with("scope", scope), variant).await;
            let claims = match given.access_tokens().next() {
                Some(token) => suite.userinfo(token).await,
                None => given.id.clone(),
            };
            for name in names {
                assert_eq!(claims[*name], whole[*name], "{variant:?} {scope}: {name}");
                // §5.4: beside an access token they are at userinfo.
                assert_eq!(
                    given.id.get(*name).is_some(),
                    variant.response_type == "id_token",
                    "{variant:?} {scope}: {name}"
                );
            }
            // `EnsureUserInfoUpdatedAtValid`: seconds, as a number, not in the future.
            let updated_at = claims["updated_at"].as_i64();
            let expected = scope.contains("profile").then_some(given.id["iat"].as_i64().unwrap());
            assert_eq!(updated_at.is_some(), expected.is_some(), "{variant:?} {scope}");
            assert!(updated_at <= expected, "{updated_at:?}");
            assert_eq!(claims["sub"], given.id["sub"]);
        }
    }
}

/// `oidcc-claims-essential`: `name`, asked for by itself, comes from where it was asked for and from nowhere else.
#[tokio::test]
async fn an_essential_claim_comes_without_its_scope() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let target = if variant.response_type == "id_token" { "id_token" } else { "userinfo" };
        let claims = json!({ target: {"name": {"essential": true}} }).to_string();
        let given = suite.complete(&suite.request(variant).with("claims", &claims), variant).await;
        let name = json!("alice Liddell");
        assert_eq!(given.id.get("name"), (target == "id_token").then_some(&name), "{variant:?}");
        for token in given.access_tokens() {
            assert_eq!(suite.userinfo(token).await, json!({"sub": suite.alice.id, "name": name}), "{variant:?}");
        }
    }
}

/// `oidcc-codereuse`, `oidcc-codereuse-30seconds`: 400 `invalid_grant`, and what the first use gave is worth nothing any more.
#[tokio::test]
async fn a_code_is_good_once_and_its_second_use_ends_what_the_first_one_gave() {
    let suite = Suite::new().await;
    for variant in Variant::all().filter(|variant| variant.gives("code")) {
        let flow = suite.request(variant);
        let given = suite.complete(&flow, variant).await;
        // Half of the minute for which a code is good.
        let older = "update identity_store.authorization_codes
            set expires_at = expires_at - interval '30 seconds', used_at = used_at - interval '30 seconds'";
        age(&suite, older).await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &given.front["code"]),
            ("redirect_uri", suite.app.redirect_uri()),
        ];
        assert_error(&flow.token(&fields).await, 400, "invalid_grant");
        for token in given.access_tokens() {
            let request = suite.browser.http.get(suite.gateway.url("/userinfo")).bearer_auth(token);
            assert_error(&suite.browser.send(request).await, 401, "invalid_token");
        }
    }
}

/// `oidcc-refresh-token`: for two clients, the first with `scope`; the new ID token is the old one's; neither takes the other's.
#[tokio::test]
async fn a_refresh_token_gives_the_same_again_to_its_own_client_only() {
    let suite = Suite::new().await;
    let other = crate::response_types::hybrid_client(&suite.db).await;
    for variant in Variant::all().filter(|variant| variant.gives("code")) {
        let mut tokens = Vec::new();
        for app in [&suite.app, &other] {
            let scope = "openid offline_access";
            let flow = suite.request_of(app, variant).with("scope", scope).with("prompt", "consent");
            let given = suite.complete(&flow, variant).await;
            assert_eq!(given.front.get("refresh_token"), None);
            let refresh_token = given.back["refresh_token"].as_str().unwrap().to_owned();
            let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", &refresh_token)];
            fields.extend(tokens.is_empty().then_some(("scope", scope)));
            let page = flow.token(&fields).await;
            let body = page.json();
            assert_answer(&page, 200, &body);
            assert_eq!((&body["token_type"], &body["scope"]), (&json!("Bearer"), &json!(scope)));
            // `CompareIdTokenClaims`, OpenID Connect Core §12.2; without the nonce, which belonged to the request.
            let bare = Flow::new(&suite.gateway, app).without("nonce");
            let id = suite.verified(&bare, body["id_token"].as_str().unwrap());
            let same = |claims: &Value| ["iss", "sub", "aud", "auth_time", "azp"].map(|name| claims[name].clone());
            assert_eq!(same(&id), same(&given.id));
            assert_ne!(body["access_token"], given.back["access_token"]);
            tokens.push(body["refresh_token"].as_str().unwrap().to_owned());
        }
        let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens[1].as_str())];
        assert_error(&suite.request(variant).token(&fields).await, 400, "invalid_grant");
        // And it is still its own client's.
        assert_eq!(suite.request_of(&other, variant).token(&fields).await.status, 200);
    }
}

/// Time that passes.
async fn age(suite: &Suite, statement: &str) {
    suite.db.superuser().await.batch_execute(statement).await.unwrap();
}
