//! Tokens signed with a shared secret (HS256, HS384, HS512; RFC 7518 §3.2), with the functions of pgjwt: for the extension
//! `pg_identity_pgjwt`. Pure functions of what the caller gives. Nothing here signs anybody in: `tokens.rs` knows no HMAC.

#[cfg(test)]
mod properties;

use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::clock;
use crate::errors::{Code, Error};
use crate::native::sql_function;

sql_function! {
    /// `url_encode(data)`: base64url without padding.
    fn hmac_url_encode(data: &[u8]) -> Result<String, Error> {
        Ok(BASE64_URL_SAFE_NO_PAD.encode(data))
    }
}

sql_function! {
    /// `url_decode(data)`: base64url or base64, with or without padding and line breaks, as pgjwt reads it.
    fn hmac_url_decode(data: &str) -> Result<Vec<u8>, Error> {
        decoded(data).ok_or_else(|| Error::new(Code::InvalidValue, "invalid base64url"))
    }
}

sql_function! {
    /// `algorithm_sign(signables, secret, algorithm)`: the signature, base64url.
    fn hmac_algorithm_sign(signables: &str, secret: &str, algorithm: &str) -> Result<String, Error> {
        Ok(BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key(secret, algorithm)?, signables.as_bytes())))
    }
}

sql_function! {
    /// `sign(payload, secret, algorithm)`: a token. The payload is signed as it is written, a `json` being its text.
    fn hmac_sign(payload: &str, secret: &str, algorithm: &str) -> Result<String, Error> {
        let key = key(secret, algorithm)?;
        let mut token = String::with_capacity(payload.len() * 3 / 2 + 160);
        BASE64_URL_SAFE_NO_PAD.encode_string(format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#), &mut token);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = hmac::sign(&key, token.as_bytes());
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

sql_function! {
    /// `verify_valid(token, secret, algorithm)`: whether signature and times are good. The signature is compared in constant time.
    fn hmac_verify_valid(token: &str, secret: &str, algorithm: &str) -> Result<bool, Error> {
        valid(token, secret, algorithm, clock::statement_microseconds() as f64 / 1e6)
    }
}

fn valid(token: &str, secret: &str, algorithm: &str, now: f64) -> Result<bool, Error> {
    let key = key(secret, algorithm)?;
    Ok(token.rsplit_once('.').is_some_and(|(signed, signature)| {
        // One spelling, or a token could be written in several ways.
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
        signature.is_ok_and(|signature| hmac::verify(&key, signed.as_bytes(), &signature).is_ok())
            && signed.split_once('.').is_some_and(|(_, payload)| is_of(now, payload))
    }))
}

/// From `nbf` on and before `exp`, as far as they are there. What is there and is no number is never now.
fn is_of(now: f64, payload: &str) -> bool {
    let Some(Value::Object(claims)) = decoded(payload).and_then(|json| serde_json::from_slice(&json).ok()) else {
        return false;
    };
    let moment = |name: &str, absent: f64| match claims.get(name) {
        None | Some(Value::Null) => Some(absent),
        Some(Value::Number(seconds)) => seconds.as_f64(),
        // pgjwt reads a number in quotes too.
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    let not_before = moment("nbf", f64::NEG_INFINITY);
    let expires_at = moment("exp", f64::INFINITY);
    not_before.is_some_and(|not_before| not_before <= now) && expires_at.is_some_and(|expires_at| now < expires_at)
}

fn key(secret: &str, algorithm: &str) -> Result<hmac::Key, Error> {
    let algorithm = match algorithm {
        "HS256" => HMAC_SHA256,
        "HS384" => HMAC_SHA384,
        "HS512" => HMAC_SHA512,
        // The words of pgcrypto, which pgjwt's callers know.
        _ => return Err(Error::new(Code::InvalidValue, "Cannot use \"\": No such hash algorithm")),
    };
    Ok(hmac::Key::new(algorithm, secret.as_bytes()))
}

fn decoded(data: &str) -> Option<Vec<u8>> {
    /// Padding or not, and whatever the unused bits say.
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let spelled: String = data
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .map(|character| match character {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    LENIENT.decode(spelled).ok()
}
