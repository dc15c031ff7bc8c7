//! `/consent`: a person allows an application what it asks for, or does not.

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
use crate::web::locales::{self, Html};
use crate::web::page::{self, Client, Forms, Scope, Site, Trouble};
use crate::web::state::AppState;
use crate::web::{outcome, refusal, response};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    // Axum answers HEAD with what GET does, which may lead on to the client with a code.
    Router::new().route("/consent", get(show).head(refusal::no_head).post(submit))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&PAGE, &DECIDE];

static PAGE: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.consent_page($1, $2, $3)" };

static DECIDE: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.consent_decide($1, $2, $3, $4)" };

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    site: Site,
    page: &'a PageAnswer,
    resume: &'a str,
    csrf: String,
}

#[derive(Deserialize)]
struct PageAnswer {
    /// The request, bound to this browser.
    resume: String,
    client: Client,
    /// Where the browser goes afterwards: the one thing here that a stranger cannot choose freely.
    redirect_host: String,
    #[serde(default)]
    scopes: Vec<Scope>,
    #[serde(default)]
    resources: Vec<Resource>,
    user: User,
}

#[derive(Deserialize)]
struct Resource {
    identifier: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct User {
    name: Option<String>,
    username: String,
}

impl PageAnswer {
    fn resources(&self) -> Html {
        Html::list(self.resources.iter().map(|resource| Html::strong(resource.words())))
    }

    fn redirect_host(&self) -> Html {
        Html::identified("strong", "redirect-host", &self.redirect_host)
    }
}

impl Resource {
    fn words(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.identifier)
    }
}

impl User {
    fn shown(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.username)
    }
}

async fn show(State(state): State<AppState>, cookies: Cookies, query: Result<Query, Malformed>) -> Response {
    let result = show_page(&state, &cookies, query).await;
    cookies.onto(page::answer(&state, result))
}

async fn show_page(state: &AppState, cookies: &Cookies, query: Result<Query, Malformed>) -> Result<Response, Trouble> {
    let query = query?.0;
    let resume = query.one("resume")?;
    let answer = state.db.call(&PAGE, &[&resume, &cookies.session(), &cookies.browser()]).await?;
    if answer.outcome != "page" {
        return Ok(outcome::authorization(state, &answer.outcome, &answer.body));
    }
    locales::heed(&answer.body);
    let answer: PageAnswer = answer.read()?;
    let consent = ConsentPage {
        site: Site::of(state),
        page: &answer,
        resume: &answer.resume,
        csrf: csrf::token_of_both(cookies.browser(), cookies.session()),
    };
    page::render(StatusCode::OK, &consent, Forms::Onward, &answer.client.logo_uri)
}

async fn submit(
    State(state): State<AppState>,
    headers: HeaderMap,
    cookies: Cookies,
    form: Result<Form, Malformed>,
) -> Response {
    let result = decide(&state, &headers, &cookies, form).await;
    cookies.onto(page::answer(&state, result))
}

async fn decide(
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
    // A form without either button allows nothing.
    let allowed = form.one("allow")?.is_some() && form.one("deny")?.is_none();
    let decision = if allowed { "allow" } else { "deny" };
    let answer = state.db.call(&DECIDE, &[&resume, &cookies.session(), &cookies.browser(), &decision]).await?;
    Ok(outcome::authorization(state, &answer.outcome, &answer.body))
}

/// The page as it is for whoever is signed in now. Nothing was decided: what somebody saw before they, or another person,
/// signed in again says nothing about what is on it today.
fn again(state: &AppState, resume: Option<&str>) -> Result<String, Malformed> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(resume.map(|resume| ("resume", resume))).finish();
    if query.len() > form::LONGEST_QUERY {
        return Err(Malformed::TooLarge);
    }
    Ok(format!("{}?{query}", state.issuer.local("/consent")))
}
