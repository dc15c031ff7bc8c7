//! request_uri (OpenID Connect Core §6.2; RFC 9101 §5.2): a request by reference counts as the same request by value, is fetched
//! only from where its client registered it, once, and a flood of them is a few fetches.

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest as sha;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{World, jwks, named};
use crate::authorize::{CHALLENGE, authorize, call, error_redirect, request, with};
use crate::authorize_objects::unsigned;
use crate::bad_input::digest;
use crate::jwt::merged;
use crate::support::{Client, Database, Flow, Says, client, user};

/// A client that sends its requests by reference, from these paths.
async fn referring(world: &World, paths: &[&str], more: Value) -> Client {
    let uris: Vec<String> = paths.iter().map(|path| world.stranger.url(path)).collect();
    let metadata = json!({ "redirect_uris": ["https://a.example/cb"], "first_party": true, "request_uris": uris });
    client(&world.db, merged(metadata, more)).await
}

fn hash(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(sha::digest(&sha::SHA256, text.as_bytes()))
}

fn object(text: &str) -> Says {
    Says::ok("application/oauth-authz-req+jwt", text)
}

/// `oidcc-request-uri-unsigned`
#[tokio::test]
async fn a_request_by_reference_is_the_same_request_and_is_fetched_once() {
    let world = World::new().await;
    let (alice, app) = (user(&world.db, "alice").await, referring(&world, &["/r"], json!({})).await);
    let claims = json!({ "state": "of the object", "nonce": "of the object", "scope": "openid email" });
    // A file ends in a line feed.
    world.stranger.says("/r", object(&(unsigned(&claims) + "\n")));
    let flow = Flow::new(&world.gateway, &app).with("request_uri", &world.stranger.url("/r"));
    let page = flow.open().await;
    assert!(page.has("sign-in"), "{}", page.body);
    let head = &world.stranger.asked("/r")[0];
    assert!(head.contains("accept: application/oauth-authz-req+jwt"), "{head}");
    // From here on the server may be away.
    world.stranger.says("/r", Says::Hangs);
    let back = flow.browser.sign_in(&page, &alice.username, &alice.password).await;
    assert_eq!(back.location_parameter("state").as_deref(), Some("of the object"));
    let answer = flow.redeem(&back.location_parameter("code").unwrap()).await.json();
    assert_eq!(answer["scope"], "openid email");
    let id = crate::support::Tokens::claims(answer["id_token"].as_str().unwrap());
    assert_eq!(id["nonce"], "of the object");
    assert_eq!(world.stranger.times_asked(), 1);
}

/// `oidcc-request-uri-signed-rs256`, whatever the algorithm.
#[tokio::test]
async fn a_signed_one_stands_alone_and_may_be_posted() {
    let world = World::new().await;
    let (alice, key) = (user(&world.db, "alice").await, named("a"));
    let signing = json!({
        "request_object_signing_alg": "ES256", "require_signed_request_object": true, "jwks_uri": world.stranger.url("/jwks")
    });
    let app = referring(&world, &["/r"], signing).await;
    let claims = json!({
        "iss": app.id, "aud": world.db.issuer, "client_id": app.id, "response_type": "code", "scope": "openid",
        "redirect_uri": "https://a.example/cb", "state": "signed", "code_challenge": CHALLENGE, "code_challenge_method": "S256"
    });
    world.stranger.says("/r", object(&key.sign(json!({ "kid": "a", "typ": "oauth-authz-req+jwt" }), claims)));
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&key])));
    let (id, uri) = (app.id.clone(), world.stranger.url("/r"));
    // RFC 9101 §5: client_id and request_uri, nothing else.
    let fields = [("client_id", id.as_str()), ("request_uri", uri.as_str())];
    let page = world.browser.post(world.gateway.url("/authorize"), &fields).await;
    assert_eq!(world.stranger.times_asked(), 0, "a posted request comes back first");
    let page = world.browser.follow(page).await;
    let back = world.browser.sign_in(&page, &alice.username, &alice.password).await;
    assert_eq!(back.location_parameter("state").as_deref(), Some("signed"));
    assert!(back.location_parameter("code").is_some());
    assert_eq!((world.stranger.asked("/r").len(), world.stranger.asked("/jwks").len()), (1, 1));
    // What is not signed does not count, also by reference.
    world.stranger.says("/r", object(&unsigned(&json!({ "redirect_uri": "https://a.example/cb" }))));
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let page = world.browser.get(format!("{}?client_id={id}&request_uri={uri}", world.gateway.url("/authorize"))).await;
    assert_eq!((page.status.as_u16(), page.text("error").as_deref()), (400, Some("invalid_request_object")));
}

