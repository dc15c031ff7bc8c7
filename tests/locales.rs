//! The pages in every language: what people read, from whom, and in whose words.

use serde_json::{Value, json};

use crate::http_site::Site;
use crate::pages::header;
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, client, user};

mod messages;
mod walk;

pub const LANGUAGES: [&str; 5] = ["en", "de", "fr", "es", "pt"];

#[track_caller]
pub fn assert_speaks(page: &Page, language: &str) {
    assert!(
        page.body.contains(&format!("<html lang=\"{language}\">")),
        "{} is not {language}:\n{}",
        page.url,
        page.body
    );
    assert_eq!(header(page, "content-language"), Some(language), "{}", page.url);
    assert_eq!(header(page, "vary"), Some("accept-language"), "{}", page.url);
}

/// In one browser that reads German: each page of a request speaks French, because the client wishes it.
#[tokio::test]
async fn the_client_s_wish_goes_from_page_to_page() {
    let site = Site::new().await;
    let german = || Browser::sending(&[("accept-language", "de")]);
    let flow = site.flow().in_browser(german()).with("ui_locales", "nl fr-CA es");
    let login = flow.open().await;
    assert_speaks(&login, "fr");
    let again = flow.browser.sign_in(&login, "alice", "wrong").await;
    assert_eq!(
        (again.status.as_u16(), again.text("problem").unwrap().contains("mot de passe est incorrect")),
        (422, true)
    );
    assert_speaks(&again, "fr");
    let consent = flow.browser.sign_in(&again, &site.alice.username, &site.alice.password).await;
    assert_eq!(consent.url.path(), "/consent");
    assert_speaks(&consent, "fr");
    flow.browser.press(&consent, "allow", &[]).await;

    let flow = flow.with("prompt", "select_account");
    let chooser = flow.open().await;
    assert_eq!(chooser.url.path(), "/select-account");
    assert_speaks(&chooser, "fr");
    let flow = flow.without("prompt").with("response_mode", "form_post");
    let post = flow.open().await;
    assert!(post.has("continue"), "{}", post.body);
    assert_speaks(&post, "fr");
    let flow = flow.without("response_mode").with("redirect_uri", "https://evil.example/");
    let refused = flow.open().await;
    assert_eq!(
        refused.text("error_description").as_deref(),
        Some("redirect_uri n’est pas enregistré pour cette application")
    );
    assert_speaks(&refused, "fr");

    let home = flow.browser.open(site.gateway.url("/")).await;
    assert_speaks(&home, "de");
    let logout = flow.browser.open(site.gateway.url("/logout?ui_locales=fr")).await;
    assert_speaks(&logout, "fr");
    let done = flow.browser.press(&logout, "logout-yes", &[]).await;
    assert_eq!(done.url.path(), "/logout/done");
    assert_speaks(&done, "fr");
    assert_speaks(&flow.browser.open(site.gateway.url("/logout")).await, "de");
}

#[tokio::test]
async fn the_client_s_wish_arrives_by_post_and_in_a_request_object_too() {
    let site = Site::new().await;
    let browser = Browser::sending(&[("accept-language", "de")]);
    let flow = site.flow().with("ui_locales", "pt");
    let fields: Vec<(&str, &str)> =
        flow.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let deferred = browser.post(site.gateway.url("/authorize"), &fields).await;
    assert_speaks(&browser.follow(deferred).await, "pt");
    let logout = browser.post(site.gateway.url("/logout"), &[("ui_locales", "es"), ("state", "x")]).await;
    assert_speaks(&browser.follow(logout).await, "es");

    let object = crate::authorize_objects::unsigned(&json!({
        "client_id": site.web.id, "redirect_uri": site.web.redirect_uri(), "response_type": "code", "scope": "openid",
        "ui_locales": "fr"
    }));
    let flow = Flow::new(&site.gateway, &site.web).in_browser(browser).with("request", &object);
    let login = flow.open().await;
    assert_eq!(login.url.path(), "/login", "{}", login.body);
    assert_speaks(&login, "fr");
}

/// OpenID Connect Core §3.1.2.1: "An error SHOULD NOT result if some or all of the requested locales are not supported".
#[tokio::test]
async fn wishes_that_are_none_harm_nobody() {
    let site = Site::new().await;
    let long = "x".repeat(3000);
    let garbage =
        ["tlh", "\u{0}", "*", "-", "de-", "de_DE", "../../en", "<script>", "fr\r\nSet-Cookie: a=b", "🦊", &long, "  "];
    for wish in garbage.into_iter().filter(|wish| !wish.contains('\u{0}')) {
        for name in ["ui_locales", "claims_locales", "acr_values", "display"] {
            let flow = site.flow().in_browser(Browser::sending(&[("accept-language", "es")])).with(name, wish);
            let login = flow.open().await;
            assert_eq!((login.status.as_u16(), login.url.path()), (200, "/login"), "{name}={wish:?}: {}", login.body);
            // What ends with a hyphen is the language before it.
            assert_speaks(&login, if name == "ui_locales" && wish == "de-" { "de" } else { "es" });
            assert!(!login.body.contains("<script"));
        }
    }
    let flow = site
        .flow()
        .with("ui_locales", "🦊 de")
        .with("claims_locales", "x y")
        .with("acr_values", "9 8")
        .with("display", "wap");
    let tokens = flow.tokens(&site.alice).await;
    assert_eq!(crate::support::Tokens::claims(tokens.id())["acr"], json!("1"));
    for header in ["de;q=2;q=1,,;", "\u{7f}", &"de,".repeat(2000), "q=1"] {
        let Ok(value) = reqwest::header::HeaderValue::from_str(header) else { continue };
        let browser = Browser::new();
        let page = browser.send(browser.http.get(site.gateway.url("/login")).header("Accept-Language", value)).await;
        assert_eq!(page.status, 200, "{header:?}");
    }
}

