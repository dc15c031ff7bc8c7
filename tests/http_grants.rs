//! Codes and refresh tokens over HTTP.

use serde_json::{Value, json};

use crate::http::{Bench, assert_error};
use crate::support::{Flow, Tokens, public_client, user, web_client};

#[tokio::test]
async fn a_wrong_verifier_neither_redeems_nor_consumes_the_code() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let public = public_client(&bench.db).await;
    let flow = Flow::new(&bench.gateway, &public);
    let code = flow.code(&alice).await;
    let redirect_uri = public.redirect_uri();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", redirect_uri)];
    assert_error(&flow.token(&fields).await, 400, "invalid_grant");
    let wrong = [&fields[..], &[("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong")]].concat();
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
    assert_error(&flow.refresh(first["refresh_token"].as_str().unwrap()).await, 400, "invalid_grant");
    let request = bench.browser.http.get(bench.gateway.url("/userinfo"));
    let page = bench.browser.send(request.bearer_auth(first["access_token"].as_str().unwrap())).await;
    assert_error(&page, 401, "invalid_token");
}

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
            let fields =
                [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("client_id", &public.id)];
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
        assert_eq!(Tokens::claims(refreshed["access_token"].as_str().unwrap())["aud"], audience);
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refreshed["refresh_token"].as_str().unwrap()),
            ("resource", "https://other.example"),
        ];
        assert_error(&flow.token(&fields).await, 400, "invalid_target");
    }
}
