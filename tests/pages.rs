//! What a person sees: every page, its headers and cookies, and the forms that are refused.

use serde_json::json;

use crate::support::{Browser, Client, Database, Flow, Form, Gateway, Page, User, client, user, web_client};

/// A database with one person, and the gateway before it.
async fn site() -> (Database, Gateway, User) {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let alice = user(&db, "alice").await;
    (db, gateway, alice)
}

/// Somebody at their home page.
async fn at_home(gateway: &Gateway, user: &User) -> (Browser, Page) {
    let browser = Browser::new();
    let login = browser.open(gateway.url("/")).await;
    let home = browser.sign_in(&login, &user.username, &user.password).await;
    assert_eq!((home.status.as_u16(), home.url.path()), (200, "/"), "{}", home.body);
    (browser, home)
}

/// A client whose every text is an attack.
async fn hostile_client(db: &Database) -> Client {
    let metadata = json!({
        "client_name": "<script>alert(1)</script>\"'&",
        "redirect_uris": ["https://notes.example/callback"],
        "client_uri": "https://notes.example/\"><script>",
        "logo_uri": "https://pictures.example/logo.png?\"><script>",
        "policy_uri": "https://notes.example/policy",
        "tos_uri": "https://notes.example/terms",
        "scope": "openid profile"
    });
    client(db, metadata).await
}

fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.get(name).map(|value| value.to_str().unwrap())
}

fn set_cookies(page: &Page) -> Vec<String> {
    page.headers
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap().to_owned())
        .collect()
}

/// The part of a page that nobody may have written into.
fn assert_is_harmless(page: &Page) {
    for markup in ["<script", "javascript:", "style=\"", "onclick"] {
        assert!(!page.body.contains(markup), "{markup} in {}:\n{}", page.url, page.body);
    }
}

/// The headers of every page, whatever it shows.
fn assert_keeps_to_itself(page: &Page, policy: &str) {
    let expected = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", policy),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in expected {
        assert_eq!(header(page, name), Some(value), "{name} of {}", page.url);
    }
    assert_eq!(header(page, "access-control-allow-origin"), None);
    assert_is_harmless(page);
}

