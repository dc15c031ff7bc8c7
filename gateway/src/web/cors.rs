//! CORS: applications that run in a browser may call the endpoints that need no cookie. Never the pages: there the
//! cookie would speak for whoever asks.

use std::time::Duration;

use axum::http::{HeaderName, Method, header};
use tower_http::cors::{Any, CorsLayer};

/// Any origin, never with credentials: what these endpoints give out, they give to whoever holds a code or a token.
pub fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("mcp-protocol-version")])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER])
        // The longest that browsers keep a preflight (Chromium: two hours).
        .max_age(Duration::from_secs(7200))
}
