//! What plumbing answers when no handler is reached: a page to a browser, an OAuth error to a client.

use axum::{
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};

use super::{
    outcome::{self, Outcome, Reply},
    page,
    state::AppState,
};

/// Who reads the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A person in front of a browser.
    Person,
    /// A program.
    Client,
}

impl Reader {
    /// Of this request: browsers ask for HTML when they load a page, programs do not.
    pub fn of(request: &HeaderMap) -> Self {
        let html = request
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        if html { Self::Person } else { Self::Client }
    }
}

/// The answer, in the reader's form.
pub fn refuse(state: &AppState, reader: Reader, outcome: Outcome, description: &str) -> Response {
    match reader {
        Reader::Person => page::error(state, outcome.status(), outcome.label(), description),
        Reader::Client => Reply::refusal(outcome, description).into_response(),
    }
}

/// The answer to a request that is turned away before its endpoint sees it: for now, or because it is too large. An
/// application in a browser must be able to read when to come back, and the layer that lets it (cors.rs) stands behind this.
pub fn turn_away(state: &AppState, reader: Reader, outcome: Outcome, description: &str) -> Response {
    let mut response = refuse(state, reader, outcome, description);
    if outcome == Outcome::TemporarilyUnavailable {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(outcome::RETRY_AFTER));
    }
    if reader == Reader::Client {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
    response
}

/// 405: the address is right and the method is not.
pub fn wrong_method(state: &AppState, reader: Reader) -> Response {
    let description = "this address does not take requests of this method";
    let mut response = refuse(state, reader, Outcome::InvalidRequest, description);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// For `.head(…)` where a GET changes something: it would issue codes and end sessions unseen.
pub async fn no_head(State(state): State<AppState>, headers: HeaderMap) -> Response {
    wrong_method(&state, Reader::of(&headers))
}

/// 429: this source asks for too much. The error says that nothing is wrong with what the client holds; `slow_down` has a
/// meaning of its own (RFC 8628 §3.5).
pub fn too_many_requests(state: &AppState, reader: Reader) -> Response {
    let mut response = turn_away(state, reader, Outcome::TemporarilyUnavailable, "too many requests, please wait");
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response
}
