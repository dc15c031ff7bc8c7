//! What a backend remembers of keys and signatures: no more than it promises, and what it forgot is worked out again rightly.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Algorithm, KEYS, MEMORY, with_parsed};

/// As many keys and bytes of digests as are promised: whoever wants more says here why a backend can afford it.
const KEYS_PROMISED: usize = 64;
const BYTES_PROMISED: usize = 32 * 1024;

const MESSAGE: &[u8] = b"message";

/// A key, and its signature of the message.
struct Signed {
    jwk: Value,
    signature: Vec<u8>,
}

fn key(number: u32) -> Ed25519KeyPair {
    let seed = [number.to_be_bytes(); 8].concat();
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

impl Signed {
    fn new(number: u32) -> Self {
        let key = key(number);
        let x = BASE64_URL_SAFE_NO_PAD.encode(key.public_key());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        Self { jwk, signature: key.sign(MESSAGE).as_ref().to_vec() }
    }

    /// Whether this key made that signature of a message, and whether the key was read for it.
    fn made(&self, message: &[u8], signature: &[u8]) -> (bool, bool) {
        let mut read = false;
        let token = [message, signature].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
        let jwk = || {
            read = true;
            self.jwk.as_object().cloned()
        };
        let ask = |key: &super::PublicKey| key.made(&token, message, signature);
        let made = with_parsed(self.jwk.to_string().as_bytes(), Algorithm::EdDsa, jwk, ask).unwrap();
        (made, read)
    }
}

#[test]
fn of_ten_thousand_keys_a_backend_holds_its_bound_and_reads_the_others_again() {
    let signed: Vec<Signed> = (0..10_000).map(Signed::new).collect();
    for round in [10_000, 1_000] {
        for (signed, other) in signed.iter().zip(signed.iter().skip(1)).take(round) {
            assert_eq!(signed.made(MESSAGE, &signed.signature), (true, true));
            // Remembered now: the key, and that it made the signature.
            assert_eq!(signed.made(MESSAGE, &signed.signature), (true, false));
            assert_eq!(signed.made(MESSAGE, &other.signature), (false, false));
            let keys = KEYS.with_borrow(Vec::len);
            assert!(keys <= KEYS_PROMISED, "{keys}");
        }
    }
}

#[test]
fn of_ten_thousand_tokens_a_backend_holds_its_bound_and_checks_the_others_again() {
    let (key, signed) = (key(10_000), Signed::new(10_000));
    for round in [10_000_u32, 1_000] {
        for n in 0..round {
            let (message, next) = (n.to_be_bytes(), (n + 1).to_be_bytes());
            let signature = key.sign(&message).as_ref().to_vec();
            assert!(signed.made(&message, &signature).0);
            // Remembered now.
            assert!(signed.made(&message, &signature).0);
            assert!(!signed.made(&next, &signature).0);
            let bytes = MEMORY.with_borrow(|memory| memory.places.len() * size_of::<[u8; 32]>());
            assert!(bytes <= BYTES_PROMISED, "{bytes}");
        }
    }
}
