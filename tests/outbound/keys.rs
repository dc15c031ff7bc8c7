//! jwks_uri: fetched when a key is missing, wherever a client proves something with it or is answered under it.

use serde_json::{Value, json};

use super::{World, jwks, named};
use crate::http::{assert_error, header};
use crate::jwt::merged;
use crate::support::{Database, Flow, Gateway, Says, Tokens, client, user};
use crate::tls::certificate;

#[tokio::test]
async fn a_client_rotates_its_keys_while_the_gateway_runs() {
    let world = World::new().await;
    let (app, old, new) = (world.service("/jwks").await, named("old"), named("new"));
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&old])));
    let first = world.token(&app, &old).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let head = &world.stranger.asked("/jwks")[0];
    assert!(head.starts_with("GET /jwks HTTP/1.1\r\n") && !head.to_lowercase().contains("cookie"), "{head}");
    // Known now, for everybody.
    assert_eq!(world.token(&app, &old).await.status, 200);
    assert_eq!(world.stranger.times_asked(), 1);
    // Seconds after the last fetch.
    world.stranger.says("/jwks", Says::ok("application/jwk-set+json", jwks(&[&old, &new])));
    assert_eq!(world.token(&app, &new).await.status, 200);
    assert_eq!(world.token(&app, &old).await.status, 200);
    assert_eq!(world.stranger.times_asked(), 2);
    // The old one is taken away, and ends with the next fetch.
    world.stranger.says("/jwks", Says::ok("text/plain", jwks(&[&new])));
    assert_error(&world.token(&app, &named("stranger")).await, 401, "invalid_client");
    assert_error(&world.token(&app, &old).await, 401, "invalid_client");
    assert_eq!(world.token(&app, &new).await.status, 200);
    assert_eq!(world.failure(&app).await, None);
}

/// `oidcc-refresh-token-rp-key-rotation`
#[tokio::test]
async fn a_refresh_token_is_good_under_the_new_key_of_its_client() {
    let world = World::new().await;
    let (alice, old, new) = (user(&world.db, "alice").await, named("old"), named("new"));
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&old])));
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": "private_key_jwt", "first_party": true,
        "grant_types": ["authorization_code", "refresh_token"], "refresh_token": "always", "jwks_uri": world.stranger.url("/jwks")
    });
    let app = client(&world.db, metadata).await;
    let flow = Flow::new(&world.gateway, &app);
    let code = flow.code(&alice).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "https://a.example/cb"),
        ("code_verifier", flow.code_verifier.as_str()),
    ];
    let answer = world.post("/token", &app, &old, &redeem).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = Tokens { body: answer.json() };
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&new])));
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    assert_eq!(world.post("/token", &app, &new, &refresh).await.status, 200);
    assert_eq!(world.stranger.times_asked(), 2);
}

#[tokio::test]
async fn every_endpoint_that_asks_a_client_fetches_its_keys() {
    let world = World::new().await;
    let key = named("a");
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&key])));
    for (path, answer) in [("/introspect", json!({ "active": false })), ("/revoke", json!({}))] {
        let app = world.service("/jwks").await;
        let page = world.post(path, &app, &key, &[("token", "unknown")]).await;
        assert_eq!((page.status.as_u16(), page.json()), (200, answer), "{path}");
    }
    assert_eq!(world.stranger.times_asked(), 2);
}

#[tokio::test]
async fn a_request_object_is_checked_with_keys_that_are_fetched_also_when_it_was_posted() {
    let world = World::new().await;
    let (alice, old, new) = (user(&world.db, "alice").await, named("old"), named("new"));
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&old])));
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "jwks_uri": world.stranger.url("/jwks"), "first_party": true,
        "request_object_signing_alg": "ES256"
    });
    let app = client(&world.db, metadata).await;
    let object = |key: &crate::issuers::Foreign, state: &str| {
        let claims = json!({ "iss": app.id, "aud": world.db.issuer, "state": state });
        key.sign(json!({ "kid": key.jwk["kid"] }), claims)
    };
    let flow = Flow::new(&world.gateway, &app).with("request", &object(&old, "of the object"));
    let back = flow.authorize(&alice).await;
    assert_eq!(back.location_parameter("state").as_deref(), Some("of the object"));
    assert!(back.location_parameter("code").is_some());
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&new])));
    let posted = Flow::new(&world.gateway, &app).with("request", &object(&new, "posted")).in_browser(flow.browser);
    let fields: Vec<_> = posted.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let page = posted.browser.post(world.gateway.url("/authorize"), &fields).await;
    let back = posted.browser.follow(page).await;
    assert_eq!(back.location_parameter("state").as_deref(), Some("posted"));
    assert_eq!(world.stranger.times_asked(), 2);
    // Told by redirect where no key fits.
    let flow = posted.with("request", &object(&old, "old"));
    let back = flow.open().await;
    assert_eq!(back.location_parameter("error").as_deref(), Some("invalid_request_object"));
}

