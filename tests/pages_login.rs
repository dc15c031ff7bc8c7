//! The sign-in page: a first visit, a wrong password, two windows, a second proof.

use crate::pages::{QUIET, assert_is_harmless, assert_keeps_to_itself, header, hostile_client, set_cookies, site};
use crate::support::{Browser, Flow, web_client};

#[tokio::test]
async fn the_sign_in_page_works_for_password_managers_and_screen_readers() {
    let (_db, gateway, _) = site().await;
    let page = Browser::new().open(gateway.url("/login")).await;
    assert_eq!(page.status, 200);
    assert_keeps_to_itself(&page, QUIET);
    for part in [
        "<html lang=\"en\">",
        "<label for=\"username\">",
        "<label for=\"password\">",
        "id=\"username\" name=\"username\"",
        "id=\"password\" name=\"password\"",
        "id=\"sign-in\" name=\"sign-in\"",
        "autocomplete=\"username\"",
        "autocomplete=\"current-password\"",
        "autofocus",
    ] {
        assert!(page.body.contains(part), "{part} is missing:\n{}", page.body);
    }
}

#[tokio::test]
async fn the_sign_in_page_shows_who_asks_and_escapes_all_of_it() {
    let (db, gateway, _) = site().await;
    let page = Flow::new(&gateway, &hostile_client(&db).await).with("scope", "openid profile").open().await;
    assert_eq!(page.url.path(), "/login");
    assert_keeps_to_itself(
        &page,
        "default-src 'none'; style-src 'self'; img-src 'self' https://pictures.example; frame-ancestors 'none'; base-uri 'none'",
    );
    assert!(page.body.contains("&#60;script&#62;alert(1)&#60;/script&#62;"));
    for id in ["logo", "policy", "tos"] {
        assert!(page.has(id), "{id} is missing");
    }
}

#[tokio::test]
async fn a_wrong_password_shows_the_form_again_with_what_was_typed() {
    let (db, gateway, _) = site().await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    let page = flow.open().await;
    for name in ["alice", "nobody\"><script>"] {
        let again = flow.browser.sign_in(&page, name, "wrong").await;
        assert_eq!(again.status, 422);
        assert_eq!(again.text("problem").unwrap(), "The username or the password is not right.");
        let form = again.form("sign-in");
        assert!(form.fields.contains(&("username".into(), name.into())));
        assert!(form.fields.contains(&("password".into(), String::new())));
        assert!(form.fields.iter().any(|(field, value)| field == "resume" && !value.is_empty()));
        assert!(again.body.contains("Notes on the web"), "the client is still shown");
        assert_is_harmless(&again);
        assert!(set_cookies(&again).is_empty());
    }
}

#[tokio::test]
async fn somebody_who_guesses_is_told_how_long_to_wait() {
    let (_db, gateway, alice) = site().await;
    let browser = Browser::new();
    let page = browser.open(gateway.url("/login")).await;
    let mut answer = page.clone();
    for _ in 0..20 {
        answer = browser.sign_in(&page, &alice.username, "wrong").await;
        if answer.status != 422 {
            break;
        }
    }
    assert_eq!(answer.status, 429);
    let seconds: u32 = header(&answer, "retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds));
    assert!(answer.text("problem").unwrap().starts_with("Too many attempts. Wait "));
    assert!(answer.has("sign-in"));
}

#[tokio::test]
async fn a_first_visit_from_another_site_gets_its_cookie_one_request_later() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    let from_elsewhere = |url: &str| flow.browser.http.get(url).header("Sec-Fetch-Site", "cross-site");
    let answer = flow.browser.send(from_elsewhere(flow.url().as_str())).await;
    assert_eq!((answer.status.as_u16(), set_cookies(&answer)), (303, vec![]));
    let moment = flow.browser.send(from_elsewhere(answer.location().unwrap().as_str())).await;
    assert_eq!((moment.status.as_u16(), set_cookies(&moment)), (200, vec![]));
    assert_keeps_to_itself(&moment, QUIET);
    assert!(moment.body.contains("<meta http-equiv=\"refresh\" content=\"0; url=/login?again=yes&#38;resume="));

    // Where the browser thinks that even this is another site, the page stands still.
    let (_, link) = moment.body.split_once("id=\"continue\" href=\"").unwrap();
    let link = gateway.url(&link.split_once('"').unwrap().0.replace("&#38;", "&"));
    let still = flow.browser.send(from_elsewhere(&link)).await;
    assert!(still.has("continue") && !still.body.contains("http-equiv"));

    let page = flow.browser.get(&link).await;
    assert_eq!(set_cookies(&page).len(), 2);
    let consent = flow.browser.sign_in(&page, &alice.username, &alice.password).await;
    let answer = flow.browser.press(&consent, "allow", &[]).await;
    assert!(answer.location_parameter("code").is_some(), "{:?}", answer.location());
}

