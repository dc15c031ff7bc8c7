//! `/session-state`: the page that applications load in a frame, to be told by a message whether their `session_state` is that of
//! today (OpenID Connect Session Management 1.0 §3.2, `check_session_iframe`). It makes no request: it hashes what the message
//! holds together with a cookie that changes when somebody signs in or out (web/cookies.rs).

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

use crate::web::cookies;
use crate::web::page::{self, Trouble};
use crate::web::state::AppState;

/// The path of the page below the issuer's.
pub const PATH: &str = "/session-state";

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route(PATH, get(show))
}

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
    format!("default-src 'none'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'")
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