#[tokio::test]
async fn what_is_not_registered_is_never_fetched() {
    let world = World::new().await;
    let app = referring(&world, &["/r", "/q?a=b"], json!({})).await;
    let registered = world.stranger.url("/r");
    for uri in [
        world.stranger.url("/other"),
        format!("{registered}/"),
        format!("{registered}?x=1"),
        world.stranger.url("/q"),
        world.stranger.url("/R"),
        registered.replace("http:", "HTTP:"),
        registered.replace("127.0.0.1", "127.1"),
        registered.replace("http://", "http://x@"),
        "https://a.example/r".into(),
        "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c".into(),
        "file:///etc/passwd".into(),
        "x".into(),
    ] {
        let back = Flow::new(&world.gateway, &app).with("request_uri", &uri).open().await;
        assert_eq!(back.location_parameter("error").as_deref(), Some("invalid_request_uri"), "{uri}");
        let description = back.location_parameter("error_description").unwrap();
        assert_eq!(description, "request_uri is not registered for this client");
        assert_eq!(back.location_parameter("state").as_deref(), Some("af0ifjsldkj"));
        assert_eq!(back.location_parameter("iss").as_deref(), Some(world.db.issuer.as_str()));
        // Nobody to tell it to.
        let page = Flow::new(&world.gateway, &app).with("request_uri", &uri).without("redirect_uri").open().await;
        assert_eq!((page.status.as_u16(), page.text("error").as_deref()), (400, Some("invalid_request_uri")));
    }
    let stranger = client(&world.db, json!({ "redirect_uris": ["https://a.example/cb"] })).await;
    let back = Flow::new(&world.gateway, &stranger).with("request_uri", &registered).open().await;
    assert_eq!(back.location_parameter("error").as_deref(), Some("invalid_request_uri"));
    let both = Flow::new(&world.gateway, &app).with("request_uri", &registered).with("request", &unsigned(&json!({})));
    assert_eq!(both.open().await.location_parameter("error").as_deref(), Some("invalid_request"));
    let mut twice = Flow::new(&world.gateway, &app).with("request_uri", &registered);
    twice.parameters.push(("request_uri".into(), registered.clone()));
    assert_eq!(twice.open().await.location_parameter("error").as_deref(), Some("invalid_request"));
    assert_eq!(world.stranger.times_asked(), 0);
}

