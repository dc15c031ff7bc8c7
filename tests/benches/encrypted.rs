//! What encrypted ID tokens cost: the same token signed, and signed and then encrypted to its client's key; the difference against
//! the raw primitives of a JWE (RFC 7516 §5.1), which are the wrapping or agreement of its key and AES-GCM.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey};
use tests::Database;

use crate::backend::Backend;
use crate::cpu::seconds_of_this_thread;
use crate::report::{Report, Target, median, rounds, time};

/// Each way to give the key.
pub async fn run(report: &Report) {
    if !report.wants("encrypted") {
        return;
    }
    let db = Database::new().await;
    db.admin().await.batch_execute("select identity.create_encryption_key('RSA-OAEP-256')").await.unwrap();
    for (management, kind) in [("RSA-OAEP-256", "RSA-OAEP-256"), ("ECDH-ES", "ECDH-ES"), ("ECDH-ES+A256KW", "ECDH-ES")]
    {
        let backend = Backend::new(&db).await;
        let recipient = format!(
            "(select json_build_object('jwk', k.public_jwk, 'alg', '{management}', 'enc', 'A256GCM')
              from identity.encryption_keys k where k.algorithm = '{kind}' and k.state = 'current')"
        );
        let raw = Raw::new(kind);
        let (mut signed, mut encrypted, mut primitive) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=rounds() {
            signed.push(backend.each(&token("null"), BARE, &from(&recipient)).await);
            encrypted.push(backend.each(&token("recipient"), BARE, &from(&recipient)).await);
            primitive.push(raw.seconds());
        }
        // The first round opened the key and planned.
        let [signed, encrypted, primitive] =
            [signed, encrypted, primitive].map(|times| median(times.into_iter().skip(1)));
        report.row(
            &format!("encrypted ID token in SQL, {management}, A256GCM: what is added"),
            &format!(
                "{} (signed {}, signed and encrypted {})",
                time(encrypted - signed),
                time(signed),
                time(encrypted)
            ),
            &format!("aws-lc-rs: {}", time(primitive)),
            (encrypted - signed) / primitive,
            Target::None,
        );
    }
}

fn token(recipient: &str) -> String {
    format!(
        "identity.person_tokens('01935d3c-0000-7000-8000-000000000001', '01935d3c-0000-7000-8000-000000000002',
           '01935d3c-0000-7000-8000-000000000003', '01935d3c-0000-7000-8000-000000000004', now(), '1', '{{pwd}}', null, null, '', false, null,
           300, 'ES256', n::text, null, {recipient}, null)"
    )
}

fn from(recipient: &str) -> String {
    format!("generate_series(1, {CALLS}) n, {recipient} r (recipient)")
}

enum Raw {
    Rsa(OaepPublicEncryptingKey),
    Ec(Vec<u8>),
}

impl Raw {
    fn new(kind: &str) -> Raw {
        if kind == "RSA-OAEP-256" {
            let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
            return Raw::Rsa(OaepPublicEncryptingKey::new(private.public_key()).unwrap());
        }
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
        Raw::Ec(private.compute_public_key().unwrap().as_ref().to_vec())
    }

    fn seconds(&self) -> f64 {
        let start = seconds_of_this_thread();
        for _ in 0..CALLS {
            std::hint::black_box(self.seal());
        }
        (seconds_of_this_thread() - start) / f64::from(CALLS)
    }

    fn seal(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut key, mut nonce) = ([0; 32], [0; 12]);
        rand::fill(&mut nonce).unwrap();
        let given = match self {
            Raw::Rsa(public) => {
                rand::fill(&mut key).unwrap();
                let mut wrapped = vec![0; public.ciphertext_size()];
                public.encrypt(&OAEP_SHA256_MGF1SHA256, &key, &mut wrapped, None).unwrap();
                wrapped
            }
            Raw::Ec(public) => {
                let ephemeral = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
                let point = ephemeral.compute_public_key().unwrap().as_ref().to_vec();
                let public = UnparsedPublicKey::new(&ECDH_P256, public);
                let derived = agree_ephemeral(ephemeral, public, (), |secret| Ok(digest(&SHA256, secret))).unwrap();
                key.copy_from_slice(derived.as_ref());
                point
            }
        };
        // As long as a signed ID token is.
        let mut text = vec![b'x'; 700];
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(b"header"), &mut text).unwrap();
        (given, text)
    }
}

const CALLS: u32 = 1000;
/// What the empty loop counts.
const BARE: &str = "n::text";
