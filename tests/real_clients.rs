//! Clients that other people wrote, against the real gateway and database: what they check, we pass. Each is a file of
//! tests/clients, which shows how it is told of us; here is what it is registered with.

mod world;

use serde_json::{Value, json};

use crate::encrypted::Jose;
use crate::support::{public_client, service_client, web_client};
pub use world::{World, clients, run, run_in};

/// Clients on this machine are told of logouts only where an administrator named it.
const TELLING: [(&str, &str); 1] = [("GATEWAY_FETCH_ALLOW", "localhost")];
const SCOPE: &str = "openid profile email address phone roles offline_access";

#[tokio::test]
async fn openid_client_of_npm() {
    let mut world = World::new().await;
    world.introduce("WEB", &web_client(&world.db).await);
    world.introduce("PUBLIC", &public_client(&world.db).await);
    world.introduce("SERVICE", &service_client(&world.db).await);
    world.introduce("HYBRID", &crate::response_types::hybrid_client(&world.db).await);
    let post = json!({
        "client_name": "A client with its secret in the body",
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://notes.example/callback"],
        "scope": "openid profile email address phone offline_access"
    });
    world.register("POST", post).await;
    world.node("openid-client.mjs").await;
}

#[tokio::test]
async fn openid_client_of_npm_with_keys() {
    let (mut world, signing) = (World::new().await, signing_key().await);
    let opening = Jose::new().ask("make", json!({"kty": "RSA", "kid": "opening", "use": "enc"})).await;
    let sealed = json!({
        "client_name": "A client with keys",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [signing["public"], opening["public"]]},
        "require_signed_request_object": true,
        "id_token_signed_response_alg": "ES256",
        "id_token_encrypted_response_alg": "RSA-OAEP-256",
        "id_token_encrypted_response_enc": "A256GCM",
        "userinfo_signed_response_alg": "RS256",
        "userinfo_encrypted_response_alg": "RSA-OAEP-256",
        "userinfo_encrypted_response_enc": "A256GCM",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://notes.example/callback"],
        "scope": SCOPE
    });
    world.register("SEALED", sealed).await;
    world.tell("SEALED_KEYS", &json!([signing["private"], opening["private"]]).to_string());
    let hmac = json!({
        "client_name": "A client whose secret signs",
        "token_endpoint_auth_method": "client_secret_jwt",
        "id_token_signed_response_alg": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://notes.example/callback"],
        "scope": SCOPE
    });
    world.register("HMAC", hmac).await;
    world.node("openid-client-keys.mjs").await;
}

#[tokio::test]
async fn openid_client_of_npm_registers_itself() {
    let mut world = World::new().await;
    let admin = world.db.admin().await;
    admin.execute("select identity.registration_configure('token')", &[]).await.unwrap();
    let token = "select identity.registration_token_create('tests', max_uses => 2) ->> 'initial_access_token'";
    world.tell("INITIAL_ACCESS_TOKEN", admin.query_one(token, &[]).await.unwrap().get(0));
    world.node("openid-client-registration.mjs").await;
}

#[tokio::test]
async fn form_post_in_chromium() {
    let mut world = World::new().await;
    let redirect_uri = format!("http://127.0.0.1:{}/callback", world.port("FORM"));
    world.register("FORM", json!({"client_name": "A client of forms", "redirect_uris": [redirect_uri]})).await;
    world.node("form_post.mjs").await;
}

#[tokio::test]
async fn our_pages_in_chromium() {
    let mut world = World::new().await;
    let redirect_uri = format!("http://127.0.0.1:{}/callback", world.port("PAGES"));
    let shown = json!({
        "client_name": "A client with rather a long name for itself", "redirect_uris": [redirect_uri], "scope": SCOPE,
        "grant_types": ["authorization_code", "refresh_token"],
        "client_uri": "https://notes.example/", "policy_uri": "https://notes.example/policy", "tos_uri": "https://notes.example/tos"
    });
    world.register("PAGES", shown).await;
    world.node("pages.mjs").await;
}

#[tokio::test]
async fn our_pages_in_lynx() {
    let mut world = World::new().await;
    let redirect_uri = format!("http://127.0.0.1:{}/callback", world.port("OLD"));
    let old = json!({"client_name": "Old notes", "redirect_uris": [redirect_uri], "scope": "openid profile"});
    world.register("OLD", old).await;
    world.node("lynx.mjs").await;
}

