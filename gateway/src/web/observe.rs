//! Every request gets an id, a source, a span, a line in the log and its place in the metrics. None of them holds a query
//! string, a body, a cookie or any other header but the request's id: codes, tokens and sealed requests travel in those.

use std::{
    net::IpAddr,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use metrics::{Gauge, counter, gauge, histogram};
use tracing::{Span, field::Empty};

use super::{proxy::Source, state::AppState};
use crate::telemetry;

/// A request under way.
pub struct Observed {
    started: Instant,
    id: HeaderValue,
    source: Source,
    from_proxy: bool,
    method: &'static str,
    /// The template, not the path: paths are unbounded in number, and a stranger chooses them.
    route: Option<MatchedPath>,
    _running: Running,
}

impl Observed {
    /// Its head is there.
    pub fn begin(state: &AppState, peer: IpAddr, request: &Request) -> Self {
        let http = &state.settings.http;
        let from_proxy = http.trusts(peer);
        RUNNING.increment(1);
        Self {
            started: Instant::now(),
            id: request_id(from_proxy.then(|| request.headers())),
            source: Source::of(peer, request.headers(), &http.trusted_proxies, http.trusted_proxy_header),
            from_proxy,
            method: method(request.method()),
            route: request.extensions().get().cloned(),
            _running: Running,
        }
    }

    /// Where it comes from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The span of all that happens for it.
    pub fn span(&self, request: &Request) -> Span {
        let id = self.id.to_str().unwrap_or_default();
        let span = tracing::info_span!("request", id, otel.name = Empty, otel.kind = Empty);
        if telemetry::exports() {
            span.record("otel.name", format!("{} {}", self.method, self.route())).record("otel.kind", "server");
            if self.from_proxy {
                telemetry::continue_trace(&span, request.headers());
            }
        }
        span
    }

    /// Its response is there.
    pub fn end(&self, response: &mut Response) {
        let (method, route) = (self.method, self.route());
        let status = response.status();
        let seconds = self.started.elapsed().as_secs_f64();
        let ms = (seconds * 100_000.0).round() / 100.0;
        match status {
            // Whoever floods us must not fill a disk: the limiter says how many there were.
            StatusCode::TOO_MANY_REQUESTS => {
                tracing::debug!(method, route, status = status.as_u16(), ms, source = %self.source.address, "request");
            }
            _ => tracing::info!(method, route, status = status.as_u16(), ms, source = %self.source.address, "request"),
        }
        let route = route.to_owned();
        counter!("gateway_requests_total", "method" => method, "route" => route.clone(), "status" => status.as_str().to_owned())
            .increment(1);
        histogram!("gateway_request_seconds", "method" => method, "route" => route).record(seconds);
        response.headers_mut().insert(REQUEST_ID, self.id.clone());
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("none", MatchedPath::as_str)
    }
}

/// Also counts a request whose client went away in the middle.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.decrement(1);
    }
}

/// Known when the first request comes, as is who collects it.
static RUNNING: LazyLock<Gauge> = LazyLock::new(|| gauge!("gateway_requests_running"));

/// A trusted proxy's id, so that its log and ours can be joined, or one of our own.
fn request_id(trusted: Option<&HeaderMap>) -> HeaderValue {
    let given = trusted.and_then(|headers| headers.get(REQUEST_ID)).filter(|id| {
        let id = id.as_bytes();
        (1..=64).contains(&id.len())
            && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    });
    given.cloned().unwrap_or_else(|| {
        let id = format!("{:016x}{:016x}", *PROCESS, NEXT.fetch_add(1, Ordering::Relaxed));
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    })
}

/// Tells the requests of this process from those of every other. Nobody has to be unable to guess an id.
static PROCESS: LazyLock<u64> = LazyLock::new(|| {
    let mut random = [0; 8];
    // Without randomness requests cannot be told apart in the log, which is no reason to refuse them.
    let _ = aws_lc_rs::rand::fill(&mut random);
    u64::from_ne_bytes(random)
});
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A label of which there are few: a stranger chooses the method as well.
fn method(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
