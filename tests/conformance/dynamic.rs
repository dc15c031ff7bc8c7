//! `oidcc-dynamic-certification-test-plan`: each module registers clients of its own, which prove themselves with a key.

mod registration;
mod requests;
mod tokens;

use serde_json::{Value, json};

use super::{Proof, Suite, Variant};
use crate::http::assert_answer;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::outbound::jwks;
use crate::registration::{client_of, configure};
use crate::support::{Page, Says, Stranger};

const CALLBACK: &str = "https://notes.example/callback";

/// The suite where everybody may register, and its own server.
async fn stage() -> (Suite, Stranger) {
    let suite = Suite::with(&[("GATEWAY_FETCH_ALLOW", "127.0.0.1")]).await;
    configure(&suite.db, "'open'").await;
    (suite, Stranger::new().await)
}

/// The plan leaves the response type to choose, and has the default response mode.
fn variants() -> impl Iterator<Item = Variant> {
    Variant::all().filter(|variant| !variant.form_post)
}

fn variants_with_code() -> impl Iterator<Item = Variant> {
    variants().filter(|variant| variant.gives("code"))
}

/// `GenerateRS256ClientJWKs`: a key without a name; `GenerateRS256ClientJWKsWithKeyID`: with one.
fn key(kid: Option<&str>) -> Foreign {
    let mut key = Foreign::new("RS256");
    let jwk = key.jwk.as_object_mut().unwrap();
    jwk.remove("kid");
    jwk.extend(kid.map(|kid| ("kid".to_owned(), json!(kid))));
    key
}

async fn post(suite: &Suite, metadata: &Value) -> Page {
    suite.browser.send(suite.browser.http.post(suite.gateway.url("/register")).json(metadata)).await
}

/// What is registered for this key, and what a module adds.
fn metadata(variant: Variant, key: &Foreign, more: Value) -> Value {
    let own = json!({
        "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.jwk]}
    });
    merged(merged(variant.metadata(), own), more)
}

/// Registers; the suite's client is this one from here on.
async fn register(suite: &mut Suite, variant: Variant, key: Foreign, more: Value) {
    let metadata = metadata(variant, &key, more);
    let page = post(suite, &metadata).await;
    let made = page.json();
    // `EnsureContentTypeJson`, `EnsureHttpStatusCodeIs201`, `ExtractDynamicRegistrationResponse`.
    assert_answer(&page, 201, &made);
    for (name, value) in metadata.as_object().unwrap() {
        assert_eq!(made[name], *value, "{variant:?}: {name}");
    }
    suite.app = client_of(&made);
    assert_eq!(suite.app.secret, None);
    suite.proof = Some(Proof { key, audience: suite.gateway.url("/token") });
}

/// `AddJwksUriToDynamicRegistrationRequest`.
fn by_reference(stranger: &Stranger, key: &Foreign) -> Value {
    publish(stranger, key);
    json!({"jwks": null, "jwks_uri": stranger.url("/jwks")})
}

fn publish(stranger: &Stranger, key: &Foreign) {
    stranger.says("/jwks", Says::ok("application/json", jwks(&[key])));
}
