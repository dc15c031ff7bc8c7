//! What every handler can reach.

use std::sync::Arc;

use super::{cache::Cached, database::Database, issuer::Issuer, limits::SourceLimits};
use crate::{config::Settings, jwks, well_known};

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
    /// How much each source may ask for.
    pub limits: Arc<SourceLimits>,
}

impl AppState {
    /// For `serve`.
    pub fn new(db: Database, issuer: Issuer, settings: Arc<Settings>) -> Self {
        let limits = Arc::new(SourceLimits::new(&settings.limits));
        Self {
            db,
            issuer,
            settings,
            metadata: Arc::new(Cached::new(&well_known::READ, well_known::document)),
            jwks: Arc::new(Cached::new(&jwks::READ, jwks::document)),
            limits,
        }
    }
}
