//! The gateway with a certificate of its own, and behind a proxy that has one.

use std::process::Command;

use serde_json::{Value, json};

use crate::operations::{becomes, header};
use crate::support::{Browser, Database, Gateway};

#[tokio::test]
async fn with_a_certificate_it_speaks_tls() {
    let db = Database::new().await;
    let issuer = format!("https://localhost:{}", db.http_port);
    db.superuser().await.execute("select identity.configure($1)", &[&issuer]).await.unwrap();
    let (certificate, key) = certificate(&db);
    let environment = [
        ("GATEWAY_ISSUER", issuer.as_str()),
        ("GATEWAY_TLS_CERTIFICATE_FILE", &certificate),
        ("GATEWAY_TLS_KEY_FILE", &key),
    ];
    let gateway = Gateway::start_with(&db, &environment).await;
    let root = reqwest::Certificate::from_pem(&std::fs::read(&certificate).unwrap()).unwrap();
    let http = reqwest::Client::builder().add_root_certificate(root).no_proxy().build().unwrap();
    let response = http.get(format!("{issuer}/.well-known/openid-configuration")).send().await.unwrap();
    assert_eq!(response.status(), 200, "{}", gateway.log_text());
    assert!(response.headers().contains_key("strict-transport-security"));
    let metadata: Value = response.json().await.unwrap();
    assert_eq!(metadata["issuer"], json!(issuer));
}

#[tokio::test]
async fn behind_a_proxy_plain_http_is_sent_to_https() {
    let db = Database::new().await;
    db.superuser().await.execute("select identity.configure('https://id.example.com')", &[]).await.unwrap();
    let environment = [("GATEWAY_ISSUER", "https://id.example.com"), ("GATEWAY_TRUSTED_PROXIES", "127.0.0.1/32")];
    let gateway = Gateway::start_with(&db, &environment).await;
    let browser = Browser::new();
    let url = format!("http://127.0.0.1:{}", db.http_port);
    becomes(&browser, &format!("{url}/readyz"), 200).await;
    let page = browser.send(browser.http.get(format!("{url}/login?x=1")).header("x-forwarded-proto", "http")).await;
    assert_eq!((page.status.as_u16(), header(&page, "location")), (308, Some("https://id.example.com/login?x=1")));
    let page = browser.send(browser.http.post(format!("{url}/token")).header("x-forwarded-proto", "http")).await;
    assert_eq!((page.status.as_u16(), page.json()["error"].clone()), (400, json!("invalid_request")));
    let page = browser.send(browser.http.get(format!("{url}/jwks.json")).header("x-forwarded-proto", "https")).await;
    assert_eq!(page.status, 200, "{}", gateway.log_text());
}

/// A self-signed certificate for localhost: paths of certificate and key.
fn certificate(db: &Database) -> (String, String) {
    let folder = crate::support::checkout().join("target/test-logs");
    std::fs::create_dir_all(&folder).unwrap();
    let path = |kind: &str| folder.join(format!("localhost-{}.{kind}", db.http_port)).to_str().unwrap().to_owned();
    let (certificate, key) = (path("crt"), path("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}
