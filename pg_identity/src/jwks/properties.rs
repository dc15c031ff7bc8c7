//! Key sets from strangers: nothing crashes, and what comes out is public, unique and pinned.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{PRIVATE_MEMBERS, jwks_read};
use crate::errors::Code;
use crate::jwk::{Algorithm, PublicKey};
use crate::mutation::json_value;

fn any_key() -> impl Strategy<Value = Value> {
    let sound = prop::sample::select(vec![
        // RFC 7515 §A.3, RFC 8037 §A.2
        json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA" }),
    ]);
    let name =
        prop::sample::select(&["kid", "alg", "use", "key_ops", "d", "k", "p", "x", "crv", "kty", "x5c", "exp"][..]);
    let value = prop_oneof![
        4 => prop::sample::select(vec![
            json!("a"), json!("b"), json!(""), json!("sig"), json!("enc"), json!("ES256"), json!("EdDSA"), json!("HS256"),
            json!("none"), json!(["verify"]), json!(["sign"]), json!(null), json!(1), json!("oct"),
        ]),
        1 => json_value(),
    ];
    let members = prop::collection::btree_map(name.prop_map(str::to_owned), value, 0..4);
    (sound, members).prop_map(|(mut key, members)| {
        key.as_object_mut().unwrap().extend(members);
        key
    })
}

proptest! {
    #[test]
    fn what_is_taken_from_a_set_is_public_unique_and_pinned(
        keys in prop::collection::vec(any_key(), 0..5),
        algorithms in prop::collection::vec(prop::sample::select(&["ES256", "EdDSA", "RS256", "none", "HS256"][..]), 0..4),
    ) {
        let set = json!({ "keys": keys });
        match jwks_read(pgrx::JsonB(set), pgrx::JsonB(json!(algorithms))) {
            Err(error) => prop_assert_eq!(error.code, Code::InvalidParameter),
            Ok(pgrx::JsonB(entries)) => {
                prop_assert!(algorithms.iter().all(|name| Algorithm::named(name).is_some()));
                let private = |key: &Value| PRIVATE_MEMBERS.iter().any(|name| key.get(name).is_some());
                prop_assert!(!keys.iter().any(private));
                let entries = entries.as_array().unwrap();
                let mut kids: Vec<_> = entries.iter().map(|entry| entry["kid"].as_str().unwrap()).collect();
                kids.sort_unstable();
                kids.dedup();
                prop_assert!(!entries.is_empty() && kids.len() == entries.len());
                prop_assert!(entries.len() == 1 || !kids.contains(&""));
                for entry in entries {
                    let name = entry["algorithm"].as_str().unwrap();
                    prop_assert!(algorithms.contains(&name));
                    let key = entry["jwk"].as_object().unwrap();
                    prop_assert!(PublicKey::read(key, Algorithm::named(name).unwrap()).is_some());
                    prop_assert!(key.keys().all(|name| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str())));
                    // It is a key of the set, for signatures, and its own algorithm is kept.
                    let of_the_set = keys.iter().any(|key| {
                        key.get("kid").map_or(Some(""), Value::as_str) == entry["kid"].as_str()
                            && ["x", "y", "kty", "crv"].iter().all(|name| key[*name] == entry["jwk"][*name])
                            && key.get("use").is_none_or(|purpose| purpose == "sig")
                            && key.get("alg").is_none_or(|own| own == name)
                    });
                    prop_assert!(of_the_set);
                }
            }
        }
    }

    #[test]
    fn nothing_crashes_the_reader_of_sets(set in json_value(), algorithms in json_value()) {
        prop_assert!(jwks_read(pgrx::JsonB(set.clone()), pgrx::JsonB(algorithms)).is_err());
        let set = pgrx::JsonB(json!({ "keys": set }));
        prop_assert!(jwks_read(set, pgrx::JsonB(json!(["ES256"]))).is_err());
    }
}
