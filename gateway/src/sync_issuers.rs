//! `gateway sync-issuers`: the keys of trusted issuers, from where they publish them into the database. Never a backend: no server
//! process of PostgreSQL speaks to strangers.
//!
//! issuer → discovery document (OpenID Connect Discovery §4), whose `issuer` is that issuer byte for byte → `jwks_uri` → keys. A failed issuer
//! keeps the keys it has and stops no other. Whom to trust, and for what, an administrator has said (sql/extension/issuers.sql).

use std::{fmt, sync::Arc, time::Duration};

use clap::{Args, FromArgMatches as _};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_postgres::{Client, types::Json};

use crate::{
    config::{Fetch, Log, Settings, SyncIssuers},
    failure::Failure,
    web::{
        database::connect::{Limits, Target},
        fetch::{self, Fetcher, Reach},
    },
};

/// What `gateway sync-issuers` is asked to do.
#[derive(Args)]
pub struct Arguments {
    /// One round, then end: for cron. Fails when an issuer failed
    #[arg(long)]
    once: bool,
}

/// The settings that it reads.
#[derive(Args)]
pub struct Reads {
    #[command(flatten)]
    sync: SyncIssuers,
    #[command(flatten)]
    fetch: Fetch,
    #[command(flatten)]
    log: Log,
}

/// What environment and flags say instead of the file.
pub fn update(settings: &mut Settings, arguments: &clap::ArgMatches) -> Result<(), clap::Error> {
    settings.sync.update_from_arg_matches(arguments)?;
    settings.fetch.update_from_arg_matches(arguments)?;
    settings.log.update_from_arg_matches(arguments)
}

/// The command.
pub async fn run(settings: &Settings, arguments: Arguments) -> Result<(), Failure> {
    let work = Work {
        target: Target::new("sync.url", &settings.sync.url()?, "gateway sync-issuers")?.limited(LIMITS),
        fetcher: Fetcher::new(&settings.fetch)?,
        chosen: settings.sync.issuers.clone(),
    };
    if arguments.once {
        let outcomes = work.round().await?;
        for (issuer, outcome) in &outcomes {
            match outcome {
                Ok(keys) => println!("{issuer}: {keys}"),
                Err(failure) => eprintln!("gateway: {issuer}: {failure}; its keys stay as they are"),
            }
        }
        let failed = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).count();
        return match failed {
            0 => Ok(()),
            _ => Err(Failure::new(format!("{failed} of {} issuers could not be fetched", outcomes.len()))),
        };
    }
    if settings.sync.interval == 0 {
        return Err(Failure::new("sync.interval is 0").hint("use --once for a single round"));
    }
    let mut timer = tokio::time::interval(Duration::from_secs(settings.sync.interval));
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        match work.round().await {
            Ok(outcomes) => outcomes.iter().for_each(|(issuer, outcome)| match outcome {
                Ok(keys) => tracing::info!(issuer, %keys, "keys of an issuer fetched"),
                Err(failure) => tracing::warn!(issuer, error = %failure, "an issuer failed, its keys stay as they are"),
            }),
            Err(failure) => tracing::warn!(error = %failure, "the database was not reached, all keys stay as they are"),
        }
    }
}

struct Work {
    target: Target,
    fetcher: Fetcher,
    chosen: Vec<String>,
}

/// How many keys an issuer has.
struct Keys(usize);

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys published", self.0)
    }
}

type Outcomes = Vec<(String, Result<Keys, Failure>)>;

impl Work {
    /// Every issuer once, each for itself.
    async fn round(&self) -> Result<Outcomes, Failure> {
        let (client, _connection) =
            self.target.connect().await.map_err(|error| Failure::from(error).during("sync.url"))?;
        let issuers = self.issuers(&client).await?;
        // No transaction is open while a stranger takes its time.
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut fetches = JoinSet::new();
        for issuer in issuers {
            let (fetcher, places) = (self.fetcher.clone(), Arc::clone(&places));
            fetches.spawn(async move {
                let _place = places.acquire().await;
                let keys = key_set(&fetcher, &issuer).await;
                (issuer, keys)
            });
        }
        let mut outcomes = Outcomes::new();
        while let Some(fetched) = fetches.join_next().await {
            let (issuer, keys) = fetched.map_err(|error| Failure::new(error.to_string()))?;
            let outcome = match keys {
                Ok(keys) => replace(&client, &issuer, keys).await,
                Err(failure) => Err(failure),
            };
            outcomes.push((issuer, outcome));
        }
        outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(outcomes)
    }

    async fn issuers(&self, client: &Client) -> Result<Vec<String>, Failure> {
        let rows = client.query("select issuer from identity.trusted_issuer_list()", &[]).await?;
        let trusted: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        if self.chosen.is_empty() {
            return Ok(trusted);
        }
        match self.chosen.iter().find(|chosen| !trusted.contains(chosen)) {
            Some(unknown) => Err(Failure::new(format!("sync.issuers: {unknown} is not trusted"))
                .hint("an administrator trusts it first, with identity.trust_issuer()")),
            None => Ok(self.chosen.clone()),
        }
    }
}

/// The keys that an issuer publishes.
async fn key_set(fetcher: &Fetcher, issuer: &str) -> Result<Value, Failure> {
    let reach = reach(issuer);
    // Discovery §4: "any terminating / MUST be removed before appending".
    let discovery = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
    let metadata = fetcher.json(&discovery, reach).await?;
    // Discovery §4.3: the issuer "MUST be identical to the Issuer URL that was used as the prefix". Otherwise one issuer could hand out
    // another's keys.
    match metadata.get("issuer").and_then(Value::as_str) {
        Some(named) if named == issuer => {}
        _ => return Err(Failure::new("its discovery document is that of another issuer").during(discovery)),
    }
    let jwks_uri = metadata.get("jwks_uri").and_then(Value::as_str);
    let jwks_uri = jwks_uri.ok_or_else(|| Failure::new("names no jwks_uri").during(discovery))?;
    fetcher.json(jwks_uri, reach).await
}

/// http is for issuers on this machine, which are named by an administrator and by nobody else.
fn reach(issuer: &str) -> Reach {
    let loopback = url::Url::parse(issuer).is_ok_and(|url| url.scheme() == "http" && fetch::on_loopback(&url));
    if loopback { Reach::Loopback } else { Reach::Internet }
}

async fn replace(client: &Client, issuer: &str, keys: Value) -> Result<Keys, Failure> {
    let published = keys.get("keys").and_then(Value::as_array).map_or(0, Vec::len);
    client.execute("select identity.trusted_keys_replace($1, $2)", &[&issuer, &Json(keys)]).await?;
    Ok(Keys(published))
}

/// Issuers asked at a time: one that hangs holds up few others, and nobody is flooded.
const AT_ONCE: usize = 8;
const LIMITS: Limits = Limits { statement: Duration::from_secs(10), lock: Duration::from_secs(5) };
