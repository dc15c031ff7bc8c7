//! `/register` and `/register/{client_id}` as a client meets them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{NO_TOKEN, client_of, confidential, configure, initial_access_token, public, text};
use crate::bad_input::digest;
use crate::http::{Bench, assert_answer, assert_error, header};
use crate::jwt::merged;
use crate::support::{Database, Flow, Page, user};

impl Bench {
    async fn json(&self, method: Method, path: &str, token: Option<&str>, body: impl Into<String>) -> Page {
        let mut request =
            self.browser.http.request(method, self.gateway.url(path)).header("Content-Type", "application/json");
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.browser.send(request.body(body.into())).await
    }

    async fn manage(&self, method: Method, path: &str, token: Option<&str>) -> Page {
        let mut request = self.browser.http.request(method, self.gateway.url(path));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.browser.send(request).await
    }
}

#[tokio::test]
async fn a_client_registers_signs_somebody_in_changes_and_deletes_itself() {
    let bench = Bench::new().await;
    configure(&bench.db, "'open'").await;
    let alice = user(&bench.db, "alice").await;
    let document = bench.browser.get(bench.gateway.url("/.well-known/openid-configuration")).await.json();
    assert_eq!(document["registration_endpoint"], json!(bench.gateway.url("/register")));
    let metadata = merged(
        confidential(),
        json!({ "grant_types": ["authorization_code", "refresh_token"], "client_name#fr": "Â" }),
    );
    let created = bench.json(Method::POST, "/register", None, metadata.to_string()).await;
    let answer = created.json();
    assert_answer(&created, 201, &answer);
    assert_eq!(header(&created, "access-control-allow-origin"), Some("*"));
    assert_eq!((&answer["redirect_uris"], &answer["client_name#fr"]), (&metadata["redirect_uris"], &json!("Â")));
    let path = format!("/register/{}", text(&answer, "client_id"));
    assert_eq!(answer["registration_client_uri"], json!(bench.gateway.url(&path)));
    let token = text(&answer, "registration_access_token");

    let app = client_of(&answer);
    let tokens = Flow::new(&bench.gateway, &app).tokens(&alice).await;
    assert!(tokens.body["refresh_token"].is_string());

    let read = bench.manage(Method::GET, &path, Some(token)).await;
    let mut known = answer.clone();
    for member in ["client_secret", "client_secret_expires_at"] {
        known.as_object_mut().unwrap().remove(member);
    }
    assert_answer(&read, 200, &known);
    let mut next = known.clone();
    for member in ["registration_access_token", "registration_client_uri", "client_id_issued_at", "client_name#fr"] {
        next.as_object_mut().unwrap().remove(member);
    }
    let changed = bench.json(Method::PUT, &path, Some(token), next.to_string()).await;
    known.as_object_mut().unwrap().remove("client_name#fr");
    assert_answer(&changed, 200, &known);

    let gone = bench.manage(Method::DELETE, &path, Some(token)).await;
    assert_eq!((gone.status.as_u16(), gone.body.as_str(), header(&gone, "cache-control")), (204, "", Some("no-store")));
    assert_refused_token(&bench, &bench.manage(Method::GET, &path, Some(token)).await);
    assert_eq!(
        bench.basic("/token", &format!("{}:{}", app.id, app.secret.unwrap()), &[("grant_type", "x")]).await.status,
        400
    );
}

fn assert_refused_token(bench: &Bench, page: &Page) {
    assert_answer(page, 401, &json!({ "error": "invalid_token", "error_description": NO_TOKEN }));
    let challenge =
        format!("Bearer realm=\"{}\", error=\"invalid_token\", error_description=\"{NO_TOKEN}\"", bench.gateway.issuer);
    assert_eq!(header(page, "www-authenticate"), Some(challenge.as_str()));
}

