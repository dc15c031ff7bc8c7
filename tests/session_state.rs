//! Session management (sql/extension/session_state.sql, gateway/src/session_state.rs; OpenID Connect Session Management 1.0).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use tokio::process::Command;
use url::Url;

use crate::authorize::{Sql, request, session, with};
use crate::http_site::Site;
use crate::pages::set_cookies;
use crate::real_clients::run;
use crate::sessions::sessions;
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, client, free_port, user, web_client};
use crate::tls::certificate;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a browser has: the cookie of a session, or its own while nobody is signed in.
#[derive(Clone, Copy)]
pub enum Has<'a> {
    Session(&'a str),
    Browser(&'a str),
}

/// What the cookie of the browser state holds then.
fn browser_state(has: Has<'_>) -> String {
    let hash = match has {
        Has::Session(cookie) => digest(&SHA256, cookie.as_bytes()).as_ref().to_vec(),
        Has::Browser(cookie) => {
            URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("browser:{cookie}").as_bytes())).into_bytes()
        }
    };
    hex(digest(&SHA256, &[b"browser_state:".as_slice(), &hash].concat()).as_ref())
}

/// Whether the frame would say `unchanged` to a page of this origin.
pub fn fits(session_state: &str, client: &str, origin: &str, has: Has<'_>) -> bool {
    let (hash, salt) = session_state.split_once('.').unwrap();
    let text = format!("{client} {origin} {} {salt}", browser_state(has));
    hex(digest(&SHA256, text.as_bytes()).as_ref()) == hash
}

/// Fails unless it looks like one: a digest and a salt. For tests of something else, which then compare what is left.
#[track_caller]
pub fn assert_form(session_state: &str) {
    let parts: Vec<&str> = session_state.split('.').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [64, 32], "{session_state}");
    assert!(parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit()), "{session_state}");
}

/// The session_state of the answer, which the helper of authorize.rs leaves out.
async fn state_of(sql: &Sql, request: &serde_json::Value, session: Option<&str>) -> Option<String> {
    let query =
        "select answer -> 'parameters' ->> 'session_state' from identity.authorization_request($1, $2, 'browser')";
    sql.query_one(query, &[request, &session]).await.unwrap().get(0)
}

#[tokio::test]
async fn every_answer_to_an_openid_request_holds_it_and_no_other() {
    let db = Database::new().await;
    let (sql, alice, app) = (db.gateway_role().await, user(&db, "alice").await, web_client(&db).await);
    let cookie = session(&sql, &alice).await;
    crate::authorize::code(&sql, &request(&app), &cookie).await;
    let hybrid = crate::response_types::hybrid_client(&db).await;
    crate::authorize::code(&sql, &request(&hybrid), &cookie).await;
    let origin = "https://notes.example";
    for response_type in ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"] {
        let asked = with(request(&hybrid), json!({"response_type": response_type}));
        let state = state_of(&sql, &asked, Some(&cookie)).await.unwrap();
        assert!(fits(&state, &hybrid.id, origin, Has::Session(&cookie)), "{response_type}");
        assert!(
            !fits(&state, &app.id, origin, Has::Session(&cookie))
                && !fits(&state, &hybrid.id, "https://evil.example", Has::Session(&cookie))
        );
        assert_ne!(state_of(&sql, &asked, Some(&cookie)).await.unwrap(), state, "salted");
    }
    // §2: "SHOULD also return the Session State … in the Authentication Error Response".
    let silent = with(request(&app), json!({"prompt": "none"}));
    let signed_out = state_of(&sql, &silent, None).await.unwrap();
    assert!(
        fits(&signed_out, &app.id, origin, Has::Browser("browser"))
            && !fits(&signed_out, &app.id, origin, Has::Session(&cookie))
    );
    let login = with(request(&app), json!({"prompt": "none", "max_age": "0"}));
    assert!(fits(&state_of(&sql, &login, Some(&cookie)).await.unwrap(), &app.id, origin, Has::Session(&cookie)));
    assert_eq!(state_of(&sql, &with(request(&app), json!({"scope": "profile", "prompt": "none"})), None).await, None);
    // Whoever signs in again is another state.
    let renewed = crate::sessions::cookie(&db, &alice, Some(&cookie)).await;
    let state = state_of(&sql, &silent, Some(&renewed)).await.unwrap();
    assert!(
        fits(&state, &app.id, origin, Has::Session(&renewed)) && !fits(&state, &app.id, origin, Has::Session(&cookie))
    );
}

