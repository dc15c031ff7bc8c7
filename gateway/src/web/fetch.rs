//! Documents of other parties, fetched from addresses that other parties name: metadata and keys of issuers, keys and requests of
//! clients. Nobody may send this machine to places that only it can reach.
//!
//! https; http for loopback, and only where an administrator named it. The URL is looked at after normalisation, since
//! addresses are spelled in many ways and never reach a resolver (`127.1`, `0x7f.1`, `2130706433`, `[::ffff:127.0.0.1]`), and the
//! addresses of a name once more where it is resolved, for the very connection. No redirects, no proxy, no cookies, no kept
//! connections; a limit on time and on bytes.

mod address;
mod post;
mod resolver;

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, StatusCode, header, redirect};
use serde_json::Value;
use url::{Host, Url};

pub use address::Allowed;
pub use resolver::Lookup;

use self::resolver::{Guard, Rule};
use crate::{
    config,
    failure::{Failure, chain},
};

/// Whether the document may lie on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the Internet, and those of the setting `fetch.allow`, over https.
    Internet,
    /// Loopback, over http too: for an issuer on loopback, whom only an administrator can have named.
    Loopback,
    /// What a client has named: as the Internet, and http on loopback where `fetch.allow` names that.
    Client,
}

/// Fetches; cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    internet: Client,
    loopback: Client,
    allowed_loopback: Client,
    allowed: Arc<[Allowed]>,
    limit: usize,
}

impl Fetcher {
    /// A fetcher with these settings.
    ///
    /// # Errors
    /// When the certificate authorities cannot be read.
    pub fn new(settings: &config::Fetch) -> Result<Self, Failure> {
        Self::resolving(settings, &resolver::system())
    }

    /// The same, with names resolved in this way.
    fn resolving(settings: &config::Fetch, lookup: &Lookup) -> Result<Self, Failure> {
        let allowed: Arc<[Allowed]> = settings.allow.clone().into();
        let authorities = settings.ca.as_deref().map_or_else(|| Ok(Vec::new()), authorities)?;
        let built = |rule, builder: ClientBuilder| {
            builder
                .dns_resolver(Arc::new(Guard { rule, allowed: Arc::clone(&allowed), lookup: Arc::clone(lookup) }))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                // A kept connection would skip the check of its address.
                .pool_max_idle_per_host(0)
                .timeout(Duration::from_secs(settings.timeout))
                .user_agent(concat!("pg_identity/", env!("CARGO_PKG_VERSION")))
                .build()
        };
        let client = |rule| {
            let beside = built(rule, Client::builder().tls_certs_merge(authorities.iter().cloned()));
            // A machine without authorities of its own serves all the same; then nobody but those of the setting is believed.
            let alone = |_| built(rule, Client::builder().tls_certs_only(authorities.iter().cloned()));
            beside.or_else(alone).map_err(|error| Failure::new(chain(&error)).during("fetch"))
        };
        Ok(Self {
            internet: client(Rule::Internet)?,
            loopback: client(Rule::Loopback)?,
            allowed_loopback: client(Rule::AllowedLoopback)?,
            allowed,
            limit: settings.limit,
        })
    }

    /// The JSON document at this URL.
    ///
    /// # Errors
    /// When it may not be fetched, cannot be fetched, is too large or is no JSON. Messages name the URL without its query.
    pub async fn json(&self, url: &str, reach: Reach) -> Result<Value, Failure> {
        let (url, response) =
            self.send(url, reach, |client, url| client.get(url).header(header::ACCEPT, "application/json")).await?;
        let read = async {
            found(&response)?;
            if !is_json(&response) {
                return Err("answered with something that is not JSON (Content-Type)".to_owned());
            }
            let body = whole(response, self.limit).await?;
            serde_json::from_slice(&body).map_err(|error| format!("is not JSON: {error}"))
        };
        read.await.map_err(|why| Failure::new(why).during(shown(&url)))
    }

