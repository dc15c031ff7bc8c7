//! `/healthz`: this process answers. `/readyz`: it can serve, that is the database answers too.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CACHE_CONTROL},
    response::IntoResponse,
    routing::get,
};
use serde_json::json;
use tokio::time::timeout;

use crate::web::{
    database::{Call, Pool, Unavailable},
    state::AppState,
};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&READINESS];

static READINESS: Call = Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.readiness()" };

async fn healthz() -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-store")], Json(json!({ "status": "ok" })))
}

async fn readyz(State(state): State<AppState>) -> impl IntoResponse {
    // Whoever asks decides within a second whether to send people here; a connection is waited for longer than that.
    let answer = timeout(PATIENCE, state.db.call(&READINESS, &[])).await.unwrap_or(Err(Unavailable::Unreachable));
    let (status, text) = match answer {
        Ok(answer) if answer.outcome == "ok" => (StatusCode::OK, "ok"),
        Ok(answer) => {
            tracing::warn!(outcome = answer.outcome, detail = answer.detail, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(json!({ "status": text })))
}

const PATIENCE: Duration = Duration::from_millis(800);
