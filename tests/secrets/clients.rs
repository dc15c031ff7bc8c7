//! What clients prove themselves with, ask with, and are told, when it goes well and when it does not.

use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::needles::Secrets;
use crate::authorize::call;
use crate::backchannel_logout::receiver::{Answer, Receiver};
use crate::backchannel_logout::{done, take, told, visit};
use crate::client_assertions::{Signer, assertion_claims, hs, now};
use crate::encrypted::Jose;
use crate::http::CLIENT_CREDENTIALS;
use crate::issuers::Foreign;
use crate::outbound::ASSERTION_TYPE;
use crate::response_types::hybrid_client;
use crate::sessions::sessions;
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, Tokens, User, client};

/// Assertions: good once, and bad for every reason. The client that signs with a key.
pub async fn signatures(db: &Database, gateway: &Gateway, secrets: &mut Secrets) -> Signer {
    let (admin, browser) = (db.admin().await, Browser::new());
    let (keyed, stranger) = (Signer::new(db, "ES256", json!({})).await, Foreign::new("ES256"));
    let metadata = json!({ "token_endpoint_auth_method": "client_secret_jwt", "grant_types": ["client_credentials"] });
    let app = client(db, metadata).await;
    let old = app.secret.clone().unwrap();
    let rotate = "select identity.client_rotate_secret($1, '1 hour')";
    let rotated: Value = admin.query_one(rotate, &[&app.id]).await.unwrap().get(0);
    let new = rotated["client_secret"].as_str().unwrap();
    secrets.note("a secret that a client signs with", &old);
    secrets.note("its successor", new);
    let mac = |secret: &str| hs("HS256", json!({}), &assertion_claims(db, &app, json!({})), secret.as_bytes());
    let expired = json!({ "iat": now() - 7200, "exp": now() - 3600 });
    for (name, assertion, status) in [
        ("an assertion of a key", keyed.assertion(db, json!({})), 200),
        ("an assertion of an old secret", mac(&old), 200),
        ("an assertion of a new secret", mac(new), 200),
        (
            "an assertion of somebody else",
            stranger.sign(json!({}), assertion_claims(db, &keyed.client, json!({}))),
            401,
        ),
        ("an assertion of a wrong secret", mac("a secret that is wrong"), 401),
        ("an assertion that has expired", keyed.assertion(db, expired), 401),
        ("an assertion for elsewhere", keyed.assertion(db, json!({ "aud": "https://other.example" })), 401),
        ("an assertion without an end", keyed.assertion(db, json!({ "exp": null })), 401),
    ] {
        secrets.note(name, &assertion);
        let proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)];
        let fields = [&proof[..], &[CLIENT_CREDENTIALS]].concat();
        let first = browser.post(gateway.url("/token"), &fields).await;
        assert_eq!(first.status, status, "{name}: {}", first.body);
        if let Some(token) = first.json()["access_token"].as_str() {
            secrets.note("a token of a client", token);
        }
        // Shown again; at another endpoint; in the URL, and as a secret, where it does not belong.
        let again = browser.post(gateway.url("/token"), &fields).await;
        assert_eq!(again.status, 401, "{name}: {}", again.body);
        browser.post(gateway.url("/introspect"), &[&proof[..], &[("token", &assertion)]].concat()).await;
        browser.post(gateway.url(&format!("/token?client_assertion={assertion}")), &[CLIENT_CREDENTIALS]).await;
        let basic = browser.http.post(gateway.url("/token")).basic_auth(&app.id, Some(&assertion));
        browser.send(basic.form(&[CLIENT_CREDENTIALS])).await;
    }
    keyed
}

/// Request objects, signed and encrypted, and those that are refused.
pub async fn request_objects(db: &Database, gateway: &Gateway, alice: &User, secrets: &mut Secrets) {
    let (admin, mut jose) = (db.admin().await, Jose::new());
    for _ in 0..2 {
        // A current key and a retired one.
        admin.execute("select identity.create_encryption_key('RSA-OAEP-256')", &[]).await.unwrap();
    }
    let (key, stranger) = (Foreign::new("ES256"), Foreign::new("ES256"));
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email offline_access", "jwks": key.jwks(), "request_object_signing_alg": "ES256"
    });
    let app = client(db, metadata).await;
    let published: Value = admin.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    let published = |kty: &str| {
        let mut keys = published["keys"].as_array().unwrap().iter();
        keys.find(|key| key["use"] == "enc" && key["kty"] == kty).unwrap().clone()
    };
    let claims = json!({ "iss": app.id, "aud": db.issuer, "client_id": app.id, "login_hint": "alice" });
    let signed = key.sign(json!({}), claims.clone());
    let forged = stranger.sign(json!({}), claims);
    secrets.note("a signed request object", &signed);
    secrets.note("a forged request object", &forged);
    let mut objects = vec![(true, signed.clone()), (false, forged.clone())];
    for (alg, to, text, good) in [
        ("ECDH-ES", published("EC"), &signed, true),
        ("RSA-OAEP-256", published("RSA"), &signed, true),
        ("ECDH-ES", published("EC"), &forged, false),
        ("ECDH-ES", jose.key("EC", json!("P-256"), "x").await.1, &signed, false),
    ] {
        let asked = json!({ "text": text, "key": to, "alg": alg, "enc": "A256GCM", "kid": to["kid"], "cty": "JWT" });
        let object = jose.ask("encrypt", asked).await.as_str().unwrap().to_owned();
        secrets.note("an encrypted request object", &object);
        objects.push((good, object));
    }
    for (good, object) in objects {
        let flow = Flow::new(gateway, &app).with("request", &object);
        let back = flow.authorize(alice).await;
        assert_eq!(back.location_parameter("code").is_some(), good, "{:?}", back.location());
        if good {
            secrets.tokens(&Tokens { body: flow.redeem(&back.location_parameter("code").unwrap()).await.json() });
        } else {
            assert_eq!(back.location_parameter("error").as_deref(), Some("invalid_request_object"));
        }
        // As another site would post it.
        let fields: Vec<_> = flow.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Browser::new().post(gateway.url("/authorize"), &fields).await;
    }
}

