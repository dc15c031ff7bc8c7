//! Trusted issuers: tokens of other OpenID providers, and everything that must not be believed about them. Contents, and the
//! other provider.

mod key_sets;
mod providers;
mod tokens;
mod verifier;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaKeyPair, RsaSignatureEncoding,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::jwt::{merged, sqlstate};
use crate::support::Database;

/// Another OpenID provider, with one key.
pub struct Foreign {
    key: Key,
    pub jwk: Value,
}

enum Key {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

pub const ISSUER: &str = "https://tenant.elsewhere.example/";
pub const API: &str = "https://api.example";

/// All that others may sign with: issuers, and clients that have a key.
pub const ALGORITHMS: [&str; 10] =
    ["ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

/// RFC 7518 §3.3, §3.5; `None` where it is no algorithm of RSA.
fn rsa_encoding(algorithm: &str) -> Option<&'static RsaSignatureEncoding> {
    match algorithm {
        "RS256" => Some(&RSA_PKCS1_SHA256),
        "RS384" => Some(&RSA_PKCS1_SHA384),
        "RS512" => Some(&RSA_PKCS1_SHA512),
        "PS256" => Some(&RSA_PSS_SHA256),
        "PS384" => Some(&RSA_PSS_SHA384),
        "PS512" => Some(&RSA_PSS_SHA512),
        _ => None,
    }
}

impl Foreign {
    pub fn new(algorithm: &str) -> Self {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (key, public) = match algorithm {
            "ES256" | "ES384" | "ES512" => {
                let (curve, signing) = match algorithm {
                    "ES256" => ("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
                    "ES384" => ("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
                    _ => ("P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
                };
                let key = EcdsaKeyPair::generate(signing).unwrap();
                // SEC 1 §2.3.3, uncompressed: 04 ‖ x ‖ y
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let public = json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) });
                (Key::Ec(key), public)
            }
            "EdDSA" => {
                let key = Ed25519KeyPair::generate().unwrap();
                let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()) });
                (Key::Ed(key), public)
            }
            _ => {
                assert!(rsa_encoding(algorithm).is_some(), "{algorithm}");
                let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                // RSAPublicKey (RFC 8017 §A.1.1) of 2048 bits: 9 bytes of DER, the modulus, and 65537.
                let n = key.public_key().as_ref()[9..265].to_vec();
                let e = [1, 0, 1];
                (Key::Rsa(key), json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) }))
            }
        };
        Self { key, jwk: merged(public, json!({ "kid": "key-1", "alg": algorithm, "use": "sig" })) }
    }

    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    /// A token with this header, added to what every token of this provider has, and exactly these claims.
    pub fn sign(&self, header: Value, claims: Value) -> String {
        let header = merged(json!({ "alg": self.jwk["alg"], "kid": "key-1", "typ": "JWT" }), header);
        self.sign_text(header.to_string(), claims.to_string())
    }

    /// Header and payload, whatever they are, under a good signature.
    pub fn sign_text(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let encode = |text: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(text);
        let input = format!("{}.{}", encode(header.as_ref()), encode(payload.as_ref()));
        // An RSA key signs with whatever the header says, or else with its own algorithm.
        let said: Value = serde_json::from_slice(header.as_ref()).unwrap_or_default();
        let encoding = [&said["alg"], &self.jwk["alg"]].into_iter().find_map(|alg| rsa_encoding(alg.as_str()?));
        let encoding = encoding.unwrap_or(&RSA_PKCS1_SHA256);
        let signature = self.signature(&input, encoding);
        format!("{input}.{}", encode(&signature))
    }

    /// The signature alone; the encoding counts for RSA only.
    pub fn signature(&self, input: &str, encoding: &'static RsaSignatureEncoding) -> Vec<u8> {
        let (message, random) = (input.as_bytes(), SystemRandom::new());
        match &self.key {
            Key::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed(key) => key.sign(message).as_ref().to_vec(),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// SubjectPublicKeyInfo in DER: what a library may be given as the secret of an HMAC by mistake.
    pub fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der = match &self.key {
            Key::Ec(key) => key.public_key().as_der(),
            Key::Ed(key) => key.public_key().as_der(),
            Key::Rsa(key) => key.public_key().as_der(),
        }
        .unwrap();
        der.as_ref().to_vec()
    }

    /// An access token of this provider for the API.
    pub fn token(&self, claims: Value) -> String {
        let base =
            json!({ "iss": ISSUER, "aud": API, "sub": "auth0|alice", "exp": 4_000_000_000_i64, "iat": 1_700_000_000 });
        self.sign(json!({}), merged(base, claims))
    }
}

pub async fn trust(db: &Database, jwks: &Value, more: &str) -> String {
    let sql = format!("select identity.trust_issuer('{ISSUER}', '{API}', $1 {more})");
    sqlstate(db.admin().await.execute(&sql, &[jwks]).await)
}
