//! sector_identifier_uri (OpenID Connect Registration 1.0 §5): its document lists all redirect URIs, or there is no registration.

use std::net::TcpStream;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::{configure, registered, replace, text};
use crate::authorize::{Answer, Sql, call};
use crate::bad_input::digest;
use crate::jwt::merged;
use crate::support::{Browser, Database, Gateway, checkout, free_port, until};
use crate::tls::certificate_at;

const SECTOR: &str = "https://sector.example/uris.json";

fn of_two_hosts() -> Value {
    json!({
        "redirect_uris": ["https://a.example/cb", "https://b.example/cb"], "subject_type": "pairwise", "sector_identifier_uri": SECTOR
    })
}

async fn register(sql: &Sql, metadata: &Value, documents: &Value) -> Answer {
    let documents = (!documents.is_null()).then_some(documents);
    call(sql, "registration_create", &[metadata, &None::<&str>, &"192.0.2.1", &documents]).await
}

fn needed() -> Answer {
    ("need".into(), json!({ "kind": "sector_identifier", "url": SECTOR }))
}

fn wrong(what: &str) -> Answer {
    super::refused("invalid_client_metadata", &format!("sector_identifier_uri: the document there {what}"))
}

#[tokio::test]
async fn the_document_is_asked_for_and_looked_at_before_anything_is_written() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let before = digest(&superuser).await;
    for documents in [json!(null), json!({}), json!({ "https://other.example/": "[]" })] {
        assert_eq!(register(&sql, &of_two_hosts(), &documents).await, needed(), "{documents}");
    }
    let (cannot, no_list, incomplete) =
        ("cannot be fetched", "is no JSON array of strings", "does not list all redirect_uris");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (document, what) in [
        (json!(null), cannot),
        (json!(""), no_list),
        (json!("<html>"), no_list),
        (json!("{}"), no_list),
        (json!("null"), no_list),
        (json!("\"https://a.example/cb\""), no_list),
        (json!("[\"https://a.example/cb\", 1]"), no_list),
        (json!("[[\"https://a.example/cb\", \"https://b.example/cb\"]]"), no_list),
        (json!("[\"\\u0000\"]"), no_list),
        (json!("[\"\\ud800\"]"), no_list),
        (json!("[1e999999]"), no_list),
        (json!(deep), no_list),
        (json!("[]"), incomplete),
        (json!("[\"https://a.example/cb\"]"), incomplete),
        (json!("[\"https://a.example/cb\", \"https://b.example/cb/\"]"), incomplete),
        (json!("[\"https://a.example/cb\", \"https://B.example/cb\"]"), incomplete),
    ] {
        assert_eq!(register(&sql, &of_two_hosts(), &json!({ SECTOR: document })).await, wrong(what), "{document:.80}");
    }
    assert_eq!(digest(&superuser).await, before);
    // What is wrong anyway is not fetched for.
    let none = json!(null);
    let bad = merged(of_two_hosts(), json!({ "sector_identifier_uri": "http://127.0.0.1/uris" }));
    assert_eq!(register(&sql, &bad, &none).await.0, "invalid_client_metadata");
    for (policy, outcome) in [("'closed'", "access_denied"), ("'token'", "invalid_token"), ("'open'", "need")] {
        configure(&db, policy).await;
        assert_eq!(register(&sql, &of_two_hosts(), &none).await.0, outcome);
    }
    let listed = json!({ SECTOR: "[\"https://c.example/\", \"https://b.example/cb\", \"https://a.example/cb\"]" });
    let (outcome, answer) = register(&sql, &of_two_hosts(), &listed).await;
    assert_eq!(outcome, "registered", "{answer}");
    assert_eq!((&answer["sector_identifier_uri"], &answer["subject_type"]), (&json!(SECTOR), &json!("pairwise")));
}

#[tokio::test]
async fn nothing_is_fetched_for_a_source_that_is_over_its_quota() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 1").await;
    let sql = db.gateway_role().await;
    registered(&sql, &super::confidential()).await;
    assert_eq!(register(&sql, &of_two_hosts(), &json!(null)).await.0, "slow_down");
}

