//! A strict reader of compact JWS (RFC 7515 §7.1) with JSON claims (RFC 7519). It trusts nothing and verifies nothing.
//!
//! `jsonwebtoken` accepts more than it should (facts: `crit` unchecked, `b64` ignored, the last of repeated members wins, floats
//! rounded), so every token passes here first, and what it says is taken from here only.

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::errors::{Code, Error};
use crate::strict_json;

/// A token longer than this is malformed; headers of HTTP requests end at about half of it.
pub const LONGEST_TOKEN: usize = 16 * 1024;
/// A `kid` is a name, not a document.
pub const LONGEST_KID: usize = 256;
/// 9999-12-31: later moments are mistakes, and they would overflow elsewhere.
const LAST_MOMENT: i64 = 253_402_300_799;

/// A token taken apart.
pub struct Jws<'token> {
    /// All of it, as it came.
    pub token: &'token str,
    /// What the signature is over: header and payload as they came.
    pub signing_input: &'token [u8],
    /// Decoded.
    pub signature: Vec<u8>,
    /// The JOSE header.
    pub header: Header,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// What the header of a token says.
pub struct Header {
    /// `alg`: compared with the algorithm of the key, never used to choose one.
    pub algorithm: String,
    /// `typ`.
    pub typ: Option<String>,
    /// `kid`.
    pub kid: Option<String>,
    /// All of it. `jwk`, `jku`, `x5u` and `x5c` may be there and are never used: keys come from our tables only.
    pub members: Map<String, Value>,
}

/// Takes a token apart.
///
/// # Errors
/// ID101 when it is not a strictly valid compact JWS with claims.
pub fn read(token: &str) -> Result<Jws<'_>, Error> {
    if token.len() > LONGEST_TOKEN {
        return Err(malformed("the token is longer than 16 KiB"));
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or_else(not_three_parts)?;
    let (header, payload) = signing_input.split_once('.').ok_or_else(not_three_parts)?;
    if payload.contains('.') {
        return Err(not_three_parts());
    }
    let header = header_of(header)?;
    let claims = strict_json::object(&base64url(payload)?)
        .ok_or_else(|| malformed("the payload of the token is not a JSON object with unique members"))?;
    Ok(Jws { token, signing_input: signing_input.as_bytes(), signature: base64url(signature)?, header, claims })
}

fn header_of(written: &str) -> Result<Header, Error> {
    let members = strict_json::object(&base64url(written)?)
        .ok_or_else(|| malformed("the header of the token is not a JSON object with unique members"))?;
    // RFC 7515 §4.1.11: extensions that are not understood must be refused, and we understand none; b64 (RFC 7797) changes what is
    // signed.
    if members.contains_key("crit") || members.contains_key("b64") {
        return Err(malformed("the token demands an extension of JWS (crit, b64)"));
    }
    let algorithm = member(&members, "alg")?.ok_or_else(|| malformed("the token names no algorithm"))?;
    let (typ, kid) = (member(&members, "typ")?, member(&members, "kid")?);
    if kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KID) {
        return Err(malformed("the kid of the token is longer than 256 bytes"));
    }
    Ok(Header { algorithm, typ, kid, members })
}

/// The token, where NULL is not one.
///
/// # Errors
/// ID101 for NULL.
pub fn present(token: Option<&str>) -> Result<&str, Error> {
    token.ok_or_else(|| malformed("the token is null"))
}

impl Jws<'_> {
    /// A claim that must be a string where it is present.
    ///
    /// # Errors
    /// ID101 when it is something else.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, Error> {
        match self.claims.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(format!("the claim {name} is not a string"))),
        }
    }

    /// A moment in whole seconds since 1970 (NumericDate, RFC 7519 §2).
    ///
    /// # Errors
    /// ID101 for strings, negative numbers and moments after the year 9999.
    pub fn moment(&self, name: &'static str, rounding: Rounding) -> Result<Option<i64>, Error> {
        let Some(value) = self.claims.get(name) else {
            return Ok(None);
        };
        numeric_date(value, rounding).map(Some).ok_or_else(|| malformed(format!("the claim {name} is not a moment")))
    }
}

/// `aud`: one string or several (RFC 7519 §4.1.3).
///
/// # Errors
/// ID101 when it is something else, or more than anybody needs.
pub fn audiences(value: Option<&Value>) -> Result<Vec<&str>, Error> {
    const MOST: usize = 64;
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(audience)) => Ok(vec![audience]),
        Some(Value::Array(audiences)) if audiences.len() <= MOST => audiences
            .iter()
            .map(|audience| audience.as_str().ok_or_else(|| malformed("an audience is not a string")))
            .collect(),
        Some(_) => Err(malformed("the claim aud is neither a string nor a short list of strings")),
    }
}

