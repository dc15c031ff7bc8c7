//! Clients are told that a session has ended (sql/store/functions/backchannel_logout.sql; OpenID Connect Back-Channel Logout 1.0).
//!
//! ```text
//! take ──> POST logout_token=… to each client, beside one another ──> done, each for itself
//! ```
//!
//! Which are due, in which order and how often is decided in the database, which makes the tokens too. A client that hangs keeps
//! one of many places for ten seconds and delays nobody else, and neither do all clients of a host that hangs: it has so many of the
//! places, and who finds none soon is told later. A gateway that dies leaves what it took to the others.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use url::Url;

use crate::web::{
    database::{Call, Pool, Unavailable},
    documents::Errand,
    hosts::Hosts,
    outcome::{Outcome, Reply},
    state::AppState,
};

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&TAKE, &DONE];

static TAKE: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.backchannel_logout_take($1)" };

static DONE: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.backchannel_logout_done($1, $2, $3)",
};

/// Wakes the delivery: a session of somebody may have ended just now. What ends elsewhere is found within [`POLL`].
#[derive(Clone, Default)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// Costs nothing where nothing waits.
    pub fn nudge(&self) {
        self.0.notify_one();
    }
}

#[derive(Deserialize)]
struct Taken {
    logouts: Vec<Logout>,
}

#[derive(Deserialize)]
struct Logout {
    /// Proves to the database that we are the ones who took it.
    receipt: String,
    #[serde(flatten)]
    work: Work,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Work {
    Deliver {
        uri: String,
        logout_token: String,
    },
    /// The token would be encrypted to a key that has to be fetched first.
    Fetch {
        need: Box<RawValue>,
    },
}

/// Delivers for as long as the process lives.
pub async fn deliver(state: AppState) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let hosts = Arc::new(Hosts::new(HOST_AT_ONCE, HOST_WAITING));
    let mut reachable = true;
    loop {
        let result = round(&state, &places, &hosts).await;
        match &result {
            Err(error) if reachable => tracing::warn!(%error, "logouts wait, the database does not answer"),
            Err(_) | Ok(()) => {}
        }
        reachable = result.is_ok();
        tokio::select! {
            () = state.logouts.0.notified() => {}
            () = sleep(POLL) => {}
        }
    }
}

/// Takes as many as there are places, and delivers each by itself.
async fn round(state: &AppState, places: &Arc<Semaphore>, hosts: &Arc<Hosts>) -> Result<(), Unavailable> {
    let mut mine: Vec<OwnedSemaphorePermit> = Vec::new();
    while let Ok(place) = Arc::clone(places).try_acquire_owned() {
        mine.push(place);
    }
    if mine.is_empty() {
        return Ok(());
    }
    let free = i32::try_from(mine.len()).unwrap_or(i32::MAX);
    let Taken { logouts } = state.db.call(&TAKE, &[&free]).await?.read()?;
    for (logout, place) in logouts.into_iter().zip(mine) {
        let (state, hosts) = (state.clone(), Arc::clone(hosts));
        tokio::spawn(async move {
            finish(&state, &hosts, logout).await;
            drop(place);
            // The next event of this client may be due now.
            state.logouts.nudge();
        });
    }
    Ok(())
}

async fn finish(state: &AppState, hosts: &Hosts, logout: Logout) {
    let (status, failure) = match logout.work {
        Work::Deliver { uri, logout_token } => match told(state, hosts, &uri, &logout_token).await {
            Ok(status) => (Some(i32::from(status)), None),
            Err(failure) => (None, Some(failure)),
        },
        Work::Fetch { need } => {
            let need = Reply { outcome: Outcome::Need, body: need.get().to_owned() };
            Errand::new(state).brought(&need).await;
            (None, Some("its keys had to be fetched first".to_owned()))
        }
    };
    let outcome = match status {
        Some(200..300) => "delivered",
        Some(400) => "refused",
        Some(_) => "failed",
        None => "unreachable",
    };
    counter!("gateway_backchannel_logouts_total", "outcome" => outcome).increment(1);
    if let Some(failure) = &failure {
        tracing::info!(failure, "a client was not told of a logout, and will be tried again");
    }
    // When it does not get through, the client is told once more: at least once is what it is owed.
    if let Err(error) = state.db.call(&DONE, &[&logout.receipt, &status, &failure]).await {
        tracing::warn!(%error, "a delivered logout could not be noted");
    }
}

/// The status of the client's answer, or why there is none.
async fn told(state: &AppState, hosts: &Hosts, uri: &str, logout_token: &str) -> Result<u16, String> {
    let full = || "too many logouts of this host at once".to_owned();
    let host = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let (_place, running) = hosts.enter(&host).ok_or_else(full)?;
    let _turn = timeout(TURN, running.acquire_owned()).await.ok().and_then(Result::ok).ok_or_else(full)?;
    // §2.5: "using the HTTP POST method with an application/x-www-form-urlencoded encoding … logout_token".
    let form = [("logout_token", logout_token)];
    match timeout(PATIENCE, state.fetcher.post(uri, &form)).await {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(_) => Err("did not answer in time".to_owned()),
    }
}

/// Deliveries at a time.
const AT_ONCE: usize = 100;
/// Of them to one host, and how many more wait for those: together less than a third.
const HOST_AT_ONCE: usize = 10;
const HOST_WAITING: usize = 20;
/// How long they wait.
const TURN: Duration = Duration::from_secs(2);
/// How long a client may take. The database waits longer than both, 30 s, before it gives an event to somebody else.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon the end of a session is noticed that another gateway, or an administrator, has brought about.
const POLL: Duration = Duration::from_millis(500);
