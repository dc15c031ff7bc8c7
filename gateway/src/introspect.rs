//! `/introspect` (RFC 7662).

use axum::Router;

use crate::web::{database::Call, state::AppState};

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new()
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[];