const QUIET: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

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
    let page = Flow::new(&gateway, &hostile_client(&db).await)
        .with("scope", "openid profile")
        .open()
        .await;
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
        assert_eq!(again.status, 401);
        assert_eq!(
            again.text("problem").unwrap(),
            "The username or the password is not right."
        );
        let form = again.form("sign-in");
        assert!(form.fields.contains(&("username".into(), name.into())));
        assert!(form.fields.contains(&("password".into(), String::new())));
        assert!(
            form.fields
                .iter()
                .any(|(field, value)| field == "resume" && !value.is_empty())
        );
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
        if answer.status != 401 {
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
async fn cookies_are_for_this_site_alone() {
    let (_db, gateway, alice) = site().await;
    let browser = Browser::new();
    let page = browser.get(gateway.url("/login")).await;
    let made = set_cookies(&page);
    assert_eq!(made.len(), 1);
    let value = made[0].strip_prefix("identity_browser=").unwrap();
    let value = value.strip_suffix("; Path=/; HttpOnly; SameSite=Lax").unwrap();
    assert_eq!(value.len(), 43, "256 bits");
    assert!(
        set_cookies(&browser.get(gateway.url("/login")).await).is_empty(),
        "one a browser"
    );

    let form = page.form("sign-in");
    let csrf = &form.fields.iter().find(|(name, _)| name == "csrf").unwrap().1;
    let fields = [
        ("csrf", csrf.as_str()),
        ("username", &alice.username),
        ("password", &alice.password),
    ];
    let answer = browser.post(gateway.url("/login"), &fields).await;
    assert_eq!((answer.status.as_u16(), header(&answer, "location")), (303, Some("/")));
    let made = set_cookies(&answer);
    assert_eq!(made.len(), 2, "{made:?}");
    assert!(made[0].starts_with("identity_session=") && made[0].ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    assert!(made[1].starts_with("identity_device="));
    assert!(made[1].ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"));
}

#[tokio::test]
async fn a_first_visit_from_another_site_gets_its_cookie_one_request_later() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    let from_elsewhere = |url: &str| flow.browser.http.get(url).header("Sec-Fetch-Site", "cross-site");
    let answer = flow.browser.send(from_elsewhere(flow.url().as_str())).await;
    assert_eq!((answer.status.as_u16(), set_cookies(&answer)), (303, vec![]));
    let moment = flow
        .browser
        .send(from_elsewhere(answer.location().unwrap().as_str()))
        .await;
    assert_eq!((moment.status.as_u16(), set_cookies(&moment)), (200, vec![]));
    assert_keeps_to_itself(&moment, QUIET);
    assert!(
        moment
            .body
            .contains("<meta http-equiv=\"refresh\" content=\"0; url=/login?again=yes&#38;resume=")
    );

    // Where the browser thinks that even this is another site, the page stands still.
    let (_, link) = moment.body.split_once("id=\"continue\" href=\"").unwrap();
    let link = gateway.url(&link.split_once('"').unwrap().0.replace("&#38;", "&"));
    let still = flow.browser.send(from_elsewhere(&link)).await;
    assert!(still.has("continue") && !still.body.contains("http-equiv"));

    let page = flow.browser.get(&link).await;
    assert_eq!(set_cookies(&page).len(), 1);
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
    let second = Flow::new(&gateway, &app)
        .with("state", "second")
        .in_browser(first.browser);
    let second_page = second.open().await;
    for (page, state) in [(second_page, "second"), (first_page, "first")] {
        let mut page = second.browser.sign_in(&page, &alice.username, &alice.password).await;
        if page.has("allow") {
            page = second.browser.press(&page, "allow", &[]).await;
        }
        assert_eq!(
            page.location_parameter("state").as_deref(),
            Some(state),
            "{}",
            page.body
        );
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
    assert!(
        page.form("sign-in")
            .fields
            .contains(&("username".into(), "alice".into()))
    );
    let answer = flow.browser.sign_in(&page, &alice.username, &alice.password).await;
    assert!(answer.location_parameter("code").is_some(), "{}", answer.body);
}

#[tokio::test]
async fn the_consent_page_says_who_gets_what_and_where_one_lands() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &hostile_client(&db).await).with("scope", "openid profile");
    let page = flow
        .browser
        .sign_in(&flow.open().await, &alice.username, &alice.password)
        .await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/consent"));
    assert_keeps_to_itself(
        &page,
        "default-src 'none'; style-src 'self'; img-src 'self' https://pictures.example; frame-ancestors 'none'; base-uri 'none'",
    );
    assert_eq!(page.text("redirect-host").unwrap(), "notes.example");
    for part in [
        "See your name and profile",
        "alice Liddell",
        "&#60;script&#62;alert(1)&#60;/script&#62;",
    ] {
        assert!(page.body.contains(part), "{part} is missing:\n{}", page.body);
    }
    for id in ["logo", "policy", "tos", "allow", "deny"] {
        assert!(page.has(id), "{id} is missing");
    }
    let refused = flow.browser.press(&page, "deny", &[]).await;
    assert_eq!(refused.status, 303);
    assert_eq!(refused.location_parameter("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn a_consent_page_allows_nothing_for_whoever_signs_in_next() {
    let (db, gateway, alice) = site().await;
    let bob = user(&db, "bob").await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    let for_alice = flow
        .browser
        .sign_in(&flow.open().await, &alice.username, &alice.password)
        .await;
    let login = flow.browser.get(gateway.url("/login")).await;
    flow.browser.sign_in(&login, &bob.username, &bob.password).await;
    let answer = flow.browser.press(&for_alice, "allow", &[]).await;
    assert_eq!(answer.status, 403);
    let consents: i64 = db
        .superuser()
        .await
        .query_one("select count(*) from identity_store.consents", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(consents, 0);
}

#[tokio::test]
async fn a_form_that_no_page_of_ours_sent_does_nothing() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    flow.code(&alice).await;
    let browser = flow.browser;
    let home = browser.open(gateway.url("/")).await;
    let csrf = home.form("change-password").fields[0].1.clone();
    let other = at_home(&gateway, &alice).await.1.form("change-password").fields[0]
        .1
        .clone();
    assert_ne!(csrf, other);
    let posts: [(&str, &[(&str, &str)]); 7] = [
        (
            "/login",
            &[("username", "alice"), ("password", "correct horse battery alice")],
        ),
        ("/consent", &[("allow", "yes"), ("resume", "x")]),
        ("/logout/confirm", &[("logout-yes", "yes"), ("resume", "x")]),
        (
            "/sessions/end",
            &[("session_id", "00000000-0000-0000-0000-000000000000")],
        ),
        ("/sessions/end-others", &[]),
        ("/applications/withdraw", &[("client_id", "x")]),
        (
            "/password",
            &[
                ("old_password", &alice.password),
                ("new_password", "a"),
                ("new_password_again", "a"),
            ],
        ),
    ];
    for (path, fields) in posts {
        let forgeries = [
            ("", ""),
            (other.as_str(), ""),
            (csrf.as_str(), "cross-site"),
            (csrf.as_str(), "same-site"),
        ];
        for (token, site) in forgeries {
            let mut fields = fields.to_vec();
            fields.push(("csrf", token));
            let mut request = browser.http.post(gateway.url(path)).form(&fields);
            if !site.is_empty() {
                request = request.header("Sec-Fetch-Site", site);
            }
            let answer = browser.send(request).await;
            assert_eq!(answer.status, 403, "{path} with {token:?} from {site:?}");
            assert_eq!(answer.text("error").as_deref(), Some("invalid_request"));
            assert_keeps_to_itself(&answer, QUIET);
            assert!(set_cookies(&answer).is_empty());
        }
    }
    let home = browser.open(gateway.url("/")).await;
    assert_eq!(home.url.path(), "/", "still signed in");
    assert!(
        home.has("withdraw-1") && home.has("end-session-2"),
        "nothing was ended:\n{}",
        home.body
    );
}

#[tokio::test]
async fn the_home_page_is_for_people_who_are_signed_in() {
    let (_db, gateway, alice) = site().await;
    let stranger = Browser::new().get(gateway.url("/")).await;
    assert_eq!(
        (stranger.status.as_u16(), header(&stranger, "location")),
        (303, Some("/login"))
    );
    let (_, home) = at_home(&gateway, &alice).await;
    assert_keeps_to_itself(&home, QUIET);
    assert_eq!(home.text("person").unwrap(), "alice Liddell");
    assert!(home.body.contains("alice@people.example"));
    assert!(
        !home.has("end-session-2") && !home.has("end-others"),
        "there is no other session"
    );
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
    assert_eq!(
        after.text("notice").unwrap(),
        "The application has lost its access to your account."
    );
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
        let fields = [
            ("old_password", old),
            ("new_password", new),
            ("new_password_again", again),
        ];
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
    assert_eq!(
        answer.text("notice").unwrap(),
        "Your password has been changed. You are signed out everywhere else."
    );
    assert_eq!(there.open(gateway.url("/")).await.url.path(), "/login");
    at_home(
        &gateway,
        &User {
            password: new.into(),
            ..alice
        },
    )
    .await;
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
    assert!(
        browser.open(gateway.url("/logout")).await.has("logged-out"),
        "nobody is signed in"
    );
}

#[tokio::test]
async fn a_logout_request_by_post_comes_back_as_get() {
    let (_db, gateway, _) = site().await;
    let browser = Browser::new();
    let fields = [("client_id", "a b"), ("state", "ü&")];
    let request = browser
        .http
        .post(gateway.url("/logout"))
        .header("Sec-Fetch-Site", "cross-site")
        .form(&fields);
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 303);
    assert_eq!(
        header(&answer, "location"),
        Some("/logout?client_id=a+b&state=%C3%BC%26")
    );
    assert!(set_cookies(&answer).is_empty());
    let long = "x".repeat(7000);
    let answer = browser.post(gateway.url("/logout"), &[("state", &long)]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.text("error").as_deref()),
        (400, Some("invalid_request"))
    );
}

#[tokio::test]
async fn errors_have_a_page_with_a_code_and_advice() {
    let (db, gateway, _) = site().await;
    let browser = Browser::new();
    let missing = browser.get(gateway.url("/no/such/page")).await;
    assert_eq!(
        (missing.status.as_u16(), missing.text("error").as_deref()),
        (404, Some("not_found"))
    );
    assert_keeps_to_itself(&missing, QUIET);
    let flow = Flow::new(&gateway, &web_client(&db).await).with("redirect_uri", "https://evil.example/");
    let page = flow.open().await;
    assert_eq!((page.status.as_u16(), page.url.path()), (400, "/authorize"));
    assert_keeps_to_itself(&page, QUIET);
    assert_eq!(page.text("error").as_deref(), Some("invalid_request"));
    for resume in ["resume=forged", "resume=%ff", "resume=a&resume=b"] {
        let page = browser.get(gateway.url(&format!("/login?{resume}"))).await;
        assert_eq!(page.status, 400, "{resume}");
        assert!(page.has("error"));
    }
}

#[tokio::test]
async fn every_field_has_a_label_and_every_name_is_an_id() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    let login = flow.open().await;
    let consent = flow.browser.sign_in(&login, &alice.username, &alice.password).await;
    flow.browser.press(&consent, "allow", &[]).await;
    let home = flow.browser.open(gateway.url("/")).await;
    let logout = flow.browser.open(gateway.url("/logout")).await;
    for page in [login, consent, home, logout] {
        for form in Form::all(&page.body) {
            for (name, _) in &form.buttons {
                assert!(page.has(name), "{name} of {}", page.url);
            }
            for (name, _) in &form.fields {
                // Hidden fields have no id.
                assert!(
                    !page.has(name) || page.body.contains(&format!("<label for=\"{name}\">")),
                    "{name} of {}",
                    page.url
                );
            }
        }
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_the_digest_of_their_content() {
    let (_db, gateway, _) = site().await;
    let browser = Browser::new();
    let page = browser.open(gateway.url("/login")).await;
    let (_, path) = page.body.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let path = path.split_once('"').unwrap().0;
    let style = browser.get(gateway.url(path)).await;
    assert_eq!(style.status, 200);
    assert_eq!(header(&style, "content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(
        header(&style, "cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert!(set_cookies(&style).is_empty());
    let etag = header(&style, "etag").unwrap();
    let known = browser
        .send(browser.http.get(gateway.url(path)).header("If-None-Match", etag))
        .await;
    assert_eq!((known.status.as_u16(), known.body.as_str()), (304, ""));
    let old = browser.get(gateway.url("/assets/0123456789abcdef/style.css")).await;
    assert_eq!(
        (old.status.as_u16(), header(&old, "cache-control")),
        (200, Some("no-cache"))
    );
    assert_eq!(
        browser
            .get(gateway.url("/assets/0123456789abcdef/other.css"))
            .await
            .status,
        404
    );
}
