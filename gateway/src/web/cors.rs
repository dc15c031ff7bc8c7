//! CORS: applications that run in a browser may call the endpoints that need no cookie. Never the pages: there the
//! cookie would speak for whoever asks.
//!
//! Any origin, never with credentials: what these endpoints give out, they give to whoever holds a code or a token. So the
//! answer is the same for every origin, and there is nothing to vary by.

use axum::{
    http::{
        HeaderValue,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        },
    },
    response::{IntoResponse, Response},
};

/// The answer to a preflight (Fetch standard, "CORS-preflight request"), before [`open`].
pub fn preflight() -> Response {
    [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET,POST,PUT,DELETE"),
        // Clients of several providers send these whether we read them or not.
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization,content-type,dpop,mcp-protocol-version"),
        // The longest that browsers keep one (Chromium: two hours).
        (ACCESS_CONTROL_MAX_AGE, "7200"),
    ]
    .into_response()
}

/// Lets scripts of any origin read this answer, and of its headers what they need beside the body.
pub fn open(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("www-authenticate,retry-after"));
}
