//! What the database decided, in the words of HTTP: one enum, and one table from (outcome | SQLSTATE) to (OAuth error,
//! HTTP status). The labels of outcomes are the OAuth error codes themselves (README, decision 8).

mod redirection;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::database::{Answer, Unavailable};
use super::form::Malformed;
use super::locales;
use super::page;
use super::response;
use super::state::AppState;

pub use redirection::{RESPONSE_MODES, Redirection};

/// Defines [`Outcome`] from the table below.
macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $label:literal => $status:ident;)*) => {
        /// What a protocol function answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Outcome { $($(#[$doc])* $name,)* }

        impl Outcome {
            /// The label, which for a refusal is the OAuth error code.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// The status of the response that tells a client of it.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The outcome of that label.
            pub fn named(label: &str) -> Option<Self> {
                match label { $($label => Some(Self::$name),)* _ => None }
            }
        }
    };
}

outcomes! {
    /// Done; the body is the answer.
    Ok = "ok" => OK;
    /// Show the page of this endpoint.
    Page = "page" => OK;
    /// Go to the client.
    Redirect = "redirect" => SEE_OTHER;
    /// Go to the sign-in page.
    SignIn = "sign_in" => SEE_OTHER;
    /// Go to the page on which a person chooses an account.
    SelectAccount = "select_account" => SEE_OTHER;
    /// Go to the consent page.
    Consent = "consent" => SEE_OTHER;
    /// Come back with GET.
    Deferred = "deferred" => SEE_OTHER;
    /// Ask the person whether to sign out.
    Confirm = "confirm" => OK;
    /// Done; the answer is a token (OpenID Connect Core §5.3.2).
    Jwt = "jwt" => OK;
    /// The document of another party is needed first (`web/documents.rs`).
    Need = "need" => SERVICE_UNAVAILABLE;
    /// The session has begun.
    SignedIn = "signed_in" => SEE_OTHER;
    /// The session is over.
    SignedOut = "signed_out" => OK;
    /// Show an error page: nobody to redirect to.
    ErrorPage = "error_page" => BAD_REQUEST;
    /// Unknown user or wrong password; never which. Not 401: RFC 9110 §15.5.2 demands a challenge with it, and there is no
    /// scheme for a form.
    InvalidCredentials = "invalid_credentials" => UNPROCESSABLE_ENTITY;
    /// The new password is not good enough.
    InvalidPassword = "invalid_password" => UNPROCESSABLE_ENTITY;
    /// Too many attempts.
    SlowDown = "slow_down" => TOO_MANY_REQUESTS;
    /// No such thing, or not theirs.
    NotFound = "not_found" => NOT_FOUND;
    /// RFC 6749 §5.2.
    InvalidRequest = "invalid_request" => BAD_REQUEST;
    /// RFC 6749 §5.2: 401 must be used, with a challenge, when the client tried the Authorization header.
    InvalidClient = "invalid_client" => UNAUTHORIZED;
    /// RFC 6749 §5.2.
    InvalidGrant = "invalid_grant" => BAD_REQUEST;
    /// RFC 6749 §5.2.
    UnauthorizedClient = "unauthorized_client" => BAD_REQUEST;
    /// RFC 6749 §5.2.
    UnsupportedGrantType = "unsupported_grant_type" => BAD_REQUEST;
    /// RFC 6749 §5.2.
    InvalidScope = "invalid_scope" => BAD_REQUEST;
    /// RFC 8707 §2.
    InvalidTarget = "invalid_target" => BAD_REQUEST;
    /// RFC 7591 §3.2.2: what the client is registered for, or wants to be, is not possible.
    InvalidClientMetadata = "invalid_client_metadata" => BAD_REQUEST;
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType = "unsupported_token_type" => BAD_REQUEST;
    /// RFC 6749 §4.1.2.1.
    AccessDenied = "access_denied" => FORBIDDEN;
    /// RFC 6750 §3.1.
    InvalidToken = "invalid_token" => UNAUTHORIZED;
    /// RFC 6750 §3.1.
    InsufficientScope = "insufficient_scope" => FORBIDDEN;
    /// RFC 7591 §3.2.1: the client is registered; the answer is its information.
    Registered = "registered" => CREATED;
    /// RFC 7592 §2.3: what it registered is gone.
    Deleted = "deleted" => NO_CONTENT;
    /// RFC 7591 §3.2.2.
    InvalidRedirectUri = "invalid_redirect_uri" => BAD_REQUEST;
    /// RFC 7591 §3.2.2.
    InvalidSoftwareStatement = "invalid_software_statement" => BAD_REQUEST;
    /// RFC 7591 §3.2.2.
    UnapprovedSoftwareStatement = "unapproved_software_statement" => BAD_REQUEST;
    /// A fault of ours.
    ServerError = "server_error" => INTERNAL_SERVER_ERROR;
    /// Overload, failover, maintenance: what a client holds stays good, and it may ask again.
    TemporarilyUnavailable = "temporarily_unavailable" => SERVICE_UNAVAILABLE;
}

