//! The raw primitives of aws-lc-rs, with parsed keys: what signatures and their verification cost without anything else.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};

use crate::cpu::seconds_of_this_thread;
use crate::report::{median, rounds};

/// The algorithms of JWS that we sign with.
pub const ALGORITHMS: [&str; 4] = ["ES256", "EdDSA", "RS256", "PS256"];

/// A key pair of one algorithm.
pub struct Raw {
    pair: Pair,
    public: ParsedPublicKey,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Pkcs1(RsaKeyPair),
    Pss(RsaKeyPair),
}

impl Raw {
    /// A fresh pair; RSA keys have 2048 bits, as ours have.
    pub fn new(algorithm: &str) -> Raw {
        let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pair = match algorithm {
            "ES256" => Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "EdDSA" => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            "RS256" => Pair::Pkcs1(rsa()),
            _ => Pair::Pss(rsa()),
        };
        let public = match &pair {
            Pair::Ec(key) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref()),
            Pair::Ed(key) => ParsedPublicKey::new(&ED25519, key.public_key().as_ref()),
            Pair::Pkcs1(key) => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref()),
            Pair::Pss(key) => ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.public_key().as_ref()),
        };
        Raw { pair, public: public.unwrap() }
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(key) => key.sign(message).as_ref().to_vec(),
            Pair::Pkcs1(key) | Pair::Pss(key) => {
                let padding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if matches!(self.pair, Pair::Pkcs1(_)) { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Processor seconds of one signature, over this many.
    pub fn sign_seconds(&self, count: usize) -> f64 {
        let message = message();
        let start = seconds_of_this_thread();
        for _ in 0..count {
            std::hint::black_box(self.sign(&message));
        }
        (seconds_of_this_thread() - start) / count as f64
    }

    /// Processor seconds of one verification, over this many signatures: with the same one again and again the processor guesses right
    /// what it could not guess otherwise.
    pub fn verify_seconds(&self, count: usize) -> f64 {
        let signed: Vec<_> = (0..count)
            .map(|number| {
                let message = [&message()[..], &number.to_be_bytes()].concat();
                let signature = self.sign(&message);
                (message, signature)
            })
            .collect();
        let start = seconds_of_this_thread();
        for (message, signature) in &signed {
            self.public.verify_sig(message, signature).unwrap();
        }
        (seconds_of_this_thread() - start) / count as f64
    }
}

/// Processor seconds of one signature: the median of some rounds.
pub fn seconds(algorithm: &str) -> f64 {
    let raw = Raw::new(algorithm);
    raw.sign_seconds(50);
    median((0..rounds()).map(|_| raw.sign_seconds(300)))
}

/// As long as what is signed of a token of ours.
fn message() -> Vec<u8> {
    vec![b'x'; 500]
}
