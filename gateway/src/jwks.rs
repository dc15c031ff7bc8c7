//! `/jwks.json`: the public keys (RFC 7517).

use axum::Router;
use serde_json::value::RawValue;

use crate::web::{
    database::{Call, Pool},
    issuer::Issuer,
    state::AppState,
};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new()
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&READ];

/// The published keys.
pub static READ: Call = Call { pool: Pool::Reads, sql: "select 'ok', null::text, identity.jwks()::json" };

/// The document is what the database answers.
pub fn document(_: &Issuer, keys: &RawValue) -> Result<Vec<u8>, serde_json::Error> {
    Ok(keys.get().as_bytes().to_vec())
}
