//! Clients that are slow on purpose: whatever they do slowly ends, and with it the connection. The limits are short here,
//! so that each is seen within seconds.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::operations::{becomes, dial};
use crate::support::frames::{ACK, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Http2, PING, head};
use crate::support::{Browser, Database, Gateway, PATIENCE};
use crate::tls::certificate;

/// Far above every limit here, far below those that hold otherwise.
const SOON: Duration = Duration::from_secs(8);
const PACE: Duration = Duration::from_millis(100);
const GET: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Sends this, then one more byte at a time; returns what is answered until the other side closes, and how long it took.
fn trickle(mut stream: TcpStream, sent: &str, byte: u8) -> (String, Duration) {
    stream.set_read_timeout(Some(PACE)).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    let (started, mut answer, mut bytes) = (Instant::now(), Vec::new(), [0; 4096]);
    while started.elapsed() < PATIENCE {
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => answer.extend(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if byte != 0 && stream.write_all(&[byte]).is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    (String::from_utf8(answer).unwrap(), started.elapsed())
}

#[tokio::test]
async fn a_request_s_head_has_to_arrive_in_time() {
    let db = Database::new().await;
    let _gateway = Gateway::start_with(&db, &[("GATEWAY_HEADER_TIMEOUT", "1")]).await;
    let unfinished = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    for (sent, byte, answers) in [
        ("", 0, 0),
        ("PRI * HT", 0, 0),
        (unfinished, b'x', 0),
        // The second request of a connection is no better.
        (&format!("{GET}{unfinished}"), b'x', 1),
        (GET, b'G', 1),
    ] {
        let (answer, took) = trickle(dial(&db), sent, byte);
        assert!(took < SOON, "{sent:?}: {took:?}");
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), answers, "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn an_idle_connection_stays_for_its_own_time_and_not_longer() {
    let db = Database::new().await;
    let environment = [("GATEWAY_HEADER_TIMEOUT", "1"), ("GATEWAY_IDLE_TIMEOUT", "10")];
    let _gateway = Gateway::start_with(&db, &environment).await;
    let mut stream = dial(&db);
    let mut answer = [0; 15];
    stream.write_all(GET.as_bytes()).unwrap();
    stream.read_exact(&mut answer).unwrap();
    // Longer than a head may take, as somebody who reads the page.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (answer, took) = trickle(stream, GET, 0);
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
    // Otherwise 75 seconds.
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(60), "{took:?}");
}

#[tokio::test]
async fn a_body_has_to_arrive_in_time_and_408_says_so() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_REQUEST_TIMEOUT", "1")]).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    for framing in ["Content-Length: 10000\r\n\r\ngrant_type=", "Transfer-Encoding: chunked\r\n\r\n2000\r\ngrant_type="]
    {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let request = format!("POST /token HTTP/1.1\r\nHost: localhost\r\n{form}{framing}");
        let (answer, took) = trickle(dial(&db), &request, b'x');
        assert!(took < SOON, "{took:?}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{head}");
        for header in ["connection: close", "retry-after: 2", "cache-control: no-store"] {
            assert!(head.lines().any(|line| line == header), "{header} is not in {head}");
        }
        let body: Value = serde_json::from_str(body).expect(body);
        let description = "the request did not arrive in time";
        assert_eq!(body, json!({ "error": "temporarily_unavailable", "error_description": description }));
    }
}

#[tokio::test]
async fn a_response_has_to_be_taken_in_time() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_SEND_TIMEOUT", "1")]).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    // One after the other, and none of the answers is read, or one byte at a time: the network takes a few megabytes of
    // them, and then the gateway is stuck with the next.
    for reads in [0, 1] {
        let mut stream = dial(&db);
        stream.set_write_timeout(Some(PACE)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let requests = "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
        let (started, mut unsent, mut byte) = (Instant::now(), requests.as_bytes(), vec![0; reads]);
        loop {
            assert!(started.elapsed() < Duration::from_secs(30), "the connection is still open");
            match stream.write(unsent) {
                Ok(count) => unsent = &unsent[count..],
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if reads > 0 && stream.read(&mut byte).is_ok_and(|read| read == 0) {
                        break;
                    }
                }
                Err(_) => break,
            }
            if unsent.is_empty() {
                unsent = requests.as_bytes();
            }
        }
    }
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
}

