//! Signatures: what is near a good one is none, except where the algorithm itself knows two.

use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaPssSaltLength, RsaSignatureEncoding};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::signer::{Signer, both_say};
use super::verify;
use crate::support::Database;

/// SEC 2 §2.4.2: the order of P-256.
const N: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// RFC 8032 §5.1: the order of Ed25519's base point, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// one − other, big-endian.
fn less(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let digits = one.iter().zip(other).rev().map(|(one, other)| {
        let digit = i32::from(*one) - i32::from(*other) - borrow;
        borrow = i32::from(digit < 0);
        digit.rem_euclid(256) as u8
    });
    let mut digits: Vec<u8> = digits.collect();
    digits.reverse();
    digits
}

/// one + other, big-endian, one digit longer.
fn plus(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let sums = one.iter().zip(other).rev().map(|(one, other)| {
        let sum = u16::from(*one) + u16::from(*other) + carry;
        carry = sum >> 8;
        sum as u8
    });
    let mut digits: Vec<u8> = sums.collect();
    digits.push(carry as u8);
    digits.reverse();
    digits
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

/// ECDSA-Sig-Value of RFC 3279 §2.2.3.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len() - 1);
        let sign = if number[start] & 0x80 == 0 { &[][..] } else { &[0] };
        let value = [sign, &number[start..]].concat();
        [&[2, value.len() as u8][..], &value].concat()
    };
    let both = [integer(r), integer(s)].concat();
    [&[0x30, both.len() as u8][..], &both].concat()
}

fn taken_apart(token: &str) -> (&str, Vec<u8>) {
    let (signing_input, signature) = token.rsplit_once('.').unwrap();
    (signing_input, BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap())
}

fn put_together(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn es256_has_two_fixed_numbers_between_one_and_the_order() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let good = signer.token(json!({}), json!({}));
        let (input, signature) = taken_apart(&good);
        let (r, s) = signature.split_at(32);
        let (zero, one, most) = ([0; 32], less(&N, &less(&N, &[&[0; 31][..], &[1]].concat())), [0xff; 32]);
        let beyond = plus(&N, &one)[1..].to_vec();
        let numbers = [&zero[..], &one, &N, &beyond, &most, r, s];
        for first in numbers {
            for second in numbers {
                let expected = if (first, second) == (r, s) { "accepted" } else { "ID106" };
                both_say(&app, expected, &put_together(input, &[first, second].concat())).await;
            }
        }
        for signature in [
            vec![],
            vec![0],
            vec![0; 63],
            vec![0; 65],
            vec![0; 4_000],
            signature[..63].to_vec(),
            signature[1..].to_vec(),
            [&signature[..], &[0]].concat(),
            [&[0][..], &signature].concat(),
            [&[0][..], r, &[0], s].concat(),
            [&signature[..], &signature].concat(),
            der(r, s),
            der(&zero, &zero),
            der(&zero, &one),
            less(&[0xff; 64], &signature),
        ] {
            both_say(&app, "ID106", &put_together(input, &signature)).await;
        }
    }
}

/// If (r, s) is a signature, so is (r, n − s), and RFC 7518 §3.4 asks for neither in particular: other libraries sign with either. So a
/// token of ES256 can be written in two ways by anybody who sees it, and both say the same; nothing is remembered by a token's text
/// (revocation goes by jti, sid, grant and subject).
#[tokio::test]
async fn the_mirrored_signature_of_es256_says_the_same() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let good = signer.token(json!({}), json!({ "jti": "mirrored" }));
        let (input, signature) = taken_apart(&good);
        let (r, s) = signature.split_at(32);
        let mirrored = put_together(input, &[r, &less(&N, s)].concat());
        assert_ne!(mirrored, good);
        both_say(&app, "accepted", &mirrored).await;
        assert_eq!(verify(&app, &mirrored, None).await.unwrap(), verify(&app, &good, None).await.unwrap());
        db.admin().await.execute("select identity.revoke('token', 'mirrored')", &[]).await.unwrap();
        both_say(&app, "ID107", &good).await;
        both_say(&app, "ID107", &mirrored).await;
        db.superuser().await.execute("delete from identity.revocations", &[]).await.unwrap();
    }
}

