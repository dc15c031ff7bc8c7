//! The token, userinfo, introspection and revocation endpoints over HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{
    Browser, Client, Database, Flow, Gateway, Page, Tokens, client, public_client, service_client, user, web_client,
};

fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.get(name).map(|value| value.to_str().unwrap())
}

/// Every answer of these endpoints: JSON, and kept by nobody (RFC 6749 §5.1).
#[track_caller]
fn assert_answer(page: &Page, status: u16, body: &Value) {
    assert_eq!((page.status.as_u16(), &page.json()), (status, body));
    assert_eq!(header(page, "content-type"), Some("application/json"));
    assert_eq!(header(page, "cache-control"), Some("no-store"));
    assert_eq!(header(page, "pragma"), Some("no-cache"));
    assert_eq!(header(page, "x-content-type-options"), Some("nosniff"));
    assert!(header(page, "set-cookie").is_none());
}

#[track_caller]
fn assert_error(page: &Page, status: u16, error: &str) {
    let body = page.json();
    assert_eq!(
        (page.status.as_u16(), body["error"].as_str()),
        (status, Some(error)),
        "{body}"
    );
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error", "error_description"]);
    assert_answer(page, status, &body);
}

/// A client and a gateway to talk to.
struct Bench {
    db: Database,
    gateway: Gateway,
    browser: Browser,
}

impl Bench {
    async fn new() -> Bench {
        let db = Database::new().await;
        let gateway = Gateway::start(&db).await;
        Bench {
            db,
            gateway,
            browser: Browser::new(),
        }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.browser.http.post(self.gateway.url(path))
    }

    async fn form(&self, path: &str, body: &'static str) -> Page {
        let request = self
            .post(path)
            .header("Content-Type", "application/x-www-form-urlencoded");
        self.browser.send(request.body(body)).await
    }

    async fn basic(&self, path: &str, pair: &str, fields: &[(&str, &str)]) -> Page {
        let request = self
            .post(path)
            .header("Authorization", format!("Basic {}", STANDARD.encode(pair)));
        self.browser.send(request.form(fields)).await
    }
}

fn secret(client: &Client) -> &str {
    client.secret.as_deref().unwrap()
}

const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

// --- The wire ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_token_answer_has_scope_and_type_and_is_kept_by_nobody() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let flow = Flow::new(&bench.gateway, &web_client(&bench.db).await);
    let page = flow.redeem(&flow.code(&alice).await).await;
    let body = page.json();
    assert_answer(&page, 200, &body);
    let mut members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "access_token",
            "expires_in",
            "id_token",
            "refresh_token",
            "scope",
            "token_type"
        ]
    );
    assert_eq!(
        json!({ "token_type": body["token_type"], "expires_in": body["expires_in"], "scope": body["scope"] }),
        json!({ "token_type": "Bearer", "expires_in": 300, "scope": "openid profile email offline_access" })
    );
    assert!(!page.body.contains("null"));

    let issuer = &bench.gateway.issuer;
    let (access, id) = (
        Tokens::claims(body["access_token"].as_str().unwrap()),
        Tokens::claims(body["id_token"].as_str().unwrap()),
    );
    assert_eq!((&access["iss"], &id["iss"]), (&json!(issuer), &json!(issuer)));
    assert_eq!((&access["sub"], &id["sub"]), (&json!(alice.id), &json!(alice.id)));
    assert_eq!(id["nonce"], "n-0S6_WzA2Mj");
}

#[tokio::test]
async fn what_we_mint_reads_the_same_encoded_or_not() {
    let bench = Bench::new().await;
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let web = web_client(&bench.db).await;
    assert!(plain(&web.id) && plain(secret(&web)), "{} {}", web.id, secret(&web));
    let flow = Flow::new(&bench.gateway, &web);
    let code = flow.code(&user(&bench.db, "alice").await).await;
    assert!(plain(&code), "{code}");
    let body = flow.redeem(&code).await.json();
    assert!(plain(body["refresh_token"].as_str().unwrap()), "{body}");
}

