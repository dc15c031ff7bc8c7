//! How the key of the content comes to the recipient: RSA-OAEP-256 (RFC 7518 §4.3), ECDH-ES and ECDH-ES+A256KW (§4.6).

#[cfg(test)]
mod vectors;

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Encryption;
use crate::errors::Error;
use crate::sealing::{Secret, random};

/// `alg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Management {
    /// RSAES-OAEP with SHA-256 and MGF1 with SHA-256.
    RsaOaep256,
    /// The agreed key encrypts the content.
    EcdhEs,
    /// The agreed key wraps the one that does.
    EcdhEsA256Kw,
}

impl Management {
    /// Its name in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::RsaOaep256, Self::EcdhEs, Self::EcdhEsA256Kw].into_iter().find(|management| management.name() == name)
    }
}

/// A curve on which keys are agreed.
pub struct Agreement {
    crv: &'static str,
    kty: &'static str,
    algorithm: &'static agreement::Algorithm,
    /// Length of a coordinate.
    size: usize,
}

static AGREEMENTS: [Agreement; 4] = [
    Agreement { crv: "P-256", kty: "EC", algorithm: &ECDH_P256, size: 32 },
    Agreement { crv: "P-384", kty: "EC", algorithm: &ECDH_P384, size: 48 },
    Agreement { crv: "P-521", kty: "EC", algorithm: &ECDH_P521, size: 66 },
    Agreement { crv: "X25519", kty: "OKP", algorithm: &X25519, size: 32 },
];

impl Agreement {
    /// The curve of a JWK, with the point as the library reads it: 04 ‖ x ‖ y (SEC 1 §2.3.3), of X25519 x alone.
    fn point(key: &Map<String, Value>) -> Option<(&'static Self, Vec<u8>)> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let curve = AGREEMENTS.iter().find(|curve| text("crv") == Some(curve.crv) && text("kty") == Some(curve.kty))?;
        let coordinate = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok().filter(|c| c.len() == curve.size);
        let x = coordinate("x")?;
        Some((curve, if curve.kty == "OKP" { x } else { [&[4][..], &x, &coordinate("y")?].concat() }))
    }

    /// Whether every key of ours agrees with this point.
    fn agrees(&self, point: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(self.algorithm, point);
        if self.kty == "OKP" {
            // RFC 8037 §3.2, RFC 7748 §6.1: "check … whether K is the all-zero value". It is, or is not, for all private keys alike:
            // each is a multiple of eight and of no larger order. So one is tried.
            PrivateKey::generate(self.algorithm)
                .is_ok_and(|private| agreement::agree(&private, public, (), |_| Ok(())).is_ok())
        } else {
            // On its curve: these have no points of small order.
            agreement::ParsedPublicKey::try_from(public).is_ok()
        }
    }

    /// The JWK of a point.
    fn jwk(&self, point: &[u8]) -> Option<Map<String, Value>> {
        let encode = |bytes: &[u8]| Value::from(BASE64_URL_SAFE_NO_PAD.encode(bytes));
        let mut key = Map::new();
        key.insert("kty".to_owned(), self.kty.into());
        key.insert("crv".to_owned(), self.crv.into());
        if self.kty == "OKP" {
            key.insert("x".to_owned(), encode(point));
        } else {
            let (x, y) = point.get(1..)?.split_at_checked(self.size)?;
            key.insert("x".to_owned(), encode(x));
            key.insert("y".to_owned(), encode(y));
        }
        Some(key)
    }
}

/// A public key that can be encrypted to.
pub enum Recipient {
    /// For RSA-OAEP-256.
    Rsa(OaepPublicEncryptingKey),
    /// For ECDH-ES: the curve and the point.
    Curve(&'static Agreement, Vec<u8>),
}

/// What the recipient is sent, and the key that it will find.
pub struct Given {
    /// Of the content.
    pub key: Secret,
    /// The encrypted key; empty where it is agreed directly.
    pub encrypted: Vec<u8>,
    /// `epk`.
    pub ephemeral: Option<Map<String, Value>>,
}

impl Recipient {
    /// Reads a JWK as a key for this algorithm; `None` when it is not a sound one.
    pub fn read(key: &Map<String, Value>, management: Management) -> Option<Self> {
        match management {
            Management::RsaOaep256 => {
                let text = |name: &str| key.get(name).and_then(Value::as_str);
                let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
                let (n, e) = (bytes("n").filter(|_| text("kty") == Some("RSA"))?, bytes("e")?);
                let odd = [&n, &e].iter().all(|number| number.last().is_some_and(|last| last & 1 == 1));
                if !odd || e == [1] || e.len() > 4 || !(256..=1024).contains(&n.len()) {
                    return None;
                }
                let public: PublicEncryptingKey = PublicKeyComponents { n, e }.try_into().ok()?;
                OaepPublicEncryptingKey::new(public).ok().map(Self::Rsa)
            }
            Management::EcdhEs | Management::EcdhEsA256Kw => {
                let (curve, point) = Agreement::point(key)?;
                // What cannot be agreed with is noticed here, and not at the first token.
                curve.agrees(&point).then_some(Self::Curve(curve, point))
            }
        }
    }

