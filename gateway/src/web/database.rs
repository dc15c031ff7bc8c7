//! The database as the features see it: a request is one call of one function, and a call has one answer.
//!
//! ```text
//! pub static READ: Call = Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.userinfo_read($1)" };
//! pub static CALLS: &[&Call] = &[&READ];
//! let answer = state.db.call(&READ, &[&token]).await?;
//! ```

pub mod connect;
mod fault;
mod pooled;
mod shared;
mod trust;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use metrics::{Counter, Histogram, counter, gauge, histogram};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::{runtime::Handle, sync::Semaphore};
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};
use tracing::Instrument as _;

use self::{
    connect::{Limits, Target},
    pooled::Pooled,
    shared::Shared,
};
use crate::{
    config,
    failure::{Failure, chain},
    telemetry,
    web::workers,
};

/// Which of the three ways to the database a call takes: they wait for different things (README, decision 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Waits for nothing and changes nothing: a few connections that all requests share, pipelined. No row locks, no flush.
    Reads,
    /// Waits for nothing either, but leaves a line that a crash may lose (`synchronous_commit = off`): on the same
    /// connections, and never repeated.
    Unflushed,
    /// Waits for a flush: a pool of many, so that commits share it.
    Writes,
    /// Waits for the processor: as many connections as the database hashes passwords at once.
    Hashing,
}

/// A statement, prepared on every connection of its pool when the connection is made.
#[derive(Debug)]
pub struct Call {
    /// Its way to the database.
    pub pool: Pool,
    /// `select outcome, detail, answer from identity.…(…)`: exactly one row of (text, text, json).
    pub sql: &'static str,
}

/// What a protocol function answered.
#[derive(Debug)]
pub struct Answer {
    /// The label: `ok`, or an OAuth error code, or what to do next.
    pub outcome: String,
    /// For the log only.
    pub detail: Option<String>,
    /// What goes to the client, or what the page shows.
    pub body: Box<RawValue>,
}

impl Answer {
    /// The body as a type of the feature's.
    ///
    /// # Errors
    /// When the function answers something else: gateway and database do not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Unavailable> {
        serde_json::from_str(self.body.get())
            .map_err(|error| Unavailable::Unexpected(format!("answer of the database: {error}")))
    }
}

/// Why a call has no answer. `web/outcome.rs` says what the client is told.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// No connection, or it broke before the answer came. A write may or may not have happened.
    #[error("the database cannot be reached")]
    Unreachable,
    /// Too many requests wait already, or this one waited too long.
    #[error("too many requests wait for the database")]
    Busy,
    /// A table was locked for longer than `lock_timeout`: maintenance or a migration was at work. Nothing has happened.
    #[error("a table is locked")]
    Locked,
    /// The function raised an error: class ID is ours (sql/extension/errors.sql), all else is a fault.
    #[error("SQLSTATE {sqlstate}: {message}")]
    Raised {
        /// Five characters.
        sqlstate: String,
        /// PostgreSQL's primary message; for the log only.
        message: String,
    },
    /// The answer is not what this gateway understands.
    #[error("{0}")]
    Unexpected(String),
}

/// The three ways, cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<Ways>);

struct Ways {
    target: Target,
    /// Those of each worker, as far as there are enough.
    reads: Vec<Arc<Shared>>,
    writes: Pooled,
    hashing: Pooled,
    calls: HashMap<usize, Measures>,
    open: AtomicBool,
}

/// Where the calls of one function are counted, found once and not at each of them.
struct Measures {
    call: &'static Call,
    ok: Counter,
    seconds: Histogram,
}

impl Database {
    /// The three ways, closed: every call is [`Unavailable::Unreachable`] until [`Self::open`].
    pub fn new(
        target: Target,
        settings: &config::Database,
        workers: usize,
        calls: Vec<&'static Call>,
    ) -> Result<Self, Failure> {
        let wait = Duration::from_millis(settings.wait);
        let pooled = |pool, size, limits: Limits| {
            Pooled::new(&target.limited(limits), &of(&calls, pool), size, settings.queue, wait, limits.statement)
        };
        let writes = pooled(Pool::Writes, settings.writers, WRITE_LIMITS)?;
        let hashing = pooled(Pool::Hashing, settings.hashers, HASH_LIMITS)?;
        let room = Arc::new(Semaphore::new(settings.queue.max(1)));
        let reads = deal(settings.readers, workers).map(|size| Arc::new(Shared::new(size, &room, wait))).collect();
        let calls = calls.into_iter().map(|call| (call.key(), Measures::of(call))).collect();
        Ok(Self(Arc::new(Ways { target, reads, writes, hashing, calls, open: AtomicBool::new(false) })))
    }

    /// Begins to connect: `serve` does so once it knows that role and store fit.
    pub fn open(&self, workers: &[Handle]) {
        let calls = self.0.calls.values().map(|measures| measures.call).filter(|call| call.pool.shared()).collect();
        let target = self.0.target.limited(READ_LIMITS);
        for (reads, worker) in self.0.reads.iter().zip(workers) {
            reads.keep_connected(worker, &target, &calls);
        }
        self.0.open.store(true, Ordering::Release);
    }

