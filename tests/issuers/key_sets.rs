//! Key sets of trusted issuers: public, sound, each key with its one algorithm.

use serde_json::json;

use super::{API, Foreign, ISSUER, trust};
use crate::jwt::{authenticate, merged, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn the_key_says_which_algorithm() {
    let db = Database::new().await;
    let app = db.app().await;
    let rsa = Foreign::new("RS256");
    assert_eq!(trust(&db, &rsa.jwks(), "").await, "accepted");
    let claims = json!({ "iss": ISSUER, "aud": API, "sub": "a", "exp": 4_000_000_000_i64 });
    // The same RSA key, a sound PS256 signature, and still refused.
    assert_eq!(sqlstate(authenticate(&app, &rsa.sign(json!({ "alg": "PS256" }), claims.clone())).await), "ID110");
    assert_eq!(trust(&db, &rsa.jwks(), ", algorithms => '{ES256}'").await, "ID005");
    for algorithms in ["{}", "{none}", "{HS256}", "{RS256,HS256}"] {
        assert_eq!(trust(&db, &rsa.jwks(), &format!(", algorithms => '{algorithms}'")).await, "ID005", "{algorithms}");
    }
    // A key that does not say gets the first that fits.
    let mut silent = rsa.jwk.clone();
    silent.as_object_mut().unwrap().remove("alg");
    assert_eq!(trust(&db, &json!({ "keys": [silent] }), ", algorithms => '{ES256,PS256,RS256}'").await, "accepted");
    assert_eq!(sqlstate(authenticate(&app, &rsa.sign(json!({ "alg": "PS256" }), claims.clone())).await), "accepted");
    assert_eq!(sqlstate(authenticate(&app, &rsa.sign(json!({}), claims)).await), "ID110");
}

#[tokio::test]
async fn a_token_without_kid_needs_a_set_of_one_key() {
    let db = Database::new().await;
    let app = db.app().await;
    let (first, mut second) = (Foreign::new("ES256"), Foreign::new("ES256"));
    let claims = json!({ "iss": ISSUER, "aud": API, "sub": "a", "exp": 4_000_000_000_i64 });
    let token = first.sign_text(json!({ "alg": "ES256" }).to_string(), claims.to_string());
    trust(&db, &first.jwks(), "").await;
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    second.jwk["kid"] = json!("key-2");
    trust(&db, &json!({ "keys": [first.jwk, second.jwk] }), "").await;
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID105");
}

#[tokio::test]
async fn a_key_set_that_is_not_sound_changes_nothing() {
    let db = Database::new().await;
    let app = db.app().await;
    let (ec, rsa) = (Foreign::new("ES256"), Foreign::new("RS256"));
    trust(&db, &ec.jwks(), "").await;
    let bad = [
        json!({}),
        json!([]),
        json!({ "keys": [] }),
        json!({ "keys": ["x"] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "d": "AAAA" }))] }),
        json!({ "keys": [merged(rsa.jwk.clone(), json!({ "p": "AAAA" }))] }),
        json!({ "keys": [ec.jwk, { "kty": "oct", "k": "c2VjcmV0", "kid": "s" }] }),
        json!({ "keys": [ec.jwk, merged(rsa.jwk.clone(), json!({ "kid": "key-1" }))] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "x": "AAAA" }))] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "x": ec.jwk["y"] }))] }),
        json!({ "keys": [merged(rsa.jwk.clone(), json!({ "e": "AQ" }))] }),
        json!({ "keys": [merged(rsa.jwk.clone(), json!({ "n": "AQAB" }))] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "use": "enc" }))] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "kid": 1 }))] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "crv": "secp256k1" }))] }),
        // Other forms than those of RFC 7517 §4.2 and §4.3 say that the key is for something else.
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "use": ["sig"] }))] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "key_ops": "verify" }))] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "key_ops": ["sign"] }))] }),
        json!({ "keys": [merged(ec.jwk.clone(), json!({ "alg": null }))] }),
        // The same key in another spelling (RFC 7518 §6.3.1.2: minimal octets).
        json!({ "keys": [merged(rsa.jwk.clone(), json!({ "e": "AAEAAQ" }))] }),
        json!({ "keys": [merged(rsa.jwk.clone(), json!({ "e": "AAE" }))] }),
        // For a key of small order everybody signs: the neutral element, one of order 4, one of order 8.
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }] }),
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }] }),
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU" }] }),
    ];
    for jwks in bad {
        assert_eq!(trust(&db, &jwks, "").await, "ID005", "{jwks}");
    }
    for more in [
        ", claims => '{\"password\": \"x\"}'",
        ", claims => '{\"roles\": 1}'",
        ", claims => '{\"roles\": []}'",
        ", claims => '[]'",
        ", typ => ''",
    ] {
        assert_eq!(trust(&db, &ec.jwks(), more).await, "ID005", "{more}");
    }
    let own = format!("select identity.trust_issuer('{}', 'x', $1)", db.issuer);
    assert_eq!(sqlstate(db.admin().await.execute(&own, &[&ec.jwks()]).await), "ID005");
    assert_eq!(
        sqlstate(db.admin().await.execute("select identity.trust_issuer('x', '', $1)", &[&ec.jwks()]).await),
        "ID005"
    );
    assert_eq!(sqlstate(db.admin().await.execute("select identity.distrust_issuer('nobody')", &[]).await), "ID006");
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "accepted");
}

#[tokio::test]
async fn new_keys_replace_the_old_ones() {
    let db = Database::new().await;
    let app = db.app().await;
    let (old, mut new) = (Foreign::new("ES256"), Foreign::new("EdDSA"));
    trust(&db, &old.jwks(), "").await;
    let token = old.token(json!({}));
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    new.jwk["kid"] = json!("key-2");
    trust(&db, &new.jwks(), "").await;
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID105");
}
