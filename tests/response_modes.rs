//! How the answer travels to the client: query, fragment, form (OAuth 2.0 Multiple Response Type Encoding Practices §2.1;
//! OAuth 2.0 Form Post Response Mode).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::form_urlencoded;

use crate::http_site::Site;
use crate::response_types::hybrid_client;
use crate::session_state::assert_form;
use crate::support::{Client, Flow, Page, Tokens, service_client, user};

/// A site whose client may have every response type.
async fn stage() -> (Site, Client) {
    let site = Site::new().await;
    let app = hybrid_client(&site.db).await;
    (site, app)
}

/// The members behind the `#` of a redirect, in alphabetical order.
#[track_caller]
fn fragment(page: &Page) -> Vec<(String, String)> {
    assert_eq!(page.status, 303, "{}", page.body);
    let location = page.headers["location"].to_str().unwrap();
    let (to, fragment) = location.split_once('#').unwrap();
    assert_eq!(to, "https://notes.example/callback");
    assert!(!fragment.contains('+'), "only %20 is a space to everybody");
    form_urlencoded::parse(fragment.as_bytes()).into_owned().collect()
}

fn names(members: &[(String, String)]) -> Vec<&str> {
    members.iter().map(|(name, _)| name.as_str()).collect()
}

fn member<'a>(members: &'a [(String, String)], name: &str) -> &'a str {
    &members.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("no {name} in {members:?}")).1
}

/// The whole page of form_post; its fields.
#[track_caller]
fn form_post(page: &Page) -> Vec<(String, String)> {
    assert_eq!(page.status, 200);
    assert!(page.location().is_none());
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    // Form Post §4: "the Authorization Server should … no-cache, no-store".
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    let script = page.body.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    assert_eq!(page.body.matches("<script").count(), 1);
    let known = STANDARD.encode(digest(&SHA256, script.as_bytes()));
    assert_eq!(
        page.headers["content-security-policy"],
        format!(
            "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
             script-src 'sha256-{known}'"
        )
    );
    // A button for who runs no script; it sends nothing of its own.
    let form = page.form("continue");
    assert_eq!(form.action, "https://notes.example/callback");
    assert!(page.body.contains("<form method=\"post\""));
    form.fields
}

