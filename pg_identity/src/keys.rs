//! Signing keys: made, opened and used here; which one signs when is decided by `sql/extension/keys.sql`.
//!
//! The private part is PKCS#8, sealed under the master key with the kid as name; the kid is the RFC 7638 thumbprint.

use std::rc::Rc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
pub use jsonwebtoken::Algorithm;
use jsonwebtoken::{AlgorithmFamily, EncodingKey, Header, crypto};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::errors::{Code, Error};
use crate::master_key;
use crate::memo::Memo;
use crate::native::sql_function;
use crate::provider::SigningKey;

const PURPOSE: &str = "signing";

thread_local! {
    static KEYS: Memo<SigningKey> = const { Memo::new() };
}

/// The algorithm of that JOSE name, among those we sign with.
///
/// # Errors
/// ID008.
pub fn algorithm(name: &str) -> Result<Algorithm, Error> {
    match name {
        "ES256" => Ok(Algorithm::ES256),
        "RS256" => Ok(Algorithm::RS256),
        "PS256" => Ok(Algorithm::PS256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        _ => Err(Error::new(Code::Unsupported, "algorithm must be one of ES256, RS256, PS256, EdDSA")),
    }
}

/// Signs `payload`, a JSON object, as a compact JWS (RFC 7515 §7.1) with the header members typ, alg and kid.
///
/// `sealed` is the row's `private_sealed`. Errors: ID001, ID003.
pub fn sign(algorithm: Algorithm, kid: &str, sealed: &[u8], typ: &str, payload: &[u8]) -> Result<String, Error> {
    let mut header = Header::new(algorithm);
    header.typ = Some(typ.to_owned());
    header.kid = Some(kid.to_owned());
    let header = serde_json::to_vec(&header).map_err(|_| Error::internal("a header cannot be written"))?;
    let mut token = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 512);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let key = handle(algorithm, kid, sealed)?;
    let signature = crypto::sign(token.as_bytes(), &key, algorithm)
        .map_err(|_| Error::internal("a signing key does not fit its algorithm"))?;
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

/// The opened key of a handle that [`sign`] gave to `jsonwebtoken`.
pub fn remembered(handle: &[u8]) -> Option<Rc<SigningKey>> {
    KEYS.with(|keys| keys.known(handle))
}

/// Opens and remembers the key, and gives its digest in the shape that `jsonwebtoken` carries to the provider.
fn handle(algorithm: Algorithm, kid: &str, sealed: &[u8]) -> Result<EncodingKey, Error> {
    // The algorithm is part of it, or an RS256 key could sign PS256.
    let parts = [kid.as_bytes(), &[algorithm as u8], sealed];
    let (name, _) = KEYS.with(|keys| {
        keys.get(&parts, || {
            let private = master_key::open(PURPOSE, kid.as_bytes(), sealed)?;
            SigningKey::parse(algorithm, &private)
                .ok_or_else(|| Error::internal("a signing key does not fit its algorithm"))
        })
    })?;
    Ok(match algorithm.family() {
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_der(&name),
        AlgorithmFamily::Ec => EncodingKey::from_ec_der(&name),
        AlgorithmFamily::Ed => EncodingKey::from_ed_der(&name),
        AlgorithmFamily::Hmac => return Err(Error::internal("there are no HMAC signing keys")),
    })
}

sql_function! {
    /// `signing_key_make(algorithm, rsa_bits)`: JSON `{kid, public_jwk, private_sealed}`, the last in base64.
    fn signing_key_make(algorithm_name: &str, rsa_bits: i32) -> Result<String, Error> {
        let algorithm = algorithm(algorithm_name)?;
        let size = rsa_size(rsa_bits)?;
        // Before the costly part.
        master_key::current()?;
        let private = generate(algorithm, size)?;
        let key = SigningKey::parse(algorithm, &private).ok_or_else(|| Error::internal("a new key cannot be read"))?;
        let (kid, public_jwk) = public_jwk(algorithm_name, &key);
        let sealed = master_key::seal(PURPOSE, kid.as_bytes(), &private)?;
        let made = [
            ("kid".to_owned(), kid.into()),
            ("public_jwk".to_owned(), public_jwk),
            ("private_sealed".to_owned(), STANDARD.encode(sealed).into()),
        ];
        Ok(Value::Object(Map::from_iter(made)).to_string())
    }
}

fn rsa_size(bits: i32) -> Result<KeySize, Error> {
    match bits {
        2048 => Ok(KeySize::Rsa2048),
        3072 => Ok(KeySize::Rsa3072),
        4096 => Ok(KeySize::Rsa4096),
        _ => Err(Error::new(Code::InvalidParameter, "rsa_bits must be 2048, 3072 or 4096")),
    }
}

fn generate(algorithm: Algorithm, size: KeySize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let private = match algorithm.family() {
        AlgorithmFamily::Rsa => RsaKey::generate(size)?.as_der()?.as_ref().to_vec(),
        AlgorithmFamily::Ec => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?.as_ref().to_vec()
        }
        AlgorithmFamily::Ed => Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())?.as_ref().to_vec(),
        AlgorithmFamily::Hmac => return Err(Error::internal("there are no HMAC signing keys")),
    };
    Ok(Zeroizing::new(private))
}

