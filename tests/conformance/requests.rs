//! Requests that are not as usual: something is missing, wrong, or comes in another way.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{Suite, Variant};
use crate::http_site::assert_error_page;
use crate::support::{Browser, Flow};

/// `oidcc-response-type-missing`: told to the client, in the query, because no type says otherwise.
#[tokio::test]
async fn a_request_without_response_type_is_told_so() {
    let suite = Suite::new().await;
    for form_post in [false, true] {
        let variant = Variant { response_type: "code", form_post };
        let flow = suite.request(variant).without("response_type");
        suite.assert_error(&suite.read(&flow.open().await, variant), "invalid_request");
    }
}

/// `oidcc-ensure-request-without-nonce-succeeds-for-code-flow`, `oidcc-ensure-request-without-nonce-fails`.
#[tokio::test]
async fn a_nonce_is_needed_where_an_id_token_comes_from_the_authorization_endpoint() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let flow = suite.request(variant).without("nonce");
        if variant.gives("id_token") {
            suite.assert_error(&suite.read(&flow.open().await, variant), "invalid_request");
        } else {
            assert_eq!(suite.complete(&flow, variant).await.id.get("nonce"), None, "{variant:?}");
        }
    }
}

/// `oidcc-ensure-registered-redirect-uri`, `oidcc-ensure-redirect-uri-in-authorization-request`: a page, and no redirect.
#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let other = format!("{}/Ahv3ooGh", suite.app.redirect_uri());
        for flow in
            [suite.request(variant).with("redirect_uri", &other), suite.request(variant).without("redirect_uri")]
        {
            assert_error_page(&flow.open().await, "invalid_request");
        }
    }
}

/// `oidcc-ensure-post-request-succeeds`: as a browser posts it from the client's page, without our cookies.
#[tokio::test]
async fn a_posted_request_is_as_good() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let flow = suite.request(variant);
        let bare = Browser::new();
        let request = bare.http.post(suite.gateway.url("/authorize")).header("Sec-Fetch-Site", "cross-site");
        let back = bare.send(request.form(&flow.parameters)).await;
        let mut page = flow.browser.open(back.location().unwrap()).await;
        if page.has("allow") {
            page = flow.browser.press(&page, "allow", &[]).await;
        }
        let front = suite.read(&page, variant);
        suite.finish(&flow, variant, front).await;
    }
}

/// `oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported`: what is in the object alone, such as state, counts;
/// `oidcc-ensure-request-object-with-redirect-uri`: also where something else stands beside it.
#[tokio::test]
async fn an_unsigned_request_object_is_the_request() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        for beside in [None, Some("https://notes.example/Ahv3ooGh")] {
            let flow = suite.request(variant);
            let mut around = around(&suite, &flow, ("request", &object(&suite, &flow)));
            if let Some(redirect_uri) = beside {
                around = around.with("redirect_uri", redirect_uri);
            }
            let front = suite.returned(&around, variant).await;
            suite.finish(&flow, variant, front).await;
        }
    }
}

/// `BuildRequestObjectRedirectToAuthorizationEndpoint`: what says where the request is, and what OAuth 2.0 demands beside it.
pub fn around(suite: &Suite, flow: &Flow, (name, value): (&str, &str)) -> Flow {
    let mut around = Flow::new(&suite.gateway, &suite.app).in_browser(Browser { http: flow.browser.http.clone() });
    around.parameters.clear();
    for name in ["client_id", "scope", "response_type", "redirect_uri"] {
        let value = flow.parameters.iter().find(|(other, _)| other == name).unwrap().1.clone();
        around.parameters.push((name.into(), value));
    }
    around.with(name, value)
}

/// `ConvertAuthorizationEndpointRequestToRequestObject`, `AddAudToRequestObject`, `AddIssToRequestObject`,
/// `SerializeRequestObjectWithNullAlgorithm`.
pub fn object(suite: &Suite, flow: &Flow) -> String {
    let mut claims: Map<String, Value> =
        flow.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    claims.insert("aud".into(), json!(suite.gateway.issuer));
    claims.insert("iss".into(), json!(suite.app.id));
    let encode = |part: Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.", encode(json!({"alg": "none"})), encode(Value::Object(claims)))
}
