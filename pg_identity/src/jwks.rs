//! JWK sets of other issuers (RFC 7517 §5), read once, when an administrator or the synchroniser brings them.

#[cfg(test)]
mod properties;

use serde_json::{Map, Value, json};

use crate::errors::{Code, Error};
use crate::jwk::{Algorithm, PublicKey};
use crate::jws::LONGEST_KID;
use crate::native::sql_function;

/// Sets are a handful of keys; Microsoft publishes about ten.
pub const MOST_KEYS: usize = 100;
/// Members that only a private or a symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

sql_function! {
    /// `identity.jwks_read(jwks, algorithms)`: the signing keys of a set, each pinned to one algorithm, as
    /// `[{"kid", "algorithm", "jwk"}]`.
    ///
    /// The algorithm is the key's own `alg`, else the first of `algorithms` that fits its type. Keys for other purposes, of kinds we
    /// do not know or that are not sound are left out (RFC 7517 §5: "ignore"), so that they do not take the good ones with them.
    /// ID005: private or symmetric keys, repeated kids, or nothing left.
    fn jwks_read(jwks: pgrx::JsonB, algorithms: pgrx::JsonB) -> Result<pgrx::JsonB, Error> {
        let algorithms = allowed(&algorithms.0)?;
        let keys = match jwks.0.get("keys") {
            Some(Value::Array(keys)) if keys.len() <= MOST_KEYS => keys,
            _ => return Err(refused("jwks is not a JWK set: {\"keys\": [at most 100 keys]}")),
        };
        let mut read: Vec<(Option<String>, Value)> = Vec::new();
        for key in keys {
            let key = key.as_object().ok_or_else(|| refused("jwks holds something that is not a key"))?;
            if let Some((kid, entry)) = signing_key(key, &algorithms)? {
                if read.iter().any(|(other, _)| *other == kid) {
                    return Err(refused("jwks holds two keys with the same kid").with_hint(
                        "A token names its key by kid alone: give each key a kid of its own, or leave one of the two out.",
                    ));
                }
                read.push((kid, entry));
            }
        }
        if read.is_empty() {
            return Err(refused("jwks holds no sound signing key of the allowed algorithms").with_hint(
                "RSA keys need 2048 to 8192 bits and an odd exponent, other keys a point on the curve of their algorithm; use is sig or absent.",
            ));
        }
        if read.len() > 1 && read.iter().any(|(kid, _)| kid.is_none()) {
            return Err(refused("jwks holds several keys and one of them has no kid"));
        }
        Ok(pgrx::JsonB(read.into_iter().map(|(_, entry)| entry).collect()))
    }
}

fn allowed(algorithms: &Value) -> Result<Vec<Algorithm>, Error> {
    let names = algorithms.as_array().filter(|names| !names.is_empty());
    let names = names.ok_or_else(|| refused("algorithms is empty"))?;
    names
        .iter()
        .map(|name| {
            name.as_str().and_then(Algorithm::named).ok_or_else(|| {
                let known: Vec<_> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
                refused("algorithms names one that is unknown or not asymmetric")
                    .with_hint(format!("Known are {}.", known.join(", ")))
            })
        })
        .collect()
}

/// The entry of one key; `None` for a key that signs nothing we know.
fn signing_key(key: &Map<String, Value>, algorithms: &[Algorithm]) -> Result<Option<(Option<String>, Value)>, Error> {
    if is_secret(key) {
        return Err(refused("jwks holds a private or symmetric key")
            .with_hint("Give the public keys only, and replace that key at its issuer: it is known to others now."));
    }
    // RFC 7517 §4.2, §4.3. What has another form than these is for something that we do not know.
    let signs = key.get("use").is_none_or(|purpose| purpose == "sig");
    let verifies =
        key.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
    if !signs || !verifies {
        return Ok(None);
    }
    let algorithm = match key.get("alg") {
        None => algorithms.iter().copied().find(|algorithm| algorithm.fits(key)),
        Some(name) => name.as_str().and_then(Algorithm::named).filter(|algorithm| algorithms.contains(algorithm)),
    };
    let Some(algorithm) = algorithm else { return Ok(None) };
    if PublicKey::read(key, algorithm).is_none() {
        return Ok(None);
    }
    let kid = match key.get("kid") {
        None => None,
        Some(Value::String(kid)) if !kid.is_empty() && kid.len() <= LONGEST_KID => Some(kid.clone()),
        Some(_) => return Err(refused("jwks holds a kid that is not a string of 1 to 256 bytes")),
    };
    let public: Map<String, Value> = key
        .iter()
        .filter(|(name, _)| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let entry = json!({ "kid": kid.as_deref().unwrap_or(""), "algorithm": algorithm.name(), "jwk": public });
    Ok(Some((kid, entry)))
}

/// Whether it is a key that others must not have.
pub fn is_secret(key: &Map<String, Value>) -> bool {
    PRIVATE_MEMBERS.iter().any(|member| key.contains_key(*member)) || key.get("kty").is_some_and(|kty| kty == "oct")
}

fn refused(message: &'static str) -> Error {
    Error::new(Code::InvalidParameter, message)
}
