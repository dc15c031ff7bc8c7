//! Does everything fit? `gateway check` prints what it finds; `gateway serve` refuses to start over a fault.

mod database;
mod role;

use std::fmt;

use tokio_postgres::{Client, types::Json};

use crate::{
    config::Settings,
    failure::Failure,
    web::{
        database::{Call, connect::Target},
        issuer::Issuer,
        router, server,
    },
};

/// One thing that was looked at.
pub enum Finding {
    /// As it should be.
    Good(String),
    /// Works, but somebody should know.
    Warning(Failure),
    /// `serve` refuses to start.
    Fault(Failure),
}

/// Why nothing could be looked at.
pub enum Obstacle {
    /// Nobody answers: perhaps later.
    Unreachable(Failure),
    /// PostgreSQL answers, and refuses the login.
    Refused(Failure),
}

/// The command: everything that `serve` would find, printed, and what lint and doctor find where an administrator is configured.
/// Fails when there is a fault or an error.
pub async fn run(settings: &Settings) -> Result<(), Failure> {
    let issuer = settings.issuer()?;
    let target = Target::new("database.url", &settings.database.url()?, "gateway check")?;
    server::tls(&settings.http).await?;
    println!("{}", Finding::Good(format!("configuration is valid; issuer {issuer}")));
    for warning in advice(settings, &issuer) {
        println!("{warning}");
    }
    let findings = examine(&target, &issuer).await.map_err(|obstacle| match obstacle {
        Obstacle::Unreachable(failure) | Obstacle::Refused(failure) => failure.during("database.url"),
    })?;
    let mut faults = 0;
    for finding in &findings {
        faults += usize::from(matches!(finding, Finding::Fault(_)));
        println!("{finding}");
    }
    let errors = remarks(settings).await;
    let said: Vec<String> = [
        (faults, "fault", "faults", ": serve would refuse to start"),
        (errors, "error", "errors", " of identity.doctor() and identity.lint()"),
    ]
    .iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many, what)| format!("{count} {}{what}", if *count == 1 { one } else { many }))
    .collect();
    if said.is_empty() { Ok(()) } else { Err(Failure::new(said.join("; "))) }
}

/// What doctor and lint find, printed; how many errors are among it.
async fn remarks(settings: &Settings) -> usize {
    let remarks = match database::ask(&settings.admin).await {
        Ok(Some(remarks)) => remarks,
        Ok(None) => {
            println!("note     identity.doctor() and identity.lint() were not asked: serve's role may not");
            println!("  hint: set GATEWAY_ADMIN_DATABASE_URL to a member of identity_admin, for this command only");
            return 0;
        }
        Err(failure) => {
            println!("error    {failure}");
            return 1;
        }
    };
    if remarks.is_empty() {
        println!("{}", Finding::Good("identity.doctor() and identity.lint() find nothing".to_owned()));
    }
    for remark in &remarks {
        println!("{remark}");
    }
    remarks.iter().filter(|remark| remark.is_error()).count()
}

fn advice(settings: &Settings, issuer: &Issuer) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !issuer.is_https() && !settings.http.listen.ip().is_loopback() {
        findings.push(Finding::Warning(
            Failure::new(format!("http.listen {} is not loopback although the issuer is", settings.http.listen))
                .hint("an http issuer is for development: listen on 127.0.0.1"),
        ));
    }
    if issuer.is_https() && settings.http.tls_certificate.is_none() && settings.http.trusted_proxies.is_empty() {
        findings.push(Finding::Warning(
            Failure::new("no certificate and no trusted proxy: who speaks TLS?")
                .hint("set http.tls_certificate and http.tls_key, or http.trusted_proxies to the proxy's address"),
        ));
    }
    findings
}

/// Looks at role, extension, configuration, store and keys, as the role that `serve` uses.
pub async fn examine(target: &Target, issuer: &Issuer) -> Result<Vec<Finding>, Obstacle> {
    let (client, _connection) = target.connect().await.map_err(obstacle)?;
    let mut findings = role::examine(&client).await.map_err(obstacle)?;
    // What follows a fault of the first two would only repeat it in other words.
    if faulty(&findings) {
        return Ok(findings);
    }
    findings.extend(extension(&client).await.map_err(obstacle)?);
    if faulty(&findings) {
        return Ok(findings);
    }
    findings.push(build(&client).await.map_err(obstacle)?);
    findings.push(configured(&client, issuer).await.map_err(obstacle)?);
    findings.push(statements(&client, &router::calls()).await.map_err(obstacle)?);
    findings.push(keys(&client).await.map_err(obstacle)?);
    Ok(findings)
}

fn faulty(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| matches!(finding, Finding::Fault(_)))
}

