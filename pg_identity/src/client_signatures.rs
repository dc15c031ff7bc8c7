//! What clients sign: assertions (RFC 7523) and request objects (RFC 9101). Whether what they say is acceptable is decided in
//! `sql/store/functions/client_assertions.sql` and `request_objects.sql`; here is only who signed it.
//!
//! The registration says whether a client signs with keys or with its secret, and these are two functions: no token can have a
//! public key taken for a secret (RFC 8725 §3.1).

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

use crate::errors::{Code, Error};
use crate::jsonb::Document;
use crate::jwk::{Algorithm, PublicKey};
use crate::jwks;
use crate::jws::{self, Jws, Rounding};
use crate::native::sql_function;
use crate::rows::View;
use crate::sealing;
use crate::strict_json;

/// Of the sealing key, and of what it seals.
const PURPOSE: &str = "client_secret";
/// Keys that are tried for a token without kid: a signature costs 20 to 100 µs to check.
const MOST_TRIED: usize = 8;

sql_function! {
    /// `identity.client_jws_read(token)`: `{"header", "claims", "aud": […], "exp", "nbf", "iat"}`, the last four where they are and
    /// in one form; NULL when it is not strictly a compact JWS with claims. Nothing is verified by it.
    fn client_jws_read(token: &str) -> Result<Option<Document>, Error> {
        let read = jws::read(token).and_then(|jws| {
            let mut read = Map::new();
            read.insert("aud".to_owned(), jws::audiences(jws.claims.get("aud"))?.into());
            for (name, rounding) in [("exp", Rounding::Down), ("iat", Rounding::Down), ("nbf", Rounding::Up)] {
                if let Some(moment) = jws.moment(name, rounding)? {
                    read.insert(name.to_owned(), moment.into());
                }
            }
            read.insert("header".to_owned(), Value::Object(jws.header.members));
            read.insert("claims".to_owned(), Value::Object(jws.claims));
            Ok(Document(Value::Object(read)))
        });
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.code == Code::TokenMalformed => Ok(None),
            Err(error) => Err(error),
        }
    }
}

sql_function! {
    /// `identity.client_key_signed(token, jwks, algorithm)`: whether a key of the set signed the token, with that algorithm (NULL: any
    /// asymmetric one): `signed`, `unknown_key`, `bad_signature` or `algorithm_refused`.
    fn client_key_signed(token: &str, jwks: pgrx::JsonB, algorithm: Option<&str>) -> Result<&'static str, Error> {
        Ok(verdict(&jws::read(token)?, &jwks.0, algorithm).name())
    }
}

sql_function! {
    /// `identity.client_secret_signed(token, id, sealed, algorithm)`: whether the token has an HMAC under this secret, with that
    /// algorithm (NULL: any HMAC).
    fn client_secret_signed(token: &str, id: pgrx::Uuid, sealed: &[u8], algorithm: Option<&str>) -> Result<bool, Error> {
        let jws = jws::read(token)?;
        let Some(hash) = hmac_named(&jws.header.algorithm).filter(|_| algorithm.is_none_or(|name| name == jws.header.algorithm)) else {
            return Ok(false);
        };
        let Some(key) = sealing::key_that_sealed(&View::latest(), PURPOSE, sealed)? else { return Ok(false) };
        let secret = sealing::open(&key, PURPOSE, id.as_bytes(), sealed)
            .ok_or_else(|| Error::new(Code::InvalidParameter, "sealed does not open: it was altered, or is of another secret"))?;
        Ok(hmac::verify(&hmac::Key::new(hash, &secret), jws.signing_input, &jws.signature).is_ok())
    }
}

sql_function! {
    /// `identity.client_secret_seal(id, secret)`: the secret, sealed under the current key for client secrets.
    fn client_secret_seal(id: pgrx::Uuid, secret: &str) -> Result<Vec<u8>, Error> {
        let (key_id, key) = sealing::current_key(&View::latest(), PURPOSE)?;
        sealing::seal(&key, key_id, PURPOSE, id.as_bytes(), secret.as_bytes())
    }
}

sql_function! {
    /// `identity.client_jwks_read(document)`: a fetched JWK set (RFC 7517 §5) without what is not a public key; NULL when it is none.
    fn client_jwks_read(document: &str) -> Result<Option<Document>, Error> {
        Ok(public_set(document).map(Document))
    }
}

/// RFC 7518 §3.2, by its name.
fn hmac_named(name: &str) -> Option<hmac::Algorithm> {
    match name {
        "HS256" => Some(hmac::HMAC_SHA256),
        "HS384" => Some(hmac::HMAC_SHA384),
        "HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

/// Who signed.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Signed,
    UnknownKey,
    BadSignature,
    AlgorithmRefused,
}

impl Verdict {
    const fn name(&self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::AlgorithmRefused => "algorithm_refused",
        }
    }
}

