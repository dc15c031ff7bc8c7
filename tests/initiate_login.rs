//! Sign-in that begins here (OpenID Connect Core §4): the account page opens applications that registered where.

use serde_json::json;
use url::Url;

use crate::http_site::Site;
use crate::support::{Flow, client};

#[tokio::test]
async fn the_account_page_opens_an_application_with_the_issuer_and_nothing_else() {
    let site = Site::new().await;
    let metadata = json!({
        "client_name": "Notes \"at\" work", "redirect_uris": ["https://work.example/callback"],
        "initiate_login_uri": "https://work.example/login?team=a%26b"
    });
    let app = client(&site.db, metadata).await;
    // Another one that registered no such address.
    let browser = site.signed_in().await;
    let flow = Flow::new(&site.gateway, &app).in_browser(browser);
    flow.code(&site.alice).await;
    let page = flow.browser.open(site.gateway.url("/")).await;
    let (tag, _) = page.body.split_once("id=\"open-1\"").map(|(_, rest)| rest.split_once('>').unwrap()).unwrap();
    let href = crate::support::attribute_of(tag, "href").unwrap();
    let address = Url::parse(&href).unwrap();
    assert_eq!(address.origin().ascii_serialization(), "https://work.example");
    let found: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    let expected = [("team", "a&b"), ("iss", site.gateway.issuer.as_str())];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(page.body.matches("id=\"open-").count(), 1);
}

#[tokio::test]
async fn what_a_person_has_never_used_can_be_opened_and_not_withdrawn() {
    let site = Site::new().await;
    let metadata = json!({
        "client_name": "Wiki", "redirect_uris": ["https://wiki.example/callback"], "first_party": true,
        "initiate_login_uri": "https://wiki.example/login"
    });
    let wiki = client(&site.db, metadata).await;
    let (browser, page) = crate::pages::at_home(&site.gateway, &site.alice).await;
    assert!(page.body.contains("<bdi>Wiki</bdi>") && page.has("open-1"), "{}", page.body);
    assert!(!page.has("withdraw-1") && !page.body.contains("Allowed"), "{}", page.body);
    let flow = Flow::new(&site.gateway, &wiki).in_browser(browser);
    flow.code(&site.alice).await;
    let page = flow.browser.open(site.gateway.url("/")).await;
    assert!(page.has("open-1") && page.body.contains("Allowed <time"), "{}", page.body);
    let page = flow.browser.press(&page, "withdraw-1", &[]).await;
    assert!(page.has("open-1") && !page.has("withdraw-1"), "{}", page.body);
}
