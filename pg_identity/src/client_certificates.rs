//! Certificates with which clients prove themselves in TLS (RFC 8705 §2). Whether one is good for a client is decided in
//! `sql/store/functions/client_certificates.sql`; here is only what it says, and whether its key is among those of a JWK set.
//!
//! That somebody holds its private key was seen in TLS, by whoever spoke it; no signature of a certificate is checked here.

mod names;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use x509_cert::Certificate;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, oid::db};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::jsonb::Document;
use crate::native::sql_function;
use names::Kind;

/// Bytes of DER. The largest that authorities issue are half of it.
const LONGEST: usize = 8 * 1024;

sql_function! {
    /// `identity.client_certificate_read(certificate)`: its names, each in the form that `client_certificate_name` gives to a registered
    /// one, under the name of the metadata member that asks for it, and `not_before` and `not_after`; NULL when it is not strictly a
    /// certificate in DER.
    fn client_certificate_read(certificate: &[u8]) -> Result<Option<Document>, Error> {
        Ok(read(certificate).map(Document))
    }
}

sql_function! {
    /// `identity.client_certificate_name(member, value)`: a registered name in the form in which it is compared; NULL when it is none.
    fn client_certificate_name(member: &str, value: &str) -> Result<Option<String>, Error> {
        Ok(Kind::of(member).and_then(|kind| kind.registered(value)))
    }
}

sql_function! {
    /// `identity.client_certificate_published(certificate, jwks)`: whether the certificate (`x5c`), or its key where there is no
    /// certificate beside, is in the JWK set.
    fn client_certificate_published(certificate: &[u8], jwks: pgrx::JsonB) -> Result<bool, Error> {
        Ok(published(certificate, &jwks.0))
    }
}

fn parsed(certificate: &[u8]) -> Option<Certificate> {
    if certificate.len() > LONGEST {
        return None;
    }
    Certificate::from_der(certificate).ok()
}

fn read(certificate: &[u8]) -> Option<Value> {
    let certificate = parsed(certificate)?.tbs_certificate;
    // Twice the same extension, or one that cannot be read, is no certificate (RFC 5280 §4.2).
    let alternatives = certificate.get::<SubjectAltName>().ok()?.map(|(_, names)| names.0).unwrap_or_default();
    let mut read: Map<String, Value> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let found = alternatives.iter().filter_map(|name| kind.alternative(name)).map(Value::String).collect();
            (kind.member().to_owned(), Value::Array(found))
        })
        .collect();
    read.insert(Kind::SubjectDn.member().to_owned(), json!([names::distinguished(&certificate.subject)?]));
    for (name, time) in [("not_before", certificate.validity.not_before), ("not_after", certificate.validity.not_after)]
    {
        read.insert(name.to_owned(), time.to_unix_duration().as_secs().into());
    }
    Some(Value::Object(read))
}

fn published(certificate: &[u8], set: &Value) -> bool {
    let Some(parsed) = parsed(certificate) else { return false };
    let own = key(&parsed.tbs_certificate.subject_public_key_info).unwrap_or_default();
    let is_own = |key: &Map<String, Value>| {
        !own.is_empty() && own.iter().all(|(name, value)| key.get(*name).and_then(Value::as_str) == Some(value))
    };
    let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // RFC 7517 §4.2: what is for encryption proves nobody.
    let mut keys =
        keys.iter().filter_map(Value::as_object).filter(|key| key.get("use").is_none_or(|purpose| purpose == "sig"));
    keys.any(|key| match key.get("x5c") {
        // RFC 7517 §4.7: the certificate of the key comes first.
        Some(chain) => {
            let first = chain.get(0).and_then(Value::as_str).and_then(|text| BASE64_STANDARD.decode(text).ok());
            first.is_some_and(|first| first == certificate)
        }
        None => is_own(key),
    })
}

/// The members of a JWK that say which public key it is (RFC 7518 §6, RFC 8037 §2); `None` for kinds that we do not know.
fn key(info: &SubjectPublicKeyInfoOwned) -> Option<Vec<(&'static str, String)>> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let bits = info.subject_public_key.as_bytes()?;
    match info.algorithm.oid {
        db::rfc5912::RSA_ENCRYPTION => {
            let numbers = AnyRef::from_der(bits).ok()?;
            let (n, e) = numbers.sequence(|reader| Ok((UintRef::decode(reader)?, UintRef::decode(reader)?))).ok()?;
            Some(vec![("kty", "RSA".to_owned()), ("n", encode(n.as_bytes())), ("e", encode(e.as_bytes()))])
        }
        db::rfc5912::ID_EC_PUBLIC_KEY => {
            let curve = info.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok()?;
            let (name, size) = match curve {
                db::rfc5912::SECP_256_R_1 => ("P-256", 32),
                db::rfc5912::SECP_384_R_1 => ("P-384", 48),
                db::rfc5912::SECP_521_R_1 => ("P-521", 66),
                _ => return None,
            };
            // RFC 5480 §2.2: uncompressed, as everybody writes it.
            let (x, y) = bits.strip_prefix(&[4])?.split_at_checked(size)?;
            (y.len() == size).then(|| {
                let (kty, crv) = ("EC".to_owned(), name.to_owned());
                vec![("kty", kty), ("crv", crv), ("x", encode(x)), ("y", encode(y))]
            })
        }
        db::rfc8410::ID_ED_25519 => {
            Some(vec![("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", encode(bits))])
        }
        _ => None,
    }
}
