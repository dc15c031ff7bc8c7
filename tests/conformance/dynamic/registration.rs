//! What clients register, and what is made of it.

use serde_json::json;

use super::{CALLBACK, by_reference, key, metadata, post, register, stage, variants, variants_with_code};
use crate::conformance::Suite;
use crate::http::{assert_answer, header};
use crate::registration::sector::Sector;
use crate::registration::{configure, text};
use crate::support::{Browser, attribute_of};

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
