//! `/session-state`: the page that applications load in a frame, to be told by a message whether their `session_state` is that of
//! today (OpenID Connect Session Management 1.0 §3.2, `check_session_iframe`). An answer makes no request: it hashes what the message
//! holds together with a cookie that changes when somebody signs in or out here (web/cookies.rs).
//!
//! A session that is ended elsewhere changes no cookie. So the page asks `/session-state/check`, at most once in five minutes and
//! only while it is asked itself, and that answer changes it. Where browsers keep the session's cookie from frames of another site,
//! nothing is learned; the next visit changes it.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::web::cookies::{self, Cookies};
use crate::web::database::{Call, Pool};
use crate::web::page::{self, Trouble};
use crate::web::state::AppState;

/// The path of the page below the issuer's.
pub const PATH: &str = "/session-state";

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route(PATH, get(show)).route(CHECK, get(check))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&SESSION_STATE_CHECK];

static SESSION_STATE_CHECK: Call =
    Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.session_state_check($1)" };

/// What the page asks.
const CHECK: &str = "/session-state/check";

#[derive(Template)]
#[template(path = "session_state.html")]
struct SessionStatePage {
    cookie: &'static str,
    script: &'static str,
}

/// Plain script: what browsers have for hashing is missing in old engines and in insecure contexts.
const SCRIPT: &str = include_str!("../assets/session_state.js");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let script = STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes()));
    format!("default-src 'none'; script-src 'sha256-{script}'; connect-src 'self'; base-uri 'none'; form-action 'none'")
});

/// The one page that anybody may frame: it shows nothing and does nothing.
async fn show(State(state): State<AppState>) -> Response {
    let page = SessionStatePage { cookie: cookies::state_name(state.issuer.is_https()), script: SCRIPT };
    let result = page.render().map_err(Trouble::from).and_then(|html| {
        let policy = HeaderValue::try_from(POLICY.as_str()).map_err(|_| Trouble::Policy)?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            // The same for everybody; applications load it at each of their pages.
            (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        ];
        Ok((StatusCode::OK, headers, html).into_response())
    });
    page::answer(&state, result)
}

/// No content. The cookie of the session stays: whoever comes by with it is given the frames of its clients (frontchannel_logout.rs).
async fn check(State(state): State<AppState>, mut cookies: Cookies) -> Response {
    let result = look_up(&state, &mut cookies).await;
    cookies.onto(page::answer(&state, result))
}

async fn look_up(state: &AppState, cookies: &mut Cookies) -> Result<Response, Trouble> {
    if let Some(session) = cookies.session() {
        let answer = state.db.call(&SESSION_STATE_CHECK, &[&session]).await?;
        match answer.outcome.as_str() {
            "ok" => {}
            "signed_out" => cookies.show_nobody(),
            _ => return Err(answer.into()),
        }
    }
    Ok((StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response())
}
