//! Front-channel logout (sql/store/functions/frontchannel_logout.sql, gateway/src/logout.rs; OpenID Connect Front-Channel Logout 1.0).

mod elsewhere;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::process::Command;
use url::Url;

use crate::authorize::{call, code, request, session, with};
use crate::jwt::merged;
use crate::pages::set_cookies;
use crate::real_clients::run;
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, Tokens, attribute_of, client, free_port, user};

async fn framed(db: &Database, host: &str, more: Value) -> Client {
    let metadata = json!({
        "redirect_uris": [format!("https://{host}/callback")], "post_logout_redirect_uris": [format!("https://{host}/")],
        "scope": "openid profile", "frontchannel_logout_uri": format!("https://{host}/out"), "first_party": true
    });
    client(db, merged(metadata, more)).await
}

/// The addresses that a page loads in frames.
fn frames(page: &Page) -> Vec<Url> {
    let tags = page.body.split('<').filter(|tag| tag.starts_with("iframe "));
    tags.map(|tag| attribute_of(tag, "src").unwrap().parse().unwrap()).collect()
}

/// Where that page leads, by its link as by itself.
#[track_caller]
fn next(page: &Page) -> String {
    let tag =
        |mark: &str| page.body.split('<').find(|tag| tag.contains(mark)).unwrap_or_else(|| panic!("{}", page.body));
    let next = attribute_of(tag("id=\"continue\""), "href").unwrap();
    assert_eq!(attribute_of(tag("http-equiv=\"refresh\""), "content"), Some(format!("5; url={next}")));
    next
}

#[tokio::test]
async fn each_client_of_the_session_is_a_frame_with_the_session_as_it_knows_it() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let one = framed(&db, "a.example", json!({"client_id": "a"})).await;
    let pairwise = framed(
        &db,
        "b.example",
        json!({"client_id": "b", "subject_type": "pairwise", "frontchannel_logout_session_required": true}),
    )
    .await;
    let plain = framed(&db, "c.example", json!({"client_id": "c"})).await;
    framed(&db, "d.example", json!({"client_id": "d"})).await;
    let silent = framed(&db, "e.example", json!({"client_id": "e", "frontchannel_logout_uri": null})).await;
    let cookie = session(&sql, &alice).await;
    let mut sids = Vec::new();
    for app in [&one, &pairwise, &silent] {
        let code = code(&sql, &request(app), &cookie).await;
        let (_, tokens) = crate::token::redeem(&sql, app, &code).await;
        sids.push(Tokens::claims(tokens["id_token"].as_str().unwrap())["sid"].clone());
    }
    code(&sql, &with(request(&plain), json!({"scope": "profile"})), &cookie).await;
    let (_, answer) = call(&sql, "logout_request", &[&json!({}), &cookie, &"browser"]).await;
    let resume = answer["resume"].as_str().unwrap();
    let frame = |host: &str, sid: &Value| json!({"redirect_uri": format!("https://{host}/out"), "parameters": {"iss": db.issuer, "sid": sid}});
    assert_eq!(
        call(&sql, "logout_confirm", &[&resume, &cookie, &"browser"]).await,
        ("signed_out".into(), json!({"frames": [frame("a.example", &sids[0]), frame("b.example", &sids[1])]}))
    );
    assert_ne!(sids[0], sids[1]);
    // The session has ended: a reload of the form tells nobody anything again.
    assert_eq!(call(&sql, "logout_confirm", &[&resume, &cookie, &"browser"]).await, ("signed_out".into(), json!({})));
}

/// Signs in at these clients and answers the page after the confirmation of a logout with these parameters.
async fn confirmed(
    gateway: &Gateway,
    person: &crate::support::User,
    apps: &[&Client],
    asked: &[(&str, &str)],
) -> (Browser, Page) {
    let mut browser = Browser::new();
    for app in apps {
        let flow = Flow::new(gateway, app).in_browser(browser);
        flow.code(person).await;
        browser = flow.browser;
    }
    let page = browser.open(Url::parse_with_params(&gateway.url("/logout"), asked).unwrap()).await;
    let page = browser.press(&page, "logout-yes", &[]).await;
    (browser, page)
}

