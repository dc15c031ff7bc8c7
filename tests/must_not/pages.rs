//! Pages and redirects (RFC 6749 §10.12–§10.15; RFC 9700 §2.1, §2.6, §4.2.4, §4.11, §4.12, §4.16; OpenID Connect Core §3.1.2).

use reqwest::Method;
use serde_json::json;

use crate::http::header;
use crate::http_site::{Site, assert_error_page};
use crate::support::{Browser, Flow, Page, user};

/// Every page and every redirect on the way of a person: sign-in, consent, chooser, logout, error.
async fn way(site: &Site) -> Vec<(&'static str, Page)> {
    let flow = site.flow();
    let browser = &flow.browser;
    let mut way = vec![("to the sign-in page", browser.get(flow.url()).await)];
    let login = browser.get(way[0].1.location().unwrap()).await;
    let fields = [("username", site.alice.username.as_str()), ("password", site.alice.password.as_str())];
    let signed_in = browser.send(browser.filled_in(&login, "sign-in", &fields)).await;
    let wrong =
        browser.send(browser.filled_in(&login, "sign-in", &[("username", "alice"), ("password", "wrong")])).await;
    let consent = browser.get(signed_in.location().unwrap()).await;
    let allowed = browser.send(browser.filled_in(&consent, "allow", &[])).await;
    way.extend([
        ("sign-in page", login),
        ("signed in", signed_in),
        ("not signed in", wrong),
        ("consent page", consent),
        ("allowed", allowed),
    ]);
    let choose = Flow::new(&site.gateway, &site.web).with("prompt", "select_account");
    way.push(("chooser", browser.open(choose.url()).await));
    let posted = browser.http.post(site.gateway.url("/authorize")).form(&flow.parameters);
    way.push(("posted by another site", browser.send(posted).await));
    way.push(("error page", browser.get(site.gateway.url("/authorize?client_id=nobody")).await));
    way.push(("home page", browser.get(site.gateway.url("/")).await));
    let logout = browser.get(site.gateway.url("/logout")).await;
    let ended = browser.send(browser.filled_in(&logout, "logout-yes", &[])).await;
    way.extend([("logout page", logout), ("signed out", ended)]);
    way
}

#[tokio::test]
async fn no_page_can_be_framed_and_no_redirect_repeats_a_form() {
    let site = Site::new().await;
    for (name, page) in way(&site).await {
        // RFC 9700 §4.12: "authorization servers … MUST NOT use the HTTP 307 status code".
        if page.status.is_redirection() {
            assert_eq!((page.status.as_u16(), page.body.as_str()), (303, ""), "{name}");
        } else {
            // RFC 9700 §4.16, OpenID Connect Core §3.1.2.3: MUST prevent clickjacking; RFC 6749 §10.13.
            let policy = header(&page, "content-security-policy").unwrap();
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"), "{name}: {policy}");
            assert_eq!(header(&page, "x-frame-options"), Some("DENY"), "{name}");
            assert_eq!(header(&page, "x-content-type-options"), Some("nosniff"), "{name}");
        }
        // RFC 9700 §4.2.4: codes and sealed requests MUST NOT leave in a Referer.
        assert_eq!(header(&page, "referrer-policy"), Some("no-referrer"), "{name}");
        assert_eq!(header(&page, "cache-control"), Some("no-store"), "{name}");
    }
}

/// RFC 9700 §2.6: "MUST NOT support CORS at the authorization endpoint", nor anywhere a cookie speaks.
#[tokio::test]
async fn no_script_of_another_site_reads_a_page() {
    let site = Site::new().await;
    let browser = site.signed_in().await;
    for path in ["/authorize", "/login", "/select-account", "/consent", "/logout", "/logout/confirm", "/password", "/"]
    {
        for method in [Method::OPTIONS, Method::GET, Method::POST] {
            let request = browser.http.request(method.clone(), site.gateway.url(path));
            let request =
                request.header("Origin", "https://evil.example").header("Access-Control-Request-Method", "GET");
            let page = browser.send(request).await;
            let allowed = page.headers.keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(allowed, None, "{method} {path}");
        }
    }
}

