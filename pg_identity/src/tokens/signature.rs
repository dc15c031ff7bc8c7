//! Whether a key of our rows made the signature of a token.

use serde_json::Value;

use crate::errors::{Code, Error};
use crate::jwk::{self, Algorithm};
use crate::jws::Jws;
use crate::rows::Row;
use crate::tokens::record::Record;

/// Checks a signature with the key of this row, and with its algorithm.
///
/// # Errors
/// ID106, or ID110 when the token names another algorithm than the key has.
pub fn check<R: Record>(row: &Row<'_>, jws: &Jws<'_>, record: &mut R) -> Result<(), Error> {
    let algorithm = row.column::<&str>(c"algorithm")?.and_then(Algorithm::named);
    let algorithm = algorithm.ok_or_else(|| Error::internal("a key has an algorithm that is not known"))?;
    // RFC 8725 §3.1: the key says which algorithm, the token only repeats it.
    record.rule(
        "algorithm of the key",
        || format!("the key is for {}", algorithm.name()),
        || match jws.header.algorithm == algorithm.name() {
            true => Ok(()),
            false => Err(Error::new(Code::AlgorithmRefused, "the token names another algorithm than its key")),
        },
    )?;
    let stored = row.stored(c"public_jwk")?;
    let read = || match row.column::<pgrx::JsonB>(c"public_jwk") {
        Ok(Some(pgrx::JsonB(Value::Object(key)))) => Some(key),
        Ok(_) | Err(_) => None,
    };
    let made = jwk::with_parsed(stored, algorithm, read, |key| key.made(jws.token, jws.signing_input, &jws.signature))
        .ok_or_else(|| Error::internal("a stored public key cannot be read"))?;
    record.rule("signature", String::new, || {
        if made { Ok(()) } else { Err(Error::new(Code::BadSignature, "the signature of the token is not good")) }
    })
}