#[tokio::test]
async fn the_page_frames_their_addresses_and_nothing_else_and_leads_on() {
    let db = Database::new().await;
    let (gateway, alice) = (Gateway::start(&db).await, user(&db, "alice").await);
    let one = framed(
        &db,
        "a.example",
        json!({"client_id": "a", "frontchannel_logout_uri": "https://a.example/out?x=%7e&y=1"}),
    )
    .await;
    let two = framed(&db, "b.example:8443", json!({"client_id": "b"})).await;
    let three = framed(&db, "a.example", json!({"client_id": "c"})).await;
    let asked = [("client_id", "b"), ("post_logout_redirect_uri", "https://b.example:8443/"), ("state", "\"><b>&")];
    let (browser, page) = confirmed(&gateway, &alice, &[&one, &two, &three], &asked).await;
    assert_eq!(page.status, 200);
    let script = page.body.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    assert_eq!(page.body.matches("<script").count(), 1);
    assert_eq!(
        page.headers["content-security-policy"],
        format!(
            "default-src 'none'; style-src 'self'; img-src 'self'; frame-src https://a.example https://b.example:8443; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'none'; script-src 'sha256-{}'",
            STANDARD.encode(digest(&SHA256, script.as_bytes()))
        )
    );
    assert_eq!(page.headers["x-frame-options"], "DENY");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    let [session, state] = <[String; 2]>::try_from(set_cookies(&page)).unwrap();
    assert_eq!(session, "identity_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    assert!(state.starts_with("identity_state=") && state.ends_with("; Path=/; SameSite=Lax"), "{state}");
    let frames = frames(&page);
    let sid = frames[0].query_pairs().find(|(name, _)| name == "sid").unwrap().1.into_owned();
    let issuer = url::form_urlencoded::byte_serialize(db.issuer.as_bytes()).collect::<String>();
    assert_eq!(
        frames.iter().map(Url::as_str).collect::<Vec<_>>(),
        [
            format!("https://a.example/out?x=%7e&y=1&iss={issuer}&sid={sid}"),
            format!("https://b.example:8443/out?iss={issuer}&sid={sid}"),
            format!("https://a.example/out?iss={issuer}&sid={sid}")
        ]
    );
    assert_eq!(next(&page), "https://b.example:8443/?state=%22%3E%3Cb%3E%26");
    assert!(browser.open(gateway.url("/")).await.has("sign-in"));

    let (_, page) = confirmed(&gateway, &alice, &[&one], &[]).await;
    assert_eq!(next(&page), "/logout/done");
}

/// Nobody is asked where the client proves that it is this person's; its frame is loaded all the same.
#[tokio::test]
async fn a_logout_without_a_question_has_frames_too() {
    let db = Database::new().await;
    let (gateway, alice) = (Gateway::start(&db).await, user(&db, "alice").await);
    let app = framed(&db, "a.example", json!({"grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "client_secret_basic"})).await;
    let flow = Flow::new(&gateway, &app);
    let tokens = flow.tokens(&alice).await;
    let asked = [("id_token_hint", tokens.id()), ("post_logout_redirect_uri", "https://a.example/")];
    let page = flow.browser.open(Url::parse_with_params(&gateway.url("/logout"), asked).unwrap()).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body.matches("<iframe ").count(), 1);
    // Once more, with nobody there: straight on.
    let page = flow.browser.open(Url::parse_with_params(&gateway.url("/logout"), asked).unwrap()).await;
    assert_eq!(page.location().unwrap().as_str(), "https://a.example/");
}

#[tokio::test]
async fn chromium_loads_every_frame_and_goes_on_though_one_hangs() {
    let db = Database::new().await;
    let (gateway, alice) = (Gateway::start(&db).await, user(&db, "alice").await);
    let mut node = Command::new("node");
    for (name, host) in [("GOOD", "localhost"), ("HANGS", "127.0.0.1")] {
        let origin = format!("http://{host}:{}", free_port());
        let metadata = json!({
            "client_id": name, "redirect_uris": [format!("{origin}/callback")], "post_logout_redirect_uris": [format!("{origin}/bye")],
            "frontchannel_logout_uri": format!("{origin}/out?x=1")
        });
        client(&db, metadata).await;
        node.env(name, origin);
    }
    node.args(["--test", "--test-reporter=spec", "frontchannel_logout.mjs"])
        .env("ISSUER", &gateway.issuer)
        .env("PERSON_NAME", &alice.username)
        .env("PERSON_PASSWORD", &alice.password);
    run(node).await;
}
