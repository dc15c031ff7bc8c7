//! Authorization requests of such clients, by value and by reference, and where their answers go.

use serde_json::{Map, Value, json};

use super::{CALLBACK, key, register, stage, variants};
use crate::authorize_objects::unsigned;
use crate::conformance::requests::{around, object};
use crate::conformance::signed;
use crate::http_site::assert_error_page;
use crate::jwt::merged;
use crate::support::Says;

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
