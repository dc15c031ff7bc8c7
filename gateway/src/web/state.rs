//! What every handler can reach.

use std::{ops::Deref, sync::Arc};

use super::{
    cache::Cached, database::Database, documents::Documents, fetch::Fetcher, issuer::Issuer, limits::SourceLimits,
};
use crate::{backchannel_logout::Nudge, config::Settings, jwks, well_known};

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// What is in it.
pub struct Parts {
    /// The database.
    pub db: Database,
    /// Who we are.
    pub issuer: Issuer,
    /// How we are configured.
    pub settings: Arc<Settings>,
    /// The discovery document: `well_known::document` over `identity.provider_metadata()`.
    pub metadata: Cached,
    /// The public keys: `identity.jwks()`.
    pub jwks: Cached,
    /// How much each source may ask for.
    pub limits: SourceLimits,
    /// What leaves this machine to read other parties' documents.
    pub fetcher: Fetcher,
    /// Those documents, on their way here.
    pub documents: Documents,
    /// Wakes the delivery of logouts.
    pub logouts: Nudge,
}

impl AppState {
    /// For `serve`.
    pub fn new(db: Database, issuer: Issuer, settings: Arc<Settings>, fetcher: Fetcher) -> Self {
        let limits = SourceLimits::new(&settings.limits);
        let metadata = Cached::new(&well_known::READ, well_known::document);
        let jwks = Cached::new(&jwks::READ, jwks::document);
        let documents = Documents::default();
        Self(Arc::new(Parts {
            db,
            issuer,
            settings,
            metadata,
            jwks,
            limits,
            fetcher,
            documents,
            logouts: Nudge::default(),
        }))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
