//! Algorithms: the key says which one, the token only repeats it (RFC 8725 §3.1), and it brings no key along.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::signer::{Signer, both_say};
use super::{BOB, access_token, authenticate, forged, sqlstate};
use crate::issuers::Foreign;
use crate::support::Database;

#[tokio::test]
async fn neither_none_nor_a_public_key_as_a_secret_signs() {
    let db = Database::new().await;
    let app = db.app().await;
    let good = access_token(&db, json!({})).await;
    let jwks: Value = app.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = forged(&good, |header, _| header["alg"] = json!(none));
        let (signing_input, _) = unsigned.rsplit_once('.').unwrap();
        assert_eq!(sqlstate(authenticate(&app, &format!("{signing_input}.")).await), "ID110");
        assert_eq!(sqlstate(authenticate(&app, &unsigned).await), "ID110");
    }
    for key in jwks["keys"].as_array().unwrap() {
        let secrets = [key.to_string(), key["x"].to_string(), key["n"].to_string()];
        for secret in secrets {
            let confused = forged(&good, |header, _| {
                header["alg"] = json!("HS256");
                header["kid"] = key["kid"].clone();
            });
            let (signing_input, _) = confused.rsplit_once('.').unwrap();
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signing_input.as_bytes());
            let token = format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag));
            assert_eq!(sqlstate(authenticate(&app, &token).await), "ID110");
        }
    }
    // Keys that the token brings along are ignored: it is still a forgery.
    let forgery = forged(&good, |header, claims| {
        header["jwk"] = jwks["keys"][0].clone();
        header["jku"] = json!("https://elsewhere.example/jwks");
        claims["sub"] = json!(BOB);
    });
    assert_eq!(sqlstate(authenticate(&app, &forgery).await), "ID106");
}

#[tokio::test]
async fn an_algorithm_is_that_of_the_key_or_refused_however_good_the_signature() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        both_say(&app, "accepted", &signer.token(json!({}), json!({}))).await;
        for name in [
            "none",
            "None",
            "NONE",
            "nOnE",
            "",
            " none",
            "HS256",
            "HS384",
            "HS512",
            "hs256",
            "es256",
            "ES256 ",
            " ES256",
            "ES256K",
            "ES384",
            "ES512",
            "RS256",
            "RS1",
            "PS256",
            "EdDSA",
            "Ed25519",
            "dir",
            "A128KW",
            "RSA-OAEP",
            "ＥＳ２５６",
        ] {
            let good = signer.token(json!({ "alg": name }), json!({}));
            let (signing_input, _) = good.rsplit_once('.').unwrap();
            both_say(&app, "ID110", &good).await;
            both_say(&app, "ID110", &format!("{signing_input}.")).await;
        }
        for alg in [
            json!(null),
            json!(0),
            json!(["ES256"]),
            json!(["none"]),
            json!({ "ES256": true }),
            json!(true),
            json!("ES256\0"),
        ] {
            both_say(&app, "ID101", &signer.token(json!({ "alg": alg }), json!({}))).await;
        }
        both_say(&app, "ID101", &signer.without("alg")).await;
    }
}

#[tokio::test]
async fn no_form_of_a_public_key_is_the_secret_of_an_hmac() {
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let db = Database::new().await;
        let app = db.app().await;
        for signer in Signer::both(&db, algorithm).await {
            let jwk = &signer.key.jwk;
            let bytes = |name: &str| {
                jwk[name].as_str().map(|text| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap_or_default()
            };
            let der = signer.key.public_der();
            let body = BASE64_STANDARD.encode(&der);
            let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
            let secrets = [
                pem.clone().into_bytes(),
                format!("{pem}\n").into_bytes(),
                der,
                body.into_bytes(),
                jwk.to_string().into_bytes(),
                signer.key.jwks().to_string().into_bytes(),
                bytes("x"),
                [bytes("x"), bytes("y")].concat(),
                [vec![4], bytes("x"), bytes("y")].concat(),
                bytes("n"),
                signer.kid.clone().into_bytes(),
                Vec::new(),
            ];
            for (name, hash) in
                [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
            {
                for secret in &secrets {
                    let token = signer.token(json!({ "alg": name }), json!({}));
                    let (signing_input, _) = token.rsplit_once('.').unwrap();
                    let tag = hmac::sign(&hmac::Key::new(hash, secret), signing_input.as_bytes());
                    both_say(&app, "ID110", &format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))).await;
                    // The same tag under the name of the key's own algorithm.
                    let token = signer.token(json!({}), json!({}));
                    let (signing_input, _) = token.rsplit_once('.').unwrap();
                    let tag = hmac::sign(&hmac::Key::new(hash, secret), signing_input.as_bytes());
                    both_say(&app, "ID106", &format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_never_used() {
    let db = Database::new().await;
    let app = db.app().await;
    let thief = Foreign::new("ES256");
    let der = BASE64_STANDARD.encode(thief.public_der());
    for signer in Signer::both(&db, "ES256").await {
        for (name, value) in [
            ("jwk", thief.jwk.clone()),
            ("jku", json!("https://thief.example/jwks.json")),
            ("jku", json!(format!("{}/../jwks", signer.issuer))),
            ("jku", json!("file:///etc/passwd")),
            ("x5u", json!("https://thief.example/cert.pem")),
            ("x5c", json!([der])),
            ("x5t", json!("AAAA")),
        ] {
            let header = signer.header(json!({ name: value }));
            let stolen = thief.sign_text(header.to_string(), signer.claims(json!({ "sub": BOB })).to_string());
            both_say(&app, "ID106", &stolen).await;
            let mut nameless = header.clone();
            nameless.as_object_mut().unwrap().remove("kid");
            let stolen = thief.sign_text(nameless.to_string(), signer.claims(json!({ "sub": BOB })).to_string());
            both_say(&app, if signer.is_ours() { "ID105" } else { "ID106" }, &stolen).await;
            // RFC 7515 §4: what is not understood is ignored; the issuer's own signature is good all the same.
            both_say(&app, "accepted", &signer.key.sign_text(header.to_string(), signer.claims(json!({})).to_string()))
                .await;
        }
    }
}
