//! What an operator relies on: the gateway starts only where it fits, survives its database, its clients and its own
//! restarts, and writes no secret anywhere.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Browser, Client, Cluster, Database, Gateway, Login, Page, free_port, service_client};

fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.get(name).map(|value| value.to_str().unwrap())
}

/// The gateway must end with an error; returns its log.
async fn refusal(db: &Database, environment: &[(&str, &str)]) -> String {
    let mut gateway = Gateway::spawn(db, environment);
    assert!(!gateway.wait().await.success());
    gateway.log_text()
}

/// Asks until the answer has this status.
async fn becomes(browser: &Browser, url: &str, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while browser.get(url).await.status.as_u16() != status {
        assert!(Instant::now() < deadline, "{url} does not become {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A token for the client itself.
async fn token(url: &str, client: &Client) -> Page {
    let browser = Browser::new();
    let request = browser.http.post(url).basic_auth(&client.id, client.secret.as_ref());
    browser.send(request.form(&[("grant_type", "client_credentials")])).await
}

fn signal(gateway: &Gateway, name: &str) {
    let pid = gateway.pid().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

fn dial(db: &Database) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", db.http_port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn read_all(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // A reset after the answer is as good as an end.
    let _ = stream.read_to_string(&mut text);
    text
}

#[tokio::test]
async fn a_role_that_can_do_more_than_it_needs_is_refused() {
    let db = Database::new().await;
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &db.url(Login::Superuser))]).await;
    assert!(log.contains("role postgres can do more than serve needs: it is a superuser"), "{log}");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &db.url(Login::Migrate))]).await;
    assert!(log.contains("it is a member of identity_owner"), "{log}");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &db.url(Login::Admin))]).await;
    assert!(log.contains("it is a member of identity_admin"), "{log}");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &db.url(Login::App))]).await;
    assert!(log.contains("it is a member of identity_app"), "{log}");
}

#[tokio::test]
async fn a_role_with_a_privilege_on_one_table_is_refused() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute("grant usage on schema identity_store to gateway_login; grant select (phc) on identity_store.passwords to gateway_login")
        .await
        .unwrap();
    let log = refusal(&db, &[]).await;
    assert!(log.contains("it has privileges on identity_store.passwords"), "{log}");
}

#[tokio::test]
async fn a_role_without_the_protocol_functions_is_told_what_to_grant() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute("do $$ begin create role stranger login; exception when duplicate_object then null; end $$")
        .await
        .unwrap();
    let url = db.url(Login::Gateway).replace("gateway_login", "stranger");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &url)]).await;
    assert!(log.contains("role stranger is not a member of identity_gateway"), "{log}");
    assert!(log.contains("grant identity_gateway to stranger"), "{log}");
}

#[tokio::test]
async fn another_issuer_than_the_database_s_is_refused() {
    let db = Database::new().await;
    let log = refusal(&db, &[("GATEWAY_ISSUER", "https://id.example.com")]).await;
    let expected = format!("issuer is https://id.example.com, but the database's is {}", db.issuer);
    assert!(log.contains(&expected), "{log}");
}

