//! What may be registered, and what discovery says of it.

use serde_json::{Value, json};

use crate::clients::refusal;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::support::{Browser, Database, Gateway, client};

#[tokio::test]
async fn a_registration_that_could_not_authenticate_is_refused_by_name() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let jwks = Foreign::new("ES256").jwks();
    for (change, message) in [
        (
            json!({ "token_endpoint_auth_method": "private_key_jwt" }),
            "jwks: or jwks_uri is required for private_key_jwt",
        ),
        (
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks, "token_endpoint_auth_signing_alg": "HS256" }),
            "token_endpoint_auth_signing_alg: must be an algorithm of a key pair for private_key_jwt",
        ),
        (
            json!({ "token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "RS256" }),
            "token_endpoint_auth_signing_alg: must be HS256, HS384 or HS512 for client_secret_jwt",
        ),
        (
            json!({ "token_endpoint_auth_signing_alg": "RS256" }),
            "token_endpoint_auth_signing_alg: is for private_key_jwt and client_secret_jwt",
        ),
        (
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks, "token_endpoint_auth_signing_alg": "none" }),
            "token_endpoint_auth_signing_alg: must be one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA",
        ),
        (json!({ "request_object_signing_alg": "RS256" }), "request_object_signing_alg: needs jwks or jwks_uri"),
        (
            json!({ "request_object_signing_alg": "none", "require_signed_request_object": true }),
            "require_signed_request_object: cannot be met with request_object_signing_alg none",
        ),
    ] {
        let metadata = merged(json!({ "grant_types": ["client_credentials"] }), change);
        let refused = admin.query_one("select identity.client_create($1)", &[&metadata]).await;
        assert_eq!(refusal(refused), ("ID005".into(), message.into()));
    }
}

#[tokio::test]
async fn who_begins_to_sign_gets_a_new_secret_and_who_has_a_key_has_none() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let update = async |id: &str, change: Value| -> Value {
        admin.query_one("select identity.client_update($1, $2)", &[&id, &change]).await.unwrap().get(0)
    };
    let app = client(&db, json!({ "grant_types": ["client_credentials"] })).await;
    let signs = update(&app.id, json!({ "token_endpoint_auth_method": "client_secret_jwt" })).await;
    assert!(signs["client_secret"].is_string() && signs["client_secret"] != app.metadata["client_secret"]);
    assert_eq!(signs["client_secret_expires_at"], 0);
    let jwks = Foreign::new("ES256").jwks();
    let keyed = update(&app.id, json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks })).await;
    assert_eq!(keyed.get("client_secret"), None);
    let secrets = "select count(*) from identity_store.client_secrets where client_id = $1";
    assert_eq!(db.superuser().await.query_one(secrets, &[&app.id]).await.unwrap().get::<_, i64>(0), 0);
    let rotated = admin.query_one("select identity.client_rotate_secret($1)", &[&app.id]).await;
    assert_eq!(refusal(rotated), ("ID005".into(), "client_id: a client with keys of its own has no secret".into()));
    let shown = update(&app.id, json!({ "token_endpoint_auth_method": "client_secret_basic" })).await;
    assert!(shown["client_secret"].is_string());
}

#[tokio::test]
async fn discovery_names_the_methods_and_algorithms_of_every_endpoint() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let document = Browser::new().get(gateway.url("/.well-known/openid-configuration")).await.json();
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
    let algorithms = json!([
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384",
        "HS512"
    ]);
    for (endpoint, methods) in [
        ("token", [&methods[..], &["none"]].concat()),
        ("introspection", methods.to_vec()),
        ("revocation", [&methods[..], &["none"]].concat()),
    ] {
        assert_eq!(document[format!("{endpoint}_endpoint_auth_methods_supported")], json!(methods));
        assert_eq!(document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")], algorithms);
    }
}
