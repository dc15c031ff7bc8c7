//! Request objects that are encrypted to us, over HTTP: every algorithm of discovery, by GET, by POST and by reference, signed inside
//! with a key of the client's jwks_uri; and what is no such object (RFC 9101 §4, §6; OpenID Connect Core §6).

use serde_json::{Value, json};

use super::Jose;
use crate::authorize::CHALLENGE;
use crate::authorize_objects::unsigned;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::outbound::{World, jwks, named};
use crate::support::{Client, Flow, Page, Says, client, user};

/// What discovery says can be asked for, each with each.
async fn offered(world: &World) -> Vec<(String, String)> {
    let discovery = world.browser.get(world.gateway.url("/.well-known/openid-configuration")).await.json();
    let list = |name: &str| -> Vec<String> { serde_json::from_value(discovery[name].clone()).unwrap() };
    let encs = list("request_object_encryption_enc_values_supported");
    let algs = list("request_object_encryption_alg_values_supported");
    algs.iter().flat_map(|alg| encs.iter().map(|enc| (alg.clone(), enc.clone()))).collect()
}

/// The key of ours to encrypt to, as published.
async fn published(world: &World, alg: &str) -> Value {
    let kty = if alg.starts_with("RSA") { "RSA" } else { "EC" };
    let keys = world.browser.get(world.gateway.url("/jwks.json")).await.json();
    let mut keys = keys["keys"].as_array().unwrap().iter();
    keys.find(|key| key["use"] == "enc" && key["kty"] == kty).unwrap().clone()
}

/// A client that signs with this key, published at its jwks_uri, and sends requests by reference from these paths.
async fn signing(world: &World, key: &Foreign, paths: &[String], more: Value) -> Client {
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[key])));
    let uris: Vec<String> = paths.iter().map(|path| world.stranger.url(path)).collect();
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "first_party": true, "jwks_uri": world.stranger.url("/jwks"),
        "request_uris": uris, "request_object_signing_alg": "ES256", "require_signed_request_object": true
    });
    client(&world.db, merged(metadata, more)).await
}

/// The whole request of this client, to be answered without a page.
fn claims(world: &World, app: &Client, state: &str) -> Value {
    json!({
        "iss": app.id, "aud": world.db.issuer, "client_id": app.id, "response_type": "code", "scope": "openid",
        "redirect_uri": "https://a.example/cb", "state": state, "code_challenge": CHALLENGE,
        "code_challenge_method": "S256", "prompt": "none"
    })
}

async fn seal(jose: &mut Jose, text: &str, key: &Value, alg: &str, enc: &str) -> String {
    let asked = json!({ "text": text, "key": key, "kid": key["kid"], "alg": alg, "enc": enc, "cty": "JWT" });
    jose.ask("encrypt", asked).await.as_str().unwrap().to_owned()
}

/// RFC 9101 §5: client_id and the object or where it is, nothing else.
fn bare(world: &World, app: &Client, name: &str, value: &str) -> Flow {
    let mut flow = Flow::new(&world.gateway, app);
    flow.parameters = vec![("client_id".into(), app.id.clone()), (name.into(), value.into())];
    flow
}

#[tokio::test]
async fn what_discovery_offers_opens_by_get_by_post_and_by_reference() {
    let world = World::new().await;
    let (alice, mut jose, key) = (user(&world.db, "alice").await, Jose::new(), named("a"));
    let admin = world.db.admin().await;
    admin.execute("select identity.create_encryption_key('RSA-OAEP-256')", &[]).await.unwrap();
    let offered = offered(&world).await;
    let names: Vec<String> = offered.iter().map(|(alg, enc)| format!("{alg} {enc}")).collect();
    assert_eq!(
        names,
        [
            "ECDH-ES A128CBC-HS256",
            "ECDH-ES A256GCM",
            "ECDH-ES+A256KW A128CBC-HS256",
            "ECDH-ES+A256KW A256GCM",
            "RSA-OAEP-256 A128CBC-HS256",
            "RSA-OAEP-256 A256GCM",
        ]
    );
    let paths: Vec<String> = (0..offered.len()).map(|n| format!("/{n}")).collect();
    let app = signing(&world, &key, &paths, json!({})).await;
    let first = key.sign(json!({ "kid": "a" }), merged(claims(&world, &app, "first"), json!({ "prompt": "login" })));
    let flow = Flow::new(&world.gateway, &app).with("request", &first);
    assert_eq!(flow.authorize(&alice).await.location_parameter("state").as_deref(), Some("first"));
    let mut browser = flow.browser;
    for ((alg, enc), path) in offered.iter().zip(&paths) {
        let to = published(&world, alg).await;
        for way in ["GET", "POST", "reference"] {
            let state = format!("{alg} {enc} {way}");
            let signed = key.sign(json!({ "kid": "a", "typ": "oauth-authz-req+jwt" }), claims(&world, &app, &state));
            let object = seal(&mut jose, &signed, &to, alg, enc).await;
            let flow = match way {
                "reference" => {
                    world.stranger.says(path, Says::ok("application/oauth-authz-req+jwt", &object));
                    bare(&world, &app, "request_uri", &world.stranger.url(path))
                }
                _ => bare(&world, &app, "request", &object),
            };
            let flow = flow.in_browser(browser);
            let back: Page = if way == "POST" {
                let fields: Vec<_> = flow.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                let page = flow.browser.post(world.gateway.url("/authorize"), &fields).await;
                flow.browser.follow(page).await
            } else {
                flow.open().await
            };
            assert_eq!(back.location_parameter("state"), Some(state), "{:?}", back.location());
            assert!(back.location_parameter("code").is_some(), "{:?}", back.location());
            browser = flow.browser;
        }
    }
}

