//! Trusted issuers: tokens of other OpenID providers, and everything that must not be believed about them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::jwt::{ALICE, authenticate, merged, sqlstate};
use crate::support::Database;

/// Another OpenID provider, with one key.
pub struct Foreign {
    key: Key,
    pub jwk: Value,
}

enum Key {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

pub const ISSUER: &str = "https://tenant.elsewhere.example/";
pub const API: &str = "https://api.example";

impl Foreign {
    pub fn new(algorithm: &str) -> Self {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (key, public) = match algorithm {
            "ES256" => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                let point = key.public_key().as_ref().to_vec();
                let public =
                    json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) });
                (Key::Ec(key), public)
            }
            "EdDSA" => {
                let key = Ed25519KeyPair::generate().unwrap();
                let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()) });
                (Key::Ed(key), public)
            }
            _ => {
                let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                // RSAPublicKey (RFC 8017 §A.1.1) of 2048 bits: 9 bytes of DER, the modulus, and 65537.
                let n = key.public_key().as_ref()[9..265].to_vec();
                let e = [1, 0, 1];
                (Key::Rsa(key), json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) }))
            }
        };
        Self { key, jwk: merged(public, json!({ "kid": "key-1", "alg": algorithm, "use": "sig" })) }
    }

    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    pub fn sign(&self, header: Value, claims: Value) -> String {
        let header = merged(json!({ "alg": self.jwk["alg"], "kid": "key-1", "typ": "JWT" }), header);
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let (message, random) = (input.as_bytes(), SystemRandom::new());
        let signature = match &self.key {
            Key::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed(key) => key.sign(message).as_ref().to_vec(),
            Key::Rsa(key) => {
                let encoding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        };
        format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// An access token of this provider for the API.
    pub fn token(&self, claims: Value) -> String {
        let base =
            json!({ "iss": ISSUER, "aud": API, "sub": "auth0|alice", "exp": 4_000_000_000_i64, "iat": 1_700_000_000 });
        self.sign(json!({}), merged(base, claims))
    }
}

async fn trust(db: &Database, jwks: &Value, more: &str) -> String {
    let sql = format!("select identity.trust_issuer('{ISSUER}', '{API}', $1 {more})");
    sqlstate(db.admin().await.execute(&sql, &[jwks]).await)
}

#[tokio::test]
async fn tokens_of_a_trusted_issuer_sign_in_without_being_a_user_of_ours() {
    for algorithm in ["ES256", "EdDSA", "RS256", "PS256"] {
        let db = Database::new().await;
        let app = db.app().await;
        let elsewhere = Foreign::new(algorithm);
        let token = elsewhere.token(json!({ "sub": ALICE, "scope": "read:notes", "azp": "spa", "roles": ["admin"] }));
        assert_eq!(sqlstate(authenticate(&app, &token).await), "ID109");
        assert_eq!(trust(&db, &elsewhere.jwks(), "").await, "accepted");
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &token).await.unwrap();
        let row = app
            .query_one(
                "select identity.issuer(), identity.subject(), identity.user_id(), identity.has_scope('read:notes'),
                   identity.has_role('admin')",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), ISSUER);
        assert_eq!(row.get::<_, &str>(1), ALICE);
        assert_eq!(row.get::<_, Option<Uuid>>(2), None);
        assert_eq!(row.get::<_, Option<bool>>(3), Some(true));
        // What gives authority is taken only from where the mapping says it is.
        assert_eq!(row.get::<_, Option<bool>>(4), Some(false));
        app.batch_execute("commit").await.unwrap();
        db.admin().await.execute("select identity.distrust_issuer($1)", &[&ISSUER]).await.unwrap();
        assert_eq!(sqlstate(authenticate(&app, &token).await), "ID109");
    }
}

#[tokio::test]
async fn the_claim_mapping_says_where_things_are() {
    let db = Database::new().await;
    let app = db.app().await;
    let keycloak = Foreign::new("RS256");
    let mapping = r#", claims => '{"roles": ["realm_access", "roles"], "organization_id": "https://example.com/org",
                                   "client_id": "azp", "scopes": null}'"#;
    assert_eq!(trust(&db, &keycloak.jwks(), mapping).await, "accepted");
    let token = keycloak.token(json!({
        "typ": "Bearer", "azp": "spa", "scope": "openid", "https://example.com/org": 42, "realm_access": { "roles": ["editor"] }
    }));
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    let row = app
        .query_one("select identity.roles(), identity.organization_id(), identity.client_id(), identity.scopes()", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Vec<String>>(0), ["editor"]);
    assert_eq!(row.get::<_, &str>(1), "42");
    assert_eq!(row.get::<_, &str>(2), "spa");
    assert_eq!(row.get::<_, Option<Vec<String>>>(3), None);
}

