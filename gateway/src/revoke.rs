//! `/revoke` (RFC 7009): a client gives a token back.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;

use crate::web::client_certificates::ClientCertificate;
use crate::web::client_credentials::{self, Calls};
use crate::web::database::{Call, Pool};
use crate::web::form::Form;
use crate::web::state::AppState;

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/revoke", post(revoke))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&CALL];

/// Durable: what was given back stays dead.
static CALL: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.token_revoke($1, $2, $3, $4, $5, $6)",
};

async fn revoke(
    State(state): State<AppState>,
    headers: HeaderMap,
    certificate: ClientCertificate,
    Form(form): Form,
) -> Response {
    client_credentials::about_token(&state, &headers, &certificate, &form, &Calls { usual: &CALL, asserted: &CALL })
        .await
}
