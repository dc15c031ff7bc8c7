//! How a client names itself at the token, introspection and revocation endpoints (RFC 6749 §2.3).
//!
//! Only read here; whether they are right is decided by the SQL function of the endpoint, which gets the method that
//! the request used, because each client is registered for one.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};

use super::client_certificates::{ClientCertificate, Unreadable};
use super::database::Call;
use super::documents::{self, Errand};
use super::form::{Malformed, Parameters};
use super::outcome::{Outcome, Reply};
use super::state::AppState;
use crate::config::CertificateChain;

/// Who the client says it is, and how it said so.
#[derive(Debug)]
pub struct ClientCredentials {
    id: Option<String>,
    // Or the assertion.
    secret: Option<SecretString>,
    method: Method,
    certificate: Option<Bytes>,
}

/// The methods of RFC 7591 §2 `token_endpoint_auth_method` that this gateway reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A public client: `client_id` in the body and nothing else.
    None,
    /// RFC 8705 §2.1: `client_id` in the body, and a certificate whose chain was verified.
    Tls,
    /// RFC 8705 §2.2: the same, and nobody has verified the chain.
    SelfSignedTls,
    /// RFC 6749 §2.3.1: HTTP Basic.
    Basic,
    /// RFC 6749 §2.3.1: `client_id` and `client_secret` in the body.
    Post,
    /// RFC 7521 §4.2: `client_assertion`, for private_key_jwt and client_secret_jwt alike.
    Assertion,
}

impl Method {
    /// What the SQL functions call it: the name under which RFC 7591 registers it, where it has one name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tls => "tls_client_auth",
            Self::SelfSignedTls => "self_signed_tls_client_auth",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::Assertion => "client_assertion",
        }
    }
}

/// Why no client can be read from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// `invalid_request`.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// `invalid_request`: what the proxy says of the client cannot be understood, so nothing is believed.
    #[error(transparent)]
    Certificate(#[from] Unreadable),
    /// RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
    #[error("more than one method of client authentication is used")]
    TwoMethods,
    /// An Authorization header that cannot be read: `invalid_client`, answered with a challenge.
    #[error("the Authorization header holds no Basic credentials")]
    BadBasic,
    /// RFC 7521 §4.2: an assertion and its type come together, and we know one type.
    #[error("client_assertion_type must be {ASSERTION_TYPE}, beside client_assertion")]
    AssertionType,
}

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientCredentials {
    /// Reads the credentials of a request.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn read(
        headers: &HeaderMap,
        certificate: &ClientCertificate,
        body: &Parameters,
    ) -> Result<Self, CredentialsError> {
        let (certificate, chain) = certificate.read()?.unzip();
        let id = body.one("client_id")?;
        let secret = body.one("client_secret")?;
        let assertion = body.one("client_assertion")?;
        let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
        if let Some(assertion) = assertion {
            if secret.is_some() || authorization.next().is_some() {
                return Err(CredentialsError::TwoMethods);
            }
            if body.one("client_assertion_type")? != Some(ASSERTION_TYPE) {
                return Err(CredentialsError::AssertionType);
            }
            let (id, secret) = (id.map(str::to_owned), Some(assertion.into()));
            return Ok(Self { id, secret, method: Method::Assertion, certificate });
        }
        if body.one("client_assertion_type")?.is_some() {
            return Err(CredentialsError::AssertionType);
        }
        let Some(header) = authorization.next() else {
            let method = match (secret, chain) {
                (Some(_), _) => Method::Post,
                (None, None) => Method::None,
                (None, Some(CertificateChain::Verified)) => Method::Tls,
                (None, Some(CertificateChain::Unverified)) => Method::SelfSignedTls,
            };
            return Ok(Self { id: id.map(str::to_owned), secret: secret.map(SecretString::from), method, certificate });
        };
        if secret.is_some() || authorization.next().is_some() {
            return Err(CredentialsError::TwoMethods);
        }
        let (basic_id, basic_secret) = read_basic(header).ok_or(CredentialsError::BadBasic)?;
        // The same client named twice is one client; two different ones are two methods.
        if id.is_some_and(|id| id != basic_id) {
            return Err(CredentialsError::TwoMethods);
        }
        Ok(Self { id: Some(basic_id), secret: Some(basic_secret.into()), method: Method::Basic, certificate })
    }

    /// The client identifier, if the request names one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The secret, or the assertion, if the request has one: for a bind parameter, and nothing else.
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_ref().map(ExposeSecret::expose_secret)
    }

    /// The certificate that came with the request (DER), whatever the client proves itself with.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// The one of these statements that it takes.
    pub const fn call(&self, calls: &Calls) -> &'static Call {
        match self.method {
            Method::Assertion => calls.asserted,
            Method::None | Method::Tls | Method::SelfSignedTls | Method::Basic | Method::Post => calls.usual,
        }
    }

    /// What the request used.
    pub const fn method(&self) -> Method {
        self.method
    }
}

impl From<CredentialsError> for Reply {
    fn from(error: CredentialsError) -> Self {
        let outcome = match error {
            CredentialsError::Malformed(_)
            | CredentialsError::Certificate(_)
            | CredentialsError::TwoMethods
            | CredentialsError::AssertionType => Outcome::InvalidRequest,
            CredentialsError::BadBasic => Outcome::InvalidClient,
        };
        Self::refusal(outcome, &error.to_string())
    }
}

/// The statements of an endpoint, by what the client proves itself with.
pub struct Calls {
    /// With a secret, with a certificate, or with nothing.
    pub usual: &'static Call,
    /// With an assertion, which is spent by it: durable, and never repeated.
    pub asserted: &'static Call,
}

