//! The certificate that a client showed to the proxy which speaks TLS for us (RFC 8705 §2), as that proxy hands it on.
//!
//! Whoever could write this header could be any client. So it is believed from the trusted proxies only, and taken out of every
//! request before anything else looks at it. Whose certificate it is, is decided in SQL, which gets its bytes.

use std::{convert::Infallible, fmt, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, request::Parts},
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::config::{CertificateChain, CertificateEncoding, Http};

/// What came with the request, by whom it came: an argument of handlers.
#[derive(Clone, Default)]
pub struct ClientCertificate(Shown);

#[derive(Clone, Default)]
enum Shown {
    #[default]
    Nothing,
    Certificate(Bytes, CertificateChain),
    Unreadable(Unreadable),
}

/// Why the header of a trusted proxy holds no certificate; never what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// RFC 9440 §2.2: one certificate is one field; a second one may be the client's own.
    #[error("the proxy sent more than one client certificate")]
    Repeated,
    /// Not as configured.
    #[error("the client certificate that the proxy sent cannot be read: it is not encoded as configured")]
    Encoding,
    /// More than the database reads.
    #[error("the client certificate is longer than 8 KiB")]
    TooLong,
}

impl ClientCertificate {
    /// Takes it out of the headers of a request that came from `peer`.
    pub fn take(http: &Http, peer: IpAddr, headers: &mut HeaderMap) -> Self {
        let Some(name) = &http.client_certificate_header else { return Self::default() };
        let values: Vec<HeaderValue> = headers.get_all(&name.0).iter().cloned().collect();
        headers.remove(&name.0);
        if !http.trusts(peer) {
            return Self::default();
        }
        Self(match values.as_slice() {
            [] => Shown::Nothing,
            [value] => match decoded(value.as_bytes(), http.client_certificate_encoding) {
                Ok(None) => Shown::Nothing,
                Ok(Some(der)) => Shown::Certificate(der.into(), http.client_certificate_chain),
                Err(unreadable) => Shown::Unreadable(unreadable),
            },
            _ => Shown::Unreadable(Unreadable::Repeated),
        })
    }

    /// Its DER, and what the proxy did with its chain.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(&self) -> Result<Option<(Bytes, CertificateChain)>, Unreadable> {
        match &self.0 {
            Shown::Nothing => Ok(None),
            Shown::Certificate(der, chain) => Ok(Some((der.clone(), *chain))),
            Shown::Unreadable(unreadable) => Err(*unreadable),
        }
    }
}

/// Who somebody is, which is nobody else's business.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate")
    }
}

impl<S: Sync> FromRequestParts<S> for ClientCertificate {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// The DER of a value; `None` where the proxy says that there is no certificate.
fn decoded(value: &[u8], encoding: CertificateEncoding) -> Result<Option<Vec<u8>>, Unreadable> {
    let value = std::str::from_utf8(value).map_err(|_| Unreadable::Encoding)?.trim();
    // HAProxy sends the header in any case; Apache writes this for a variable that is not set.
    if value.is_empty() || value == "(null)" {
        return Ok(None);
    }
    let base64 = match encoding {
        // RFC 8941 §3.3.5: a byte sequence stands between colons.
        CertificateEncoding::Rfc9440 => {
            value.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).map(str::to_owned)
        }
        CertificateEncoding::Pem => unarmored(value),
        CertificateEncoding::Base64 => Some(value.to_owned()),
    };
    let der =
        base64.and_then(|text| STANDARD.decode(text).ok()).filter(|der| !der.is_empty()).ok_or(Unreadable::Encoding)?;
    if der.len() > LONGEST { Err(Unreadable::TooLong) } else { Ok(Some(der)) }
}

/// RFC 7468 §2, one certificate: URL-encoded (nginx, Envoy), or with spaces in place of the ends of lines (Apache).
fn unarmored(value: &str) -> Option<String> {
    let text = percent_decoded(value)?;
    let text = text.trim().strip_prefix("-----BEGIN CERTIFICATE-----")?.strip_suffix("-----END CERTIFICATE-----")?;
    Some(text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect())
}

/// Not as a form: a `+` is a letter of base64.
fn percent_decoded(value: &str) -> Option<String> {
    let mut parts = value.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(decoded).ok()
}

