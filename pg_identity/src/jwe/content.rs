//! The encryption of the content: A256GCM (RFC 7518 §5.3) and A128CBC-HS256 (§5.2.3). Both take a key of 32 bytes.

#[cfg(test)]
mod vectors;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{constant_time, hmac};
use zeroize::Zeroizing;

use crate::errors::Error;
use crate::sealing::{Secret, random};

/// `enc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// AES-256 in Galois/Counter Mode.
    A256Gcm,
    /// AES-128 in CBC mode with HMAC-SHA-256.
    A128CbcHs256,
}

/// What is sent.
pub struct Sealed {
    /// Initialization vector.
    pub iv: Vec<u8>,
    /// Ciphertext.
    pub text: Vec<u8>,
    /// Authentication tag, 16 bytes.
    pub tag: Vec<u8>,
}

/// Bytes of a tag.
const TAG: usize = 16;

impl Encryption {
    /// Its name in `enc`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A256Gcm => "A256GCM",
            Self::A128CbcHs256 => "A128CBC-HS256",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::A256Gcm, Self::A128CbcHs256].into_iter().find(|encryption| encryption.name() == name)
    }

    /// Encrypts under a key that is used this once.
    pub fn seal(self, key: &Secret, associated: &[u8], plain: &[u8]) -> Result<Sealed, Error> {
        match self {
            Self::A256Gcm => {
                let iv: [u8; 12] = random()?;
                let mut text = plain.to_vec();
                let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice())?);
                let tag =
                    key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(associated), &mut text)?;
                Ok(Sealed { iv: iv.to_vec(), text, tag: tag.as_ref().to_vec() })
            }
            Self::A128CbcHs256 => cbc_hs256(key, random()?, associated, plain),
        }
    }

    /// What [`Self::seal`] encrypted; `None` when anything about it is wrong.
    pub fn open(
        self,
        key: &Secret,
        associated: &[u8],
        iv: &[u8],
        text: &[u8],
        tag: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        if tag.len() != TAG {
            return None;
        }
        match self {
            Self::A256Gcm => {
                let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).ok()?);
                let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
                let mut plain = Zeroizing::new([text, tag].concat());
                let length = key.open_in_place(nonce, Aad::from(associated), &mut plain).ok()?.len();
                plain.truncate(length);
                Some(plain)
            }
            Self::A128CbcHs256 => {
                let (mac, cipher) = halves(key);
                let iv = <[u8; 16]>::try_from(iv).ok()?;
                // §5.2.2.2: the tag first. Padding is looked at only in what was authenticated, so it is no oracle.
                let expected = authentication(mac, associated, &iv, text);
                constant_time::verify_slices_are_equal(expected.as_ref().get(..TAG)?, tag).ok()?;
                let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, cipher).ok()?).ok()?;
                let mut plain = Zeroizing::new(text.to_vec());
                let length = cipher.decrypt(&mut plain, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?.len();
                plain.truncate(length);
                Some(plain)
            }
        }
    }
}

/// RFC 7518 §5.2.2.1.
fn cbc_hs256(key: &Secret, iv: [u8; 16], associated: &[u8], plain: &[u8]) -> Result<Sealed, Error> {
    let (mac, cipher) = halves(key);
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, cipher)?)?;
    let mut text = plain.to_vec();
    cipher.less_safe_encrypt(&mut text, EncryptionContext::Iv128(FixedLength::from(iv)))?;
    let tag = authentication(mac, associated, &iv, &text).as_ref().get(..TAG).ok_or(Unspecified)?.to_vec();
    Ok(Sealed { iv: iv.to_vec(), text, tag })
}

/// MAC_KEY and ENC_KEY.
fn halves(key: &Secret) -> (&[u8], &[u8]) {
    key.split_at(16)
}

/// HMAC over A, IV, E and the length of A in bits.
fn authentication(mac: &[u8], associated: &[u8], iv: &[u8], text: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, mac));
    let bits = (associated.len() as u64).saturating_mul(8).to_be_bytes();
    for part in [associated, iv, text, &bits] {
        context.update(part);
    }
    context.sign()
}

#[cfg(test)]
pub mod fixed {
    use super::*;

    /// With an initialization vector that is given: for vectors.
    pub fn seal(key: &Secret, iv: [u8; 16], associated: &[u8], plain: &[u8]) -> Sealed {
        cbc_hs256(key, iv, associated, plain).ok().unwrap()
    }
}
