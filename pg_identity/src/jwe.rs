//! Encrypted tokens: JWE in compact form (RFC 7516 §7.1) with RSA-OAEP-256, ECDH-ES or ECDH-ES+A256KW, and A256GCM or A128CBC-HS256
//! (RFC 7518 §4, §5; X25519: RFC 8037 §3.2). What is encrypted to us is opened with `encryption_keys.rs`.
//!
//! No other algorithm is known, so none can be asked for: not RSA1_5, whose padding is an oracle, no password, no compression.

mod content;
mod management;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::errors::Error;
use crate::strict_json;
pub use content::Encryption;
pub use management::{Management, OurKey, Recipient};

/// A token longer than this is malformed: a nested one of 16 KiB, in base64url, with its header.
pub const LONGEST: usize = 32 * 1024;

/// What surrounds the plain text.
pub struct Envelope<'call> {
    /// How the key of the content comes to the recipient.
    pub management: Management,
    /// How the content is encrypted.
    pub encryption: Encryption,
    /// Names the recipient's key.
    pub kid: Option<&'call str>,
    /// `JWT` around a signed token (RFC 7519 §5.2).
    pub cty: Option<&'call str>,
}

/// Encrypts to a public key; `None` when nothing can be encrypted to that one.
///
/// # Errors
/// XX000 when the cryptography fails.
pub fn seal(envelope: &Envelope<'_>, recipient: &Recipient, plain: &[u8]) -> Result<Option<String>, Error> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), envelope.management.name().into());
    header.insert("enc".to_owned(), envelope.encryption.name().into());
    for (name, value) in [("kid", envelope.kid), ("cty", envelope.cty)] {
        if let Some(value) = value {
            header.insert(name.to_owned(), value.into());
        }
    }
    let Some(given) = recipient.give(envelope.management, envelope.encryption)? else { return Ok(None) };
    if let Some(ephemeral) = given.ephemeral {
        header.insert("epk".to_owned(), Value::Object(ephemeral));
    }
    let header = encode(Value::Object(header).to_string().as_bytes());
    let sealed = envelope.encryption.seal(&given.key, header.as_bytes(), plain)?;
    let parts = [header, encode(&given.encrypted), encode(&sealed.iv), encode(&sealed.text), encode(&sealed.tag)];
    Ok(Some(parts.join(".")))
}

/// A token taken apart.
pub struct Jwe<'token> {
    /// Associated data: the header as it came.
    protected: &'token str,
    header: Map<String, Value>,
    management: Management,
    encryption: Encryption,
    encrypted: Vec<u8>,
    iv: Vec<u8>,
    text: Vec<u8>,
    tag: Vec<u8>,
}

/// Takes a token apart; `None` when it is not strictly a compact JWE of the algorithms we know.
pub fn read(token: &str) -> Option<Jwe<'_>> {
    if token.len() > LONGEST {
        return None;
    }
    let mut parts = token.split('.');
    let mut next = || parts.next();
    let (protected, encrypted, iv, text, tag) = (next()?, next()?, next()?, next()?, next()?);
    if parts.next().is_some() {
        return None;
    }
    let header = strict_json::object(&decode(protected)?)?;
    // RFC 7516 §4.1.13: extensions that are not understood must be refused, and we understand none. §4.1.3: compression tells by its
    // length what is inside, and a small token may become a large one.
    if header.contains_key("crit") || header.contains_key("zip") {
        return None;
    }
    let named = |name: &str| header.get(name).and_then(Value::as_str);
    let (management, encryption) = (Management::named(named("alg")?)?, Encryption::named(named("enc")?)?);
    Some(Jwe {
        protected,
        management,
        encryption,
        encrypted: decode(encrypted)?,
        iv: decode(iv)?,
        text: decode(text)?,
        tag: decode(tag)?,
        header,
    })
}

impl Jwe<'_> {
    /// How the key of the content is given.
    pub fn management(&self) -> Management {
        self.management
    }

    /// How the content is encrypted.
    pub fn encryption(&self) -> Encryption {
        self.encryption
    }

    /// Which key of the recipient it is for, if it says so.
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The plain text, if it was encrypted to this key. Nothing is said about why not: RFC 7516 §11.5.
    pub fn open(&self, key: &OurKey) -> Option<Zeroizing<Vec<u8>>> {
        let key = key.take(self.management, self.encryption, &self.header, &self.encrypted)?;
        self.encryption.open(&key, self.protected.as_bytes(), &self.iv, &self.text, &self.tag)
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}
