//! Documents of other parties, fetched from addresses that other parties name: metadata and keys of issuers, later what clients
//! register. Nobody may send this machine to places that only it can reach.
//!
//! https; http for loopback, and only where an administrator named a loopback issuer. The URL is looked at after normalisation, since
//! addresses are spelled in many ways and never reach a resolver (`127.1`, `0x7f.1`, `2130706433`, `[::ffff:127.0.0.1]`), and the
//! addresses of a name once more where it is resolved, for the very connection. No redirects, no proxy, no cookies, no kept
//! connections; a limit on time and on bytes; JSON only.

mod address;

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Certificate, Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    header, redirect,
};
use serde_json::Value;
use url::{Host, Url};

pub use address::Allowed;

use crate::{
    config,
    failure::{Failure, chain},
};

/// Whether the document may lie on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the Internet, and those of the setting `fetch.allow`.
    Internet,
    /// Loopback, over http: for an issuer on loopback, whom only an administrator can have named.
    Loopback,
}

/// Fetches; cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    internet: Client,
    loopback: Client,
    allowed: Arc<[Allowed]>,
    limit: usize,
}

impl Fetcher {
    /// A fetcher with these settings.
    ///
    /// # Errors
    /// When the certificate authorities cannot be read.
    pub fn new(settings: &config::Fetch) -> Result<Self, Failure> {
        let allowed: Arc<[Allowed]> = settings.allow.clone().into();
        let authorities = settings.ca.as_deref().map_or_else(|| Ok(Vec::new()), authorities)?;
        let client = |reach| {
            Client::builder()
                .dns_resolver(Arc::new(Guard { reach, allowed: Arc::clone(&allowed) }))
                .tls_certs_merge(authorities.iter().cloned())
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                // A kept connection would skip the check of its address.
                .pool_max_idle_per_host(0)
                .timeout(Duration::from_secs(settings.timeout))
                .user_agent(concat!("pg_identity/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| Failure::new(chain(&error)).during("fetch"))
        };
        Ok(Self {
            internet: client(Reach::Internet)?,
            loopback: client(Reach::Loopback)?,
            allowed,
            limit: settings.limit,
        })
    }

    /// The JSON document at this URL.
    ///
    /// # Errors
    /// When it may not be fetched, cannot be fetched, is too large or is no JSON. Messages name the URL without its query.
    pub async fn json(&self, url: &str, reach: Reach) -> Result<Value, Failure> {
        let url = Url::parse(url).map_err(|error| Failure::new(format!("the address is no URL: {error}")))?;
        self.permit(&url, reach).map_err(|why| {
            Failure::new(why).during(shown(&url)).hint("settings fetch.allow and fetch.ca are for private networks")
        })?;
        self.read(url.clone(), reach).await.map_err(|why| Failure::new(why).during(shown(&url)))
    }

    /// What can be said before anything is resolved.
    fn permit(&self, url: &Url, reach: Reach) -> Result<(), String> {
        match (url.scheme(), reach) {
            ("https", Reach::Internet) | ("https" | "http", Reach::Loopback) => {}
            _ => return Err("only https is fetched, http from loopback issuers".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address holds a user name or a password".to_owned());
        }
        let address = match url.host() {
            // Resolved and looked at by the guard.
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            None => return Err("the address has no host".to_owned()),
        };
        if reachable(reach, &self.allowed, None, address) { Ok(()) } else { Err(refusal(address)) }
    }

    async fn read(&self, url: Url, reach: Reach) -> Result<Value, String> {
        let client = if reach == Reach::Loopback { &self.loopback } else { &self.internet };
        let request = client.get(url).header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(reason)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("answered with status {}, not 200", response.status().as_u16()));
        }
        if !is_json(&response) {
            return Err("answered with something that is not JSON (Content-Type)".to_owned());
        }
        let mut body = Vec::new();
        // A length that is announced is not believed: what counts is what arrives.
        while let Some(chunk) = response.chunk().await.map_err(reason)? {
            if body.len() + chunk.len() > self.limit {
                return Err(format!("is longer than {} bytes", self.limit));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| format!("is not JSON: {error}"))
    }
}

/// A resolver that knows no address that may not be reached. Who connects gets what was looked at, so no second answer of a name
/// server can differ from the first.
struct Guard {
    reach: Reach,
    allowed: Arc<[Allowed]>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, allowed) = (self.reach, Arc::clone(&self.allowed));
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let all = found.len();
            let good: Vec<SocketAddr> =
                found.into_iter().filter(|found| reachable(reach, &allowed, Some(name.as_str()), found.ip())).collect();
            if good.is_empty() && all > 0 {
                return Err(format!("{} has only addresses that may not be reached", name.as_str()).into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

fn reachable(reach: Reach, allowed: &[Allowed], name: Option<&str>, address: IpAddr) -> bool {
    match reach {
        Reach::Loopback => address::is_loopback(address),
        Reach::Internet => {
            address::is_global(address) || allowed.iter().any(|allowed| allowed.covers(name, address::plain(address)))
        }
    }
}

fn refusal(address: IpAddr) -> String {
    format!("{address} is an address of a private or special network")
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