/// Bytes: as many as `identity.client_certificate_read` takes.
const LONGEST: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn http(encoding: CertificateEncoding) -> Http {
        Http {
            client_certificate_header: Some("client-cert".parse().unwrap()),
            client_certificate_encoding: encoding,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Http::default()
        }
    }

    fn take(encoding: CertificateEncoding, peer: &str, values: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("Client-Cert", value.parse().unwrap());
        }
        let taken = ClientCertificate::take(&http(encoding), peer.parse().unwrap(), &mut headers);
        assert!(headers.is_empty(), "nobody else sees it");
        taken.read().map(|read| read.map(|(der, _)| der.to_vec()))
    }

    use CertificateEncoding::{Base64, Pem, Rfc9440};

    #[test]
    fn each_encoding_is_read_and_no_other_in_its_place() {
        let der = Ok(Some(b"\x30\xfb\xff".to_vec()));
        let values = [
            (Rfc9440, ":MPv/:"),
            (Base64, "MPv/"),
            (Pem, "-----BEGIN%20CERTIFICATE-----%0AMPv%2F%0A-----END%20CERTIFICATE-----%0A"),
            (Pem, "-----BEGIN CERTIFICATE----- MP v/ -----END CERTIFICATE----- "),
            (Pem, "-----BEGIN CERTIFICATE-----%0d%0aMPv/%0d%0a-----END CERTIFICATE-----"),
        ];
        for (encoding, value) in values {
            for configured in [Rfc9440, Base64, Pem] {
                let expected = if configured == encoding { der.clone() } else { Err(Unreadable::Encoding) };
                assert_eq!(take(configured, "10.0.0.1", &[value]), expected, "{value}");
                assert_eq!(take(configured, "::ffff:10.0.0.1", &[value]), expected, "{value}");
            }
        }
        let plus = "-----BEGIN CERTIFICATE-----%0AMPv+%0A-----END CERTIFICATE-----";
        assert_eq!(take(Pem, "10.0.0.1", &[plus]), Ok(Some(b"\x30\xfb\xfe".to_vec())));
    }

    #[test]
    fn a_stranger_s_header_is_gone_and_says_nothing() {
        for values in [&[":MPv/:"][..], &[":MPv/:", ":MPv/:"], &["x"], &[""]] {
            assert_eq!(take(Rfc9440, "192.0.2.1", values), Ok(None));
        }
    }

    #[test]
    fn no_certificate_is_none_and_two_are_no_certificate() {
        for encoding in [Rfc9440, Base64, Pem] {
            for value in ["", " ", "(null)"] {
                assert_eq!(take(encoding, "10.0.0.1", &[value]), Ok(None), "{value}");
            }
            assert_eq!(take(encoding, "10.0.0.1", &[]), Ok(None));
            assert_eq!(take(encoding, "10.0.0.1", &["", ":MPv/:"]), Err(Unreadable::Repeated));
            assert_eq!(take(encoding, "10.0.0.1", &[":MPv/:", ":MPv/:"]), Err(Unreadable::Repeated));
        }
        assert_eq!(take(Rfc9440, "10.0.0.1", &[":MPv/:, :MPv/:"]), Err(Unreadable::Encoding));
        let pem = "-----BEGIN CERTIFICATE-----%0AMPv/%0A-----END CERTIFICATE-----%0A";
        assert_eq!(take(Pem, "10.0.0.1", &[&pem.repeat(2)]), Err(Unreadable::Encoding));
    }

    #[test]
    fn what_is_not_encoded_or_too_long_is_not_guessed_at() {
        for value in [":", "::", ":MPv/", "MPv/:", ":MPv:", ":MP v/:", ":MPv_:", ":MPv/:;a=1", "\"MPv/\""] {
            assert_eq!(take(Rfc9440, "10.0.0.1", &[value]), Err(Unreadable::Encoding), "{value}");
        }
        for value in [
            "%",
            "%4",
            "%zz",
            "%+1",
            "%ff",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE----------END CERTIFICATE-----",
        ] {
            assert_eq!(take(Pem, "10.0.0.1", &[value]), Err(Unreadable::Encoding), "{value}");
        }
        let long = |bytes: usize| format!(":{}:", STANDARD.encode(vec![0x30; bytes]));
        assert!(take(Rfc9440, "10.0.0.1", &[&long(LONGEST)]).is_ok());
        assert_eq!(take(Rfc9440, "10.0.0.1", &[&long(LONGEST + 1)]), Err(Unreadable::TooLong));
    }

    #[test]
    fn it_is_not_told_to_anybody() {
        let mut headers = HeaderMap::new();
        headers.append("client-cert", ":MPv/:".parse().unwrap());
        let taken = ClientCertificate::take(&http(Rfc9440), "10.0.0.1".parse().unwrap(), &mut headers);
        assert_eq!(format!("{taken:?}"), "ClientCertificate");
    }
}
