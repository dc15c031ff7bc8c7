//! What is published, and what is registered.

use std::fs;

use serde_json::json;

use super::Suite;
use crate::http::{assert_answer, header};
use crate::registration::{configure, text};
use crate::support::checkout;

/// `oidcc-discovery-endpoint-verification`: each condition of the plan Config.
#[tokio::test]
async fn the_discovery_document_has_all_that_the_plans_ask_of_it() {
    let suite = Suite::new().await;
    let page = suite.browser.get(suite.gateway.url("/.well-known/openid-configuration")).await;
    assert_eq!((page.status.as_u16(), header(&page, "content-type")), (200, Some("application/json")));
    let document = page.json();
    let list = |name: &str| -> Vec<&str> {
        let values = document[name].as_array().unwrap_or_else(|| panic!("{name}: {}", document[name]));
        values.iter().map(|value| value.as_str().unwrap()).collect()
    };
    for (name, values) in [
        ("response_types_supported", &["code", "id_token", "id_token token"][..]),
        ("grant_types_supported", &["authorization_code", "implicit", "refresh_token"]),
        ("subject_types_supported", &["public", "pairwise"]),
        ("id_token_signing_alg_values_supported", &["RS256", "none"]),
        ("userinfo_signing_alg_values_supported", &["RS256"]),
        ("request_object_signing_alg_values_supported", &["none", "RS256"]),
        ("token_endpoint_auth_methods_supported", &["client_secret_basic", "client_secret_post"]),
        ("scopes_supported", &["openid", "profile", "email", "address", "phone", "offline_access"]),
        ("claims_supported", &["sub", "name", "email", "auth_time", "acr"]),
        ("acr_values_supported", &["1"]),
        ("code_challenge_methods_supported", &["S256"]),
        ("ui_locales_supported", &["en"]),
    ] {
        let found = list(name);
        assert!(values.iter().all(|value| found.contains(value)), "{name}: {found:?}");
    }
    assert_eq!(document["issuer"], suite.gateway.issuer);
    for name in
        ["claims_parameter_supported", "request_parameter_supported", "authorization_response_iss_parameter_supported"]
    {
        assert_eq!(document[name], true, "{name}");
    }
    // `CheckDiscEndpointAllEndpointsAreHttps`: as the issuer, which has to be https where it is not on this machine.
    for (name, value) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            assert!(value.as_str().unwrap().starts_with(&suite.gateway.issuer), "{name}: {value}");
        }
    }
}

/// `CheckForKeyIdInServerJWKs`, `CheckDistinctKeyIdValueInServerJWKs`, `ValidateServerJWKs`,
/// `EnsureServerJwksDoesNotContainPrivateOrSymmetricKeys`.
#[tokio::test]
async fn the_published_keys_are_whole_public_and_told_apart() {
    let suite = Suite::new().await;
    let mut kids: Vec<&str> = suite.keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), suite.keys.len());
    for key in &suite.keys {
        let (needed, size): (&[&str], _) = match key["kty"].as_str().unwrap() {
            "RSA" => (&["e", "n"], 342),
            "EC" => (&["x", "y", "crv"], 43),
            "OKP" => (&["x", "crv"], 43),
            other => panic!("{other}"),
        };
        for name in needed {
            let value = key[*name].as_str().unwrap();
            assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{name}: {value}");
        }
        assert!(needed.iter().any(|name| key[*name].as_str().unwrap().len() == size), "{key}");
        assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|name| key.get(*name).is_none()), "{key}");
    }
}

/// `oidcc-3rd_party-init-login`, `oidcc-3rd_party-init-login-nohttps`; OpenID Connect Core §4: "MUST use the https scheme".
#[tokio::test]
async fn initiate_login_uri_is_https() {
    let suite = Suite::new().await;
    configure(&suite.db, "'open'").await;
    let register = async |address: &str| {
        let metadata = json!({"redirect_uris": ["https://a.example/cb"], "initiate_login_uri": address});
        suite.browser.send(suite.browser.http.post(suite.gateway.url("/register")).json(&metadata)).await
    };
    let registered = register("https://a.example/login").await;
    let made = registered.json();
    assert_eq!((registered.status.as_u16(), &made["initiate_login_uri"]), (201, &json!("https://a.example/login")));
    // `CallClientConfigurationEndpoint`, `ValidateInitiateLoginUriInConfigurationResponse`.
    let (address, token) = (text(&made, "registration_client_uri"), text(&made, "registration_access_token"));
    let read = suite.browser.send(suite.browser.http.get(address).bearer_auth(token)).await;
    assert_answer(&read, 200, &read.json());
    assert_eq!(read.json()["initiate_login_uri"], "https://a.example/login");
    for address in ["http://a.example/login", "http://localhost/login", "http://127.0.0.1:8080/login", "javascript:x"] {
        let refused = register(address).await;
        let description = "initiate_login_uri: must be an https URL";
        let expected = json!({"error": "invalid_client_metadata", "error_description": description});
        assert_eq!(refused.json(), expected, "{address}");
        assert_answer(&refused, 400, &expected);
    }
}

