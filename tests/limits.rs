//! Clients that ask for too much, from too many connections, or at too great a length.

use std::process::{Command, Stdio};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::operations::{becomes, header};
use crate::support::{Browser, Database, Gateway, until};

#[tokio::test]
async fn a_source_that_asks_for_too_much_waits_and_others_do_not() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(
        &db,
        &[
            ("GATEWAY_LIMIT_PER_SECOND", "1"),
            ("GATEWAY_LIMIT_BURST", "5"),
            ("GATEWAY_TRUSTED_PROXIES", "127.0.0.0/8,::1/128"),
        ],
    )
    .await;
    let browser = Browser::new();
    let from = |source: &str| browser.http.get(gateway.url("/healthz")).header("x-forwarded-for", source.to_owned());
    let mut refused = None;
    for _ in 0..20 {
        let page = browser.send(from("198.51.100.7")).await;
        if page.status != 200 {
            refused = Some(page);
        }
    }
    let page = refused.expect("twenty requests at once are more than five");
    assert_eq!((page.status.as_u16(), page.json()["error"].clone()), (429, json!("temporarily_unavailable")));
    assert!(header(&page, "retry-after").is_some_and(|seconds| (1..=2).contains(&seconds.parse::<u32>().unwrap())));
    assert_eq!(browser.send(from("198.51.100.8")).await.status, 200);
    // Refused requests leave one line, not one each.
    assert_eq!(gateway.log_text().matches("over their limit").count(), 1, "{}", gateway.log_text());
    assert!(!gateway.log_text().contains("status=429"));
}

#[tokio::test]
async fn a_stranger_s_forwarded_header_is_not_believed() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_LIMIT_PER_SECOND", "1"), ("GATEWAY_LIMIT_BURST", "3")]).await;
    let browser = Browser::new();
    let mut statuses = Vec::new();
    for source in 0..20 {
        let request =
            browser.http.get(gateway.url("/healthz")).header("x-forwarded-for", format!("198.51.100.{source}"));
        statuses.push(browser.send(request).await.status.as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn a_client_behind_a_proxy_names_no_other_source_in_a_header_that_the_proxy_does_not_write() {
    let db = Database::new().await;
    for (setting, written, other) in
        [(None, "x-forwarded-for", "forwarded"), (Some("forwarded"), "forwarded", "x-forwarded-for")]
    {
        let mut environment = vec![
            ("GATEWAY_LIMIT_PER_SECOND", "1"),
            ("GATEWAY_LIMIT_BURST", "3"),
            ("GATEWAY_TRUSTED_PROXIES", "127.0.0.0/8,::1/128"),
        ];
        environment.extend(setting.map(|header| ("GATEWAY_TRUSTED_PROXY_HEADER", header)));
        let gateway = Gateway::start_with(&db, &environment).await;
        let browser = Browser::new();
        let value = |header: &str, host: u32| match header {
            "forwarded" => format!("for=198.51.100.{host}"),
            _ => format!("198.51.100.{host}"),
        };
        let mut statuses = Vec::new();
        for host in 0..20 {
            let asked = browser.http.get(gateway.url("/healthz"));
            let asked = asked.header(written, value(written, 100)).header(other, value(other, host));
            statuses.push(browser.send(asked).await.status.as_u16());
        }
        assert!(statuses.contains(&429), "{written}: {statuses:?}");
        let asked = browser.http.get(gateway.url("/healthz")).header(written, value(written, 101));
        assert_eq!(browser.send(asked).await.status, 200, "{written}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_CONNECTIONS", "20")]).await;
    let browser = Browser::new();
    let page = browser.post(gateway.url("/token"), &[("grant_type", "x".repeat(70_000).as_str())]).await;
    assert_eq!((page.status.as_u16(), page.json()["error"].clone()), (413, json!("invalid_request")));
    let page = browser.get(gateway.url(&format!("/authorize?state={}", "x".repeat(40_000)))).await;
    assert!(matches!(page.status.as_u16(), 414 | 431), "{}", page.status);
}

/// Opens so many connections from this address, and says how many of them were kept.
async fn kept(db: &Database, source: [u8; 4], count: usize) -> (usize, Vec<TcpStream>) {
    let mut streams = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        streams.push(socket.connect(([127, 0, 0, 1], db.http_port).into()).await.unwrap());
    }
    // Each asks, and those that are kept are answered.
    let mut kept = Vec::new();
    for mut stream in streams {
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut answer = [0; 12];
        if stream.write_all(request).await.is_ok() && stream.read_exact(&mut answer).await.is_ok() {
            assert_eq!(&answer, b"HTTP/1.1 200");
            kept.push(stream);
        }
    }
    (kept.len(), kept)
}

