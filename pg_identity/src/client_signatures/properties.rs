//! What clients publish and sign: nothing crashes, nothing private is kept, and what a key did not sign it did not sign.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{public_set, verdict};
use crate::jws;
use crate::mutation::{edited, edits, json_text, json_value};

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with this kid, and the key that signed it.
fn signed(kid: Option<&str>) -> (String, Value) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (mut header, point) = (json!({ "alg": "ES256" }), pair.public_key().as_ref());
    let mut key =
        json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]), "kid": "k" });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
        key["kid"] = kid.into();
    }
    let input = format!("{}.{}", encode(header.to_string()), encode(r#"{"iss":"app"}"#));
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    (format!("{input}.{}", encode(signature)), key)
}

/// Members that make a key another one, or one for something else.
fn members() -> impl Strategy<Value = (String, Value)> {
    let name = "kty|crv|x|y|kid|use|alg|key_ops|d|k|n|e|x5c|x5u";
    let value = prop_oneof![
        3 => prop::sample::select(vec![
            json!("sig"), json!("enc"), json!("ES256"), json!("HS256"), json!(["verify"]), json!("oct"), json!("k"), json!(null)
        ]),
        1 => json_value(),
    ];
    (name, value)
}

proptest! {
    #[test]
    fn a_changed_token_is_not_signed(kid in prop::option::of("[a-z]{0,4}"), change in edits()) {
        let (token, key) = signed(kid.as_deref());
        let set = json!({ "keys": [key] });
        let of = |token: &str| jws::read(token).ok().map(|jws| verdict(&jws, &set, Some("ES256")).name());
        prop_assert_eq!(of(&token), Some("signed"));
        let changed = edited(&token, &change);
        prop_assert!(changed == token || of(&changed) != Some("signed"), "{}", changed);
    }

    #[test]
    fn only_the_key_itself_signed_and_only_while_it_is_for_that(changes in prop::collection::vec(members(), 0..4)) {
        let (token, key) = signed(Some("k"));
        let mut changed = key.clone();
        changed.as_object_mut().unwrap().extend(changes);
        let jws = jws::read(&token).ok().unwrap();
        let verdict = verdict(&jws, &json!({ "keys": [changed] }), None).name();
        let same = ["kty", "crv", "x", "y", "kid"].iter().all(|name| changed.get(name) == key.get(name));
        prop_assert!(verdict != "signed" || same);
        for (name, wanted) in [("use", "sig"), ("alg", "ES256")] {
            prop_assert!(verdict != "signed" || changed.get(name).is_none_or(|value| value == wanted));
        }
    }

    #[test]
    fn nothing_crashes_what_asks_a_set(set in json_value(), keys in json_value(), pinned in prop::option::of("ES256|none|\\PC{0,6}")) {
        let (token, _) = signed(None);
        let jws = jws::read(&token).ok().unwrap();
        for set in [set, json!({ "keys": keys }), json!({ "keys": [keys] })] {
            prop_assert_ne!(verdict(&jws, &set, pinned.as_deref()).name(), "signed");
        }
    }

    #[test]
    fn what_is_kept_of_a_published_set_is_public(changes in prop::collection::vec(members(), 0..4), more in json_value()) {
        let (_, mut key) = signed(None);
        key.as_object_mut().unwrap().extend(changes);
        let secret = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| key.get(name).is_some());
        let symmetric = key["kty"] == "oct";
        match public_set(&json!({ "keys": [key], "more": more }).to_string()) {
            None => prop_assert!(secret || symmetric),
            Some(set) => {
                prop_assert!(!secret && !symmetric);
                prop_assert_eq!(set.as_object().unwrap().len(), 1);
                for kept in set["keys"].as_array().unwrap() {
                    prop_assert!(kept.as_object().unwrap().iter().all(|(name, value)| key.get(name) == Some(value)));
                    prop_assert!(kept.get("x5u").is_none());
                }
            }
        }
    }

    #[test]
    fn nothing_crashes_the_reader_of_published_sets(text in prop_oneof![json_text(), "(?s).{0,60}"], change in edits()) {
        let read = |document: &str| public_set(document).is_none_or(|set| set["keys"].is_array());
        let (_, key) = signed(None);
        let (within, changed) = (format!(r#"{{"keys":[{text}]}}"#), edited(&json!({ "keys": [key] }).to_string(), &change));
        for document in [text, within, changed] {
            prop_assert!(read(&document), "{}", document);
        }
    }
}
