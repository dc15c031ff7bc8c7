//! How a connection is made: the URL as libpq understands it, TLS by rustls, time limits.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::trust::{AnyCertificate, AnyName};
use crate::{
    config::DatabaseUrl,
    failure::{Failure, chain},
};

/// Where to connect, and how.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: MakeRustlsConnect,
}

/// Greatest times of a statement on a connection, set when it is made (no SET on a shared connection, README, decision 3).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `statement_timeout`
    pub statement: Duration,
    /// `lock_timeout`
    pub lock: Duration,
}

impl Target {
    /// Reads the URL. `key` names the setting in errors, which never quote the URL.
    pub fn new(key: &str, url: &DatabaseUrl, application: &str) -> Result<Self, Failure> {
        let (url, tls) = Tls::take_from(url.expose()).map_err(|error| error.during(key))?;
        let mut config: Config =
            url.parse().map_err(|error: tokio_postgres::Error| Failure::new(format!("{key}: {}", chain(&error))))?;
        if let Some(mode) = tls.mode {
            config.ssl_mode(mode);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        // A host that vanished without a word is noticed after this long, not after two hours.
        config.keepalives_idle(KEEPALIVE).tcp_user_timeout(SILENCE);
        if config.get_application_name().is_none() {
            config.application_name(application);
        }
        Ok(Self { config, tls: MakeRustlsConnect::new(tls.client().map_err(|error| error.during(key))?) })
    }

    /// The same, with time limits in the startup packet.
    pub fn limited(&self, limits: Limits) -> Self {
        let mut target = self.clone();
        // jit: our statements are short, compiling them never pays (README, decision 15). plan_cache_mode: the plan for any
        // value finds its one partition before it starts; planning for each value costs more than the statement does.
        let options = format!(
            "{} -c statement_timeout={} -c lock_timeout={} -c jit=off -c plan_cache_mode=force_generic_plan",
            self.config.get_options().unwrap_or_default(),
            limits.statement.as_millis(),
            limits.lock.as_millis()
        );
        target.config.options(options.trim());
        target
    }

    /// Connects. The task ends when the connection does; aborting it drops the connection.
    pub async fn connect(&self) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = chain(&error), "connection to the database lost");
            }
        });
        Ok((client, task))
    }

    /// The same for deadpool, which makes its connections itself.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// `sslmode` and `sslrootcert` of the URL. tokio-postgres knows the former in part and the latter not at all.
#[derive(Default)]
struct Tls {
    mode: Option<SslMode>,
    verify: Verify,
    root: Option<PathBuf>,
}

/// What is demanded of the server's certificate, as libpq defines the modes.
#[derive(Clone, Copy, Default, PartialEq)]
enum Verify {
    #[default]
    Nothing,
    Authority,
    AuthorityAndName,
}

impl Tls {
    fn take_from(url: &str) -> Result<(String, Self), Failure> {
        let mut tls = Self::default();
        let Some((base, query)) = url.split_once('?').filter(|(base, _)| base.contains("://")) else {
            return Ok((url.to_owned(), tls));
        };
        let mut kept = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => tls.set_mode(mode)?,
                Some(("sslrootcert", path)) => tls.root = Some(PathBuf::from(unescape(path))),
                _ => kept.push(pair),
            }
        }
        // libpq: "if a root CA file exists, the behavior of sslmode=require will be the same as that of verify-ca".
        if tls.root.is_some() && tls.mode == Some(SslMode::Require) && tls.verify == Verify::Nothing {
            tls.verify = Verify::Authority;
        }
        Ok((if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) }, tls))
    }

    fn set_mode(&mut self, mode: &str) -> Result<(), Failure> {
        let (mode, verify) = match mode {
            "disable" => (SslMode::Disable, Verify::Nothing),
            "allow" | "prefer" => (SslMode::Prefer, Verify::Nothing),
            "require" => (SslMode::Require, Verify::Nothing),
            "verify-ca" => (SslMode::Require, Verify::Authority),
            "verify-full" => (SslMode::Require, Verify::AuthorityAndName),
            _ => {
                return Err(Failure::new(
                    "sslmode is not one of disable, allow, prefer, require, verify-ca, verify-full",
                ));
            }
        };
        (self.mode, self.verify) = (Some(mode), verify);
        Ok(())
    }

    fn client(&self) -> Result<ClientConfig, Failure> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(match self.verify {
            Verify::Nothing => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate::new(provider)))
                .with_no_client_auth(),
            Verify::Authority => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyName::new(self.roots()?, provider)?))
                .with_no_client_auth(),
            Verify::AuthorityAndName => builder.with_root_certificates(self.roots()?).with_no_client_auth(),
        })
    }

    fn roots(&self) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        match self.root.as_deref() {
            Some(path) if path.as_os_str() != "system" => {
                let fail =
                    |error: &dyn std::fmt::Display| Failure::new(format!("sslrootcert {}: {error}", path.display()));
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fail(&error))? {
                    roots.add(certificate.map_err(|error| fail(&error))?).map_err(|error| fail(&error))?;
                }
            }
            _ => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(Failure::new("no certificate authority is known").hint("name one: sslrootcert=FILE"));
        }
        Ok(roots)
    }
}

fn unescape(text: &str) -> String {
    url::form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The provider of all our TLS; the process-wide default is for libraries that ask for one.
pub fn install_crypto() {
    // An error means that it is installed already.
    let _ = CryptoProvider::install_default(rustls::crypto::aws_lc_rs::default_provider());
}

/// Longest wait for a connection, unless the URL says otherwise (`connect_timeout`).
const CONNECT: Duration = Duration::from_secs(3);
const KEEPALIVE: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(10);