#[tokio::test]
async fn only_forms_are_read() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    for path in ["/token", "/introspect", "/revoke"] {
        let json =
            json!({ "grant_type": "client_credentials", "client_id": service.id, "client_secret": service.secret });
        assert_error(
            &bench.browser.send(bench.post(path).json(&json)).await,
            400,
            "invalid_request",
        );
        assert_error(&bench.browser.send(bench.post(path)).await, 400, "invalid_request");
        assert_eq!(bench.browser.get(bench.gateway.url(path)).await.status, 405, "{path}");
    }
    // Parameters in the URL do not count.
    let request = bench.post(&format!(
        "/token?grant_type=client_credentials&client_id={}",
        service.id
    ));
    let page = bench
        .browser
        .send(request.form(&[("client_secret", secret(&service))]))
        .await;
    assert_error(&page, 400, "invalid_request");
    // A charset is no other type.
    let request = bench
        .post("/token")
        .header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8");
    let request = request
        .body("grant_type=client_credentials")
        .basic_auth(&service.id, service.secret.as_deref());
    assert_eq!(bench.browser.send(request).await.status, 200);
}

#[tokio::test]
async fn a_malformed_body_is_an_invalid_request() {
    let bench = Bench::new().await;
    for body in [
        "grant_type=client_credentials&client_id=a&client_id=a",
        "grant_type=client_credentials&grant_type=client_credentials&client_id=a",
        "grant_type=client_credentials&client_id=%ff",
        "grant_type=client_credentials&client_id=a%00",
        "grant_type=client_credentials&client_id=%4",
        "grant_type=client_credentials&scope=a&scope=b&client_id=a",
        "client_id=a",
        "grant_type=&client_id=a",
        "",
    ] {
        assert_error(&bench.form("/token", body).await, 400, "invalid_request");
    }
    let many: Vec<(String, &str)> = (0..300).map(|number| (number.to_string(), "a")).collect();
    let page = bench.browser.send(bench.post("/token").form(&many)).await;
    assert_error(&page, 400, "invalid_request");
    assert_error(
        &bench.form("/token", "grant_type=password&client_id=a").await,
        400,
        "unsupported_grant_type",
    );
}

#[tokio::test]
async fn an_empty_parameter_counts_as_absent_and_an_unknown_one_is_ignored() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let fields = [
        CLIENT_CREDENTIALS,
        ("scope", ""),
        ("resource", ""),
        ("favourite_colour", "blue"),
    ];
    let page = bench
        .basic("/token", &format!("{}:{}", service.id, secret(&service)), &fields)
        .await;
    assert_answer(&page, 200, &page.json());
}

// --- Client authentication --------------------------------------------------------------------------------------------

#[tokio::test]
async fn each_client_authenticates_in_the_way_it_registered() {
    let bench = Bench::new().await;
    let basic = service_client(&bench.db).await;
    let metadata =
        |method: &str| json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": method });
    let post = client(&bench.db, metadata("client_secret_post")).await;
    let body = |client: &Client| {
        let fields = [
            CLIENT_CREDENTIALS,
            ("client_id", &client.id),
            ("client_secret", secret(client)),
        ];
        bench.post("/token").form(&fields)
    };
    let pair = |client: &Client| format!("{}:{}", client.id, secret(client));
    assert_eq!(
        bench.basic("/token", &pair(&basic), &[CLIENT_CREDENTIALS]).await.status,
        200
    );
    assert_eq!(bench.browser.send(body(&post)).await.status, 200);

    let wrong = bench.basic("/token", &pair(&post), &[CLIENT_CREDENTIALS]).await;
    assert_error(&wrong, 401, "invalid_client");
    // RFC 6749 §5.2: a challenge of the scheme that was tried, and none where none was tried.
    assert_eq!(
        header(&wrong, "www-authenticate"),
        Some(format!("Basic realm=\"{}\"", bench.gateway.issuer).as_str())
    );
    let wrong = bench.browser.send(body(&basic)).await;
    assert_error(&wrong, 401, "invalid_client");
    assert_eq!(header(&wrong, "www-authenticate"), None);
}