#[tokio::test]
async fn oidc_client_ts_of_npm_in_chromium() {
    // Of another site, in a frame, the session cookie comes along only so; and only by https.
    let mut world = World::with_tls(&[("GATEWAY_SESSION_COOKIE_SAME_SITE", "none")]).await;
    let app = format!("https://app.example:{}", world.port("SPA"));
    let spa = json!({
        "client_name": "Notes in one page",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [format!("{app}/callback")],
        "post_logout_redirect_uris": [format!("{app}/")],
        "scope": SCOPE
    });
    world.register("SPA", spa).await;
    world.node("oidc-client-ts.mjs").await;
}

#[tokio::test]
async fn authjs_of_npm() {
    let (mut world, key) = (World::new().await, signing_key().await);
    let url = format!("http://localhost:{}/auth/callback", world.port("AUTHJS"));
    let secret = json!({
        "client_name": "Notes with Auth.js", "redirect_uris": [format!("{url}/secret")], "scope": "openid profile email"
    });
    world.register("AUTHJS", secret).await;
    let signed = json!({
        "client_name": "Notes with Auth.js and a key",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key["public"]]},
        "redirect_uris": [format!("{url}/signed")],
        "scope": "openid profile email"
    });
    world.register("SIGNED", signed).await;
    world.tell("SIGNED_KEY", &key["private"].to_string());
    world.node("authjs.mjs").await;
}

#[tokio::test]
async fn express_openid_connect_of_npm() {
    let mut world = World::with(&TELLING).await;
    let url = format!("http://localhost:{}", world.port("EXPRESS"));
    let express = json!({
        "client_name": "Notes with Express",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [format!("{url}/callback")],
        "post_logout_redirect_uris": [url],
        "scope": SCOPE
    });
    world.register("EXPRESS", express).await;
    let url = format!("http://localhost:{}", world.port("TOLD"));
    let told = json!({
        "client_name": "Notes with Express, told of logouts",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [format!("{url}/callback")],
        "backchannel_logout_uri": format!("{url}/backchannel-logout"),
        "scope": SCOPE
    });
    world.register("TOLD", told).await;
    let url = format!("http://localhost:{}", world.port("FORMS"));
    // Registration §2: http and localhost, with an ID token from the authorization endpoint, is for native clients.
    let forms = json!({
        "client_name": "Notes with Express, without a secret",
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "response_types": ["id_token"],
        "redirect_uris": [format!("{url}/callback")],
        "post_logout_redirect_uris": [url],
        "scope": SCOPE
    });
    world.register("FORMS", forms).await;
    world.node("express-openid-connect.mjs").await;
}

#[tokio::test]
async fn authlib_of_pypi() {
    let (mut world, key) = (World::new().await, signing_key().await);
    world.introduce("WEB", &web_client(&world.db).await);
    world.introduce("SERVICE", &service_client(&world.db).await);
    let hmac = json!({"token_endpoint_auth_method": "client_secret_jwt", "grant_types": ["client_credentials"]});
    world.register("HMAC", hmac).await;
    let signed = json!({
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key["public"]]},
        "grant_types": ["client_credentials"]
    });
    world.register("SIGNED", signed).await;
    world.tell("SIGNED_KEY", &key["private"].to_string());
    world.python("authlib_client.py").await;
}

#[tokio::test]
async fn oic_of_pypi() {
    let world = World::new().await;
    world.db.admin().await.execute("select identity.registration_configure('open')", &[]).await.unwrap();
    world.python("pyoidc.py").await;
}

#[tokio::test]
async fn mod_auth_openidc_of_debian() {
    let mut world = World::with(&TELLING).await;
    let site = format!("http://localhost:{}", world.port("APACHE"));
    let apache = json!({
        "client_name": "Pages behind Apache",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [format!("{site}/protected/callback")],
        "backchannel_logout_uri": format!("{site}/protected/callback?logout=backchannel"),
        "post_logout_redirect_uris": [format!("{site}/public/")],
        "scope": SCOPE
    });
    world.register("APACHE", apache).await;
    world.node("mod_auth_openidc.mjs").await;
}

#[tokio::test]
async fn mod_oauth2_of_debian() {
    let mut world = World::new().await;
    world.introduce("WEB", &web_client(&world.db).await);
    world.introduce("SERVICE", &service_client(&world.db).await);
    world.port("APACHE");
    world.node("mod_oauth2.mjs").await;
}

/// A key of a client that signs with ES256: `{ private, public }`.
async fn signing_key() -> Value {
    Jose::new().ask("make", json!({"kty": "EC", "kid": "signing", "use": "sig"})).await
}
