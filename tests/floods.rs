//! Clients that flood: resets, heads and streams without end, connections without requests.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::operations::becomes;
use crate::overload::high_water;
use crate::support::frames::{CONTINUATION, END_HEADERS, Frame, GOAWAY, HEADERS, Http2, RST_STREAM, head, literal};
use crate::support::{Browser, Database, Gateway};

#[tokio::test]
async fn requests_that_are_reset_at_once_end_their_connection() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let block = head("POST", "/token");
    // CVE-2023-44487, before the request is looked at and after.
    for looked_at in [false, true] {
        let mut connection = Http2::open(db.http_port, &[]);
        let mut resets = 0;
        while connection.send(HEADERS, END_HEADERS, 2 * resets + 1, &block)
            && (!looked_at || connection.ping())
            && connection.send(RST_STREAM, 0, 2 * resets + 1, &8_u32.to_be_bytes())
            && (resets % 50 > 0 || !connection.closed())
        {
            resets += 1;
            assert!(resets < 10_000, "the connection is still open");
        }
    }
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
}

#[tokio::test]
async fn heads_and_streams_without_end_are_cut_short() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let before = high_water(&gateway);
    // A head that goes on in CONTINUATION frames for ever (CVE-2024-27316).
    let mut connection = Http2::open(db.http_port, &[]);
    let mut more = Vec::new();
    while more.len() < 16_000 {
        literal(&mut more, "x-more", &"x".repeat(100));
    }
    assert!(connection.send(HEADERS, 0, 1, &head("GET", "/healthz")));
    let mut frames = 0;
    while connection.send(CONTINUATION, 0, 1, &more) && !connection.closed() {
        frames += 1;
        assert!(frames < 10_000, "160 MB of headers, and the connection is still open");
    }
    // More streams than were agreed on: the others are refused, the connection stays.
    let mut connection = Http2::open(db.http_port, &[]);
    let block = head("POST", "/token");
    for stream in 0..300 {
        assert!(connection.send(HEADERS, END_HEADERS, 2 * stream + 1, &block));
    }
    // RFC 9113 §7: REFUSED_STREAM.
    let refused = |frame: &Frame| frame.kind == RST_STREAM && frame.payload == [0, 0, 0, 7];
    assert!(connection.until(|frame| refused(frame) || frame.kind == GOAWAY).is_some_and(|frame| refused(&frame)));
    assert!(connection.ping());
    let grown = high_water(&gateway).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
}

#[tokio::test]
async fn a_thousand_held_connections_cost_little_and_delay_nobody() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    let before = high_water(&gateway);
    let mut held = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(("127.0.0.1", db.http_port)).await.unwrap();
        let sent = [
            "GET /healthz HTTP/1.1\r\nX-Slow:",
            "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n",
        ][number % 2];
        stream.write_all(sent.as_bytes()).await.unwrap();
        held.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(browser.get(gateway.url("/readyz")).await.status, 200);
    }
    let each = high_water(&gateway).saturating_sub(before) / 1000;
    assert!(each <= 48, "{each} KiB each");
}
