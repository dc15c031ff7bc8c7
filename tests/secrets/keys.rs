//! The keys themselves, opened as pg_identity/src/sealing.rs seals them, and what is sealed under them.

use std::collections::HashMap;
use std::ops::Range;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::needles::Secrets;
use crate::support::Database;

pub async fn keys(db: &Database, secrets: &mut Secrets) {
    let file = std::fs::read_to_string(db.cluster.dir.join("master.key")).unwrap();
    let master = STANDARD.decode(file.trim()).unwrap();
    secrets.bytes("the master key", &master);
    let superuser = db.superuser().await;
    let mut symmetric = HashMap::new();
    for row in superuser.query("select id, purpose, sealed from identity.sealed_keys", &[]).await.unwrap() {
        let (id, purpose): (String, String) = (row.get(0), row.get(1));
        let key = open(&master, &purpose, id.as_bytes(), row.get(2));
        secrets.bytes(&format!("the key for {purpose}"), &key);
        symmetric.insert(id, key);
    }
    // Two kinds of key pairs: what signs, and what others encrypt to.
    for (purpose, table) in [("signing", "signing_keys"), ("encryption", "encryption_keys")] {
        let sealed =
            format!("select kid, algorithm, private_sealed from identity.{table} where private_sealed is not null");
        let rows = superuser.query(&sealed, &[]).await.unwrap();
        assert!(!rows.is_empty(), "no key in {table}");
        for row in rows {
            let (kid, algorithm): (String, String) = (row.get(0), row.get(1));
            let key = open(&master, purpose, kid.as_bytes(), row.get(2));
            // The whole document, and pieces of it: `d` is one of them, wherever it stands.
            secrets.bytes(&format!("a private {algorithm} key"), &key);
            for (index, piece) in key.chunks_exact(16).enumerate() {
                if private(&algorithm).contains(&index) && piece.iter().filter(|byte| **byte != 0).count() > 12 {
                    secrets.bytes(&format!("piece {index} of a private {algorithm} key"), piece);
                }
            }
        }
    }
    // What is kept sealed, since it must be known again.
    for (name, purpose, rows) in [
        (
            "a seed of refresh tokens",
            "refresh",
            "select convert_to('seed', 'UTF8'), seed from identity_store.refresh_families",
        ),
        (
            "a secret that a client signs with",
            "client_secret",
            "select uuid_send(id), sealed from identity_store.client_secrets where sealed is not null",
        ),
    ] {
        let rows = superuser.query(rows, &[]).await.unwrap();
        assert!(!rows.is_empty(), "no row holds {name}");
        for row in rows {
            let sealed: &[u8] = row.get(1);
            let id: String = sealed[1..9].iter().map(|byte| format!("{byte:02x}")).collect();
            secrets.bytes(name, &open(&symmetric[&id], purpose, row.get(0), sealed));
        }
    }
}

/// The pieces of 16 bytes that are private: the beginning is the same for every key, and part of the rest is public.
fn private(algorithm: &str) -> Range<usize> {
    match algorithm {
        "EdDSA" => 1..3,
        "ES256" => 3..4,
        // The scalar alone.
        "ECDH-ES" => 0..2,
        _ => 20..60,
    }
}

/// version (1 byte) ‖ id (8) ‖ salt (12) ‖ nonce (12) ‖ ciphertext and tag.
fn open(key: &[u8], purpose: &str, name: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (salt, nonce) = (&sealed[9..21], &sealed[21..33]);
    let extracted = Salt::new(HKDF_SHA256, salt).extract(key);
    let info = [b"pg_identity seal ", purpose.as_bytes()];
    let key = LessSafeKey::new(UnboundKey::from(extracted.expand(&info, &AES_256_GCM).unwrap()));
    let associated = [purpose.as_bytes(), &[0], name].concat();
    let mut text = sealed[33..].to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    key.open_in_place(nonce, Aad::from(associated), &mut text).unwrap().to_vec()
}
