//! `oidcc-dynamic-certification-test-plan`: each module registers clients of its own, which prove themselves with a key.

use serde_json::{Map, Value, json};

use super::requests::{around, object};
use super::{Given, Proof, Suite, Variant, flow_parameter, signed};
use crate::authorize_objects::unsigned;
use crate::http::{assert_answer, assert_error, header};
use crate::http_site::assert_error_page;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::outbound::jwks;
use crate::registration::sector::Sector;
use crate::registration::{client_of, configure, text};
use crate::support::{Browser, Flow, Gateway, Page, Says, Stranger, Tokens, attribute_of};

const CALLBACK: &str = "https://notes.example/callback";
const OFFLINE: &str = "openid offline_access";

/// The suite where everybody may register, and its own server.
async fn stage() -> (Suite, Stranger) {
    let suite = Suite::with(&[("GATEWAY_FETCH_ALLOW", "127.0.0.1")]).await;
    configure(&suite.db, "'open'").await;
    (suite, Stranger::new().await)
}

/// The plan leaves the response type to choose, and has the default response mode.
fn variants() -> impl Iterator<Item = Variant> {
    Variant::all().filter(|variant| !variant.form_post)
}

fn variants_with_code() -> impl Iterator<Item = Variant> {
    variants().filter(|variant| variant.gives("code"))
}

/// `GenerateRS256ClientJWKs`: a key without a name; `GenerateRS256ClientJWKsWithKeyID`: with one.
fn key(kid: Option<&str>) -> Foreign {
    let mut key = Foreign::new("RS256");
    let jwk = key.jwk.as_object_mut().unwrap();
    jwk.remove("kid");
    jwk.extend(kid.map(|kid| ("kid".to_owned(), json!(kid))));
    key
}

async fn post(suite: &Suite, metadata: &Value) -> Page {
    suite.browser.send(suite.browser.http.post(suite.gateway.url("/register")).json(metadata)).await
}

/// What is registered for this key, and what a module adds.
fn metadata(variant: Variant, key: &Foreign, more: Value) -> Value {
    let own = json!({
        "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.jwk]}
    });
    merged(merged(variant.metadata(), own), more)
}

/// Registers; the suite's client is this one from here on.
async fn register(suite: &mut Suite, variant: Variant, key: Foreign, more: Value) {
    let metadata = metadata(variant, &key, more);
    let page = post(suite, &metadata).await;
    let made = page.json();
    // `EnsureContentTypeJson`, `EnsureHttpStatusCodeIs201`, `ExtractDynamicRegistrationResponse`.
    assert_answer(&page, 201, &made);
    for (name, value) in metadata.as_object().unwrap() {
        assert_eq!(made[name], *value, "{variant:?}: {name}");
    }
    suite.app = client_of(&made);
    assert_eq!(suite.app.secret, None);
    suite.proof = Some(Proof { key, audience: suite.gateway.url("/token") });
}

/// `AddJwksUriToDynamicRegistrationRequest`.
fn by_reference(stranger: &Stranger, key: &Foreign) -> Value {
    publish(stranger, key);
    json!({"jwks": null, "jwks_uri": stranger.url("/jwks")})
}

