//! How much one source may ask for.
//!
//! The memory is fixed: every source falls into one of [`BUCKETS`] buckets by a hash that is keyed anew at each start, so
//! a flood from many addresses fills no table, and nobody can aim at the bucket of somebody else.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    marker::PhantomData,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::Request,
    http::{HeaderValue, header::RETRY_AFTER},
    response::Response,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, QuantaClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use metrics::counter;

use super::{
    proxy::Source,
    refusal::{self, Reader},
    state::AppState,
};
use crate::config;

/// A limit of each key.
pub(super) type Limiter<K> = RateLimiter<K, Buckets<K>, QuantaClock, NoOpMiddleware<<QuantaClock as Clock>::Instant>>;

/// The limit of each source.
pub struct SourceLimits {
    limiter: Option<Limiter<IpAddr>>,
    clock: QuantaClock,
    refused: Mutex<Refused>,
}

/// Requests refused since the last line in the log.
struct Refused {
    count: u64,
    since: Instant,
}

impl SourceLimits {
    /// As configured; `per_second` 0 is no limit.
    pub fn new(settings: &config::Limits) -> Self {
        let clock = QuantaClock::default();
        let limiter = NonZeroU32::new(settings.per_second).map(|rate| {
            let burst = NonZeroU32::new(settings.burst).unwrap_or(NonZeroU32::MIN);
            RateLimiter::new(Quota::per_second(rate).allow_burst(burst), Buckets::new(BUCKETS), clock.clone())
        });
        Self { limiter, clock, refused: Mutex::new(Refused { count: 0, since: Instant::now() }) }
    }

    /// How long this source has to wait, if it has to.
    fn wait(&self, source: IpAddr) -> Option<Duration> {
        let refused = self.limiter.as_ref()?.check_key(&network(source)).err()?;
        Some(refused.wait_time_from(self.clock.now()))
    }

    /// One line for many refusals, naming one of the sources.
    fn note(&self, source: IpAddr) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        if refused.since.elapsed() >= NOTE || refused.count == 1 {
            tracing::warn!(count = refused.count, %source, "sources are over their limit");
            *refused = Refused { count: 1, since: Instant::now() };
        }
    }
}

/// 429 with Retry-After for a source that asks for too much.
pub fn refusal(state: &AppState, source: Source, request: &Request) -> Option<Response> {
    let wait = state.limits.wait(source.address)?;
    counter!("gateway_limited_total").increment(1);
    state.limits.note(source.address);
    let mut response = refusal::too_many_requests(state, Reader::of(request.headers()));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    Some(response)
}

/// A household or a server gets a /64 of IPv6: its owner could take a new address for every request.
pub(super) fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// What is known of each key, in so many buckets.
pub(super) struct Buckets<K> {
    buckets: Box<[InMemoryState]>,
    hasher: RandomState,
    keys: PhantomData<fn(K)>,
}

impl<K> Buckets<K> {
    /// So many, empty.
    pub(super) fn new(number: usize) -> Self {
        let buckets = (0..number.max(1)).map(|_| InMemoryState::default()).collect();
        Self { buckets, hasher: RandomState::new(), keys: PhantomData }
    }
}

impl<K: Clone + Eq + Hash> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let index = self.hasher.hash_one(key) as usize % self.buckets.len();
        match self.buckets.get(index) {
            Some(bucket) => bucket.measure_and_replace(&NotKeyed::NonKey, measure),
            // Cannot be: the index is below their number.
            None => measure(None).map(|(value, _)| value),
        }
    }
}

/// At most one line in the log in this time.
const NOTE: Duration = Duration::from_secs(10);
/// 512 KiB of them. With 1,000 sources at once, two in three hundred share a bucket with another.
const BUCKETS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_second: u32, burst: u32) -> SourceLimits {
        SourceLimits::new(&config::Limits { per_second, burst })
    }

    #[test]
    fn a_source_waits_after_its_burst_and_others_do_not() {
        let limits = limits(1, 3);
        let source = "192.0.2.1".parse().unwrap();
        assert!((0..3).all(|_| limits.wait(source).is_none()));
        assert!(limits.wait(source).is_some_and(|wait| wait <= Duration::from_secs(1)));
        assert!((2..200).filter(|n| limits.wait(IpAddr::from([192, 0, 2, *n])).is_some()).count() < 3);
    }

    #[test]
    fn an_ipv6_source_is_its_network() {
        let limits = limits(1, 1);
        assert!(limits.wait("2001:db8::1".parse().unwrap()).is_none());
        assert!(limits.wait("2001:db8::2".parse().unwrap()).is_some());
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = limits(0, 0);
        assert!((0..1000).all(|_| limits.wait("192.0.2.1".parse().unwrap()).is_none()));
    }
}
