//! Every page, as people of each language come to it: nothing on it is English, and every message is on one of them.

use serde_json::json;
use uuid::Uuid;

use super::{LANGUAGES, assert_speaks, messages};
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, User, client, unescape, user};

/// What no test brings about here: outages, faults, a clock that runs out, and what clients are told by redirect unless they
/// registered themselves. Their pages are made as all the others
/// (gateway/src/web/page/error.rs), and a test of the gateway compares the files.
const ELSEWHERE: [&str; 22] = [
    "logging-out-title",
    "logging-out-told",
    "session-over-title",
    "session-over-told",
    "error-busy",
    "error-busy-advice",
    "error-denied",
    "error-denied-advice",
    "error-fault",
    "error-fault-advice",
    "error-slow-down",
    "error-slow-down-advice",
    "why-client-keys",
    "why-fault",
    "why-https",
    "why-incomplete",
    "why-late",
    "why-not-utf8",
    "why-nul",
    "why-slow",
    "why-token",
    "why-too-many",
];

#[tokio::test]
async fn every_message_is_on_a_page_and_no_page_has_another_language() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let app = translatable(&db).await;
    for (number, language) in LANGUAGES.into_iter().enumerate() {
        let walk = Walk {
            db: &db,
            gateway: &gateway,
            app: &app,
            language,
            source: format!("192.0.2.{number}"),
            person: user(&db, &format!("anna-{language}")).await,
            other: user(&db, &format!("otto-{language}")).await,
        };
        let mut pages = walk.signing_in().await;
        pages.extend(walk.deciding().await);
        pages.extend(walk.at_home().await);
        pages.extend(walk.leaving().await);
        pages.extend(walk.astray().await);
        let texts: Vec<String> = pages.iter().map(|page| unescape(&page.body)).collect();
        let english = messages::english_only(language);
        assert!(language == "en" || english.len() > 100, "{language}: {english:?}");
        for (page, text) in pages.iter().zip(&texts) {
            assert_speaks(page, language);
            let strange: Vec<_> = english.iter().filter(|piece| text.contains(piece.as_str())).collect();
            assert!(strange.is_empty(), "{language}: {strange:?} on {}:\n{text}", page.url);
            // What is marked as somebody else's words is nobody's of ours.
            assert!(!page.body.contains(" lang=\"en\">") || language == "en", "{language}: {text}");
        }
        let unseen = messages::unseen(&messages::of(language), &texts);
        let unseen: Vec<_> = unseen
            .iter()
            .filter(|name| !ELSEWHERE.contains(&name.as_str()) && !name.starts_with("why-request-"))
            .collect();
        assert!(unseen.is_empty(), "{language}: no page shows {unseen:?}");
    }
}

/// A client that shows all there is to show. Its own words are no language's.
async fn translatable(db: &Database) -> Client {
    let resource = "select identity.resource_create('https://notes.example/api', 'Notizen-API')";
    db.admin().await.execute(resource, &[]).await.unwrap();
    let metadata = json!({
        "client_name": "Notizia", "client_uri": "https://notes.example/", "policy_uri": "https://notes.example/policy",
        "tos_uri": "https://notes.example/tos", "initiate_login_uri": "https://notes.example/login",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://notes.example/callback"], "post_logout_redirect_uris": ["https://notes.example/"]
    });
    client(db, metadata).await
}

struct Walk<'a> {
    db: &'a Database,
    gateway: &'a Gateway,
    app: &'a Client,
    language: &'a str,
    /// An address of its own: guesses of others are not counted for it.
    source: String,
    person: User,
    other: User,
}