#[tokio::test]
async fn whoever_has_no_token_or_a_wrong_one_reads_401_with_a_challenge() {
    let bench = Bench::new().await;
    configure(&bench.db, "'token'").await;
    let initial = initial_access_token(&bench.db, 2).await;
    let bare = format!("Bearer realm=\"{}\"", bench.gateway.issuer);
    let page = bench.json(Method::POST, "/register", None, confidential().to_string()).await;
    assert_answer(
        &page,
        401,
        &json!({ "error": "invalid_token", "error_description": "an initial access token is needed" }),
    );
    assert_eq!(header(&page, "www-authenticate"), Some(bare.as_str()));
    let page = bench.json(Method::POST, "/register", Some("x"), confidential().to_string()).await;
    let said = "the initial access token is not valid";
    assert_answer(&page, 401, &json!({ "error": "invalid_token", "error_description": said }));
    let challenge = format!("{bare}, error=\"invalid_token\", error_description=\"{said}\"");
    assert_eq!(header(&page, "www-authenticate"), Some(challenge.as_str()));

    let answer = bench.json(Method::POST, "/register", Some(&initial), confidential().to_string()).await.json();
    let other = bench.json(Method::POST, "/register", Some(&initial), confidential().to_string()).await.json();
    let superuser = bench.db.superuser().await;
    let before = digest(&superuser).await;
    let own = format!("/register/{}", text(&answer, "client_id"));
    for path in [&own, "/register/nobody", "/register/%00", "/register/%ff%fe", "/register/%F0%9F%98%80"] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let page = bench.json(method.clone(), path, None, "{}").await;
            let body =
                json!({ "error": "invalid_token", "error_description": "a registration access token is needed" });
            assert_answer(&page, 401, &body);
            assert_eq!(header(&page, "www-authenticate"), Some(bare.as_str()));
            for token in ["x", text(&other, "registration_access_token"), text(&answer, "client_secret"), &initial] {
                assert_refused_token(&bench, &bench.json(method.clone(), path, Some(token), "{}").await);
            }
            let twice = bench
                .browser
                .http
                .request(method, bench.gateway.url(path))
                .header("Authorization", "Bearer x")
                .header("Authorization", format!("Bearer {}", text(&answer, "registration_access_token")))
                .header("Content-Type", "application/json");
            assert_error(&bench.browser.send(twice.body("{}")).await, 400, "invalid_request");
        }
    }
    assert_eq!(digest(&superuser).await, before);
    // A path below, and the endpoint itself by another method.
    assert_eq!(bench.manage(Method::GET, &format!("{own}/x"), None).await.status, 404);
    for (method, path, allow) in
        [(Method::GET, "/register", "POST"), (Method::POST, own.as_str(), "GET,HEAD,PUT,DELETE")]
    {
        let page = bench.json(method, path, None, "{}").await;
        assert_error(&page, 405, "invalid_request");
        let allowed: Vec<_> = header(&page, "allow").unwrap().split(',').map(str::to_owned).collect();
        assert!(allow.split(',').all(|method| allowed.contains(&method.to_owned())), "{allowed:?}");
    }
}