#[tokio::test]
async fn one_issuer_at_most_names_our_users() {
    let db = Database::new().await;
    let app = db.app().await;
    let elsewhere = Foreign::new("EdDSA");
    assert_eq!(trust(&db, &elsewhere.jwks(), ", subject_is_user_id => true").await, "accepted");
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &elsewhere.token(json!({ "sub": ALICE }))).await.unwrap();
    let id: Option<Uuid> = app.query_one("select identity.user_id()", &[]).await.unwrap().get(0);
    assert_eq!(id, Some(ALICE.parse().unwrap()));
    app.batch_execute("commit").await.unwrap();
    let other = "select identity.trust_issuer('https://other.example', 'x', $1, subject_is_user_id => true)";
    assert_eq!(sqlstate(db.admin().await.execute(other, &[&elsewhere.jwks()]).await), "ID005");
    // The same one again is no second one.
    assert_eq!(trust(&db, &elsewhere.jwks(), ", subject_is_user_id => true").await, "accepted");
}

#[tokio::test]
async fn only_access_tokens_for_this_audience_are_good() {
    let db = Database::new().await;
    let app = db.app().await;
    let elsewhere = Foreign::new("ES256");
    trust(&db, &elsewhere.jwks(), "").await;
    let now: i64 = app.query_one("select floor(extract(epoch from now()))::bigint", &[]).await.unwrap().get(0);
    let typed = |typ: &str| {
        elsewhere.sign(json!({ "typ": typ }), json!({ "iss": ISSUER, "aud": API, "sub": "a", "exp": now + 100 }))
    };
    let stranger = Foreign::new("ES256");
    let cases = [
        ("accepted", elsewhere.token(json!({}))),
        ("accepted", elsewhere.token(json!({ "aud": ["other", API] }))),
        ("accepted", typed("at+jwt")),
        ("accepted", typed("application/at+jwt")),
        // 60 s of skew, and not more.
        ("accepted", elsewhere.token(json!({ "exp": now - 30, "nbf": now + 30, "iat": now + 30 }))),
        ("ID102", elsewhere.token(json!({ "exp": now - 61 }))),
        ("ID103", elsewhere.token(json!({ "nbf": now + 90 }))),
        ("ID104", elsewhere.token(json!({ "aud": db.issuer }))),
        ("ID104", elsewhere.token(json!({ "aud": "spa" }))),
        ("ID108", elsewhere.token(json!({ "nonce": "n" }))),
        ("ID108", elsewhere.token(json!({ "at_hash": "h" }))),
        ("ID108", elsewhere.token(json!({ "typ": "ID" }))),
        ("ID108", elsewhere.token(json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }))),
        ("ID108", typed("logout+jwt")),
        ("ID108", typed("oauth-authz-req+jwt")),
        ("ID106", stranger.token(json!({}))),
        (
            "ID105",
            elsewhere
                .sign(json!({ "kid": "key-2" }), json!({ "iss": ISSUER, "aud": API, "sub": "a", "exp": now + 100 })),
        ),
    ];
    for (expected, token) in cases {
        assert_eq!(sqlstate(authenticate(&app, &token).await), expected, "{token}");
    }
    assert_eq!(trust(&db, &elsewhere.jwks(), ", typ => 'at+jwt'").await, "accepted");
    assert_eq!(sqlstate(authenticate(&app, &elsewhere.token(json!({}))).await), "ID108");
    assert_eq!(sqlstate(authenticate(&app, &typed("at+jwt")).await), "accepted");
}

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
    let token = {
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!(
            "{}.{}",
            encode(&json!({ "alg": "ES256" })),
            encode(&json!({ "iss": ISSUER, "aud": API, "sub": "a", "exp": 4_000_000_000_i64 }))
        );
        let Key::Ec(key) = &first.key else { unreachable!() };
        let signature = key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    };
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
