//! The database sections. Three commands, three roles, three URLs: whoever steals the one of `serve` cannot administer.

use std::{
    fmt,
    num::NonZero,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::failure::Failure;

/// `[database]`: where `serve` and `check` connect, as a member of `identity_gateway`, and with how many connections.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// PostgreSQL of `serve`, as a member of identity_gateway; several hosts and target_session_attrs are understood
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "GATEWAY_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: Option<DatabaseUrl>,
    /// File that holds the URL
    #[arg(
        id = "database_url_file",
        long = "database-url-file",
        env = "GATEWAY_DATABASE_URL_FILE",
        value_name = "FILE"
    )]
    pub url_file: Option<PathBuf>,
    /// Shared pipelined connections for reads [default: one per core]
    #[arg(id = "database_readers", long = "database-readers", env = "GATEWAY_DATABASE_READERS", value_name = "COUNT")]
    pub readers: usize,
    /// Connections for writes: many, so that commits share a flush [default: 32]
    #[arg(id = "database_writers", long = "database-writers", env = "GATEWAY_DATABASE_WRITERS", value_name = "COUNT")]
    pub writers: usize,
    /// Connections for password hashing: as many as the database hashes at once [default: one per core]
    #[arg(id = "database_hashers", long = "database-hashers", env = "GATEWAY_DATABASE_HASHERS", value_name = "COUNT")]
    pub hashers: usize,
    /// Requests that may wait for a connection, each way for itself; further ones get 503 [default: 512]
    #[arg(id = "database_queue", long = "database-queue", env = "GATEWAY_DATABASE_QUEUE", value_name = "COUNT")]
    pub queue: usize,
    /// Milliseconds a request waits for a connection before it gets 503 [default: 3000]
    #[arg(id = "database_wait", long = "database-wait", env = "GATEWAY_DATABASE_WAIT", value_name = "MILLISECONDS")]
    pub wait: u64,
}

impl Default for Database {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        Self { url: None, url_file: None, readers: cores, writers: 32, hashers: cores, queue: 512, wait: 3000 }
    }
}

/// `[migrate]`: where `migrate` connects, as a member of `identity_owner`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MigrateDatabase {
    /// PostgreSQL of `migrate`, as a member of identity_owner
    #[arg(
        id = "migrate_database_url",
        long = "migrate-database-url",
        env = "GATEWAY_MIGRATE_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: Option<DatabaseUrl>,
    /// File that holds the URL
    #[arg(
        id = "migrate_database_url_file",
        long = "migrate-database-url-file",
        env = "GATEWAY_MIGRATE_DATABASE_URL_FILE",
        value_name = "FILE"
    )]
    pub url_file: Option<PathBuf>,
}

/// `[admin]`: where the `admin` commands connect, and `check` for lint and doctor, as a member of `identity_admin`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminDatabase {
    /// PostgreSQL of `admin`, as a member of identity_admin; `check` asks lint and doctor there
    #[arg(
        id = "admin_database_url",
        long = "admin-database-url",
        env = "GATEWAY_ADMIN_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: Option<DatabaseUrl>,
    /// File that holds the URL
    #[arg(
        id = "admin_database_url_file",
        long = "admin-database-url-file",
        env = "GATEWAY_ADMIN_DATABASE_URL_FILE",
        value_name = "FILE"
    )]
    pub url_file: Option<PathBuf>,
}

impl Database {
    /// The URL, from wherever it comes.
    pub fn url(&self) -> Result<DatabaseUrl, Failure> {
        resolve("database.url", "GATEWAY_DATABASE_URL", self.url.as_ref(), self.url_file.as_deref())
    }
}

impl MigrateDatabase {
    /// The URL, from wherever it comes.
    pub fn url(&self) -> Result<DatabaseUrl, Failure> {
        resolve("migrate.url", "GATEWAY_MIGRATE_DATABASE_URL", self.url.as_ref(), self.url_file.as_deref())
    }
}

impl AdminDatabase {
    /// The URL, from wherever it comes.
    pub fn url(&self) -> Result<DatabaseUrl, Failure> {
        resolve("admin.url", "GATEWAY_ADMIN_DATABASE_URL", self.url.as_ref(), self.url_file.as_deref())
    }
}

pub(super) fn resolve(
    key: &str,
    variable: &str,
    url: Option<&DatabaseUrl>,
    file: Option<&Path>,
) -> Result<DatabaseUrl, Failure> {
    match (url, file) {
        (Some(url), None) => Ok(url.clone()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::new(format!("{key}_file {}: {error}", path.display())))?;
            text.trim().parse().map_err(|error| Failure::new(format!("{key}_file {}: {error}", path.display())))
        }
        (Some(_), Some(_)) => Err(Failure::new(format!("{key} and {key}_file are both set")).hint("keep one of them")),
        (None, None) => Err(Failure::new(format!("{key}: not set")).hint(format!("set {variable} or {variable}_FILE"))),
    }
}

/// A connection URL as libpq writes it. It holds a password, so it prints as its type's name.
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// The text, for the one place that connects.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether somebody who reads the URL could log in with it.
    pub fn has_password(&self) -> bool {
        self.expose().parse::<tokio_postgres::Config>().is_ok_and(|config| config.get_password().is_some())
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    // Parsed where it is used: an error here must not quote the text, and the parser's does not name the key.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        Ok(Self(SecretString::from(text.trim())))
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl")
    }
}
