//! The account chooser, `prompt=select_account`, without script (sql/store/functions/select_account.sql).

use serde_json::{Value, json};

use crate::authorize::{authorize, call, code, request, session, with};
use crate::http_site::{Site, assert_refused};
use crate::support::{Browser, Database, Flow, Page, Tokens, User, user, web_client};

/// Whose code a redirect carries.
async fn subject(flow: &Flow, page: &Page) -> Value {
    let code = page.location_parameter("code").unwrap_or_else(|| panic!("no code: {} {}", page.status, page.body));
    Tokens::claims(flow.redeem(&code).await.json()["id_token"].as_str().unwrap())["sub"].take()
}

/// Signs somebody in by the page for another account, and allows.
async fn sign_in_as(flow: &Flow, page: &Page, person: &User) -> Page {
    let mut page = flow.browser.sign_in(page, &person.username, &person.password).await;
    if page.has("allow") {
        page = flow.browser.press(&page, "allow", &[]).await;
    }
    page
}

/// A browser that alice has used and in which bob is signed in.
async fn shared_browser(site: &Site, bob: &User) -> Browser {
    let flow = site.flow().in_browser(site.signed_in().await).with("prompt", "login");
    let page = flow.open().await;
    sign_in_as(&flow, &page, bob).await;
    flow.browser
}

#[tokio::test]
async fn the_chooser_goes_on_as_who_is_signed_in_and_asks_anybody_else_for_a_password() {
    let site = Site::new().await;
    let bob = user(&site.db, "bob").await;
    let flow = site.flow().in_browser(shared_browser(&site, &bob).await).with("prompt", "select_account");
    let page = flow.open().await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/select-account"));
    let names: Vec<String> = page.form("other-account").buttons.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["account-1", "account-2", "other-account"]);
    assert_eq!(page.text("account-1").as_deref(), Some("bob Liddell bob"));
    assert_eq!(page.text("account-2").as_deref(), Some("alice Liddell alice · signed out"));
    assert!(!page.body.contains("<script"));

    let there = flow.browser.press(&page, "account-1", &[]).await;
    assert_eq!(subject(&flow, &there).await, json!(bob.id));

    let login = flow.browser.press(&page, "account-2", &[]).await;
    assert_eq!(login.url.path(), "/login");
    assert!(login.form("sign-in").fields.contains(&("username".into(), "alice".into())), "{}", login.body);
    let there = sign_in_as(&flow, &login, &site.alice).await;
    assert_eq!(subject(&flow, &there).await, json!(site.alice.id));
}

#[tokio::test]
async fn another_account_is_a_page_for_anybody_whatever_the_client_had_in_mind() {
    let site = Site::new().await;
    let bob = user(&site.db, "bob").await;
    let flow = site.flow().in_browser(site.signed_in().await);
    let flow = flow.with("prompt", "select_account").with("login_hint", "carol");
    let login = flow.browser.press(&flow.open().await, "other-account", &[]).await;
    assert_eq!(login.url.path(), "/login");
    assert!(login.form("sign-in").fields.contains(&("username".into(), String::new())), "{}", login.body);
    assert_eq!(subject(&flow, &sign_in_as(&flow, &login, &bob).await).await, json!(bob.id));
}

#[tokio::test]
async fn who_signs_out_leaves_no_name_behind() {
    let site = Site::new().await;
    let flow = site.flow().in_browser(site.signed_in().await).with("prompt", "select_account");
    let page = flow.browser.open(site.gateway.url("/logout")).await;
    flow.browser.press(&page, "logout-yes", &[]).await;
    let page = flow.open().await;
    assert_eq!(page.url.path(), "/login");
    assert!(!page.body.contains("alice"), "{}", page.body);
    let there = sign_in_as(&flow, &page, &site.alice).await;
    assert_eq!(subject(&flow, &there).await, json!(site.alice.id), "and is not asked to choose afterwards");
}

