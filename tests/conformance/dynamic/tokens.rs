//! The tokens of such clients, how they prove themselves, and the keys of both sides.

use serde_json::{Value, json};

use super::{by_reference, key, publish, register, stage, variants, variants_with_code};
use crate::conformance::{Given, Suite, Variant, flow_parameter};
use crate::http::{assert_answer, assert_error};
use crate::jwt::merged;
use crate::registration::text;
use crate::support::{Flow, Gateway, Tokens};

const OFFLINE: &str = "openid offline_access";

/// `oidcc-ensure-client-assertion-with-iss-aud-succeeds`.
#[tokio::test]
async fn an_assertion_may_be_addressed_to_the_issuer() {
    let (mut suite, _) = stage().await;
    for variant in variants_with_code() {
        register(&mut suite, variant, key(None), json!({})).await;
        suite.proof.as_mut().unwrap().audience = suite.gateway.issuer.clone();
        suite.complete(&suite.request(variant), variant).await;
    }
}

/// `oidcc-idtoken-unsigned`.
#[tokio::test]
async fn a_client_may_register_for_id_tokens_without_signature() {
    let (mut suite, _) = stage().await;
    for variant in variants_with_code().filter(|variant| !variant.gives("id_token")) {
        register(&mut suite, variant, key(None), json!({"id_token_signed_response_alg": "none"})).await;
        let flow = suite.request(variant);
        let front = suite.returned(&flow, variant).await;
        let body = suite.redeem(&flow, &front["code"]).await.json();
        let token = text(&body, "id_token");
        assert!(token.starts_with("eyJhbGciOiJub25lIn") && token.ends_with('.'), "{token}");
        let claims = Tokens::claims(token);
        let expected = [json!(suite.gateway.issuer), json!(suite.app.id), json!(suite.alice.id)];
        assert_eq!(["iss", "aud", "sub"].map(|name| claims[name].clone()), expected);
        assert_eq!(claims["nonce"], flow_parameter(&flow, "nonce"));
    }
}

/// `oidcc-userinfo-rs256`.
#[tokio::test]
async fn userinfo_is_signed_where_the_client_registered_for_it() {
    let (mut suite, _) = stage().await;
    for variant in variants().filter(|variant| variant.response_type != "id_token") {
        register(&mut suite, variant, key(None), json!({"userinfo_signed_response_alg": "RS256"})).await;
        let given = suite.complete(&suite.request(variant), variant).await;
        let token = given.access_tokens().next().unwrap();
        let claims = suite.userinfo(token).await;
        // `ValidateSignedUserInfoResponseStandardJWTClaims`, `EnsureUserInfoDoesNotContainNonce`.
        let expected = json!({
            "iss": suite.gateway.issuer, "aud": suite.app.id, "sub": suite.alice.id, "iat": claims["iat"]
        });
        assert_eq!(claims, expected, "{variant:?}");
        assert!(claims["iat"].as_i64() >= given.id["iat"].as_i64(), "{claims}");
    }
}

/// `oidcc-server-rotate-keys`, with keys of the kinds that the suite can compare.
#[tokio::test]
async fn keys_that_are_rotated_are_new_ones_beside_the_old_ones() {
    let (suite, _) = stage().await;
    let admin = suite.db.admin().await;
    // As old as the next key is when it may sign.
    let later = "update identity.signing_keys set created_at = created_at - interval '1 hour' where state = 'next'";
    suite.db.superuser().await.batch_execute(later).await.unwrap();
    admin.batch_execute("select identity.rotate_signing_keys()").await.unwrap();
    let fresh = Gateway::start_beside(&suite.db, &[]).await;
    let document = suite.browser.get(fresh.url("/jwks.json")).await.json();
    let keys = document["keys"].as_array().unwrap();
    // `VerifyNewJwksStillHasOldSigningKey`, `VerifyNewJwksHasNewSigningKey`.
    assert!(suite.keys.iter().all(|key| keys.contains(key)), "{document}");
    let new: Vec<&Value> = keys.iter().filter(|key| !suite.keys.contains(key)).collect();
    assert!(new.iter().any(|key| key["use"] == "sig"), "{document}");
    for key in new {
        let part = match key["kty"].as_str().unwrap() {
            "RSA" => "n",
            "EC" => "x",
            other => panic!("{other}"),
        };
        assert!(suite.keys.iter().all(|old| old["kid"] != key["kid"] && old[part] != key[part]), "{key}");
    }
}

