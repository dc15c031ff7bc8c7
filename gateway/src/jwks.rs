//! `/jwks.json`: the public keys (RFC 7517 §5).

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::value::RawValue;

use crate::web::database::{Call, Pool};
use crate::web::outcome::Reply;
use crate::web::state::AppState;

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route(PATH, get(jwks))
}

/// Where the keys are, below the issuer.
pub const PATH: &str = "/jwks.json";

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&READ];

/// The published keys.
pub static READ: Call = Call {
    pool: Pool::Reads,
    sql: "select 'ok'::text as outcome, null::text as detail, identity.jwks()::json as answer",
};

/// The document is what the database answers.
pub fn document(_: &AppState, keys: &RawValue) -> Result<Vec<u8>, serde_json::Error> {
    Ok(keys.get().as_bytes().to_vec())
}

async fn jwks(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let document = state.jwks.respond(&state, &headers).await;
    document.unwrap_or_else(|error| Reply::from(Err(error)).into_response())
}