/// The loss of the connection is no finding, and neither is a server that is just starting; everything else that
/// PostgreSQL says is an answer.
fn obstacle(error: tokio_postgres::Error) -> Obstacle {
    let later = error.as_db_error().is_none_or(|db| {
        let code = db.code().code();
        code.starts_with("08") || code.starts_with("53") || code.starts_with("57P")
    });
    if later { Obstacle::Unreachable(error.into()) } else { Obstacle::Refused(error.into()) }
}

async fn extension(client: &Client) -> Result<Vec<Finding>, tokio_postgres::Error> {
    let row = client
        .query_one(
            "select current_setting('server_version'), to_regprocedure('identity.build()') is not null,
                    to_regprocedure('identity.provider_metadata()') is not null",
            &[],
        )
        .await?;
    let mut findings = vec![Finding::Good(format!("PostgreSQL {}", row.try_get::<_, String>(0)?))];
    match (row.try_get(1)?, row.try_get(2)?) {
        (false, _) => findings.push(Finding::Fault(
            Failure::new("the extension is not in this database").hint("as a superuser: create extension pg_identity"),
        )),
        (true, false) => {
            findings
                .push(Finding::Fault(Failure::new("the store is not in this database").hint("run: gateway migrate")));
        }
        (true, true) => {}
    }
    Ok(findings)
}

async fn build(client: &Client) -> Result<Finding, tokio_postgres::Error> {
    let row = match client.query_one("select identity.build(), identity.installed_build()", &[]).await {
        Ok(row) => row,
        Err(error) => return answered(error),
    };
    let (library, installed): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(if library == installed {
        Finding::Good(format!("the extension's library and SQL are of one build, {library}"))
    } else {
        Finding::Fault(
            Failure::new(format!("the extension's library is of build {library}, its SQL of build {installed}"))
                .hint("as a superuser: alter extension pg_identity update"),
        )
    })
}

async fn configured(client: &Client, issuer: &Issuer) -> Result<Finding, tokio_postgres::Error> {
    let configured = match client.query_one("select identity.configured_issuer()", &[]).await {
        Ok(row) => row.try_get::<_, Option<String>>(0)?,
        Err(error) => return answered(error),
    };
    Ok(match configured.as_deref() {
        Some(configured) if configured == issuer.as_str() => {
            Finding::Good(format!("the database's issuer is {configured}"))
        }
        // Compared byte for byte, as clients do: tokens would name another issuer than the metadata.
        Some(configured) => Finding::Fault(
            Failure::new(format!("issuer is {issuer}, but the database's is {configured}"))
                .hint("correct GATEWAY_ISSUER, or the database: gateway admin configure --issuer URL"),
        ),
        None => Finding::Fault(
            Failure::new("the database has no issuer").hint(format!("run: gateway admin configure --issuer {issuer}")),
        ),
    })
}

/// A statement that cannot be prepared: store and gateway are of two ages.
async fn statements(client: &Client, calls: &[&Call]) -> Result<Finding, tokio_postgres::Error> {
    for call in calls {
        if let Err(error) = client.prepare(call.sql).await {
            if error.as_db_error().is_none() {
                return Err(error);
            }
            let failure = Failure::from(error)
                .during(format!("identity.{}", call.name()))
                .during("the store does not match this gateway");
            return Ok(Finding::Fault(failure.hint("run: gateway migrate")));
        }
    }
    Ok(Finding::Good(format!("all {} statements can be prepared", calls.len())))
}

async fn keys(client: &Client) -> Result<Finding, tokio_postgres::Error> {
    let Json(keys) = match client.query_one("select identity.jwks()", &[]).await {
        Ok(row) => row.try_get::<_, Json<serde_json::Value>>(0)?,
        Err(error) => return answered(error),
    };
    let keys = keys.get("keys").and_then(|keys| keys.as_array()).map_or(&[][..], Vec::as_slice);
    let algorithms: Vec<_> = keys.iter().filter_map(|key| key.get("alg")?.as_str()).collect();
    Ok(if algorithms.is_empty() {
        Finding::Fault(Failure::new("no signing key is published").hint("run: gateway admin keys create"))
    } else {
        Finding::Good(format!("published signing keys: {}", algorithms.join(", ")))
    })
}

/// An answer that is an error is a fault; a lost connection is not.
fn answered(error: tokio_postgres::Error) -> Result<Finding, tokio_postgres::Error> {
    if error.as_db_error().is_some() { Ok(Finding::Fault(error.into())) } else { Err(error) }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(text) => write!(f, "ok       {text}"),
            Self::Warning(failure) => write!(f, "warning  {failure}"),
            Self::Fault(failure) => write!(f, "fault    {failure}"),
        }
    }
}
