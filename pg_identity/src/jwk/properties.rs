//! Public keys from strangers: nothing crashes, and what is nearly a key is not that key.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Algorithm, PublicKey, with_parsed};
use crate::mutation::{edited, edits, json_value};

/// Key, algorithm and a signature over b"message".
struct Known {
    algorithm: Algorithm,
    jwk: Map<String, Value>,
    signature: Vec<u8>,
}

fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(fresh)
}

fn fresh() -> Vec<Known> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let ed = Ed25519KeyPair::generate().unwrap();
    let point = ec.public_key().as_ref();
    let members = |value: Value| value.as_object().unwrap().clone();
    vec![
        Known {
            algorithm: Algorithm::Es256,
            jwk: members(json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })),
            signature: ec.sign(&SystemRandom::new(), b"message").unwrap().as_ref().to_vec(),
        },
        Known {
            algorithm: Algorithm::EdDsa,
            jwk: members(json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(ed.public_key().as_ref()) })),
            signature: ed.sign(b"message").as_ref().to_vec(),
        },
    ]
}

/// Without the memory of good signatures, which knows keys by their stored form.
fn made(key: &PublicKey, signature: &[u8]) -> bool {
    key.parsed.verify_sig(b"message", signature).is_ok()
}

/// Asked twice, because the second time what was good is remembered.
#[test]
fn what_is_remembered_is_one_signature_of_one_message_by_one_key() {
    let ask = |jwk: &Map<String, Value>, algorithm, message: &[u8], signature: &[u8]| {
        let token = [message, signature].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
        let stored = Value::Object(jwk.clone()).to_string();
        with_parsed(stored.as_bytes(), algorithm, || Some(jwk.clone()), |key| key.made(&token, message, signature))
    };
    for (Known { algorithm, jwk, signature }, stranger) in known().iter().zip(fresh()) {
        let mut changed = signature.clone();
        changed[0] ^= 1;
        for _ in 0..2 {
            assert_eq!(ask(jwk, *algorithm, b"message", signature), Some(true));
            assert_eq!(ask(jwk, *algorithm, b"another", signature), Some(false));
            assert_eq!(ask(jwk, *algorithm, b"message", &changed), Some(false));
            assert_eq!(ask(&stranger.jwk, *algorithm, b"message", signature), Some(false));
        }
    }
}

fn members() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop::sample::select(&["kty", "crv", "x", "y", "n", "e", "d", "k", "alg", "use", "kid"][..]);
    let value = prop_oneof![
        prop::sample::select(&["EC", "OKP", "RSA", "oct", "P-256", "P-384", "P-521", "Ed25519", "AQAB", "AAAA"][..])
            .prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes).into()),
        prop::collection::vec(any::<u8>(), 32).prop_map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes).into()),
        json_value(),
    ];
    prop::collection::btree_map(name.prop_map(str::to_owned), value, 0..8)
        .prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn nothing_crashes_the_reader_of_keys(members in members(), which in 0..Algorithm::ALL.len()) {
        let algorithm = Algorithm::ALL[which];
        if let Some(key) = PublicKey::read(&members, algorithm) {
            prop_assert!(algorithm.fits(&members));
            prop_assert!(!key.made("t", b"message", &vec![0; key.signature_length]));
        }
    }

    #[test]
    fn a_changed_key_is_another_key_or_none(which in 0..2_usize, name in "kty|crv|x|y", change in edits()) {
        let known = &known()[which];
        let mut jwk = known.jwk.clone();
        let Some(Value::String(text)) = jwk.get_mut(&name) else { return Ok(()) };
        *text = edited(text, &change);
        let same = jwk == known.jwk;
        let verifies = PublicKey::read(&jwk, known.algorithm).is_some_and(|key| made(&key, &known.signature));
        prop_assert_eq!(verifies, same);
    }

    #[test]
    fn a_changed_signature_is_none(which in 0..2_usize, at in any::<prop::sample::Index>(), change in 1..=255_u8, message in any::<u8>()) {
        let known = &known()[which];
        let key = PublicKey::read(&known.jwk, known.algorithm).unwrap();
        let mut signature = known.signature.clone();
        signature[at.index(64)] ^= change;
        prop_assert!(!made(&key, &signature));
        prop_assert!(key.parsed.verify_sig(&[message], &known.signature).is_err());
    }

    #[test]
    fn names_of_algorithms_are_exact(name in prop_oneof!["\\PC{0,8}", "(es|ES|Rs|RS|ps|PS|HS|hs)(256|384|512)", "(?i)eddsa|none"]) {
        let found = Algorithm::named(&name);
        let names = ["ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
        prop_assert_eq!(found.map(Algorithm::name), names.into_iter().find(|known| *known == name));
    }
}
