//! Public keys (JWK, RFC 7517) and what they have signed.
//!
//! A key carries its algorithm with it, and a signature is checked with that algorithm whatever the token says. There is no symmetric
//! key and no `none` in the type, so neither can be asked for.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

use std::cell::RefCell;

use aws_lc_rs::digest::{self, Context, SHA256, SHA384, SHA512};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// What a signature may be made with (RFC 7518 §3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256
    Es256,
    /// ECDSA on P-384
    Es384,
    /// ECDSA on P-521
    Es512,
    /// Ed25519
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512
    Rs512,
    /// RSASSA-PSS with SHA-256
    Ps256,
    /// RSASSA-PSS with SHA-384
    Ps384,
    /// RSASSA-PSS with SHA-512
    Ps512,
}

/// How a key of an algorithm is made up.
enum Shape {
    Curve { name: &'static str, coordinate: usize, verification: &'static dyn VerificationAlgorithm },
    Edwards,
    Rsa(&'static RsaParameters),
}

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: [Self; 10] = [
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
    ];

    /// Its name in `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
        }
    }

    /// By its name; names are case-sensitive (RFC 7515 §4.1.1).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    fn shape(self) -> Shape {
        match self {
            Self::Es256 => {
                Shape::Curve { name: "P-256", coordinate: 32, verification: &signature::ECDSA_P256_SHA256_FIXED }
            }
            Self::Es384 => {
                Shape::Curve { name: "P-384", coordinate: 48, verification: &signature::ECDSA_P384_SHA384_FIXED }
            }
            Self::Es512 => {
                Shape::Curve { name: "P-521", coordinate: 66, verification: &signature::ECDSA_P521_SHA512_FIXED }
            }
            Self::EdDsa => Shape::Edwards,
            Self::Rs256 => Shape::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Shape::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Shape::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Shape::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Shape::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Shape::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
        }
    }

    /// The hash that is signed in place of the message; Ed25519 goes over the message twice (RFC 8032 §5.1.6).
    fn hash(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::Es256 | Self::Rs256 | Self::Ps256 => Some(&SHA256),
            Self::Es384 | Self::Rs384 | Self::Ps384 => Some(&SHA384),
            Self::Es512 | Self::Rs512 | Self::Ps512 => Some(&SHA512),
            Self::EdDsa => None,
        }
    }

    /// Whether a JWK of this `kty` and `crv` is a key of this algorithm.
    pub fn fits(self, key: &Map<String, Value>) -> bool {
        let (kty, crv) = (text(key, "kty"), text(key, "crv"));
        match self.shape() {
            Shape::Curve { name, .. } => kty == Some("EC") && crv == Some(name),
            Shape::Edwards => kty == Some("OKP") && crv == Some("Ed25519"),
            Shape::Rsa(_) => kty == Some("RSA"),
        }
    }
}

/// A public key that can check signatures of one algorithm.
pub struct PublicKey {
    /// Of the JWK's bytes and the algorithm.
    digest: [u8; 32],
    /// What it signs the hash of; of Ed25519 the message is needed.
    hash: Option<&'static digest::Algorithm>,
    parsed: ParsedPublicKey,
    /// ES*: r and s have fixed lengths (RFC 7518 §3.4); RSA: as long as the modulus (RFC 8017 §8.2.2).
    signature_length: usize,
}

impl PublicKey {
    /// Reads a JWK as a key of `algorithm`; `None` when it is not a sound one (wrong curve, point not on it or of small order, RSA below
    /// 2048 bits, even, or with an even or tiny exponent).
    pub fn read(key: &Map<String, Value>, algorithm: Algorithm) -> Option<Self> {
        if !algorithm.fits(key) {
            return None;
        }
        let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(key, name)?).ok();
        let (parsed, signature_length) = match algorithm.shape() {
            Shape::Curve { coordinate, verification, .. } => {
                // RFC 7518 §6.2.1.2: the octet string has the full size of a coordinate.
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != coordinate || y.len() != coordinate {
                    return None;
                }
                let point = [&[4][..], &x, &y].concat();
                (ParsedPublicKey::new(verification, point).ok()?, 2 * coordinate)
            }
            Shape::Edwards => {
                let x = bytes("x")?;
                if !edwards_point_is_sound(&x) {
                    return None;
                }
                (ParsedPublicKey::new(&signature::ED25519, x).ok()?, 64)
            }
            Shape::Rsa(parameters) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                let odd = [&n, &e].iter().all(|number| number.last().is_some_and(|last| last & 1 == 1));
                // RFC 7518 §6.3.1: minimal octets, so a leading zero is another spelling of the same key.
                let minimal = [&n, &e].iter().all(|number| number.first() != Some(&0));
                let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
                if !odd || !minimal || e == [1] || e.len() > 4 || !(2048..=8192).contains(&bits) {
                    return None;
                }
                let length = n.len();
                (PublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()?, length)
            }
        };
        Some(Self { digest: [0; 32], hash: algorithm.hash(), parsed, signature_length })
    }

    /// Whether this key made this signature. Memoised per backend by digest of key and token, or of key, hash and signature: that much
    /// is always true or always false; everything that can change is looked at again by the caller.
    pub fn made(&self, token: &str, signing_input: &[u8], signature: &[u8]) -> bool {
        if signature.len() != self.signature_length {
            return false;
        }
        let mut digest = Context::new(&SHA256);
        digest.update(&self.digest);
        // The hash that was signed is computed once, for both; its length is that of the algorithm, which the key's digest names.
        let hash = self.hash.map(|hash| digest::digest(hash, signing_input));
        match &hash {
            Some(hash) => {
                digest.update(hash.as_ref());
                digest.update(signature);
            }
            None => digest.update(token.as_bytes()),
        }
        let digest = finish(digest);
        if MEMORY.with_borrow(|memory| memory.holds(&digest)) {
            return true;
        }
        let made = match &hash {
            Some(hash) => self.parsed.verify_digest_sig(hash, signature).is_ok(),
            None => self.verifies(signing_input, signature),
        };
        if made {
            MEMORY.with_borrow_mut(|memory| memory.keep(digest));
        }
        made
    }

    /// The same without a memory, for what is shown once.
    pub fn verifies(&self, signing_input: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.signature_length && self.parsed.verify_sig(signing_input, signature).is_ok()
    }
}

