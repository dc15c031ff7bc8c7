//! Redirects to an application on the person's own machine (RFC 8252 §7.3, §8.3): any port, and nothing else that is not registered.

use serde_json::json;

use crate::authorize::{authorize, request, with};
use crate::support::{Client, Database, client, public_client};

#[tokio::test]
async fn a_native_client_may_use_any_loopback_port_and_nothing_but_the_port() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, public_client(&db).await);
    for (uri, good) in [
        ("http://127.0.0.1:4711/callback", true),
        ("http://127.0.0.1:50123/callback", true),
        ("http://127.0.0.1/callback", true),
        ("http://127.0.0.1:50123/other", false),
        ("http://localhost:50123/callback", false),
        ("https://127.0.0.1:50123/callback", false),
        ("http://127.0.0.1:50123@evil.example/callback", false),
        ("http://127.0.0.1.evil.example/callback", false),
    ] {
        let (outcome, _) = authorize(&sql, &with(request(&app), json!({"redirect_uri": uri})), None).await;
        assert_eq!(outcome, if good { "sign_in" } else { "error_page" }, "{uri}");
    }
    let web = client(&db, json!({"redirect_uris": ["http://127.0.0.1:4700/cb"]})).await;
    let (outcome, _) =
        authorize(&sql, &with(request(&web), json!({"redirect_uri": "http://127.0.0.1:4701/cb"})), None).await;
    assert_eq!(outcome, "error_page", "the port of a web client is part of its redirect_uri");
}

/// RFC 8252 §8.3: localhost may lead elsewhere than to the loopback interface, so neither stands for the other.
#[tokio::test]
async fn localhost_has_any_port_as_well_and_is_no_other_name_of_the_loopback_interface() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let native = |redirect_uri: &str| {
        let metadata = json!({
            "application_type": "native", "token_endpoint_auth_method": "none", "redirect_uris": [redirect_uri]
        });
        client(&db, metadata)
    };
    let app = native("http://localhost/callback").await;
    let goes = async |app: &Client, uri: &str| {
        let (outcome, _) = authorize(&sql, &with(request(app), json!({"redirect_uri": uri})), None).await;
        assert!(["sign_in", "error_page"].contains(&outcome.as_str()), "{uri}: {outcome}");
        outcome == "sign_in"
    };
    for port in ["", ":50123", ":1", ":65535"] {
        assert!(goes(&app, &format!("http://localhost{port}/callback")).await, "{port}");
    }
    // What is no port, or none that anybody can listen on (RFC 3986 §3.2.3; 16 bits).
    for port in [
        ":",
        ":0",
        ":65536",
        ":99999",
        ":050123",
        ":0x50",
        ":-1",
        ":+1",
        ": 80",
        ":8 0",
        ":80:80",
        "%3A80",
        ":80@evil.example",
        ".evil.example:80",
        ":\u{664}\u{662}",
    ] {
        assert!(!goes(&app, &format!("http://localhost{port}/callback")).await, "{port}");
    }
    for uri in [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:50123/callback",
        "http://[::1]:50123/callback",
        "http://LOCALHOST:50123/callback",
        "http://localhost.:50123/callback",
        "https://localhost:50123/callback",
        "http://localhost:50123/callback/",
        "http://localhost:50123/callback?",
        "http://localhost:50123",
    ] {
        assert!(!goes(&app, uri).await, "{uri}");
    }
    for registered in ["127.0.0.1", "[::1]"] {
        let app = native(&format!("http://{registered}/callback")).await;
        assert!(goes(&app, &format!("http://{registered}:50123/callback")).await, "{registered}");
        assert!(!goes(&app, "http://localhost:50123/callback").await, "{registered}");
        assert!(!goes(&app, "http://localhost/callback").await, "{registered}");
    }
}
