//! Bearer tokens (RFC 6750): where they stand in a request, and the challenges that refuse them.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::outcome::{Outcome, Refusal, Reply};
use super::state::AppState;

/// The one token of the Authorization header.
///
/// A header of another scheme is no token, and not an error either: RFC 6750 §3.1 has none for it.
pub fn in_header(headers: &HeaderMap) -> Result<Option<String>, Reply> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Reply::refusal(Outcome::InvalidRequest, "more than one Authorization header"));
    }
    let (scheme, token) =
        value.and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' ')).unwrap_or_default();
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty()))
}

/// RFC 6750 §3.1: "If the request lacks any authentication information … the resource server SHOULD NOT include an
/// error code or other error information."
pub fn nobody(state: &AppState, needed: &str) -> Response {
    let challenge = bearer(&[("realm", state.issuer.as_str())]);
    let body = Reply::refusal(Outcome::InvalidToken, needed).into_response();
    ([(header::WWW_AUTHENTICATE, challenge)], body).into_response()
}

/// RFC 6750 §3: every refusal of a token carries a challenge that says why.
pub fn challenge(state: &AppState, reply: &Reply) -> Option<HeaderValue> {
    if !matches!(reply.outcome, Outcome::InvalidToken | Outcome::InsufficientScope | Outcome::InvalidRequest) {
        return None;
    }
    let refusal: Refusal = serde_json::from_str(&reply.body).ok()?;
    let mut attributes = vec![
        ("realm", state.issuer.as_str()),
        ("error", reply.outcome.label()),
        ("error_description", refusal.error_description.as_str()),
    ];
    if reply.outcome == Outcome::InsufficientScope {
        attributes.push(("scope", refusal.scope.as_deref().unwrap_or("openid")));
    }
    Some(bearer(&attributes))
}

fn bearer(attributes: &[(&str, &str)]) -> HeaderValue {
    let attributes: Vec<String> = attributes
        .iter()
        // RFC 6750 §3: these values "MUST NOT include characters outside the set %x20-21 / %x23-5B / %x5D-7E".
        .map(|(name, value)| (name, value.replace(|c: char| !matches!(c, ' '..='~') || matches!(c, '"' | '\\'), "'")))
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    let challenge = format!("Bearer {}", attributes.join(", "));
    HeaderValue::try_from(challenge).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}