/// The modules of the plans, as the suite names them.
const MODULES: [&str; 42] = [
    "oidcc-server",
    "oidcc-response-type-missing",
    "oidcc-idtoken-signature",
    "oidcc-idtoken-unsigned",
    "oidcc-userinfo-get",
    "oidcc-userinfo-post-header",
    "oidcc-userinfo-post-body",
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow",
    "oidcc-ensure-request-without-nonce-fails",
    "oidcc-scope-profile",
    "oidcc-scope-email",
    "oidcc-scope-address",
    "oidcc-scope-phone",
    "oidcc-scope-all",
    "oidcc-ensure-other-scope-order-succeeds",
    "oidcc-display-page",
    "oidcc-display-popup",
    "oidcc-prompt-login",
    "oidcc-prompt-none-not-logged-in",
    "oidcc-prompt-none-logged-in",
    "oidcc-max-age-1",
    "oidcc-max-age-10000",
    "oidcc-ensure-request-with-unknown-parameter-succeeds",
    "oidcc-id-token-hint",
    "oidcc-login-hint",
    "oidcc-ui-locales",
    "oidcc-claims-locales",
    "oidcc-ensure-request-with-acr-values-succeeds",
    "oidcc-codereuse",
    "oidcc-codereuse-30seconds",
    "oidcc-ensure-registered-redirect-uri",
    "oidcc-ensure-post-request-succeeds",
    "oidcc-server-client-secret-post",
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
    "oidcc-claims-essential",
    "oidcc-ensure-request-object-with-redirect-uri",
    "oidcc-refresh-token",
    "oidcc-ensure-request-with-valid-pkce-succeeds",
    "oidcc-discovery-endpoint-verification",
    "oidcc-3rd_party-init-login",
    "oidcc-3rd_party-init-login-nohttps",
    "oidcc-ensure-redirect-uri-in-authorization-request",
];

/// Those of the plan Dynamic, which has clients of its own for each.
const DYNAMIC: [&str; 23] = [
    "oidcc-idtoken-rs256",
    "oidcc-idtoken-unsigned",
    "oidcc-userinfo-rs256",
    "oidcc-ensure-redirect-uri-in-authorization-request",
    "oidcc-redirect-uri-query-OK",
    "oidcc-redirect-uri-query-mismatch",
    "oidcc-redirect-uri-query-added",
    "oidcc-redirect-uri-regfrag",
    "oidcc-discovery-endpoint-verification",
    "oidcc-server",
    "oidcc-registration-logo-uri",
    "oidcc-registration-policy-uri",
    "oidcc-registration-tos-uri",
    "oidcc-registration-jwks-uri",
    "oidcc-registration-sector-uri",
    "oidcc-registration-sector-bad",
    "oidcc-server-rotate-keys",
    "oidcc-refresh-token-rp-key-rotation",
    "oidcc-request-uri-unsigned",
    "oidcc-request-uri-signed-rs256",
    "oidcc-ensure-request-object-with-redirect-uri",
    "oidcc-refresh-token",
    "oidcc-ensure-client-assertion-with-iss-aud-succeeds",
];

/// Those of the plans RP-Initiated, Back-Channel and Front-Channel Logout and Session Management.
const LOGOUT: [&str; 17] = [
    "oidcc-rp-initiated-logout-discovery-endpoint-verification",
    "oidcc-rp-initiated-logout",
    "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-modified-id-token-hint",
    "oidcc-rp-initiated-logout-bad-id-token-hint",
    "oidcc-rp-initiated-logout-no-id-token-hint",
    "oidcc-rp-initiated-logout-no-params",
    "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-no-state",
    "oidcc-rp-initiated-logout-only-state",
    "oidcc-backchannel-logout-discovery-endpoint-verification",
    "oidcc-backchannel-rp-initiated-logout",
    "oidcc-frontchannel-logout-discovery-endpoint-verification",
    "oidcc-frontchannel-rp-initiated-logout",
    "oidcc-session-management-discovery-endpoint-verification",
    "oidcc-session-management-rp-initiated-logout",
];

#[test]
fn every_module_of_the_plans_is_named_by_a_test() {
    let read = |name: &str| fs::read_to_string(checkout().join("tests/conformance").join(name)).unwrap();
    let tests = ["answers.rs", "documents.rs", "person.rs", "requests.rs"].map(read).concat();
    let dynamic = ["dynamic/registration.rs", "dynamic/requests.rs", "dynamic/tokens.rs"].map(read).concat();
    for (modules, tests) in [(&MODULES[..], tests), (&DYNAMIC, dynamic), (&LOGOUT, read("logout.rs"))] {
        let without: Vec<_> = modules.iter().filter(|name| !tests.contains(&format!("`{name}`"))).collect();
        assert!(without.is_empty(), "{without:?}");
    }
}