/// The thumbprint (RFC 7638) and the public JWK (RFC 7517) of a key.
fn public_jwk(algorithm: &str, key: &SigningKey) -> (String, Value) {
    let (curve, kind) = match key {
        SigningKey::Rsa(_) => (None, "RSA"),
        SigningKey::Ec(_) => (Some("P-256"), "EC"),
        SigningKey::Ed(_) => (Some("Ed25519"), "OKP"),
    };
    let mut members = Map::new();
    members.insert("kty".to_owned(), kind.into());
    if let Some(curve) = curve {
        members.insert("crv".to_owned(), curve.into());
    }
    for (name, value) in key.public_members() {
        members.insert(name.to_owned(), URL_SAFE_NO_PAD.encode(value).into());
    }
    let kid = thumbprint(&members);
    for (name, value) in [("kid", kid.as_str()), ("alg", algorithm), ("use", "sig")] {
        members.insert(name.to_owned(), value.into());
    }
    (kid, Value::Object(members))
}

/// RFC 7638 §3: SHA-256 of the required members, in lexicographic order, without white space.
pub fn thumbprint(members: &Map<String, Value>) -> String {
    let mut sorted: Vec<_> =
        members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
    sorted.sort();
    let canonical = format!("{{{}}}", sorted.join(","));
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_the_one_of_rfc_7638_and_rfc_8037() {
        // RFC 7638 §3.1
        let key = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#;
        let members: Map<String, Value> = serde_json::from_str(key).unwrap();
        assert_eq!(thumbprint(&members), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        // RFC 8037 §A.3
        let key = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let members: Map<String, Value> = serde_json::from_str(key).unwrap();
        assert_eq!(thumbprint(&members), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn every_algorithm_signs_what_its_public_key_verifies() {
        for name in ["ES256", "RS256", "PS256", "EdDSA"] {
            let algorithm = algorithm(name).unwrap();
            let private = generate(algorithm, KeySize::Rsa2048).unwrap();
            let key = SigningKey::parse(algorithm, &private).unwrap();
            let (_, jwk) = public_jwk(name, &key);
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk).unwrap();
            let public = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
            crate::provider::install();
            let (signer, _) = KEYS.with(|keys| keys.get(&[name.as_bytes()], || Ok(key))).unwrap();
            let handle = match algorithm.family() {
                AlgorithmFamily::Rsa => EncodingKey::from_rsa_der(&signer),
                _ => EncodingKey::from_ec_der(&signer),
            };
            let signature = crypto::sign(b"message", &handle, algorithm).unwrap();
            assert!(crypto::verify(&signature, b"message", &public, algorithm).unwrap());
            assert!(!crypto::verify(&signature, b"another", &public, algorithm).unwrap());
        }
    }
}
