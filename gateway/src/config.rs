//! Settings: a TOML file, over it the environment, over that the flags.
//!
//! One struct per section is all three at once: `serde` reads the file into it, `clap` overwrites what the environment or
//! the command line names, `Default` says what holds otherwise. A secret never is a flag value: it comes from the
//! environment or from a file (`…_FILE`).

mod client_certificates;
mod database;
mod environment;
mod fetch;
mod sections;

use std::path::Path;

use clap::{ArgMatches, Args, FromArgMatches, parser::ValueSource};
use serde::Deserialize;

pub use client_certificates::{CertificateChain, CertificateEncoding};
pub use database::{AdminDatabase, Database, DatabaseUrl, MigrateDatabase};
pub use environment::refuse_unknown_variables;
pub use fetch::{Fetch, SyncIssuers};
pub use sections::{Http, Limits, Log, LogFormat, Maintenance, Metrics, ProxyHeader, SameSite, Telemetry};

use crate::{failure::Failure, web::issuer::Issuer};

/// Everything that can be set.
#[derive(Args, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Issuer: the public URL of this gateway, exactly as in the database (`identity.configure`)
    #[arg(long, env = "GATEWAY_ISSUER", value_name = "URL")]
    pub issuer: Option<Issuer>,
    #[command(flatten)]
    pub http: Http,
    #[command(flatten)]
    pub database: Database,
    /// Read by `migrate` only, so no argument of any other command.
    #[arg(skip)]
    pub migrate: MigrateDatabase,
    /// Read by `admin`, and by `check` to ask lint and doctor.
    #[arg(skip)]
    pub admin: AdminDatabase,
    /// Read by `sync-issuers` only.
    #[arg(skip)]
    pub sync: SyncIssuers,
    #[command(flatten)]
    pub fetch: Fetch,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub maintenance: Maintenance,
    #[command(flatten)]
    pub metrics: Metrics,
    #[command(flatten)]
    pub log: Log,
    #[command(flatten)]
    pub telemetry: Telemetry,
}

impl Settings {
    /// What the file says, if there is one.
    pub fn load(file: Option<&Path>, arguments: &ArgMatches) -> Result<Self, Failure> {
        refuse_secrets_on_the_command_line(arguments)?;
        file.map_or_else(|| Ok(Self::default()), Self::read)
    }

    /// What environment and flags say instead.
    pub fn update(&mut self, arguments: &ArgMatches) -> Result<(), Failure> {
        self.update_from_arg_matches(arguments).map_err(|error| Failure::new(error.to_string()))
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::new(format!("configuration file {}: {error}", path.display())))?;
        toml::from_str(&text).map_err(|error| Failure::new(format!("configuration file {}: {error}", path.display())))
    }

    /// The issuer, which has no default.
    pub fn issuer(&self) -> Result<Issuer, Failure> {
        let issuer = self.issuer.clone().ok_or_else(|| {
            Failure::new("issuer: not set")
                .hint("set GATEWAY_ISSUER, --issuer or `issuer = \"https://…\"` in the configuration file")
        })?;
        // RFC 6265bis §5.6: a cookie with SameSite=None and without Secure is thrown away.
        if self.http.session_cookie_same_site == SameSite::None && !issuer.is_https() {
            return Err(Failure::new("http.session_cookie_same_site: none needs an https issuer")
                .hint("browsers keep such a cookie only with Secure"));
        }
        self.http.client_certificates_fit()?;
        Ok(issuer)
    }
}

/// Arguments are readable by every user of the machine (`ps`), so a password in one is refused, not just discouraged.
fn refuse_secrets_on_the_command_line(arguments: &ArgMatches) -> Result<(), Failure> {
    for (id, variable) in [
        ("database_url", "GATEWAY_DATABASE_URL"),
        ("migrate_database_url", "GATEWAY_MIGRATE_DATABASE_URL"),
        ("admin_database_url", "GATEWAY_ADMIN_DATABASE_URL"),
        ("sync_database_url", "GATEWAY_SYNC_DATABASE_URL"),
    ] {
        if matches!(arguments.try_contains_id(id), Ok(true))
            && arguments.value_source(id) == Some(ValueSource::CommandLine)
            && arguments.get_one::<DatabaseUrl>(id).is_some_and(DatabaseUrl::has_password)
        {
            return Err(Failure::new(
                "a database URL with a password on the command line is readable by every user of this machine",
            )
            .hint(format!("use {variable} or {variable}_FILE")));
        }
    }
    Ok(())
}
