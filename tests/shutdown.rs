//! The gateway ends when it is told to: what runs finishes, and nobody holds it up.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::operations::{becomes, dial, read_all, signal};
use crate::support::{Browser, Database, Gateway, until};

#[tokio::test]
async fn a_running_request_finishes_after_sigterm() {
    let db = Database::new().await;
    let mut gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let body = "grant_type=client_credentials&client_id=a&client_secret=b";
    let mut stream = dial(&db);
    write!(
        stream,
        "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..10]
    )
    .unwrap();
    // The gateway reads from connections in the order in which they speak.
    assert_eq!(Browser::new().get(gateway.url("/healthz")).await.status, 200);
    signal(&gateway, "TERM");
    until("the gateway listens no more", async || TcpStream::connect(("127.0.0.1", db.http_port)).is_err()).await;
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    let answer = read_all(stream);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("invalid_client"), "{answer}");
    assert!(gateway.wait().await.success());
    assert!(gateway.log_text().contains("stopped"));
}

#[tokio::test]
async fn nobody_holds_up_a_shutdown_forever() {
    let db = Database::new().await;
    let mut gateway = Gateway::start_with(&db, &[("GATEWAY_SHUTDOWN_TIMEOUT", "1")]).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let mut stream = dial(&db);
    stream.write_all(b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\n").unwrap();
    assert_eq!(Browser::new().get(gateway.url("/healthz")).await.status, 200);
    let started = Instant::now();
    signal(&gateway, "INT");
    assert!(gateway.wait().await.success());
    // Otherwise twenty seconds.
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
