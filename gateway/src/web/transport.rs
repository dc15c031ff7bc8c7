//! TLS is the issuer's promise: with an https issuer nothing is served that crossed a network in clear.

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    outcome::Outcome,
    proxy::Source,
    refusal::{Reader, refuse},
    state::AppState,
};

/// Sends people who came over http to https, refuses clients that did, and tells browsers to remember (RFC 6797).
pub async fn require_https(
    State(state): State<AppState>,
    Extension(source): Extension<Source>,
    request: Request,
    next: Next,
) -> Response {
    if !state.issuer.is_https() {
        return next.run(request).await;
    }
    if source.plain_http {
        // Only what has no body and no secret of the client's in its headers is worth a second try.
        if matches!(*request.method(), Method::GET | Method::HEAD)
            && !request.headers().contains_key(header::AUTHORIZATION)
        {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            return Redirect::permanent(&format!("{}{path}", state.issuer.origin())).into_response();
        }
        return refuse(&state, Reader::of(request.headers()), Outcome::InvalidRequest, "https is required");
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    response
}
