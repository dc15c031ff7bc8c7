//! Refresh tokens: a family is one row with a sealed seed and a generation, and every token of it is computed from them
//! (README, decision 9), so that rotation advances a number and stores no token.
//!
//! token = "rt_" ‖ base64url(family (16 bytes) ‖ generation (4) ‖ HMAC-SHA-256(seed, family ‖ generation) (32) ‖ checksum (4)).

#[cfg(test)]
mod properties;

use std::cell::RefCell;

use aws_lc_rs::{constant_time, hmac};
use zeroize::Zeroizing;

use crate::errors::{Code, Error};
use crate::native::sql_function;
use crate::opaque;
use crate::rows::View;
use crate::sealing::{self, Secret, random};

const PREFIX: &str = "rt";
const PURPOSE: &str = "refresh";
const BODY: usize = 16 + 4 + 32;

/// Family, generation and authenticator of a token.
struct Parsed {
    family: [u8; 16],
    generation: u32,
    authenticator: [u8; 32],
}

fn parse(token: &str) -> Option<Parsed> {
    let body: [u8; BODY] = opaque::read(PREFIX, token)?;
    let (family, rest) = body.split_first_chunk()?;
    let (generation, authenticator) = rest.split_first_chunk()?;
    let generation = u32::from_be_bytes(*generation);
    Some(Parsed { family: *family, generation, authenticator: authenticator.try_into().ok()? })
}

fn authenticator(seed: &[u8], family: &[u8; 16], generation: u32) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), &[&family[..], &generation.to_be_bytes()].concat())
}

/// Whether its key is still there is looked at every time; what it opens to does not change, and who refreshes asks twice.
fn opened_seed(view: &View, sealed: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(key) = sealing::key_that_sealed(view, PURPOSE, sealed)? else { return Ok(None) };
    let known =
        LAST.with_borrow(|last| last.as_ref().filter(|last| last.sealed == sealed).map(|last| last.seed.clone()));
    if known.is_some() {
        return Ok(known);
    }
    let seed = sealing::open(&key, PURPOSE, b"seed", sealed)
        .ok_or_else(|| Error::new(Code::InvalidParameter, "seed does not open: it was altered"))?;
    LAST.set(Some(Opened { sealed: sealed.to_vec(), seed: seed.clone() }));
    Ok(Some(seed))
}

struct Opened {
    sealed: Vec<u8>,
    seed: Zeroizing<Vec<u8>>,
}

thread_local! {
    /// The seed that was opened last.
    static LAST: RefCell<Option<Opened>> = const { RefCell::new(None) };
}

sql_function! {
    /// `refresh_seed()`: a new random seed, sealed under the database's current key for refresh tokens.
    fn refresh_seed() -> Result<Vec<u8>, Error> {
        let (id, key) = sealing::current_key(&View::latest(), PURPOSE)?;
        let seed = Secret::new(random()?);
        sealing::seal(&key, id, PURPOSE, b"seed", seed.as_slice())
    }
}

sql_function! {
    /// `refresh_token(family, generation, seed)`: the token of that generation, always the same one; NULL when the seed's key
    /// is gone.
    fn refresh_token(family: pgrx::Uuid, generation: i32, seed: &[u8]) -> Result<Option<String>, Error> {
        let generation =
            u32::try_from(generation).map_err(|_| Error::new(Code::InvalidParameter, "generation must not be negative"))?;
        Ok(opened_seed(&View::latest(), seed)?.map(|seed| {
            let tag = authenticator(&seed, family.as_bytes(), generation);
            opaque::write(PREFIX, &[&family.as_bytes()[..], &generation.to_be_bytes(), tag.as_ref()].concat())
        }))
    }
}

sql_function! {
    /// `refresh_family(token)`: family of a well-formed token, else NULL. Nothing is proved by it.
    fn refresh_family(token: &str) -> Result<Option<pgrx::Uuid>, Error> {
        Ok(parse(token).map(|parsed| pgrx::Uuid::from_bytes(parsed.family)))
    }
}

sql_function! {
    /// `refresh_generation(token)`: generation of a well-formed token, else NULL.
    fn refresh_generation(token: &str) -> Result<Option<i32>, Error> {
        Ok(parse(token).and_then(|parsed| i32::try_from(parsed.generation).ok()))
    }
}

sql_function! {
    /// `refresh_matches(token, seed)`: whether the token was made from this seed.
    fn refresh_matches(token: &str, seed: &[u8]) -> Result<bool, Error> {
        let Some(parsed) = parse(token) else { return Ok(false) };
        let Some(seed) = opened_seed(&View::latest(), seed)? else { return Ok(false) };
        let expected = authenticator(&seed, &parsed.family, parsed.generation);
        Ok(constant_time::verify_slices_are_equal(expected.as_ref(), &parsed.authenticator).is_ok())
    }
}
