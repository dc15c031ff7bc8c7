//! The sections of what leaves this machine to read other parties' documents.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::database::{DatabaseUrl, resolve};
use crate::{failure::Failure, web::fetch::Allowed};

/// `[fetch]`: documents of other parties (`web/fetch.rs`).
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fetch {
    /// Hosts, addresses and networks that may be reached although they are private, comma separated [default: none]
    #[arg(
        id = "fetch_allow",
        long = "fetch-allow",
        env = "GATEWAY_FETCH_ALLOW",
        value_name = "HOST|NETWORK",
        value_delimiter = ','
    )]
    pub allow: Vec<Allowed>,
    /// Certificate authorities (PEM) that are believed beside those of the system [default: none]
    #[arg(id = "fetch_ca", long = "fetch-ca", env = "GATEWAY_FETCH_CA_FILE", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Seconds that a document may take, its connection included [default: 10]
    #[arg(id = "fetch_timeout", long = "fetch-timeout", env = "GATEWAY_FETCH_TIMEOUT", value_name = "SECONDS")]
    pub timeout: u64,
    /// Greatest document in bytes [default: 262144]
    #[arg(id = "fetch_limit", long = "fetch-limit", env = "GATEWAY_FETCH_LIMIT", value_name = "BYTES")]
    pub limit: usize,
}

impl Default for Fetch {
    fn default() -> Self {
        Self { allow: Vec::new(), ca: None, timeout: 10, limit: 256 * 1024 }
    }
}

/// `[sync]`: where `sync-issuers` connects, as a member of `identity_sync`, and how often.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncIssuers {
    /// PostgreSQL of `sync-issuers`, as a member of identity_sync
    #[arg(
        id = "sync_database_url",
        long = "sync-database-url",
        env = "GATEWAY_SYNC_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: Option<DatabaseUrl>,
    /// File that holds the URL
    #[arg(
        id = "sync_database_url_file",
        long = "sync-database-url-file",
        env = "GATEWAY_SYNC_DATABASE_URL_FILE",
        value_name = "FILE"
    )]
    pub url_file: Option<PathBuf>,
    /// Seconds between two rounds [default: 600]
    #[arg(id = "sync_interval", long = "sync-interval", env = "GATEWAY_SYNC_INTERVAL", value_name = "SECONDS")]
    pub interval: u64,
    /// These issuers only, comma separated [default: all that are trusted]
    #[arg(
        id = "sync_issuers",
        long = "sync-issuers",
        env = "GATEWAY_SYNC_ISSUERS",
        value_name = "ISSUER",
        value_delimiter = ','
    )]
    pub issuers: Vec<String>,
}

impl Default for SyncIssuers {
    fn default() -> Self {
        // Providers publish the next key hours before they use it; a withdrawn one is good here for so long.
        Self { url: None, url_file: None, interval: 600, issuers: Vec::new() }
    }
}

impl SyncIssuers {
    /// The URL, from wherever it comes.
    pub fn url(&self) -> Result<DatabaseUrl, Failure> {
        resolve("sync.url", "GATEWAY_SYNC_DATABASE_URL", self.url.as_ref(), self.url_file.as_deref())
    }
}
