//! `/select-account`: a person chooses whom to go on as (`prompt=select_account`, OpenID Connect Core §3.1.2.1).

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use url::form_urlencoded;

use crate::web::cookies::Cookies;
use crate::web::csrf::{self, Seen};
use crate::web::database::{Call, Pool};
use crate::web::form::{self, Form, Malformed, Query};
use crate::web::locales;
use crate::web::page::{self, Client, Forms, Site, Trouble};
use crate::web::state::AppState;
use crate::web::{outcome, refusal, response};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/select-account", get(show).head(refusal::no_head).post(submit))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&PAGE, &SELECT];

static PAGE: Call =
    Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.select_account_page($1, $2, $3, $4)" };

static SELECT: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.select_account($1, $2, $3, $4, $5)" };

/// The buttons, in the order of the accounts: a browser remembers five people.
const BUTTONS: [&str; 6] = ["account-1", "account-2", "account-3", "account-4", "account-5", "account-6"];

#[derive(Template)]
#[template(path = "select_account.html")]
struct SelectAccountPage<'a> {
    site: Site,
    page: &'a PageAnswer,
    csrf: String,
}

#[derive(Deserialize)]
struct PageAnswer {
    /// The request, bound to this browser.
    resume: String,
    client: Client,
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    number: u32,
    username: String,
    name: String,
    signed_in: bool,
}

async fn show(State(state): State<AppState>, cookies: Cookies, query: Result<Query, Malformed>) -> Response {
    let result = show_page(&state, &cookies, query).await;
    cookies.onto(page::answer(&state, result))
}

async fn show_page(state: &AppState, cookies: &Cookies, query: Result<Query, Malformed>) -> Result<Response, Trouble> {
    let query = query?.0;
    let resume = query.one("resume")?;
    let evidence = (cookies.session(), cookies.browser(), cookies.device());
    let answer = state.db.call(&PAGE, &[&resume, &evidence.0, &evidence.1, &evidence.2]).await?;
    if answer.outcome != "page" {
        return Ok(outcome::authorization(state, &answer.outcome, &answer.body));
    }
    locales::heed(&answer.body);
    let answer: PageAnswer = answer.read()?;
    let csrf = csrf::token_of_both(cookies.browser(), cookies.session());
    let choose = SelectAccountPage { site: Site::of(state), page: &answer, csrf };
    page::render(StatusCode::OK, &choose, Forms::Onward, &answer.client.logo_uri)
}

async fn submit(
    State(state): State<AppState>,
    headers: HeaderMap,
    cookies: Cookies,
    form: Result<Form, Malformed>,
) -> Response {
    let result = select(&state, &headers, &cookies, form).await;
    cookies.onto(page::answer(&state, result))
}

async fn select(
    state: &AppState,
    headers: &HeaderMap,
    cookies: &Cookies,
    form: Result<Form, Malformed>,
) -> Result<Response, Trouble> {
    let form = form?.0;
    let resume = form.one("resume")?;
    let seen =
        csrf::check_both(headers, state.issuer.origin(), form.one(csrf::FIELD)?, cookies.browser(), cookies.session())?;
    if seen == Seen::InAnotherSession {
        return Ok(response::see_other(&again(state, resume)?));
    }
    let mut account: Option<i32> = None;
    for (number, button) in (1..).zip(BUTTONS) {
        if form.one(button)?.is_some() {
            account = Some(number);
        }
    }
    let evidence = (cookies.session(), cookies.browser(), cookies.device());
    let answer = state.db.call(&SELECT, &[&resume, &evidence.0, &evidence.1, &evidence.2, &account]).await?;
    Ok(outcome::authorization(state, &answer.outcome, &answer.body))
}

/// The page as it is now: whom its numbers meant was another question.
fn again(state: &AppState, resume: Option<&str>) -> Result<String, Malformed> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(resume.map(|resume| ("resume", resume))).finish();
    if query.len() > form::LONGEST_QUERY {
        return Err(Malformed::TooLarge);
    }
    Ok(format!("{}?{query}", state.issuer.local("/select-account")))
}
