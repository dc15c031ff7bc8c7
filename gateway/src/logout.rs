//! `/logout`: OpenID Connect RP-Initiated Logout 1.0, and the link "Sign out" of the home page, which is the same
//! without parameters.
//!
//! ```text
//! GET /logout ── confirm ──> page ── POST /logout/confirm ── logout-yes ──> frames ──> client, or /logout/done
//!      │                                                 └── logout-no ───> home page
//!      └── signed_out (nobody is signed in any more) ──> frames ──> client, or page
//! ```
//! The frames are those of Front-Channel Logout 1.0, where clients of the session want one (frontchannel_logout.rs); the others
//! are told meanwhile (backchannel_logout.rs).

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio_postgres::types::Json;

use crate::frontchannel_logout::{self, Over};
use crate::web::cookies::Cookies;
use crate::web::database::{Answer, Call, Pool};
use crate::web::form::{self, Form, Malformed, Query};
use crate::web::locales;
use crate::web::outcome::Redirection;
use crate::web::page::{self, Client, Forms, Site, Trouble};
use crate::web::state::AppState;
use crate::web::{csrf, refusal, response};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new()
        // Axum answers HEAD with what GET does: sessions would end unseen.
        .route("/logout", get(show).head(refusal::no_head).post(repeat))
        .route("/logout/confirm", post(submit))
        .route(DONE, get(done))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&REQUEST, &CONFIRM];

static REQUEST: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.logout_request($1, $2, $3)" };

static CONFIRM: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.logout_confirm($1, $2, $3)" };

#[derive(Template)]
#[template(path = "logout.html")]
struct LogoutPage<'a> {
    site: Site,
    client: &'a Option<Client>,
    /// Who is signed in, where the client may have meant somebody else.
    user: &'a Option<String>,
    resume: &'a str,
    csrf: String,
}

#[derive(Template)]
#[template(path = "logged_out.html")]
struct LoggedOutPage {
    site: Site,
}

#[derive(Deserialize)]
struct Confirm {
    resume: String,
    client: Option<Client>,
    user: Option<String>,
}

/// Where the client wants the person afterwards, if anywhere: its `post_logout_redirect_uri`, with its `state`.
#[derive(Deserialize)]
struct SignedOut {
    redirect_uri: Option<IgnoredAny>,
    /// What is loaded before: `frontchannel_logout_uri` of the clients of the session.
    #[serde(default)]
    frames: Vec<Redirection>,
}

async fn show(State(state): State<AppState>, mut cookies: Cookies, query: Result<Query, Malformed>) -> Response {
    let result = show_page(&state, &mut cookies, query).await;
    cookies.onto(page::answer(&state, result))
}

async fn show_page(
    state: &AppState,
    cookies: &mut Cookies,
    query: Result<Query, Malformed>,
) -> Result<Response, Trouble> {
    let parameters = Json(query?.0);
    cookies.browser_or_new();
    let answer = state.db.call(&REQUEST, &[&parameters, &cookies.session(), &cookies.browser()]).await?;
    match answer.outcome.as_str() {
        "confirm" => {
            let confirm: Confirm = answer.read()?;
            // Bound to the browser, not to the session: the same page in a second window must not fail because the
            // first one has ended the session.
            let csrf = cookies.browser().map(csrf::token).unwrap_or_default();
            let Confirm { resume, client, user } = &confirm;
            let logout = LogoutPage { site: Site::of(state), client, user, resume, csrf };
            let pictures = confirm.client.iter().filter_map(|client| client.logo_uri.as_ref());
            page::render(StatusCode::OK, &logout, Forms::Onward, pictures)
        }
        "signed_out" => match signed_out(state, cookies, &answer)? {
            Next::Page(page) => Ok(page),
            Next::Client(redirection) => Ok(redirection.respond(state)),
            Next::Nowhere => logged_out(state),
        },
        _ => Err(answer.into()),
    }
}

/// The request by POST. From another site it comes without our cookies; sent again as a GET it comes with them.
async fn repeat(State(state): State<AppState>, form: Result<Form, Malformed>) -> Response {
    let repeated = form.map_err(Trouble::from).and_then(|form| {
        let query = form.0.encoded();
        if query.len() > form::LONGEST_QUERY {
            return Err(Malformed::TooLarge.into());
        }
        let location = state.issuer.local("/logout");
        Ok(response::see_other(&if query.is_empty() { location } else { format!("{location}?{query}") }))
    });
    page::answer(&state, repeated)
}

async fn submit(
    State(state): State<AppState>,
    headers: HeaderMap,
    mut cookies: Cookies,
    form: Result<Form, Malformed>,
) -> Response {
    let result = confirm(&state, &headers, &mut cookies, form).await;
    cookies.onto(page::answer(&state, result))
}

async fn confirm(
    state: &AppState,
    headers: &HeaderMap,
    cookies: &mut Cookies,
    form: Result<Form, Malformed>,
) -> Result<Response, Trouble> {
    let form = form?.0;
    csrf::check(headers, state.issuer.origin(), form.one(csrf::FIELD)?, cookies.browser())?;
    if form.one("logout-yes")?.is_none() || form.one("logout-no")?.is_some() {
        return Ok(response::see_other(&page::home(state)));
    }
    let resume = form.one("resume")?;
    let answer = state.db.call(&CONFIRM, &[&resume, &cookies.session(), &cookies.browser()]).await?;
    locales::heed(&answer.body);
    match answer.outcome.as_str() {
        "signed_out" => Ok(match signed_out(state, cookies, &answer)? {
            Next::Page(page) => page,
            Next::Client(redirection) => redirection.respond(state),
            Next::Nowhere => response::see_other(&locales::keep(state.issuer.local(DONE))),
        }),
        _ => Err(answer.into()),
    }
}

async fn done(State(state): State<AppState>, query: Result<Query, Malformed>) -> Response {
    // Read where every page reads its language (web/locales.rs).
    let read = query.and_then(|query| query.0.one("ui_locales").map(drop));
    page::answer(&state, read.map_err(Trouble::from).and_then(|()| logged_out(&state)))
}

fn logged_out(state: &AppState) -> Result<Response, Trouble> {
    page::render(StatusCode::OK, &LoggedOutPage { site: Site::of(state) }, Forms::Here, [])
}

/// Where the browser goes after a logout.
enum Next {
    /// This page is between.
    Page(Response),
    Client(Redirection),
    Nowhere,
}

/// Forgets the session, has the clients told, and reads where the browser goes.
fn signed_out(state: &AppState, cookies: &mut Cookies, answer: &Answer) -> Result<Next, Trouble> {
    let SignedOut { redirect_uri, frames } = answer.read()?;
    cookies.end_session();
    state.logouts.nudge();
    let client = redirect_uri.map(|_| answer.read::<Redirection>()).transpose()?;
    let next = client.as_ref().map_or_else(|| state.issuer.local(DONE), Redirection::query);
    if let Some(page) = frontchannel_logout::page(state, Over::SignedOut, &frames, &next)? {
        return Ok(Next::Page(page));
    }
    Ok(client.map_or(Next::Nowhere, Next::Client))
}

/// The page that says so.
const DONE: &str = "/logout/done";
