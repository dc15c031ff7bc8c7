//! `/authorize` (RFC 6749 §3.1, OpenID Connect Core §3.1.2): a client sends a person here, and gets them back with a
//! code or an error. All of it is decided by `identity.authorization_request`; what happens in between is on the pages
//! in login.rs and consent.rs, which carry the sealed request in their URL as `resume`.

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tokio_postgres::types::{Json, ToSql};

use crate::web::cookies::Cookies;
use crate::web::database::{Answer, Call, Pool, Unavailable};
use crate::web::documents::Errand;
use crate::web::form::{Form, Malformed, Parameters};
use crate::web::state::AppState;
use crate::web::{outcome, refusal};

/// The endpoints of this feature. No CORS: a person's browser comes here as a whole, with its cookies.
pub fn routes() -> Router<AppState> {
    // Axum answers HEAD with what GET does: a code would be issued unseen.
    Router::new().route("/authorize", get(authorize).head(refusal::no_head).post(defer))
}

/// The grants that end here, for metadata: tokens are given without a request to the token endpoint (RFC 6749 §4.2).
pub const GRANT_TYPES: [&str; 1] = ["implicit"];

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&REQUEST, &RESUME, &DEFER];

/// Durable: it may issue a code.
static REQUEST: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.authorization_request($1, $2, $3, $4)",
};

/// The same for a request that was sealed before.
static RESUME: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.authorization_resume($1, $2, $3, $4)",
};

/// Only seals.
static DEFER: Call =
    Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.authorization_defer($1)" };

async fn authorize(State(state): State<AppState>, mut cookies: Cookies, parts: Parts) -> Response {
    let parameters = match Parameters::of_query(&parts) {
        Ok(parameters) => parameters,
        Err(malformed) => return outcome::malformed_page(&state, malformed),
    };
    let browser = cookies.browser_or_new().map(str::to_owned);
    let session = cookies.session();
    let answered = match resumed(&parameters) {
        Some(resume) => go_on(&state, &RESUME, &[&resume, &session, &browser]).await,
        None => go_on(&state, &REQUEST, &[&Json(&parameters), &session, &browser]).await,
    };
    if session.is_some() && answered.as_ref().is_ok_and(is_over) {
        cookies.show_nobody();
    }
    cookies.onto(answer(&state, answered))
}

/// Whether the session that the browser named is over. The frame of session monitoring has to notice (session_state.rs); the
/// cookie of the session stays until its clients are told, which takes a page (frontchannel_logout.rs).
fn is_over(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    struct Over {
        #[serde(default)]
        signed_out: bool,
    }
    answer.read::<Over>().is_ok_and(|over| over.signed_out)
}

/// OpenID Connect Core §3.1.2.1: "Authorization Servers MUST support the use of the HTTP GET and POST methods". A POST
/// from another site comes without our cookies, which are SameSite=Lax, so that the person would look like somebody who
/// is not signed in: whatever is posted comes back as a GET, with the request sealed in it.
async fn defer(State(state): State<AppState>, form: Result<Form, Malformed>) -> Response {
    match form {
        Ok(Form(parameters)) => answer(&state, state.db.call(&DEFER, &[&Json(&parameters)]).await),
        Err(malformed) => outcome::malformed_page(&state, malformed),
    }
}

/// The sealed request, where there is one. A client that has a parameter of that name for reasons of its own sends a
/// `client_id` too, and RFC 6749 §3.1 wants parameters that we do not know ignored.
fn resumed(parameters: &Parameters) -> Option<&str> {
    let resume = parameters.one("resume").ok().flatten()?;
    parameters.many("client_id").next().is_none().then_some(resume)
}

/// A call that may have to know documents of the client first: its request, its keys.
async fn go_on(
    state: &AppState,
    call: &'static Call,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Answer, Unavailable> {
    let mut errand = Errand::new(state);
    loop {
        let handed = Json(errand.handed());
        let last: [&(dyn ToSql + Sync); 1] = [&handed];
        let answered = state.db.call(call, &[parameters, &last].concat()).await;
        if !errand.brought(&answered).await {
            return answered;
        }
    }
}

fn answer(state: &AppState, answered: Result<Answer, Unavailable>) -> Response {
    match answered {
        Ok(answer) => outcome::authorization(state, &answer.outcome, &answer.body),
        Err(error) => outcome::unavailable_page(state, &error),
    }
}
