//! What plumbing answers when no handler is reached: a page to a browser, an OAuth error to a client.

use axum::{
    http::{HeaderMap, StatusCode, header::ACCEPT},
    response::{IntoResponse, Response},
};

use super::{
    outcome::{Outcome, Reply},
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

/// 429: this source asks for too much. The error says that nothing is wrong with what the client holds; `slow_down` has a
/// meaning of its own (RFC 8628 §3.5).
pub fn too_many_requests(state: &AppState, reader: Reader) -> Response {
    let mut response = refuse(state, reader, Outcome::TemporarilyUnavailable, "too many requests, please wait");
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response
}
