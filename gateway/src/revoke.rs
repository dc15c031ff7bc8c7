//! `/revoke` (RFC 7009): a client gives a token back.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;

use crate::web::client_credentials::{self as credentials, ClientCredentials};
use crate::web::cors::cors;
use crate::web::database::{Call, Pool};
use crate::web::form::{Form, Parameters};
use crate::web::outcome::Reply;
use crate::web::state::AppState;

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/revoke", post(revoke)).layer(cors())
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&CALL];

/// Durable: what was given back stays dead.
static CALL: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.token_revoke($1, $2, $3, $4, $5)" };

async fn revoke(State(state): State<AppState>, headers: HeaderMap, Form(form): Form) -> Response {
    let reply = answer(&state, &headers, &form).await.unwrap_or_else(|refusal| refusal);
    credentials::respond(&state, &headers, reply)
}

async fn answer(state: &AppState, headers: &HeaderMap, form: &Parameters) -> Result<Reply, Reply> {
    let client = ClientCredentials::read(headers, form)?;
    let token = form.one("token")?;
    let hint = form.one("token_type_hint")?;
    let method = client.method().name();
    Ok(state.db.call(&CALL, &[&client.id(), &client.secret(), &method, &token, &hint]).await.into())
}
