//! Metrics, logs and traces: there for the operator, and without a secret in them.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::operations::{becomes, header, signal};
use crate::support::{Browser, Database, Gateway, free_port};

#[tokio::test]
async fn metrics_are_on_a_listener_of_their_own() {
    let db = Database::new().await;
    let listen = format!("127.0.0.1:{}", free_port());
    let gateway = Gateway::start_with(&db, &[("GATEWAY_METRICS_LISTEN", &listen)]).await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    browser.get(gateway.url("/nowhere/secret-path")).await;
    assert_eq!(browser.get(gateway.url("/metrics")).await.status, 404);
    let page = browser.get(format!("http://{listen}/metrics")).await;
    assert_eq!(page.status, 200);
    for expected in [
        "gateway_requests_total{method=\"GET\",route=\"/readyz\",status=\"200\"}",
        "gateway_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
        "gateway_calls_total{function=\"readiness\",outcome=\"ok\"}",
        "gateway_call_seconds_bucket{function=\"readiness\",le=\"0.1\"}",
        "gateway_database_connections{pool=\"reads\"}",
        "gateway_requests_running 0",
    ] {
        assert!(page.body.contains(expected), "{expected} is not in\n{}", page.body);
    }
    assert!(!page.body.contains("secret-path"));
}

#[tokio::test]
async fn the_log_is_json_when_asked_and_holds_no_secret() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(
        &db,
        &[("GATEWAY_LOG_FORMAT", "json"), ("GATEWAY_LOG_FILTER", "trace,tokio_postgres=trace,hyper=trace")],
    )
    .await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    let page = browser
        .send(
            browser
                .http
                .post(gateway.url("/token?secret-in-query"))
                .basic_auth("some-client", Some("secret-in-header"))
                .header("cookie", "identity_session=secret-in-cookie")
                .form(&[("grant_type", "refresh_token"), ("refresh_token", "secret-in-body")]),
        )
        .await;
    let id = header(&page, "x-request-id").unwrap().to_owned();
    let log = gateway.log_text();
    assert!(!log.contains("secret-in"), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let line = lines.iter().find(|line| line["span"]["id"] == json!(id) && line["message"] == "request").expect(&log);
    assert_eq!(
        (&line["route"], &line["status"], &line["source"]),
        (&json!("/token"), &json!(401), &json!("127.0.0.1"))
    );
}

#[tokio::test]
async fn traces_are_exported_when_configured() {
    let db = Database::new().await;
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", collector.local_addr().unwrap());
    let received = std::thread::spawn(move || {
        let (mut stream, _) = collector.accept().unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&bytes).contains("GET /readyz") {
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let mut gateway = Gateway::start_with(&db, &[("GATEWAY_TELEMETRY_ENDPOINT", &endpoint)]).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    signal(&gateway, "TERM");
    assert!(gateway.wait().await.success());
    let export = received.join().unwrap();
    assert!(export.starts_with("POST /v1/traces HTTP/1.1"), "{export}");
    assert!(export.contains("pg_identity-gateway"), "{export}");
}