/// RFC 9101 §4: "the JWT MUST be signed then encrypted"; §6.1: what is decrypted "is a signed Request Object".
#[tokio::test]
async fn what_is_encrypted_and_no_signed_request_is_refused_in_the_same_words_whatever_is_wrong() {
    let world = World::new().await;
    let (mut jose, key, stranger) = (Jose::new(), named("a"), Foreign::new("ES256"));
    let app = signing(&world, &key, &[], json!({})).await;
    let only = json!({ "request_object_encryption_alg": "ECDH-ES", "request_object_encryption_enc": "A256GCM" });
    let only = signing(&world, &key, &[], only).await;
    let (to, (_, another)) = (published(&world, "ECDH-ES").await, jose.key("EC", json!("P-256"), "x").await);
    let asked = claims(&world, &app, "s");
    let signed = key.sign(json!({ "kid": "a" }), asked.clone());
    let good = seal(&mut jose, &signed, &to, "ECDH-ES", "A256GCM").await;
    let of_only = key.sign(json!({ "kid": "a" }), claims(&world, &only, "s"));
    let mut altered: Vec<String> = good.split('.').map(str::to_owned).collect();
    altered[3] = altered[3].chars().rev().collect();
    let compressed = json!({ "text": signed, "key": to, "alg": "ECDH-ES", "enc": "A256GCM", "zip": "DEF" });
    let bad = [
        // Claims without a JWT around them.
        (&app, seal(&mut jose, &asked.to_string(), &to, "ECDH-ES", "A256GCM").await),
        (&app, seal(&mut jose, &unsigned(&asked), &to, "ECDH-ES", "A256GCM").await),
        (&app, seal(&mut jose, &stranger.sign(json!({ "kid": "a" }), asked.clone()), &to, "ECDH-ES", "A256GCM").await),
        // Encrypted, then signed.
        (&app, key.sign_text(r#"{"alg":"ES256","kid":"a","cty":"JWT"}"#, &good)),
        (&app, seal(&mut jose, &good, &to, "ECDH-ES", "A256GCM").await),
        (&app, seal(&mut jose, &signed, &another, "ECDH-ES", "A256GCM").await),
        (&app, altered.join(".")),
        (&app, jose.ask("encrypt", compressed).await.as_str().unwrap().to_owned()),
        (
            &app,
            seal(&mut jose, &key.sign(json!({ "kid": "a" }), claims(&world, &only, "s")), &to, "ECDH-ES", "A256GCM")
                .await,
        ),
        // Registered for one algorithm, or for encryption at all.
        (&only, seal(&mut jose, &of_only, &to, "ECDH-ES+A256KW", "A256GCM").await),
        (&only, seal(&mut jose, &of_only, &to, "ECDH-ES", "A128CBC-HS256").await),
        (&only, of_only.clone()),
    ];
    for (n, (app, object)) in bad.iter().enumerate() {
        let flow = Flow::new(&world.gateway, app).with("request", object);
        let back = flow.open().await;
        let said: Vec<_> =
            ["error", "error_description", "state", "iss", "code"].map(|name| back.location_parameter(name)).into();
        let expected = [
            Some("invalid_request_object"),
            Some("the request object is invalid"),
            Some("af0ifjsldkj"),
            Some(&world.db.issuer),
            None,
        ]
        .map(|text: Option<&str>| text.map(str::to_owned));
        assert_eq!(said, expected, "{n}");
    }
    for (app, object) in [(&app, good), (&only, seal(&mut jose, &of_only, &to, "ECDH-ES", "A256GCM").await)] {
        let back = bare(&world, app, "request", &object).open().await;
        assert_eq!(back.location_parameter("error").as_deref(), Some("login_required"));
    }
}
