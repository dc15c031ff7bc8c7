//! The cryptography of `jsonwebtoken`: aws-lc-rs with parsed keys.
//!
//! Its own providers parse the private key at every signature, which doubles the cost of RS256 and ES256. Here an `EncodingKey`
//! is only a name, the digest of the sealed key, and the parsed key is remembered by [`crate::keys`].

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};

/// A private key, ready to sign.
pub enum SigningKey {
    /// RS256 and PS256.
    Rsa(RsaKeyPair),
    /// ES256.
    Ec(EcdsaKeyPair),
    /// EdDSA over Ed25519.
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    /// Parses PKCS#8 for an algorithm; None when they do not fit.
    pub fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm.family() {
            AlgorithmFamily::Rsa => RsaKeyPair::from_pkcs8(pkcs8).ok().map(Self::Rsa),
            AlgorithmFamily::Ec => {
                EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok().map(Self::Ec)
            }
            AlgorithmFamily::Ed => Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::Ed),
            AlgorithmFamily::Hmac => None,
        }
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(key) => key.sign(&random, message).ok().map(|signature| signature.as_ref().to_vec()),
            Self::Ed(key) => Some(key.sign(message).as_ref().to_vec()),
            Self::Rsa(key) => {
                let encoding: &dyn signature::RsaEncoding = if algorithm == Algorithm::PS256 {
                    &signature::RSA_PSS_SHA256
                } else {
                    &signature::RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature).ok().map(|()| signature)
            }
        }
    }

    /// The members of the public JWK that identify the key, in the order of RFC 7638 §3.2.
    pub fn public_members(&self) -> Vec<(&'static str, Vec<u8>)> {
        match self {
            Self::Rsa(key) => {
                let (modulus, exponent) = rsa_public(key.public_key().as_ref()).unwrap_or_default();
                vec![("e", exponent.to_vec()), ("n", modulus.to_vec())]
            }
            Self::Ec(key) => {
                // SEC 1 §2.3.3, uncompressed: 04 ‖ x ‖ y
                let (x, y) =
                    key.public_key().as_ref().get(1..).and_then(|point| point.split_at_checked(32)).unwrap_or_default();
                vec![("x", x.to_vec()), ("y", y.to_vec())]
            }
            Self::Ed(key) => vec![("x", key.public_key().as_ref().to_vec())],
        }
    }
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017 appendix A.1.1): a DER sequence of two integers.
pub fn rsa_public(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = der_value(der, 0x30)?;
    let (modulus, rest) = der_value(sequence, 0x02)?;
    let (exponent, _) = der_value(rest, 0x02)?;
    // RFC 7518 §6.3.1.1: no leading zero octet, which DER needs where the first bit is set.
    Some((modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent))
}

/// The contents of the first value, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = der.strip_prefix(&[tag])?.split_first()?;
    if length < 0x80 {
        return rest.split_at_checked(length.into());
    }
    let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    rest.split_at_checked(length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

/// Makes this the provider of the process; again is harmless.
pub fn install() {
    static PROVIDER: CryptoProvider =
        CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };
    // An error means that it is installed already.
    let _ = PROVIDER.install_default();
}

struct RememberedSigner(Algorithm, std::rc::Rc<SigningKey>);

impl Signer<Vec<u8>> for RememberedSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.1.sign(self.0, message).ok_or_else(SignatureError::new)
    }
}

impl JwtSigner for RememberedSigner {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let key = crate::keys::remembered(key.as_bytes()).ok_or(ErrorKind::InvalidKeyFormat)?;
    Ok(Box::new(RememberedSigner(*algorithm, key)))
}

struct PublicVerifier(Algorithm, DecodingKey);

impl Verifier<Vec<u8>> for PublicVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        self.verified(message, signature).ok_or_else(SignatureError::new)
    }
}

impl JwtVerifier for PublicVerifier {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}

impl PublicVerifier {
    fn verified(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let point = || self.1.try_get_as_bytes().ok();
        match self.0 {
            Algorithm::RS256 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature),
            Algorithm::RS384 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA384, message, signature),
            Algorithm::RS512 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA512, message, signature),
            Algorithm::PS256 => self.rsa(&signature::RSA_PSS_2048_8192_SHA256, message, signature),
            Algorithm::PS384 => self.rsa(&signature::RSA_PSS_2048_8192_SHA384, message, signature),
            Algorithm::PS512 => self.rsa(&signature::RSA_PSS_2048_8192_SHA512, message, signature),
            Algorithm::ES256 => plain(&signature::ECDSA_P256_SHA256_FIXED, point()?, message, signature),
            Algorithm::ES384 => plain(&signature::ECDSA_P384_SHA384_FIXED, point()?, message, signature),
            Algorithm::EdDSA => plain(&signature::ED25519, point()?, message, signature),
            // HMAC: a shared secret never verifies a token here. The enum is not ours and may grow.
            _ => None,
        }
    }

    fn rsa(&self, parameters: &signature::RsaParameters, message: &[u8], signature: &[u8]) -> Option<()> {
        match self.1.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).ok()
            }
            DecodingKeyKind::SecretOrDer(_) => None,
        }
    }
}

fn plain(algorithm: &dyn signature::VerificationAlgorithm, key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    algorithm.verify_sig(key, message, signature).ok()
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    // The family is pinned by the key: a public key can never be taken for the secret of an HMAC.
    if key.family() != algorithm.family() || key.family() == AlgorithmFamily::Hmac {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(PublicVerifier(*algorithm, key.clone())))
}