/// What introspection (RFC 7662 §2.1) and revocation (RFC 7009 §2.1) share: a client, a token, and a hint of its kind.
pub async fn about_token(
    state: &AppState,
    headers: &HeaderMap,
    certificate: &ClientCertificate,
    form: &Parameters,
    calls: &Calls,
) -> Response {
    let ask = async || {
        let client = ClientCredentials::read(headers, certificate, form)?;
        let (token, hint) = (form.one("token")?, form.one("token_type_hint")?);
        let (call, method) = (client.call(calls), client.method().name());
        Ok(state
            .db
            .call(call, &[&client.id(), &client.secret(), &method, &token, &hint, &client.certificate()])
            .await
            .into())
    };
    let mut errand = Errand::new(state);
    let mut reply = ask().await.unwrap_or_else(|refusal: Reply| refusal);
    while errand.brought(&reply).await {
        reply = ask().await.unwrap_or_else(|refusal: Reply| refusal);
    }
    respond(state, headers, reply)
}

/// The response to a client. RFC 6749 §5.2: "If the client attempted to authenticate via the "Authorization" request
/// header field", a refusal carries a challenge of the same scheme; without that attempt a browser would only show its
/// password window to somebody who has no such password.
pub fn respond(state: &AppState, headers: &HeaderMap, reply: Reply) -> Response {
    let reply = documents::settled(reply);
    let challenge = reply.outcome == Outcome::InvalidClient && headers.contains_key(header::AUTHORIZATION);
    let mut response = reply.into_response();
    if challenge && let Ok(challenge) = HeaderValue::try_from(format!("Basic realm=\"{}\"", state.issuer)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// RFC 6749 §2.3.1: identifier and secret are form-urlencoded before RFC 7617 joins and encodes them. Clients that
/// leave this step out are understood as well, because what we mint reads the same either way; only a `%` or `+` that
/// was chosen by somebody else is read as the RFC says.
fn read_basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (id, rest) = decoded.split_at_checked(colon)?;
    let id = form_decoded(id)?;
    let secret = form_decoded(rest.get(1..)?)?;
    (!id.is_empty()).then_some((id, secret))
}

fn form_decoded(bytes: &[u8]) -> Option<String> {
    match super::form::decode(bytes) {
        Ok(text) => Some(text),
        // Not encoded by the client: a `%` that stands for itself.
        Err(Malformed::Encoding) => String::from_utf8(bytes.to_vec()).ok().filter(|text| !text.contains('\0')),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        authorization: &[&str],
        body: &str,
    ) -> Result<(Option<String>, Option<String>, &'static str), CredentialsError> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        let certificate = ClientCertificate::default();
        let read = ClientCredentials::read(&headers, &certificate, &Parameters::parse(body.as_bytes()).unwrap())?;
        Ok((read.id().map(Into::into), read.secret().map(Into::into), read.method().name()))
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn each_method_is_recognised() {
        assert_eq!(read(&[], "client_id=a"), Ok((Some("a".into()), None, "none")));
        assert_eq!(
            read(&[], "client_id=a&client_secret=b"),
            Ok((Some("a".into()), Some("b".into()), "client_secret_post"))
        );
        let expected = Ok((Some("a".into()), Some("b".into()), "client_secret_basic"));
        assert_eq!(read(&[&basic("a:b")], ""), expected);
        assert_eq!(read(&[&basic("a:b").replace("Basic", "bASIC")], "client_id=a"), expected);
        assert_eq!(read(&[], ""), Ok((None, None, "none")));
    }

    #[test]
    fn an_assertion_stands_alone_and_with_its_type() {
        let assertion = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c";
        assert_eq!(read(&[], assertion), Ok((None, Some("a.b.c".into()), "client_assertion")));
        assert_eq!(
            read(&[], &format!("{assertion}&client_id=a")),
            Ok((Some("a".into()), Some("a.b.c".into()), "client_assertion"))
        );
        for incomplete in
            ["client_assertion=a.b.c", "client_assertion=a.b.c&client_assertion_type=x", "client_assertion_type=x"]
        {
            assert_eq!(read(&[], incomplete), Err(CredentialsError::AssertionType), "{incomplete}");
        }
        assert_eq!(read(&[], &format!("{assertion}&client_secret=s")), Err(CredentialsError::TwoMethods));
        assert_eq!(read(&[&basic("a:b")], assertion), Err(CredentialsError::TwoMethods));
    }

    #[test]
    fn basic_credentials_are_form_decoded_where_they_are_encoded() {
        assert_eq!(
            read(&[&basic("a%3Ab:c%2B+d")], ""),
            Ok((Some("a:b".into()), Some("c+ d".into()), "client_secret_basic"))
        );
        assert_eq!(read(&[&basic("a:100%")], ""), Ok((Some("a".into()), Some("100%".into()), "client_secret_basic")));
    }

    #[test]
    fn two_methods_at_once_are_refused() {
        assert_eq!(read(&[&basic("a:b")], "client_secret=b"), Err(CredentialsError::TwoMethods));
        assert_eq!(read(&[&basic("a:b"), &basic("c:d")], ""), Err(CredentialsError::TwoMethods));
        assert_eq!(read(&[&basic("a:b")], "client_id=c"), Err(CredentialsError::TwoMethods));
    }

    #[test]
    fn what_is_no_basic_header_is_not_guessed_at() {
        for header in [
            "Bearer abc",
            "Basic",
            "Basic !",
            &basic("nocolon"),
            &basic(":secret"),
            &basic("a:\0"),
            &basic("a%\0:b"),
            &basic("a:%\0"),
        ] {
            assert_eq!(read(&[header], ""), Err(CredentialsError::BadBasic), "{header}");
        }
    }
}
