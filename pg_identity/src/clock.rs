//! The time a statement started: the clock that expiry is compared with.
//!
//! Not `now()`, which stands still in a long transaction, nor the wall clock, which moves within a statement.

/// Microseconds between 1970-01-01 and 2000-01-01, PostgreSQL's own epoch.
pub const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

unsafe extern "C" {
    // Declared here and not taken from pgrx, which would save a jump buffer around a function that reads one variable.
    fn GetCurrentStatementStartTimestamp() -> i64;
}

/// Microseconds since 1970 at the start of the current statement; the same in parallel workers.
pub fn statement_microseconds() -> i64 {
    // SAFETY: reads one variable of this process and cannot raise an error.
    unsafe { GetCurrentStatementStartTimestamp() }.saturating_add(POSTGRES_EPOCH)
}

/// Whole seconds since 1970 at the start of the current statement: a NumericDate (RFC 7519 §2).
pub fn statement_seconds() -> i64 {
    statement_microseconds().div_euclid(1_000_000)
}

/// Whole seconds since 1970 now, by the system's clock.
pub fn wall_seconds() -> i64 {
    wall_microseconds().div_euclid(1_000_000)
}

/// Microseconds since 1970 now, by the system's clock. Readers never ask it: it moves within a statement.
pub fn wall_microseconds() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_micros()).ok())
        .unwrap_or(0)
}
