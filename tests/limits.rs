//! Clients that ask for too much, too slowly, or at too great a length.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::operations::{becomes, dial, header, read_all};
use crate::support::{Browser, Database, Gateway};

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
    for _ in 0..10 {
        let page = browser.send(from("198.51.100.7")).await;
        if page.status != 200 {
            refused = Some(page);
        }
    }
    let page = refused.expect("ten requests at once are more than five");
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
    for source in 0..6 {
        let request =
            browser.http.get(gateway.url("/healthz")).header("x-forwarded-for", format!("198.51.100.{source}"));
        statuses.push(browser.send(request).await.status.as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn clients_that_are_slow_on_purpose_are_cut_off() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_HEADER_TIMEOUT", "1"), ("GATEWAY_REQUEST_TIMEOUT", "2")]).await;
    let streams: Vec<_> = [
        "",
        "PRI * HT",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ]
    .iter()
    .map(|sent| {
        let mut stream = dial(&db);
        stream.write_all(sent.as_bytes()).unwrap();
        stream
    })
    .collect();
    let mut body = dial(&db);
    body.write_all(b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant")
        .unwrap();
    let started = Instant::now();
    let answers: Vec<_> =
        tokio::task::spawn_blocking(move || streams.into_iter().map(read_all).collect()).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    let statuses: Vec<_> = answers.iter().map(|answer: &String| answer.lines().next().unwrap_or_default()).collect();
    assert_eq!(statuses, ["", "", "", "HTTP/1.1 200 OK"]);
    let mut head = [0; 12];
    body.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 503");
    assert_eq!(Browser::new().get(gateway.url("/healthz")).await.status, 200);
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
    // The connection that is one too many is closed; the next one, when there is room again, is not.
    let held: Vec<_> = (0..40).map(|_| dial(&db)).collect();
    let closed = held.into_iter().map(|stream| {
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut stream = stream;
        matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)) && stream.peek(&mut [0; 1]).is_ok_and(|read| read == 0)
    });
    assert!(closed.filter(|closed| *closed).count() >= 20);
    becomes(&Browser::new(), &gateway.url("/healthz"), 200).await;
}