fn verdict(jws: &Jws<'_>, set: &Value, pinned: Option<&str>) -> Verdict {
    let algorithm =
        Algorithm::named(&jws.header.algorithm).filter(|_| pinned.is_none_or(|name| name == jws.header.algorithm));
    let Some(algorithm) = algorithm else { return Verdict::AlgorithmRefused };
    let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut candidates = keys
        .iter()
        .filter_map(Value::as_object)
        .filter(|key| verifies(key, algorithm))
        // RFC 7515 §4.1.4: kid says which key. jwk, jku, x5c and x5u of the header could bring one along, and are never looked at.
        .filter(|key| jws.header.kid.as_deref().is_none_or(|kid| key.get("kid").and_then(Value::as_str) == Some(kid)))
        .take(MOST_TRIED)
        .filter_map(|key| PublicKey::read(key, algorithm))
        .peekable();
    if candidates.peek().is_none() {
        Verdict::UnknownKey
    } else if candidates.any(|key| key.verifies(jws.signing_input, &jws.signature)) {
        Verdict::Signed
    } else if jws.header.kid.is_none() {
        // Whoever names no key may have replaced it.
        Verdict::UnknownKey
    } else {
        Verdict::BadSignature
    }
}

/// RFC 7517 §4.2 to §4.4: a key for signatures, of this algorithm.
fn verifies(key: &Map<String, Value>, algorithm: Algorithm) -> bool {
    algorithm.fits(key)
        && key.get("use").is_none_or(|purpose| purpose == "sig")
        && key.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")))
        && key.get("alg").is_none_or(|name| name == algorithm.name())
}

/// Keys of kinds that we do not know stay out; a private or symmetric key spoils the set, because others have seen it.
fn public_set(document: &str) -> Option<Value> {
    // x5c is for client_certificates.rs; a signature is never checked with it.
    const MEMBERS: [&str; 11] = ["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops", "x5c"];
    let set = strict_json::object(document.as_bytes())?;
    let keys = set.get("keys")?.as_array().filter(|keys| keys.len() <= jwks::MOST_KEYS)?;
    let mut public = Vec::new();
    for key in keys {
        let key = key.as_object()?;
        if jwks::is_secret(key) {
            return None;
        }
        if key.get("kty").is_some_and(|kty| kty == "RSA" || kty == "EC" || kty == "OKP") {
            let kept: Map<String, Value> = key
                .iter()
                .filter(|(name, _)| MEMBERS.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            public.push(Value::Object(kept));
        }
    }
    Some(json!({ "keys": public }))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7515 §A.3: ES256.
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn key(more: Value) -> Value {
        let mut key = json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
        });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn verdict_of(keys: &[Value], pinned: Option<&str>) -> &'static str {
        verdict(&jws::read(TOKEN).ok().unwrap(), &json!({ "keys": keys }), pinned).name()
    }

    #[test]
    fn a_key_of_the_set_signed_or_none_did() {
        assert_eq!(verdict_of(&[key(json!({}))], None), "signed");
        assert_eq!(
            verdict_of(&[json!(1), key(json!({"kid": "a", "use": "sig", "alg": "ES256"}))], Some("ES256")),
            "signed"
        );
        assert_eq!(verdict_of(&[key(json!({}))], Some("RS256")), "algorithm_refused");
        assert_eq!(verdict_of(&[key(json!({}))], Some("none")), "algorithm_refused");
        for other in
            [json!({"use": "enc"}), json!({"alg": "ES384"}), json!({"key_ops": ["sign"]}), json!({"crv": "P-384"})]
        {
            assert_eq!(verdict_of(&[key(other.clone())], None), "unknown_key", "{other}");
        }
        assert_eq!(verdict_of(&[], None), "unknown_key");
    }

    #[test]
    fn a_set_with_a_secret_in_it_is_none() {
        let read = |keys: Value| public_set(&json!({ "keys": keys, "more": 1 }).to_string());
        assert_eq!(read(json!([key(json!({"x5u": "x"})), {"kty": "XYZ"}])), Some(json!({"keys": [key(json!({}))]})));
        assert_eq!(read(json!([])), Some(json!({"keys": []})));
        for bad in [
            json!([key(json!({"d": "x"}))]),
            json!([{"kty": "oct", "k": "x"}]),
            json!([{"kty": "oct"}]),
            json!([1]),
            json!({}),
        ] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
        for bad in ["", "[]", "{}", r#"{"keys":[],"keys":[]}"#, "<html>"] {
            assert_eq!(public_set(bad), None, "{bad}");
        }
    }
}
