//! What every handler can reach.

use std::sync::Arc;

use super::{cache::Cached, database::Database, issuer::Issuer};
use crate::config::Settings;

/// Cheap to clone: handles only.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub db: Database,
    /// Who we are.
    pub issuer: Issuer,
    /// How we are configured.
    pub settings: Arc<Settings>,
    /// The discovery document: `well_known::document` over `identity.provider_metadata()`.
    pub metadata: Arc<Cached>,
    /// The public keys: `identity.jwks()`.
    pub jwks: Arc<Cached>,
}
