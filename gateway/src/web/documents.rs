//! Documents of other parties that a call has to know first: keys of a client (RFC 7591 §2, `jwks_uri`), its request (OpenID Connect
//! Core §6.2, `request_uri`), the addresses of its sector (§8.1, `sector_identifier_uri`).
//!
//! A call that lacks one answers `need` with `{kind, url, client_id}`. It is fetched outside of any transaction and while no
//! connection of the database is held, and the same call is made again (README, decision 2):
//!
//! ```text
//! let mut errand = Errand::new(&state);
//! let mut reply = ask(errand.handed()).await;
//! while errand.brought(&reply).await {
//!     reply = ask(errand.handed()).await;
//! }
//! ```
//!
//! Keys are stored by `identity.client_keys_store`, which counts. Everything else is handed in with the call, as
//! `{url: text}`, or null in place of a text that cannot be had; the call decides what that means.

mod flights;
mod gates;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Instant,
};

use serde::Deserialize;

use self::{
    flights::{Flights, Landed},
    gates::Gates,
};
use super::{
    database::{Answer, Call, Pool, Unavailable},
    fetch::Reach,
    outcome::{Outcome, Reply},
    state::AppState,
};

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&KEYS_STORE];

/// Durable: it counts.
static KEYS_STORE: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.client_keys_store($1, $2, $3, $4)" };

/// What a call needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Need {
    kind: Kind,
    url: String,
    client_id: Option<String>,
    /// Who asks, where that is anybody. Not the database's to say.
    #[serde(skip)]
    source: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Jwks,
    RequestObject,
    SectorIdentifier,
}

impl Kind {
    const fn accept(self) -> &'static str {
        match self {
            Self::Jwks => "application/jwk-set+json, application/json;q=0.9, */*;q=0.1",
            // RFC 9101 §5.2.3; before it there was no type for this.
            Self::RequestObject => "application/oauth-authz-req+jwt, application/jwt;q=0.9, */*;q=0.1",
            Self::SectorIdentifier => "application/json, */*;q=0.1",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Jwks => "jwks",
            Self::RequestObject => "request_object",
            Self::SectorIdentifier => "sector_identifier",
        }
    }
}

/// An answer that may be the outcome `need`.
pub trait Asks {
    /// What it needs.
    fn need(&self) -> Option<Need>;
}

impl Asks for Reply {
    fn need(&self) -> Option<Need> {
        (self.outcome == Outcome::Need).then(|| read(&self.body)).flatten()
    }
}

impl Asks for Result<Answer, Unavailable> {
    fn need(&self) -> Option<Need> {
        let answer = self.as_ref().ok().filter(|answer| answer.outcome == Outcome::Need.label())?;
        read(answer.body.get())
    }
}

fn read(answer: &str) -> Option<Need> {
    let read = serde_json::from_str(answer);
    read.inspect_err(|error| tracing::error!(%error, "the database needs something that this gateway does not know"))
        .ok()
}

/// One request's way to what its call needs.
pub struct Errand<'a> {
    state: &'a AppState,
    since: Instant,
    source: Option<IpAddr>,
    handed: BTreeMap<String, Option<Arc<str>>>,
    asked: BTreeSet<String>,
    rounds: usize,
}

impl<'a> Errand<'a> {
    /// Of a request that begins now.
    pub fn new(state: &'a AppState) -> Self {
        Self {
            state,
            since: Instant::now(),
            source: None,
            handed: BTreeMap::new(),
            asked: BTreeSet::new(),
            rounds: ROUNDS,
        }
    }

    /// The same of somebody whom nobody knows but by this address.
    pub fn of(state: &'a AppState, source: IpAddr) -> Self {
        Self { source: Some(source), ..Self::new(state) }
    }

    /// For the argument `documents` of the call: `{url: text or null}`.
    pub fn handed(&self) -> BTreeMap<&str, Option<&str>> {
        self.handed.iter().map(|(url, document)| (url.as_str(), document.as_deref())).collect()
    }

    /// Whether the call that answered this should be made again, because what it needed is there now, or known not to be.
    pub async fn brought(&mut self, answer: &impl Asks) -> bool {
        let Some(mut need) = answer.need() else { return false };
        need.source = self.source;
        if self.rounds == 0 || self.asked.contains(&need.url) {
            return false;
        }
        self.rounds -= 1;
        let landed = self.state.documents.bring(self.state, &need, self.since).await;
        // Keys that somebody else asked for before this request came may be older than what it is signed with: then once more.
        if need.kind != Kind::Jwks || landed.began >= self.since {
            self.asked.insert(need.url.clone());
            self.handed.insert(need.url, landed.document);
        }
        true
    }
}

/// What the client is told where a call cannot do without: where its keys cannot be had, it has not proved itself.
pub fn settled(reply: Reply) -> Reply {
    match reply.outcome {
        Outcome::Need => Reply::refusal(Outcome::InvalidClient, "the keys of the client cannot be fetched"),
        _ => reply,
    }
}

/// All fetches of this gateway for calls that answered `need`.
#[derive(Default)]
pub struct Documents {
    flights: Flights,
    keys: Gates,
    requests: Gates,
    sectors: Gates,
}

impl Documents {
    /// Each kind has its own: a stranger who names hosts that hang, or a host that is another's, takes nothing from anybody's keys.
    const fn gates(&self, kind: Kind) -> &Gates {
        match kind {
            Kind::Jwks => &self.keys,
            Kind::RequestObject => &self.requests,
            Kind::SectorIdentifier => &self.sectors,
        }
    }

    /// The document, fetched by one for all who need it at this moment.
    async fn bring(&self, state: &AppState, need: &Need, since: Instant) -> Landed {
        // What stands behind # is never sent (RFC 9110 §7.1).
        let (address, fragment) = need.url.split_once('#').unwrap_or((&need.url, ""));
        let key = format!("{} {} {address}", need.kind.name(), need.client_id.as_deref().unwrap_or_default());
        let good = |landed: &Landed| landed.ended >= since || need.kind == Kind::RequestObject && landed.kept(fragment);
        let (state, need) = (state.clone(), need.clone());
        self.flights.join(&key, good, async move { fetch(&state, &need).await }).await
    }
}

/// Fetches, and stores what is to be stored. Runs to its end whether or not anybody waits for it, so that it is counted.
async fn fetch(state: &AppState, need: &Need) -> Option<String> {
    let fetched = match state.documents.gates(need.kind).enter(need).await {
        Ok(_place) => {
            let accept = need.kind.accept();
            let text = state.fetcher.text(&need.url, Reach::Client, accept, DOCUMENT).await;
            text.map_err(|failure| failure.to_string())
        }
        Err(full) => Err(full.to_owned()),
    };
    let (document, failure) = match fetched {
        Ok(document) => (Some(document), None),
        Err(failure) => {
            let (kind, client_id) = (need.kind.name(), need.client_id.as_deref());
            tracing::info!(kind, client_id, %failure, "a document of a client cannot be fetched");
            (None, Some(failure))
        }
    };
    match need.kind {
        Kind::Jwks => {
            let stored = state.db.call(&KEYS_STORE, &[&need.client_id, &need.url, &document, &failure]).await;
            if let Err(error) = stored {
                tracing::warn!(%error, "keys of a client cannot be stored");
            }
            None
        }
        Kind::RequestObject | Kind::SectorIdentifier => document,
    }
}

/// A request by reference whose keys are fetched too, by somebody else at first, takes three.
const ROUNDS: usize = 4;
/// Greatest document in bytes: what the functions of the database read at most.
const DOCUMENT: usize = 64 * 1024;
