//! The header in which a proxy hands on a certificate: believed from the trusted proxies, in the encoding that is configured, once.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::endpoints::behind_a_proxy;
use super::{Certificate, UNVERIFIED, VERIFIED, known_by};
use crate::http::{CLIENT_CREDENTIALS, assert_error};
use crate::support::{Browser, Client, Database, Gateway, Page, service_client};

/// What a peer at this address sends: so many headers of this name as there are values.
async fn from(peer: &str, gateway: &Gateway, app: &Client, name: &str, values: &[String]) -> Page {
    let http = reqwest::Client::builder().no_proxy().local_address(Some(peer.parse().unwrap())).build().unwrap();
    let mut request = http.post(gateway.url("/token")).form(&[CLIENT_CREDENTIALS, ("client_id", app.id.as_str())]);
    for value in values {
        request = request.header(name, value);
    }
    Browser::new().send(request).await
}

const PROXY: &str = "127.0.0.1";
const STRANGER: &str = "127.0.0.2";

fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[tokio::test]
async fn every_encoding_is_read_from_the_proxy_and_nothing_from_anybody_else() {
    let db = Database::new().await;
    let certificate = Certificate::new("/CN=a", "DNS:a.example");
    let app = known_by(&db, VERIFIED, json!({ "tls_client_auth_san_dns": "a.example" })).await;
    let pem = std::fs::read_to_string(&certificate.file).unwrap();
    for (encoding, header, value) in [
        ("rfc9440", "Client-Cert", format!(":{}:", certificate.base64())),
        // nginx ($ssl_client_escaped_cert) and Envoy (%DOWNSTREAM_PEER_CERT%); Apache with SSL_CLIENT_CERT.
        ("pem", "X-SSL-Cert", escaped(&pem)),
        ("pem", "X-SSL-Cert", pem.replace('\n', " ")),
        // HAProxy: %[ssl_c_der,base64].
        ("base64", "x-ssl-client-der", certificate.base64()),
    ] {
        let gateway = Gateway::start_beside(
            &db,
            &[
                ("GATEWAY_TRUSTED_PROXIES", "127.0.0.1/32"),
                ("GATEWAY_CLIENT_CERTIFICATE_HEADER", header),
                ("GATEWAY_CLIENT_CERTIFICATE_ENCODING", encoding),
                ("GATEWAY_CLIENT_CERTIFICATE_CHAIN", "verified"),
                ("GATEWAY_LOG_FILTER", "gateway=trace,hyper=debug,tower=trace"),
            ],
        )
        .await;
        let once = std::slice::from_ref(&value);
        let good = from(PROXY, &gateway, &app, header, once).await;
        assert_eq!(good.status, 200, "{encoding}: {}", good.body);
        assert_error(&from(STRANGER, &gateway, &app, header, once).await, 401, "invalid_client");
        // A header of another name is nobody's.
        assert_error(&from(PROXY, &gateway, &app, "X-Other", once).await, 401, "invalid_client");
        // RFC 9440 §2.2: one field. Which of two the proxy wrote, nobody can tell.
        let twice = [value.clone(), value.clone()];
        assert_error(&from(PROXY, &gateway, &app, header, &twice).await, 400, "invalid_request");
        let stranger = from(STRANGER, &gateway, &app, header, &twice).await;
        assert_error(&stranger, 401, "invalid_client");
        for none in ["", "(null)"] {
            assert_error(&from(PROXY, &gateway, &app, header, &[none.into()]).await, 401, "invalid_client");
        }
        for broken in ["x", ":x:", "%zz", "-----BEGIN CERTIFICATE-----", &value[..value.len() / 8 * 4 + 1]] {
            let page = from(PROXY, &gateway, &app, header, &[broken.into()]).await;
            assert_error(&page, 400, "invalid_request");
            assert!(!page.body.contains(broken) || broken == "x", "{}", page.body);
        }
        // Nor does anything of it stand in the log.
        let log = gateway.log_text();
        let part = &certificate.base64()[20..60];
        assert!(log.contains("/token") && !log.contains(part) && !log.contains(&escaped(part)), "{log}");
    }
}

#[tokio::test]
async fn a_header_that_is_not_configured_says_nothing() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    let certificate = Certificate::new("/CN=a", "DNS:a.example");
    let app = known_by(&db, UNVERIFIED, json!({ "jwks": { "keys": [certificate.jwk()] } })).await;
    let page = from(PROXY, &gateway, &app, "Client-Cert", &[format!(":{}:", certificate.base64())]).await;
    assert_error(&page, 401, "invalid_client");
}

#[tokio::test]
async fn a_header_of_any_size_is_refused_or_none() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &behind_a_proxy("verified")).await;
    let app = known_by(&db, VERIFIED, json!({ "tls_client_auth_san_dns": "a.example" })).await;
    let of = |bytes: usize| [format!(":{}:", BASE64_STANDARD.encode(vec![0x30; bytes]))];
    // As long as may be, and no certificate.
    assert_error(&from(PROXY, &gateway, &app, "Client-Cert", &of(8192)).await, 401, "invalid_client");
    assert_error(&from(PROXY, &gateway, &app, "Client-Cert", &of(8193)).await, 400, "invalid_request");
    assert_error(&from(STRANGER, &gateway, &app, "Client-Cert", &of(8193)).await, 401, "invalid_client");
    for peer in [PROXY, STRANGER] {
        // The head of a request is 32 KiB at most; the connection may end before all of it is written.
        let http = reqwest::Client::builder().no_proxy().local_address(Some(peer.parse().unwrap())).build().unwrap();
        let request = http.post(gateway.url("/token")).header("Client-Cert", &of(750_000)[0]);
        if let Ok(response) = request.form(&[CLIENT_CREDENTIALS]).send().await {
            assert_eq!(response.status(), 431);
        }
    }
    let good = Certificate::new("/CN=a", "DNS:a.example");
    let page = from(PROXY, &gateway, &app, "Client-Cert", &[format!(":{}:", good.base64())]).await;
    assert_eq!(page.status, 200, "{}", page.body);
}

#[tokio::test]
async fn a_client_with_a_secret_is_not_kept_from_it_by_a_certificate() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &behind_a_proxy("verified")).await;
    let service = service_client(&db).await;
    let certificate = Certificate::new("/CN=a", "");
    let browser = Browser::new();
    let request = browser.http.post(gateway.url("/token")).header("Client-Cert", format!(":{}:", certificate.base64()));
    let request = request.basic_auth(&service.id, service.secret.as_deref()).form(&[CLIENT_CREDENTIALS]);
    assert_eq!(browser.send(request).await.status, 200);
}
