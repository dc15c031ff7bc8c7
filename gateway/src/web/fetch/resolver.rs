//! A resolver that knows no address that may not be reached. Who connects gets what was looked at, so no second answer of a name
//! server can differ from the first.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{self, Allowed};

/// Which addresses may be reached.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// The Internet's, and what is allowed.
    Internet,
    /// This machine's.
    Loopback,
    /// This machine's, where they are allowed.
    AllowedLoopback,
}

impl Rule {
    /// Whether this address may be, by this name if it was found by one.
    pub fn permits(self, allowed: &[Allowed], name: Option<&str>, address: IpAddr) -> bool {
        let covered = || allowed.iter().any(|allowed| allowed.covers(name, address::plain(address)));
        match self {
            Self::Internet => address::is_global(address) || covered(),
            Self::Loopback => address::is_loopback(address),
            Self::AllowedLoopback => address::is_loopback(address) && covered(),
        }
    }
}

/// The addresses of a name.
pub type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> + Send + Sync>;

/// As the operating system knows them.
pub fn system() -> Lookup {
    Arc::new(|name| Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }))
}

/// The resolver of a client of reqwest's.
pub struct Guard {
    /// Where that client may go.
    pub rule: Rule,
    /// The setting `fetch.allow`.
    pub allowed: Arc<[Allowed]>,
    /// What knows the names.
    pub lookup: Lookup,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (rule, allowed, found) = (self.rule, Arc::clone(&self.allowed), (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await?;
            let all = found.len();
            let good: Vec<SocketAddr> =
                found.into_iter().filter(|found| rule.permits(&allowed, Some(name.as_str()), found.ip())).collect();
            if good.is_empty() && all > 0 {
                return Err(format!("{} has only addresses that may not be reached", name.as_str()).into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}
