//! TLS is the issuer's promise: with an https issuer nothing is served that crossed a network in clear.

use axum::{
    extract::Request,
    http::{HeaderValue, Method, header},
    response::{IntoResponse, Redirect, Response},
};

use super::{
    outcome::Outcome,
    proxy::Source,
    refusal::{Reader, refuse},
    state::AppState,
};

/// Sends people who came over http to https, and refuses clients that did.
pub fn refusal(state: &AppState, source: Source, request: &Request) -> Option<Response> {
    if !state.issuer.is_https() || !source.plain_http {
        return None;
    }
    // Only what has no body and no secret of the client's in its headers is worth a second try.
    if matches!(*request.method(), Method::GET | Method::HEAD) && !request.headers().contains_key(header::AUTHORIZATION)
    {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        return Some(Redirect::permanent(&format!("{}{path}", state.issuer.origin())).into_response());
    }
    Some(refuse(state, Reader::of(request.headers()), Outcome::InvalidRequest, "https is required"))
}

/// Tells browsers to come over https from now on (RFC 6797).
pub fn remember_https(state: &AppState, response: &mut Response) {
    if state.issuer.is_https() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