#[tokio::test]
async fn eddsa_has_one_signature() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "EdDSA").await {
        let good = signer.token(json!({}), json!({}));
        let (input, signature) = taken_apart(&good);
        let (r, s) = signature.split_at(32);
        // RFC 8032 §5.1.7: S is in the range 0 <= S < L, or the signature is invalid.
        let mut beyond = vec![plus(&reversed(s), &reversed(&L))[1..].to_vec()];
        beyond.push(plus(&beyond[0], &reversed(&L))[1..].to_vec());
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut other_sign = r.to_vec();
        other_sign[31] ^= 0x80;
        for signature in [
            [r, &reversed(&beyond[0])].concat(),
            [r, &reversed(&beyond[1])].concat(),
            [r, &L].concat(),
            [r, &[0; 32]].concat(),
            [r, &[0xff; 32]].concat(),
            [&neutral[..], &[0; 32]].concat(),
            [&neutral[..], s].concat(),
            [&[0; 32][..], &[0; 32]].concat(),
            [&other_sign[..], s].concat(),
            [s, r].concat(),
            signature[..63].to_vec(),
            [&signature[..], &[0]].concat(),
            vec![],
        ] {
            both_say(&app, "ID106", &put_together(input, &signature)).await;
        }
        both_say(&app, "accepted", &good).await;
    }
}

#[tokio::test]
async fn an_rsa_signature_is_as_long_as_the_modulus_and_smaller() {
    for algorithm in ["RS256", "PS256"] {
        let db = Database::new().await;
        let app = db.app().await;
        for signer in Signer::both(&db, algorithm).await {
            let good = signer.token(json!({}), json!({}));
            let (input, signature) = taken_apart(&good);
            let n = BASE64_URL_SAFE_NO_PAD.decode(signer.key.jwk["n"].as_str().unwrap()).unwrap();
            let one = [&[0; 255][..], &[1]].concat();
            for signature in [
                vec![],
                vec![0; 256],
                vec![0; 512],
                vec![0xff; 256],
                one.clone(),
                n.clone(),
                less(&n, &one),
                less(&n, &signature),
                plus(&n, &signature),
                signature[..255].to_vec(),
                signature[1..].to_vec(),
                [&[0][..], &signature].concat(),
                [&signature[..], &[0]].concat(),
            ] {
                both_say(&app, "ID106", &put_together(input, &signature)).await;
            }
            both_say(&app, "accepted", &good).await;
        }
    }
}

#[tokio::test]
async fn the_padding_is_that_of_the_algorithm() {
    static WITHOUT_SALT: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0));
    static AS_SHA_1: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(20));
    static ONE_LESS: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(31));
    static ONE_MORE: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(33));
    // 2048 bits less hash, 0x01 and 0xbc.
    static LONGEST: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(222));
    let db = Database::new().await;
    let app = db.app().await;
    for (algorithm, good) in [("RS256", &RSA_PKCS1_SHA256), ("PS256", &RSA_PSS_SHA256)] {
        for signer in Signer::both(&db, algorithm).await {
            let token = signer.token(json!({}), json!({}));
            let (input, _) = taken_apart(&token);
            both_say(&app, "accepted", &put_together(input, &signer.key.signature(input, good))).await;
            let other = if algorithm == "RS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
            // RFC 7518 §3.5: the salt is as long as the hash.
            for encoding in [
                other,
                &WITHOUT_SALT,
                &AS_SHA_1,
                &ONE_LESS,
                &ONE_MORE,
                &LONGEST,
                &aws_lc_rs::signature::RSA_PSS_SHA384,
                &aws_lc_rs::signature::RSA_PKCS1_SHA384,
                &aws_lc_rs::signature::RSA_PKCS1_SHA512,
            ] {
                both_say(&app, "ID106", &put_together(input, &signer.key.signature(input, encoding))).await;
            }
        }
    }
}
