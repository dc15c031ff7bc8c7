//! Sealing: AES-256-GCM under a key of its own for every purpose, with the purpose and a name as associated data.
//!
//! sealed = version 1 (1 byte) ‖ id of the sealing key (8) ‖ salt (12) ‖ nonce (12) ‖ ciphertext ‖ tag (16).
//! The AES key is HKDF-SHA-256(sealing key, salt, purpose): with a random salt as long as the nonce, the number of messages one
//! key may seal at random is no concern (NIST SP 800-38D §8.3 allows 2^32 under one AES key).
//! Master keys seal the few keys of the database (`identity.sealed_keys`, `identity.signing_keys`), and those seal the many.

#[cfg(test)]
mod properties;
#[cfg(test)]
pub mod vectors;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::errors::{Code, Error};
use crate::memo::Memo;
use crate::native::sql_function;
use crate::rows::{Row, View};
use crate::{clock, master_key};

/// 256 bits; `Zeroizing` clears them when dropped.
pub type Secret = Zeroizing<[u8; 32]>;
/// Names a sealing key inside what it sealed.
pub type KeyId = [u8; 8];

const VERSION: u8 = 1;
const SALT: usize = 12;
const NONCE: usize = 12;
const TAG: usize = 16;
const HEADER: usize = 1 + size_of::<KeyId>();
const LEAST: usize = HEADER + SALT + NONCE + TAG;

/// Seals `plain` under `secret`.
pub fn seal(secret: &Secret, key: KeyId, purpose: &str, name: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
    let salt: [u8; SALT] = random()?;
    let nonce: [u8; NONCE] = random()?;
    let mut text = plain.to_vec();
    derived(secret, &salt, purpose)?.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(associated(purpose, name)),
        &mut text,
    )?;
    Ok([&[VERSION][..], &key, &salt, &nonce, &text].concat())
}

/// Opens what [`seal`] sealed; None when it is malformed, altered, or was sealed for something else.
pub fn open(secret: &Secret, purpose: &str, name: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (salt, rest) = sealed.get(HEADER..)?.split_at_checked(SALT)?;
    let (nonce, text) = rest.split_at_checked(NONCE)?;
    open_with(&derived(secret, salt, purpose).ok()?, nonce, associated(purpose, name), text)
}

fn open_with(key: &LessSafeKey, nonce: &[u8], associated: Vec<u8>, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(text.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = key.open_in_place(nonce, Aad::from(associated), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

/// Which key sealed this; None when it is malformed.
pub fn key_of(sealed: &[u8]) -> Option<KeyId> {
    let (header, _) = sealed.split_at_checked(HEADER).filter(|_| sealed.len() >= LEAST)?;
    let (version, key) = header.split_first()?;
    key.try_into().ok().filter(|_| *version == VERSION)
}

/// Bytes of the operating system's generator, by way of aws-lc-rs, which is safe across fork.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}

/// HMAC-SHA-256 under a key derived for the purpose.
pub fn keyed_hash(secret: &Secret, purpose: &str, data: &[u8]) -> hmac::Tag {
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_slice()), purpose.as_bytes());
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), data)
}

fn derived(secret: &Secret, salt: &[u8], purpose: &str) -> Result<LessSafeKey, Error> {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret.as_slice());
    let info = [b"pg_identity seal ", purpose.as_bytes()];
    Ok(LessSafeKey::new(UnboundKey::from(extracted.expand(&info, &AES_256_GCM)?)))
}

fn associated(purpose: &str, name: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], name].concat()
}

thread_local! {
    static DATABASE_KEYS: Memo<Secret> = const { Memo::new() };
}

/// A symmetric key of the database: id and sealed form of a row of `identity.sealed_keys`.
pub fn database_key(id: &str, purpose: &str, sealed: &[u8]) -> Result<std::rc::Rc<Secret>, Error> {
    let (_, key) = DATABASE_KEYS.with(|keys| {
        keys.get(&[id.as_bytes(), purpose.as_bytes(), sealed], || {
            let mut secret = Secret::default();
            let plain = master_key::open(purpose, id.as_bytes(), sealed)?;
            let exact = <&[u8; 32]>::try_from(plain.as_slice())
                .map_err(|_| Error::internal("a sealed key has a wrong length"))?;
            secret.copy_from_slice(exact);
            Ok(secret)
        })
    })?;
    Ok(key)
}

/// The current key of a purpose, and its id.
///
/// # Errors
/// ID002 when there is none; ID001, ID003.
pub fn current_key(view: &View, purpose: &str) -> Result<(KeyId, std::rc::Rc<Secret>), Error> {
    let mut keys = view.table_by(c"sealed_keys", c"sealed_keys_current")?;
    let row = keys.find(&[purpose]).ok_or_else(|| {
        Error::new(Code::NotConfigured, format!("this database has no key for {purpose}"))
            .with_hint("Run: select identity.configure('https://…')")
    })?;
    let id: &str = row.column(c"id")?.unwrap_or_default();
    Ok((key_id(id)?, database_key_of(&row, id, purpose)?))
}

/// The key of that purpose that sealed this; None when it is malformed, or its key is gone or for something else.
///
/// # Errors
/// ID001, ID003.
pub fn key_that_sealed(view: &View, purpose: &str, sealed: &[u8]) -> Result<Option<std::rc::Rc<Secret>>, Error> {
    let Some(id) = key_of(sealed).map(key_name) else { return Ok(None) };
    let mut keys = view.table(c"sealed_keys")?;
    match keys.find(&[&id]) {
        Some(row) if row.column::<&str>(c"purpose")? == Some(purpose) => database_key_of(&row, &id, purpose).map(Some),
        Some(_) | None => Ok(None),
    }
}

