//! Somebody else at the same browser: another person can sign in wherever the present one is asked again, and a page that was
//! made for one session decides nothing in the next (OpenID Connect Core §3.1.2.1, §3.1.2.2).

use crate::pages::site;
use crate::support::{Browser, Flow, Gateway, Page, Tokens, User, user, web_client};

/// A sign-in page that is for anybody.
#[track_caller]
fn assert_asks_anybody(page: &Page) {
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/login"), "{}", page.body);
    assert!(!page.body.contains("Confirm it is you"), "{}", page.body);
    assert!(page.form("sign-in").fields.contains(&("username".into(), String::new())), "{}", page.body);
}

/// Signs in as somebody on this page and allows what is asked; whose the tokens are.
async fn subject(flow: &Flow, page: &Page, user: &User) -> String {
    let mut page = flow.browser.sign_in(page, &user.username, &user.password).await;
    if page.has("allow") {
        page = flow.browser.press(&page, "allow", &[]).await;
    }
    let code = page.location_parameter("code").unwrap_or_else(|| panic!("no code: {}", page.body));
    let tokens = flow.redeem(&code).await.json();
    Tokens::claims(tokens["id_token"].as_str().unwrap())["sub"].as_str().unwrap().to_owned()
}

async fn signs_in_again(browser: &Browser, gateway: &Gateway, user: &User) {
    let login = browser.get(gateway.url("/login")).await;
    assert!(login.body.contains("Confirm it is you"));
    let home = browser.sign_in(&login, &user.username, &user.password).await;
    assert_eq!(home.url.path(), "/", "{}", home.body);
}

#[tokio::test]
async fn to_select_an_account_is_not_to_confirm_the_present_one() {
    let (db, gateway, alice) = site().await;
    let bob = user(&db, "bob").await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    flow.code(&alice).await;
    let flow = flow.with("prompt", "select_account");
    let page = flow.browser.press(&flow.open().await, "other-account", &[]).await;
    assert_asks_anybody(&page);
    assert_eq!(subject(&flow, &page, &bob).await, bob.id.to_string());
}

#[tokio::test]
async fn not_you_leads_to_a_page_for_somebody_else() {
    let (db, gateway, alice) = site().await;
    let bob = user(&db, "bob").await;
    let app = web_client(&db).await;
    // From the consent page, and from the page that asks the present person again.
    for (prompt, begins) in [("consent", "allow"), ("login", "sign-in")] {
        let flow = Flow::new(&gateway, &app);
        flow.code(&alice).await;
        let flow = flow.with("prompt", prompt);
        let page = flow.open().await;
        assert!(page.has(begins), "{}", page.body);
        let (_, link) = page.body.split_once("id=\"other-account\" href=\"").expect(&page.body);
        let link = link.split_once('"').unwrap().0.replace("&#38;", "&");
        let page = flow.browser.get(gateway.url(&link)).await;
        assert_asks_anybody(&page);
        assert_eq!(subject(&flow, &page, &bob).await, bob.id.to_string());
    }
}

#[tokio::test]
async fn an_id_token_hint_of_somebody_else_asks_for_them_and_never_without_a_page() {
    let (db, gateway, alice) = site().await;
    let bob = user(&db, "bob").await;
    let app = web_client(&db).await;
    let hint = Flow::new(&gateway, &app).tokens(&bob).await.id().to_owned();
    let flow = Flow::new(&gateway, &app);
    flow.code(&alice).await;
    let flow = flow.with("id_token_hint", &hint).with("prompt", "none");
    let page = flow.open().await;
    assert_eq!(page.location_parameter("error").as_deref(), Some("login_required"));
    let flow = flow.without("prompt");
    let page = flow.open().await;
    assert_asks_anybody(&page);
    let alice_again = flow.browser.sign_in(&page, &alice.username, &alice.password).await;
    assert_eq!(alice_again.location_parameter("error").as_deref(), Some("login_required"), "still not the one");
    let page = flow.open().await;
    assert_eq!(subject(&flow, &page, &bob).await, bob.id.to_string());
}

/// The form is old, not forged: the person decides on the page as it is now.
#[tokio::test]
async fn a_consent_page_in_a_second_window_asks_again_after_the_same_person_has_signed_in_again() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    let first = flow.browser.sign_in(&flow.open().await, &alice.username, &alice.password).await;
    assert!(first.has("allow"));
    signs_in_again(&flow.browser, &gateway, &alice).await;

    let form = first.form("allow");
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = flow.browser.post(gateway.url("/consent"), &[&fields[..], &[("allow", "yes")]].concat()).await;
    assert_eq!((answer.status.as_u16(), answer.location().unwrap().path()), (303, "/consent"));
    let consents = "select count(*) from identity_store.consents";
    assert_eq!(db.superuser().await.query_one(consents, &[]).await.unwrap().get::<_, i64>(0), 0, "nothing was allowed");
    let second = flow.browser.follow(answer).await;
    let allowed = flow.browser.press(&second, "allow", &[]).await;
    assert!(allowed.location_parameter("code").is_some(), "{}", allowed.body);

    // In another browser it is forged, whatever its session.
    let elsewhere = Browser::new();
    let login = elsewhere.open(gateway.url("/login")).await;
    elsewhere.sign_in(&login, &alice.username, &alice.password).await;
    let stolen = elsewhere.post(gateway.url("/consent"), &[&fields[..], &[("allow", "yes")]].concat()).await;
    assert_eq!((stolen.status.as_u16(), stolen.text("error")), (403, Some("invalid_request".into())));
    assert!(stolen.location().is_none());
}
