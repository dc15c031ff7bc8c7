//! Query strings and `application/x-www-form-urlencoded` bodies, read strictly (RFC 6749 appendix B).
//!
//! The gateway hands parameters on as they came, repetitions included; which of them may be repeated, and that an
//! empty one counts as absent, is decided in SQL for the authorization endpoint and by [`Parameters::one`] for the
//! endpoints whose SQL functions have one argument a parameter.

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::outcome::Reply;

/// The longest query or body that is read, in bytes. A request object or an authorization request with everything
/// in it stays well below; the sealed state that travels in a URL is bounded at 6 kB in SQL.
const LIMIT: usize = 64 * 1024;

/// The longest query that a form is turned into, in bytes (README, decision 7).
pub const LONGEST_QUERY: usize = 6 * 1024;

/// The most parameters that are read.
const MOST: usize = 256;

/// The parameters of a request, decoded, in the order in which they came.
#[derive(Default)]
pub struct Parameters(Vec<(String, String)>);

/// Why the parameters of a request cannot be read; every one of them is `invalid_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// RFC 6749 §3.2: "parameters … using the application/x-www-form-urlencoded format".
    #[error("the body must be application/x-www-form-urlencoded")]
    NotAForm,
    /// More bytes or more parameters than are ever needed.
    #[error("the request is too large")]
    TooLarge,
    /// The connection broke off in the middle of the body, or a body of unknown length went past the limit.
    #[error("the body ended early or is too large")]
    Incomplete,
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("a parameter is not percent-encoded correctly")]
    Encoding,
    /// RFC 6749 appendix B: names and values are UTF-8.
    #[error("a parameter is not valid UTF-8")]
    NotUtf8,
    /// PostgreSQL text cannot hold U+0000, and nothing honest sends it.
    #[error("a parameter contains U+0000")]
    Nul,
    /// RFC 6749 §3.2: "parameters MUST NOT be included more than once".
    #[error("the parameter \"{0}\" is given more than once")]
    Repeated(&'static str),
}

impl Parameters {
    /// Reads `name=value&name=value`.
    ///
    /// # Errors
    /// [`Malformed`] when it is too large, wrongly encoded, not UTF-8 or contains U+0000.
    pub fn parse(encoded: &[u8]) -> Result<Self, Malformed> {
        if encoded.len() > LIMIT {
            return Err(Malformed::TooLarge);
        }
        let mut parameters = Vec::new();
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == MOST {
                return Err(Malformed::TooLarge);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// Reads the query of a URL; no query is no parameters.
    ///
    /// # Errors
    /// As [`Parameters::parse`].
    pub fn of_query(parts: &Parts) -> Result<Self, Malformed> {
        Self::parse(parts.uri.query().unwrap_or_default().as_bytes())
    }

    /// The value of a parameter that may come once; an empty value counts as absent (RFC 6749 §3.2: "Parameters
    /// sent without a value MUST be treated as if they were omitted from the request").
    ///
    /// # Errors
    /// [`Malformed::Repeated`].
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Malformed> {
        let mut values = self.many(name);
        let value = values.next();
        match values.next() {
            Some(_) => Err(Malformed::Repeated(name)),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// All values of a parameter that may be repeated (`resource`, RFC 8707 §2), empty ones included.
    pub fn many<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same as a query again, for a redirect that carries a form on.
    pub fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

/// As `{"name": ["value", …]}`, the form in which SQL functions take a whole request.
impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (position, (name, _)) in self.0.iter().enumerate() {
            // Each name once, where it first stands: a JSON object with duplicate members has no agreed meaning.
            if self.0.iter().take(position).all(|(earlier, _)| earlier != name) {
                map.serialize_entry(name, &self.many(name).collect::<Vec<_>>())?;
            }
        }
        map.end()
    }
}

/// Names only: values are codes, tokens and passwords.
impl std::fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The parameters of the query.
#[derive(Debug)]
pub struct Query(pub Parameters);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Malformed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Malformed> {
        Parameters::of_query(parts).map(Self)
    }
}

/// The parameters of a form body. Those of the query are never mixed in: RFC 6749 §2.3.1 and §3.2 want secrets and
/// tokens kept out of URLs, where they end up in logs.
#[derive(Debug)]
pub struct Form(pub Parameters);

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = Malformed;

    async fn from_request(request: Request, _: &S) -> Result<Self, Malformed> {
        if !is_form(request.headers()) {
            return Err(Malformed::NotAForm);
        }
        read(request.into_body()).await.map(Self)
    }
}

/// Whether the body says it is a form; parameters such as `charset=UTF-8` do not matter.
pub fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

impl IntoResponse for Malformed {
    fn into_response(self) -> Response {
        Reply::from(self).into_response()
    }
}

async fn read(body: Body) -> Result<Parameters, Malformed> {
    if !usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced <= LIMIT) {
        return Err(Malformed::TooLarge);
    }
    let bytes = axum::body::to_bytes(body, LIMIT).await.map_err(|_| Malformed::Incomplete)?;
    Parameters::parse(&bytes)
}

