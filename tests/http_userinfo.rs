//! The userinfo endpoint over HTTP.

use serde_json::json;

use crate::http::{Bench, assert_answer, assert_error, header};
use crate::support::{Flow, Tokens, user, web_client};

/// Line 20.
#[tokio::test]
async fn userinfo_takes_the_token_by_get_by_post_header_and_by_post_body() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let tokens = Flow::new(&bench.gateway, &web_client(&bench.db).await).tokens(&alice).await;
    let url = bench.gateway.url("/userinfo");
    let http = &bench.browser.http;
    let requests = [
        http.get(&url).bearer_auth(tokens.access()),
        http.get(&url).header("Authorization", format!("bearer {}", tokens.access())),
        http.post(&url).bearer_auth(tokens.access()),
        http.post(&url).form(&[("access_token", tokens.access())]),
    ];
    for request in requests {
        let page = bench.browser.send(request).await;
        let body = page.json();
        assert_answer(&page, 200, &body);
        assert_eq!(body["sub"], Tokens::claims(tokens.id())["sub"]);
        assert_eq!((&body["name"], &body["email"]), (&json!("alice Liddell"), &json!("alice@people.example")));
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
    for request in [http.get(&url), http.post(&url), http.get(&url).basic_auth("a", Some("b"))] {
        let page = bench.browser.send(request).await;
        assert_eq!((page.status.as_u16(), header(&page, "www-authenticate")), (401, Some(realm.as_str())));
    }
    let page = bench.browser.send(http.get(&url).bearer_auth("a.b.c")).await;
    assert_error(&page, 401, "invalid_token");
    let challenge = header(&page, "www-authenticate").unwrap();
    assert!(challenge.starts_with(&format!("{realm}, error=\"invalid_token\", error_description=\"")), "{challenge}");

    let tokens = Flow::new(&bench.gateway, &web).with("scope", "profile").tokens(&alice).await;
    let page = bench.browser.send(http.get(&url).bearer_auth(tokens.access())).await;
    assert_error(&page, 403, "insufficient_scope");
    let challenge = header(&page, "www-authenticate").unwrap();
    assert!(challenge.starts_with(&format!("{realm}, error=\"insufficient_scope\"")), "{challenge}");
    assert!(challenge.ends_with("scope=\"openid\""), "{challenge}");

    let twice = http.post(&url).bearer_auth(tokens.access()).form(&[("access_token", tokens.access())]);
    let page = bench.browser.send(twice).await;
    assert_error(&page, 400, "invalid_request");
    assert!(header(&page, "www-authenticate").unwrap().contains("error=\"invalid_request\""));
    // RFC 9700 §4.3.2: a token in a URL is in every log, and is not looked at.
    let page = bench.browser.get(format!("{url}?access_token={}", tokens.access())).await;
    assert_eq!((page.status.as_u16(), header(&page, "www-authenticate")), (401, Some(realm.as_str())));
}