#[tokio::test]
async fn a_client_that_encodes_its_basic_credentials_and_one_that_does_not_are_both_understood() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let encoded: String = secret(&service).bytes().map(|byte| format!("%{byte:02X}")).collect();
    for secret in [secret(&service), &encoded] {
        let page = bench
            .basic("/token", &format!("{}:{secret}", service.id), &[CLIENT_CREDENTIALS])
            .await;
        assert_eq!(page.status, 200, "{}", page.body);
    }
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_get_the_same_answer() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let wrong = bench
        .basic("/token", &format!("{}:wrong", service.id), &[CLIENT_CREDENTIALS])
        .await;
    let unknown = bench.basic("/token", "nobody:wrong", &[CLIENT_CREDENTIALS]).await;
    assert_error(&wrong, 401, "invalid_client");
    assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
    for authorization in ["Basic", "Basic !!!", "Bearer abc"] {
        let request = bench
            .post("/token")
            .header("Authorization", authorization)
            .form(&[CLIENT_CREDENTIALS]);
        let page = bench.browser.send(request).await;
        assert_error(&page, 401, "invalid_client");
        assert!(header(&page, "www-authenticate").unwrap().starts_with("Basic "));
    }
}

#[tokio::test]
async fn two_methods_of_authentication_at_once_are_refused() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let pair = format!("{}:{}", service.id, secret(&service));
    let fields = [CLIENT_CREDENTIALS, ("client_secret", secret(&service))];
    for path in ["/token", "/introspect", "/revoke"] {
        assert_error(&bench.basic(path, &pair, &fields).await, 400, "invalid_request");
    }
    // The id named twice is one client.
    let fields = [CLIENT_CREDENTIALS, ("client_id", &service.id)];
    assert_eq!(bench.basic("/token", &pair, &fields).await.status, 200);
}

#[tokio::test]
async fn a_client_gets_a_token_without_a_person() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let page = bench
        .basic(
            "/token",
            &format!("{}:{}", service.id, secret(&service)),
            &[CLIENT_CREDENTIALS],
        )
        .await;
    let body = page.json();
    assert_answer(&page, 200, &body);
    assert!(
        body.get("refresh_token").is_none() && body.get("id_token").is_none(),
        "{body}"
    );
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&json!("Bearer"), &json!(300))
    );
    assert!(body["scope"].is_string(), "{body}");
    let claims = Tokens::claims(body["access_token"].as_str().unwrap());
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!(service.id), &json!(service.id))
    );
    assert_eq!(claims["iss"], bench.gateway.issuer);

    let web = web_client(&bench.db).await;
    let page = bench
        .basic("/token", &format!("{}:{}", web.id, secret(&web)), &[CLIENT_CREDENTIALS])
        .await;
    assert_error(&page, 400, "unauthorized_client");
}

// --- Overload ---------------------------------------------------------------------------------------------------------

/// Line 8: `invalid_client` would make clients throw their registration away, a 500 would start a new login.
#[tokio::test]
async fn without_a_database_clients_are_told_to_come_back() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let superuser = bench.db.superuser().await;
    superuser
        .batch_execute(&format!("alter database {} connection limit 0", bench.db.name))
        .await
        .unwrap();
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    superuser.query_one(end, &[]).await.unwrap();
    let pair = format!("{}:{}", service.id, secret(&service));
    for (path, fields) in [
        ("/token", CLIENT_CREDENTIALS),
        ("/introspect", ("token", "x")),
        ("/revoke", ("token", "x")),
    ] {
        let page = bench.basic(path, &pair, &[fields]).await;
        assert_error(&page, 503, "temporarily_unavailable");
        assert!(header(&page, "retry-after").unwrap().parse::<u32>().unwrap() > 0);
    }
    let page = bench
        .browser
        .send(
            bench
                .browser
                .http
                .get(bench.gateway.url("/userinfo"))
                .bearer_auth("a.b.c"),
        )
        .await;
    assert_error(&page, 503, "temporarily_unavailable");
}