fn database_key_of(row: &Row<'_>, id: &str, purpose: &str) -> Result<std::rc::Rc<Secret>, Error> {
    database_key(id, purpose, row.stored(c"sealed")?)
}

/// The id of a row as bytes: 16 hexadecimal digits.
pub fn key_id(id: &str) -> Result<KeyId, Error> {
    // One spelling only: from_str_radix also takes a sign and capitals.
    u64::from_str_radix(id, 16)
        .ok()
        .map(u64::to_be_bytes)
        .filter(|bytes| key_name(*bytes) == id)
        .ok_or_else(|| Error::new(Code::InvalidParameter, "id must be 16 hexadecimal digits"))
}

/// The bytes of an id as the text of a row.
pub fn key_name(id: KeyId) -> String {
    format!("{:016x}", u64::from_be_bytes(id))
}

sql_function! {
    /// `sealed_key_id()`: a new random id.
    fn sealed_key_id() -> Result<String, Error> {
        Ok(key_name(random()?))
    }
}

sql_function! {
    /// `sealed_key_make(id, purpose)`: a new random key, sealed under the first master key.
    fn sealed_key_make(id: &str, purpose: &str) -> Result<Vec<u8>, Error> {
        key_id(id)?;
        let secret = Secret::new(random()?);
        master_key::seal(purpose, id.as_bytes(), secret.as_slice())
    }
}

sql_function! {
    /// `sealed_rewrap(purpose, name, sealed)`: the same key sealed under the first master key; NULL when it is already.
    fn sealed_rewrap(purpose: &str, name: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if key_of(sealed) == Some(master_key::current()?) {
            return Ok(None);
        }
        let plain = master_key::open(purpose, name.as_bytes(), sealed)?;
        master_key::seal(purpose, name.as_bytes(), &plain).map(Some)
    }
}

sql_function! {
    /// `state_seal_with(id, key, purpose, issuer, expires_at, state)`: base64url; `expires_at` in microseconds since 1970.
    fn state_seal_with(id: &str, key: &[u8], purpose: &str, issuer: &str, expires_at: i64, state: &str) -> Result<String, Error> {
        let secret = database_key(id, "state", key)?;
        let plain = Zeroizing::new([&expires_at.to_be_bytes()[..], state.as_bytes()].concat());
        let sealed = seal(&secret, key_id(id)?, purpose, issuer.as_bytes(), &plain)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }
}

sql_function! {
    /// `state_sealed_by(sealed)`: id of the key that sealed this state; NULL when it is malformed.
    fn state_sealed_by(sealed: &str) -> Result<Option<String>, Error> {
        Ok(URL_SAFE_NO_PAD.decode(sealed).ok().and_then(|sealed| key_of(&sealed)).map(key_name))
    }
}

sql_function! {
    /// `state_open_with(id, key, purpose, issuer, sealed)`: the state; NULL when malformed, altered, of another purpose or
    /// issuer, or expired.
    fn state_open_with(id: &str, key: &[u8], purpose: &str, issuer: &str, sealed: &str) -> Result<Option<String>, Error> {
        let secret = database_key(id, "state", key)?;
        Ok(opened_state(&secret, purpose, issuer, sealed, clock::statement_microseconds()))
    }
}

fn opened_state(secret: &Secret, purpose: &str, issuer: &str, sealed: &str, now: i64) -> Option<String> {
    let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let plain = open(secret, purpose, issuer.as_bytes(), &sealed)?;
    let (expires_at, state) = plain.split_first_chunk()?;
    if i64::from_be_bytes(*expires_at) <= now {
        return None;
    }
    String::from_utf8(state.to_vec()).ok()
}

sql_function! {
    /// `keyed_hash_with(id, key, purpose, data)`: 32 bytes.
    fn keyed_hash_with(id: &str, key: &[u8], purpose: &str, data: &str) -> Result<Vec<u8>, Error> {
        let secret = database_key(id, "keyed_hash", key)?;
        Ok(keyed_hash(&secret, purpose, data.as_bytes()).as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new([7; 32])
    }

    #[test]
    fn what_is_sealed_opens_for_the_same_purpose_and_name_only() {
        let sealed = seal(&secret(), [1; 8], "state", b"a", b"text").unwrap();
        assert_eq!(open(&secret(), "state", b"a", &sealed).unwrap().as_slice(), b"text");
        assert!(open(&secret(), "other", b"a", &sealed).is_none());
        assert!(open(&secret(), "state", b"b", &sealed).is_none());
        assert!(open(&Secret::new([8; 32]), "state", b"a", &sealed).is_none());
        assert_eq!(key_of(&sealed), Some([1; 8]));
    }

    #[test]
    fn no_altered_or_shortened_byte_is_accepted() {
        let sealed = seal(&secret(), [1; 8], "state", b"", b"text").unwrap();
        for index in HEADER..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(open(&secret(), "state", b"", &altered).is_none());
        }
        for length in 0..sealed.len() {
            assert!(open(&secret(), "state", b"", &sealed[..length]).is_none());
        }
    }

    #[test]
    fn a_state_opens_until_it_expires() {
        let plain = [&100_i64.to_be_bytes()[..], b"{}"].concat();
        let sealed = URL_SAFE_NO_PAD.encode(seal(&secret(), [1; 8], "login", b"https://i", &plain).unwrap());
        assert_eq!(opened_state(&secret(), "login", "https://i", &sealed, 99).as_deref(), Some("{}"));
        assert_eq!(opened_state(&secret(), "login", "https://i", &sealed, 100), None);
        assert_eq!(opened_state(&secret(), "login", "https://other", &sealed, 99), None);
    }
}
