//! An issuer with a path: several of them share a host, so nothing of ours is at its root but the well-known documents.

use serde_json::json;
use url::Url;

use crate::operations::{becomes, header};
use crate::support::{Browser, Database, Flow, Gateway, Page, Tokens, user, web_client};

async fn at(path: &str) -> (Database, Gateway, String) {
    let mut db = Database::new().await;
    let host = db.issuer.clone();
    db.issuer.push_str(path);
    db.superuser().await.execute("select identity.configure($1)", &[&db.issuer]).await.unwrap();
    let gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &format!("{host}/readyz"), 200).await;
    (db, gateway, host)
}

/// Where the page's links, forms and pictures lead.
fn addresses(page: &Page) -> Vec<Url> {
    let parts = ["href=\"", "action=\"", "src=\""].iter().flat_map(|name| page.body.split(name).skip(1));
    let texts = parts.map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&"));
    texts.map(|text| page.url.join(&text).unwrap()).collect()
}

/// Every address of this host that a page names is below the issuer, and those that can be opened are there.
async fn assert_below(browser: &Browser, issuer: &str, page: &Page) {
    let issuer = Url::parse(issuer).unwrap();
    let addresses: Vec<_> = addresses(page).into_iter().filter(|url| url.origin() == issuer.origin()).collect();
    assert!(addresses.len() >= 2, "{}", page.body);
    for address in addresses {
        let path = address.path();
        assert!(path == issuer.path() || path.starts_with(&format!("{}/", issuer.path())), "{address}");
        assert_ne!(browser.get(&address).await.status, 404, "{address}");
    }
}

#[tokio::test]
async fn discovery_is_found_in_both_forms() {
    for path in ["/tenant", "/realms/a-b"] {
        let (db, _gateway, host) = at(path).await;
        let browser = Browser::new();
        for name in ["openid-configuration", "oauth-authorization-server"] {
            for url in [format!("{host}{path}/.well-known/{name}"), format!("{host}/.well-known/{name}{path}")] {
                let page = browser.get(&url).await;
                assert_eq!((page.status.as_u16(), &page.json()["issuer"]), (200, &json!(db.issuer)), "{url}");
                for (member, address) in page.json().as_object().unwrap() {
                    if member.ends_with("_endpoint") || member == "jwks_uri" {
                        let address = address.as_str().unwrap();
                        assert!(address.starts_with(&format!("{}/", db.issuer)), "{member}: {address}");
                        assert_ne!(browser.get(address).await.status, 404, "{member}: {address}");
                    }
                }
            }
            // The host without the path is somebody else.
            let page = browser.get(format!("{host}/.well-known/{name}")).await;
            assert_eq!((page.status.as_u16(), page.json()), (404, json!({ "error": "not_found" })));
        }
        assert_eq!(browser.get(format!("{host}/jwks.json")).await.status, 404);
        assert_eq!(browser.get(format!("{host}/login")).await.status, 404);
    }
}

#[tokio::test]
async fn every_page_and_redirect_stays_below_the_path() {
    let (db, gateway, _) = at("/tenant").await;
    let (alice, app) = (user(&db, "alice").await, web_client(&db).await);
    let flow = Flow::new(&gateway, &app);
    let browser = &flow.browser;

    let redirect = browser.get(flow.url()).await;
    assert!(header(&redirect, "location").unwrap().starts_with("/tenant/login?resume="), "{redirect:?}");
    let page = flow.open().await;
    assert_below(&Browser::new(), &db.issuer, &page).await;
    let wrong = browser.sign_in(&page, &alice.username, "not the password").await;
    assert_eq!(wrong.status, 422);
    assert_below(&Browser::new(), &db.issuer, &wrong).await;
    let consent = browser.sign_in(&page, &alice.username, &alice.password).await;
    assert!(consent.has("allow"), "{}", consent.body);
    assert_below(&Browser::new(), &db.issuer, &consent).await;
    let back = browser.press(&consent, "allow", &[]).await;
    assert_eq!(back.location_parameter("iss").as_deref(), Some(db.issuer.as_str()));
    let tokens = Tokens { body: flow.redeem(&back.location_parameter("code").unwrap()).await.json() };
    assert_eq!(Tokens::claims(tokens.access())["iss"], json!(db.issuer));
    assert_eq!(flow.refresh(tokens.refresh()).await.status, 200);

    // The person's own pages, with the slash that people type and without it.
    for home in ["", "/"] {
        let page = browser.open(format!("{}{home}", db.issuer)).await;
        assert_eq!((page.status.as_u16(), page.has("sign-out")), (200, true), "{home:?}: {}", page.body);
        assert_below(&Browser::new(), &db.issuer, &page).await;
    }
    let missing = browser.get(gateway.url("/nowhere")).await;
    assert_eq!(missing.status, 404);
    let page = browser.open(gateway.url("/logout")).await;
    assert_below(&Browser::new(), &db.issuer, &page).await;
    let out = browser.press(&page, "logout-yes", &[]).await;
    assert!(out.has("sign-in-again"), "{}", out.body);
    assert_below(&Browser::new(), &db.issuer, &out).await;
}
