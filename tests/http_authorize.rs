//! The authorization endpoint over HTTP: what is asked, what is answered, what is refused.

use serde_json::json;

use crate::http_site::{Site, assert_error_page, assert_redirect, assert_refused};
use crate::support::{Browser, Flow, public_client};

#[tokio::test]
async fn a_code_comes_with_state_and_issuer() {
    let site = Site::new().await;
    let page = site.flow().in_browser(site.signed_in().await).open().await;
    let code = page.location_parameter("code").unwrap();
    assert_redirect(
        &page,
        "https://notes.example/callback",
        &[("code", &code), ("state", "af0ifjsldkj"), ("iss", &site.gateway.issuer)],
    );
}

#[tokio::test]
async fn without_state_none_is_answered_and_nonce_is_optional() {
    let site = Site::new().await;
    let flow = site.flow().in_browser(site.signed_in().await).without("state").without("nonce");
    let page = flow.open().await;
    let code = page.location_parameter("code").unwrap();
    assert_redirect(&page, "https://notes.example/callback", &[("code", &code), ("iss", &site.gateway.issuer)]);
    assert_eq!(flow.redeem(&code).await.status, 200);
}

#[tokio::test]
async fn nobody_is_redirected_to_an_address_that_is_not_registered() {
    let site = Site::new().await;
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
        assert_error_page(&site.flow().with(name, value).open().await, error);
    }
    let mut twice = site.flow();
    twice.parameters.push(("redirect_uri".into(), "https://notes.example/callback".into()));
    assert_error_page(&twice.open().await, "invalid_request");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_an_error_page() {
    let site = Site::new().await;
    let browser = Browser::new();
    for query in ["client_id=%ff", "client_id=a%00", "client_id=%z"] {
        let page = browser.get(format!("{}?{query}", site.gateway.url("/authorize"))).await;
        assert_error_page(&page, "invalid_request");
    }
    let page = browser.get(format!("{}?resume=nonsense", site.gateway.url("/authorize"))).await;
    assert_error_page(&page, "invalid_request");
}

/// Line 12, and the PKCE half of line 13: each mistake has its error.
#[tokio::test]
async fn every_other_mistake_is_told_to_the_client() {
    let site = Site::new().await;
    for (name, value, error) in [
        ("response_type", "codes", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "jwt", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "dance", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("request", "a.b.c", "invalid_request_object"),
        ("request_uri", "https://notes.example/request", "invalid_request_uri"),
        ("registration", "{}", "registration_not_supported"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("resource", "https://unknown.example", "invalid_target"),
        ("id_token_hint", "a.b.c", "invalid_request"),
        ("prompt", "none", "login_required"),
    ] {
        let page = site.flow().with(name, value).open().await;
        assert_eq!(page.location_parameter("error").as_deref(), Some(error), "{name}={value}");
        assert_refused(&site, &page, error);
    }
    // Line 9.
    let mut twice = site.flow();
    twice.parameters.push(("scope".into(), "openid".into()));
    assert_refused(&site, &twice.open().await, "invalid_request");
}

#[tokio::test]
async fn pkce_is_demanded_of_public_clients_only() {
    let site = Site::new().await;
    let without = |flow: Flow| flow.without("code_challenge").without("code_challenge_method");
    let public = public_client(&site.db).await;
    let page = without(Flow::new(&site.gateway, &public)).open().await;
    assert_eq!(page.location_parameter("error").as_deref(), Some("invalid_request"));
    let flow = without(site.flow());
    let code = flow.code(&site.alice).await;
    // A verifier without a challenge: somebody took the challenge away.
    let body = flow.redeem(&code).await;
    assert_eq!((body.status.as_u16(), &body.json()["error"]), (400, &json!("invalid_grant")));
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", site.web.redirect_uri())];
    assert_eq!(flow.token(&fields).await.status, 200);
}

#[tokio::test]
async fn parameters_that_are_unknown_or_empty_change_nothing() {
    let site = Site::new().await;
    let flow = site.flow().in_browser(site.signed_in().await);
    let flow = flow.with("prompt", "").with("max_age", "").with("favourite_colour", "blue").with("ui_locales", "de");
    let flow = flow.with("claims_locales", "de").with("display", "page").with("acr_values", "0");
    assert!(flow.open().await.location_parameter("code").is_some());
}

#[tokio::test]
async fn prompts_are_obeyed() {
    let site = Site::new().await;
    let mut browser = site.signed_in().await;
    for (name, value, page_has) in
        [("prompt", "login", "sign-in"), ("max_age", "0", "sign-in"), ("prompt", "consent", "allow")]
    {
        let flow = site.flow().in_browser(browser).with(name, value);
        let page = flow.open().await;
        assert!(page.has(page_has), "{name}={value}: {}", page.body);
        // A fresh proof meets it, and is asked for once.
        let page = flow.authorize(&site.alice).await;
        assert!(page.location_parameter("code").is_some(), "{name}={value}: {}", page.body);
        browser = flow.browser;
    }
    let page = site.flow().in_browser(browser).with("prompt", "none").open().await;
    assert!(page.location_parameter("code").is_some());
}

#[tokio::test]
async fn the_sign_in_form_survives_the_back_button_and_a_reload() {
    let site = Site::new().await;
    let flow = site.flow();
    let form = flow.open().await;
    let consent = flow.browser.sign_in(&form, &site.alice.username, &site.alice.password).await;
    let mut answers = vec![flow.browser.press(&consent, "allow", &[]).await];
    // Back on the consent page, and further back on the sign-in page; then reloading what that led to.
    answers.push(flow.browser.press(&consent, "allow", &[]).await);
    for _ in 0..2 {
        answers.push(flow.browser.sign_in(&form, &site.alice.username, &site.alice.password).await);
    }
    for page in answers {
        let page = if page.has("allow") { flow.browser.press(&page, "allow", &[]).await } else { page };
        let code = page.location_parameter("code").unwrap_or_else(|| panic!("{} {}", page.status, page.body));
        assert_eq!(flow.redeem(&code).await.status, 200);
    }
    // A wrong password in between changes nothing.
    let wrong = flow.browser.sign_in(&form, &site.alice.username, "wrong").await;
    assert_eq!(wrong.status, 422);
    let page = flow.browser.sign_in(&wrong, &site.alice.username, &site.alice.password).await;
    assert!(page.location_parameter("code").is_some());
}
