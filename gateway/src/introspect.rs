//! `/introspect` (RFC 7662): what a token is, for those who may ask (README, decision 12).

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
    Router::new().route("/introspect", post(introspect))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&CALL, &ASSERTED];

static CALL: Call = Call { pool: Pool::Reads, sql: SQL };

static ASSERTED: Call = Call { pool: Pool::Writes, sql: SQL };

const SQL: &str = "select outcome, detail, answer from identity.token_introspect($1, $2, $3, $4, $5, $6)";

async fn introspect(
    State(state): State<AppState>,
    headers: HeaderMap,
    certificate: ClientCertificate,
    Form(form): Form,
) -> Response {
    client_credentials::about_token(&state, &headers, &certificate, &form, &Calls { usual: &CALL, asserted: &ASSERTED })
        .await
}