/// Where a fraction of a second goes: always to the side that makes the token live shorter.
#[derive(Clone, Copy)]
pub enum Rounding {
    /// For `exp`, and for `iat` where revocations are compared with it.
    Down,
    /// For `nbf`.
    Up,
}

/// A NumericDate as whole seconds, or `None`.
pub fn numeric_date(value: &Value, rounding: Rounding) -> Option<i64> {
    let seconds = match (value.as_i64(), value.as_f64()) {
        (Some(seconds), _) => seconds,
        (None, Some(seconds)) if (0.0..=LAST_MOMENT as f64).contains(&seconds) => match rounding {
            Rounding::Down => seconds.floor() as i64,
            Rounding::Up => seconds.ceil() as i64,
        },
        (None, _) => return None,
    };
    (0..=LAST_MOMENT).contains(&seconds).then_some(seconds)
}

/// ID101.
pub fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::TokenMalformed, message)
}

fn not_three_parts() -> Error {
    malformed("the token does not have three parts")
}

fn member(header: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Error> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(format!("the member {name} of the token's header is not a string"))),
    }
}

/// RFC 7515 §2: without padding, line breaks or other characters; and with the unused bits zero, so that every signature has one
/// spelling only. (Of ES256 there are two good signatures, (r, s) and (r, n − s): RFC 7518 §3.4 prefers none, and libraries make both.
/// They say the same, and nothing here is kept or revoked by the text of a token.)
fn base64url(text: &str) -> Result<Vec<u8>, Error> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed("a part of the token is not base64url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.AAAA", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_plain_token_is_read() {
        let token =
            token(r#"{"alg":"ES256","typ":"at+jwt","kid":"a","jwk":{}}"#, r#"{"aud":["x","y"],"exp":1.9,"nbf":1.1}"#);
        let jws = read(&token).ok().unwrap();
        assert_eq!(
            (jws.header.algorithm.as_str(), jws.header.typ.as_deref(), jws.header.kid.as_deref()),
            ("ES256", Some("at+jwt"), Some("a"))
        );
        assert_eq!(audiences(jws.claims.get("aud")).ok().unwrap(), ["x", "y"]);
        assert_eq!(jws.moment("exp", Rounding::Down).ok().unwrap(), Some(1));
        assert_eq!(jws.moment("nbf", Rounding::Up).ok().unwrap(), Some(2));
        assert_eq!(jws.signature, [0, 0, 0]);
    }

    #[test]
    fn what_is_not_strictly_a_token_is_malformed() {
        let good = token(r#"{"alg":"ES256"}"#, "{}");
        assert!(read(&good).is_ok());
        let bad = [
            String::new(),
            ".".into(),
            "..".into(),
            format!("{good}."),
            format!("{good}.AAAA.AAAA"),
            format!("{good}="),
            format!(" {good}"),
            format!("{good}\n"),
            // The last character carries two unused bits.
            format!("{good}AB"),
            good.replace("AAAA", "AA+/"),
            token(r#"{"alg":"ES256","alg":"none"}"#, "{}"),
            token(r#"{"alg":"ES256","crit":[]}"#, "{}"),
            token(r#"{"alg":"ES256","b64":true}"#, "{}"),
            token(r#"{"alg":["ES256"]}"#, "{}"),
            token(r#"{"alg":"ES256","kid":1}"#, "{}"),
            token(r#"{}"#, "{}"),
            token(r#"{"alg":"ES256"}"#, r#"{"sub":"a","sub":"b"}"#),
            token(r#"{"alg":"ES256"}"#, "[]"),
            token(&format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(257)), "{}"),
            token(r#"{"alg":"ES256"}"#, &format!(r#"{{"x":"{}"}}"#, "x".repeat(16 * 1024))),
        ];
        for token in bad {
            assert_eq!(read(&token).map(|_| ()).map_err(|error| error.code), Err(Code::TokenMalformed), "{token:.80}");
        }
    }

    #[test]
    fn a_moment_is_a_number_between_1970_and_9999() {
        let read = |text: &str| numeric_date(&serde_json::from_str(text).unwrap(), Rounding::Down);
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("1700000000.999"), Some(1_700_000_000));
        for text in
            ["-1", "-0.5", "\"1700000000\"", "1e300", "18446744073709551615", "253402300800", "null", "true", "[1]"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
