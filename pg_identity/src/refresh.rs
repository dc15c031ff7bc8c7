//! Refresh tokens: a family is one row with a sealed seed and a generation, and every token of it is computed from them
//! (README, decision 9), so that rotation advances a number and stores no token.
//!
//! token = "rt_" ‖ base64url(family (16 bytes) ‖ generation (4) ‖ HMAC-SHA-256(seed, family ‖ generation) (32) ‖ checksum (4)).

#[cfg(test)]
mod properties;

use aws_lc_rs::{constant_time, hmac};

use crate::errors::{Code, Error};
use crate::native::sql_function;
use crate::opaque;
use crate::sealing::{Secret, database_key, key_id, open, random, seal};

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

fn opened_seed(id: &str, key: &[u8], seed: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
    open(&*database_key(id, PURPOSE, key)?, PURPOSE, b"seed", seed)
        .ok_or_else(|| Error::new(Code::InvalidParameter, "seed does not open: it was altered"))
}

sql_function! {
    /// `refresh_seed_with(id, key)`: a new random seed, sealed under the database's key for refresh tokens.
    fn refresh_seed_with(id: &str, key: &[u8]) -> Result<Vec<u8>, Error> {
        let seed = Secret::new(random()?);
        seal(&*database_key(id, PURPOSE, key)?, key_id(id)?, PURPOSE, b"seed", seed.as_slice())
    }
}

sql_function! {
    /// `refresh_token_with(id, key, family, generation, seed)`: the token of that generation, always the same one.
    fn refresh_token_with(id: &str, key: &[u8], family: pgrx::Uuid, generation: i32, seed: &[u8]) -> Result<String, Error> {
        let generation =
            u32::try_from(generation).map_err(|_| Error::new(Code::InvalidParameter, "generation must not be negative"))?;
        let seed = opened_seed(id, key, seed)?;
        let tag = authenticator(&seed, family.as_bytes(), generation);
        Ok(opaque::write(PREFIX, &[&family.as_bytes()[..], &generation.to_be_bytes(), tag.as_ref()].concat()))
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
    /// `refresh_matches_with(id, key, token, seed)`: whether the token was made from this seed.
    fn refresh_matches_with(id: &str, key: &[u8], token: &str, seed: &[u8]) -> Result<bool, Error> {
        let Some(parsed) = parse(token) else { return Ok(false) };
        let seed = opened_seed(id, key, seed)?;
        let expected = authenticator(&seed, &parsed.family, parsed.generation);
        Ok(constant_time::verify_slices_are_equal(expected.as_ref(), &parsed.authenticator).is_ok())
    }
}
