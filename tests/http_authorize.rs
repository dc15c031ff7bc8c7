//! The authorization endpoint as clients and browsers meet it over HTTP.

use serde_json::json;
use url::Url;

use crate::support::{
    Browser, Client, Database, Flow, Gateway, Page, User, attribute_of, client, public_client, user, web_client,
};

struct Bench {
    gateway: Gateway,
    alice: User,
    web: Client,
    db: Database,
}

impl Bench {
    async fn new() -> Bench {
        let db = Database::new().await;
        let gateway = Gateway::start(&db).await;
        let (alice, web) = (user(&db, "alice").await, web_client(&db).await);
        Bench {
            gateway,
            alice,
            web,
            db,
        }
    }

    fn flow(&self) -> Flow {
        Flow::new(&self.gateway, &self.web)
    }

    /// The browser of somebody who has signed in and allowed the client everything.
    async fn signed_in(&self) -> Browser {
        let flow = self.flow();
        flow.code(&self.alice).await;
        flow.browser
    }
}

/// The whole redirect: 303, where to, and nothing that a cache or the next site could keep.
#[track_caller]
fn assert_redirect(page: &Page, to: &str, parameters: &[(&str, &str)]) {
    assert_eq!(page.status, 303, "{}", page.body);
    let location = page.location().unwrap();
    let (start, _) = location.as_str().split_once('?').unwrap();
    assert_eq!(start, to);
    let mut found: Vec<(String, String)> = location.query_pairs().into_owned().collect();
    found.sort();
    let mut expected: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.body, "");
}

/// An error that is told to the client, in whatever words.
#[track_caller]
fn assert_refused(bench: &Bench, page: &Page, error: &str) {
    let description = page.location_parameter("error_description").unwrap_or_default();
    assert_redirect(
        page,
        "https://notes.example/callback",
        &[
            ("error", error),
            ("error_description", &description),
            ("state", "af0ifjsldkj"),
            ("iss", &bench.gateway.issuer),
        ],
    );
    assert!(!description.is_empty());
}

