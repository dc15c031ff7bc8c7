//! `/`, the person's home page: where they are signed in, which applications are connected, change of password.
//!
//! Each button is a form of its own that is answered with 303 to the page, which then says in one line what was done.

mod device;
mod password;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::web::cookies::Cookies;
use crate::web::database::{Call, Pool};
use crate::web::form::{Form, Malformed, Parameters, Query};
use crate::web::locales::{Html, Language, Message};
use crate::web::page::{self, Client, Forms, Scope, Site, Time, Trouble};
use crate::web::state::AppState;
use crate::web::{csrf, response};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(show))
        .route("/sessions/end", post(end_session))
        .route("/sessions/end-others", post(end_others))
        .route("/applications/withdraw", post(withdraw))
        .route("/password", get(password::page).post(password::submit))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&PAGE, &END_SESSION, &END_OTHERS, &WITHDRAW, &password::CHANGE];

static PAGE: Call = Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.account_page($1)" };
static END_SESSION: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.account_session_end($1, $2)" };
static END_OTHERS: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.account_sessions_end_others($1)" };
static WITHDRAW: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.account_application_withdraw($1, $2)",
};
#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    site: Site,
    issuer: &'a str,
    page: &'a PageAnswer,
    notice: Option<Message>,
    form: password::Fields<'a>,
}

#[derive(Deserialize)]
struct PageAnswer {
    user: User,
    /// The database's clock: the gateway's may be wrong.
    now: Time,
    #[serde(default)]
    sessions: Vec<Session>,
    #[serde(default)]
    applications: Vec<Application>,
}

#[derive(Deserialize)]
struct User {
    username: String,
    name: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct Session {
    id: Uuid,
    #[serde(default)]
    current: bool,
    user_agent: Option<String>,
    source: Option<String>,
    started_at: Time,
    last_seen_at: Time,
}

#[derive(Deserialize)]
struct Application {
    #[serde(flatten)]
    client: Client,
    #[serde(default)]
    scopes: Vec<Scope>,
    /// `None`: it has nothing of the person's, who may open it.
    granted_at: Option<Time>,
}

impl User {
    fn shown(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.username)
    }

    /// The first letters of the first and the last word.
    fn initials(&self) -> String {
        let mut words = self.shown().split_whitespace().filter_map(|word| word.chars().next());
        words.next().into_iter().chain(words.next_back()).flat_map(char::to_uppercase).collect()
    }
}

impl Session {
    fn device(&self, language: &Language) -> Html {
        device::name(self.user_agent.as_deref().unwrap_or_default(), *language)
    }
}

async fn show(State(state): State<AppState>, cookies: Cookies, query: Result<Query, Malformed>) -> Response {
    let result = show_page(&state, &cookies, query).await;
    page::answer(&state, result)
}

async fn show_page(state: &AppState, cookies: &Cookies, query: Result<Query, Malformed>) -> Result<Response, Trouble> {
    let query = query?.0;
    let done = query.one("done")?;
    let answer = state.db.call(&PAGE, &[&cookies.session()]).await?;
    match answer.outcome.as_str() {
        "page" => {}
        "sign_in" => return Ok(response::see_other(&state.issuer.local("/login"))),
        _ => return Err(answer.into()),
    }
    let answer: PageAnswer = answer.read()?;
    let form = password::Fields::of(cookies, &answer.user.username);
    let site = Site::of(state);
    let notice = done.and_then(|done| notice(done, site.language));
    let account = AccountPage { site, issuer: state.issuer.as_str(), page: &answer, notice, form };
    let pictures = answer.applications.iter().filter_map(|application| application.client.logo_uri.as_ref());
    page::render(StatusCode::OK, &account, Forms::Here, pictures)
}

/// What the home page says after a form. The words are chosen by name: an address cannot put others into its mouth.
fn notice(done: &str, language: Language) -> Option<Message> {
    match done {
        "session-ended" => Some(language.say("notice-session-ended")),
        "sessions-ended" => Some(language.say("notice-sessions-ended")),
        "withdrawn" => Some(language.say("notice-withdrawn")),
        "password-changed" => Some(language.say("notice-password-changed")),
        _ => None,
    }
}

async fn end_session(
    State(state): State<AppState>,
    headers: HeaderMap,
    cookies: Cookies,
    form: Result<Form, Malformed>,
) -> Response {
    let result = async {
        let form = checked(&state, &headers, &cookies, form)?;
        // What is no id is the id of no session.
        let id = form.one("session_id")?.and_then(|id| id.parse::<Uuid>().ok());
        act(&state, &END_SESSION, &[&cookies.session(), &id], "session-ended").await
    };
    page::answer(&state, result.await)
}

async fn end_others(
    State(state): State<AppState>,
    headers: HeaderMap,
    cookies: Cookies,
    form: Result<Form, Malformed>,
) -> Response {
    let result = async {
        checked(&state, &headers, &cookies, form)?;
        act(&state, &END_OTHERS, &[&cookies.session()], "sessions-ended").await
    };
    page::answer(&state, result.await)
}

async fn withdraw(
    State(state): State<AppState>,
    headers: HeaderMap,
    cookies: Cookies,
    form: Result<Form, Malformed>,
) -> Response {
    let result = async {
        let form = checked(&state, &headers, &cookies, form)?;
        act(&state, &WITHDRAW, &[&cookies.session(), &form.one("client_id")?], "withdrawn").await
    };
    page::answer(&state, result.await)
}

/// Does one thing and goes back to the page. What is gone already was ended in another window: the same to the person.
async fn act(
    state: &AppState,
    call: &'static Call,
    evidence: &[&(dyn ToSql + Sync)],
    done: &'static str,
) -> Result<Response, Trouble> {
    let answer = state.db.call(call, evidence).await?;
    state.logouts.nudge();
    match answer.outcome.as_str() {
        "ok" | "not_found" => Ok(response::see_other(&format!("{}?done={done}", page::home(state)))),
        "sign_in" => Ok(response::see_other(&state.issuer.local("/login"))),
        _ => Err(answer.into()),
    }
}

fn checked(
    state: &AppState,
    headers: &HeaderMap,
    cookies: &Cookies,
    form: Result<Form, Malformed>,
) -> Result<Parameters, Trouble> {
    let form = form?.0;
    csrf::check(headers, state.issuer.origin(), form.one(csrf::FIELD)?, cookies.session())?;
    Ok(form)
}
