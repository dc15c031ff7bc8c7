//! What the tests of the protocol over HTTP share: a database with a gateway, and how an answer looks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::support::{Browser, Client, Database, Gateway, Page};

/// A header as text.
pub fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.get(name).map(|value| value.to_str().unwrap())
}

/// Every answer of these endpoints: JSON, and kept by nobody (RFC 6749 §5.1).
#[track_caller]
pub fn assert_answer(page: &Page, status: u16, body: &Value) {
    assert_eq!((page.status.as_u16(), &page.json()), (status, body));
    assert_eq!(header(page, "content-type"), Some("application/json"));
    assert_eq!(header(page, "cache-control"), Some("no-store"));
    assert_eq!(header(page, "pragma"), Some("no-cache"));
    assert_eq!(header(page, "x-content-type-options"), Some("nosniff"));
    assert!(header(page, "set-cookie").is_none());
}

/// A refusal: the code, words for developers, nothing else.
#[track_caller]
pub fn assert_error(page: &Page, status: u16, error: &str) {
    let body = page.json();
    assert_eq!((page.status.as_u16(), body["error"].as_str()), (status, Some(error)), "{body}");
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error", "error_description"]);
    assert_answer(page, status, &body);
}

/// A database and its gateway, and somebody to talk to it.
pub struct Bench {
    pub db: Database,
    pub gateway: Gateway,
    pub browser: Browser,
}

impl Bench {
    pub async fn new() -> Bench {
        let db = Database::new().await;
        let gateway = Gateway::start(&db).await;
        Bench { db, gateway, browser: Browser::new() }
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.browser.http.post(self.gateway.url(path))
    }

    pub async fn form(&self, path: &str, body: &'static str) -> Page {
        let request = self.post(path).header("Content-Type", "application/x-www-form-urlencoded");
        self.browser.send(request.body(body)).await
    }

    pub async fn basic(&self, path: &str, pair: &str, fields: &[(&str, &str)]) -> Page {
        let request = self.post(path).header("Authorization", format!("Basic {}", STANDARD.encode(pair)));
        self.browser.send(request.form(fields)).await
    }
}

/// The secret of a confidential client.
pub fn secret(client: &Client) -> &str {
    client.secret.as_deref().unwrap()
}

/// A grant that needs nothing else.
pub const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");