#[track_caller]
fn assert_error_page(page: &Page, error: &str) {
    assert_eq!(page.status, 400);
    assert_eq!(page.text("error").as_deref(), Some(error));
    assert!(page.location().is_none());
    assert!(page.url.path().ends_with("/authorize"), "errors stay on /authorize");
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn a_code_comes_with_state_and_issuer() {
    let bench = Bench::new().await;
    let page = bench.flow().in_browser(bench.signed_in().await).open().await;
    let code = page.location_parameter("code").unwrap();
    assert_redirect(
        &page,
        "https://notes.example/callback",
        &[
            ("code", &code),
            ("state", "af0ifjsldkj"),
            ("iss", &bench.gateway.issuer),
        ],
    );
}

#[tokio::test]
async fn without_state_none_is_answered_and_nonce_is_optional() {
    let bench = Bench::new().await;
    let flow = bench
        .flow()
        .in_browser(bench.signed_in().await)
        .without("state")
        .without("nonce");
    let page = flow.open().await;
    let code = page.location_parameter("code").unwrap();
    assert_redirect(
        &page,
        "https://notes.example/callback",
        &[("code", &code), ("iss", &bench.gateway.issuer)],
    );
    assert_eq!(flow.redeem(&code).await.status, 200);
}

#[tokio::test]
async fn nobody_is_redirected_to_an_address_that_is_not_registered() {
    let bench = Bench::new().await;
    for (name, value, error) in [
        ("client_id", "nobody", "invalid_client"),
        ("client_id", "", "invalid_request"),
        ("redirect_uri", "https://evil.example/callback", "invalid_request"),
        ("redirect_uri", "https://notes.example/callback/", "invalid_request"),
        ("redirect_uri", "https://notes.example/callback?x=1", "invalid_request"),
        ("redirect_uri", "https://notes.example:443/callback", "invalid_request"),
        ("redirect_uri", "javascript:alert(1)", "invalid_request"),
        ("redirect_uri", "", "invalid_request"),
    ] {
        assert_error_page(&bench.flow().with(name, value).open().await, error);
    }
    let mut twice = bench.flow();
    twice
        .parameters
        .push(("redirect_uri".into(), "https://notes.example/callback".into()));
    assert_error_page(&twice.open().await, "invalid_request");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_an_error_page() {
    let bench = Bench::new().await;
    let browser = Browser::new();
    for query in ["client_id=%ff", "client_id=a%00", "client_id=%z"] {
        let page = browser
            .get(format!("{}?{query}", bench.gateway.url("/authorize")))
            .await;
        assert_error_page(&page, "invalid_request");
    }
    let page = browser
        .get(format!("{}?resume=nonsense", bench.gateway.url("/authorize")))
        .await;
    assert_error_page(&page, "invalid_request");
}

/// Line 12, and the PKCE half of line 13: each mistake has its error.
#[tokio::test]
async fn every_other_mistake_is_told_to_the_client() {
    let bench = Bench::new().await;
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "dance", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("request", "a.b.c", "request_not_supported"),
        (
            "request_uri",
            "https://notes.example/request",
            "request_uri_not_supported",
        ),
        ("registration", "{}", "registration_not_supported"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("resource", "https://unknown.example", "invalid_target"),
        ("id_token_hint", "a.b.c", "invalid_request"),
        ("prompt", "none", "login_required"),
    ] {
        let page = bench.flow().with(name, value).open().await;
        assert_eq!(
            page.location_parameter("error").as_deref(),
            Some(error),
            "{name}={value}"
        );
        assert_refused(&bench, &page, error);
    }
    // Line 9.
    let mut twice = bench.flow();
    twice.parameters.push(("scope".into(), "openid".into()));
    assert_refused(&bench, &twice.open().await, "invalid_request");
}

#[tokio::test]
async fn pkce_is_demanded_of_public_clients_only() {
    let bench = Bench::new().await;
    let without = |flow: Flow| flow.without("code_challenge").without("code_challenge_method");
    let public = public_client(&bench.db).await;
    let page = without(Flow::new(&bench.gateway, &public)).open().await;
    assert_eq!(page.location_parameter("error").as_deref(), Some("invalid_request"));
    let flow = without(bench.flow());
    let code = flow.code(&bench.alice).await;
    // A verifier without a challenge: somebody took the challenge away.
    let body = flow.redeem(&code).await;
    assert_eq!(
        (body.status.as_u16(), &body.json()["error"]),
        (400, &json!("invalid_grant"))
    );
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", bench.web.redirect_uri()),
    ];
    assert_eq!(flow.token(&fields).await.status, 200);
}

#[tokio::test]
async fn parameters_that_are_unknown_or_empty_change_nothing() {
    let bench = Bench::new().await;
    let flow = bench.flow().in_browser(bench.signed_in().await);
    let flow = flow
        .with("prompt", "")
        .with("max_age", "")
        .with("favourite_colour", "blue")
        .with("ui_locales", "de");
    let flow = flow
        .with("claims_locales", "de")
        .with("display", "page")
        .with("acr_values", "0");
    assert!(flow.open().await.location_parameter("code").is_some());
}

#[tokio::test]
async fn prompts_are_obeyed() {
    let bench = Bench::new().await;
    let mut browser = bench.signed_in().await;
    for (name, value, page_has) in [
        ("prompt", "login", "sign-in"),
        ("prompt", "select_account", "sign-in"),
        ("max_age", "0", "sign-in"),
        ("prompt", "consent", "allow"),
    ] {
        let flow = bench.flow().in_browser(browser).with(name, value);
        let page = flow.open().await;
        assert!(page.has(page_has), "{name}={value}: {}", page.body);
        // A fresh proof meets it, and is asked for once.
        let page = flow.authorize(&bench.alice).await;
        assert!(
            page.location_parameter("code").is_some(),
            "{name}={value}: {}",
            page.body
        );
        browser = flow.browser;
    }
    let page = bench.flow().in_browser(browser).with("prompt", "none").open().await;
    assert!(page.location_parameter("code").is_some());
}

/// Line 10: a POST from another site comes without our cookies, and must not cost the person their session.
#[tokio::test]
async fn a_posted_request_comes_back_as_a_get_with_the_cookies() {
    let bench = Bench::new().await;
    let browser = bench.signed_in().await;
    let flow = bench.flow();
    let fields: Vec<(&str, &str)> = flow
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    // As a browser sends it: the cookies stay at home.
    let bare = Browser::new();
    let posted = bare
        .http
        .post(bench.gateway.url("/authorize"))
        .header("Sec-Fetch-Site", "cross-site")
        .form(&fields);
    let page = bare.send(posted).await;
    assert_eq!(page.status, 303);
    assert!(
        page.headers.get("set-cookie").is_none(),
        "a new cookie would replace the person's own"
    );
    let next = page.location().unwrap();
    assert_eq!(next.path(), "/authorize");
    assert_eq!(
        next.query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect::<Vec<_>>(),
        ["resume"]
    );
    let page = browser.get(next).await;
    let code = page.location_parameter("code").unwrap();
    assert_redirect(
        &page,
        "https://notes.example/callback",
        &[
            ("code", &code),
            ("state", "af0ifjsldkj"),
            ("iss", &bench.gateway.issuer),
        ],
    );
    assert_eq!(flow.redeem(&code).await.status, 200);

    let json = browser
        .http
        .post(bench.gateway.url("/authorize"))
        .json(&json!({ "client_id": bench.web.id }));
    assert_error_page(&browser.send(json).await, "invalid_request");
    let large = browser
        .http
        .post(bench.gateway.url("/authorize"))
        .form(&[("client_id", "a"), ("state", &"a".repeat(7000))]);
    assert_error_page(&browser.send(large).await, "invalid_request");
}

/// Line 11: any port on loopback for native clients, and query parameters of the registered URI are kept.
#[tokio::test]
async fn a_native_client_may_listen_on_any_port() {
    let bench = Bench::new().await;
    let metadata = json!({
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://127.0.0.1:4711/callback?from=idp", "http://[::1]/callback", "com.example.notes:/callback"]
    });
    let native = client(&bench.db, metadata).await;
    let flow = |redirect_uri: &str| {
        Flow::new(&bench.gateway, &native)
            .with("redirect_uri", redirect_uri)
            .with("scope", "openid")
    };
    for (redirect_uri, start) in [
        (
            "http://127.0.0.1:50123/callback?from=idp",
            "http://127.0.0.1:50123/callback?from=idp&code=",
        ),
        ("http://[::1]:8000/callback", "http://[::1]:8000/callback?code="),
        ("com.example.notes:/callback", "com.example.notes:/callback?code="),
    ] {
        let page = flow(redirect_uri).authorize(&bench.alice).await;
        let location = page.headers["location"].to_str().unwrap();
        assert!(location.starts_with(start), "{location}");
    }
    for redirect_uri in [
        "http://127.0.0.1:4711/callback",
        "http://127.0.0.1:4711/other?from=idp",
        "http://127.0.0.1.evil.example:4711/callback?from=idp",
        "http://127.0.0.1:4711@evil.example/callback?from=idp",
        "https://127.0.0.1:4711/callback?from=idp",
        "com.example.notes:/other",
    ] {
        assert_error_page(&flow(redirect_uri).open().await, "invalid_request");
    }
}

/// Loopback and private schemes see the consent page each time (RFC 8252 §8.6), also when they allowed it before.
#[tokio::test]
async fn a_native_client_never_gets_a_code_without_a_page() {
    let bench = Bench::new().await;
    let public = public_client(&bench.db).await;
    let flow = Flow::new(&bench.gateway, &public);
    flow.code(&bench.alice).await;
    let flow = Flow::new(&bench.gateway, &public).in_browser(flow.browser);
    assert!(flow.open().await.has("allow"));
    let page = flow.with("prompt", "none").open().await;
    assert_eq!(page.location_parameter("error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn a_refused_consent_is_told_to_the_client() {
    let bench = Bench::new().await;
    let flow = bench.flow();
    let page = flow.open().await;
    let page = flow
        .browser
        .sign_in(&page, &bench.alice.username, &bench.alice.password)
        .await;
    let page = flow.browser.press(&page, "deny", &[]).await;
    assert_refused(&bench, &page, "access_denied");
}

/// security.md §2: what a stranger started, nobody finishes by following a link.
#[tokio::test]
async fn a_link_to_somebody_elses_sign_in_does_not_work() {
    let bench = Bench::new().await;
    let flow = bench.flow();
    let page = flow.open().await;
    assert!(page.has("sign-in"));
    let resume: String = page
        .url
        .query_pairs()
        .find(|(name, _)| name == "resume")
        .unwrap()
        .1
        .into_owned();
    let victim = bench.signed_in().await;
    let url = Url::parse_with_params(&bench.gateway.url("/authorize"), [("resume", &resume)]).unwrap();
    let page = victim.get(url).await;
    assert_error_page(&page, "invalid_request");
}

/// A first-time visitor who comes from a client's page: no cookies yet, and the browser says cross-site.
#[tokio::test]
async fn a_first_visit_from_another_site_can_sign_in() {
    let bench = Bench::new().await;
    let flow = bench.flow();
    let request = flow
        .browser
        .http
        .get(flow.url())
        .header("Sec-Fetch-Site", "cross-site")
        .header("Sec-Fetch-Mode", "navigate");
    let page = flow.browser.send(request).await;
    assert_eq!(page.status, 303);
    let request = flow
        .browser
        .http
        .get(page.location().unwrap())
        .header("Sec-Fetch-Site", "cross-site");
    let mut page = flow.browser.send(request).await;
    if page.has("continue") {
        let link = page
            .body
            .split('<')
            .find(|tag| tag.contains("id=\"continue\""))
            .unwrap();
        let next = attribute_of(link, "href").unwrap();
        let request = flow
            .browser
            .http
            .get(page.url.join(&next).unwrap())
            .header("Sec-Fetch-Site", "same-origin");
        page = flow.browser.send(request).await;
    }
    assert!(page.has("sign-in"), "{}", page.body);
    let page = flow
        .browser
        .sign_in(&page, &bench.alice.username, &bench.alice.password)
        .await;
    let page = flow.browser.press(&page, "allow", &[]).await;
    assert!(page.location_parameter("code").is_some(), "{}", page.body);
}
