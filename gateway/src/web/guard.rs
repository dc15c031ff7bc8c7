//! No request takes forever, and none that fails in an unforeseen way takes others along.

use std::{any::Any, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

use super::{
    outcome::Outcome,
    refusal::{Reader, refuse, turn_away, wrong_method},
    state::AppState,
};

/// Ends what takes too long, the sending of its body included, and turns a panic into an answer.
pub async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reader = Reader::of(request.headers());
    let limit = Duration::from_secs(state.settings.http.request_timeout);
    match timeout(limit, next.run(request)).await {
        Ok(response) if response.extensions().get::<Panicked>().is_some() => {
            refuse(&state, reader, Outcome::ServerError, "something went wrong here; it has been written to the log")
        }
        // tower-http says it in its own words.
        Ok(response) if response.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let mut response = turn_away(&state, reader, Outcome::InvalidRequest, "the request is too large");
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            // The rest of the body is not read, so nothing else can be sent on this connection.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
        // The router's own 405 is empty.
        Ok(response)
            if response.status() == StatusCode::METHOD_NOT_ALLOWED
                && !response.headers().contains_key(header::CONTENT_TYPE) =>
        {
            let mut refusal = wrong_method(&state, reader);
            for name in [header::ALLOW, header::VARY, header::ACCESS_CONTROL_ALLOW_ORIGIN] {
                if let Some(value) = response.headers().get(&name) {
                    refusal.headers_mut().insert(name, value.clone());
                }
            }
            refusal
        }
        Ok(response) => response,
        Err(_) => turn_away(&state, reader, Outcome::TemporarilyUnavailable, "the request took too long"),
    }
}

#[derive(Clone)]
struct Panicked;

/// For `CatchPanicLayer`. What the panic says goes to the log only.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = message, "a request ended in a panic");
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Panicked);
    response
}
