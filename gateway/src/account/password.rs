//! `/password`: a person changes the password; the old one is demanded.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::checked;
use crate::login::too_many;
use crate::web::cookies::Cookies;
use crate::web::database::{Call, Pool};
use crate::web::form::{Form, Malformed};
use crate::web::locales::{Html, Language};
use crate::web::page::{self as pages, Forms, Site, Trouble, Words};
use crate::web::proxy::Source;
use crate::web::state::AppState;
use crate::web::{csrf, response};

/// Durable, and as slow as a sign-in.
pub static CHANGE: Call = Call {
    pool: Pool::Hashing,
    sql: "select outcome, detail, answer from identity.account_password_change($1, $2, $3, $4)",
};

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    site: Site,
    form: Fields<'a>,
}

/// What the form holds, on the home page and on its own.
pub struct Fields<'a> {
    /// Bound to the session.
    pub csrf: String,
    /// For password managers only.
    pub username: &'a str,
    /// Why it is shown again.
    pub problem: Option<Html>,
}

/// The form is on the home page; only its refusal is a page of its own, which a reload leaves.
pub async fn page(State(state): State<AppState>) -> Response {
    response::see_other(&format!("{}#password", pages::home(&state)))
}

/// Changes it, or shows the form with what is wrong with it.
pub async fn submit(
    State(state): State<AppState>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    cookies: Cookies,
    form: Result<Form, Malformed>,
) -> Response {
    pages::answer(&state, change(&state, source, &headers, &cookies, form).await)
}

async fn change(
    state: &AppState,
    source: Source,
    headers: &HeaderMap,
    cookies: &Cookies,
    form: Result<Form, Malformed>,
) -> Result<Response, Trouble> {
    let form = checked(state, headers, cookies, form)?;
    let old = form.one("old_password")?.unwrap_or_default();
    let new = form.one("new_password")?.unwrap_or_default();
    let language = Language::present();
    let refuse = |status, problem: Html| {
        let username = form.one("username")?.unwrap_or_default();
        let form = Fields { problem: Some(problem), ..Fields::of(cookies, username) };
        pages::render(status, &PasswordPage { site: Site::of(state), form }, Forms::Here, [])
    };
    if form.one("new_password_again")? != Some(new) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, language.say("password-unequal").into());
    }
    let address = source.address.to_string();
    let answer = state.db.call(&CHANGE, &[&cookies.session(), &old, &new, &address]).await?;
    match answer.outcome.as_str() {
        "ok" => {
            state.logouts.nudge();
            Ok(response::see_other(&format!("{}?done=password-changed", pages::home(state))))
        }
        "sign_in" => Ok(response::see_other(&state.issuer.local("/login"))),
        "invalid_credentials" => refuse(StatusCode::UNPROCESSABLE_ENTITY, language.say("password-wrong").into()),
        "invalid_password" => {
            let Refused { error_description, .. } = answer.read()?;
            refuse(StatusCode::UNPROCESSABLE_ENTITY, Words::of(language, "why-", &error_description).into())
        }
        "slow_down" => {
            let Refused { retry_after, .. } = answer.read()?;
            let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, too_many(language, retry_after).into())?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
            Ok(response)
        }
        _ => Err(answer.into()),
    }
}

#[derive(Deserialize)]
struct Refused {
    /// Seconds.
    #[serde(default)]
    retry_after: u32,
    #[serde(default)]
    error_description: String,
}

impl<'a> Fields<'a> {
    /// The fields of a form in this session, with nothing said about them yet.
    pub fn of(cookies: &Cookies, username: &'a str) -> Self {
        Self { csrf: cookies.session().map(csrf::token).unwrap_or_default(), username, problem: None }
    }
}
