//! How much may be fetched at a time, in all and from one host, and how often from one host, for one client and for one stranger. Nobody waits long:
//! a fetch that finds no place is one that failed, and a host that hangs holds up its own documents only.

use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{Quota, RateLimiter, clock::QuantaClock};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use url::Url;

use super::{Kind, Need};
use crate::web::{
    hosts::{Hosts, PlaceAtHost},
    limits::{Buckets, Limiter, network},
};

/// The limits of all fetches of one kind of this gateway.
pub struct Gates {
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    hosts: Hosts,
    of_host: Limiter<String>,
    of_client: Limiter<String>,
    of_source: Limiter<IpAddr>,
}

/// Held while a document is fetched.
#[derive(Debug)]
pub struct Place {
    _place: OwnedSemaphorePermit,
    _of_host: PlaceAtHost,
    _running: [OwnedSemaphorePermit; 2],
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            running: Arc::new(Semaphore::new(AT_ONCE)),
            hosts: Hosts::new(HOST_AT_ONCE, HOST_WAITING),
            of_host: limiter(HOST_PER_SECOND, HOST_BURST),
            of_client: limiter(CLIENT_PER_SECOND, CLIENT_BURST),
            of_source: limiter(SOURCE_PER_SECOND, SOURCE_BURST),
        }
    }
}

impl Gates {
    /// A place, soon; or why there is none.
    pub async fn enter(&self, need: &Need) -> Result<Place, &'static str> {
        // Keys have a count in the database, which all gateways share.
        if let (Kind::RequestObject, Some(client)) = (need.kind, &need.client_id)
            && self.of_client.check_key(client).is_err()
        {
            return Err("too many documents of this client at once");
        }
        // Whoever registers has proved nothing yet, and has nothing counted by being asked for a document.
        if let (Kind::SectorIdentifier, Some(source)) = (need.kind, need.source)
            && self.of_source.check_key(&network(source)).is_err()
        {
            return Err("too many documents for this source at once");
        }
        let host = Url::parse(&need.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host = host.ok_or("the address is no URL with a host")?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| "too many documents at once")?;
        let (of_host, running) = self.hosts.enter(&host).ok_or("too many documents of this host at once")?;
        if self.of_host.check_key(&host).is_err() {
            return Err("too many documents of this host at once");
        }
        let all = Arc::clone(&self.running);
        // Its own first: whoever waits for a host that hangs takes no place from anybody else.
        let turn = async { Some([running.acquire_owned().await.ok()?, all.acquire_owned().await.ok()?]) };
        let running = timeout(PATIENCE, turn).await.ok().flatten().ok_or("too many documents at once")?;
        Ok(Place { _place: place, _of_host: of_host, _running: running })
    }
}

fn limiter<K: Clone + Eq + Hash>(per_second: NonZeroU32, burst: NonZeroU32) -> Limiter<K> {
    RateLimiter::new(Quota::per_second(per_second).allow_burst(burst), Buckets::new(BUCKETS), QuantaClock::default())
}

