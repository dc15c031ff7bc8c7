//! JSON bodies of requests.

use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::outcome::{Outcome, Reply};

/// The most bytes that are read; the same as of a form.
const LIMIT: usize = 64 * 1024;

/// A body that is JSON. What it has to be beside that is decided in SQL.
#[derive(Debug)]
pub struct Body(pub Value);

/// Why a body cannot be read; every one of them is `invalid_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// RFC 7591 §3.1: "with the content type of "application/json"".
    #[error("the body must be application/json")]
    OtherType,
    /// More bytes than are ever needed.
    #[error("the request is too large")]
    TooLarge,
    /// The connection broke off in the middle of the body, or a body of unknown length went past the limit.
    #[error("the body ended early or is too large")]
    Incomplete,
    /// RFC 8259: another grammar, another encoding than UTF-8, or nested more than 128 deep.
    #[error("the body is not JSON")]
    NotJson,
}

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Malformed;

    async fn from_request(request: Request, _: &S) -> Result<Self, Malformed> {
        let content_type =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Malformed::OtherType);
        }
        let body = request.into_body();
        if !usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced <= LIMIT) {
            return Err(Malformed::TooLarge);
        }
        let bytes = axum::body::to_bytes(body, LIMIT).await.map_err(|_| Malformed::Incomplete)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|_| Malformed::NotJson)
    }
}

impl From<Malformed> for Reply {
    fn from(malformed: Malformed) -> Self {
        Self::refusal(Outcome::InvalidRequest, &malformed.to_string())
    }
}

impl IntoResponse for Malformed {
    fn into_response(self) -> Response {
        Reply::from(self).into_response()
    }
}