impl Walk<'_> {
    fn browser(&self) -> Browser {
        let headers = [("accept-language", self.language), ("x-forwarded-for", &self.source), ("accept", "text/html")];
        Browser::sending(&headers)
    }

    fn flow(&self, browser: Browser) -> Flow {
        let scope = "openid profile email address phone offline_access roles";
        Flow::new(self.gateway, self.app).in_browser(browser).with("scope", scope)
    }

    async fn get(&self, browser: &Browser, path: &str) -> Page {
        browser.open(self.gateway.url(path)).await
    }

    async fn signing_in(&self) -> Vec<Page> {
        let browser = self.browser();
        let plain = self.get(&browser, "/login").await;
        let nobody = format!("nobody-{}", self.language);
        let wrong = browser.sign_in(&plain, &nobody, "wrong").await;
        let mut slow = wrong.clone();
        while slow.status == 422 {
            slow = browser.sign_in(&plain, &nobody, "wrong").await;
        }
        let elsewhere = self.browser();
        let from = |path: &str| elsewhere.http.get(self.gateway.url(path)).header("Sec-Fetch-Site", "cross-site");
        let moment = elsewhere.send(from("/login")).await;
        let still = elsewhere.send(from("/login?again=yes")).await;

        let flow = self.flow(browser).with("resource", "https://notes.example/api");
        let login = flow.open().await;
        let consent = flow.browser.sign_in(&login, &self.person.username, &self.person.password).await;
        assert_eq!(consent.url.path(), "/consent", "{}", consent.body);
        let again = self.get(&flow.browser, "/login").await;
        vec![plain, wrong, slow, moment, still, login, consent, again]
    }

    async fn deciding(&self) -> Vec<Page> {
        let flow = self.flow(self.browser());
        let login = flow.open().await;
        let consent = flow.browser.sign_in(&login, &self.other.username, &self.other.password).await;
        flow.browser.press(&consent, "allow", &[]).await;
        let flow = flow.with("prompt", "login");
        let confirm = flow.open().await;
        flow.browser.sign_in(&confirm, &self.person.username, &self.person.password).await;
        let flow = flow.with("prompt", "select_account");
        let chooser = flow.open().await;
        assert!(chooser.has("account-2"), "{}", chooser.body);
        let flow = flow.without("prompt").with("response_mode", "form_post");
        let consent = flow.open().await;
        let post = flow.browser.press(&consent, "allow", &[]).await;
        assert!(post.has("continue"), "{}", post.body);
        vec![confirm, chooser, post]
    }

    /// A person with sessions and applications of every age.
    async fn at_home(&self) -> Vec<Page> {
        let newcomer = user(self.db, &format!("nina-{}", self.language)).await;
        let browser = self.browser();
        let login = self.get(&browser, "/").await;
        let empty = browser.sign_in(&login, &newcomer.username, &newcomer.password).await;
        let firefox = self.browser();
        let login = self.get(&firefox, "/login").await;
        let with_name = [("username", newcomer.username.as_str()), ("password", newcomer.password.as_str())];
        let filled = firefox.filled_in(&login, "sign-in", &with_name);
        firefox.send(filled.header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")).await;
        for (number, age) in ["0 s", "5 min", "3 h", "4 d", "100 d"].into_iter().enumerate() {
            self.connect(newcomer.id, number, age).await;
        }
        let mut pages = vec![empty];
        for done in ["session-ended", "sessions-ended", "withdrawn", "password-changed"] {
            pages.push(self.get(&browser, &format!("/?done={done}")).await);
        }
        let home = pages.last().unwrap().clone();
        let change = async |old: &str, new: &str, again: &str| {
            let fields = [("old_password", old), ("new_password", new), ("new_password_again", again)];
            browser.press(&home, "change-password", &fields).await
        };
        let old = newcomer.password.as_str();
        pages.push(change(old, "one of them", "the other one").await);
        pages.push(change("not this one", "through the looking glass", "through the looking glass").await);
        for unfit in ["short", "a\u{1}bcdefghij", &"long".repeat(300)] {
            pages.push(change(old, unfit, unfit).await);
        }
        pages
    }

    async fn connect(&self, person: Uuid, number: usize, age: &str) {
        let metadata = json!({
            "client_name": format!("Notizia {number}"), "initiate_login_uri": "https://notes.example/login",
            "redirect_uris": ["https://notes.example/callback"]
        });
        let app = client(self.db, metadata).await;
        let allowed = "insert into identity_store.consents (user_id, client_id, scope, granted_at)
            values ($1, $2, '{openid,profile}', now() - $3::text::interval)";
        self.db.superuser().await.execute(allowed, &[&person, &app.id, &age]).await.unwrap();
    }

    async fn leaving(&self) -> Vec<Page> {
        let browser = self.browser();
        let login = self.get(&browser, "/login").await;
        browser.sign_in(&login, &self.person.username, &self.person.password).await;
        let asked = self.get(&browser, &format!("/logout?client_id={}", self.app.id)).await;
        let own = self.get(&browser, "/logout").await;
        let done = browser.press(&own, "logout-yes", &[]).await;
        assert!(done.has("logged-out"), "{}", done.body);
        vec![asked, own, done]
    }

    /// Whoever does not come the way we expect.
    async fn astray(&self) -> Vec<Page> {
        let browser = self.browser();
        let id = &self.app.id;
        let mut pages = Vec::new();
        for path in [
            "/no/such/page",
            "/login?resume=forged",
            "/login?resume=%zz",
            "/login?resume=a&resume=b",
            "/authorize?client_id=nobody&response_type=code",
            "/authorize?response_type=code",
            "/authorize?client_id=a&client_id=b",
            &format!("/authorize?client_id={id}&response_type=code&scope=openid"),
            &format!("/authorize?client_id={id}&redirect_uri=https://evil.example/"),
            "/logout?id_token_hint=forged",
            "/logout?client_id=nobody",
            "/logout?post_logout_redirect_uri=https://notes.example/",
            &format!("/logout?client_id={id}&post_logout_redirect_uri=https://evil.example/"),
        ] {
            let page = self.get(&browser, path).await;
            assert!(page.has("error"), "{path}: {} {}", page.status, page.body);
            pages.push(page);
        }
        let fields = [("client_id", id.as_str()), ("state", &"x".repeat(7000))];
        pages.push(browser.post(self.gateway.url("/authorize"), &fields).await);
        assert!(pages.last().unwrap().has("error"));
        pages.push(browser.post(self.gateway.url("/consent"), &[("allow", "yes")]).await);
        let json = browser.http.post(self.gateway.url("/login")).header("Content-Type", "application/json").body("{}");
        pages.push(browser.send(json).await);
        pages.push(browser.send(browser.http.put(self.gateway.url("/login"))).await);
        // A hint at another client than the one that asks.
        let flow = self.flow(self.browser());
        let hint = flow.tokens(&self.other).await.id().to_owned();
        let other = client(self.db, json!({"redirect_uris": ["https://notes.example/callback"]})).await;
        pages.push(self.get(&browser, &format!("/logout?client_id={}&id_token_hint={hint}", other.id)).await);
        pages
    }
}
