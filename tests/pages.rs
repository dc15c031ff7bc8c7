//! What every page has: headers, cookies, labels, forms that are refused; and the consent and error pages. The others
//! are in pages_login.rs and pages_account.rs.

use serde_json::json;

use crate::support::{Browser, Client, Database, Flow, Form, Gateway, Page, User, client, user, web_client};

/// A database with one person, and the gateway before it.
pub async fn site() -> (Database, Gateway, User) {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let alice = user(&db, "alice").await;
    (db, gateway, alice)
}

/// Somebody at their home page.
pub async fn at_home(gateway: &Gateway, user: &User) -> (Browser, Page) {
    let browser = Browser::new();
    let login = browser.open(gateway.url("/")).await;
    let home = browser.sign_in(&login, &user.username, &user.password).await;
    assert_eq!((home.status.as_u16(), home.url.path()), (200, "/"), "{}", home.body);
    (browser, home)
}

/// A client whose every text is an attack.
pub async fn hostile_client(db: &Database) -> Client {
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

pub fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.get(name).map(|value| value.to_str().unwrap())
}

pub fn set_cookies(page: &Page) -> Vec<String> {
    page.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect()
}

/// The part of a page that nobody may have written into.
pub fn assert_is_harmless(page: &Page) {
    for markup in ["<script", "javascript:", "style=\"", "onclick"] {
        assert!(!page.body.contains(markup), "{markup} in {}:\n{}", page.url, page.body);
    }
}

/// The headers of every page, whatever it shows.
pub fn assert_keeps_to_itself(page: &Page, policy: &str) {
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

pub const QUIET: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

#[tokio::test]
async fn the_consent_page_says_who_gets_what_and_where_one_lands() {
    let (db, gateway, alice) = site().await;
    let flow = Flow::new(&gateway, &hostile_client(&db).await).with("scope", "openid profile");
    let page = flow.browser.sign_in(&flow.open().await, &alice.username, &alice.password).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/consent"));
    assert_keeps_to_itself(
        &page,
        "default-src 'none'; style-src 'self'; img-src 'self' https://pictures.example; frame-ancestors 'none'; base-uri 'none'",
    );
    assert_eq!(page.text("redirect-host").unwrap(), "notes.example");
    for part in ["See your name and profile", "alice Liddell", "&#60;script&#62;alert(1)&#60;/script&#62;"] {
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
    let for_alice = flow.browser.sign_in(&flow.open().await, &alice.username, &alice.password).await;
    let login = flow.browser.get(gateway.url("/login")).await;
    flow.browser.sign_in(&login, &bob.username, &bob.password).await;
    let answer = flow.browser.press(&for_alice, "allow", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.url.path()), (200, "/consent"), "asked as who they are now");
    assert!(answer.body.contains("bob Liddell") && answer.has("allow"), "{}", answer.body);
    let consents: i64 =
        db.superuser().await.query_one("select count(*) from identity_store.consents", &[]).await.unwrap().get(0);
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
    let other = at_home(&gateway, &alice).await.1.form("change-password").fields[0].1.clone();
    assert_ne!(csrf, other);
    let posts: [(&str, &[(&str, &str)]); 7] = [
        ("/login", &[("username", "alice"), ("password", "correct horse battery alice")]),
        ("/consent", &[("allow", "yes"), ("resume", "x")]),
        ("/logout/confirm", &[("logout-yes", "yes"), ("resume", "x")]),
        ("/sessions/end", &[("session_id", "00000000-0000-0000-0000-000000000000")]),
        ("/sessions/end-others", &[]),
        ("/applications/withdraw", &[("client_id", "x")]),
        ("/password", &[("old_password", &alice.password), ("new_password", "a"), ("new_password_again", "a")]),
    ];
    for (path, fields) in posts {
        let forgeries = [("", ""), (other.as_str(), ""), (csrf.as_str(), "cross-site"), (csrf.as_str(), "same-site")];
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
    assert!(home.has("withdraw-1") && home.has("end-session-2"), "nothing was ended:\n{}", home.body);
}

#[tokio::test]
async fn errors_have_a_page_with_a_code_and_advice() {
    let (db, gateway, _) = site().await;
    let browser = Browser::new();
    let missing = browser.get(gateway.url("/no/such/page")).await;
    assert_eq!((missing.status.as_u16(), missing.text("error").as_deref()), (404, Some("not_found")));
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
    assert_eq!(header(&style, "cache-control"), Some("public, max-age=31536000, immutable"));
    assert!(set_cookies(&style).is_empty());
    let etag = header(&style, "etag").unwrap();
    let known = browser.send(browser.http.get(gateway.url(path)).header("If-None-Match", etag)).await;
    assert_eq!((known.status.as_u16(), known.body.as_str()), (304, ""));
    let old = browser.get(gateway.url("/assets/0123456789abcdef/style.css")).await;
    assert_eq!((old.status.as_u16(), header(&old, "cache-control")), (200, Some("no-cache")));
    assert_eq!(browser.get(gateway.url("/assets/0123456789abcdef/other.css")).await.status, 404);
}
