//! What pgjwt's functions are given: nothing crashes, bytes have many spellings and a token one, and no change of one is valid.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{decoded, hmac_algorithm_sign, hmac_sign, hmac_url_decode, hmac_url_encode, valid};
use crate::errors::Code;
use crate::mutation::{edited, edits, json_text, json_value};

const NOW: f64 = 1_700_000_000.0;

fn algorithms() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["HS256", "HS384", "HS512"][..])
}

/// Moments as tokens of this world and of others say them.
fn moments() -> impl Strategy<Value = Value> {
    let seconds = prop_oneof![Just(NOW), Just(NOW - 1.0), Just(NOW + 1.0), any::<f64>()];
    prop_oneof![
        Just(Value::Null),
        seconds.clone().prop_map(|seconds| json!(seconds)),
        seconds.prop_map(|seconds| json!(format!(" {seconds} "))),
        prop::sample::select(&["NaN", "inf", "-infinity", "1e400", "", "soon", "0x1"][..]).prop_map(Value::from),
        json_value(),
    ]
}

proptest! {
    #[test]
    fn bytes_are_read_in_every_spelling_of_base64(
        bytes in prop::collection::vec(any::<u8>(), 0..60), breaks in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let written = hmac_url_encode(&bytes).unwrap();
        prop_assert!(!written.contains(['=', '+', '/', '\n']));
        for mut spelling in [written.clone(), BASE64_STANDARD.encode(&bytes)] {
            for at in &breaks {
                spelling.insert(at.index(spelling.len() + 1), '\n');
            }
            prop_assert_eq!(hmac_url_decode(&spelling).unwrap(), bytes.clone());
        }
    }

    #[test]
    fn nothing_crashes_the_reader_of_base64(text in prop_oneof!["(?s).{0,80}", "[A-Za-z0-9_+/=\n-]{0,80}"]) {
        match hmac_url_decode(&text) {
            Ok(bytes) => prop_assert_eq!(decoded(&hmac_url_encode(&bytes).unwrap()), Some(bytes)),
            Err(error) => prop_assert_eq!(error.code, Code::InvalidValue),
        }
    }

    #[test]
    fn a_token_is_valid_as_it_was_signed_and_changed_not_at_all(
        claims in json_value(), secret in "[^\0]{0,80}", other in "[^\0]{0,80}", algorithm in algorithms(),
        another in algorithms(), change in edits(),
    ) {
        let payload = json!({ "c": claims }).to_string();
        let token = hmac_sign(&payload, &secret, algorithm).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        prop_assert_eq!(decoded(parts[1]), Some(payload.into_bytes()));
        let signature = hmac_algorithm_sign(&format!("{}.{}", parts[0], parts[1]), &secret, algorithm).unwrap();
        prop_assert_eq!(parts[2], signature);
        let is_valid = |token: &str, secret: &str, algorithm: &str| valid(token, secret, algorithm, NOW).unwrap();
        prop_assert!(is_valid(&token, &secret, algorithm));
        prop_assert_eq!(is_valid(&token, &other, algorithm), other == secret);
        prop_assert_eq!(is_valid(&token, &secret, another), another == algorithm);
        let changed = edited(&token, &change);
        prop_assert_eq!(is_valid(&changed, &secret, algorithm), changed == token);
    }

    #[test]
    fn a_token_is_of_its_time_and_of_none_where_that_is_no_number(nbf in moments(), exp in moments()) {
        let token = hmac_sign(&json!({ "nbf": nbf, "exp": exp }).to_string(), "secret", "HS256").unwrap();
        // Absent: always. Else a number, in quotes or not.
        let moment = |value: &Value, absent: f64| match value {
            Value::Null => absent,
            Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
            other => other.as_f64().unwrap_or(f64::NAN),
        };
        let expected = moment(&nbf, f64::NEG_INFINITY) <= NOW && NOW < moment(&exp, f64::INFINITY);
        prop_assert_eq!(valid(&token, "secret", "HS256", NOW).unwrap(), expected);
    }

    #[test]
    fn nothing_crashes_what_verifies(
        token in prop_oneof!["\\PC{0,80}", "[A-Za-z0-9_-]{0,30}(\\.[A-Za-z0-9_-]{0,60}){0,4}"], payload in json_text(),
        algorithm in prop_oneof![algorithms().prop_map(str::to_owned), "\\PC{0,8}", "(?i)hs(256|384|512)|none"],
    ) {
        let known = ["HS256", "HS384", "HS512"].contains(&algorithm.as_str());
        prop_assert_eq!(valid(&token, "secret", &algorithm, NOW).is_ok(), known);
        // Signed, whatever it is: what is no object is not of now.
        let signed = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode("{}"), BASE64_URL_SAFE_NO_PAD.encode(&payload));
        let token = format!("{signed}.{}", hmac_algorithm_sign(&signed, "secret", "HS256").unwrap());
        let object = serde_json::from_str::<Value>(&payload).is_ok_and(|value| value.is_object());
        prop_assert!(object || !valid(&token, "secret", "HS256", NOW).unwrap());
    }
}