async fn translated_client(db: &Database) -> Client {
    let metadata = json!({
        "client_name": "Notes", "client_name#de": "Notizen", "client_name#fr-CA": "Notes d'ici", "client_name#ja": "ノート",
        "client_uri": "https://notes.example/", "client_uri#de": "https://notes.example/de/",
        "logo_uri": "https://notes.example/logo.png", "logo_uri#de": "https://bilder.example/logo.png",
        "policy_uri": "https://notes.example/policy", "policy_uri#de": "https://notes.example/datenschutz",
        "tos_uri": "https://notes.example/tos", "tos_uri#fr": "https://notes.example/conditions",
        "redirect_uris": ["https://notes.example/callback"], "scope": "openid"
    });
    client(db, metadata).await
}

/// RFC 7591 §2.2, as the person reads it; what is not there in their language is as it was registered for everybody.
#[tokio::test]
async fn what_an_application_says_of_itself_is_in_the_person_s_language() {
    let site = Site::new().await;
    let app = translated_client(&site.db).await;
    for (language, name, policy, tos) in [
        ("de-AT", "Notizen", "datenschutz", "tos"),
        ("fr-CA", "Notes d'ici", "policy", "conditions"),
        ("fr", "Notes", "policy", "conditions"),
        ("JA-Hani-jp,en;q=0.5", "ノート", "policy", "tos"),
        ("en", "Notes", "policy", "tos"),
    ] {
        let browser = Browser::sending(&[("accept-language", language)]);
        let flow = Flow::new(&site.gateway, &app).in_browser(browser).with("scope", "openid");
        let login = flow.open().await;
        let consent = flow.browser.sign_in(&login, &site.alice.username, &site.alice.password).await;
        assert_eq!(consent.url.path(), "/consent", "{}", consent.body);
        for page in [&login, &consent] {
            let link = |id: &str| {
                let (_, tag) = page.body.split_once(&format!("<a id=\"{id}\"")).unwrap();
                crate::support::attribute_of(tag.split_once('>').unwrap().0, "href").unwrap()
            };
            let found = (link("policy"), link("tos"));
            let expected = (format!("https://notes.example/{policy}"), format!("https://notes.example/{tos}"));
            assert_eq!(found, expected, "{language}");
            assert!(
                crate::support::unescape(&page.body).contains(&format!("<bdi>{name}</bdi>")),
                "{language}: {}",
                page.body
            );
            let pictures = if name == "Notizen" { "https://bilder.example" } else { "https://notes.example" };
            assert!(header(page, "content-security-policy").unwrap().contains(&format!("img-src 'self' {pictures};")));
        }
    }
    // Of the client's wish, not of the browser's.
    let flow = Flow::new(&site.gateway, &app).with("ui_locales", "de").with("scope", "openid");
    assert!(flow.open().await.body.contains("<bdi>Notizen</bdi>"));
    // As registered, it stays as it was written.
    let read: Value =
        site.db.admin().await.query_one("select identity.client_read($1)", &[&app.id]).await.unwrap().get(0);
    assert_eq!(read["client_name#fr-CA"], json!("Notes d'ici"));
}

#[tokio::test]
async fn a_scope_that_an_administrator_described_is_shown_as_they_wrote_it() {
    let site = Site::new().await;
    let described = "select identity.scope_create('notes.read', 'Read <your> notes')";
    site.db.admin().await.execute(described, &[]).await.unwrap();
    let changed = "update identity_store.scopes set description = 'See what we call you' where name = 'profile'";
    site.db.superuser().await.execute(changed, &[]).await.unwrap();
    let metadata = json!({"client_name": "All of it", "redirect_uris": ["https://notes.example/callback"]});
    let app = client(&site.db, metadata).await;
    let flow = Flow::new(&site.gateway, &app).in_browser(Browser::sending(&[("accept-language", "de")]));
    let flow = flow.with("scope", "openid profile email notes.read");
    let consent = flow.browser.sign_in(&flow.open().await, &site.alice.username, &site.alice.password).await;
    let list = consent.body.split_once("<ul class=\"scopes\"").unwrap().1.split_once("</ul>").unwrap().0;
    let items: Vec<&str> = list.split("<li>").skip(1).map(|item| item.split_once("</li>").unwrap().0).collect();
    assert_eq!(
        items,
        [
            "Wissen, dass Sie es sind",
            "<bdi>See what we call you</bdi>",
            "Ihre E-Mail-Adresse sehen",
            "<bdi>Read &#60;your&#62; notes</bdi>"
        ]
    );
}

/// What turns requests away before any page is made speaks too.
#[tokio::test]
async fn who_asks_too_much_reads_it_in_their_language() {
    let db = Database::new().await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_LIMIT_PER_SECOND", "1"), ("GATEWAY_LIMIT_BURST", "1")]).await;
    user(&db, "alice").await;
    let browser = Browser::sending(&[("accept-language", "de"), ("accept", "text/html")]);
    let mut page = browser.get(gateway.url("/login")).await;
    while page.status == 200 {
        page = browser.get(gateway.url("/login")).await;
    }
    assert_eq!(page.status, 429);
    assert_speaks(&page, "de");
    assert_eq!(page.text("error_description").as_deref(), Some("zu viele Anfragen, bitte warten Sie"));
}
