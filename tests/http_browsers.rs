//! The authorization endpoint as browsers and native applications meet it.

use serde_json::json;
use url::Url;

use crate::http_site::{Site, assert_error_page, assert_redirect, assert_refused};
use crate::support::{Browser, Flow, attribute_of, client, public_client};

/// Line 10: a POST from another site comes without our cookies, and must not cost the person their session.
#[tokio::test]
async fn a_posted_request_comes_back_as_a_get_with_the_cookies() {
    let site = Site::new().await;
    let browser = site.signed_in().await;
    let flow = site.flow();
    let fields: Vec<(&str, &str)> =
        flow.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // As a browser sends it: the cookies stay at home.
    let bare = Browser::new();
    let posted = bare.http.post(site.gateway.url("/authorize")).header("Sec-Fetch-Site", "cross-site").form(&fields);
    let page = bare.send(posted).await;
    assert_eq!(page.status, 303);
    assert!(page.headers.get("set-cookie").is_none(), "a new cookie would replace the person's own");
    let next = page.location().unwrap();
    assert_eq!(next.path(), "/authorize");
    assert_eq!(next.query_pairs().map(|(name, _)| name.into_owned()).collect::<Vec<_>>(), ["resume"]);
    let page = browser.get(next).await;
    let code = page.location_parameter("code").unwrap();
    assert_redirect(
        &page,
        "https://notes.example/callback",
        &[("code", &code), ("state", "af0ifjsldkj"), ("iss", &site.gateway.issuer)],
    );
    assert_eq!(flow.redeem(&code).await.status, 200);

    let json = browser.http.post(site.gateway.url("/authorize")).json(&json!({ "client_id": site.web.id }));
    assert_error_page(&browser.send(json).await, "invalid_request");
    let large =
        browser.http.post(site.gateway.url("/authorize")).form(&[("client_id", "a"), ("state", &"a".repeat(7000))]);
    assert_error_page(&browser.send(large).await, "invalid_request");
}

/// Line 11: any port on loopback for native clients, and query parameters of the registered URI are kept.
#[tokio::test]
async fn a_native_client_may_listen_on_any_port() {
    let site = Site::new().await;
    let metadata = json!({
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://127.0.0.1:4711/callback?from=idp", "http://[::1]/callback", "com.example.notes:/callback"]
    });
    let native = client(&site.db, metadata).await;
    let flow = |redirect_uri: &str| {
        Flow::new(&site.gateway, &native).with("redirect_uri", redirect_uri).with("scope", "openid")
    };
    for (redirect_uri, start) in [
        ("http://127.0.0.1:50123/callback?from=idp", "http://127.0.0.1:50123/callback?from=idp&code="),
        ("http://[::1]:8000/callback", "http://[::1]:8000/callback?code="),
        ("com.example.notes:/callback", "com.example.notes:/callback?code="),
    ] {
        let page = flow(redirect_uri).authorize(&site.alice).await;
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
    let site = Site::new().await;
    let public = public_client(&site.db).await;
    let flow = Flow::new(&site.gateway, &public);
    flow.code(&site.alice).await;
    let flow = Flow::new(&site.gateway, &public).in_browser(flow.browser);
    assert!(flow.open().await.has("allow"));
    let page = flow.with("prompt", "none").open().await;
    assert_eq!(page.location_parameter("error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn a_refused_consent_is_told_to_the_client() {
    let site = Site::new().await;
    let flow = site.flow();
    let page = flow.open().await;
    let page = flow.browser.sign_in(&page, &site.alice.username, &site.alice.password).await;
    let page = flow.browser.press(&page, "deny", &[]).await;
    assert_refused(&site, &page, "access_denied");
}

/// README, decision 7: what a stranger started, nobody finishes by following a link.
#[tokio::test]
async fn a_link_to_somebody_elses_sign_in_does_not_work() {
    let site = Site::new().await;
    let flow = site.flow();
    let page = flow.open().await;
    assert!(page.has("sign-in"));
    let resume: String = page.url.query_pairs().find(|(name, _)| name == "resume").unwrap().1.into_owned();
    let victim = site.signed_in().await;
    let url = Url::parse_with_params(&site.gateway.url("/authorize"), [("resume", &resume)]).unwrap();
    let page = victim.get(url).await;
    assert_error_page(&page, "invalid_request");
}

/// A first-time visitor who comes from a client's page: no cookies yet, and the browser says cross-site.
#[tokio::test]
async fn a_first_visit_from_another_site_can_sign_in() {
    let site = Site::new().await;
    let flow = site.flow();
    let request =
        flow.browser.http.get(flow.url()).header("Sec-Fetch-Site", "cross-site").header("Sec-Fetch-Mode", "navigate");
    let page = flow.browser.send(request).await;
    assert_eq!(page.status, 303);
    let request = flow.browser.http.get(page.location().unwrap()).header("Sec-Fetch-Site", "cross-site");
    let page = flow.browser.send(request).await;
    // No cookie may be set yet, so the page asks for itself once more, from our own site now.
    assert!(page.headers.get("set-cookie").is_none());
    let link = page.body.split('<').find(|tag| tag.contains("id=\"continue\"")).expect(&page.body);
    let next = attribute_of(link, "href").unwrap();
    let request = flow.browser.http.get(page.url.join(&next).unwrap()).header("Sec-Fetch-Site", "same-origin");
    let page = flow.browser.send(request).await;
    assert!(page.has("sign-in"), "{}", page.body);
    // From here on it is this browser's: neither the link nor the form is good for a sign-in anywhere else.
    let bound = page.form("sign-in").fields.into_iter().find(|(name, _)| name == "resume").unwrap().1;
    let link = page.url.query_pairs().find(|(name, _)| name == "resume").unwrap().1.into_owned();
    assert_ne!(bound, link);
    let stranger = Browser::new();
    let own = stranger.open(site.flow().url()).await;
    for resume in [bound.as_str(), link.as_str()] {
        let fields = [("resume", resume), ("username", &site.alice.username), ("password", &site.alice.password)];
        let page = stranger.press(&own, "sign-in", &fields).await;
        assert_eq!(
            (page.status.as_u16(), page.text("error").as_deref()),
            (400, Some("invalid_request")),
            "{}",
            page.body
        );
    }
    let page = flow.browser.sign_in(&page, &site.alice.username, &site.alice.password).await;
    let page = flow.browser.press(&page, "allow", &[]).await;
    assert!(page.location_parameter("code").is_some(), "{}", page.body);
}

/// A HEAD that did what GET does would issue codes and end sessions unseen.
#[tokio::test]
async fn a_wrong_method_is_told_and_does_nothing() {
    let site = Site::new().await;
    for (method, path, allowed) in [
        ("HEAD", "/authorize", None),
        ("HEAD", "/consent", None),
        ("HEAD", "/logout", None),
        ("GET", "/token", Some("POST")),
        ("GET", "/logout/confirm", Some("POST")),
        ("PUT", "/login", Some("GET,HEAD,POST")),
    ] {
        let browser = Browser::new();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = browser.http.request(method.clone(), site.gateway.url(path)).header("Accept", "text/html");
        let page = browser.send(request).await;
        assert_eq!(page.status, 405, "{method} {path}");
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        if let Some(allowed) = allowed {
            assert_eq!(page.headers["allow"], allowed);
            assert!(page.has("error"), "{}", page.body);
        }
        let page = browser.send(browser.http.request(method.clone(), site.gateway.url(path))).await;
        assert_eq!(page.headers["content-type"], "application/json", "{method} {path}");
    }
}
