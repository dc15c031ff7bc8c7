//! The gateway with a certificate of its own, and behind a proxy that has one.

use std::process::Command;

use serde_json::{Value, json};

use crate::operations::{becomes, header, signal};
use crate::support::{Browser, Database, Flow, Gateway, Page, Tokens, until, user, web_client};

#[tokio::test]
async fn with_a_certificate_it_speaks_tls() {
    let db = Database::new().await;
    let issuer = format!("https://localhost:{}", db.http_port);
    db.superuser().await.execute("select identity.configure($1)", &[&issuer]).await.unwrap();
    let (certificate, key) = certificate(&db, "localhost");
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

/// A client that trusts this certificate only, and keeps cookies.
pub fn trusting(certificate: &str) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(&std::fs::read(certificate).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy().cookie_store(true);
    client.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

#[tokio::test]
async fn a_renewed_certificate_is_served_after_sighup_and_a_broken_one_never() {
    let db = Database::new().await;
    let issuer = format!("https://localhost:{}", db.http_port);
    db.superuser().await.execute("select identity.configure($1)", &[&issuer]).await.unwrap();
    let (certificate_file, key_file) = certificate(&db, "served");
    let (renewed, renewed_key) = certificate(&db, "renewed");
    let (first, second) = (trusting(&certificate_file), trusting(&renewed));
    let environment = [
        ("GATEWAY_ISSUER", issuer.as_str()),
        ("GATEWAY_TLS_CERTIFICATE_FILE", &certificate_file),
        ("GATEWAY_TLS_KEY_FILE", &key_file),
    ];
    let gateway = Gateway::start_with(&db, &environment).await;
    let healthz = format!("{issuer}/healthz");
    assert_eq!(first.get(&healthz).send().await.unwrap().status(), 200);
    assert!(second.get(&healthz).send().await.is_err());

    std::fs::copy(&renewed, &certificate_file).unwrap();
    // The key is not there yet: what belongs together stays.
    signal(&gateway, "HUP");
    logged(&gateway, "the certificate cannot be read, the one before stays").await;
    std::fs::copy(&renewed_key, &key_file).unwrap();
    signal(&gateway, "HUP");
    logged(&gateway, "certificate read again").await;
    assert_eq!(second.get(&healthz).send().await.unwrap().status(), 200);
    // The connection that it has goes on.
    assert_eq!(first.get(&healthz).send().await.unwrap().status(), 200);
    std::fs::write(&certificate_file, "nothing").unwrap();
    signal(&gateway, "HUP");
    let anew = trusting(&renewed);
    assert_eq!(anew.get(&healthz).send().await.unwrap().status(), 200);
}

async fn logged(gateway: &Gateway, line: &str) {
    until(line, async || gateway.log_text().contains(line)).await;
}

#[tokio::test]
async fn with_an_https_issuer_the_cookies_are_host_cookies_and_the_whole_flow_works() {
    let mut db = Database::new().await;
    db.issuer = format!("https://localhost:{}", db.http_port);
    db.superuser().await.execute("select identity.configure($1)", &[&db.issuer]).await.unwrap();
    let (certificate, key) = certificate(&db, "flow");
    let environment = [("GATEWAY_TLS_CERTIFICATE_FILE", certificate.as_str()), ("GATEWAY_TLS_KEY_FILE", &key)];
    let gateway = Gateway::start_with(&db, &environment).await;
    let (alice, app) = (user(&db, "alice").await, web_client(&db).await);
    let browser = Browser { http: trusting(&certificate) };
    let page = browser.get(gateway.url("/login")).await;
    assert_host_cookies(&page, &["__Host-identity_browser", "__Host-identity_state"]);
    let flow = Flow::new(&gateway, &app).in_browser(browser);
    let page = flow.open().await;
    let form = page.form("sign-in");
    let field = |name: &str| form.fields.iter().find(|(other, _)| other == name).unwrap().1.clone();
    let (csrf, resume) = (field("csrf"), field("resume"));
    let fields = [("csrf", &csrf), ("resume", &resume), ("username", &alice.username), ("password", &alice.password)];
    let request = flow.browser.http.post(gateway.url("/login")).header("Origin", &db.issuer).form(&fields);
    let signed_in = flow.browser.send(request).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.body);
    assert_host_cookies(&signed_in, &["__Host-identity_session", "__Host-identity_state", "__Host-identity_device"]);
    let tokens = flow.tokens(&alice).await;
    assert_eq!(Tokens::claims(tokens.id())["iss"], json!(db.issuer));
    let userinfo = flow.browser.http.get(gateway.url("/userinfo")).bearer_auth(tokens.access());
    assert_eq!(flow.browser.send(userinfo).await.json()["sub"], json!(alice.id));
}

/// RFC 6265bis §4.1.3.2: Secure, Path=/ and no Domain.
fn assert_host_cookies(page: &Page, names: &[&str]) {
    let set: Vec<_> = page.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    let named: Vec<_> = set.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
    assert_eq!(named, names);
    for cookie in set {
        let attributes: Vec<_> = cookie.split("; ").skip(1).filter(|part| !part.starts_with("Max-Age=")).collect();
        // The frame of session monitoring reads its own.
        let expected: &[&str] = if cookie.starts_with("__Host-identity_state=") {
            &["Path=/", "SameSite=None", "Secure"]
        } else {
            &["Path=/", "HttpOnly", "SameSite=Lax", "Secure"]
        };
        assert_eq!(attributes, expected, "{cookie}");
    }
}

#[tokio::test]
async fn behind_a_proxy_with_a_certificate_the_cookies_are_host_cookies_too() {
    let db = Database::new().await;
    db.superuser().await.execute("select identity.configure('https://id.example.com')", &[]).await.unwrap();
    let environment = [("GATEWAY_ISSUER", "https://id.example.com"), ("GATEWAY_TRUSTED_PROXIES", "127.0.0.1/32")];
    let _gateway = Gateway::start_with(&db, &environment).await;
    let browser = Browser::new();
    let login = format!("http://127.0.0.1:{}/login", db.http_port);
    let page = browser.send(browser.http.get(login).header("x-forwarded-proto", "https")).await;
    assert_host_cookies(&page, &["__Host-identity_browser", "__Host-identity_state"]);
    assert_eq!(header(&page, "strict-transport-security"), Some("max-age=31536000"));
}

/// A self-signed certificate for localhost: paths of certificate and key, which hold this name.
pub fn certificate(db: &Database, name: &str) -> (String, String) {
    certificate_at(db.http_port, name)
}

/// The same for whoever has a port and no database.
pub fn certificate_at(port: u16, name: &str) -> (String, String) {
    let folder = crate::support::checkout().join("target/test-logs");
    std::fs::create_dir_all(&folder).unwrap();
    let path = |kind: &str| folder.join(format!("{name}-{port}.{kind}")).to_str().unwrap().to_owned();
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