#[tokio::test]
async fn the_origin_is_written_as_browsers_write_it() {
    let db = Database::new().await;
    let owner = db.owner().await;
    for (url, origin) in [
        ("https://a.example/cb", "https://a.example"),
        ("https://A.Example:443/cb?x=https://b.example", "https://a.example"),
        ("HTTPS://a.example:8443", "https://a.example:8443"),
        ("https://a.example:08443/", "https://a.example:8443"),
        ("http://localhost:80/cb", "http://localhost"),
        ("http://127.0.0.1:443/cb", "http://127.0.0.1:443"),
        ("http://[::1]:4700/cb", "http://[::1]:4700"),
        ("https://a.example?x", "https://a.example"),
        ("com.example.app:/cb", "null"),
        ("", "null"),
    ] {
        let found: String = owner.query_one("select identity.url_origin($1)", &[&url]).await.unwrap().get(0);
        assert_eq!(found, origin, "{url}");
        if let Ok(url) = Url::parse(url) {
            assert_eq!(url.origin().ascii_serialization(), origin, "{url}");
        }
    }
}

#[tokio::test]
async fn the_page_may_be_framed_by_anybody_and_runs_one_script() {
    let site = Site::new().await;
    let flow = site.flow();
    let metadata = flow.browser.get(site.gateway.url("/.well-known/openid-configuration")).await.json();
    let page = flow.browser.get(metadata["check_session_iframe"].as_str().unwrap()).await;
    let script = page.body.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    assert_eq!(page.body.matches("<script").count(), 1);
    let mut headers: Vec<(&str, &str)> = page
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, _)| !["date", "content-length", "x-request-id", "traceparent"].contains(name))
        .collect();
    headers.sort_unstable();
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; form-action 'none'",
        STANDARD.encode(digest(&SHA256, script.as_bytes()))
    );
    assert_eq!(
        headers,
        [
            ("cache-control", "public, max-age=300"),
            ("content-security-policy", policy.as_str()),
            ("content-type", "text/html; charset=utf-8"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ]
    );
    assert_eq!(page.status, 200);
    assert!(page.body.contains("data-cookie=\"identity_state\""), "{}", page.body);
}

fn state_cookie(page: &Page) -> Option<String> {
    set_cookies(page).into_iter().find(|cookie| cookie.starts_with("identity_state="))
}

#[tokio::test]
async fn the_browser_state_changes_with_every_sign_in_and_goes_with_the_session() {
    let site = Site::new().await;
    let flow = site.flow();
    let begun = flow.browser.get(flow.url()).await;
    let cookies = set_cookies(&begun);
    let browser = cookies[0].strip_prefix("identity_browser=").unwrap().split(';').next().unwrap();
    let nobody = format!("identity_state={}; Path=/; SameSite=Lax", browser_state(Has::Browser(browser)));
    assert_eq!((cookies.len(), &cookies[1]), (2, &nobody));
    let page = flow.browser.follow(begun).await;
    let sign_in = async |page: &Page| {
        let fields = [("username", site.alice.username.as_str()), ("password", site.alice.password.as_str())];
        let answer = flow.browser.send(flow.browser.filled_in(page, "sign-in", &fields)).await;
        let session = set_cookies(&answer)
            .into_iter()
            .find_map(|cookie| cookie.strip_prefix("identity_session=").map(str::to_owned));
        let session = session.unwrap().split(';').next().unwrap().to_owned();
        (session, state_cookie(&answer).unwrap(), answer)
    };
    let (first, state, answer) = sign_in(&page).await;
    assert_eq!(state, format!("identity_state={}; Path=/; SameSite=Lax", browser_state(Has::Session(&first))));
    let page = flow.browser.press(&flow.browser.follow(answer).await, "allow", &[]).await;
    let given = page.location_parameter("session_state").unwrap();
    assert!(fits(&given, &site.web.id, "https://notes.example", Has::Session(&first)));
    // A second window asks for the password again.
    let again = Flow::new(&site.gateway, &site.web).in_browser(flow.browser).with("prompt", "login");
    let page = again.open().await;
    let flow = again;
    let fields = [("username", site.alice.username.as_str()), ("password", site.alice.password.as_str())];
    let answer = flow.browser.send(flow.browser.filled_in(&page, "sign-in", &fields)).await;
    let second = state_cookie(&answer).unwrap();
    assert_ne!(second, state);
    // An administrator ends the session: the first request that meets it changes the state; a page forgets the session, too.
    let id = sessions(&site.db, &site.alice).await[0];
    site.db.admin().await.execute("select identity.session_revoke($1)", &[&id]).await.unwrap();
    let silent = Flow::new(&site.gateway, &site.web).in_browser(flow.browser).with("prompt", "none");
    let page = silent.open().await;
    assert_eq!(page.location_parameter("error").as_deref(), Some("login_required"));
    assert_eq!(set_cookies(&page), [nobody.as_str()]);
    let login = silent.browser.open(site.gateway.url("/")).await;
    let forgotten = "identity_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0";
    assert_eq!((login.url.path(), set_cookies(&login)), ("/login", vec![forgotten.to_owned(), nobody.clone()]));
    let given = page.location_parameter("session_state").unwrap();
    assert!(fits(&given, &site.web.id, "https://notes.example", Has::Browser(browser)));
    // A frame of another site comes without any of them: it learns nothing, and its answer fits nothing.
    let framed = silent
        .browser
        .http
        .get(silent.url())
        .header("Sec-Fetch-Site", "cross-site")
        .header("Cookie", "identity_state=x");
    let page = Browser::new().send(framed).await;
    assert_eq!(set_cookies(&page), [""; 0]);
}