/// RFC 6749 §10.12: MUST implement CSRF protection; OpenID Connect Core §3.1.2.3, §3.1.2.4: MUST obtain an authorization decision.
#[tokio::test]
async fn nobody_decides_for_a_person() {
    let site = Site::new().await;
    let browser = site.signed_in().await;
    let consent = browser.open(site.flow().with("prompt", "consent").url()).await;
    let resume = consent.form("allow").fields.into_iter().find(|(name, _)| name == "resume").unwrap().1;
    let stranger = Browser::new();
    let other = stranger.open(site.flow().url()).await.form("sign-in").fields[0].1.clone();
    for csrf in ["", "x", &other] {
        let fields = [("resume", resume.as_str()), ("allow", "yes"), ("csrf", csrf)];
        let page = browser.post(site.gateway.url("/consent"), &fields).await;
        assert_eq!((page.status.as_u16(), page.location()), (403, None), "{csrf}");
    }
    // From a page of another site, with all that it could have guessed.
    let own = consent.form("allow").fields.into_iter().find(|(name, _)| name == "csrf").unwrap().1;
    let fields = [("resume", resume.as_str()), ("allow", "yes"), ("csrf", &own)];
    let forged = browser.http.post(site.gateway.url("/consent")).header("Origin", "https://evil.example").form(&fields);
    let page = browser.send(forged).await;
    assert_eq!((page.status.as_u16(), page.location()), (403, None));
    let granted: i64 =
        site.db.superuser().await.query_one("select count(*) from identity_store.grants", &[]).await.unwrap().get(0);
    assert_eq!(granted, 1, "the one of the person");
}

/// OpenID Connect Core §3.1.2.2: "MUST NOT reply with an ID Token or Access Token for a different user", even one who is signed in.
#[tokio::test]
async fn nobody_is_answered_for_somebody_else() {
    let site = Site::new().await;
    let bob = user(&site.db, "bob").await;
    let browser = site.signed_in().await;
    for target in ["id_token", "userinfo"] {
        for values in [json!({"value": bob.id}), json!({"values": [bob.id], "essential": true})] {
            let claims = json!({ target: {"sub": values} }).to_string();
            let flow = site.flow().in_browser(Browser { http: browser.http.clone() }).with("claims", &claims);
            assert!(flow.open().await.has("sign-in"), "{claims}");
            let page = flow.with("prompt", "none").open().await;
            assert_eq!(page.location_parameter("error").as_deref(), Some("login_required"), "{claims}");
            assert_eq!(page.location_parameter("code"), None);
        }
    }
}

/// RFC 9700 §2.1, RFC 6749 §10.15: MUST NOT expose URLs that forward the browser to arbitrary URIs.
#[tokio::test]
async fn no_address_of_ours_sends_people_where_its_query_says() {
    let site = Site::new().await;
    let browser = site.signed_in().await;
    let evil = "https%3A%2F%2Fevil.example%2F";
    for path in [
        "/login",
        "/select-account",
        "/consent",
        "/logout",
        "/logout/done",
        "/logout/elsewhere",
        "/",
        "/password",
        "/authorize",
    ] {
        for name in [
            "redirect_uri",
            "post_logout_redirect_uri",
            "resume",
            "next",
            "url",
            "return_to",
            "target_link_uri",
            "request_uri",
            "iss",
        ] {
            for value in [evil, "%2F%2Fevil.example", "javascript%3Aalert(1)"] {
                let page = browser.get(site.gateway.url(&format!("{path}?{name}={value}"))).await;
                let to = page.location().map(|to| to.origin().ascii_serialization());
                assert!(to.is_none_or(|to| to == site.gateway.issuer), "{path}?{name}={value}");
                assert!(!page.body.contains("href=\"javascript") && !page.body.contains("evil.example\""), "{path}");
            }
        }
    }
    let unknown = format!("/authorize?client_id={}&response_type=code&scope=openid&redirect_uri={evil}", site.web.id);
    assert_error_page(&browser.get(site.gateway.url(&unknown)).await, "invalid_request");
}

/// RFC 6749 §10.14: MUST sanitize any value received, in particular state and redirect_uri.
#[tokio::test]
async fn what_a_client_sends_comes_back_as_data() {
    let site = Site::new().await;
    let browser = site.signed_in().await;
    let state = "\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>\"'&#x22;#?&code=x\u{1f600}";
    let flow = site.flow().in_browser(Browser { http: browser.http.clone() }).with("state", state);
    let page = flow.open().await;
    assert_eq!(page.location_parameter("state").as_deref(), Some(state));
    assert!(page.headers.get("set-cookie").is_none_or(|cookie| !cookie.to_str().unwrap().starts_with("a=b")));
    let location = page.headers["location"].to_str().unwrap();
    assert!(location.chars().all(|c| c.is_ascii_graphic() && !"<>\"'".contains(c)), "{location}");
    assert_eq!(location.matches("code=").count(), 1, "{location}");
    let page = flow.with("response_mode", "form_post").open().await;
    let fields = page.form("continue").fields;
    // A form's line breaks are CR LF already, and stay.
    assert_eq!(fields.iter().find(|(name, _)| name == "state").unwrap().1, state);
    assert_eq!(page.body.matches("<script").count(), 1, "our own");
}