// --- Codes ------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_wrong_verifier_neither_redeems_nor_consumes_the_code() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let public = public_client(&bench.db).await;
    let flow = Flow::new(&bench.gateway, &public);
    let code = flow.code(&alice).await;
    let redirect_uri = public.redirect_uri();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", redirect_uri),
    ];
    assert_error(&flow.token(&fields).await, 400, "invalid_grant");
    let wrong = [
        &fields[..],
        &[("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong")],
    ]
    .concat();
    assert_error(&flow.token(&wrong).await, 400, "invalid_grant");
    assert_eq!(flow.redeem(&code).await.status, 200);
}

#[tokio::test]
async fn a_code_is_good_once_and_its_replay_ends_what_it_gave() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let flow = Flow::new(&bench.gateway, &web_client(&bench.db).await);
    let code = flow.code(&alice).await;
    let first = flow.redeem(&code).await.json();
    assert_error(&flow.redeem(&code).await, 400, "invalid_grant");
    assert_error(
        &flow.refresh(first["refresh_token"].as_str().unwrap()).await,
        400,
        "invalid_grant",
    );
    let request = bench.browser.http.get(bench.gateway.url("/userinfo"));
    let page = bench
        .browser
        .send(request.bearer_auth(first["access_token"].as_str().unwrap()))
        .await;
    assert_error(&page, 401, "invalid_token");
}

// --- Refresh ----------------------------------------------------------------------------------------------------------

/// Line 15.
#[tokio::test]
async fn sixteen_refreshes_at_once_all_succeed_and_agree() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let public = public_client(&bench.db).await;
    let flow = Flow::new(&bench.gateway, &public);
    let tokens = flow.tokens(&alice).await;
    let racers: Vec<_> = (0..16)
        .map(|_| {
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", tokens.refresh()),
                ("client_id", &public.id),
            ];
            tokio::spawn(bench.post("/token").form(&fields).send())
        })
        .collect();
    let mut heads = Vec::new();
    for racer in racers {
        let response = racer.await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["scope"], tokens.body["scope"]);
        heads.push(body["refresh_token"].as_str().unwrap().to_owned());
    }
    heads.sort_unstable();
    heads.dedup();
    assert_eq!(heads.len(), 1, "racing clients converge on one head");
    assert_ne!(heads[0], tokens.refresh());
    assert_eq!(flow.refresh(&heads[0]).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_of_another_client_is_refused_and_stays_good() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let flow = Flow::new(&bench.gateway, &web_client(&bench.db).await);
    let tokens = flow.tokens(&alice).await;
    let thief = Flow::new(&bench.gateway, &public_client(&bench.db).await);
    assert_error(&thief.refresh(tokens.refresh()).await, 400, "invalid_grant");
    assert_eq!(flow.refresh(tokens.refresh()).await.status, 200);
}

/// Line 16, and the second half of 15: the audience survives refresh.
#[tokio::test]
async fn a_resource_is_the_same_with_and_without_trailing_slash() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let create = "select identity.resource_create('https://api.example/v1', 'API', '{}')";
    bench.db.admin().await.execute(create, &[]).await.unwrap();
    let web = web_client(&bench.db).await;
    for resource in ["https://api.example/v1", "https://api.example/v1/"] {
        let flow = Flow::new(&bench.gateway, &web).with("resource", resource);
        let tokens = flow.tokens(&alice).await;
        // The canonical form; the issuer too, because of the scope openid.
        let audience = json!(["https://api.example/v1", bench.gateway.issuer]);
        assert_eq!(Tokens::claims(tokens.access())["aud"], audience);
        let refreshed = flow.refresh(tokens.refresh()).await.json();
        assert_eq!(
            Tokens::claims(refreshed["access_token"].as_str().unwrap())["aud"],
            audience
        );
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refreshed["refresh_token"].as_str().unwrap()),
            ("resource", "https://other.example"),
        ];
        assert_error(&flow.token(&fields).await, 400, "invalid_target");
    }
}

