//! What went wrong, from PostgreSQL's point of view, and what it means for the connection.

use std::error::Error as _;

use tokio_postgres::{Error, error::SqlState};

use super::{Call, Unavailable};
use crate::failure::chain;

/// An error of a statement, sorted by what follows from it.
pub struct Fault {
    /// What the feature hears.
    pub unavailable: Unavailable,
    /// Whether the connection is of no more use.
    pub broken: bool,
}

impl Fault {
    /// What this error of this call means.
    pub fn of(call: &Call, error: Error) -> Self {
        let function = call.name();
        let Some(db) = error.as_db_error() else {
            let lost = error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>());
            let unavailable = if lost { Unavailable::Unreachable } else { Unavailable::Unexpected(chain(&error)) };
            return Self { unavailable, broken: lost };
        };
        let code = db.code();
        if ends_the_connection(code) {
            tracing::warn!(
                function,
                sqlstate = code.code(),
                message = db.message(),
                "the database ended the connection"
            );
            return Self { unavailable: Unavailable::Unreachable, broken: true };
        }
        if *code == SqlState::LOCK_NOT_AVAILABLE {
            tracing::warn!(function, sqlstate = code.code(), message = db.message(), "a lock is held for too long");
            return Self { unavailable: Unavailable::Locked, broken: false };
        }
        if *code == SqlState::QUERY_CANCELED
            || *code == SqlState::T_R_SERIALIZATION_FAILURE
            || *code == SqlState::T_R_DEADLOCK_DETECTED
            || code.code().starts_with("53")
        {
            tracing::warn!(function, sqlstate = code.code(), message = db.message(), "the database is too busy");
            return Self { unavailable: Unavailable::Busy, broken: false };
        }
        let (sqlstate, message) = (code.code().to_owned(), db.message().to_owned());
        Self { unavailable: Unavailable::Raised { sqlstate, message }, broken: false }
    }
}

/// Shutdown, crash, failover, and statements that were prepared against a function that has been replaced since.
fn ends_the_connection(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::UNDEFINED_FUNCTION,
            SqlState::INVALID_SQL_STATEMENT_NAME,
            SqlState::FEATURE_NOT_SUPPORTED,
            SqlState::INTERNAL_ERROR,
        ]
        .contains(code)
}