#[tokio::test]
async fn while_registration_is_closed_it_is_forbidden_and_not_in_the_metadata() {
    let bench = Bench::new().await;
    let superuser = bench.db.superuser().await;
    let before = digest(&superuser).await;
    let page = bench.json(Method::POST, "/register", None, confidential().to_string()).await;
    let said = "clients cannot register themselves here";
    assert_answer(&page, 403, &json!({ "error": "access_denied", "error_description": said }));
    let document = bench.browser.get(bench.gateway.url("/.well-known/openid-configuration")).await.json();
    assert!(document.get("registration_endpoint").is_none());
    assert_eq!(digest(&superuser).await, before);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_of_a_bounded_size_is_refused() {
    let bench = Bench::new().await;
    configure(&bench.db, "'open'").await;
    let superuser = bench.db.superuser().await;
    let before = digest(&superuser).await;
    let deep = format!("{{\"redirect_uris\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"jwks\":".repeat(5_000), "}".repeat(5_000));
    for (body, error) in [
        (b"".to_vec(), "invalid_request"),
        (b"{".to_vec(), "invalid_request"),
        (b"{} {}".to_vec(), "invalid_request"),
        (b"redirect_uris=https://a.example/cb".to_vec(), "invalid_request"),
        (deep.into_bytes(), "invalid_request"),
        (objects.into_bytes(), "invalid_request"),
        (b"{\"client_name\": \"\xff\xfe\"}".to_vec(), "invalid_request"),
        (b"{\"client_name\": \"a\0b\"}".to_vec(), "invalid_request"),
        (b"{\"client_name\": \"\\ud800\"}".to_vec(), "invalid_request"),
        (b"{\"default_max_age\": 1e999}".to_vec(), "invalid_request"),
        (b"{\"client_name\": \"a\\u0000b\"}".to_vec(), "invalid_client_metadata"),
        (b"{\"a\\u0000\": 1}".to_vec(), "invalid_client_metadata"),
        (b"[]".to_vec(), "invalid_client_metadata"),
        (b"null".to_vec(), "invalid_client_metadata"),
        (b"\"x\"".to_vec(), "invalid_client_metadata"),
        (b"{}".to_vec(), "invalid_redirect_uri"),
    ] {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let request = bench.post("/register").header("Content-Type", "application/json; charset=utf-8").body(body);
        let page = bench.browser.send(request).await;
        assert_eq!(page.json()["error"], json!(error), "{shown:.60}");
        assert_error(&page, 400, error);
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let request = bench.post("/register").header("Content-Type", content_type).body(confidential().to_string());
        assert_error(&bench.browser.send(request).await, 400, "invalid_request");
    }
    let large = merged(confidential(), json!({ "client_name": "x".repeat(65_536) })).to_string();
    assert_error(&bench.json(Method::POST, "/register", None, large).await, 413, "invalid_request");
    assert_eq!(digest(&superuser).await, before);
    // Almost as large, and right.
    let contacts: Vec<String> = (0..32).map(|n| format!("{n}{}", "x".repeat(1900))).collect();
    let page = bench
        .json(Method::POST, "/register", None, merged(confidential(), json!({ "contacts": contacts })).to_string())
        .await;
    assert_eq!((page.status.as_u16(), &page.json()["contacts"]), (201, &json!(contacts)));
}

#[tokio::test]
async fn applications_in_a_browser_may_register_and_manage() {
    let bench = Bench::new().await;
    configure(&bench.db, "'open'").await;
    for (path, method) in
        [("/register", "POST"), ("/register/x", "GET"), ("/register/x", "PUT"), ("/register/x", "DELETE")]
    {
        let request = bench
            .browser
            .http
            .request(Method::OPTIONS, bench.gateway.url(path))
            .header("Origin", "https://app.example");
        let request = request
            .header("Access-Control-Request-Method", method)
            .header("Access-Control-Request-Headers", "authorization,content-type,mcp-protocol-version");
        let page = bench.browser.send(request).await;
        assert_eq!((page.status.as_u16(), header(&page, "access-control-allow-origin")), (200, Some("*")), "{path}");
        assert!(
            header(&page, "access-control-allow-methods").unwrap().split(',').any(|allowed| allowed == method),
            "{method}"
        );
        assert!(header(&page, "access-control-allow-headers").unwrap().contains("content-type"));
    }
}

/// As an MCP client does: metadata, registration without a secret, sign-in with PKCE, and again on the next start.
#[tokio::test]
async fn a_program_on_somebody_s_device_registers_each_time_it_starts_and_is_one_client() {
    let bench = Bench::new().await;
    configure(&bench.db, "'open'").await;
    let alice = user(&bench.db, "alice").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let page = bench.json(Method::POST, "/register", None, public().to_string()).await;
        let answer = page.json();
        assert_answer(&page, 201, &answer);
        assert_eq!(answer["redirect_uris"], public()["redirect_uris"]);
        assert!(
            answer.get("registration_access_token").is_none() && answer.get("registration_client_uri").is_none(),
            "{answer}"
        );
        assert!(answer.get("client_secret").is_none() && answer.get("client_secret_expires_at").is_none(), "{answer}");
        Flow::new(&bench.gateway, &client_of(&answer)).tokens(&alice).await;
        ids.push(text(&answer, "client_id").to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn the_endpoints_lie_below_an_issuer_with_a_path() {
    let mut db = Database::new().await;
    db.issuer = format!("{}/tenant", db.issuer);
    db.superuser().await.execute("select identity.configure($1)", &[&db.issuer]).await.unwrap();
    configure(&db, "'open'").await;
    let gateway = crate::support::Gateway::start(&db).await;
    let bench = Bench { db, gateway, browser: crate::support::Browser::new() };
    let answer: Value = bench.json(Method::POST, "/register", None, confidential().to_string()).await.json();
    let uri = text(&answer, "registration_client_uri");
    assert_eq!(uri, bench.gateway.url(&format!("/register/{}", text(&answer, "client_id"))));
    let request = bench.browser.http.get(uri).bearer_auth(text(&answer, "registration_access_token"));
    assert_eq!(bench.browser.send(request).await.status, 200);
}