// --- Revocation and introspection -------------------------------------------------------------------------------------

/// Line 18.
#[tokio::test]
async fn revoking_a_refresh_token_ends_its_access_tokens_whatever_the_hint() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let flow = Flow::new(&bench.gateway, &web_client(&bench.db).await);
    let tokens = flow.tokens(&alice).await;
    let fields = [("token", tokens.refresh()), ("token_type_hint", "access_token")];
    assert_answer(&flow.call("/revoke", &fields).await, 200, &json!({}));
    assert_error(&flow.refresh(tokens.refresh()).await, 400, "invalid_grant");
    let page = flow.call("/introspect", &[("token", tokens.access())]).await;
    assert_answer(&page, 200, &json!({ "active": false }));
    for token in ["unknown", tokens.refresh(), tokens.access()] {
        assert_answer(&flow.call("/revoke", &[("token", token)]).await, 200, &json!({}));
    }
    assert_error(&flow.call("/revoke", &[]).await, 400, "invalid_request");
}

#[tokio::test]
async fn revoking_a_token_of_another_client_does_nothing() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let flow = Flow::new(&bench.gateway, &web_client(&bench.db).await);
    let tokens = flow.tokens(&alice).await;
    let other = Flow::new(&bench.gateway, &public_client(&bench.db).await);
    for token in [tokens.refresh(), tokens.access()] {
        assert_answer(&other.call("/revoke", &[("token", token)]).await, 200, &json!({}));
    }
    let page = flow.call("/introspect", &[("token", tokens.access())]).await;
    assert_eq!(page.json()["active"], true);
    assert_eq!(flow.refresh(tokens.refresh()).await.status, 200);
}

/// Line 19.
#[tokio::test]
async fn introspection_says_what_a_token_is_and_of_a_dead_one_nothing() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let web = web_client(&bench.db).await;
    let flow = Flow::new(&bench.gateway, &web);
    let tokens = flow.tokens(&alice).await;
    let page = flow.call("/introspect", &[("token", tokens.access())]).await;
    let body = page.json();
    assert_answer(&page, 200, &body);
    let claims = Tokens::claims(tokens.access());
    for member in ["iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti"] {
        assert_eq!(body[member], claims[member], "{member} in {body}");
    }
    assert_eq!((&body["active"], &body["token_type"]), (&json!(true), &json!("Bearer")));
    assert!(!page.body.contains("null"));

    let page = flow.call("/introspect", &[("token", tokens.refresh())]).await;
    assert_eq!(page.json()["active"], true);
    let dead = json!({ "active": false });
    for token in ["unknown", "a.b.c", tokens.id()] {
        assert_answer(&flow.call("/introspect", &[("token", token)]).await, 200, &dead);
    }
    // security.md §7: a stranger learns nothing, a refresh token is for its own client only.
    let stranger = Flow::new(&bench.gateway, &web_client(&bench.db).await);
    assert_answer(
        &stranger.call("/introspect", &[("token", tokens.access())]).await,
        200,
        &dead,
    );
    let any = Flow::new(&bench.gateway, &service_client_with_redirect(&bench.db).await);
    assert_eq!(
        any.call("/introspect", &[("token", tokens.access())]).await.json()["active"],
        true
    );
    assert_answer(
        &any.call("/introspect", &[("token", tokens.refresh())]).await,
        200,
        &dead,
    );
    assert_error(&bench.form("/introspect", "token=x").await, 401, "invalid_client");
}

