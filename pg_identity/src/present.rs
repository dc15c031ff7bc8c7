//! What a transaction may be that calls a protocol function: one that sees the present, and one that ends.
//!
//! Expiry is compared with the start of the transaction, and what has ended is read with its snapshot. Whoever holds the
//! gateway's role could keep a transaction open to go on in the past, or to keep the rows it locked from everybody else; and
//! every time limit that PostgreSQL has for that is a setting of the session itself. So a timer of ours ends the connection.

use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};

use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};

use crate::errors::{Code, Error};
use crate::native::sql_function;

/// A sign-in takes no longer; microseconds.
const OLDEST: i64 = 30_000_000;

/// When the transaction ends at the latest, in microseconds since 2000; 0 while it has called nothing of ours.
static DEADLINE: AtomicI64 = AtomicI64::new(0);
/// The timer of this process, negative until it is registered.
static TIMER: AtomicI32 = AtomicI32::new(-1);
/// More than any predefined one: PostgreSQL then takes the first that is free.
const ANY_TIMER: i32 = 1_000;

unsafe extern "C" {
    // utils/timeout.h, which pgrx leaves out. Neither raises an error that returns: they end the process (FATAL).
    fn RegisterTimeout(id: i32, handler: extern "C" fn()) -> i32;
    fn enable_timeout_at(id: i32, at: i64);
    fn disable_timeout(id: i32, keep_indicator: bool);
}

sql_function! {
    /// `require_present(seconds)`: refuses a transaction that may see the past or that writes down what it computes, and ends
    /// it that many seconds from now at the latest.
    fn require_present(seconds: i32) -> Result<bool, Error> {
        let refuse = |message, hint| Err(Error::new(Code::InvalidParameter, message).with_hint(hint));
        // SAFETY: reads variables of this single-threaded process, and the clock.
        let (isolation, printing, begun, now, worker) = unsafe {
            (
                pg_sys::XactIsoLevel,
                pg_sys::Debug_print_parse || pg_sys::Debug_print_rewritten || pg_sys::Debug_print_plan,
                pg_sys::GetCurrentTransactionStartTimestamp(),
                pg_sys::GetCurrentTimestamp(),
                pg_sys::ParallelWorkerNumber >= 0,
            )
        };
        if u32::try_from(isolation) != Ok(pg_sys::XACT_READ_COMMITTED) || begun < now.saturating_sub(OLDEST) {
            return refuse(
                "a protocol function needs a read committed transaction that has just begun",
                "One call is one transaction.",
            );
        }
        // A plan has the values of its parameters in it: passwords and hashes of passwords in the log, or on the caller's screen.
        if printing {
            return refuse("a protocol function does not run while plans are printed", "Turn debug_print_parse, debug_print_rewritten and debug_print_plan off.");
        }
        let deadline = now.saturating_add(i64::from(seconds).saturating_mul(1_000_000));
        let earlier = DEADLINE.load(Ordering::Relaxed);
        // A parallel worker locks no row, and ends with its leader. The nearest deadline counts: what may take long, as maintenance,
        // gives no time to what is called after it.
        if !worker && (earlier == 0 || deadline < earlier) {
            watch(deadline);
        }
        Ok(true)
    }
}

fn watch(deadline: i64) {
    // SAFETY: functions of the single-threaded backend; the callbacks live as long as it does.
    unsafe {
        if TIMER.load(Ordering::Relaxed) < 0 {
            TIMER.store(RegisterTimeout(ANY_TIMER, at_deadline), Ordering::Relaxed);
            pg_sys::RegisterXactCallback(Some(at_end_of_transaction), std::ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(at_end_of_subtransaction), std::ptr::null_mut());
        }
        DEADLINE.store(deadline, Ordering::Relaxed);
        enable_timeout_at(TIMER.load(Ordering::Relaxed), deadline);
    }
}

/// A signal handler: it sends the signal that `pg_terminate_backend` sends, as PostgreSQL's own timers do.
extern "C" fn at_deadline() {
    if DEADLINE.load(Ordering::Relaxed) != 0 {
        // SAFETY: `kill` may be called in a signal handler; the process id is a variable that does not change.
        unsafe { libc::kill(pg_sys::MyProcPid, libc::SIGTERM) };
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end_of_transaction(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PRE_PREPARE, XACT_EVENT_PREPARE};
    match event {
        // Its locks would outlive every connection of the role.
        XACT_EVENT_PRE_PREPARE if DEADLINE.load(Ordering::Relaxed) != 0 => {
            pgrx::ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "a transaction that called a protocol function cannot be prepared"
            );
        }
        XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE if DEADLINE.swap(0, Ordering::Relaxed) != 0 => {
            // SAFETY: the timer was registered before the deadline was set.
            unsafe { disable_timeout(TIMER.load(Ordering::Relaxed), false) };
        }
        _ => {}
    }
}

/// An error disables every timer of the backend; the transaction around a savepoint goes on.
#[pg_guard]
unsafe extern "C-unwind" fn at_end_of_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    _subtransaction: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    let deadline = DEADLINE.load(Ordering::Relaxed);
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB && deadline != 0 {
        // SAFETY: as above.
        unsafe { enable_timeout_at(TIMER.load(Ordering::Relaxed), deadline) };
    }
}