/// What an exception means. The first prefix that fits counts; any other SQLSTATE is a fault of ours.
const SQLSTATES: &[(&str, Outcome)] = &[
    // One code for each reason why a token is refused (sql/extension/errors.sql).
    ("ID1", Outcome::InvalidToken),
    // Not configured, no master key, hashing busy, library and SQL of two ages: somebody is at work on it.
    ("ID002", Outcome::TemporarilyUnavailable),
    ("ID003", Outcome::TemporarilyUnavailable),
    ("ID004", Outcome::TemporarilyUnavailable),
    ("ID301", Outcome::TemporarilyUnavailable),
    // Connection, resources, operator intervention and time limits, deadlock, lock not available.
    ("08", Outcome::TemporarilyUnavailable),
    ("53", Outcome::TemporarilyUnavailable),
    ("57", Outcome::TemporarilyUnavailable),
    ("40", Outcome::TemporarilyUnavailable),
    ("55P03", Outcome::TemporarilyUnavailable),
    // A write that reached a standby: the primary is moving.
    ("25006", Outcome::TemporarilyUnavailable),
];

/// Seconds after which a client may try again: longer than a failover's reconnect, shorter than a person's patience.
pub const RETRY_AFTER: u32 = 2;

impl From<&Unavailable> for Outcome {
    fn from(error: &Unavailable) -> Self {
        let outcome = match error {
            Unavailable::Unreachable | Unavailable::Busy | Unavailable::Locked => Self::TemporarilyUnavailable,
            Unavailable::Raised { sqlstate, .. } => {
                let row = SQLSTATES.iter().find(|(prefix, _)| sqlstate.starts_with(prefix));
                row.map_or(Self::ServerError, |(_, outcome)| *outcome)
            }
            Unavailable::Unexpected(_) => Self::ServerError,
        };
        match outcome {
            Self::ServerError => tracing::error!(%error, "a call of the database failed"),
            Self::TemporarilyUnavailable => tracing::warn!(%error, "the database does not answer"),
            refusal => tracing::debug!(%error, outcome = refusal.label(), "refused"),
        }
        outcome
    }
}

/// What a client, as opposed to a person, is told: an outcome and a JSON body.
#[derive(Debug)]
pub struct Reply {
    /// Says the status.
    pub outcome: Outcome,
    /// As the database wrote it, byte for byte.
    pub body: String,
}

/// The members of a refusal.
#[derive(Deserialize)]
pub struct Refusal {
    /// The OAuth error code.
    pub error: String,
    /// For developers, in words.
    #[serde(default)]
    pub error_description: String,
    /// RFC 6750 §3: what scope it would take.
    pub scope: Option<String>,
}

impl Reply {
    /// A refusal of the gateway's own, in the form of the database's.
    pub fn refusal(outcome: Outcome, description: &str) -> Self {
        let body = serde_json::json!({ "error": outcome.label(), "error_description": description });
        Self { outcome, body: body.to_string() }
    }

    fn failure(error: &Unavailable) -> Self {
        let outcome = Outcome::from(error);
        Self::refusal(outcome, public_text(outcome))
    }
}