#[tokio::test]
async fn an_issuer_that_is_no_issuer_is_refused() {
    let db = Database::new().await;
    for (issuer, reason) in [
        ("http://id.example.com", "http is for loopback hosts only"),
        ("https://id.example.com/", "must not end with a slash"),
        ("https://ID.example.com", "is not in normal form, which is https://id.example.com"),
        ("https://id.example.com?x=1", "must not have a query or fragment"),
        ("id.example.com", "is not a URL"),
        ("", "is not a URL"),
    ] {
        let log = refusal(&db, &[("GATEWAY_ISSUER", issuer)]).await;
        assert!(log.contains("--issuer") && log.contains(reason), "{issuer}: {log}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_match_is_refused_with_the_function_that_is_missing() {
    let db = Database::new().await;
    let owner = db.superuser().await;
    owner.batch_execute("drop function identity.userinfo_read(text)").await.unwrap();
    let log = refusal(&db, &[]).await;
    assert!(log.contains("the store does not match this gateway: identity.userinfo_read"), "{log}");
    assert!(log.contains("run: gateway migrate"), "{log}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_database_are_told_and_not_retried() {
    let db = Database::new().await;
    let url = db.url(Login::Gateway).replace(&db.name, "nowhere");
    let log = refusal(&db, &[("GATEWAY_DATABASE_URL", &url)]).await;
    assert!(log.contains("database \"nowhere\" does not exist (SQLSTATE 3D000)"), "{log}");
}

#[tokio::test]
async fn a_gateway_without_its_database_answers_503_until_it_is_there() {
    let cluster = Cluster::start();
    let db = Database::on(cluster).await;
    cluster.control("stop");
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    assert_eq!(browser.get(gateway.url("/healthz")).await.json(), json!({ "status": "ok" }));
    let page = browser.get(gateway.url("/readyz")).await;
    assert_eq!((page.status.as_u16(), page.json()), (503, json!({ "status": "unavailable" })));
    let page = browser
        .post(
            gateway.url("/token"),
            &[("grant_type", "client_credentials"), ("client_id", "a"), ("client_secret", "b")],
        )
        .await;
    assert_eq!((page.status.as_u16(), page.json()["error"].clone()), (503, json!("temporarily_unavailable")));
    assert!(header(&page, "retry-after").is_some());
    cluster.control("start");
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    assert!(gateway.log_text().contains("the database cannot be reached"), "{}", gateway.log_text());

    // And again while it runs: what needs no database goes on, what needs it comes back by itself.
    cluster.control("stop");
    becomes(&browser, &gateway.url("/readyz"), 503).await;
    cluster.control("start");
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    let client = service_client(&db).await;
    assert_eq!(token(&gateway.url("/token"), &client).await.status, 200);
}

#[tokio::test]
async fn a_killed_connection_harms_no_reader() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let superuser = db.superuser().await;
    let readers: Vec<_> = (0..50)
        .map(|_| {
            let url = gateway.url("/readyz");
            tokio::spawn(async move {
                let browser = Browser::new();
                for _ in 0..20 {
                    assert_eq!(browser.get(&url).await.status, 200);
                }
            })
        })
        .collect();
    // One of them after the other, in the middle of 1,000 requests.
    for _ in 0..5 {
        superuser
            .execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'gateway_login' and datname = $1 limit 1", &[&db.name])
            .await
            .unwrap();
        becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_function_that_was_replaced_is_prepared_again() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    // As a restore or a dropped and recreated store would: another oid.
    db.superuser()
        .await
        .batch_execute(
            "begin;
             do $$ declare definition text := pg_get_functiondef('identity.readiness()'::regprocedure); begin
               drop function identity.readiness();
               execute definition;
             end $$;
             alter function identity.readiness() owner to identity_owner;
             revoke all on function identity.readiness() from public;
             grant execute on function identity.readiness() to identity_gateway;
             commit",
        )
        .await
        .unwrap();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    for _ in 0..10 {
        assert_eq!(browser.get(gateway.url("/readyz")).await.status, 200);
    }
}

#[tokio::test]
async fn overload_is_503_with_retry_after_and_never_invalid_client() {
    let db = Database::new().await;
    let client = service_client(&db).await;
    let gateway = Gateway::start_with(
        &db,
        &[("GATEWAY_DATABASE_WRITERS", "1"), ("GATEWAY_DATABASE_QUEUE", "1"), ("GATEWAY_DATABASE_WAIT", "500")],
    )
    .await;
    let lock = db.superuser().await;
    lock.batch_execute("begin; lock table identity_store.clients in access exclusive mode").await.unwrap();
    let requests: Vec<_> = (0..8)
        .map(|_| {
            let (url, client) = (gateway.url("/token"), client.clone());
            tokio::spawn(async move { token(&url, &client).await })
        })
        .collect();
    for request in requests {
        let page = request.await.unwrap();
        assert_eq!(
            (page.status.as_u16(), page.json()["error"].clone()),
            (503, json!("temporarily_unavailable")),
            "{}",
            page.body
        );
        assert!(header(&page, "retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    }
    lock.batch_execute("rollback").await.unwrap();
    assert_eq!(token(&gateway.url("/token"), &client).await.status, 200);
}

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
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", db.http_port)).is_ok() {
        assert!(Instant::now() < deadline, "the gateway still listens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
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
    assert!(started.elapsed() < Duration::from_secs(5));
}

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

#[tokio::test]
async fn with_a_certificate_it_speaks_tls() {
    let db = Database::new().await;
    let issuer = format!("https://localhost:{}", db.http_port);
    db.superuser().await.execute("select identity.configure($1)", &[&issuer]).await.unwrap();
    let (certificate, key) = certificate(&db);
    let environment = [
        ("GATEWAY_ISSUER", issuer.as_str()),
        ("GATEWAY_TLS_CERTIFICATE_FILE", &certificate),
        ("GATEWAY_TLS_KEY_FILE", &key),
    ];
    let gateway = Gateway::start_with(&db, &environment).await;
    let root = reqwest::Certificate::from_pem(&std::fs::read(&certificate).unwrap()).unwrap();
    let http = reqwest::Client::builder().add_root_certificate(root).no_proxy().build().unwrap();
    let response = http.get(format!("{issuer}/.well-known/openid-configuration")).send().await.unwrap();
    assert_eq!(response.status(), 200, "{}", gateway.log_text());
    assert!(response.headers().contains_key("strict-transport-security"));
    let metadata: Value = response.json().await.unwrap();
    assert_eq!(metadata["issuer"], json!(issuer));
}

#[tokio::test]
async fn behind_a_proxy_plain_http_is_sent_to_https() {
    let db = Database::new().await;
    db.superuser().await.execute("select identity.configure('https://id.example.com')", &[]).await.unwrap();
    let environment = [("GATEWAY_ISSUER", "https://id.example.com"), ("GATEWAY_TRUSTED_PROXIES", "127.0.0.1/32")];
    let gateway = Gateway::start_with(&db, &environment).await;
    let browser = Browser::new();
    let url = format!("http://127.0.0.1:{}", db.http_port);
    becomes(&browser, &format!("{url}/readyz"), 200).await;
    let page = browser.send(browser.http.get(format!("{url}/login?x=1")).header("x-forwarded-proto", "http")).await;
    assert_eq!((page.status.as_u16(), header(&page, "location")), (308, Some("https://id.example.com/login?x=1")));
    let page = browser.send(browser.http.post(format!("{url}/token")).header("x-forwarded-proto", "http")).await;
    assert_eq!((page.status.as_u16(), page.json()["error"].clone()), (400, json!("invalid_request")));
    let page = browser.send(browser.http.get(format!("{url}/jwks.json")).header("x-forwarded-proto", "https")).await;
    assert_eq!(page.status, 200, "{}", gateway.log_text());
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
    let started = Instant::now();
    let gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    // 80 ms on an idle machine; the bound only catches a start that waits for something.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let resident = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = resident.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib <= 40 * 1024, "{kib} KiB");
}

/// A self-signed certificate for localhost: paths of certificate and key.
fn certificate(db: &Database) -> (String, String) {
    let folder = crate::support::checkout().join("target/test-logs");
    std::fs::create_dir_all(&folder).unwrap();
    let path = |kind: &str| folder.join(format!("localhost-{}.{kind}", db.http_port)).to_str().unwrap().to_owned();
    let (certificate, key) = (path("crt"), path("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}
