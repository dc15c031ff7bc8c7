//! `/login`: user name and password, for a client's request (`resume`) or for the home page.
//!
//! What is typed goes to the database, which compares; the gateway learns nothing but the outcome and the new cookies.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_postgres::types::ToSql;
use url::form_urlencoded;

use crate::frontchannel_logout::{self, Over};
use crate::web::cookies::Cookies;
use crate::web::database::{Answer, Call, Pool};
use crate::web::form::{Form, Malformed, Query};
use crate::web::locales::{self, Language, Message};
use crate::web::outcome::{self, Outcome, Redirection};
use crate::web::page::{self, Client, Forms, Site, Trouble};
use crate::web::proxy::Source;
use crate::web::state::AppState;
use crate::web::{csrf, response};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/login", get(show).post(submit))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&PAGE, &SIGN_IN];

static PAGE: Call =
    Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.sign_in_page($1, $2, $3)" };

static SIGN_IN: Call = Call {
    pool: Pool::Hashing,
    sql: "select outcome, detail, answer from identity.sign_in($1, $2, $3, $4, $5, $6, $7, $8)",
};

/// The longest `User-Agent` that is kept, in characters: enough to tell one's own browsers apart.
const USER_AGENT_LENGTH: usize = 300;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    site: Site,
    client: Option<Client>,
    /// What the field holds: what was typed, or who is asked to sign in.
    username: &'a str,
    /// Somebody is signed in and must prove it again.
    again: bool,
    problem: Option<Message>,
    resume: Option<&'a str>,
    csrf: String,
}

/// The page that asks for itself again, see [`first_visit`].
#[derive(Template)]
#[template(path = "moment.html")]
struct MomentPage {
    site: Site,
    location: String,
    automatic: bool,
}

#[derive(Deserialize)]
struct PageAnswer {
    /// The request, bound to this browser.
    resume: Option<String>,
    client: Option<Client>,
    login_hint: Option<String>,
    username: Option<String>,
    /// The session that the browser named is over.
    #[serde(default)]
    signed_out: bool,
}

/// A session was ended elsewhere, and its clients are told first.
#[derive(Deserialize)]
struct SignedOut {
    resume: Option<String>,
}

#[derive(Deserialize)]
struct SignedIn {
    session_cookie: String,
    device_cookie: Option<String>,
    next: Option<Next>,
    /// What is loaded before, for the session that this browser had; then `resume` stands in place of `next`.
    #[serde(default)]
    frames: Vec<Redirection>,
    resume: Option<String>,
}

/// What becomes of the client's request: the answer of `identity.authorization_request`, one step later.
#[derive(Deserialize)]
struct Next {
    outcome: String,
    answer: Box<RawValue>,
}

#[derive(Deserialize)]
struct Refused {
    /// Seconds.
    #[serde(default)]
    retry_after: u32,
    client: Option<Client>,
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
    let query = query?.0;
    let resume = query.one("resume")?;
    if cookies.browser_or_new().is_none() {
        return first_visit(state, resume, query.one("again")?.is_some());
    }
    let answer = state.db.call(&PAGE, &[&resume, &cookies.session(), &cookies.browser()]).await?;
    locales::heed(&answer.body);
    match answer.outcome.as_str() {
        "page" => {}
        "signed_out" => {
            let SignedOut { resume } = answer.read()?;
            return Ok(frontchannel_logout::elsewhere(state, resume.as_deref())?);
        }
        _ => return Err(answer.into()),
    }
    let answer: PageAnswer = answer.read()?;
    if answer.signed_out {
        cookies.end_session();
    }
    // "Not you?": whoever is signed in, and whoever the client had in mind, somebody else wants to.
    let (hint, present) =
        if query.one("other-account")?.is_some() { (None, None) } else { (answer.login_hint, answer.username) };
    // A hint at somebody else than who is signed in: it is not the same person again.
    let again = present.is_some() && hint.as_ref().is_none_or(|hint| present.as_ref() == Some(hint));
    let username = hint.or(present).unwrap_or_default();
    LoginPage { client: answer.client, again, ..LoginPage::of(state, cookies, answer.resume.as_deref(), &username) }
        .respond(StatusCode::OK)
}

