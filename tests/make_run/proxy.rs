//! `ISSUER=https://… make run`: behind a proxy that speaks TLS (tests/clients/tls_proxy.mjs).

use std::fs;
use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::{Demo, assert_every_standard_claim, text};
use crate::real_clients::clients;
use crate::support::Browser;
use crate::tls::{certificate_at, trusting};

#[tokio::test]
async fn behind_a_proxy_that_speaks_tls() {
    let mut demo = Demo::new();
    let port = demo.gateway_port;
    let issuer = format!("https://localhost:{port}");
    let (certificate, key) = certificate_at(port, "make-run");
    // The port is the issuer's. The demo application is a client: it believes the proxy's certificate by FETCH_EXTRA_CA.
    demo.environment = vec![
        ("ISSUER", issuer.clone()),
        ("LISTEN", "127.0.0.2".into()),
        ("FETCH_ALLOW", "127.0.0.0/8,notes.internal".into()),
        ("FETCH_EXTRA_CA", certificate.clone()),
        ("CLIENT_CERTIFICATE_HEADER", "X-Client-Cert".into()),
        ("CLIENT_CERTIFICATE_ENCODING", "pem".into()),
        ("CLIENT_CERTIFICATE_CHAIN", "verified".into()),
        ("MTLS_ENDPOINT_ALIASES", "https://mtls.localhost".into()),
    ];
    let _proxy = proxy(port, &certificate, &key).await;
    demo.start().await;
    assert!(
        demo.printed().contains(&format!("http://127.0.0.2:{port}, behind 127.0.0.0/8,::1/128")),
        "{}",
        demo.printed()
    );
    let env = demo.env();
    assert_eq!(env["ISSUER"], issuer);
    let browser = || Browser { http: trusting(&certificate) };
    let discovery = browser().get(format!("{issuer}/.well-known/openid-configuration")).await;
    assert_eq!((discovery.json()["issuer"].clone(), discovery.status.as_u16()), (json!(issuer), 200));
    let methods = discovery.json()["token_endpoint_auth_methods_supported"].clone();
    assert!(methods.as_array().unwrap().contains(&json!("tls_client_auth")), "{methods}");
    let aliases = discovery.json()["mtls_endpoint_aliases"].clone();
    assert_eq!(aliases["token_endpoint"], "https://mtls.localhost/token");
    assert!(discovery.headers.contains_key("strict-transport-security"));

    let flow = assert_every_standard_claim(&env, browser()).await;
    let login = browser().get(format!("{issuer}/login")).await;
    let cookie = login.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-identity_browser=") && cookie.contains("; Secure"), "{cookie}");
    // Whom the proxy saw, whatever the browser says of itself.
    let home = flow.browser.http.get(&issuer).header("X-Forwarded-For", "198.51.100.1");
    let home = flow.browser.send(home).await;
    assert!(home.body.contains("203.0.113.9") && !home.body.contains("198.51.100.1"), "{}", home.body);

    // The demo application, from its page to the sign-in page and back with the notes.
    let browser = flow.browser;
    let away = browser.get(format!("{}/sign-in", env["APP_URL"])).await;
    let consent = browser.open(away.location().expect(&away.body)).await;
    let back = browser.press(&consent, "allow", &[]).await;
    let notes = browser.open(back.location().unwrap()).await;
    assert!(notes.body.contains("Tea with Bob on Thursday"), "{} {}", notes.url, notes.body);

    let gateway = environment_of(&format!("GATEWAY_ISSUER={issuer}"));
    for variable in [
        "GATEWAY_FETCH_ALLOW=127.0.0.0/8,notes.internal",
        "GATEWAY_TRUSTED_PROXIES=127.0.0.0/8,::1/128",
        "GATEWAY_CLIENT_CERTIFICATE_HEADER=X-Client-Cert",
        "GATEWAY_CLIENT_CERTIFICATE_ENCODING=pem",
    ] {
        assert!(gateway.contains(&variable.to_owned()), "{variable} is not in {gateway:?}");
    }
    assert!(gateway.contains(&format!("GATEWAY_FETCH_CA_FILE={certificate}")), "{gateway:?}");
}

#[test]
fn an_issuer_that_is_none_is_told_before_anything_is_made() {
    let mut demo = Demo::new();
    for issuer in
        ["id.example", "https://id.example'; drop table users; --", "ftp://id.example", "https://id.example/$(id)"]
    {
        demo.environment = vec![("ISSUER", issuer.into())];
        let output = demo.command().output().unwrap();
        assert!(!output.status.success() && text(&output).contains("ISSUER must be an https URL"), "{}", text(&output));
    }
    demo.environment = vec![("FETCH_EXTRA_CA", "/no/such/file".into())];
    let output = demo.command().output().unwrap();
    assert!(text(&output).contains("FETCH_EXTRA_CA: /no/such/file cannot be read"), "{}", text(&output));
    assert!(!demo.folder.exists());
}

/// A proxy on this port of 127.0.0.1, before the same port of 127.0.0.2; until it is dropped.
async fn proxy(port: u16, certificate: &str, key: &str) -> tokio::process::Child {
    let mut proxy = tokio::process::Command::new("node");
    let arguments = ["tls_proxy.mjs", "127.0.0.1", &port.to_string(), certificate, key, &format!("127.0.0.2:{port}")];
    proxy.args(arguments).current_dir(clients()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut proxy = proxy.spawn().unwrap();
    let mut said = [0; 5];
    proxy.stdout.as_mut().unwrap().read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"ready");
    proxy
}

/// The variables of the process that has this one among them.
fn environment_of(variable: &str) -> Vec<String> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.unwrap().path().join("environ")).ok());
    let mut environments = processes.map(|bytes| {
        let variables = bytes.split(|byte| *byte == 0).map(|variable| String::from_utf8_lossy(variable).into_owned());
        variables.collect::<Vec<_>>()
    });
    environments.find(|variables| variables.iter().any(|other| other == variable)).expect("the gateway runs")
}