    /// Makes a key for the content, and gives it to the recipient; `None` when it cannot be given to that one.
    pub fn give(&self, management: Management, encryption: Encryption) -> Result<Option<Given>, Error> {
        match (self, management) {
            (Self::Rsa(public), Management::RsaOaep256) => {
                let key = Secret::new(random()?);
                let mut encrypted = vec![0; public.ciphertext_size()];
                let given = public.encrypt(&OAEP_SHA256_MGF1SHA256, key.as_slice(), &mut encrypted, None).is_ok();
                Ok(given.then_some(Given { key, encrypted, ephemeral: None }))
            }
            (Self::Curve(curve, point), Management::EcdhEs | Management::EcdhEsA256Kw) => {
                let private = PrivateKey::generate(curve.algorithm)?;
                let public = private.compute_public_key()?;
                let info = Info { algorithm: algorithm_id(management, encryption), apu: &[], apv: &[] };
                let Some(agreed) = agree(&private, curve, point, &info) else { return Ok(None) };
                let ephemeral = Some(curve.jwk(public.as_ref()).ok_or(Unspecified)?);
                if management == Management::EcdhEs {
                    return Ok(Some(Given { key: agreed, encrypted: Vec::new(), ephemeral }));
                }
                let key = Secret::new(random()?);
                let mut encrypted = vec![0; 40];
                AesKek::new(&AES_256, agreed.as_slice())?.wrap(key.as_slice(), &mut encrypted)?;
                Ok(Some(Given { key, encrypted, ephemeral }))
            }
            (Self::Rsa(_) | Self::Curve(..), _) => {
                Err(Error::internal("a key does not fit the algorithm it was read for"))
            }
        }
    }
}

/// A private key of ours.
pub enum OurKey {
    /// For RSA-OAEP-256.
    Rsa(OaepPrivateDecryptingKey),
    /// For ECDH-ES, on P-256.
    Curve(PrivateKey),
}

impl OurKey {
    /// The key of the content, if it was given to us. A key that cannot be taken is replaced by a random one, so that decryption
    /// fails in the same place for every wrong token (RFC 7516 §11.5).
    pub fn take(
        &self,
        management: Management,
        encryption: Encryption,
        header: &Map<String, Value>,
        encrypted: &[u8],
    ) -> Option<Secret> {
        let substitute = Secret::new(random().ok()?);
        let taken = match (self, management) {
            (Self::Rsa(private), Management::RsaOaep256) => decrypted(private, encrypted),
            (Self::Curve(private), Management::EcdhEs | Management::EcdhEsA256Kw) => {
                let party = |name: &str| match header.get(name) {
                    None => Some(Vec::new()),
                    Some(value) => BASE64_URL_SAFE_NO_PAD.decode(value.as_str()?).ok(),
                };
                let (curve, point) = Agreement::point(header.get("epk")?.as_object()?)?;
                let (apu, apv) = (party("apu")?, party("apv")?);
                let info = Info { algorithm: algorithm_id(management, encryption), apu: &apu, apv: &apv };
                let agreed = agree(private, curve, &point, &info)?;
                if management == Management::EcdhEs {
                    // RFC 7516 §5.2: with direct agreement the encrypted key is the empty octet sequence.
                    return encrypted.is_empty().then_some(agreed);
                }
                unwrapped(&agreed, encrypted)
            }
            (Self::Rsa(_) | Self::Curve(_), _) => return None,
        };
        Some(taken.unwrap_or(substitute))
    }
}

/// RFC 7518 §4.3, without a label (RFC 8017 §7.1.2).
fn decrypted(private: &OaepPrivateDecryptingKey, encrypted: &[u8]) -> Option<Secret> {
    let mut plain = Zeroizing::new(vec![0; private.min_output_size()]);
    let key = private.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, &mut plain, None).ok()?;
    secret(key)
}

/// RFC 7518 §4.4: what AES Key Wrap (RFC 3394) wrapped with its default initial value.
fn unwrapped(kek: &Secret, encrypted: &[u8]) -> Option<Secret> {
    // The length first: the library takes every multiple of eight.
    if encrypted.len() != 40 {
        return None;
    }
    let mut plain = Zeroizing::new(vec![0; 40]);
    let key = AesKek::new(&AES_256, kek.as_slice()).ok()?.unwrap(encrypted, &mut plain).ok()?;
    secret(key)
}

fn secret(bytes: &[u8]) -> Option<Secret> {
    <[u8; 32]>::try_from(bytes).ok().map(Secret::new)
}

/// RFC 7518 §4.6.2: AlgorithmID is `enc` where the agreed key encrypts the content, `alg` where it wraps.
const fn algorithm_id(management: Management, encryption: Encryption) -> &'static str {
    match management {
        Management::EcdhEs => encryption.name(),
        Management::RsaOaep256 | Management::EcdhEsA256Kw => management.name(),
    }
}

/// What the agreed key is bound to.
pub struct Info<'call> {
    /// AlgorithmID.
    pub algorithm: &'static str,
    /// PartyUInfo.
    pub apu: &'call [u8],
    /// PartyVInfo.
    pub apv: &'call [u8],
}

fn agree(private: &PrivateKey, curve: &Agreement, point: &[u8], info: &Info<'_>) -> Option<Secret> {
    agreement::agree(private, UnparsedPublicKey::new(curve.algorithm, point), (), |shared| {
        Ok(derived(shared, info, 256))
    })
    .ok()
}

/// Concat KDF (NIST SP 800-56A §5.8.1) with SHA-256, one round: 256 bits, of which `bits` are used.
pub fn derived(shared: &[u8], info: &Info<'_>, bits: u32) -> Secret {
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut context = Context::new(&SHA256);
    context.update(&1_u32.to_be_bytes());
    context.update(shared);
    for part in [info.algorithm.as_bytes(), info.apu, info.apv] {
        context.update(&length(part));
        context.update(part);
    }
    context.update(&bits.to_be_bytes());
    let mut key = Secret::default();
    key.copy_from_slice(context.finish().as_ref());
    key
}
