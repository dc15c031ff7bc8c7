//! Opaque secrets that we make: authorization codes, session cookies, client secrets.
//!
//! token = prefix ‖ "_" ‖ base64url(id of the row (16 bytes) ‖ random (32) ‖ checksum (4)): [A-Za-z0-9_-] only, because clients
//! disagree about url-encoding. The row is found by its id and holds the SHA-256 of the token; plain
//! SHA-256 suffices, since nobody guesses 256 random bits. The checksum refuses typing errors without a look at the table.

#[cfg(test)]
mod properties;

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::errors::{Code, Error};
use crate::native::sql_function;
use crate::sealing::random;

const CHECKSUM: usize = 4;
const ID: usize = 16;
const RANDOM: usize = 32;

/// Writes `body` as a token.
pub fn write(prefix: &str, body: &[u8]) -> String {
    let checked = [body, &checksum(prefix, body)].concat();
    format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(checked))
}

/// The body of a token of this prefix and length; None when anything about it is wrong.
pub fn read<const N: usize>(prefix: &str, token: &str) -> Option<[u8; N]> {
    let encoded = token.strip_prefix(prefix)?.strip_prefix('_')?;
    // Canonical base64 only: one token has one spelling, and so one hash.
    let checked = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let (body, check) = checked.split_at_checked(N)?;
    let body: [u8; N] = body.try_into().ok()?;
    (check == checksum(prefix, &body)).then_some(body)
}

fn checksum(prefix: &str, body: &[u8]) -> [u8; CHECKSUM] {
    let mut digest = Context::new(&SHA256);
    digest.update(b"pg_identity token ");
    digest.update(prefix.as_bytes());
    digest.update(body);
    let mut checksum = [0; CHECKSUM];
    checksum.iter_mut().zip(digest.finish().as_ref()).for_each(|(check, byte)| *check = *byte);
    checksum
}

sql_function! {
    /// `opaque_token(prefix, id)`: a new token for the row `id`.
    fn opaque_token(prefix: &str, id: pgrx::Uuid) -> Result<String, Error> {
        let good = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-';
        if prefix.is_empty() || prefix.len() > 16 || !prefix.bytes().all(good) {
            return Err(Error::new(Code::InvalidParameter, "prefix must be 1 to 16 characters of [A-Za-z0-9_-]"));
        }
        let secret: [u8; RANDOM] = random()?;
        Ok(write(prefix, &[&id.as_bytes()[..], &secret].concat()))
    }
}

sql_function! {
    /// `opaque_id(prefix, token)`: id of the row; NULL when the token is malformed or its checksum is wrong.
    fn opaque_id(prefix: &str, token: &str) -> Result<Option<pgrx::Uuid>, Error> {
        let body = read::<{ ID + RANDOM }>(prefix, token);
        Ok(body.and_then(|body| body.first_chunk::<ID>().map(|id| pgrx::Uuid::from_bytes(*id))))
    }
}

sql_function! {
    /// `opaque_hash(token)`: what is stored of it.
    fn opaque_hash(token: &str) -> Result<Vec<u8>, Error> {
        Ok(digest(&SHA256, token.as_bytes()).as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_under_its_prefix_only() {
        let token = write("code", &[9; 48]);
        assert_eq!(read::<48>("code", &token), Some([9; 48]));
        assert_eq!(read::<48>("session", &token), None);
        assert_eq!(read::<47>("code", &token), None);
        assert_eq!(read::<48>("code", &format!("{token}A")), None);
        assert_eq!(read::<48>("code", ""), None);
    }

    #[test]
    fn a_typing_error_is_noticed() {
        let token = write("code", &[9; 48]);
        for index in 5..token.len() {
            let mut letters = token.clone().into_bytes();
            letters[index] = if letters[index] == b'B' { b'C' } else { b'B' };
            assert_eq!(read::<48>("code", std::str::from_utf8(&letters).unwrap()), None);
        }
    }
}