/// `Flow` wants a redirect URI.
async fn service_client_with_redirect(db: &Database) -> Client {
    let metadata = json!({
        "grant_types": ["client_credentials", "authorization_code"],
        "redirect_uris": ["https://service.example/callback"],
        "introspect_any": true
    });
    client(db, metadata).await
}

// --- Userinfo ---------------------------------------------------------------------------------------------------------

/// Line 20.
#[tokio::test]
async fn userinfo_takes_the_token_by_get_by_post_header_and_by_post_body() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let tokens = Flow::new(&bench.gateway, &web_client(&bench.db).await)
        .tokens(&alice)
        .await;
    let url = bench.gateway.url("/userinfo");
    let http = &bench.browser.http;
    let requests = [
        http.get(&url).bearer_auth(tokens.access()),
        http.get(&url)
            .header("Authorization", format!("bearer {}", tokens.access())),
        http.post(&url).bearer_auth(tokens.access()),
        http.post(&url).form(&[("access_token", tokens.access())]),
    ];
    for request in requests {
        let page = bench.browser.send(request).await;
        let body = page.json();
        assert_answer(&page, 200, &body);
        assert_eq!(body["sub"], Tokens::claims(tokens.id())["sub"]);
        assert_eq!(
            (&body["name"], &body["email"]),
            (&json!("alice Liddell"), &json!("alice@people.example"))
        );
        assert_eq!(body["email_verified"], true);
        assert!(body.get("phone_number").is_none(), "the scope phone was not asked for");
        assert!(!page.body.contains("null"));
    }
}

#[tokio::test]
async fn userinfo_challenges_say_bearer_and_why() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let web = web_client(&bench.db).await;
    let url = bench.gateway.url("/userinfo");
    let http = &bench.browser.http;
    let realm = format!("Bearer realm=\"{}\"", bench.gateway.issuer);

    // RFC 6750 §3.1: no error code for a request without credentials.
    for request in [
        http.get(&url),
        http.post(&url),
        http.get(&url).basic_auth("a", Some("b")),
    ] {
        let page = bench.browser.send(request).await;
        assert_eq!(
            (page.status.as_u16(), header(&page, "www-authenticate")),
            (401, Some(realm.as_str()))
        );
    }
    let page = bench.browser.send(http.get(&url).bearer_auth("a.b.c")).await;
    assert_error(&page, 401, "invalid_token");
    let challenge = header(&page, "www-authenticate").unwrap();
    assert!(
        challenge.starts_with(&format!("{realm}, error=\"invalid_token\", error_description=\"")),
        "{challenge}"
    );

    let tokens = Flow::new(&bench.gateway, &web)
        .with("scope", "profile")
        .tokens(&alice)
        .await;
    let page = bench.browser.send(http.get(&url).bearer_auth(tokens.access())).await;
    assert_error(&page, 403, "insufficient_scope");
    let challenge = header(&page, "www-authenticate").unwrap();
    assert!(
        challenge.starts_with(&format!("{realm}, error=\"insufficient_scope\"")),
        "{challenge}"
    );
    assert!(challenge.ends_with("scope=\"openid\""), "{challenge}");

    let twice = http
        .post(&url)
        .bearer_auth(tokens.access())
        .form(&[("access_token", tokens.access())]);
    let page = bench.browser.send(twice).await;
    assert_error(&page, 400, "invalid_request");
    assert!(
        header(&page, "www-authenticate")
            .unwrap()
            .contains("error=\"invalid_request\"")
    );
    // RFC 9700 §4.3.2: a token in a URL is in every log, and is not looked at.
    let page = bench
        .browser
        .get(format!("{url}?access_token={}", tokens.access()))
        .await;
    assert_eq!(
        (page.status.as_u16(), header(&page, "www-authenticate")),
        (401, Some(realm.as_str()))
    );
}