const AT_ONCE: usize = 256;
const WAITING: usize = 256;
const HOST_AT_ONCE: usize = 8;
const HOST_WAITING: usize = 56;
/// How long a place is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const HOST_PER_SECOND: NonZeroU32 = at_least_one(20);
const HOST_BURST: NonZeroU32 = at_least_one(100);
/// Of requests by reference, by fragments that are not kept: a person's sign-in takes one.
const CLIENT_PER_SECOND: NonZeroU32 = at_least_one(5);
const CLIENT_BURST: NonZeroU32 = at_least_one(50);
/// Of sectors that are looked up for one address: a registration takes one.
const SOURCE_PER_SECOND: NonZeroU32 = at_least_one(1);
const SOURCE_BURST: NonZeroU32 = at_least_one(20);
/// As many keys are told apart.
const BUCKETS: usize = 1 << 12;

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(kind: Kind, url: &str) -> Need {
        Need { kind, url: url.to_owned(), client_id: Some("client".to_owned()), source: None }
    }

    #[tokio::test]
    async fn a_host_that_hangs_takes_its_own_places_only() {
        let gates = Gates::default();
        let mut held = Vec::new();
        for n in 0..HOST_AT_ONCE {
            held.push(gates.enter(&need(Kind::Jwks, &format!("https://hangs.example/{n}"))).await.unwrap());
        }
        let late = need(Kind::Jwks, "https://hangs.example:444/late");
        assert!(timeout(PATIENCE / 20, gates.enter(&late)).await.is_err(), "it waits for one of them");
        gates.enter(&need(Kind::Jwks, "https://other.example/")).await.unwrap();
        drop(held);
        gates.enter(&need(Kind::Jwks, "https://hangs.example/again")).await.unwrap();
        assert_eq!(gates.hosts.held(), 0, "nothing stays");
    }

    #[tokio::test]
    async fn who_waits_for_a_host_is_bounded_and_the_rest_is_told_at_once() {
        let gates = Arc::new(Gates::default());
        let mut waiting = tokio::task::JoinSet::new();
        for n in 0..HOST_AT_ONCE + HOST_WAITING + 20 {
            let gates = Arc::clone(&gates);
            waiting.spawn(async move {
                let place = gates.enter(&need(Kind::Jwks, &format!("https://hangs.example/{n}"))).await;
                // Held until the end.
                place.map(std::mem::forget).is_ok()
            });
        }
        let entered = waiting.join_all().await.into_iter().filter(|entered| *entered).count();
        assert_eq!(entered, HOST_AT_ONCE);
        assert_eq!(gates.hosts.held(), HOST_AT_ONCE);
    }

    #[tokio::test]
    async fn a_client_has_so_many_requests_by_reference_and_other_clients_theirs() {
        let gates = Gates::default();
        let mut entered = 0;
        for n in 0..CLIENT_BURST.get() * 2 {
            entered +=
                u32::from(gates.enter(&need(Kind::RequestObject, &format!("https://{n}.example/"))).await.is_ok());
        }
        assert!((CLIENT_BURST.get()..CLIENT_BURST.get() + 10).contains(&entered), "{entered}");
        let other = Need { client_id: Some("other".to_owned()), ..need(Kind::RequestObject, "https://other.example/") };
        gates.enter(&other).await.unwrap();
    }

    #[tokio::test]
    async fn a_stranger_has_so_many_sectors_looked_up_and_others_theirs() {
        let gates = Gates::default();
        let of = |source: &str, n| Need {
            source: Some(source.parse().unwrap()),
            ..need(Kind::SectorIdentifier, &format!("https://{n}.example/"))
        };
        let mut entered = 0;
        for n in 0..SOURCE_BURST.get() * 2 {
            // Whichever address of their network they come from.
            entered += u32::from(gates.enter(&of(&format!("2001:db8::{n}"), n)).await.is_ok());
        }
        assert!((SOURCE_BURST.get()..SOURCE_BURST.get() + 5).contains(&entered), "{entered}");
        gates.enter(&of("192.0.2.1", 1)).await.unwrap();
    }

    /// What strangers name hangs at as many hosts as there are places for, and at the one that has somebody's keys.
    #[tokio::test]
    async fn what_strangers_name_takes_no_place_and_no_turn_from_keys() {
        let documents = super::super::Documents::default();
        let (sectors, mut held) = (documents.gates(Kind::SectorIdentifier), Vec::new());
        for n in 0..AT_ONCE {
            let url = format!("https://{}.example/{n}", n / HOST_AT_ONCE);
            held.push(sectors.enter(&need(Kind::SectorIdentifier, &url)).await.unwrap());
        }
        for n in 0..HOST_BURST.get() {
            drop(
                timeout(
                    Duration::ZERO,
                    sectors.enter(&need(Kind::SectorIdentifier, &format!("https://0.example/{n}"))),
                )
                .await,
            );
        }
        for kind in [Kind::Jwks, Kind::RequestObject] {
            let need = need(kind, "https://0.example/jwks");
            timeout(PATIENCE / 20, documents.gates(kind).enter(&need)).await.unwrap().unwrap();
        }
    }
}
