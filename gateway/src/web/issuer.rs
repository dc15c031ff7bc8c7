//! The issuer: who this provider is, and where it is.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer};
use url::Url;

/// The issuer identifier (OpenID Connect Discovery §3, RFC 8414 §2): an https URL without query, fragment and trailing
/// slash, kept byte for byte as it was written. http is for loopback hosts only: everywhere else cookies, codes and
/// passwords would cross a network in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    text: String,
    origin: String,
    path: String,
    https: bool,
}

impl Issuer {
    /// The identifier, as it stands in tokens.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Scheme, host and port: what browsers send as `Origin`.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The issuer's path, empty when it has none; `/tenant` otherwise. Every endpoint but the well-known ones is below it.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Whether browsers reach us over TLS, so that cookies are `__Host-` and Secure.
    pub fn is_https(&self) -> bool {
        self.0.https
    }

    /// The absolute URL of an endpoint: `url("/token")`.
    pub fn url(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.0.text)
    }

    /// The path of an endpoint on this host: for links, redirects and form actions.
    pub fn local(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.0.path)
    }
}

impl FromStr for Issuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        let https = match url.scheme() {
            "https" => true,
            "http" if is_loopback(&url) => false,
            "http" => return Err("http is for loopback hosts only, use https".to_owned()),
            other => return Err(format!("must be an https URL, not {other}")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not have a query or fragment".to_owned());
        }
        if text.ends_with('/') {
            return Err("must not end with a slash".to_owned());
        }
        // Clients compare byte for byte, so the text must already be what every URL library makes of it.
        let normal = url.as_str().trim_end_matches('/');
        if normal != text {
            return Err(format!("is not in normal form, which is {normal}"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let origin = url.origin().ascii_serialization();
        Ok(Self(Arc::new(Inner { text: text.to_owned(), origin, path, https })))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Issuer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
