//! `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.

use axum::Router;
use serde_json::value::RawValue;

use crate::web::{
    database::{Call, Pool},
    issuer::Issuer,
    state::AppState,
};

/// The endpoints of this feature, with their paths from the root of the host.
pub fn routes(_issuer: &Issuer) -> Router<AppState> {
    Router::new()
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&READ];

/// What the database knows of the metadata.
pub static READ: Call = Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.provider_metadata()" };

/// The discovery document.
pub fn document(_issuer: &Issuer, metadata: &RawValue) -> Result<Vec<u8>, serde_json::Error> {
    Ok(metadata.get().as_bytes().to_vec())
}