fn publish(stranger: &Stranger, key: &Foreign) {
    stranger.says("/jwks", Says::ok("application/json", jwks(&[key])));
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

/// `oidcc-server`, until `UnregisterDynamicallyRegisteredClient`; `oidcc-idtoken-rs256`.
#[tokio::test]
async fn a_client_with_a_key_registers_signs_somebody_in_and_goes() {
    let (mut suite, _) = stage().await;
    for more in [json!({}), json!({"id_token_signed_response_alg": "RS256"})] {
        for variant in variants() {
            register(&mut suite, variant, key(None), more.clone()).await;
            suite.complete(&suite.request(variant), variant).await;
            let address = text(&suite.app.metadata, "registration_client_uri");
            let token = text(&suite.app.metadata, "registration_access_token");
            let gone = suite.browser.send(suite.browser.http.delete(address).bearer_auth(token)).await;
            assert_eq!((gone.status.as_u16(), gone.body.as_str()), (204, ""), "{variant:?}");
        }
    }
}

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

/// `oidcc-ensure-redirect-uri-in-authorization-request`, `oidcc-redirect-uri-query-added`,
/// `oidcc-redirect-uri-query-mismatch`: a page, and no redirect; `oidcc-redirect-uri-query-OK`: what it asks, stays.
#[tokio::test]
async fn a_redirect_uri_is_the_one_that_is_registered_with_its_query() {
    let (mut suite, _) = stage().await;
    let (registered, other) = (format!("{CALLBACK}?bar=foo"), format!("{CALLBACK}?foo=bar"));
    for variant in variants() {
        register(&mut suite, variant, key(None), json!({})).await;
        let wrong =
            [suite.request(variant).without("redirect_uri"), suite.request(variant).with("redirect_uri", &other)];
        for flow in wrong {
            assert_error_page(&flow.open().await, "invalid_request");
        }
        register(&mut suite, variant, key(None), json!({"redirect_uris": [registered]})).await;
        for wrong in [other.as_str(), CALLBACK, &format!("{registered}&foo=bar")] {
            assert_error_page(&suite.request(variant).with("redirect_uri", wrong).open().await, "invalid_request");
        }
        suite.complete(&suite.request(variant), variant).await;
    }
}

/// `oidcc-redirect-uri-regfrag`.
#[tokio::test]
async fn a_redirect_uri_with_a_fragment_is_not_registered() {
    let (suite, _) = stage().await;
    for variant in variants() {
        let asked = metadata(variant, &key(None), json!({"redirect_uris": [format!("{CALLBACK}#foobar")]}));
        let description = "redirect_uris: must be https, http on loopback or, for native clients, a scheme of reversed \
                           domain name; without fragment";
        let refusal = json!({"error": "invalid_redirect_uri", "error_description": description});
        assert_answer(&post(&suite, &asked).await, 400, &refusal);
    }
}

/// `oidcc-discovery-endpoint-verification`: those conditions that the plan Config does not have, or has in another way.
#[tokio::test]
async fn the_discovery_document_has_what_dynamic_clients_look_for() {
    let (suite, _) = stage().await;
    let document = suite.browser.get(suite.gateway.url("/.well-known/openid-configuration")).await.json();
    assert_eq!(document["registration_endpoint"], json!(suite.gateway.url("/register")));
    for name in ["request_parameter_supported", "request_uri_parameter_supported"] {
        assert_eq!(document[name], true, "{name}");
    }
    for (name, values) in [
        ("response_types_supported", &["code", "id_token", "id_token token"][..]),
        ("grant_types_supported", &["authorization_code", "implicit", "refresh_token"]),
        ("token_endpoint_auth_methods_supported", &["private_key_jwt"]),
        ("token_endpoint_auth_signing_alg_values_supported", &["RS256"]),
        ("id_token_signing_alg_values_supported", &["RS256", "none"]),
        ("userinfo_signing_alg_values_supported", &["RS256"]),
        ("request_object_signing_alg_values_supported", &["none", "RS256"]),
        ("subject_types_supported", &["public", "pairwise"]),
    ] {
        let found = document[name].as_array().unwrap_or_else(|| panic!("{name}"));
        assert!(values.iter().all(|value| found.contains(&json!(value))), "{name}: {found:?}");
    }
    // `CheckDiscEndpointLocalesSyntax`, `CheckDiscEndpointLocalesCanonicalCasing`; `CheckDiscEndpointScopesSupportedSyntax`.
    for locale in document["ui_locales_supported"].as_array().unwrap() {
        let (language, region) = locale.as_str().unwrap().split_at(2);
        assert!(language.chars().all(|c| c.is_ascii_lowercase()) && region.is_empty(), "{locale}");
    }
    for scope in document["scopes_supported"].as_array().unwrap() {
        let allowed = |c: char| matches!(c, '!'..='~') && !matches!(c, '"' | '\\');
        assert!(scope.as_str().unwrap().chars().all(allowed), "{scope}");
    }
}

/// `oidcc-registration-logo-uri`, `oidcc-registration-policy-uri`, `oidcc-registration-tos-uri`: what the suite wants a
/// picture of, the sign-in page of a browser that nobody has used yet.
#[tokio::test]
async fn the_sign_in_page_has_the_logo_and_the_links_of_a_client_that_registered_itself() {
    let (mut suite, _) = stage().await;
    for variant in variants() {
        for (id, attribute) in [("logo", "src"), ("policy", "href"), ("tos", "href")] {
            let address = format!("https://pictures.example/{id}");
            register(&mut suite, variant, key(None), json!({format!("{id}_uri"): address})).await;
            let page = suite.request(variant).in_browser(Browser::new()).open().await;
            assert!(page.has("sign-in"), "{variant:?}: {} {}", page.status, page.body);
            let element = page.body.split('<').find(|tag| tag.contains(&format!("id=\"{id}\"")));
            assert_eq!(element.and_then(|tag| attribute_of(tag, attribute)), Some(address), "{}", page.body);
            let policy = header(&page, "content-security-policy").unwrap();
            assert_eq!(policy.contains("img-src 'self' https://pictures.example;"), id == "logo", "{policy}");
        }
    }
}

/// `oidcc-registration-jwks-uri`.
#[tokio::test]
async fn a_client_registers_where_its_keys_are() {
    let (mut suite, stranger) = stage().await;
    for (fetched, variant) in (1..).zip(variants_with_code()) {
        let key = key(Some(variant.response_type));
        let reference = by_reference(&stranger, &key);
        register(&mut suite, variant, key, reference).await;
        suite.complete(&suite.request(variant), variant).await;
        assert_eq!(stranger.asked("/jwks").len(), fetched, "{variant:?}");
    }
}

/// `oidcc-registration-sector-uri`, `oidcc-registration-sector-bad`.
#[tokio::test]
async fn a_client_registers_with_a_sector_that_lists_its_redirect_uri_and_with_no_other() {
    let listed = json!([CALLBACK]).to_string();
    let sector =
        Sector::start(&[("redirect_uris.json", listed.as_str()), ("bad.json", "[\"https://example.com/op\"]")]).await;
    let fetch = [("GATEWAY_FETCH_ALLOW", "localhost"), ("GATEWAY_FETCH_CA_FILE", sector.certificate.as_str())];
    let mut suite = Suite::with(&fetch).await;
    configure(&suite.db, "'open'").await;
    let pairwise = |name: &str| json!({"subject_type": "pairwise", "sector_identifier_uri": sector.url(name)});
    for variant in variants() {
        register(&mut suite, variant, key(None), pairwise("redirect_uris.json")).await;
        let refused = post(&suite, &metadata(variant, &key(None), pairwise("bad.json"))).await;
        let description = "sector_identifier_uri: the document there does not list all redirect_uris";
        let refusal = json!({"error": "invalid_client_metadata", "error_description": description});
        assert_answer(&refused, 400, &refusal);
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

/// `oidcc-request-uri-unsigned`, `oidcc-request-uri-signed-rs256`: state and nonce are in what is fetched alone.
#[tokio::test]
async fn a_request_may_be_where_the_client_registered_that_it_is() {
    let (mut suite, stranger) = stage().await;
    for variant in variants() {
        for alg in ["none", "RS256"] {
            // `CreateRandomRequestUri`.
            let path = format!("/requesturi/{}", crate::support::pkce().0);
            let mut more = json!({"request_uris": [stranger.url(&path)]});
            if alg != "none" {
                more["request_object_signing_alg"] = json!(alg);
            }
            register(&mut suite, variant, key(None), more).await;
            let flow = suite.request(variant);
            let claims: Map<String, Value> =
                flow.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let object = match alg {
                "none" => unsigned(&Value::Object(claims)),
                _ => {
                    let addressed = json!({"aud": suite.gateway.issuer, "iss": suite.app.id});
                    signed(&suite.proof.as_ref().unwrap().key, &merged(Value::Object(claims), addressed))
                }
            };
            stranger.says(&path, Says::ok("application/jose", object));
            let around = around(&suite, &flow, ("request_uri", &stranger.url(&path)));
            let front = suite.returned(&around, variant).await;
            suite.finish(&flow, variant, front).await;
        }
    }
}

/// `oidcc-ensure-request-object-with-redirect-uri`.
#[tokio::test]
async fn the_redirect_uri_of_an_object_counts() {
    let (mut suite, _) = stage().await;
    for variant in variants() {
        register(&mut suite, variant, key(None), json!({})).await;
        let flow = suite.request(variant);
        let around = around(&suite, &flow, ("request", &object(&suite, &flow)));
        let around = around.with("redirect_uri", "https://notes.example/Ahv3ooGh");
        let front = suite.returned(&around, variant).await;
        suite.finish(&flow, variant, front).await;
    }
}
