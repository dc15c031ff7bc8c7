//! `/token` (RFC 6749 §3.2): a grant in, tokens out. Each grant is a file with its `CALL` and its `answer`.

mod authorization_code;
mod client_credentials;
mod refresh_token;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;

use crate::web::client_credentials::{self as credentials, ClientCredentials};
use crate::web::database::Call;
use crate::web::documents::Errand;
use crate::web::form::{Form, Parameters};
use crate::web::outcome::{Outcome, Reply};
use crate::web::state::AppState;

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/token", post(token))
}

/// The statements of this feature.
pub static CALLS: &[&Call] =
    &[&authorization_code::CALL, &refresh_token::CALL, &client_credentials::CALL, &client_credentials::ASSERTED];

/// The grants that `answer` knows, for the discovery document.
pub const GRANT_TYPES: [&str; 3] = ["authorization_code", "refresh_token", "client_credentials"];

async fn token(State(state): State<AppState>, headers: HeaderMap, Form(form): Form) -> Response {
    let mut errand = Errand::new(&state);
    let mut reply = answer(&state, &headers, &form).await.unwrap_or_else(|refusal| refusal);
    while errand.brought(&reply).await {
        reply = answer(&state, &headers, &form).await.unwrap_or_else(|refusal| refusal);
    }
    credentials::respond(&state, &headers, reply)
}

async fn answer(state: &AppState, headers: &HeaderMap, form: &Parameters) -> Result<Reply, Reply> {
    let client = ClientCredentials::read(headers, form)?;
    match form.one("grant_type")? {
        Some("authorization_code") => authorization_code::answer(state, &client, form).await,
        Some("refresh_token") => refresh_token::answer(state, &client, form).await,
        Some("client_credentials") => client_credentials::answer(state, &client, form).await,
        Some(_) => Err(Reply::refusal(Outcome::UnsupportedGrantType, "this grant_type is not supported")),
        None => Err(Reply::refusal(Outcome::InvalidRequest, "grant_type is missing")),
    }
}

/// RFC 8707 §2: `resource` may be repeated; an empty one counts as absent, like any parameter.
fn resources(form: &Parameters) -> Vec<&str> {
    form.many("resource").filter(|resource| !resource.is_empty()).collect()
}