#[tokio::test]
async fn tokens_travel_in_the_fragment_and_the_registered_query_stays() {
    let (site, app) = stage().await;
    let flow = Flow::new(&site.gateway, &app).with("response_type", "code id_token token");
    let page = flow.authorize(&site.alice).await;
    let members = fragment(&page);
    assert_eq!(
        names(&members),
        ["access_token", "code", "expires_in", "id_token", "iss", "scope", "session_state", "state", "token_type"]
    );
    assert_form(member(&members, "session_state"));
    assert_eq!(member(&members, "iss"), site.gateway.issuer);
    assert_eq!(member(&members, "state"), "af0ifjsldkj");
    let id = Tokens::claims(member(&members, "id_token"));
    let redeemed = flow.redeem(member(&members, "code")).await;
    assert_eq!(redeemed.status, 200, "{}", redeemed.body);
    let later = Tokens { body: redeemed.json() };
    // OpenID Connect Core §3.3.3.6: iss and sub MUST be identical in both.
    let later = Tokens::claims(later.id());
    for claim in ["iss", "sub", "aud", "nonce", "auth_time", "sid"] {
        assert_eq!(later[claim], id[claim], "{claim}");
    }
    let userinfo = flow.browser.http.get(site.gateway.url("/userinfo")).bearer_auth(member(&members, "access_token"));
    assert_eq!(userinfo.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_person_already_signed_in_is_one_redirect_or_one_page_away_in_every_mode() {
    let (site, app) = stage().await;
    let first = Flow::new(&site.gateway, &app);
    first.authorize(&site.alice).await;
    let mut browser = first.browser;
    for prompt in ["", "none"] {
        for response_type in ["code", "id_token", "code token"] {
            for mode in ["fragment", "form_post"] {
                let flow = Flow::new(&site.gateway, &app).in_browser(browser).with("prompt", prompt);
                let flow = flow.with("response_type", response_type).with("response_mode", mode);
                let page = flow.browser.get(flow.url()).await;
                let members = if mode == "fragment" { fragment(&page) } else { form_post(&page) };
                let expected = match response_type {
                    "code" => &["code", "iss", "session_state", "state"][..],
                    "id_token" => &["id_token", "iss", "session_state", "state"],
                    _ => {
                        &["access_token", "code", "expires_in", "iss", "scope", "session_state", "state", "token_type"]
                    }
                };
                assert_eq!(names(&members), expected, "{response_type} {mode} {prompt}");
                browser = flow.browser;
            }
        }
    }
}

#[tokio::test]
async fn a_form_post_comes_after_sign_in_and_consent_and_carries_errors_too() {
    let (site, app) = stage().await;
    let post = || Flow::new(&site.gateway, &app).with("response_mode", "form_post");
    let flow = post().with("state", "\"><script>alert(1)</script>&amp;");
    let members = form_post(&flow.authorize(&site.alice).await);
    assert_eq!(names(&members), ["code", "iss", "session_state", "state"]);
    assert_eq!(member(&members, "state"), "\"><script>alert(1)</script>&amp;");
    assert_eq!(flow.redeem(member(&members, "code")).await.status, 200);

    let refused = form_post(&post().with("prompt", "none").open().await);
    let expected = [
        ("error", "login_required"),
        ("error_description", "the person is not signed in"),
        ("iss", &site.gateway.issuer),
        ("session_state", member(&refused, "session_state")),
        ("state", "af0ifjsldkj"),
    ];
    assert_form(member(&refused, "session_state"));
    assert_eq!(refused, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let bob = user(&site.db, "bob").await;
    let flow = post();
    let page = flow.open().await;
    let page = flow.browser.sign_in(&page, &bob.username, &bob.password).await;
    let denied = form_post(&flow.browser.press(&page, "deny", &[]).await);
    assert_eq!(member(&denied, "error"), "access_denied");
}

/// RFC 6749 §4.1.2, §10.5; the token that came with the code is among what the code gave.
#[tokio::test]
async fn one_of_a_hundred_redeems_a_hybrid_code_and_the_token_that_came_with_it_is_revoked_too() {
    let (site, app) = stage().await;
    let service = service_client(&site.db).await;
    let flow = Flow::new(&site.gateway, &app).with("response_type", "code token");
    let members = fragment(&flow.authorize(&site.alice).await);
    let (code, token) = (member(&members, "code").to_owned(), member(&members, "access_token").to_owned());
    let (flow, mut racing) = (std::sync::Arc::new(flow), tokio::task::JoinSet::new());
    for _ in 0..100 {
        let (flow, code) = (std::sync::Arc::clone(&flow), code.clone());
        racing.spawn(async move { flow.redeem(&code).await });
    }
    let (mut won, mut replays) = (Vec::new(), 0);
    while let Some(page) = racing.join_next().await {
        let page = page.unwrap();
        match page.status.as_u16() {
            200 => won.push(Tokens { body: page.json() }),
            // On a machine that is slow enough some wait for the row longer than lock_timeout, and may ask again.
            503 => assert!(page.headers.contains_key("retry-after")),
            status => {
                let refusal =
                    json!({"error": "invalid_grant", "error_description": "the authorization code is invalid"});
                assert_eq!((status, page.json()), (400, refusal));
                replays += 1;
            }
        }
    }
    assert_eq!((won.len(), replays > 0), (1, true));
    for token in [token.as_str(), won[0].access()] {
        let asking =
            flow.browser.http.post(site.gateway.url("/introspect")).basic_auth(&service.id, service.secret.as_ref());
        let answer = flow.browser.send(asking.form(&[("token", token)])).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"active": false})));
        let userinfo = flow.browser.http.get(site.gateway.url("/userinfo")).bearer_auth(token).send().await.unwrap();
        assert_eq!(userinfo.status(), 401);
        let refused = site.db.app().await.execute("select identity.authenticate($1)", &[&token]).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "ID107");
    }
}
