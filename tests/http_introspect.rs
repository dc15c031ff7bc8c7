//! The introspection and revocation endpoints over HTTP.

use serde_json::json;

use crate::http::{Bench, assert_answer, assert_error};
use crate::support::{Client, Database, Flow, Tokens, client, public_client, user, web_client};

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
    // README, decision 12: a stranger learns nothing, a refresh token is for its own client only.
    let stranger = Flow::new(&bench.gateway, &web_client(&bench.db).await);
    assert_answer(&stranger.call("/introspect", &[("token", tokens.access())]).await, 200, &dead);
    let any = Flow::new(&bench.gateway, &service_client_with_redirect(&bench.db).await);
    assert_eq!(any.call("/introspect", &[("token", tokens.access())]).await.json()["active"], true);
    assert_answer(&any.call("/introspect", &[("token", tokens.refresh())]).await, 200, &dead);
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