#[tokio::test]
async fn the_connection_that_is_one_too_many_is_closed_until_there_is_room_again() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_CONNECTIONS", "20")]).await;
    let (count, held) = kept(&db, [127, 0, 0, 1], 40).await;
    // The one that waited for the listener may not be gone yet.
    assert!((19..=20).contains(&count), "{count}");
    drop(held);
    becomes(&Browser::new(), &gateway.url("/healthz"), 200).await;
}

#[tokio::test]
async fn one_source_cannot_take_the_connections_of_all() {
    let db = Database::new().await;
    let environment = [("GATEWAY_CONNECTIONS", "30"), ("GATEWAY_CONNECTIONS_PER_SOURCE", "10")];
    let gateway = Gateway::start_with(&db, &environment).await;
    let (first, held) = kept(&db, [127, 0, 0, 2], 40).await;
    let (second, _others) = kept(&db, [127, 0, 0, 3], 40).await;
    assert_eq!((first, second), (10, 10));
    // Refused connections leave one line, not one each.
    assert_eq!(gateway.log_text().matches("connections are refused").count(), 1, "{}", gateway.log_text());
    drop(held);
    until("a source that has left gets a connection", async || kept(&db, [127, 0, 0, 2], 1).await.0 > 0).await;
}

#[tokio::test]
async fn a_trusted_proxy_brings_the_connections_of_everybody() {
    let db = Database::new().await;
    let environment = [("GATEWAY_CONNECTIONS_PER_SOURCE", "10"), ("GATEWAY_TRUSTED_PROXIES", "127.0.0.2/32")];
    let _gateway = Gateway::start_with(&db, &environment).await;
    assert_eq!(kept(&db, [127, 0, 0, 2], 40).await.0, 40);
}

#[tokio::test]
async fn idle_connections_make_room_when_places_are_scarce() {
    let db = Database::new().await;
    let environment = [("GATEWAY_CONNECTIONS", "20"), ("GATEWAY_HEADER_TIMEOUT", "1"), ("GATEWAY_IDLE_TIMEOUT", "600")];
    let _gateway = Gateway::start_with(&db, &environment).await;
    let (count, _held) = kept(&db, [127, 0, 0, 1], 20).await;
    assert!((19..=20).contains(&count), "{count}");
    until("an idle one makes room", async || kept(&db, [127, 0, 0, 1], 1).await.0 > 0).await;
}

/// `gateway serve` with these limits of open files (`prlimit --nofile`).
fn with_files(db: &Database, limits: &str) -> std::process::Child {
    let serve = Gateway::command("serve", db, &[("GATEWAY_CONNECTIONS", "2000")]);
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--nofile={limits}")).arg(serve.get_program()).args(serve.get_args());
    limited.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test]
async fn a_process_takes_as_many_files_as_its_connections_need() {
    let db = Database::new().await;
    let mut gateway = with_files(&db, "512:5000");
    becomes_listening(&db).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.id())).unwrap();
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some("5000"), "{files}");

    let mut gateway = with_files(&db, "512:512");
    becomes_listening(&db).await;
    gateway.kill().unwrap();
    let log = gateway.wait_with_output().unwrap().stderr;
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("http.connections is more than this process may open"), "{log}");
}

async fn becomes_listening(db: &Database) {
    until("it listens", async || TcpStream::connect(("127.0.0.1", db.http_port)).await.is_ok()).await;
}