#[tokio::test]
async fn a_request_begun_in_one_browser_cannot_be_finished_in_another() {
    let (db, gateway, _) = site().await;
    let page = Flow::new(&gateway, &web_client(&db).await).open().await;
    assert!(page.has("sign-in"));
    let elsewhere = Browser::new().get(page.url.clone()).await;
    assert_eq!(elsewhere.status, 400);
    assert!(elsewhere.has("error") && !elsewhere.has("sign-in"));
}

#[tokio::test]
async fn two_windows_of_one_browser_sign_in_side_by_side() {
    let (db, gateway, alice) = site().await;
    let app = web_client(&db).await;
    let first = Flow::new(&gateway, &app).with("state", "first");
    let first_page = first.open().await;
    let second = Flow::new(&gateway, &app).with("state", "second").in_browser(first.browser);
    let second_page = second.open().await;
    for (page, state) in [(second_page, "second"), (first_page, "first")] {
        let mut page = second.browser.sign_in(&page, &alice.username, &alice.password).await;
        if page.has("allow") {
            page = second.browser.press(&page, "allow", &[]).await;
        }
        assert_eq!(page.location_parameter("state").as_deref(), Some(state), "{}", page.body);
        assert!(page.location_parameter("code").is_some());
    }
}

#[tokio::test]
async fn somebody_who_must_prove_it_again_is_asked_by_name() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    flow.code(&alice).await;
    let flow = flow.with("prompt", "login");
    let page = flow.open().await;
    assert!(page.body.contains("Confirm it is you"));
    assert!(page.form("sign-in").fields.contains(&("username".into(), "alice".into())));
    let answer = flow.browser.sign_in(&page, &alice.username, &alice.password).await;
    assert!(answer.location_parameter("code").is_some(), "{}", answer.body);
}

#[tokio::test]
async fn cookies_are_for_this_site_alone() {
    let (_db, gateway, alice) = site().await;
    let browser = Browser::new();
    let page = browser.get(gateway.url("/login")).await;
    let made = set_cookies(&page);
    assert_eq!(made.len(), 2);
    assert!(made[1].starts_with("identity_state=") && made[1].ends_with("; Path=/; SameSite=Lax"), "{made:?}");
    let value = made[0].strip_prefix("identity_browser=").unwrap();
    let value = value.strip_suffix("; Path=/; HttpOnly; SameSite=Lax").unwrap();
    assert_eq!(value.len(), 43, "256 bits");
    assert!(set_cookies(&browser.get(gateway.url("/login")).await).is_empty(), "one a browser");

    let form = page.form("sign-in");
    let csrf = &form.fields.iter().find(|(name, _)| name == "csrf").unwrap().1;
    let fields = [("csrf", csrf.as_str()), ("username", &alice.username), ("password", &alice.password)];
    let answer = browser.post(gateway.url("/login"), &fields).await;
    assert_eq!((answer.status.as_u16(), header(&answer, "location")), (303, Some("/")));
    let made = set_cookies(&answer);
    assert_eq!(made.len(), 3, "{made:?}");
    assert!(made[0].starts_with("identity_session=") && made[0].ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    // The one that a script reads, in frames of other sites too.
    let state = made[1].strip_prefix("identity_state=").unwrap();
    assert_eq!(state.len(), 64 + "; Path=/; SameSite=Lax".len(), "{state}");
    assert!(state.ends_with("; Path=/; SameSite=Lax"));
    assert!(made[2].starts_with("identity_device="));
    assert!(made[2].ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"));
}
