//! Over HTTP, behind a trusted proxy: a certificate is good wherever a client proves itself, and the metadata say so where it is.

use serde_json::{Value, json};

use super::{Certificate, UNVERIFIED, VERIFIED, known_by};
use crate::http::{CLIENT_CREDENTIALS, assert_error};
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, Says, Stranger, client, user};

/// Proxies on loopback hand certificates on, as RFC 9440 says, whose chain they have verified or not.
pub fn behind_a_proxy(chain: &'static str) -> [(&'static str, &'static str); 3] {
    [
        ("GATEWAY_TRUSTED_PROXIES", "127.0.0.1/32"),
        ("GATEWAY_CLIENT_CERTIFICATE_HEADER", "Client-Cert"),
        ("GATEWAY_CLIENT_CERTIFICATE_CHAIN", chain),
    ]
}

/// A request of this client, with this certificate.
pub async fn post(gateway: &Gateway, path: &str, app: &Client, der: &Certificate, fields: &[(&str, &str)]) -> Page {
    let browser = Browser::new();
    let form = [fields, &[("client_id", app.id.as_str())]].concat();
    let request = browser.http.post(gateway.url(path)).header("Client-Cert", format!(":{}:", der.base64()));
    browser.send(request.form(&form)).await
}

#[tokio::test]
async fn a_certificate_is_good_at_every_endpoint_that_asks_a_client() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &behind_a_proxy("verified")).await;
    let (own, other) = (Certificate::new("/CN=web", ""), Certificate::new("/CN=other", ""));
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "first_party": true, "refresh_token": "always",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_method": VERIFIED, "tls_client_auth_subject_dn": "CN=web",
    });
    let app = client(&db, metadata).await;
    let flow = Flow::new(&gateway, &app);
    let code = flow.code(&user(&db, "alice").await).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "https://a.example/cb"),
        ("code_verifier", flow.code_verifier.as_str()),
    ];
    // Another certificate consumes nothing.
    assert_error(&post(&gateway, "/token", &app, &other, &redeem).await, 401, "invalid_client");
    let tokens = post(&gateway, "/token", &app, &own, &redeem).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let refresh_token = tokens.json()["refresh_token"].as_str().unwrap().to_owned();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    assert_error(&post(&gateway, "/token", &app, &other, &refresh).await, 401, "invalid_client");
    let refreshed = post(&gateway, "/token", &app, &own, &refresh).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    let access_token = refreshed.json()["access_token"].as_str().unwrap().to_owned();

    let token = [("token", access_token.as_str())];
    assert_error(&post(&gateway, "/introspect", &app, &other, &token).await, 401, "invalid_client");
    assert_eq!(post(&gateway, "/introspect", &app, &own, &token).await.json()["active"], true);
    assert_error(&post(&gateway, "/revoke", &app, &other, &token).await, 401, "invalid_client");
    assert_eq!(post(&gateway, "/introspect", &app, &own, &token).await.json()["active"], true);
    assert_eq!(post(&gateway, "/revoke", &app, &own, &token).await.status, 200);
    assert_eq!(post(&gateway, "/introspect", &app, &own, &token).await.json(), json!({ "active": false }));
    assert_eq!(post(&gateway, "/token", &app, &own, &[CLIENT_CREDENTIALS]).await.status, 200);
    assert_error(&post(&gateway, "/token", &app, &other, &[CLIENT_CREDENTIALS]).await, 401, "invalid_client");
}

#[tokio::test]
async fn keys_of_self_signed_certificates_are_fetched_where_the_client_publishes_them() {
    let (db, stranger) = (Database::new().await, Stranger::new().await);
    let fetching = [&behind_a_proxy("unverified")[..], &[("GATEWAY_FETCH_ALLOW", "127.0.0.1")]].concat();
    let gateway = Gateway::start_with(&db, &fetching).await;
    let (own, new) = (Certificate::new("/CN=a", ""), Certificate::new("/CN=a", ""));
    let app = known_by(&db, UNVERIFIED, json!({ "jwks_uri": stranger.url("/jwks") })).await;
    let publish =
        |keys: Value| stranger.says("/jwks", Says::ok("application/json", json!({ "keys": keys }).to_string()));
    publish(json!([{ "kty": "EC", "x5c": [own.base64()] }]));
    assert_eq!(post(&gateway, "/token", &app, &own, &[CLIENT_CREDENTIALS]).await.status, 200);
    assert_eq!(post(&gateway, "/token", &app, &own, &[CLIENT_CREDENTIALS]).await.status, 200);
    assert_eq!(stranger.times_asked(), 1);
    assert_error(&post(&gateway, "/token", &app, &new, &[CLIENT_CREDENTIALS]).await, 401, "invalid_client");
    publish(json!([new.jwk()]));
    assert_eq!(post(&gateway, "/token", &app, &new, &[CLIENT_CREDENTIALS]).await.status, 200);
    assert_error(&post(&gateway, "/token", &app, &own, &[CLIENT_CREDENTIALS]).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_chain_that_nobody_verified_names_nobody() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &behind_a_proxy("unverified")).await;
    let certificate = Certificate::new("/CN=a", "");
    let by_name = known_by(&db, VERIFIED, json!({ "tls_client_auth_subject_dn": "CN=a" })).await;
    let by_key = known_by(&db, UNVERIFIED, json!({ "jwks": { "keys": [certificate.jwk()] } })).await;
    assert_error(&post(&gateway, "/token", &by_name, &certificate, &[CLIENT_CREDENTIALS]).await, 401, "invalid_client");
    assert_eq!(post(&gateway, "/token", &by_key, &certificate, &[CLIENT_CREDENTIALS]).await.status, 200);
}

#[tokio::test]
async fn the_metadata_name_the_methods_that_work_and_the_host_that_asks_for_certificates() {
    let db = Database::new().await;
    let secrets = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
    let aliases = ("GATEWAY_MTLS_ENDPOINT_ALIASES", "https://mtls.id.example");
    let verified = [&behind_a_proxy("verified")[..], &[aliases]].concat();
    for (settings, more) in [
        (Vec::new(), &[][..]),
        (behind_a_proxy("unverified").to_vec(), &[UNVERIFIED][..]),
        (verified, &[UNVERIFIED, VERIFIED][..]),
    ] {
        let gateway = Gateway::start_beside(&db, &settings).await;
        let read = async |path: &str| Browser::new().get(gateway.url(path)).await.json();
        let document = read("/.well-known/openid-configuration").await;
        assert_eq!(document, read("/.well-known/oauth-authorization-server").await);
        let confidential = [&secrets[..], more].concat();
        let all = [&confidential[..], &["none"]].concat();
        assert_eq!(document["token_endpoint_auth_methods_supported"], json!(all));
        assert_eq!(document["revocation_endpoint_auth_methods_supported"], json!(all));
        assert_eq!(document["introspection_endpoint_auth_methods_supported"], json!(confidential));
        let expected = (more.len() == 2).then(|| {
            json!({
                "token_endpoint": "https://mtls.id.example/token",
                "introspection_endpoint": "https://mtls.id.example/introspect",
                "revocation_endpoint": "https://mtls.id.example/revoke",
            })
        });
        assert_eq!(document.get("mtls_endpoint_aliases"), expected.as_ref());
    }
}
