//! `/token` (RFC 6749 §3.2): a grant in, tokens out. Each grant is a file that exports the same three things: its `PARAMETERS`, its
//! `CALLS`, its `answer`. How one is added: sql/store/functions/grant_types.sql.

mod authorization_code;
mod client_credentials;
mod refresh_token;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;

use crate::web::client_certificates::ClientCertificate;
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

/// Defines the grants of this endpoint from the table below: who answers, and what metadata, OpenAPI and the pools are told.
macro_rules! grants {
    ($($grant_type:literal => $name:ident;)*) => {
        /// The grants of this endpoint.
        pub static GRANTS: &[Grant] = &[$(Grant {
            grant_type: $grant_type,
            parameters: $name::PARAMETERS,
            calls: $name::CALLS,
        },)*];

        async fn redeem(grant_type: &str, state: &AppState, client: &ClientCredentials, form: &Parameters) -> Result<Reply, Reply> {
            match grant_type {
                $($grant_type => $name::answer(state, client, form).await,)*
                _ => Err(Reply::refusal(Outcome::UnsupportedGrantType, "this grant_type is not supported")),
            }
        }
    };
}

grants! {
    "authorization_code" => authorization_code;
    "refresh_token" => refresh_token;
    "client_credentials" => client_credentials;
}

/// What the rest of the gateway knows of a grant.
pub struct Grant {
    /// The name it is registered and asked for by.
    pub grant_type: &'static str,
    /// What it reads of the form beside what every grant does, and what that is.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Its statements.
    calls: &'static [&'static Call],
}

/// The statements of this feature.
pub fn calls() -> Vec<&'static Call> {
    GRANTS.iter().flat_map(|grant| grant.calls).copied().collect()
}

async fn token(
    State(state): State<AppState>,
    headers: HeaderMap,
    certificate: ClientCertificate,
    Form(form): Form,
) -> Response {
    let mut errand = Errand::new(&state);
    let mut reply = answer(&state, &headers, &certificate, &form).await.unwrap_or_else(|refusal| refusal);
    while errand.brought(&reply).await {
        reply = answer(&state, &headers, &certificate, &form).await.unwrap_or_else(|refusal| refusal);
    }
    credentials::respond(&state, &headers, reply)
}

async fn answer(
    state: &AppState,
    headers: &HeaderMap,
    certificate: &ClientCertificate,
    form: &Parameters,
) -> Result<Reply, Reply> {
    let client = ClientCredentials::read(headers, certificate, form)?;
    match form.one("grant_type")? {
        Some(grant_type) => redeem(grant_type, state, &client, form).await,
        None => Err(Reply::refusal(Outcome::InvalidRequest, "grant_type is missing")),
    }
}

/// RFC 8707 §2: `resource` may be repeated; an empty one counts as absent, like any parameter.
fn resources(form: &Parameters) -> Vec<&str> {
    form.many("resource").filter(|resource| !resource.is_empty()).collect()
}