    /// The text at this URL, of whatever type it is said to be: its reader knows what it has to be.
    ///
    /// # Errors
    /// As [`Self::json`]; when it is longer than `limit` bytes, or no text.
    pub async fn text(&self, url: &str, reach: Reach, accept: &'static str, limit: usize) -> Result<String, Failure> {
        let (url, response) =
            self.send(url, reach, |client, url| client.get(url).header(header::ACCEPT, accept)).await?;
        let read = async {
            found(&response)?;
            let body = whole(response, limit.min(self.limit)).await?;
            // PostgreSQL knows no U+0000.
            let text = String::from_utf8(body).ok().filter(|text| !text.contains('\0'));
            text.ok_or_else(|| "is no text in UTF-8".to_owned())
        };
        read.await.map_err(|why| Failure::new(why).during(shown(&url)))
    }

    /// The answer, of whatever status, to the request that is built here; permitted first, on a connection that is looked at.
    async fn send(
        &self,
        url: &str,
        reach: Reach,
        build: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<(Url, Response), Failure> {
        let mut url = Url::parse(url).map_err(|error| Failure::new(format!("the address is no URL: {error}")))?;
        url.set_fragment(None);
        let client = self.permit(&url, reach).map_err(|why| {
            Failure::new(why).during(shown(&url)).hint("settings fetch.allow and fetch.ca are for private networks")
        })?;
        let response = build(client, url.clone()).send().await;
        let response = response.map_err(|error| Failure::new(reason(error)).during(shown(&url)))?;
        Ok((url, response))
    }

    /// What can be said before anything is resolved: who may connect there, if anybody may.
    fn permit(&self, url: &Url, reach: Reach) -> Result<&Client, String> {
        let (client, rule) = match (url.scheme(), reach) {
            ("https", Reach::Internet | Reach::Client) => (&self.internet, Rule::Internet),
            ("https" | "http", Reach::Loopback) => (&self.loopback, Rule::Loopback),
            ("http", Reach::Client) if on_loopback(url) => (&self.allowed_loopback, Rule::AllowedLoopback),
            ("http", Reach::Client) => return Err("only https is fetched".to_owned()),
            _ => return Err("only https is fetched, http from loopback issuers".to_owned()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address holds a user name or a password".to_owned());
        }
        let address = match url.host() {
            // Resolved and looked at by the guard.
            Some(Host::Domain(_)) => return Ok(client),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            None => return Err("the address has no host".to_owned()),
        };
        if rule.permits(&self.allowed, None, address) {
            Ok(client)
        } else {
            Err(format!("{address} is an address of a private or special network"))
        }
    }
}

/// Whether this URL says of itself that it is on this machine.
pub fn on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn found(response: &Response) -> Result<(), String> {
    match response.status() {
        StatusCode::OK => Ok(()),
        status => Err(format!("answered with status {}, not 200", status.as_u16())),
    }
}

/// A length that is announced is not believed: what counts is what arrives.
async fn whole(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reason)? {
        if body.len() + chunk.len() > limit {
            return Err(format!("is longer than {limit} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn is_json(response: &Response) -> bool {
    let media_type =
        response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // RFC 7517 §8.5.2: application/jwk-set+json
    media_type == "application/json" || media_type.starts_with("application/") && media_type.ends_with("+json")
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::new(format!("fetch.ca {}: {error}", path.display()));
    let text = std::fs::read(path).map_err(|error| fail(&error))?;
    let authorities = Certificate::from_pem_bundle(&text).map_err(|error| fail(&chain(&error)))?;
    if authorities.is_empty() { Err(fail(&"holds no certificate")) } else { Ok(authorities) }
}

/// reqwest names the URL in its errors, with everything in it.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() { "did not answer in time".to_owned() } else { chain(&error.without_url()) }
}

/// For messages and logs.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // An error means that there can be none.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.into()
}

#[cfg(test)]
mod tests;