#[tokio::test]
async fn a_tls_handshake_has_to_end_in_time() {
    let db = Database::new().await;
    let issuer = format!("https://localhost:{}", db.http_port);
    db.superuser().await.execute("select identity.configure($1)", &[&issuer]).await.unwrap();
    let (certificate, key) = certificate(&db, "slow");
    let environment = [
        ("GATEWAY_ISSUER", issuer.as_str()),
        ("GATEWAY_HEADER_TIMEOUT", "1"),
        ("GATEWAY_TLS_CERTIFICATE_FILE", &certificate),
        ("GATEWAY_TLS_KEY_FILE", &key),
    ];
    let _gateway = Gateway::start_with(&db, &environment).await;
    // The head of a record that holds a ClientHello, and then a byte of it at a time.
    for (sent, byte) in [("", 0), ("\x16\x03\x01\x01\x40\x01\x00\x01\x3c\x03\x03", b'x')] {
        let (answer, took) = trickle(dial(&db), sent, byte);
        assert!(took < SOON, "{took:?}");
        assert_eq!(answer, "");
    }
}

#[tokio::test]
async fn pings_keep_no_connection_open() {
    let db = Database::new().await;
    let environment = [("GATEWAY_HEADER_TIMEOUT", "2"), ("GATEWAY_IDLE_TIMEOUT", "2")];
    let _gateway = Gateway::start_with(&db, &environment).await;
    for requests in [0, 1] {
        let mut connection = Http2::open(db.http_port, &[]);
        if requests > 0 {
            connection.request(1, "GET", "/healthz", END_STREAM);
            assert!(connection.until(|frame| frame.flags & END_STREAM != 0 && frame.stream == 1).is_some());
        }
        let (started, mut goodbye) = (Instant::now(), false);
        while connection.send(PING, 0, 0, b"whatever") && !connection.closed() {
            assert!(started.elapsed() < SOON, "it is still open");
            while let Some(frame) = connection.frame(PACE) {
                goodbye |= frame.kind == GOAWAY;
                if frame.kind == PING && frame.flags != ACK {
                    connection.send(PING, ACK, 0, &frame.payload);
                }
            }
        }
        while let Some(frame) = connection.frame(Duration::ZERO) {
            goodbye |= frame.kind == GOAWAY;
        }
        // A client that has used the connection learns that nothing of what it sends is begun.
        assert!(goodbye || requests == 0);
    }
}

#[tokio::test]
async fn a_window_that_is_never_opened_keeps_no_response() {
    let db = Database::new().await;
    let environment = [("GATEWAY_SEND_TIMEOUT", "1"), ("GATEWAY_IDLE_TIMEOUT", "60")];
    let gateway = Gateway::start_with(&db, &environment).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    // SETTINGS_INITIAL_WINDOW_SIZE.
    let mut connection = Http2::open(db.http_port, &[(4, 0)]);
    for stream in 0..50 {
        connection.request(2 * stream + 1, "GET", "/.well-known/openid-configuration", END_STREAM);
    }
    assert!(connection.until(|frame| frame.kind == HEADERS).is_some());
    let started = Instant::now();
    while connection.send(PING, 0, 0, b"whatever") && !connection.closed() {
        assert!(started.elapsed() < SOON, "it is still open");
        while connection.frame(PACE).is_some() {}
    }
}

#[tokio::test]
async fn a_body_that_never_comes_costs_its_stream_and_not_the_connection() {
    let db = Database::new().await;
    let _gateway = Gateway::start_with(&db, &[("GATEWAY_REQUEST_TIMEOUT", "1")]).await;
    let mut connection = Http2::open(db.http_port, &[]);
    let block = head("POST", "/token");
    assert!(connection.send(HEADERS, END_HEADERS, 1, &block));
    let response = connection.until(|frame| frame.kind == HEADERS && frame.stream == 1).expect("an answer");
    // "408" in the code of RFC 7541, appendix B.
    assert!(response.payload.windows(3).any(|bytes| bytes == [0x68, 0x0f, 0x7f]), "{:x?}", response.payload);
    assert!(connection.ping());
    connection.request(3, "GET", "/healthz", END_STREAM);
    assert!(connection.until(|frame| frame.stream == 3 && frame.flags & END_STREAM != 0).is_some());
}
