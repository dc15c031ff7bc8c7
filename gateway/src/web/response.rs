//! The responses that several endpoints give.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// JSON for one client, never to be kept by anybody between us.
pub fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        // RFC 6749 §5.1 wants both.
        (header::PRAGMA, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, HEADERS, body.into()).into_response()
}

/// A token for one client, as [`json`].
pub fn jwt(token: String) -> Response {
    let mut response = json(StatusCode::OK, token);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwt"));
    response
}

/// 303, also after a POST that carried a password: RFC 9700 §4.12, "authorization servers MUST NOT use … 307".
pub fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else {
        tracing::error!("an address to redirect to is not ASCII");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Our URLs carry sealed requests, those of clients carry codes.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}