/// Decodes one name or value: `+` is a space, `%XX` a byte.
///
/// # Errors
/// [`Malformed::Encoding`], [`Malformed::NotUtf8`] or [`Malformed::Nul`].
pub(super) fn decode(encoded: &[u8]) -> Result<String, Malformed> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    // Tokens, the longest values there are, have nothing to decode: what lies between two escapes is taken at once.
    while let Some(escape) = rest.iter().position(|byte| matches!(byte, b'+' | b'%')) {
        let (plain, escaped) = rest.split_at_checked(escape).ok_or(Malformed::Encoding)?;
        decoded.extend_from_slice(plain);
        let (byte, after) = match escaped {
            [b'%', high, low, after @ ..] => {
                let high = hexadecimal(*high).ok_or(Malformed::Encoding)?;
                let low = hexadecimal(*low).ok_or(Malformed::Encoding)?;
                (high << 4 | low, after)
            }
            [b'+', after @ ..] => (b' ', after),
            _ => return Err(Malformed::Encoding),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded.extend_from_slice(rest);
    if decoded.contains(&0) {
        return Err(Malformed::Nul);
    }
    String::from_utf8(decoded).map_err(|_| Malformed::NotUtf8)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(encoded: &str) -> Result<Vec<(String, String)>, Malformed> {
        Parameters::parse(encoded.as_bytes()).map(|parameters| parameters.0)
    }

    #[test]
    fn names_and_values_are_decoded() {
        let expected = vec![("a b".into(), "ü".into()), ("c".into(), String::new()), ("d".into(), "e=f".into())];
        assert_eq!(parse("a+b=%C3%bc&&c&d=e=f"), Ok(expected));
    }

    #[test]
    fn broken_encodings_are_refused() {
        assert_eq!(parse("a=%4"), Err(Malformed::Encoding));
        assert_eq!(parse("a=%zz"), Err(Malformed::Encoding));
        assert_eq!(parse("a=%ff"), Err(Malformed::NotUtf8));
        assert_eq!(parse("a%00=b"), Err(Malformed::Nul));
    }

    #[test]
    fn a_repeated_parameter_is_noticed_even_when_empty() {
        let parameters = Parameters::parse(b"a=1&a=&b=&c=2").unwrap();
        assert_eq!(parameters.one("a"), Err(Malformed::Repeated("a")));
        assert_eq!(parameters.one("b"), Ok(None));
        assert_eq!(parameters.one("c"), Ok(Some("2")));
        assert_eq!(parameters.one("d"), Ok(None));
    }

    #[test]
    fn too_much_is_refused() {
        assert_eq!(parse(&"a".repeat(LIMIT + 1)), Err(Malformed::TooLarge));
        assert_eq!(parse(&"a&".repeat(MOST + 1)), Err(Malformed::TooLarge));
    }

    #[test]
    fn a_request_becomes_one_object_of_arrays() {
        let parameters = Parameters::parse(b"x=1&y=2&x=3").unwrap();
        assert_eq!(serde_json::to_string(&parameters).unwrap(), r#"{"x":["1","3"],"y":["2"]}"#);
    }
}
