//! What an operator relies on: documents from memory, a small process; and what the tests of start, outages, limits,
//! shutdown, telemetry and TLS share.

use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Browser, Client, Database, Gateway, PATIENCE, Page, until};

pub fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.get(name).map(|value| value.to_str().unwrap())
}

/// Asks until the answer has this status.
pub async fn becomes(browser: &Browser, url: &str, status: u16) {
    until(format!("{url} answers {status}"), async || browser.get(url).await.status.as_u16() == status).await;
}

/// A token for the client itself.
pub async fn token(url: &str, client: &Client) -> Page {
    let browser = Browser::new();
    let request = browser.http.post(url).basic_auth(&client.id, client.secret.as_ref());
    browser.send(request.form(&[("grant_type", "client_credentials")])).await
}

pub fn signal(gateway: &Gateway, name: &str) {
    let pid = gateway.pid().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

pub fn dial(db: &Database) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", db.http_port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub fn read_all(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // A reset after the answer is as good as an end.
    let _ = stream.read_to_string(&mut text);
    text
}

#[tokio::test]
async fn documents_are_answered_from_memory_and_by_etag() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    for path in ["/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let page = browser.get(gateway.url(path)).await;
        assert_eq!(page.status, 200);
        let etag = header(&page, "etag").unwrap();
        let again = browser
            .send(browser.http.get(gateway.url(path)).header("if-none-match", format!("\"other\", W/{etag}")))
            .await;
        assert_eq!((again.status.as_u16(), again.body.as_str(), header(&again, "etag")), (304, "", Some(etag)));
        let other = browser.send(browser.http.get(gateway.url(path)).header("if-none-match", "\"other\"")).await;
        assert_eq!((other.status.as_u16(), other.body), (200, page.body));
    }
}

#[tokio::test]
async fn it_is_small_and_ready_at_once() {
    let db = Database::new().await;
    let mut quickest = Duration::MAX;
    for _ in 0..2 {
        let started = Instant::now();
        let gateway = Gateway::start(&db).await;
        becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
        quickest = quickest.min(started.elapsed());
    }
    // 80 ms on an idle machine; the bound only catches a start that waits for something.
    assert!(quickest < Duration::from_secs(5), "{quickest:?}");
    let gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let resident = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = resident.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib <= 40 * 1024, "{kib} KiB");
}