#[tokio::test]
async fn the_chosen_still_prove_and_allow_what_the_client_wants() {
    let site = Site::new().await;
    let mut browser = site.signed_in().await;
    for (prompt, then) in [
        ("select_account login", "sign-in"),
        ("select_account consent", "allow"),
        ("consent select_account login", "sign-in"),
    ] {
        let flow = site.flow().in_browser(browser).with("prompt", prompt);
        let page = flow.browser.press(&flow.open().await, "account-1", &[]).await;
        assert!(page.has(then), "{prompt}: {}", page.body);
        let page = if then == "sign-in" {
            sign_in_as(&flow, &page, &site.alice).await
        } else {
            flow.browser.press(&page, then, &[]).await
        };
        assert_eq!(subject(&flow, &page).await, json!(site.alice.id), "{prompt}");
        browser = flow.browser;
    }
    let flow = site.flow().in_browser(browser).with("prompt", "none select_account");
    assert_refused(&site, &flow.open().await, "invalid_request");
}

/// The numbers are those of the page; who is signed in now is another question.
#[tokio::test]
async fn a_chooser_seen_before_somebody_else_signed_in_chooses_nobody() {
    let site = Site::new().await;
    let bob = user(&site.db, "bob").await;
    let flow = site.flow().in_browser(site.signed_in().await).with("prompt", "select_account");
    let old = flow.open().await;
    let login = flow.browser.press(&old, "other-account", &[]).await;
    sign_in_as(&flow, &login, &bob).await;
    let page = flow.browser.press(&old, "account-1", &[]).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/select-account"));
    assert!(page.text("account-1").unwrap().starts_with("bob"), "{}", page.body);
    // No page of ours, no choice.
    let forged = [("resume", "x"), ("account-1", "yes")];
    assert_eq!(flow.browser.post(site.gateway.url("/select-account"), &forged).await.status, 403);
}

#[tokio::test]
async fn a_choice_is_worth_nothing_to_anybody_else() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let (of_alice, of_bob) = (session(&sql, &alice).await, session(&sql, &bob).await);
    code(&sql, &request(&app), &of_alice).await;
    code(&sql, &request(&app), &of_bob).await;
    let asked = with(request(&app), json!({"prompt": "select_account consent"}));
    let (outcome, chooser) = authorize(&sql, &asked, Some(&of_alice)).await;
    assert_eq!(outcome, "select_account");
    let (resume, nothing) = (chooser["resume"].as_str().unwrap(), None::<&str>);
    let (outcome, consent) =
        call(&sql, "select_account", &[&resume, &of_alice, &"browser", &nothing, &Some(1_i32)]).await;
    assert_eq!(outcome, "consent");
    // The sealed request says who was chosen; with the session of another it asks again.
    let chosen = consent["resume"].as_str().unwrap();
    let answer = call(&sql, "authorization_resume", &[&chosen, &of_bob, &"browser"]).await;
    assert_eq!(answer.0, "select_account");
    assert_eq!(call(&sql, "consent_decide", &[&chosen, &of_bob, &"browser", &"allow"]).await.0, "select_account");
    assert_eq!(call(&sql, "consent_page", &[&chosen, &of_bob, &"browser"]).await.0, "select_account");
    for (session, browser) in [(&of_alice, Some("other")), (&of_alice, None)] {
        let page = call(&sql, "select_account_page", &[&resume, session, &browser, &nothing]).await;
        let choice = call(&sql, "select_account", &[&resume, session, &browser, &nothing, &Some(1_i32)]).await;
        assert_eq!((page.0.as_str(), choice.0.as_str()), ("error_page", "error_page"));
    }
    // Nobody signed in: nobody to choose, and no name told, whatever the device cookie knows.
    let page = call(&sql, "select_account_page", &[&resume, &"ids_forged", &"browser", &nothing]).await;
    assert_eq!((page.0.as_str(), page.1.get("accounts")), ("sign_in", None));
    for number in [None, Some(0_i32), Some(2), Some(i32::MAX), Some(-1)] {
        let answer = call(&sql, "select_account", &[&resume, &of_alice, &"browser", &nothing, &number]).await;
        assert_eq!(answer.0, "sign_in", "{number:?}");
    }
}
