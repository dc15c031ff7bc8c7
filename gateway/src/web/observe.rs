//! Every request gets an id, a source, a span, a line in the log and its place in the metrics. None of them holds a query
//! string, a body, a cookie or any other header but the request's id: codes, tokens and sealed requests travel in those.

use std::{net::SocketAddr, time::Instant};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use metrics::{counter, gauge, histogram};
use tracing::{Instrument as _, field::Empty};

use super::{proxy::Source, state::AppState};
use crate::telemetry;

/// The outermost middleware.
pub async fn observe(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let trusted = &state.settings.http.trusted_proxies;
    let source = Source::of(peer.ip(), request.headers(), trusted);
    let from_proxy = trusted.iter().any(|network| network.contains(&peer.ip().to_canonical()));
    let id = request_id(from_proxy.then(|| request.headers()));
    // The template of the route, not the path: paths are unbounded in number, and a stranger chooses them.
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = method(request.method());

    let span =
        tracing::info_span!("request", id = %id.to_str().unwrap_or_default(), otel.name = Empty, otel.kind = Empty);
    if state.settings.telemetry.endpoint.is_some() {
        span.record("otel.name", format!("{method} {route}")).record("otel.kind", "server");
    }
    if from_proxy {
        telemetry::continue_trace(&span, request.headers());
    }
    request.extensions_mut().insert(source);
    gauge!("gateway_requests_running").increment(1);
    let _running = Running;
    let mut response = next.run(request).instrument(span.clone()).await;

    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    let ms = (seconds * 100_000.0).round() / 100.0;
    span.in_scope(|| match response.status() {
        // Whoever floods us must not fill a disk: the limiter says how many there were.
        StatusCode::TOO_MANY_REQUESTS => {
            tracing::debug!(method, route, status, ms, source = %source.address, "request")
        }
        _ => tracing::info!(method, route, status, ms, source = %source.address, "request"),
    });
    counter!("gateway_requests_total", "method" => method, "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    histogram!("gateway_request_seconds", "method" => method, "route" => route).record(seconds);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Also counts a request whose client went away in the middle.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        gauge!("gateway_requests_running").decrement(1);
    }
}

/// A trusted proxy's id, so that its log and ours can be joined, or one of our own.
fn request_id(trusted: Option<&HeaderMap>) -> HeaderValue {
    let given = trusted.and_then(|headers| headers.get(REQUEST_ID)).filter(|id| {
        let id = id.as_bytes();
        (1..=64).contains(&id.len())
            && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    });
    given.cloned().unwrap_or_else(|| {
        let mut random = [0; 16];
        // Without randomness requests cannot be told apart in the log, which is no reason to refuse them.
        let _ = aws_lc_rs::rand::fill(&mut random);
        HeaderValue::try_from(uuid::Builder::from_random_bytes(random).into_uuid().simple().to_string())
            .unwrap_or(HeaderValue::from_static("none"))
    })
}

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