#[tokio::test]
async fn answers_are_encrypted_to_keys_that_are_fetched_and_no_code_is_lost_before() {
    let world = World::new().await;
    let alice = user(&world.db, "alice").await;
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "implicit"],
        "response_types": ["code", "code id_token"], "jwks_uri": world.stranger.url("/jwks"), "first_party": true,
        "id_token_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_alg": "ECDH-ES"
    });
    let app = client(&world.db, metadata).await;
    let recipient = |kid: &str| {
        let key = named(kid);
        let mut jwk = merged(key.jwk, json!({ "use": "enc" }));
        jwk.as_object_mut().unwrap().remove("alg");
        Says::ok("application/json", json!({ "keys": [jwk] }).to_string())
    };
    world.stranger.says("/jwks", Says::Answer("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n".into()));
    let flow = Flow::new(&world.gateway, &app);
    let code = flow.code(&alice).await;
    assert_error(&flow.redeem(&code).await, 400, "invalid_client_metadata");
    world.stranger.says("/jwks", recipient("a"));
    // Who has no key is not asked again at once (client_keys.sql).
    let age = "update identity_store.client_key_sets set asked_at = asked_at - interval '1 minute'";
    world.db.superuser().await.batch_execute(age).await.unwrap();
    let answer = flow.redeem(&code).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = Tokens { body: answer.json() };
    let kid = |token: &str| {
        let header = token.split('.').next().unwrap();
        let header = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, header).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
    };
    assert_eq!(kid(tokens.id()), "a");
    // Userinfo, and the front channel, of a gateway that does not know them yet.
    let forget = "delete from identity_store.client_key_sets";
    world.db.superuser().await.batch_execute(forget).await.unwrap();
    world.stranger.says("/jwks", recipient("b"));
    let userinfo = flow.browser.http.get(world.gateway.url("/userinfo")).bearer_auth(tokens.access());
    let userinfo = flow.browser.send(userinfo).await;
    assert_eq!(header(&userinfo, "content-type"), Some("application/jwt"));
    assert_eq!(kid(&userinfo.body), "b");
    world.db.superuser().await.batch_execute(forget).await.unwrap();
    world.stranger.says("/jwks", recipient("c"));
    let hybrid = flow.with("response_type", "code id_token").open().await;
    let fragment = hybrid.location().unwrap().fragment().unwrap().to_owned();
    let token = url::form_urlencoded::parse(fragment.as_bytes()).find(|(name, _)| name == "id_token").unwrap().1;
    assert_eq!(kid(&token), "c");
}

#[tokio::test]
async fn over_https_the_authority_is_one_that_is_believed() {
    let mut other = Database::new().await;
    other.issuer = format!("https://localhost:{}", other.http_port);
    other.superuser().await.execute("select identity.configure($1)", &[&other.issuer]).await.unwrap();
    let (certificate, key) = certificate(&other, "outbound");
    let tls = [("GATEWAY_TLS_CERTIFICATE_FILE", certificate.as_str()), ("GATEWAY_TLS_KEY_FILE", &key)];
    let published = Gateway::start_with(&other, &tls).await;
    let authority = ("GATEWAY_FETCH_CA_FILE", certificate.as_str());
    for (environment, failure) in [
        (&[("GATEWAY_FETCH_ALLOW", "client.example"), authority][..], "has only addresses that may not be reached"),
        (&[("GATEWAY_FETCH_ALLOW", "localhost")], "certificate"),
        (&[("GATEWAY_FETCH_ALLOW", "localhost"), authority], ""),
    ] {
        let world = World::with(environment).await;
        let app = world.service_at(&published.url("/jwks.json")).await;
        assert_error(&world.token(&app, &named("mine")).await, 401, "invalid_client");
        let said = world.failure(&app).await;
        assert!(said.is_some() != failure.is_empty(), "{said:?}");
        assert!(said.unwrap_or_default().contains(failure), "{failure}");
    }
}

#[tokio::test]
async fn a_machine_without_authorities_serves_all_the_same() {
    let nothing = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/nonexistent")];
    let world = World::with(&nothing).await;
    let (app, key) = (world.service("/jwks").await, named("a"));
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&key])));
    assert_eq!(world.token(&app, &key).await.status, 200);
}
