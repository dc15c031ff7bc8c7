//! SQL's way to tokens: verifying them for their claims, and looking into them. Making them is mint.rs.

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::errors::{Code, Error};
use crate::jsonb::Document;
use crate::jwk::Algorithm;
use crate::jws;
use crate::native::sql_function;
use crate::pairwise;
use crate::rows::View;
use crate::tokens::{self, Audience, Demands, Issuers, Purpose};

sql_function! {
    /// `identity.verify_jwt(token, audience)`: the claims of any token of ours or of a trusted issuer. It makes nobody anybody.
    fn verify_jwt(token: Option<&str>, audience: Option<&str>) -> Result<Document, Error> {
        let audience = audience.map_or(Audience::Accepted, Audience::Named);
        claims(jws::present(token)?, &Demands { issuers: Issuers::OursAndTrusted, purpose: Purpose::Anything, audience })
    }
}

sql_function! {
    /// `identity.access_token_verify(token, audience)`: the claims of our own access token; NULL when it is not good, whatever
    /// the reason. No error that SQL would have to catch, for a handler is a subtransaction.
    fn access_token_verify(token: Option<&str>, audience: Option<&str>) -> Result<Option<Document>, Error> {
        let audience = audience.map_or(Audience::Unchecked, Audience::Named);
        let demands = Demands { issuers: Issuers::Ours, purpose: Purpose::Access, audience };
        good(jws::present(token).and_then(|token| claims(token, &demands)))
    }
}

sql_function! {
    /// `identity.id_token_hint_verify(token)`: the claims of our own ID token, however old; NULL when it is not one.
    fn id_token_hint_verify(token: &str) -> Result<Option<Document>, Error> {
        let demands = Demands { issuers: Issuers::Ours, purpose: Purpose::Hint, audience: Audience::Unchecked };
        good(tokens::check(token, &demands).and_then(|identity| {
            // Whom and which session it means, also where a sector knows them under other names.
            let (view, mut claims) = (View::latest(), identity.claims);
            if let Some(person) = pairwise::person(&view, &identity.subject)? {
                claims.insert("sub".to_owned(), person.into());
            }
            if let Some(session) = claims.get("sid").and_then(Value::as_str).map(|sid| pairwise::session(&view, sid)).transpose()?.flatten() {
                claims.insert("sid".to_owned(), session.into());
            }
            Ok(Document(Value::Object(claims)))
        }))
    }
}

sql_function! {
    /// `identity.decode_jwt_unverified(token)`: what a token says, true or not.
    fn decode_jwt_unverified(token: &str) -> Result<Document, Error> {
        let jws = jws::read(token)?;
        Ok(Document(json!({ "header": Value::Object(jws.header.members), "claims": Value::Object(jws.claims) })))
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

/// What is wrong with a token is an answer; anything else is our fault and stays an error.
fn good(claims: Result<Document, Error>) -> Result<Option<Document>, Error> {
    match claims {
        Ok(claims) => Ok(Some(claims)),
        Err(error) if error.code.is_about_the_token() => Ok(None),
        Err(error) => Err(error),
    }
}

fn claims(token: &str, demands: &Demands<'_>) -> Result<Document, Error> {
    let claims: Map<String, Value> = tokens::check(token, demands)?.claims;
    Ok(Document(Value::Object(claims)))
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
