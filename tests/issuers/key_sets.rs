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

#[tokio::test]
async fn keys_that_nobody_can_use_do_not_take_the_good_ones_along() {
    let db = Database::new().await;
    let (app, ec, rsa) = (db.app().await, Foreign::new("ES256"), Foreign::new("RS256"));
    // RFC 7517 §5: unknown kty, missing members and values out of range are ignored.
    let set = json!({ "keys": [
        { "kty": "AKP", "alg": "ML-DSA-44", "kid": "post-quantum", "pub": "AAAA" },
        { "kty": "EC", "crv": "P-256", "kid": "half", "x": ec.jwk["x"] },
        merged(ec.jwk.clone(), json!({ "kid": "off the curve", "x": ec.jwk["y"] })),
        merged(rsa.jwk.clone(), json!({ "kid": "short", "n": "AQAB" })),
        merged(rsa.jwk.clone(), json!({ "kid": "enc", "use": "enc", "alg": "RSA-OAEP" })),
        // Ignored with the rest of it, whatever its kid is.
        merged(rsa.jwk.clone(), json!({ "kid": "key-1", "use": "enc" })),
        { "kty": "RSA", "kid": 7, "use": "enc" },
        ec.jwk,
    ] });
    assert_eq!(trust(&db, &set, "").await, "accepted");
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "accepted");
    let kids = "select array_agg(kid) from identity.trusted_keys";
    assert_eq!(db.superuser().await.query_one(kids, &[]).await.unwrap().get::<_, Vec<String>>(0), ["key-1"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_key_set_is_said_with_what_to_do() {
    let db = Database::new().await;
    let (ec, rsa) = (Foreign::new("ES256"), Foreign::new("RS256"));
    let cases = [
        (
            json!({ "keys": [merged(ec.jwk.clone(), json!({ "d": "AAAA" }))] }),
            "jwks holds a private or symmetric key",
            "replace that key",
        ),
        (
            json!({ "keys": [ec.jwk, { "kty": "oct", "k": "c2VjcmV0" }] }),
            "jwks holds a private or symmetric key",
            "replace that key",
        ),
        (
            json!({ "keys": [ec.jwk, merged(rsa.jwk.clone(), json!({ "kid": "key-1" }))] }),
            "jwks holds two keys with the same kid",
            "a kid of its own",
        ),
        (
            json!({ "keys": [merged(rsa.jwk.clone(), json!({ "n": "AQAB" }))] }),
            "jwks holds no sound signing key of the allowed algorithms",
            "2048",
        ),
    ];
    for (jwks, message, hint) in cases {
        let sql = "select identity.trust_issuer($1, $2, $3)";
        let error = db.admin().await.execute(sql, &[&ISSUER, &API, &jwks]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("ID005", message));
        assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
    }
    let rows = "select (select count(*) from identity.trusted_issuers) + (select count(*) from identity.trusted_keys)";
    assert_eq!(db.superuser().await.query_one(rows, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn an_issuer_is_trusted_before_its_keys_are_known_and_keeps_them_when_nothing_is_said() {
    let db = Database::new().await;
    let (app, ec) = (db.app().await, Foreign::new("ES256"));
    let trust = |more: &'static str| {
        let db = &db;
        async move {
            let sql = format!("select identity.trust_issuer('{ISSUER}', '{API}' {more})");
            sqlstate(db.admin().await.execute(&sql, &[]).await)
        }
    };
    assert_eq!(trust("").await, "accepted");
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "ID105");
    let replace = "select identity.trusted_keys_replace($1, $2)";
    db.admin().await.execute(replace, &[&ISSUER, &ec.jwks()]).await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "accepted");
    assert_eq!(trust(", claims => '{\"roles\": \"groups\"}'").await, "accepted");
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "accepted");
    // A key of an algorithm that is allowed no more is none.
    for nonsense in ["{HS256}", "{none}", "{}", "{NULL}", "{{ES256},{RS256}}"] {
        let sql = format!("select identity.trust_issuer('{ISSUER}', '{API}', algorithms => '{nonsense}')");
        assert_eq!(sqlstate(db.admin().await.execute(&sql, &[]).await), "ID005", "{nonsense}");
    }
    assert_eq!(trust(", algorithms => '{RS256}'").await, "accepted");
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "ID105");
}

#[tokio::test]
async fn keys_that_were_not_written_again_in_time_are_good_no_more() {
    let db = Database::new().await;
    let (app, ec) = (db.app().await, Foreign::new("ES256"));
    for nonsense in ["1 second", "0", "-1 day", "11 years"] {
        assert_eq!(trust(&db, &ec.jwks(), &format!(", keys_max_age => '{nonsense}'")).await, "ID005", "{nonsense}");
    }
    assert_eq!(trust(&db, &ec.jwks(), ", keys_max_age => '1 day'").await, "accepted");
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "accepted");
    let superuser = db.superuser().await;
    let later = "update identity.trusted_issuers set keys_written_at = now() - interval '1 day 1 second'";
    superuser.batch_execute(later).await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "ID105");
    let replace = "select identity.trusted_keys_replace($1, $2)";
    db.admin().await.execute(replace, &[&ISSUER, &ec.jwks()]).await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({}))).await), "accepted");
}