/// `oidcc-refresh-token-rp-key-rotation`: without the minute that the suite waits.
#[tokio::test]
async fn a_client_refreshes_with_its_next_key() {
    let (mut suite, stranger) = stage().await;
    for variant in variants_with_code() {
        let old = key(Some("old"));
        let reference = by_reference(&stranger, &old);
        register(&mut suite, variant, old, refreshing(variant, reference)).await;
        let given = suite.complete(&offline(&suite, variant), variant).await;
        let new = key(Some("new"));
        publish(&stranger, &new);
        suite.proof.as_mut().unwrap().key = new;
        refreshed(&suite, variant, &given, Some(OFFLINE)).await;
    }
}

/// `oidcc-refresh-token`: for two clients, and neither takes the other's.
#[tokio::test]
async fn a_refresh_token_is_its_own_client_s() {
    let (mut suite, _) = stage().await;
    for variant in variants_with_code() {
        register(&mut suite, variant, key(None), refreshing(variant, json!({}))).await;
        let given = suite.complete(&offline(&suite, variant), variant).await;
        refreshed(&suite, variant, &given, Some(OFFLINE)).await;
        let (first, proof) = (suite.app.clone(), suite.proof.take());
        register(&mut suite, variant, key(None), refreshing(variant, json!({"client_name": "the second one"}))).await;
        let given = suite.complete(&offline(&suite, variant), variant).await;
        let theirs = refreshed(&suite, variant, &given, None).await;
        (suite.app, suite.proof) = (first, proof);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", theirs.as_str())];
        assert_error(&suite.token(&suite.request(variant), &fields).await, 400, "invalid_grant");
    }
}

/// `AddRefreshTokenGrantTypeToDynamicRegistrationRequest`.
fn refreshing(variant: Variant, more: Value) -> Value {
    let mut grants = variant.metadata()["grant_types"].clone();
    grants.as_array_mut().unwrap().push(json!("refresh_token"));
    merged(json!({"grant_types": grants}), more)
}

/// `AddPromptConsentToAuthorizationEndpointRequestIfScopeContainsOfflineAccess`.
fn offline(suite: &Suite, variant: Variant) -> Flow {
    suite.request(variant).with("scope", OFFLINE).with("prompt", "consent")
}

/// `RefreshTokenRequestSteps`: the refresh token that came with the answer.
async fn refreshed(suite: &Suite, variant: Variant, given: &Given, scope: Option<&str>) -> String {
    let refresh_token = given.back["refresh_token"].as_str().unwrap_or_else(|| panic!("{}", given.back));
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    fields.extend(scope.map(|scope| ("scope", scope)));
    let page = suite.token(&suite.request(variant), &fields).await;
    let body = page.json();
    assert_answer(&page, 200, &body);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)), "{variant:?}");
    assert_ne!(body["access_token"], given.back["access_token"]);
    // `CompareIdTokenClaims`, OpenID Connect Core §12.2; without the nonce, which belonged to the request.
    let id = suite.verified(&suite.request(variant).without("nonce"), body["id_token"].as_str().unwrap());
    let same = |claims: &Value| ["iss", "sub", "aud", "auth_time", "azp"].map(|name| claims[name].clone());
    assert_eq!(same(&id), same(&given.id), "{variant:?}");
    assert_eq!(suite.userinfo(text(&body, "access_token")).await["sub"], id["sub"]);
    // `EnsureRefreshTokenContainsAllowedCharactersOnly`: RFC 6749 §A.17; `EnsureMinimumRefreshTokenEntropy`.
    let next = text(&body, "refresh_token");
    assert!(next.len() > 40 && next.chars().all(|c| matches!(c, ' '..='~')), "{next}");
    next.to_owned()
}
