//! Whatever is sent as a token: nothing crashes, one token has one spelling, and no change of a signed token is believed.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{LAST_MOMENT, LONGEST_KID, Rounding, base64url, numeric_date, read};
use crate::jwk::{Algorithm, with_parsed};
use crate::mutation::{edited, edits, json_text, json_value};
use crate::strict_json;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// base64url by the book (RFC 4648 §5), bit by bit.
fn reference(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut kept) = (Vec::new(), 0, 0_u32);
    for letter in text.chars() {
        kept = kept << 6 | ALPHABET.find(letter)? as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((kept >> bits) as u8);
            kept &= (1 << bits) - 1;
        }
    }
    (bits < 6 && kept == 0).then_some(bytes)
}

/// The header as it must be, by another way than `read`.
fn sound_header(header: &Map<String, Value>) -> bool {
    let text_or_absent = |name: &str| header.get(name).is_none_or(Value::is_string);
    header.get("alg").is_some_and(Value::is_string)
        && text_or_absent("typ")
        && text_or_absent("kid")
        && header.get("kid").and_then(Value::as_str).is_none_or(|kid| kid.len() <= LONGEST_KID)
        && !header.contains_key("crit")
        && !header.contains_key("b64")
}

fn header_text() -> impl Strategy<Value = String> {
    let name = prop::sample::select(&["alg", "typ", "kid", "crit", "b64", "jwk", "zip", "\\u0061lg"][..]);
    let value = prop_oneof![
        3 => prop::sample::select(&["\"ES256\"", "\"none\"", "\"at+jwt\"", "null", "1", "[\"exp\"]", "true"][..])
            .prop_map(str::to_owned),
        1 => json_value().prop_map(|value| value.to_string()),
    ];
    let member = (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(",")))
}

/// A key of each algorithm that we sign with, its JWK, and a token of ours that it signed.
struct Signed {
    algorithm: Algorithm,
    jwk: Map<String, Value>,
    token: String,
    claims: Map<String, Value>,
}

fn signed() -> &'static [Signed] {
    static SIGNED: OnceLock<Vec<Signed>> = OnceLock::new();
    SIGNED.get_or_init(|| {
        let random = SystemRandom::new();
        let (ec, ed, rsa) = (
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            Ed25519KeyPair::generate().unwrap(),
            RsaKey::generate(KeySize::Rsa2048).unwrap(),
        );
        let point = ec.public_key().as_ref();
        // RSAPublicKey (RFC 8017 §A.1.1) of 2048 bits: 9 bytes of DER, the modulus, 5 bytes of 65537.
        let modulus = &rsa.public_key().as_ref()[9..265];
        let rsa_jwk = json!({ "kty": "RSA", "n": encode(modulus), "e": "AQAB" });
        let keys = [
            (
                Algorithm::Es256,
                json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) }),
            ),
            (Algorithm::EdDsa, json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(ed.public_key()) })),
            (Algorithm::Rs256, rsa_jwk.clone()),
            (Algorithm::Ps256, rsa_jwk),
        ];
        let claims = json!({ "iss": "https://i.example", "aud": "a", "sub": "alice", "exp": 4_000_000_000_i64 });
        keys.into_iter()
            .map(|(algorithm, jwk)| {
                let header = json!({ "alg": algorithm.name(), "kid": "k", "typ": "at+jwt" });
                let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
                let message = input.as_bytes();
                let mut long = vec![0; 256];
                let signature = match algorithm {
                    Algorithm::Es256 => ec.sign(&random, message).unwrap().as_ref().to_vec(),
                    Algorithm::EdDsa => ed.sign(message).as_ref().to_vec(),
                    Algorithm::Rs256 => {
                        rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut long).map(|()| long).unwrap()
                    }
                    _ => rsa.sign(&RSA_PSS_SHA256, &random, message, &mut long).map(|()| long).unwrap(),
                };
                let token = format!("{input}.{}", encode(signature));
                let object = |value: Value| value.as_object().unwrap().clone();
                Signed { algorithm, jwk: object(jwk), token, claims: object(claims.clone()) }
            })
            .collect()
    })
}

/// What authenticate believes of a token, given the key that its kid names.
fn believed(signed: &Signed, token: &str) -> Option<Map<String, Value>> {
    let jws = read(token).ok()?;
    let stored = encode(serde_json::to_vec(&signed.jwk).unwrap());
    let made = with_parsed(
        stored.as_bytes(),
        signed.algorithm,
        || Some(signed.jwk.clone()),
        |key| key.made(jws.token, jws.signing_input, &jws.signature),
    );
    (made == Some(true) && jws.header.algorithm == signed.algorithm.name()).then_some(jws.claims)
}

