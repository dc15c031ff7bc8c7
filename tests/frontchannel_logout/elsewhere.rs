//! A session that is ended elsewhere, by an administrator, in another browser, with its person: its own browser tells the
//! clients, once, when it comes by.

use serde_json::json;

use super::{confirmed, framed, frames, next};
use crate::authorize::{Answer, Sql, call, code, request, session};
use crate::pages::set_cookies;
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, User, user};

/// Ends every session of this person.
async fn revoke(db: &Database, person: &User) {
    let query = "select identity.session_revoke(s.session_id) from identity.user_sessions($1) s";
    db.admin().await.execute(query, &[&person.id]).await.unwrap();
}

async fn sign_in_page(sql: &Sql, cookie: &str) -> Answer {
    call(sql, "sign_in_page", &[&None::<&str>, &cookie, &"browser"]).await
}

async fn take(sql: &Sql, cookie: &str) -> Answer {
    call(sql, "frontchannel_logout_take", &[&cookie]).await
}

#[tokio::test]
async fn however_a_session_ends_its_clients_are_told_in_its_browser_once() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let app = framed(&db, "a.example", json!({"client_id": "a"})).await;
    for (name, end) in [
        ("revoked", "identity.session_revoke(s.session_id) from identity.user_sessions($1::uuid) s"),
        ("disabled", "identity.user_disable($1::uuid)"),
        ("deleted", "identity.user_delete($1::uuid)"),
        ("elsewhere", "identity.account_sessions_end_others($2) where $1::uuid is not null"),
        (
            "password",
            "identity.account_password_change($2, $3, 'another battery staple', '192.0.2.1') where $1::uuid is not null",
        ),
    ] {
        let person = user(&db, name).await;
        let (there, here) = (session(&sql, &person).await, session(&sql, &person).await);
        code(&sql, &request(&app), &there).await;
        assert_eq!(take(&sql, &there).await, ("ok".into(), json!({})), "{name}: it is live");
        let id = "select id::text from identity_store.sessions where secret_hash = identity.opaque_hash($1)";
        let id: String = db.owner().await.query_one(id, &[&there]).await.unwrap().get(0);
        let end = match name {
            "elsewhere" => format!("select from {end} and $3::text is not null"),
            "password" => format!("select from {end}"),
            _ => format!("select {end} where $2::text is not null and $3::text is not null"),
        };
        let ends = if name == "elsewhere" || name == "password" { db.gateway_role().await } else { db.admin().await };
        ends.execute(&end, &[&person.id, &here, &person.password]).await.unwrap();
        assert_eq!(sign_in_page(&sql, &there).await, ("signed_out".into(), json!({})), "{name}");
        let frames = json!([{"redirect_uri": "https://a.example/out", "parameters": {"iss": db.issuer, "sid": id}}]);
        assert_eq!(take(&sql, &there).await, ("signed_out".into(), json!({ "frames": frames })), "{name}");
        assert_eq!(take(&sql, &there).await, ("signed_out".into(), json!({})), "{name}: again");
        assert_eq!(sign_in_page(&sql, &there).await, ("page".into(), json!({"signed_out": true})), "{name}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_none_or_has_nobody_to_tell_tells_nobody() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let silent = framed(&db, "a.example", json!({"client_id": "a", "frontchannel_logout_uri": null})).await;
    let app = framed(&db, "b.example", json!({"client_id": "b"})).await;
    let [quiet, first] = [session(&sql, &alice).await, session(&sql, &alice).await];
    code(&sql, &request(&silent), &quiet).await;
    code(&sql, &request(&app), &first).await;
    // Proved again, the session goes on with another cookie.
    let renewed = crate::sessions::cookie(&db, &alice, Some(&first)).await;
    let over: Answer = ("signed_out".into(), json!({}));
    assert_eq!(take(&sql, &first).await, over, "an old cookie of a live session");
    revoke(&db, &alice).await;
    for cookie in [quiet.as_str(), &first, "ids_x", ""] {
        assert_eq!(sign_in_page(&sql, cookie).await, ("page".into(), json!({"signed_out": true})), "{cookie}");
        assert_eq!(take(&sql, cookie).await, over, "{cookie}");
    }
    let frames = take(&sql, &renewed).await.1["frames"].as_array().unwrap().len();
    assert_eq!(frames, 1);
}

#[tokio::test]
async fn of_two_windows_one_has_the_frames() {
    let db = Database::new().await;
    let (one, other, alice) = (db.gateway_role().await, db.gateway_role().await, user(&db, "alice").await);
    let app = framed(&db, "a.example", json!({"client_id": "a"})).await;
    let cookie = session(&one, &alice).await;
    code(&one, &request(&app), &cookie).await;
    revoke(&db, &alice).await;
    // The first has not committed when the second one asks.
    one.batch_execute("begin").await.unwrap();
    let first = take(&one, &cookie).await;
    let pid: i32 = other.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let (second, ()) = tokio::join!(take(&other, &cookie), async {
        crate::races::waits(&db, pid).await;
        one.batch_execute("commit").await.unwrap();
    });
    assert_eq!((first.1["frames"].as_array().map(Vec::len), second), (Some(1), ("signed_out".into(), json!({}))));
}

struct Stage {
    db: Database,
    gateway: Gateway,
    alice: User,
    app: Client,
}

impl Stage {
    async fn new() -> Stage {
        let db = Database::new().await;
        let gateway = Gateway::start(&db).await;
        let (alice, app) = (user(&db, "alice").await, framed(&db, "a.example", json!({"client_id": "a"})).await);
        Stage { db, gateway, alice, app }
    }

    /// A browser of Alice's, signed in at the application.
    async fn browser(&self) -> Browser {
        let flow = Flow::new(&self.gateway, &self.app);
        flow.code(&self.alice).await;
        flow.browser
    }
}

/// That these are the frames of the application, on the page about a session that is over, which forgets its cookie.
#[track_caller]
fn assert_tells(page: &Page, leads_to: &str) {
    let found: Vec<String> = frames(page).iter().map(|frame| frame.origin().ascii_serialization()).collect();
    assert_eq!((page.status.as_u16(), found), (200, vec!["https://a.example".to_owned()]), "{}", page.body);
    assert!(page.body.contains("<h1>A session has ended</h1>"), "{}", page.body);
    let next = next(page);
    assert_eq!(next.split('=').next().unwrap(), leads_to, "{next}");
    let forgotten = "identity_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0";
    let cookies = set_cookies(page);
    assert!(!leads_to.starts_with("/login") || cookies.iter().any(|cookie| cookie == forgotten), "{cookies:?}");
    assert!(cookies.iter().any(|cookie| cookie.starts_with("identity_state=")), "{cookies:?}");
}

#[tokio::test]
async fn every_page_leads_to_the_frames_first_and_then_goes_on() {
    let stage = Stage::new().await;
    let url = |path: &str| stage.gateway.url(path);
    let asked = Flow::new(&stage.gateway, &stage.app);
    let (authorize, chooser) =
        (asked.url(), Flow::new(&stage.gateway, &stage.app).with("prompt", "select_account").url());
    for (opened, leads_to, then) in [
        (url("/"), "/login", "sign-in"),
        (url("/login"), "/login", "sign-in"),
        (authorize.to_string(), "/login?resume", "sign-in"),
        (chooser.to_string(), "/login?resume", "sign-in"),
    ] {
        let browser = stage.browser().await;
        revoke(&stage.db, &stage.alice).await;
        let page = browser.open(&opened).await;
        assert_tells(&page, leads_to);
        let page = browser.open(page.url.join(&next(&page)).unwrap()).await;
        assert!(page.has(then), "{opened}: {}", page.body);
        // Once: neither this page nor another one tells anybody again.
        assert!(browser.open(&opened).await.has(then), "{opened}");
        let page = browser.sign_in(&page, &stage.alice.username, &stage.alice.password).await;
        let arrived = page.location_parameter("code").is_some() || page.url.path() == "/";
        assert_eq!((frames(&page).len(), arrived), (0, true), "{opened}: {} {}", page.url, page.body);
    }
}

#[tokio::test]
async fn the_page_speaks_the_language_of_the_request() {
    let stage = Stage::new().await;
    let browser = stage.browser().await;
    revoke(&stage.db, &stage.alice).await;
    let flow = Flow::new(&stage.gateway, &stage.app).in_browser(browser).with("ui_locales", "fr");
    let page = flow.open().await;
    assert!(page.body.contains("<h1>Une session est terminée</h1>") && page.body.contains("<html lang=\"fr\">"));
    assert_eq!(frames(&page).len(), 1);
}

/// OpenID Connect Core §3.1.2.1: prompt=none displays nothing. The browser state changes, and the cookie waits for a page.
#[tokio::test]
async fn a_silent_request_shows_no_page_and_takes_no_frame() {
    let stage = Stage::new().await;
    let browser = stage.browser().await;
    revoke(&stage.db, &stage.alice).await;
    let silent = Flow::new(&stage.gateway, &stage.app).in_browser(browser).with("prompt", "none");
    for _ in 0..2 {
        let page = silent.open().await;
        assert_eq!(page.location_parameter("error").as_deref(), Some("login_required"));
        let [state] = <[String; 1]>::try_from(set_cookies(&page)).unwrap();
        assert!(state.starts_with("identity_state=") && state.ends_with("; Path=/; SameSite=Lax"), "{state}");
    }
    assert_tells(&silent.browser.open(stage.gateway.url("/")).await, "/login");
}

#[tokio::test]
async fn a_form_that_was_open_when_the_session_ended_signs_in_and_tells_first() {
    let stage = Stage::new().await;
    let browser = stage.browser().await;
    let flow = Flow::new(&stage.gateway, &stage.app).in_browser(browser).with("prompt", "login");
    let (form, home) = (flow.open().await, flow.browser.open(stage.gateway.url("/login")).await);
    revoke(&stage.db, &stage.alice).await;
    let page = flow.browser.sign_in(&form, &stage.alice.username, &stage.alice.password).await;
    assert_tells(&page, "/authorize?resume");
    // The request that was under way goes on, with no other question.
    let page = flow.browser.open(page.url.join(&next(&page)).unwrap()).await;
    let code = page.location_parameter("code").unwrap_or_else(|| panic!("{} {}", page.url, page.body));
    assert_eq!(flow.redeem(&code).await.status, 200);
    revoke(&stage.db, &stage.alice).await;
    let page = flow.browser.sign_in(&home, &stage.alice.username, &stage.alice.password).await;
    assert_tells(&page, "/");
    assert!(flow.browser.open(stage.gateway.url("/")).await.has("sign-out"));
}

#[tokio::test]
async fn whoever_signs_in_in_place_of_somebody_tells_the_clients_of_that_session() {
    let stage = Stage::new().await;
    let bob = user(&stage.db, "bob").await;
    let browser = stage.browser().await;
    let login = browser.open(stage.gateway.url("/login?other-account=yes")).await;
    let page = browser.sign_in(&login, &bob.username, &bob.password).await;
    assert_tells(&page, "/");
    let home = browser.open(stage.gateway.url("/")).await;
    assert_eq!(home.text("person").as_deref(), Some("bob Liddell"));
    // The same person again is no end: nobody is told.
    let login = browser.open(stage.gateway.url("/login")).await;
    assert_eq!(browser.sign_in(&login, &bob.username, &bob.password).await.url.path(), "/");
}

#[tokio::test]
async fn a_logout_after_the_end_tells_them_and_goes_where_the_client_wants() {
    let stage = Stage::new().await;
    let browser = stage.browser().await;
    revoke(&stage.db, &stage.alice).await;
    let asked = format!("/logout?client_id={}&post_logout_redirect_uri=https://a.example/", stage.app.id);
    let page = browser.open(stage.gateway.url(&asked)).await;
    assert_eq!((frames(&page).len(), next(&page).as_str()), (1, "https://a.example/"));
    let page = browser.open(stage.gateway.url(&asked)).await;
    assert_eq!(page.location().unwrap().as_str(), "https://a.example/");
    // Between the question and the answer.
    let (browser, page) = confirmed_after(&stage).await;
    assert_eq!((frames(&page).len(), next(&page).as_str()), (1, "/logout/done"));
    assert!(browser.open(stage.gateway.url("/")).await.has("sign-in"));
    // And one who signs out has told them: nothing is due any more.
    let (browser, page) = confirmed(&stage.gateway, &stage.alice, &[&stage.app], &[]).await;
    assert_eq!((frames(&page).len(), browser.open(stage.gateway.url("/")).await.url.path()), (1, "/login"));
}

async fn confirmed_after(stage: &Stage) -> (Browser, Page) {
    let browser = stage.browser().await;
    let page = browser.open(stage.gateway.url("/logout")).await;
    revoke(&stage.db, &stage.alice).await;
    let page = browser.press(&page, "logout-yes", &[]).await;
    (browser, page)
}

/// Somebody has signed in meanwhile, in another window: that session is not forgotten.
#[tokio::test]
async fn the_page_does_nothing_to_a_session_that_is_live() {
    let stage = Stage::new().await;
    let browser = stage.browser().await;
    let page = browser.get(stage.gateway.url("/logout/elsewhere?resume=x")).await;
    assert_eq!((page.status.as_u16(), page.location().unwrap().path()), (303, "/login"));
    assert_eq!(set_cookies(&page), [""; 0]);
    assert!(browser.open(stage.gateway.url("/")).await.has("sign-out"));
    let head = browser.send(browser.http.head(stage.gateway.url("/logout/elsewhere"))).await;
    assert_eq!(head.status, 405);
    // Nor to what is due where nobody sees the page.
    revoke(&stage.db, &stage.alice).await;
    let picture = browser.http.get(stage.gateway.url("/logout/elsewhere")).header("Sec-Fetch-Dest", "image");
    let page = browser.send(picture).await;
    assert_eq!((page.status.as_u16(), set_cookies(&page)), (303, vec![]));
    assert_tells(&browser.open(stage.gateway.url("/")).await, "/login");
}
