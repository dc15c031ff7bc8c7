//! The database as the features see it: a request is one call of one function, and a call has one answer.
//!
//! ```text
//! pub static READ: Call = Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.userinfo_read($1)" };
//! pub static CALLS: &[&Call] = &[&READ];
//! let answer = state.db.call(&READ, &[&token]).await?;
//! ```

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio_postgres::types::ToSql;

/// Which of the three ways to the database a call takes: they wait for different things (architecture §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Waits for nothing: a few connections that all requests share, pipelined. No row locks, no flush.
    Reads,
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
        serde_json::from_str(self.body.get()).map_err(|error| Unavailable::Unexpected(format!("answer of the database: {error}")))
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
#[derive(Clone, Debug)]
pub struct Database {}

impl Database {
    /// One statement, one transaction, one answer.
    pub async fn call(&self, call: &'static Call, parameters: &[&(dyn ToSql + Sync)]) -> Result<Answer, Unavailable> {
        let _ = (call, parameters);
        Err(Unavailable::Unreachable)
    }
}