#[tokio::test]
async fn a_change_of_redirect_uris_is_listed_as_well() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let listed = json!({ SECTOR: "[\"https://a.example/cb\", \"https://b.example/cb\"]" });
    let (_, answer) = register(&sql, &of_two_hosts(), &listed).await;
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    let before = digest(&superuser).await;
    let next = merged(of_two_hosts(), json!({ "client_id": id, "redirect_uris": ["https://c.example/cb"] }));
    assert_eq!(replace(&sql, id, token, &next).await, needed());
    let update = async |documents: &Value| call(&sql, "registration_update", &[&id, &token, &next, documents]).await;
    assert_eq!(update(&listed).await, wrong("does not list all redirect_uris"));
    assert_eq!(digest(&superuser).await, before);
    let (outcome, changed) = update(&json!({ SECTOR: "[\"https://c.example/cb\"]" })).await;
    assert_eq!((outcome.as_str(), &changed["redirect_uris"]), ("ok", &json!(["https://c.example/cb"])));
}

/// The server of a sector: documents by their names, over TLS. Ends with the test.
pub struct Sector {
    /// The authority of its certificate: a file.
    pub certificate: String,
    port: u16,
    _process: Child,
}

impl Sector {
    pub async fn start(documents: &[(&str, &str)]) -> Sector {
        let port = free_port();
        let (certificate, key) = certificate_at(port, "sector");
        let folder = checkout().join(format!("target/test-logs/sector-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, document) in documents {
            std::fs::write(folder.join(name), document).unwrap();
        }
        let listen = format!("127.0.0.1:{port}");
        let process = Command::new("openssl")
            .args(["s_server", "-quiet", "-WWW", "-accept", &listen, "-cert", &certificate, "-key", &key])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        until("the server of the sector listens", async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Sector { certificate, port, _process: process }
    }

    /// The address of a document.
    pub fn url(&self, name: &str) -> String {
        format!("https://localhost:{}/{name}", self.port)
    }
}

/// The gateway fetches it, outside of any transaction, and makes the same call again.
#[tokio::test]
async fn the_gateway_fetches_the_document_and_registers() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let sector = Sector::start(&[
        ("good", r#"["https://a.example/cb", "https://b.example/cb"]"#),
        ("bad", r#"["https://a.example/cb"]"#),
        ("large", &format!("[{}\"https://a.example/cb\", \"https://b.example/cb\"]", " ".repeat(70_000))),
    ])
    .await;
    let fetch = [("GATEWAY_FETCH_ALLOW", "localhost"), ("GATEWAY_FETCH_CA_FILE", sector.certificate.as_str())];
    let (gateway, browser) = (Gateway::start_with(&db, &fetch).await, Browser::new());
    let register = async |path: &str| {
        let metadata = merged(of_two_hosts(), json!({ "sector_identifier_uri": sector.url(path) }));
        browser.send(browser.http.post(gateway.url("/register")).json(&metadata)).await
    };
    let page = register("good").await;
    assert_eq!((page.status.as_u16(), &page.json()["subject_type"]), (201, &json!("pairwise")), "{}", page.body);
    for (path, what) in [
        ("bad", "does not list all redirect_uris"),
        ("large", "cannot be fetched"),
        ("none", "is no JSON array of strings"),
    ] {
        // Of what is not there this server says so with status 200.
        let description = format!("sector_identifier_uri: the document there {what}");
        let body = json!({ "error": "invalid_client_metadata", "error_description": description });
        crate::http::assert_answer(&register(path).await, 400, &body);
    }
    // A change is fetched for as well.
    let answer = page.json();
    let mut next = merged(of_two_hosts(), json!({ "client_id": answer["client_id"], "client_name": "B" }));
    next["sector_identifier_uri"] = answer["sector_identifier_uri"].clone();
    let uri = text(&answer, "registration_client_uri");
    let change = browser.http.put(uri).bearer_auth(text(&answer, "registration_access_token")).json(&next);
    let changed = browser.send(change).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["client_name"]), (200, &json!("B")), "{}", changed.body);
    assert_eq!(super::count(&db, "identity_store.clients").await, 1);

    // Who has proved nothing has so many looked up, whatever they name.
    let mut strangers = tokio::task::JoinSet::new();
    for number in 0..60 {
        let uri = sector.url(&format!("none-{number}"));
        let metadata = merged(of_two_hosts(), json!({ "sector_identifier_uri": uri }));
        let request = browser.http.post(gateway.url("/register")).json(&metadata);
        strangers.spawn(async move { request.send().await.unwrap().text().await.unwrap() });
    }
    let answers = strangers.join_all().await;
    let refused = answers.iter().filter(|answer| answer.contains("the document there cannot be fetched")).count();
    assert!((20..60).contains(&refused), "{refused}: {answers:?}");
}