/// A client sends people here from another site, and such a request gets no cookie when it brings none (README, decision 7:
/// the browser may have some that it held back). But the form needs one. So this page opens the sign-in page: that
/// request then comes from this site.
fn first_visit(state: &AppState, resume: Option<&str>, again: bool) -> Result<Response, Trouble> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("again", "yes").extend_pairs(resume.map(|resume| ("resume", resume)));
    let location = format!("{}?{}", state.issuer.local("/login"), query.finish());
    // Never twice by itself: where a browser thinks otherwise about what another site is, that would be without end.
    let moment = MomentPage { site: Site::of(state), location, automatic: !again };
    page::render(StatusCode::OK, &moment, Forms::Here, [])
}

async fn submit(
    State(state): State<AppState>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    mut cookies: Cookies,
    form: Result<Form, Malformed>,
) -> Response {
    let result = sign_in(&state, source, &headers, &mut cookies, form).await;
    cookies.onto(page::answer(&state, result))
}

async fn sign_in(
    state: &AppState,
    source: Source,
    headers: &HeaderMap,
    cookies: &mut Cookies,
    form: Result<Form, Malformed>,
) -> Result<Response, Trouble> {
    let form = form?.0;
    csrf::check(headers, state.issuer.origin(), form.one(csrf::FIELD)?, cookies.browser())?;
    let resume = form.one("resume")?;
    let username = form.one("username")?.unwrap_or_default();
    let password = form.one("password")?.unwrap_or_default();
    let address = source.address.to_string();
    let user_agent = user_agent(headers);
    let (browser, device, session) = (cookies.browser(), cookies.device(), cookies.session());
    let evidence: &[&(dyn ToSql + Sync)] =
        &[&resume, &browser, &username, &password, &address, &user_agent, &device, &session];
    let answer = state.db.call(&SIGN_IN, evidence).await?;
    locales::heed(&answer.body);
    if answer.outcome == "signed_in" {
        return signed_in(state, cookies, &answer);
    }
    let page = LoginPage::of(state, cookies, resume, username);
    match answer.outcome.as_str() {
        "invalid_credentials" => {
            let Refused { client, .. } = answer.read()?;
            let problem = Some(page.site.language.say("sign-in-wrong"));
            LoginPage { client, problem, ..page }.respond(Outcome::InvalidCredentials.status())
        }
        "slow_down" => {
            let Refused { client, retry_after } = answer.read()?;
            let problem = Some(too_many(page.site.language, retry_after));
            let mut response = LoginPage { client, problem, ..page }.respond(StatusCode::TOO_MANY_REQUESTS)?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
            Ok(response)
        }
        _ => Err(answer.into()),
    }
}

fn signed_in(state: &AppState, cookies: &mut Cookies, answer: &Answer) -> Result<Response, Trouble> {
    let answer: SignedIn = answer.read()?;
    if cookies.session().is_some() {
        // Whoever was signed in here before is not any more.
        state.logouts.nudge();
    }
    cookies.set_session(&answer.session_cookie);
    if let Some(device) = &answer.device_cookie {
        cookies.set_device(device);
    }
    if !answer.frames.is_empty() {
        let next =
            answer.resume.map_or_else(|| page::home(state), |resume| outcome::resumed(state, "/authorize", &resume));
        if let Some(page) = frontchannel_logout::page(state, Over::Ended, &answer.frames, &next)? {
            return Ok(page);
        }
        return Ok(response::see_other(&next));
    }
    Ok(match answer.next {
        Some(next) => outcome::authorization(state, &next.outcome, &next.answer),
        None => response::see_other(&page::home(state)),
    })
}

impl<'a> LoginPage<'a> {
    /// The page for a request, with nothing said about it yet.
    fn of(state: &AppState, cookies: &Cookies, resume: Option<&'a str>, username: &'a str) -> Self {
        let csrf = cookies.browser().map(csrf::token).unwrap_or_default();
        Self { site: Site::of(state), client: None, username, again: false, problem: None, resume, csrf }
    }

    fn respond(&self, status: StatusCode) -> Result<Response, Trouble> {
        // With a request of a client, the answer to the form may lead to that client.
        let forms = if self.resume.is_some() { Forms::Onward } else { Forms::Here };
        page::render(status, self, forms, self.client.iter().filter_map(|client| client.logo_uri.as_ref()))
    }
}

/// Says when the next attempt is listened to.
pub fn too_many(language: Language, seconds: u32) -> Message {
    language.say("too-many-attempts").count("seconds", seconds.max(1).into())
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(header::USER_AGENT)?.as_bytes());
    Some(text.chars().filter(|character| !character.is_control()).take(USER_AGENT_LENGTH).collect())
}