    /// One statement, one transaction, one answer.
    ///
    /// # Errors
    /// [`Unavailable`]; a function that refuses answers with an outcome, which is no error here.
    pub async fn call(&self, call: &'static Call, parameters: &[&(dyn ToSql + Sync)]) -> Result<Answer, Unavailable> {
        let started = Instant::now();
        let answer = if telemetry::exports() {
            let span = tracing::info_span!("call", function = call.name());
            self.ask(call, parameters).instrument(span).await
        } else {
            self.ask(call, parameters).await
        };
        self.measure(call, started, &answer);
        answer
    }

    async fn ask(&self, call: &'static Call, parameters: &[&(dyn ToSql + Sync)]) -> Result<Answer, Unavailable> {
        if !self.0.open.load(Ordering::Acquire) {
            return Err(Unavailable::Unreachable);
        }
        let row = match call.pool {
            Pool::Reads | Pool::Unflushed => self.reads()?.call(call, parameters).await?,
            Pool::Writes => self.0.writes.call(call, parameters).await?,
            Pool::Hashing => self.0.hashing.call(call, parameters).await?,
        };
        Answer::try_from(row).map_err(|error| Unavailable::Unexpected(format!("{}: {}", call.name(), chain(&error))))
    }

    fn reads(&self) -> Result<&Shared, Unavailable> {
        let own = workers::this() % self.0.reads.len().max(1);
        self.0.reads.get(own).map(Arc::as_ref).ok_or(Unavailable::Unreachable)
    }

    fn measure(&self, call: &'static Call, started: Instant, answer: &Result<Answer, Unavailable>) {
        let Some(measures) = self.0.calls.get(&call.key()) else { return };
        let outcome = match answer {
            Ok(answer) if answer.outcome == "ok" => {
                measures.ok.increment(1);
                None
            }
            Ok(answer) => Some(answer.outcome.clone()),
            Err(Unavailable::Unreachable) => Some("unreachable".to_owned()),
            Err(Unavailable::Busy) => Some("busy".to_owned()),
            Err(Unavailable::Locked) => Some("locked".to_owned()),
            Err(Unavailable::Raised { sqlstate, .. }) => Some(sqlstate.clone()),
            Err(Unavailable::Unexpected(_)) => Some("unexpected".to_owned()),
        };
        if let Some(outcome) = outcome {
            counter!("gateway_calls_total", "function" => call.name(), "outcome" => outcome).increment(1);
        }
        measures.seconds.record(started.elapsed().as_secs_f64());
    }

    /// Where it connects, for work that needs a connection of its own.
    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// Publishes how many connections stand and how many requests wait.
    pub fn report(&self) {
        let (writes, hashing) = (self.0.writes.connections(), self.0.hashing.connections());
        for (pool, connections, waiting) in [
            ("reads", self.0.reads.iter().map(|reads| reads.connections()).sum(), 0),
            ("writes", writes.0, writes.1),
            ("hashing", hashing.0, hashing.1),
        ] {
            gauge!("gateway_database_connections", "pool" => pool).set(connections as f64);
            gauge!("gateway_database_waiting", "pool" => pool).set(waiting as f64);
        }
    }
}

impl TryFrom<Row> for Answer {
    type Error = tokio_postgres::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let Json(body) = row.try_get::<_, Json<Box<RawValue>>>(2)?;
        Ok(Self { outcome: row.try_get(0)?, detail: row.try_get(1)?, body })
    }
}

impl Measures {
    fn of(call: &'static Call) -> Self {
        Self {
            call,
            ok: counter!("gateway_calls_total", "function" => call.name(), "outcome" => "ok"),
            seconds: histogram!("gateway_call_seconds", "function" => call.name()),
        }
    }
}

impl Call {
    /// A name for maps that are asked at every call: there is one of each, and it stays where it is.
    fn key(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The function's name, for logs and metrics.
    pub fn name(&self) -> &'static str {
        let name = self.sql.split("identity.").nth(1).and_then(|rest| rest.split('(').next());
        name.unwrap_or("statement")
    }
}

impl Pool {
    fn shared(self) -> bool {
        matches!(self, Self::Reads | Self::Unflushed)
    }
}

/// So many connections for each worker; where there are fewer than workers, some share.
fn deal(connections: usize, workers: usize) -> impl Iterator<Item = usize> {
    let hands = connections.min(workers).max(1);
    (0..hands).map(move |hand| connections / hands + usize::from(hand < connections % hands))
}

fn of(calls: &[&'static Call], pool: Pool) -> Arc<[&'static Call]> {
    calls.iter().copied().filter(|call| call.pool == pool).collect()
}

// README, decision 3: nothing on a shared connection waits, or everybody behind it would.
const READ_LIMITS: Limits = Limits { statement: Duration::from_millis(500), lock: Duration::from_millis(50) };
const WRITE_LIMITS: Limits = Limits { statement: Duration::from_secs(5), lock: Duration::from_secs(2) };
// A place to hash is waited for up to pg_identity.hash_wait, then the hash itself.
const HASH_LIMITS: Limits = Limits { statement: Duration::from_secs(10), lock: Duration::from_secs(2) };
