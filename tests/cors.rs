//! What a script of another origin may read of an answer, whatever the answer is (Fetch standard, "CORS protocol";
//! gateway/src/web/cors.rs).

use crate::http::header;
use crate::support::{Browser, Client, Database, Gateway, Page, service_client, until};

/// Asks for a token as a script does.
async fn ask(gateway: &Gateway, client: &Client, fields: &[(&str, &str)]) -> Page {
    let browser = Browser::new();
    let request = browser.http.post(gateway.url("/token")).header("Origin", "https://app.example");
    browser.send(request.basic_auth(&client.id, client.secret.as_ref()).form(fields)).await
}

/// The same for every origin, without credentials, with those of these headers that a client acts on.
#[track_caller]
fn assert_readable(page: &Page, status: u16) {
    assert_eq!(page.status, status, "{}", page.body);
    assert_eq!(header(page, "access-control-allow-origin"), Some("*"), "{status}");
    let exposed = header(page, "access-control-expose-headers").unwrap_or_default();
    for name in ["www-authenticate", "retry-after"].into_iter().filter(|name| header(page, name).is_some()) {
        assert!(exposed.split(',').any(|listed| listed == name), "{status}: {name} is not among {exposed:?}");
    }
    for never in ["access-control-allow-credentials", "set-cookie"] {
        assert_eq!(header(page, never), None, "{status}");
    }
}

const GOOD: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[tokio::test]
async fn a_script_may_read_every_answer_of_the_token_endpoint_refusals_among_them() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_DATABASE_WAIT", "500")]).await;
    let client = service_client(&db).await;
    assert_readable(&ask(&gateway, &client, &GOOD).await, 200);
    assert_readable(&ask(&gateway, &client, &[("grant_type", "password")]).await, 400);
    let wrong = Client { secret: Some("wrong".into()), ..client.clone() };
    let page = ask(&gateway, &wrong, &GOOD).await;
    assert_readable(&page, 401);
    assert!(header(&page, "www-authenticate").is_some());
    assert_readable(&ask(&gateway, &client, &[("grant_type", &"x".repeat(70_000))]).await, 413);
    let lock = db.superuser().await;
    lock.batch_execute("begin; lock table identity_store.clients in access exclusive mode").await.unwrap();
    let page = ask(&gateway, &client, &GOOD).await;
    assert_readable(&page, 503);
    assert!(header(&page, "retry-after").is_some());
    lock.batch_execute("rollback").await.unwrap();
}

#[tokio::test]
async fn a_script_may_read_that_it_asked_too_often_and_when_to_ask_again() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_LIMIT_PER_SECOND", "1"), ("GATEWAY_LIMIT_BURST", "3")]).await;
    let client = service_client(&db).await;
    let mut refused = None;
    until("a source is over its limit", async || {
        refused = Some(ask(&gateway, &client, &GOOD).await).filter(|page| page.status == 429);
        refused.is_some()
    })
    .await;
    let page = refused.unwrap();
    assert_readable(&page, 429);
    assert!(header(&page, "retry-after").is_some());
    // A page is for nobody else, at its limit as ever.
    let browser = Browser::new();
    let mut refused = None;
    until("a source is over its limit", async || {
        let request = browser.http.get(gateway.url("/login")).header("Origin", "https://app.example");
        let request = request.header("Accept", "text/html");
        refused = Some(browser.send(request).await).filter(|page| page.status == 429);
        refused.is_some()
    })
    .await;
    assert_eq!(header(&refused.unwrap(), "access-control-allow-origin"), None);
}
