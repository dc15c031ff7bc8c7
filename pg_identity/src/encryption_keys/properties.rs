//! Key sets of those to whom we encrypt, and tokens for us: nothing crashes, and what is chosen is a key of the set for that.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{jwe_header, jwe_recipient, jwe_seal};
use crate::errors::Code;
use crate::jwe::{self, Encryption, Management};
use crate::mutation::{json_text, json_value};

/// Of RFC 7518 appendix C and RFC 7748 §6.1, and members that make them something else.
fn keys() -> impl Strategy<Value = Value> {
    let sound = prop::sample::select(vec![
        json!({ "kty": "EC", "crv": "P-256", "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo" }),
    ]);
    let name = "kid|use|alg|key_ops|crv|kty|x|y";
    let value = prop_oneof![
        4 => prop::sample::select(vec![
            json!("enc"), json!("sig"), json!("ECDH-ES"), json!("ECDH-ES+A256KW"), json!("RSA-OAEP-256"), json!(["deriveKey"]),
            json!(["verify"]), json!("k"), json!(null),
        ]),
        1 => json_value(),
    ];
    let members = prop::collection::btree_map(name, value, 0..3);
    (sound, members).prop_map(|(mut key, members)| {
        key.as_object_mut().unwrap().extend(members);
        key
    })
}

fn algorithms() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"][..])
}

proptest! {
    #[test]
    fn the_key_that_is_chosen_is_one_of_the_set_for_this_algorithm(
        keys in prop::collection::vec(keys(), 0..4), algorithm in algorithms(), encryption in "A256GCM|A128CBC-HS256",
    ) {
        let chosen = jwe_recipient(pgrx::JsonB(json!({ "keys": keys })), algorithm).unwrap();
        let Some(pgrx::JsonB(chosen)) = chosen else { return Ok(()) };
        prop_assert!(keys.contains(&chosen));
        prop_assert!(chosen.get("use").is_none_or(|purpose| purpose == "enc"));
        prop_assert!(chosen.get("alg").is_none_or(|name| name == algorithm));
        // And can be encrypted to.
        let token = jwe_seal("text", pgrx::JsonB(chosen.clone()), algorithm, &encryption, Some("JWT")).unwrap().unwrap();
        let read = jwe::read(&token).unwrap();
        let named = (Management::named(algorithm), Encryption::named(&encryption));
        prop_assert_eq!((Some(read.management()), Some(read.encryption())), named);
        prop_assert_eq!(read.kid(), chosen["kid"].as_str());
    }

    #[test]
    fn nothing_crashes_what_chooses_or_seals(set in json_value(), keys in json_value(), algorithm in prop_oneof![algorithms().prop_map(str::to_owned), "\\PC{0,12}"]) {
        let known = Management::named(&algorithm).is_some();
        for set in [set.clone(), json!({ "keys": keys }), json!({ "keys": [keys] })] {
            match jwe_recipient(pgrx::JsonB(set), &algorithm) {
                Ok(chosen) => prop_assert!(known && chosen.is_none()),
                Err(error) => prop_assert!(!known && error.code == Code::Unsupported),
            }
        }
        match jwe_seal("text", pgrx::JsonB(set), &algorithm, "A256GCM", None) {
            Ok(token) => prop_assert!(known && token.is_none()),
            Err(error) => prop_assert!(!known && error.code == Code::Unsupported),
        }
    }

    #[test]
    fn a_header_is_said_of_what_could_be_opened_only(
        token in prop_oneof!["\\PC{0,80}", "[A-Za-z0-9_.-]{0,120}"], header in json_text(), rest in "(\\.[A-Za-z0-9_-]{0,8}){3,5}",
    ) {
        use base64::Engine;
        let made = format!("{}{rest}", base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(header));
        for token in [token, made] {
            let said = jwe_header(&token).unwrap();
            prop_assert_eq!(said.is_some(), jwe::read(&token).is_some());
            if let Some(pgrx::JsonB(header)) = said {
                prop_assert!(Management::named(header["alg"].as_str().unwrap()).is_some());
                prop_assert!(Encryption::named(header["enc"].as_str().unwrap()).is_some());
            }
        }
    }
}
