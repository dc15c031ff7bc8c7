//! Keys are rotated while clients are connected: they keep the key set as long as they may, and never meet a token that they
//! cannot verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::http_site::Site;
use crate::support::{Browser, Gateway, Page};

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

fn kids(page: &Page) -> Vec<String> {
    page.json()["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn jwks(gateway: &Gateway) -> Page {
    Browser::new().get(gateway.url("/jwks.json")).await
}

#[tokio::test]
async fn a_client_that_kept_the_key_set_verifies_what_the_next_key_signs() {
    let site = Site::new().await;
    let flow = site.flow();
    let before = jwks(&site.gateway).await;
    let old = flow.tokens(&site.alice).await;
    let admin = site.db.admin().await;
    // Too young to sign: nobody's key set is that new.
    let born = "update identity.signing_keys set created_at = now() where state = 'next'";
    site.db.superuser().await.batch_execute(born).await.unwrap();
    admin.batch_execute("select identity.rotate_signing_keys()").await.unwrap();
    let between = flow.tokens(&site.alice).await;
    assert_eq!((kid(between.access()), kid(between.id())), (kid(old.access()), kid(old.id())));

    let later = "update identity.signing_keys set created_at = created_at - interval '1 hour' where state = 'next'";
    site.db.superuser().await.batch_execute(later).await.unwrap();
    admin.batch_execute("select identity.rotate_signing_keys()").await.unwrap();
    let new = flow.tokens(&site.alice).await;
    for (new, old) in [(new.access(), old.access()), (new.id(), old.id())] {
        assert_ne!(kid(new), kid(old));
        assert!(kids(&before).contains(&kid(new)), "the key set that a client has kept does not hold {}", kid(new));
    }

    // What the key before signed is as good as it was, everywhere.
    for tokens in [&old, &new] {
        let userinfo = flow.browser.http.get(site.gateway.url("/userinfo")).bearer_auth(tokens.access());
        assert_eq!(flow.browser.send(userinfo).await.json()["sub"], json!(site.alice.id));
        let introspected = flow.call("/introspect", &[("token", tokens.access())]).await;
        assert_eq!(introspected.json()["active"], json!(true), "{}", introspected.body);
    }
    let hint = site.flow().in_browser(flow.browser).with("prompt", "none").with("id_token_hint", old.id()).open().await;
    assert!(hint.location_parameter("code").is_some(), "{:?}", hint.location());

    // A gateway that has kept nothing: both keys and the one after them, as another document.
    let fresh = Gateway::start_beside(&site.db, &[]).await;
    let after = jwks(&fresh).await;
    for token in [old.access(), old.id(), new.access(), new.id()] {
        assert!(kids(&after).contains(&kid(token)), "{}", kid(token));
    }
    assert_eq!(
        kids(&after).iter().filter(|kid| !kids(&before).contains(kid)).count(),
        2,
        "the next ones of both algorithms"
    );
    let known = before.headers["etag"].to_str().unwrap();
    let asked = Browser::new();
    let asked = asked.send(asked.http.get(fresh.url("/jwks.json")).header("If-None-Match", known)).await;
    assert_eq!((asked.status.as_u16(), kids(&asked)), (200, kids(&after)));
}

/// README, decision 13. A gateway keeps it for seconds, and for a quarter of an hour while the database is away.
#[tokio::test]
async fn the_next_key_waits_for_longer_than_anybody_keeps_the_key_set() {
    let site = Site::new().await;
    let page = jwks(&site.gateway).await;
    let kept = page.headers["cache-control"].to_str().unwrap();
    let age: i32 = kept.strip_prefix("public, max-age=").unwrap().parse().unwrap();
    let born = "update identity.signing_keys set created_at = now() where state = 'next'";
    site.db.superuser().await.batch_execute(born).await.unwrap();
    let waits = "select min(extract(epoch from r.due_at - k.created_at))::integer
        from identity.rotate_signing_keys() r join identity.signing_keys k using (kid) where k.state = 'next'";
    let waits: i32 = site.db.superuser().await.query_one(waits, &[]).await.unwrap().get(0);
    assert!(waits >= age + 15 * 60, "{waits} s, and a client keeps it for {age} s");
}
