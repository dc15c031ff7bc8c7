//! How proxies hand on the certificates of clients (RFC 8705 §2, RFC 9440): part of `[http]`.

use std::str::FromStr;

use axum::http::HeaderName;
use clap::ValueEnum;
use serde::{Deserialize, Deserializer};

use super::Http;
use crate::failure::Failure;

/// The name of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField(pub HeaderName);

impl FromStr for HeaderField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "is not the name of a header".to_owned())
    }
}

impl<'de> Deserialize<'de> for HeaderField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a proxy writes a certificate into a header.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum CertificateEncoding {
    /// DER in base64 between colons: RFC 9440
    Rfc9440,
    /// PEM, URL-encoded or with spaces for line ends: nginx, Envoy, Apache
    Pem,
    /// DER in base64: HAProxy, Traefik
    Base64,
}

/// What a proxy has done with a certificate before it hands it on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum CertificateChain {
    /// It leads to an authority that the proxy believes: tls_client_auth, self_signed_tls_client_auth
    Verified,
    /// Anybody may have made it: self_signed_tls_client_auth only
    Unverified,
}

impl Http {
    /// Whether what is said of client certificates fits together.
    pub fn client_certificates_fit(&self) -> Result<(), Failure> {
        if self.client_certificate_header.is_none() {
            let alone = match (self.client_certificate_chain, &self.mtls_endpoint_aliases) {
                (CertificateChain::Verified, _) => "client_certificate_chain",
                (CertificateChain::Unverified, Some(_)) => "mtls_endpoint_aliases",
                (CertificateChain::Unverified, None) => return Ok(()),
            };
            return Err(Failure::new(format!("http.{alone}: set without http.client_certificate_header"))
                .hint("name the header in which the proxy hands on the certificate"));
        }
        if self.trusted_proxies.is_empty() {
            return Err(Failure::new("http.client_certificate_header: nobody is believed who sends it")
                .hint("set http.trusted_proxies to the proxy's address"));
        }
        Ok(())
    }
}
