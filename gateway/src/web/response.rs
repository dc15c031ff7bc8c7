//! The responses that several endpoints give.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use url::form_urlencoded;

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

/// An answer to a client by way of the browser (RFC 6749 §4.1.2).
#[derive(Debug, Deserialize)]
pub struct Redirection {
    redirect_uri: String,
    #[serde(default)]
    response_mode: ResponseMode,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// How the parameters travel (OAuth 2.0 Multiple Response Types §2.1).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResponseMode {
    #[default]
    Query,
}

impl Redirection {
    /// RFC 6749 §3.1.2: a query component of the registered URI "MUST be retained". The URI itself is not parsed and
    /// written anew: it goes back byte for byte as it was registered.
    fn location(&self) -> String {
        match self.response_mode {
            ResponseMode::Query if self.parameters.is_empty() => self.redirect_uri.clone(),
            ResponseMode::Query => {
                let separator = match self.redirect_uri.split_once('?') {
                    None => "?",
                    Some((_, "")) => "",
                    Some((_, query)) if query.ends_with('&') => "",
                    Some(_) => "&",
                };
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.extend_pairs(&self.parameters);
                // Both mean a space in a form; only %20 does to clients that decode with decodeURIComponent.
                format!("{}{separator}{}", self.redirect_uri, query.finish().replace('+', "%20"))
            }
        }
    }
}

impl IntoResponse for Redirection {
    fn into_response(self) -> Response {
        see_other(&self.location())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(redirect_uri: &str) -> String {
        let parameters = [("code", "a+b c"), ("state", "ü&=")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Redirection {
            redirect_uri: redirect_uri.to_owned(),
            response_mode: ResponseMode::Query,
            parameters: parameters.into(),
        }
        .location()
    }

    #[test]
    fn query_parameters_of_the_registered_uri_are_kept() {
        let added = "code=a%2Bb%20c&state=%C3%BC%26%3D";
        assert_eq!(location("https://a.example/cb"), format!("https://a.example/cb?{added}"));
        assert_eq!(location("https://a.example/cb?"), format!("https://a.example/cb?{added}"));
        assert_eq!(location("https://a.example/cb?x=%7e"), format!("https://a.example/cb?x=%7e&{added}"));
        assert_eq!(location("com.example.app:/cb"), format!("com.example.app:/cb?{added}"));
    }
}