/// Calls `body` with the key whose stored form is `stored`, parsed once per backend. `read` gives the JWK when it is not known yet.
///
/// The stored form and the algorithm name the key completely, so there is nothing to invalidate.
pub fn with_parsed<T>(
    stored: &[u8],
    algorithm: Algorithm,
    read: impl FnOnce() -> Option<Map<String, Value>>,
    body: impl FnOnce(&PublicKey) -> T,
) -> Option<T> {
    /// More keys than a database has in use; when they are exceeded, all are parsed again.
    const MOST_KEYS: usize = 64;
    KEYS.with_borrow_mut(|keys| {
        let known = keys.iter().position(|known| known.algorithm == algorithm && known.stored == stored);
        let place = match known {
            Some(place) => place,
            None => {
                let mut digest = Context::new(&SHA256);
                digest.update(algorithm.name().as_bytes());
                digest.update(&[0]);
                digest.update(stored);
                let key = PublicKey { digest: finish(digest), ..PublicKey::read(&read()?, algorithm)? };
                if keys.len() >= MOST_KEYS {
                    keys.clear();
                }
                keys.push(Known { algorithm, stored: stored.to_vec(), key });
                keys.len() - 1
            }
        };
        keys.get(place).map(|known| body(&known.key))
    })
}

/// A key that was read, and what it was read from. Compared, not hashed: a database uses a handful.
struct Known {
    algorithm: Algorithm,
    stored: Vec<u8>,
    key: PublicKey,
}

thread_local! {
    // A backend is one thread.
    static KEYS: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
    static MEMORY: RefCell<Memory> = const { RefCell::new(Memory { places: Vec::new() }) };
}

/// Digests of good signatures, each with one possible place: 32 KiB a backend at most.
struct Memory {
    places: Vec<[u8; 32]>,
}

impl Memory {
    const PLACES: usize = 1024;

    fn place(digest: &[u8; 32]) -> usize {
        let [first, second, ..] = digest;
        usize::from(u16::from_le_bytes([*first, *second])) % Self::PLACES
    }

    fn holds(&self, digest: &[u8; 32]) -> bool {
        self.places.get(Self::place(digest)) == Some(digest)
    }

    fn keep(&mut self, digest: [u8; 32]) {
        self.places.resize(Self::PLACES, [0; 32]);
        if let Some(place) = self.places.get_mut(Self::place(&digest)) {
            *place = digest;
        }
    }
}

/// RFC 8032 §5.1.3: an encoding of y ≥ p is none. And no key of an order that divides 8: everybody can make its signatures, for any
/// message or for one in eight.
fn edwards_point_is_sound(x: &[u8]) -> bool {
    /// p = 2^255 − 19, little-endian, without the bit that holds the sign.
    const LEAST_OF_P: u8 = 0xed;
    const SMALL_ORDER: [[u8; 32]; 5] = [
        // y = 0 (order 4), 1 (order 1), −1 (order 2)
        [0; 32],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [
            0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
        ],
        // order 8
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Ok(mut y) = <[u8; 32]>::try_from(x) else { return false };
    let [least, middle @ .., most] = &mut y;
    *most &= 0x7f;
    let canonical = *most != 0x7f || middle.iter().any(|byte| *byte != 0xff) || *least < LEAST_OF_P;
    canonical && !SMALL_ORDER.contains(&y)
}

fn finish(context: Context) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

fn text<'key>(key: &'key Map<String, Value>, name: &str) -> Option<&'key str> {
    key.get(name).and_then(Value::as_str)
}
