//! How many connections there may be: in all, and from one source.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ipnet::IpNet;
use metrics::{counter, gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::network;
use crate::config;

/// The places of a listener.
pub struct Places {
    free: Arc<Semaphore>,
    all: usize,
    each: usize,
    trusted: Vec<IpNet>,
    sources: Arc<Sources>,
    refused: Mutex<Refused>,
}

/// Connections of each source that has any, so never more entries than places.
#[derive(Default)]
struct Sources(Mutex<HashMap<IpAddr, usize>>);

/// Connections refused since the last line in the log.
struct Refused {
    count: u64,
    noted: Option<Instant>,
}

/// A connection's place. It is free again when this is dropped.
pub struct Place {
    _free: OwnedSemaphorePermit,
    _counted: Option<Counted>,
}

struct Counted {
    source: IpAddr,
    sources: Arc<Sources>,
}

impl Places {
    /// As configured.
    pub fn new(settings: &config::Http) -> Self {
        let all = settings.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(all)),
            all,
            each: settings.connections_per_source,
            trusted: settings.trusted_proxies.clone(),
            sources: Arc::default(),
            refused: Mutex::new(Refused { count: 0, noted: None }),
        }
    }

    /// A place for a connection from there, if there is one.
    pub fn take(&self, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        // A proxy brings everybody's requests; whom they come from is known when they are read (web/limits.rs).
        let proxy = self.trusted.iter().any(|network| network.contains(&peer));
        let counted = if self.each == 0 || proxy {
            None
        } else {
            match self.sources.enter(network(peer), self.each) {
                Some(counted) => Some(counted),
                None => return self.refuse(peer, "source"),
            }
        };
        match Arc::clone(&self.free).try_acquire_owned() {
            Ok(free) => {
                gauge!("gateway_connections").increment(1);
                Some(Place { _free: free, _counted: counted })
            }
            Err(_) => self.refuse(peer, "all"),
        }
    }

    /// Whether so few places are left that idle connections should make room.
    pub fn scarce(&self) -> bool {
        self.free.available_permits() < self.all / 4
    }

    /// Until every place is free.
    pub async fn empty(&self) {
        // An error means that the semaphore is closed, which nobody does.
        let _ = self.free.acquire_many(u32::try_from(self.all).unwrap_or(u32::MAX)).await;
    }

    /// One line for many refusals, naming one of the sources: whoever floods us must not fill a disk.
    fn refuse(&self, source: IpAddr, limit: &'static str) -> Option<Place> {
        counter!("gateway_connections_refused_total", "limit" => limit).increment(1);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        if refused.noted.is_none_or(|noted| noted.elapsed() >= NOTE) {
            tracing::warn!(count = refused.count, %source, limit, "connections are refused, there are too many");
            *refused = Refused { count: 0, noted: Some(Instant::now()) };
        }
        None
    }
}

impl Sources {
    fn enter(self: &Arc<Self>, source: IpAddr, most: usize) -> Option<Counted> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = sources.entry(source).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { source, sources: Arc::clone(self) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut sources = self.sources.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = sources.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                sources.remove(&self.source);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        gauge!("gateway_connections").decrement(1);
    }
}

/// At most one line in the log in this time.
const NOTE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, each: usize) -> Places {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        Places::new(&config::Http {
            connections,
            connections_per_source: each,
            trusted_proxies,
            ..config::Http::default()
        })
    }

    fn take(places: &Places, peer: &str, count: usize) -> Vec<Place> {
        (0..count).filter_map(|_| places.take(peer.parse().unwrap())).collect()
    }

    #[test]
    fn one_source_gets_no_more_than_its_share_and_others_get_theirs() {
        let places = places(10, 3);
        let first = take(&places, "192.0.2.1", 9);
        assert_eq!(first.len(), 3);
        assert_eq!(take(&places, "192.0.2.2", 9).len(), 3);
        drop(first);
        assert_eq!(take(&places, "192.0.2.1", 9).len(), 3);
        assert!(places.sources.0.lock().unwrap().is_empty());
    }

    #[test]
    fn an_ipv6_source_is_its_network_and_a_mapped_address_is_ipv4() {
        let places = places(10, 1);
        let _first = take(&places, "2001:db8::1", 1);
        assert!(take(&places, "2001:db8::2", 1).is_empty());
        let _second = take(&places, "192.0.2.1", 1);
        assert!(take(&places, "::ffff:192.0.2.1", 1).is_empty());
    }

    #[test]
    fn a_trusted_proxy_may_take_all_and_zero_is_no_limit() {
        assert_eq!(take(&places(10, 3), "10.1.2.3", 20).len(), 10);
        assert_eq!(take(&places(10, 0), "192.0.2.1", 20).len(), 10);
    }

    #[test]
    fn places_are_scarce_when_less_than_a_quarter_is_left() {
        let places = places(8, 0);
        let _taken = take(&places, "192.0.2.1", 6);
        assert!(!places.scarce());
        let _more = take(&places, "192.0.2.1", 1);
        assert!(places.scarce());
    }
}
