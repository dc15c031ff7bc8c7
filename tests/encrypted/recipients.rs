//! To whom answers are encrypted: clients with and without a key for it.

use serde_json::json;

use super::{Jose, registered, userinfo};
use crate::clients::refusal;
use crate::http::{Bench, assert_error};
use crate::jwt::merged;
use crate::support::{Database, Flow, user};

#[tokio::test]
async fn who_has_no_key_to_encrypt_to_is_told_so_and_loses_no_code() {
    let bench = Bench::new().await;
    let (db, alice, mut jose) = (&bench.db, user(&bench.db, "alice").await, Jose::new());
    let app = registered(
        db,
        json!({ "jwks_uri": "https://a.example/jwks", "id_token_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_alg": "ECDH-ES" }),
    )
    .await;
    let flow = Flow::new(&bench.gateway, &app);
    let code = flow.code(&alice).await;
    let sql = db.gateway_role().await;
    let store = async |document: &str| {
        let store = "select identity.client_keys_store($1, 'https://a.example/jwks', $2, null)";
        sql.execute(store, &[&app.id, &document]).await.unwrap();
    };
    // Known keys, and none of them for this.
    store(r#"{"keys":[]}"#).await;
    assert_error(&flow.redeem(&code).await, 400, "invalid_client_metadata");
    let (private, public) = jose.key("EC", json!("P-256"), "new").await;
    let signing = merged(public.clone(), json!({ "use": "sig", "kid": "signing" }));
    store(&json!({ "keys": [signing, public] }).to_string()).await;
    let tokens = flow.redeem(&code).await.json();
    let opened = jose.ask("decrypt", json!({ "token": tokens["id_token"], "key": private })).await;
    assert_eq!(opened["header"]["kid"], "new");
    store(r#"{"keys":[]}"#).await;
    assert_error(&userinfo(&bench, tokens["access_token"].as_str().unwrap()).await, 400, "invalid_client_metadata");
    assert_error(&flow.refresh(tokens["refresh_token"].as_str().unwrap()).await, 400, "invalid_client_metadata");
    // A point of small order is no key either (RFC 7748 §6.1): nothing could be agreed with it.
    let zero = json!({ "kty": "OKP", "crv": "X25519", "use": "enc", "x": "A".repeat(43) });
    store(&json!({ "keys": [zero] }).to_string()).await;
    assert_error(&userinfo(&bench, tokens["access_token"].as_str().unwrap()).await, 400, "invalid_client_metadata");
    assert_error(&flow.refresh(tokens["refresh_token"].as_str().unwrap()).await, 400, "invalid_client_metadata");
    store(&json!({ "keys": [public] }).to_string()).await;
    let refreshed = flow.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, 200, "the refresh token was not spent: {}", refreshed.body);
}

#[tokio::test]
async fn what_could_never_be_answered_is_not_registered() {
    let db = Database::new().await;
    let (admin, mut jose) = (db.admin().await, Jose::new());
    let (_, public) = jose.key("EC", json!("P-256"), "a").await;
    let signing = merged(public.clone(), json!({ "use": "sig" }));
    let zero = json!({ "kty": "OKP", "crv": "X25519", "x": "A".repeat(43) });
    let none = "jwks: holds no key for id_token_encrypted_response_alg or userinfo_encrypted_response_alg";
    for (change, message) in [
        (
            json!({ "id_token_encrypted_response_alg": "ECDH-ES" }),
            "jwks: or jwks_uri is required for encrypted answers",
        ),
        (json!({ "id_token_encrypted_response_alg": "ECDH-ES", "jwks": { "keys": [signing] } }), none),
        (json!({ "id_token_encrypted_response_alg": "ECDH-ES+A256KW", "jwks": { "keys": [zero] } }), none),
        (json!({ "userinfo_encrypted_response_alg": "RSA-OAEP-256", "jwks": { "keys": [public] } }), none),
        (
            json!({ "id_token_encrypted_response_enc": "A256GCM" }),
            "id_token_encrypted_response_enc: needs id_token_encrypted_response_alg",
        ),
        (
            json!({ "id_token_encrypted_response_alg": "RSA1_5" }),
            "id_token_encrypted_response_alg: must be one of RSA-OAEP-256, ECDH-ES, ECDH-ES+A256KW",
        ),
        (
            json!({ "userinfo_signed_response_alg": "HS256" }),
            "userinfo_signed_response_alg: must be one of RS256, PS256, ES256, EdDSA, none",
        ),
        (
            json!({ "userinfo_signed_response_alg": "PS256" }),
            "userinfo_signed_response_alg: there is no signing key for PS256: select identity.create_signing_key('PS256')",
        ),
    ] {
        let metadata = merged(json!({ "redirect_uris": ["https://a.example/cb"] }), change);
        let refused = admin.query_one("select identity.client_create($1)", &[&metadata]).await;
        assert_eq!(refusal(refused), ("ID005".into(), message.into()));
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_key_of_a_client_is_no_error_of_ours() {
    let db = Database::new().await;
    let (owner, mut jose) = (db.owner().await, Jose::new());
    let (_, public) = jose.key("OKP", json!("X25519"), "a").await;
    let zero = merged(public.clone(), json!({ "x": "A".repeat(43) }));
    let seal = "select identity.jwe_seal('text', $1, $2, 'A256GCM', null) is null";
    for (key, alg, none) in [
        (&public, "ECDH-ES", false),
        (&zero, "ECDH-ES", true),
        (&zero, "ECDH-ES+A256KW", true),
        (&public, "RSA-OAEP-256", true),
        (&json!({}), "ECDH-ES", true),
        (&json!([]), "ECDH-ES", true),
    ] {
        assert_eq!(owner.query_one(seal, &[key, &alg]).await.unwrap().get::<_, bool>(0), none, "{key} {alg}");
    }
    // What we ask for ourselves is.
    for (alg, enc) in [("RSA1_5", "A256GCM"), ("ECDH-ES", "A128GCM")] {
        let refused =
            owner.query_one("select identity.jwe_seal('text', $1, $2, $3, null)", &[&public, &alg, &enc]).await;
        assert_eq!(refusal(refused).0, "ID008", "{alg} {enc}");
    }
}
