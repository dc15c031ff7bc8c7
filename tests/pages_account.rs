//! The home page and signing out.

use crate::pages::{QUIET, assert_keeps_to_itself, at_home, header, hostile_client, set_cookies, site};
use crate::support::{Browser, Flow, User};

#[tokio::test]
async fn the_home_page_is_for_people_who_are_signed_in() {
    let (_db, gateway, alice) = site().await;
    let stranger = Browser::new().get(gateway.url("/")).await;
    assert_eq!((stranger.status.as_u16(), header(&stranger, "location")), (303, Some("/login")));
    let (_, home) = at_home(&gateway, &alice).await;
    assert_keeps_to_itself(&home, QUIET);
    assert_eq!(home.text("person").unwrap(), "alice Liddell");
    assert!(home.body.contains("alice@people.example"));
    assert!(!home.has("end-session-2") && !home.has("end-others"), "there is no other session");
}

#[tokio::test]
async fn a_person_ends_a_session_elsewhere() {
    let (_db, gateway, alice) = site().await;
    let (here, _) = at_home(&gateway, &alice).await;
    let (there, _) = at_home(&gateway, &alice).await;
    let home = here.open(gateway.url("/")).await;
    assert!(!home.has("end-session-1"), "the first one is this browser's");
    let after = here.press(&home, "end-session-2", &[]).await;
    assert_eq!(after.text("notice").unwrap(), "That session has been ended.");
    assert!(!after.has("end-others"));
    assert_eq!(there.open(gateway.url("/")).await.url.path(), "/login");
    // The same button in a second window.
    let again = here.press(&home, "end-session-2", &[]).await;
    assert_eq!((again.status.as_u16(), again.url.path()), (200, "/"));
}

#[tokio::test]
async fn a_person_ends_all_other_sessions() {
    let (_db, gateway, alice) = site().await;
    let (here, _) = at_home(&gateway, &alice).await;
    let (there, _) = at_home(&gateway, &alice).await;
    let home = here.open(gateway.url("/")).await;
    let after = here.press(&home, "end-others", &[]).await;
    assert_eq!(after.text("notice").unwrap(), "All other sessions have been ended.");
    assert_eq!(there.open(gateway.url("/")).await.url.path(), "/login");
}

#[tokio::test]
async fn a_person_withdraws_an_application() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &hostile_client(&db).await).with("scope", "openid profile");
    flow.code(&alice).await;
    let home = flow.browser.open(gateway.url("/")).await;
    assert!(home.body.contains("&#60;script&#62;alert(1)&#60;/script&#62;"));
    assert_keeps_to_itself(
        &home,
        "default-src 'none'; style-src 'self'; img-src 'self' https://pictures.example; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    );
    let after = flow.browser.press(&home, "withdraw-1", &[]).await;
    assert_eq!(after.text("notice").unwrap(), "The application has lost its access to your account.");
    assert!(!after.has("withdraw-1"));
    assert!(flow.open().await.has("allow"), "asked again");
}

#[tokio::test]
async fn a_person_changes_the_password() {
    let (_db, gateway, alice) = site().await;
    let (here, home) = at_home(&gateway, &alice).await;
    let (there, _) = at_home(&gateway, &alice).await;
    let new = "a completely new battery staple";
    let change = async |old: &str, new: &str, again: &str| {
        let fields = [("old_password", old), ("new_password", new), ("new_password_again", again)];
        here.press(&home, "change-password", &fields).await
    };
    let answer = change(&alice.password, new, "something else").await;
    assert_eq!(
        (answer.status.as_u16(), answer.text("problem").unwrap()),
        (422, "The two new passwords are not the same.".into())
    );
    assert_keeps_to_itself(&answer, QUIET);
    let answer = change("wrong", new, new).await;
    assert_eq!(
        (answer.status.as_u16(), answer.text("problem").unwrap()),
        (422, "The current password is not right.".into())
    );
    let answer = change(&alice.password, "short", "short").await;
    assert_eq!(answer.status, 422);
    assert!(answer.has("problem") && answer.has("change-password"));
    let answer = change(&alice.password, new, new).await;
    assert_eq!(answer.text("notice").unwrap(), "Your password has been changed. You are signed out everywhere else.");
    assert_eq!(there.open(gateway.url("/")).await.url.path(), "/login");
    at_home(&gateway, &User { password: new.into(), ..alice }).await;
}

#[tokio::test]
async fn signing_out_is_asked_for_and_then_final() {
    let (_db, gateway, alice) = site().await;
    let (browser, _) = at_home(&gateway, &alice).await;
    let page = browser.open(gateway.url("/logout")).await;
    assert!(page.has("logout-yes") && page.has("logout-no"));
    let stayed = browser.press(&page, "logout-no", &[]).await;
    assert_eq!((stayed.status.as_u16(), stayed.url.path()), (200, "/"));
    let second_window = browser.open(gateway.url("/logout")).await;
    let out = browser.press(&page, "logout-yes", &[]).await;
    assert_eq!((out.status.as_u16(), out.url.path()), (200, "/logout/done"));
    assert!(out.has("logged-out"));
    assert_keeps_to_itself(&out, QUIET);
    assert_eq!(browser.open(gateway.url("/")).await.url.path(), "/login");
    assert!(browser.press(&second_window, "logout-yes", &[]).await.has("logged-out"));
    assert!(browser.open(gateway.url("/logout")).await.has("logged-out"), "nobody is signed in");
}

#[tokio::test]
async fn who_is_signed_in_is_named_where_a_logout_is_about_somebody_else() {
    let (_db, gateway, alice) = site().await;
    let (browser, _) = at_home(&gateway, &alice).await;
    let page = browser.open(gateway.url("/logout?logout_hint=bob")).await;
    assert_eq!(page.text("signed-in-as").as_deref(), Some("You are signed in as alice Liddell."));
    assert_keeps_to_itself(
        &page,
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    assert!(!browser.open(gateway.url("/logout?logout_hint=alice")).await.has("signed-in-as"));
}

#[tokio::test]
async fn a_logout_request_by_post_comes_back_as_get() {
    let (_db, gateway, _) = site().await;
    let browser = Browser::new();
    let fields = [("client_id", "a b"), ("state", "ü&")];
    let request = browser.http.post(gateway.url("/logout")).header("Sec-Fetch-Site", "cross-site").form(&fields);
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 303);
    assert_eq!(header(&answer, "location"), Some("/logout?client_id=a+b&state=%C3%BC%26"));
    assert!(set_cookies(&answer).is_empty());
    let long = "x".repeat(7000);
    let answer = browser.post(gateway.url("/logout"), &[("state", &long)]).await;
    assert_eq!((answer.status.as_u16(), answer.text("error").as_deref()), (400, Some("invalid_request")));
}