proptest! {
    #[test]
    fn base64url_is_read_by_the_book(text in prop_oneof!["[A-Za-z0-9_-]{0,12}", "[A-Za-z0-9+/=_ \n-]{0,8}", "\\PC{0,6}"]) {
        let read = base64url(&text).ok();
        prop_assert_eq!(&read, &reference(&text));
        if let Some(bytes) = read {
            prop_assert_eq!(encode(bytes), text);
        }
    }

    #[test]
    fn nothing_crashes_the_reader_of_tokens(text in prop_oneof!["\\PC{0,60}", "[A-Za-z0-9_.-]{0,60}", "[.eyJ=]{0,12}"]) {
        let _ = read(&text);
    }

    #[test]
    fn a_token_is_read_exactly_when_all_three_parts_are_sound(
        header in prop_oneof![3 => header_text(), 1 => json_text()], payload in json_text(),
        signature in prop::collection::vec(any::<u8>(), 0..70),
    ) {
        let token = format!("{}.{}.{}", encode(&header), encode(&payload), encode(&signature));
        let expected = strict_json::object(header.as_bytes()).filter(sound_header).zip(strict_json::object(payload.as_bytes()));
        let read = read(&token).ok();
        prop_assert_eq!(read.is_some(), expected.is_some());
        if let Some((jws, (header, claims))) = read.zip(expected) {
            prop_assert_eq!(jws.signature, signature);
            prop_assert_eq!(jws.signing_input, token.rsplit_once('.').unwrap().0.as_bytes());
            prop_assert_eq!(jws.header.members.get("alg").and_then(Value::as_str), Some(jws.header.algorithm.as_str()));
            prop_assert_eq!((jws.header.members, jws.claims), (header, claims));
        }
    }

    #[test]
    fn what_we_read_jsonwebtoken_reads_too(kid in "[^\0]{0,20}", typ in "[^\0]{0,20}", change in edits()) {
        let header = json!({ "alg": "ES256", "kid": kid, "typ": typ });
        let token = format!("{}.e30.AAAA", encode(header.to_string()));
        let token = edited(&token, &change);
        if let Ok(jws) = read(&token) {
            // It knows no other names of algorithms.
            if Algorithm::named(&jws.header.algorithm).is_some() && jws.header.algorithm != "ES512" {
                let theirs = jsonwebtoken::decode_header(&token).unwrap();
                prop_assert_eq!((&theirs.kid, &theirs.typ), (&jws.header.kid, &jws.header.typ));
                prop_assert_eq!(format!("{:?}", theirs.alg), jws.header.algorithm.as_str());
            }
        }
    }

    #[test]
    fn two_spellings_are_two_tokens(payload in json_value(), signature in prop::collection::vec(any::<u8>(), 1..70), change in edits()) {
        let token = format!("{}.{}.{}", encode("{\"alg\":\"ES256\"}"), encode(json!({ "a": payload }).to_string()), encode(signature));
        let other = edited(&token, &change);
        if let (Ok(one), Ok(two)) = (read(&token), read(&other)) {
            prop_assert_eq!((one.signing_input, one.signature) == (two.signing_input, two.signature), token == other);
        }
    }

    #[test]
    fn no_change_of_a_signed_token_is_believed(which in 0..4_usize, changes in prop::collection::vec(edits(), 1..3)) {
        let signed = &signed()[which];
        let changed = changes.iter().fold(signed.token.clone(), |token, change| edited(&token, change));
        let claims = believed(signed, &changed);
        if changed == signed.token {
            prop_assert_eq!(claims.as_ref(), Some(&signed.claims));
        } else {
            prop_assert_eq!(claims, None);
        }
    }

    #[test]
    fn no_part_of_another_token_fits(one in 0..4_usize, two in 0..4_usize, mask in 1..7_u8) {
        let (signed, other) = (&signed()[one], &signed()[two]);
        let parts = signed.token.split('.').zip(other.token.split('.')).enumerate();
        let mixed: Vec<&str> = parts.map(|(index, (mine, theirs))| if mask >> index & 1 == 1 { theirs } else { mine }).collect();
        let mixed = mixed.join(".");
        prop_assert_eq!(believed(signed, &mixed).is_some(), mixed == signed.token);
    }

    #[test]
    fn a_moment_is_rounded_to_a_shorter_life(value in prop_oneof![
        json_value(),
        (0..2 * LAST_MOMENT).prop_map(Value::from),
        (-2.0..2.0 * LAST_MOMENT as f64).prop_map(Value::from),
        (0.0..1e10_f64).prop_map(Value::from),
    ]) {
        let (down, up) = (numeric_date(&value, Rounding::Down), numeric_date(&value, Rounding::Up));
        let exact = value.as_f64();
        let within = exact.is_some_and(|exact| (0.0..=LAST_MOMENT as f64).contains(&exact));
        prop_assert_eq!((down.is_some(), up.is_some()), (within, within));
        if let (Some(down), Some(up), Some(exact)) = (down, up, exact) {
            prop_assert!(down as f64 <= exact && exact <= up as f64 && up - down <= 1);
            prop_assert!(value.as_i64().is_none_or(|exact| exact == down && exact == up));
        }
    }
}

#[test]
fn every_single_bit_of_a_signed_token_counts() {
    for signed in signed() {
        assert_eq!(believed(signed, &signed.token).as_ref(), Some(&signed.claims));
        for at in 0..signed.token.len() {
            for bit in 0..7 {
                let mut letters = signed.token.clone().into_bytes();
                letters[at] ^= 1 << bit;
                let changed = String::from_utf8(letters).unwrap();
                assert_eq!(believed(signed, &changed), None, "{} {at} {bit}", signed.algorithm.name());
            }
        }
    }
}
