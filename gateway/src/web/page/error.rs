//! Error pages: one sentence of what happened, one of what to do, and the OAuth error code for whoever is asked.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;

use super::{Forms, Site, Words, render};
use crate::web::csrf::Forged;
use crate::web::database::{Answer, Unavailable};
use crate::web::form::Malformed;
use crate::web::locales::{Html, Message};
use crate::web::outcome::{self, Outcome};
use crate::web::state::AppState;

/// Why a handler of a page has no page.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A form that no page of ours sent.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// A query or form that cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The database gave no answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The database refuses, with an error for the person (`error_page`).
    #[error("refused")]
    Refused(Box<RawValue>),
    /// A template did not render.
    #[error(transparent)]
    Template(#[from] askama::Error),
    /// A content security policy that is no header.
    #[error("the content security policy is not a header")]
    Policy,
}

impl From<Answer> for Trouble {
    /// What an answer that is no page means: `error_page`, or an outcome that this gateway does not know.
    fn from(answer: Answer) -> Self {
        tracing::debug!(outcome = answer.outcome, detail = answer.detail, "no page");
        match Outcome::named(&answer.outcome) {
            Some(Outcome::ErrorPage) => Self::Refused(answer.body),
            _ => Self::Unavailable(outcome::unknown(&answer.outcome)),
        }
    }
}

/// The response of a handler, or the error page of its trouble.
pub fn answer(state: &AppState, result: Result<Response, Trouble>) -> Response {
    match result {
        Ok(response) => response,
        Err(Trouble::Forged(_)) => shown(state, StatusCode::FORBIDDEN, "invalid_request", &FORGED, ""),
        Err(Trouble::Malformed(malformed)) => outcome::malformed_page(state, malformed),
        Err(Trouble::Unavailable(unavailable)) => outcome::unavailable_page(state, &unavailable),
        Err(Trouble::Refused(refusal)) => outcome::error_page(state, &refusal),
        Err(trouble @ (Trouble::Template(_) | Trouble::Policy)) => {
            tracing::error!(%trouble, "a page was not rendered");
            error(state, StatusCode::INTERNAL_SERVER_ERROR, "server_error", "")
        }
    }
}

/// The page of an OAuth error. `description` is public text, for the operator of the application.
pub fn error(state: &AppState, status: StatusCode, code: &str, description: &str) -> Response {
    if description == LOST_REQUEST {
        return shown(state, status, code, &EXPIRED, "");
    }
    shown(state, status, code, explanation(code), description)
}

/// What the database says of a sealed request that it cannot open (resume.sql): it is for the person, whom the page tells
/// more kindly.
const LOST_REQUEST: &str =
    "this sign-in took too long or began in another browser: go back to the application and start again";

/// "Too many people at once": 503 with Retry-After, in seconds.
pub fn busy(state: &AppState, retry_after: u32) -> Response {
    let mut response = error(state, StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
    response
}

/// There is no such page: for the router's fallback.
pub async fn missing(State(state): State<AppState>) -> Response {
    shown(&state, StatusCode::NOT_FOUND, "not_found", &MISSING, "")
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    site: Site,
    heading: Message,
    advice: Message,
    /// Whether the way to the home page is shown.
    home: bool,
    code: Html,
    description: Option<Words<'a>>,
}

fn shown(state: &AppState, status: StatusCode, code: &str, explanation: &Explanation, description: &str) -> Response {
    let site = Site::of(state);
    let code = Html::identified("code", "error", code);
    let description = (!description.is_empty()).then(|| Words::of(site.language, "why-", description));
    let Explanation { heading, advice, home } = *explanation;
    let (heading, advice) = (site.say(heading), site.say(advice));
    let page = ErrorPage { site, heading, advice, home, code, description };
    render(status, &page, Forms::Here, []).unwrap_or_else(|trouble| {
        tracing::error!(%trouble, "an error page was not rendered");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// Names of messages.
struct Explanation {
    heading: &'static str,
    advice: &'static str,
    /// Whether the way to the home page is of use.
    home: bool,
}

fn explanation(code: &str) -> &'static Explanation {
    match code {
        "access_denied" => &DENIED,
        "temporarily_unavailable" => &BUSY,
        "slow_down" => &SLOW_DOWN,
        "server_error" => &FAULT,
        "expired" | "expired_token" | "invalid_state" => &EXPIRED,
        "invalid_client" | "unauthorized_client" => &UNKNOWN_CLIENT,
        _ => &WRONG_REQUEST,
    }
}

static WRONG_REQUEST: Explanation =
    Explanation { heading: "error-request", advice: "error-request-advice", home: false };
static UNKNOWN_CLIENT: Explanation =
    Explanation { heading: "error-client", advice: "error-client-advice", home: false };
static EXPIRED: Explanation = Explanation { heading: "error-expired", advice: "error-expired-advice", home: false };
static DENIED: Explanation = Explanation { heading: "error-denied", advice: "error-denied-advice", home: false };
static FORGED: Explanation = Explanation { heading: "error-forged", advice: "error-forged-advice", home: true };
static MISSING: Explanation = Explanation { heading: "error-missing", advice: "error-missing-advice", home: true };
static BUSY: Explanation = Explanation { heading: "error-busy", advice: "error-busy-advice", home: false };
static SLOW_DOWN: Explanation =
    Explanation { heading: "error-slow-down", advice: "error-slow-down-advice", home: false };
static FAULT: Explanation = Explanation { heading: "error-fault", advice: "error-fault-advice", home: false };