#[tokio::test]
async fn what_is_there_and_no_request_is_told_by_redirect() {
    let world = World::with(&[("GATEWAY_FETCH_TIMEOUT", "2")]).await;
    let elsewhere = unsigned(&json!({ "redirect_uri": "https://evil.example/cb" }));
    let nested = unsigned(&json!({ "request_uri": world.stranger.url("/0") }));
    let cases = [
        (Says::Floods, "invalid_request_uri"),
        (Says::Drips, "invalid_request_uri"),
        (Says::Hangs, "invalid_request_uri"),
        (Says::redirect(&world.stranger.url("/good")), "invalid_request_uri"),
        (Says::Answer("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n".into()), "invalid_request_uri"),
        (object("\0"), "invalid_request_uri"),
        (object(""), "invalid_request_object"),
        (Says::ok("application/json", "{\"state\": \"x\"}"), "invalid_request_object"),
        (Says::ok("text/html", "<html>"), "invalid_request_object"),
        (object(&"x".repeat(60_000)), "invalid_request_object"),
        (object(&nested), "invalid_request_object"),
        (object(&unsigned(&json!({ "client_id": "other" }))), "invalid_request_object"),
    ];
    let paths: Vec<String> = (0..cases.len()).map(|n| format!("/{n}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).chain(["/elsewhere"]).collect();
    let app = referring(&world, &paths, json!({})).await;
    for ((says, error), path) in cases.into_iter().zip(&paths) {
        world.stranger.says(path, says.clone());
        let back = Flow::new(&world.gateway, &app).with("request_uri", &world.stranger.url(path)).open().await;
        assert_eq!(back.location_parameter("error").as_deref(), Some(error), "{says:?}");
        assert!(back.location().unwrap().as_str().starts_with("https://a.example/cb?"));
        assert_eq!(world.stranger.asked(path).len(), 1, "{says:?}");
    }
    assert_eq!(world.stranger.asked("/good").len(), 0, "no redirect is followed");
    // A redirect_uri that comes by reference has to be registered as any other.
    world.stranger.says("/elsewhere", object(&elsewhere));
    let page = Flow::new(&world.gateway, &app).with("request_uri", &world.stranger.url("/elsewhere")).open().await;
    assert_eq!((page.status.as_u16(), page.text("error").as_deref()), (400, Some("invalid_request")));
}

/// OpenID Connect Core §6.2: the fragment is the SHA-256 of what is there, for whoever keeps it. A client may register it before it
/// knows what will be there, as certification does.
#[tokio::test]
async fn what_its_fragment_vouches_for_is_kept_and_what_it_does_not_is_fetched_anew() {
    let world = World::new().await;
    let (first, second) = (unsigned(&json!({ "state": "first" })), unsigned(&json!({ "state": "second" })));
    let app = referring(&world, &["/r#registered"], json!({})).await;
    let state = async |fragment: &str| {
        let uri = format!("{}#{fragment}", world.stranger.url("/r"));
        let flow = Flow::new(&world.gateway, &app).with("request_uri", &uri).with("prompt", "none");
        flow.open().await.location_parameter("state").unwrap()
    };
    world.stranger.says("/r", object(&first));
    for _ in 0..10 {
        assert_eq!(state(&hash(&first)).await, "first");
    }
    assert_eq!(world.stranger.times_asked(), 1);
    world.stranger.says("/r", object(&second));
    assert_eq!(state(&hash(&first)).await, "first");
    assert_eq!(state(&hash(&second)).await, "second");
    assert_eq!(world.stranger.times_asked(), 2);
    assert_eq!(state("registered").await, "second");
    world.stranger.says("/r", object(&first));
    assert_eq!(state("registered").await, "first");
    assert_eq!(world.stranger.times_asked(), 4);
}

#[tokio::test]
async fn a_flood_of_requests_by_reference_is_a_few_fetches_and_writes_nothing() {
    let world = Arc::new(World::new().await);
    let app = referring(&world, &["/r"], json!({})).await;
    world.stranger.says("/r", object(&unsigned(&json!({ "state": "s" }))));
    let superuser = world.db.superuser().await;
    let before = digest(&superuser).await;
    // Kept for a second; or each another one, of which a client has so many at once and so many a second.
    for (fragments, at_once, a_second) in [(false, 5, 1), (true, 55, 5)] {
        let (begun, fetched) = (Instant::now(), world.stranger.times_asked());
        let mut answers = JoinSet::new();
        for n in 0..400 {
            let (world, app) = (Arc::clone(&world), app.clone());
            answers.spawn(async move {
                let fragment = if fragments { format!("#{n}") } else { String::new() };
                let uri = world.stranger.url("/r") + &fragment;
                let flow = Flow::new(&world.gateway, &app).with("request_uri", &uri).with("prompt", "none");
                flow.open().await.location_parameter("error").unwrap()
            });
        }
        let answers = answers.join_all().await;
        assert!(answers.iter().all(|error| error == "login_required" || error == "invalid_request_uri"));
        let fetched = world.stranger.times_asked() - fetched;
        let most = at_once + a_second * (1 + begun.elapsed().as_secs() as usize);
        assert!((1..=most).contains(&fetched), "{fetched} fetches in {:?}", begun.elapsed());
    }
    assert_eq!(digest(&superuser).await, before);
}

#[tokio::test]
async fn the_database_asks_for_what_is_registered_and_judges_what_it_is_handed() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let uri = "https://a.example/r#x";
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "request_uris": ["https://a.example/r"], "jwks_uri": "https://a.example/jwks"
    });
    let app = client(&db, metadata).await;
    let asked = with(request(&app), json!({ "request_uri": uri }));
    let need = ("need".to_owned(), json!({ "kind": "request_object", "url": uri, "client_id": app.id }));
    assert_eq!(authorize(&sql, &asked, None).await, need);
    let handed = async |documents: Value| {
        call(&sql, "authorization_request", &[&asked, &None::<&str>, &"browser", &documents]).await
    };
    assert_eq!(handed(json!({})).await, need);
    // Another address, the same without its fragment among them, is another document.
    assert_eq!(handed(json!({ "https://a.example/r": unsigned(&json!({})) })).await, need);
    let cannot = error_redirect(&db, &app, "invalid_request_uri", "request_uri cannot be fetched");
    assert_eq!(handed(json!({ uri: null })).await, cannot);
    assert_eq!(handed(json!({ uri: unsigned(&json!({})) })).await.0, "sign_in");
    let key = named("a");
    let signed = key.sign(json!({ "kid": "a" }), json!({}));
    let keys = json!({ "kind": "jwks", "url": "https://a.example/jwks", "client_id": app.id });
    assert_eq!(handed(json!({ uri: signed })).await, ("need".to_owned(), keys));
    let unknown = "the request object is signed with a key that is not known";
    assert_eq!(
        handed(json!({ uri: signed, "https://a.example/jwks": null })).await,
        error_redirect(&db, &app, "invalid_request_object", unknown)
    );
    for documents in [json!([]), json!("x"), json!({ uri: 1 }), json!({ uri: [] })] {
        let query = "select identity.authorization_request($1, null, 'browser', $2)";
        let refused = sql.query_one(query, &[&asked, &documents]).await.unwrap_err();
        let message = "documents: must be an object of texts by their URL: {\"https://…\": \"…\"}";
        assert_eq!(crate::users::refusal(&refused), ("ID005".into(), message.into()));
    }
}