/// What the authorization endpoint gives by itself: in a fragment, in a form, used and misused.
pub async fn responses(db: &Database, gateway: &Gateway, alice: &User, secrets: &mut Secrets) {
    let app = hybrid_client(db).await;
    for mode in ["fragment", "form_post"] {
        let flow = Flow::new(gateway, &app).with("response_type", "code id_token token").with("response_mode", mode);
        let members = members(&flow.authorize(alice).await);
        let member = |name: &str| {
            let found = members.iter().find(|(other, _)| other == name);
            found.unwrap_or_else(|| panic!("no {name} in {members:?}")).1.clone()
        };
        let (code, id_token, token) = (member("code"), member("id_token"), member("access_token"));
        secrets.note("a code beside tokens", &code);
        secrets.note("an ID token beside a code", &id_token);
        secrets.note("an access token beside a code", &token);
        let userinfo = gateway.url("/userinfo");
        for token in [&token, &id_token, &format!("{token}x")] {
            flow.browser.send(flow.browser.http.get(&userinfo).bearer_auth(token)).await;
        }
        let hinted = Flow::new(gateway, &app).with("id_token_hint", &id_token).with("prompt", "none");
        hinted.open().await;
        secrets.tokens(&Tokens { body: flow.redeem(&code).await.json() });
        assert_eq!(flow.redeem(&code).await.status, 400, "once");
        flow.browser.send(flow.browser.http.get(&userinfo).bearer_auth(&token)).await;
    }
}

/// The members of an answer in a fragment or a form.
fn members(page: &Page) -> Vec<(String, String)> {
    match page.headers.get("location") {
        Some(location) => {
            let (_, fragment) = location.to_str().unwrap().split_once('#').unwrap();
            form_urlencoded::parse(fragment.as_bytes()).into_owned().collect()
        }
        None => page.form("code").fields,
    }
}

/// What clients are told when a session ends, whether they understand or not; and the receipts of that.
pub async fn logouts(db: &Database, alice: &User, secrets: &mut Secrets) {
    let (sql, mut receiver) = (db.gateway_role().await, Receiver::start().await);
    let signed_in = async |app: &Client| {
        let before = sessions(db, alice).await;
        let cookie = visit(&sql, alice, &[app]).await;
        let session = sessions(db, alice).await.into_iter().find(|session| !before.contains(session)).unwrap();
        (cookie, session)
    };
    let end = async |(cookie, session): (String, Uuid)| {
        let (outcome, _) = call(&sql, "account_session_end", &[&cookie, &session]).await;
        assert_eq!(outcome, "ok");
    };
    // By the gateway: the second time it is understood.
    receiver.answers("/fails", &[Answer::Status(500), Answer::Status(200)]);
    for (path, times) in [("/good", 1), ("/fails", 2)] {
        end(signed_in(&told(db, &receiver.url(path), json!({})).await).await).await;
        for _ in 0..times {
            let heard = receiver.next().await;
            assert_eq!(heard.path, path);
            secrets.note("a logout token", &heard.logout_token());
        }
    }
    // The same as the gateway sees it, in its transaction, so that no gateway comes first.
    for (status, failure) in [(None, Some("did not answer in time")), (Some(200), None)] {
        let ends = signed_in(&told(db, &receiver.url("/good"), json!({})).await).await;
        sql.batch_execute("begin").await.unwrap();
        end(ends).await;
        let taken = take(&sql, 10).await;
        sql.batch_execute("commit").await.unwrap();
        let receipt = taken[0]["receipt"].as_str().unwrap();
        secrets.note("a receipt", receipt);
        secrets.note("a logout token", taken[0]["logout_token"].as_str().unwrap());
        assert_eq!(done(&sql, &json!({ "receipt": format!("{receipt}x") }), Some(200), None).await, "not_found");
        assert_eq!(done(&sql, &taken[0], status, failure).await, "ok");
    }
}
