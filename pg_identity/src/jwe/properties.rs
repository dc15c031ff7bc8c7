//! What is encrypted opens as it was, with the recipient's key only; changed, it is nothing.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Encryption, Envelope, Management, OurKey, Recipient, read, seal};
use crate::mutation::{edited, edits};

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A key pair on P-256: the public JWK and the private key.
fn curve() -> (Map<String, Value>, OurKey) {
    let private = PrivateKey::generate(&ECDH_P256).unwrap();
    let point = private.compute_public_key().unwrap();
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = point.as_ref()[1..].split_at(32);
    (object(json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })), OurKey::Curve(private))
}

/// The same for RSA.
fn rsa() -> (Recipient, OurKey) {
    let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let public = aws_lc_rs::rsa::OaepPublicEncryptingKey::new(private.public_key()).unwrap();
    (Recipient::Rsa(public), OurKey::Rsa(OaepPrivateDecryptingKey::new(private).unwrap()))
}

fn encryptions() -> impl Strategy<Value = Encryption> {
    prop_oneof![Just(Encryption::A256Gcm), Just(Encryption::A128CbcHs256)]
}

proptest! {
    #[test]
    fn what_is_encrypted_opens_as_it_was_and_changed_not_at_all(
        wraps in any::<bool>(), encryption in encryptions(), plain in prop::collection::vec(any::<u8>(), 0..200), change in edits(),
    ) {
        let management = if wraps { Management::EcdhEsA256Kw } else { Management::EcdhEs };
        let (jwk, ours) = curve();
        let recipient = Recipient::read(&jwk, management).unwrap();
        let envelope = Envelope { management, encryption, kid: Some("k"), cty: Some("JWT") };
        let token = seal(&envelope, &recipient, &plain).ok().flatten().unwrap();
        let jwe = read(&token).unwrap();
        prop_assert_eq!((jwe.kid(), jwe.management()), (Some("k"), management));
        let opened = jwe.open(&ours).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
        // Another recipient.
        let (_, other) = curve();
        prop_assert!(jwe.open(&other).is_none());
        let changed = edited(&token, &change);
        if changed != token {
            prop_assert!(read(&changed).and_then(|jwe| jwe.open(&ours)).is_none());
        }
    }

    #[test]
    fn no_text_crashes_what_reads(
        text in prop_oneof!["\\PC{0,80}", "[A-Za-z0-9_.-]{0,200}"],
        header in "\\{\"alg\":\"(ECDH-ES|RSA-OAEP-256|ECDH-ES\\+A256KW)\",\"enc\":\"A256GCM\",\"epk\":(\\{\\}|1|\\{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"[A-Za-z0-9_-]{0,43}\"\\})\\}",
        rest in "(\\.[A-Za-z0-9_-]{0,60}){4}",
    ) {
        let (_, ours) = curve();
        prop_assert!(read(&text).and_then(|jwe| jwe.open(&ours)).is_none());
        let token = format!("{}{rest}", BASE64_URL_SAFE_NO_PAD.encode(header));
        prop_assert!(read(&token).and_then(|jwe| jwe.open(&ours)).is_none());
    }
}

#[test]
fn a_key_is_given_by_rsa_to_the_owner_of_the_key_only() {
    let ((public, ours), (_, other)) = (rsa(), rsa());
    for encryption in [Encryption::A256Gcm, Encryption::A128CbcHs256] {
        let envelope = Envelope { management: Management::RsaOaep256, encryption, kid: None, cty: None };
        let token = seal(&envelope, &public, b"text").ok().flatten().unwrap();
        let jwe = read(&token).unwrap();
        assert_eq!(jwe.open(&ours).unwrap().as_slice(), b"text");
        assert!(jwe.open(&other).is_none());
        // Of another algorithm.
        assert!(jwe.open(&curve().1).is_none());
        let parts: Vec<&str> = token.split('.').collect();
        for place in 1..5 {
            let mut changed = parts.clone();
            changed[place] = "";
            assert!(read(&changed.join(".")).and_then(|jwe| jwe.open(&ours)).is_none(), "{place}");
        }
    }
}

#[test]
fn a_key_that_is_no_point_of_its_curve_is_none() {
    let (good, _) = curve();
    assert!(Recipient::read(&good, Management::EcdhEs).is_some());
    assert!(Recipient::read(&good, Management::RsaOaep256).is_none());
    let x = good["x"].as_str().unwrap();
    for change in [
        json!({ "y": x }),
        json!({ "x": "AA" }),
        json!({ "crv": "P-384" }),
        json!({ "kty": "OKP" }),
        json!({ "crv": "X25519", "kty": "OKP", "x": "AA" }),
        json!({ "crv": "Ed25519", "kty": "OKP" }),
        json!({ "x": 1 }),
    ] {
        let mut key = good.clone();
        key.extend(object(change.clone()));
        assert!(Recipient::read(&key, Management::EcdhEs).is_none(), "{change}");
    }
    // RFC 7748 §6.1, and the points of small order of X25519: what is agreed with them is zero for every private key.
    let most = [&[0xec][..], &[0xff; 30], &[0x7f]].concat();
    let one = [&[1][..], &[0; 31]].concat();
    let eight = BASE64_URL_SAFE_NO_PAD.decode("4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA").unwrap();
    for point in [vec![0; 32], one, eight, most, vec![0xff; 32]] {
        let key = object(json!({ "kty": "OKP", "crv": "X25519", "x": BASE64_URL_SAFE_NO_PAD.encode(&point) }));
        let sound = point == [0xff; 32];
        assert_eq!(Recipient::read(&key, Management::EcdhEs).is_some(), sound, "{point:?}");
    }
    let weak = json!({ "kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB" });
    assert!(Recipient::read(&object(weak), Management::RsaOaep256).is_none());
}

#[test]
fn what_is_not_strictly_a_token_is_none() {
    let (jwk, ours) = curve();
    let recipient = Recipient::read(&jwk, Management::EcdhEs).unwrap();
    let envelope = Envelope { management: Management::EcdhEs, encryption: Encryption::A256Gcm, kid: None, cty: None };
    let token = seal(&envelope, &recipient, b"text").ok().flatten().unwrap();
    assert_eq!(read(&token).unwrap().open(&ours).unwrap().as_slice(), b"text");
    let header = |more: Value| {
        let mut header = json!({ "alg": "ECDH-ES", "enc": "A256GCM", "epk": jwk });
        header.as_object_mut().unwrap().extend(object(more));
        format!("{}..AAAA.AAAA.AAAA", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
    };
    assert!(read(&header(json!({}))).is_some());
    for bad in [
        String::new(),
        "....".into(),
        format!("{token}."),
        format!("{token}="),
        format!(" {token}"),
        token.rsplit_once('.').unwrap().0.into(),
        "a".repeat(40_000),
        header(json!({ "zip": "DEF" })),
        header(json!({ "crit": ["exp"] })),
        header(json!({ "alg": "dir" })),
        header(json!({ "alg": "ECDH-ES+A128KW" })),
        header(json!({ "alg": "RSA1_5" })),
        header(json!({ "alg": "PBES2-HS256+A128KW" })),
        header(json!({ "enc": "A128GCM" })),
        header(json!({ "enc": ["A256GCM"] })),
    ] {
        assert!(read(&bad).is_none(), "{bad:.60}");
    }
}