impl From<Result<Answer, Unavailable>> for Reply {
    fn from(answer: Result<Answer, Unavailable>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Self::failure(&error),
        };
        match Outcome::named(&answer.outcome) {
            Some(outcome) => {
                tracing::debug!(outcome = outcome.label(), detail = answer.detail, "answered");
                Self { outcome, body: Box::<str>::from(answer.body).into() }
            }
            None => Self::failure(&unknown(&answer.outcome)),
        }
    }
}

impl From<Malformed> for Reply {
    fn from(malformed: Malformed) -> Self {
        Self::refusal(Outcome::InvalidRequest, &malformed.to_string())
    }
}

/// RFC 6749 §5.1: "MUST include the HTTP Cache-Control response header field with a value of no-store".
impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        if self.outcome == Outcome::Jwt {
            // A JSON string of base64url and periods: nothing in it is escaped.
            return response::jwt(self.body.trim_matches('"').to_owned());
        }
        let mut response = response::json(self.outcome.status(), self.body);
        if self.outcome == Outcome::TemporarilyUnavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
        response
    }
}

/// What the authorization endpoint, and the sign-in and consent pages after it, do with the outcome of an
/// authorization request: go to the client, to another page of ours, or say why not.
pub fn authorization(state: &AppState, outcome: &str, answer: &RawValue) -> Response {
    locales::heed(answer);
    match Outcome::named(outcome) {
        Some(Outcome::Redirect) => match read::<Redirection>(answer) {
            Ok(redirection) => redirection.respond(state),
            Err(error) => unavailable_page(state, &error),
        },
        Some(Outcome::SignIn) => resume(state, "/login", answer),
        Some(Outcome::SelectAccount) => resume(state, "/select-account", answer),
        Some(Outcome::Consent) => resume(state, "/consent", answer),
        Some(Outcome::Deferred) => resume(state, "/authorize", answer),
        Some(Outcome::ErrorPage) => error_page(state, answer),
        _ => unavailable_page(state, &unknown(outcome)),
    }
}

/// The page for `error_page`, whose answer is `{error, error_description}`.
pub fn error_page(state: &AppState, answer: &RawValue) -> Response {
    locales::heed(answer);
    match read::<Refusal>(answer) {
        Ok(refusal) => page::error(state, StatusCode::BAD_REQUEST, &refusal.error, &refusal.error_description),
        Err(error) => unavailable_page(state, &error),
    }
}

/// The page for a request that cannot be read.
pub fn malformed_page(state: &AppState, malformed: Malformed) -> Response {
    let outcome = Outcome::InvalidRequest;
    page::error(state, outcome.status(), outcome.label(), &malformed.to_string())
}

/// The page for a call without an answer.
pub fn unavailable_page(state: &AppState, error: &Unavailable) -> Response {
    match Outcome::from(error) {
        Outcome::TemporarilyUnavailable => page::busy(state, RETRY_AFTER),
        outcome => page::error(state, outcome.status(), outcome.label(), public_text(outcome)),
    }
}

/// The error for an outcome that its caller does not know.
pub fn unknown(outcome: &str) -> Unavailable {
    Unavailable::Unexpected(format!("outcome {outcome} does not belong here"))
}

/// To a page of ours that goes on with the sealed request.
fn resume(state: &AppState, page: &str, answer: &RawValue) -> Response {
    #[derive(Deserialize)]
    struct Resume {
        resume: String,
    }
    match read::<Resume>(answer) {
        Ok(Resume { resume }) => response::see_other(&resumed(state, page, &resume)),
        Err(error) => unavailable_page(state, &error),
    }
}

/// The address of a page of ours that goes on with a sealed request.
pub fn resumed(state: &AppState, page: &str, resume: &str) -> String {
    // Sealed state is base64url: nothing in it needs an escape.
    format!("{}?resume={resume}", state.issuer.local(page))
}

fn read<'a, T: Deserialize<'a>>(answer: &'a RawValue) -> Result<T, Unavailable> {
    serde_json::from_str(answer.get())
        .map_err(|error| Unavailable::Unexpected(format!("answer of the database: {error}")))
}

/// What is said about a failure that has no public text of its own.
const fn public_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::TemporarilyUnavailable => "please try again in a moment",
        Outcome::InvalidToken => "the token is not valid",
        _ => "something went wrong here; it has been written to the log",
    }
}
