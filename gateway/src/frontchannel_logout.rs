//! Front-channel logout (OpenID Connect Front-Channel Logout 1.0): the page after the end of a session, which loads a page of each
//! client of that session in a frame and then goes on.
//!
//! ```text
//! a logout, a sign-in in place of somebody else ──────────────────────────> frames ──> where that leads
//! GET /login, with the cookie of a session that was ended elsewhere
//!      └── 303 ──> GET /logout/elsewhere, which forgets that cookie ──> frames ──> GET /login
//! ```
//! Only the database knows whether there are frames, and gives them once.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::form_urlencoded;

use crate::web::cookies::Cookies;
use crate::web::database::{Call, Pool};
use crate::web::form::{self, Malformed, Query};
use crate::web::locales;
use crate::web::outcome::Redirection;
use crate::web::page::{self, Site, Trouble, WebLink};
use crate::web::state::AppState;
use crate::web::{refusal, response};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    // Axum answers HEAD with what GET does: the frames would be given to nobody.
    Router::new().route(ELSEWHERE, get(show).head(refusal::no_head))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&TAKE];

static TAKE: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.frontchannel_logout_take($1)" };

const ELSEWHERE: &str = "/logout/elsewhere";

#[derive(Template)]
#[template(path = "frontchannel_logout.html")]
struct FramesPage<'a> {
    site: Site,
    /// What has happened: the person signed out, or a session is over.
    over: Over,
    frames: &'a [WebLink],
    next: &'a str,
    script: &'static str,
}

/// On when all frames are there; a frame that hangs is waited for no longer than this.
const SCRIPT: &str =
    "function go(){location.replace(document.getElementById('continue').href)}onload=go;setTimeout(go,3000)";

static SCRIPT_DIGEST: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes()))));

/// Why the session is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Its person signed out here.
    SignedOut,
    /// It was ended elsewhere, or somebody else has signed in here.
    Ended,
}

/// The page with these frames, which leads on to `next`; `None` without any.
///
/// # Errors
/// [`Trouble::Template`], which does not happen with the templates we have.
pub fn page(state: &AppState, over: Over, frames: &[Redirection], next: &str) -> Result<Option<Response>, Trouble> {
    // What is no web address is nothing that a page may load.
    let frames: Vec<WebLink> = frames.iter().filter_map(|frame| frame.query().parse().ok()).collect();
    if frames.is_empty() {
        return Ok(None);
    }
    let page = FramesPage { site: Site::of(state), over, frames: &frames, next, script: SCRIPT };
    page::render_frames(&page, &frames, &SCRIPT_DIGEST).map(Some)
}

/// The way to the frames of a session that was ended elsewhere, and back to the sign-in page, for this request of a client.
///
/// # Errors
/// [`Malformed::TooLarge`].
pub fn elsewhere(state: &AppState, resume: Option<&str>) -> Result<Response, Malformed> {
    Ok(response::see_other(&onward(state, ELSEWHERE, resume)?))
}

async fn show(
    State(state): State<AppState>,
    headers: HeaderMap,
    mut cookies: Cookies,
    query: Result<Query, Malformed>,
) -> Response {
    let result = take(&state, &headers, &mut cookies, query).await;
    cookies.onto(page::answer(&state, result))
}

async fn take(
    state: &AppState,
    headers: &HeaderMap,
    cookies: &mut Cookies,
    query: Result<Query, Malformed>,
) -> Result<Response, Trouble> {
    #[derive(Deserialize)]
    struct SignedOut {
        #[serde(default)]
        frames: Vec<Redirection>,
    }
    let query = query?.0;
    // Read where every page reads its language (web/locales.rs).
    query.one("ui_locales")?;
    let next = onward(state, "/login", query.one("resume")?)?;
    // A picture on somebody's page would have the frames and show none (Fetch Metadata).
    if headers.get("sec-fetch-dest").is_some_and(|shown| shown != "document") {
        return Ok(response::see_other(&next));
    }
    let answer = state.db.call(&TAKE, &[&cookies.session()]).await?;
    let frames = match answer.outcome.as_str() {
        "signed_out" => answer.read::<SignedOut>()?.frames,
        // Somebody has signed in meanwhile, in another window.
        "ok" => return Ok(response::see_other(&next)),
        _ => return Err(answer.into()),
    };
    cookies.browser_or_new();
    cookies.end_session();
    Ok(page(state, Over::Ended, &frames, &next)?.unwrap_or_else(|| response::see_other(&next)))
}

/// An address of ours that goes on with this request of a client, in its language.
fn onward(state: &AppState, path: &str, resume: Option<&str>) -> Result<String, Malformed> {
    let address = state.issuer.local(path);
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(resume.map(|resume| ("resume", resume))).finish();
    if query.len() > form::LONGEST_QUERY {
        return Err(Malformed::TooLarge);
    }
    Ok(locales::keep(if query.is_empty() { address } else { format!("{address}?{query}") }))
}
