//! SQL's way to tokens: verifying them for their claims, looking into them, signing what the mint functions have put together.

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::errors::{Code, Error};
use crate::jwk::Algorithm;
use crate::jws;
use crate::keys;
use crate::native::sql_function;
use crate::tokens::{self, Audience, Demands, Issuers, Purpose};

sql_function! {
    /// `identity.verify_jwt(token, audience)`: the claims of any token of ours or of a trusted issuer. It makes nobody anybody.
    fn verify_jwt(token: Option<&str>, audience: Option<&str>) -> Result<pgrx::JsonB, Error> {
        let audience = audience.map_or(Audience::Accepted, Audience::Named);
        claims(jws::present(token)?, &Demands { issuers: Issuers::OursAndTrusted, purpose: Purpose::Anything, audience })
    }
}

sql_function! {
    /// `identity.access_token_verify(token, audience)`: the claims of our own access token.
    fn access_token_verify(token: Option<&str>, audience: Option<&str>) -> Result<pgrx::JsonB, Error> {
        let audience = audience.map_or(Audience::Unchecked, Audience::Named);
        claims(jws::present(token)?, &Demands { issuers: Issuers::Ours, purpose: Purpose::Access, audience })
    }
}

sql_function! {
    /// `identity.id_token_hint_verify(token)`: the claims of our own ID token, however old; NULL when it is not one.
    fn id_token_hint_verify(token: &str) -> Result<Option<pgrx::JsonB>, Error> {
        let demands = Demands { issuers: Issuers::Ours, purpose: Purpose::Hint, audience: Audience::Unchecked };
        match claims(token, &demands) {
            Ok(claims) => Ok(Some(claims)),
            Err(error) if error.code == Code::Internal => Err(error),
            Err(_) => Ok(None),
        }
    }
}

sql_function! {
    /// `identity.decode_jwt_unverified(token)`: what a token says, true or not.
    fn decode_jwt_unverified(token: &str) -> Result<pgrx::JsonB, Error> {
        let jws = jws::read(token)?;
        Ok(pgrx::JsonB(json!({ "header": Value::Object(jws.header), "claims": Value::Object(jws.claims) })))
    }
}

sql_function! {
    /// `identity.sign_claims(kid, algorithm, private_sealed, typ, claims)`: signs with one of our keys; owner only.
    fn sign_claims(kid: &str, algorithm: &str, private_sealed: &[u8], typ: &str, claims: pgrx::JsonB) -> Result<String, Error> {
        if !claims.0.is_object() {
            return Err(Error::new(Code::InvalidParameter, "claims is not a JSON object"));
        }
        let token = keys::sign(signing_algorithm(algorithm)?, kid, private_sealed, typ, claims.0.to_string().as_bytes())?;
        if token.len() > jws::LONGEST_TOKEN {
            return Err(Error::new(Code::InvalidParameter, "claims makes a token of more than 16 KiB"));
        }
        Ok(token)
    }
}

sql_function! {
    /// `identity.half_hash(value, algorithm)`: `at_hash` and `c_hash` (OpenID Connect Core §3.1.3.6), the left half of the hash that the
    /// signature of the ID token uses, base64url.
    fn half_hash(value: &str, algorithm: &str) -> Result<String, Error> {
        let hash = match Algorithm::named(algorithm).ok_or_else(|| unsupported(algorithm))? {
            Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 => &digest::SHA256,
            Algorithm::Es384 | Algorithm::Rs384 | Algorithm::Ps384 => &digest::SHA384,
            // Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
            Algorithm::Es512 | Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::EdDsa => &digest::SHA512,
        };
        let whole = digest::digest(hash, value.as_bytes());
        let (half, _) = whole.as_ref().split_at(whole.as_ref().len() / 2);
        Ok(BASE64_URL_SAFE_NO_PAD.encode(half))
    }
}

fn claims(token: &str, demands: &Demands<'_>) -> Result<pgrx::JsonB, Error> {
    let claims: Map<String, Value> = tokens::check(token, demands)?.claims;
    Ok(pgrx::JsonB(Value::Object(claims)))
}

fn signing_algorithm(name: &str) -> Result<keys::Algorithm, Error> {
    match name {
        "ES256" => Ok(keys::Algorithm::ES256),
        "RS256" => Ok(keys::Algorithm::RS256),
        "PS256" => Ok(keys::Algorithm::PS256),
        "EdDSA" => Ok(keys::Algorithm::EdDSA),
        other => Err(unsupported(other)),
    }
}

fn unsupported(_algorithm: &str) -> Error {
    Error::new(Code::Unsupported, "the algorithm is not known").with_hint("Ours are ES256, RS256, PS256 and EdDSA.")
}

#[cfg(test)]
mod tests {
    #[test]
    fn half_hash_is_that_of_openid_connect_core() {
        // OpenID Connect Core §A.3 (response_type=id_token token, RS256).
        assert_eq!(
            super::half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256").ok().unwrap(),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}
