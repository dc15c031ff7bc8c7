//! Pairwise identifiers (OpenID Connect Core §8.1): what a sector sees instead of the id of a person or a session.
//!
//! identifier = "pw_" ‖ base64url(iv (16 bytes) ‖ id ⊕ keystream(iv) (16)), iv = HMAC-SHA-256(key, kind ‖ id ‖ sector), the keystream an
//! HMAC of another label: deterministic encryption whose nonce is made from what is encrypted (SIV, RFC 5297). The same person is
//! always the same to a sector; two sectors cannot tell that they know the same one, nor can anybody without the key. With it the
//! id is found again, whatever the sector was.
//!
//! The key is the one of `identity.sealed_keys` with purpose `pairwise`. It has no successor: people would be strangers to
//! their applications.

#[cfg(test)]
mod properties;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::errors::{Code, Error};
use crate::native::sql_function;
use crate::rows::View;
use crate::sealing::{self, Secret};

const PURPOSE: &str = "pairwise";
const PREFIX: &str = "pw_";
const ID: usize = 16;

/// What is behind an identifier; part of it, so that no `sub` is ever taken for a `sid`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `sub`.
    User,
    /// `sid`.
    Session,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::User => b"user",
            Self::Session => b"session",
        }
    }
}

/// The identifier of this id for this sector.
pub fn write(secret: &Secret, kind: Kind, id: &[u8; ID], sector: &str) -> String {
    let iv = first(&tag(secret, b"iv", &[kind.label(), id, sector.as_bytes()]));
    let mask = first(&tag(secret, b"mask", &[kind.label(), &iv]));
    let mut body = [0; 2 * ID];
    let (left, right) = body.split_at_mut(ID);
    left.copy_from_slice(&iv);
    right.iter_mut().zip(id.iter().zip(mask)).for_each(|(to, (plain, mask))| *to = plain ^ mask);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(body))
}

/// The id behind an identifier that we signed; `None` when it is no identifier. Without its sector nothing is proved by it.
pub fn read(secret: &Secret, kind: Kind, identifier: &str) -> Option<[u8; ID]> {
    let body: [u8; 2 * ID] = URL_SAFE_NO_PAD.decode(identifier.strip_prefix(PREFIX)?).ok()?.try_into().ok()?;
    let (iv, text) = body.split_first_chunk::<ID>()?;
    let mask = first(&tag(secret, b"mask", &[kind.label(), iv]));
    let mut id = [0; ID];
    id.iter_mut().zip(text.iter().zip(mask)).for_each(|(to, (text, mask))| *to = text ^ mask);
    Some(id)
}

/// The same, and only if it is the one of this sector.
#[cfg(test)]
fn read_of(secret: &Secret, kind: Kind, identifier: &str, sector: &str) -> Option<[u8; ID]> {
    read(secret, kind, identifier).filter(|id| write(secret, kind, id, sector) == identifier)
}

/// Whether it looks like one: a UUID never does.
fn is_identifier(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The id behind an identifier in a token of ours, with the key of this database; `None` where that is not known.
///
/// # Errors
/// ID001, ID003.
pub fn recovered(view: &View, kind: Kind, identifier: &str) -> Result<Option<[u8; ID]>, Error> {
    if !is_identifier(identifier) {
        return Ok(None);
    }
    match sealing::current_key(view, PURPOSE) {
        Ok((_, secret)) => Ok(read(&secret, kind, identifier)),
        Err(error) if error.code == Code::NotConfigured => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same as the id of a person in rows.
///
/// # Errors
/// As [`recovered`].
pub fn person(view: &View, identifier: &str) -> Result<Option<String>, Error> {
    Ok(recovered(view, Kind::User, identifier)?.map(text))
}

/// The same as the id of a session in rows.
///
/// # Errors
/// As [`recovered`].
pub fn session(view: &View, identifier: &str) -> Result<Option<String>, Error> {
    Ok(recovered(view, Kind::Session, identifier)?.map(text))
}

fn text(id: [u8; ID]) -> String {
    uuid::Uuid::from_bytes(id).hyphenated().to_string()
}

fn tag(secret: &Secret, label: &[u8], parts: &[&[u8]]) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_slice());
    let mut context = hmac::Context::with_key(&key);
    for part in [&[&b"pg_identity pairwise"[..], label], parts].concat() {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.sign()
}

fn first(tag: &hmac::Tag) -> [u8; ID] {
    let mut half = [0; ID];
    half.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    half
}

fn kind(name: &str) -> Result<Kind, Error> {
    match name {
        "user" => Ok(Kind::User),
        "session" => Ok(Kind::Session),
        _ => Err(Error::internal("kind is neither user nor session")),
    }
}

sql_function! {
    /// `pairwise_identifier(kind, id, sector)`: what the sector sees of it.
    fn pairwise_identifier(name: &str, id: pgrx::Uuid, sector: &str) -> Result<String, Error> {
        let (_, secret) = sealing::current_key(&View::latest(), PURPOSE)?;
        Ok(write(&secret, kind(name)?, id.as_bytes(), sector))
    }
}

sql_function! {
    /// `subject_id(kind, identifier)`: the id that a `sub` or `sid` in a token that is known to be ours means: that behind a
    /// pairwise identifier, or itself. NULL when it is neither.
    fn subject_id(name: &str, identifier: &str) -> Result<Option<pgrx::Uuid>, Error> {
        let kind = kind(name)?;
        let id = if is_identifier(identifier) {
            recovered(&View::latest(), kind, identifier)?
        } else {
            // One spelling only: that in which we write it.
            uuid::Uuid::try_parse(identifier).ok().map(uuid::Uuid::into_bytes).filter(|id| text(*id) == identifier)
        };
        Ok(id.map(pgrx::Uuid::from_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_as_long_as_a_subject_may_be_and_of_plain_letters() {
        let identifier = write(&Secret::new([7; 32]), Kind::User, &[9; 16], "a.example");
        assert_eq!(identifier.len(), 46);
        assert!(identifier.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-'));
    }

    /// It must not change: it is what applications know people by.
    #[test]
    fn an_identifier_is_the_same_in_every_release() {
        let secret = Secret::new([7; 32]);
        let of = |kind, sector| write(&secret, kind, &[9; 16], sector);
        assert_eq!(of(Kind::User, "a.example"), PINNED);
        assert_ne!(of(Kind::Session, "a.example"), PINNED);
        assert_eq!(read_of(&secret, Kind::User, PINNED, "a.example"), Some([9; 16]));
        assert_eq!(read_of(&secret, Kind::User, PINNED, "b.example"), None);
        assert_eq!(read_of(&secret, Kind::Session, PINNED, "a.example"), None);
    }

    const PINNED: &str = "pw_eqyMgP1975CzXPBd0nt9E2OQ78IQ-ITfPBkIh_c7y_A";
}