/// Anybody may ask the frame, and could hash a constant.
#[tokio::test]
async fn no_answer_fits_a_browser_of_which_nothing_is_known() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let query =
        "select answer -> 'parameters' ->> 'session_state' from identity.authorization_request($1, null, null, '{}')";
    let silent = with(request(&app), json!({"prompt": "none"}));
    let state: String = sql.query_one(query, &[&silent]).await.unwrap().get(0);
    assert_form(&state);
    for browser in ["", "null", "browser"] {
        assert!(!fits(&state, &app.id, "https://notes.example", Has::Browser(browser)));
    }
    let (hash, salt) = state.split_once('.').unwrap();
    let nothing = format!("{} https://notes.example  {salt}", app.id);
    assert_ne!(hex(digest(&SHA256, nothing.as_bytes()).as_ref()), hash);
}

#[tokio::test]
async fn what_the_frame_asks_changes_its_cookie_when_the_session_is_over_and_nothing_else() {
    let site = Site::new().await;
    let check = site.gateway.url("/session-state/check");
    let browser = site.signed_in().await;
    let used = "select s::text from identity_store.sessions s";
    let superuser = site.db.superuser().await;
    superuser
        .batch_execute("update identity_store.sessions set last_seen_at = now() - interval '1 hour'")
        .await
        .unwrap();
    let before: String = superuser.query_one(used, &[]).await.unwrap().get(0);
    let page = browser.get(&check).await;
    assert_eq!((page.status.as_u16(), page.body.as_str(), set_cookies(&page)), (204, "", vec![]));
    assert_eq!(crate::http::header(&page, "cache-control"), Some("no-store"));
    // A window that is left open keeps no session alive.
    assert_eq!(superuser.query_one(used, &[]).await.unwrap().get::<_, String>(0), before);
    superuser.batch_execute("update identity_store.sessions set expires_at = now()").await.unwrap();
    let page = browser.get(&check).await;
    let [state] = <[String; 1]>::try_from(set_cookies(&page)).unwrap();
    assert!(
        page.status == 204 && state.starts_with("identity_state=") && state.ends_with("; Path=/; SameSite=Lax"),
        "{state}"
    );
    // Where the browser keeps the cookie to itself nothing is known, and nothing changes.
    let stranger = Browser::new();
    for site in ["same-origin", "cross-site"] {
        let page = stranger.send(stranger.http.get(&check).header("Sec-Fetch-Site", site)).await;
        assert_eq!((page.status.as_u16(), set_cookies(&page)), (204, vec![]), "{site}");
    }
}

async fn watched(issuer: &str, app: &Client, person: &crate::support::User, origin: &str) {
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "session_state.mjs"])
        .env("ISSUER", issuer)
        .env("APP_ORIGIN", origin)
        .env("CLIENT_ID", &app.id)
        .env("PERSON_NAME", &person.username)
        .env("PERSON_PASSWORD", &person.password);
    run(node).await;
}

#[tokio::test]
async fn chromium_is_told_of_every_sign_in_and_logout() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let origin = format!("http://localhost:{}", free_port());
    let app = client(&db, json!({"redirect_uris": [format!("{origin}/callback")]})).await;
    watched(&gateway.issuer, &app, &user(&db, "alice").await, &origin).await;
}

/// An application on another site, which sees the cookie only because it is `SameSite=None; Secure`.
#[tokio::test]
async fn chromium_is_told_across_sites_over_https() {
    let mut db = Database::new().await;
    db.issuer = format!("https://localhost:{}", db.http_port);
    db.superuser().await.execute("select identity.configure($1)", &[&db.issuer]).await.unwrap();
    let (certificate, key) = certificate(&db, "session_state");
    let environment = [
        ("GATEWAY_TLS_CERTIFICATE_FILE", certificate.as_str()),
        ("GATEWAY_TLS_KEY_FILE", &key),
        // Or nothing that is ended elsewhere would be noticed from another site.
        ("GATEWAY_SESSION_COOKIE_SAME_SITE", "none"),
    ];
    let _gateway = Gateway::start_with(&db, &environment).await;
    let origin = format!("http://127.0.0.1:{}", free_port());
    let app = client(&db, json!({"redirect_uris": [format!("{origin}/callback")]})).await;
    watched(&db.issuer, &app, &user(&db, "alice").await, &origin).await;
}
