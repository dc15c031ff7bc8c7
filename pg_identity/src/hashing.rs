//! How many password hashes are computed at a time, in the whole server: one per place of [`crate::places`].
//!
//! Two budgets: sign-in and administration, so that neither stops the other. And at most two sign-ins in flight per account,
//! held until the end of the transaction: the next one then sees the failure that this one counted (README, decision 11).
//! Whoever rolls back after the hash takes the count back, not the answer: the place then stays taken for as long as the
//! longest delay that the count could have brought.
//! No lock is held while a hash is computed. A place names the process that holds it, and is freed on error (the guard is
//! dropped), at the end of the transaction, and when the process exits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pgrx::{pg_guard, pg_sys};

use crate::errors::{Code, Error};
pub use crate::places::Budget;
use crate::places::{Account, COOLING, Places, Queue, condition, wake, with_places};
use crate::settings;

/// README, decision 11.
const PER_ACCOUNT: usize = 2;
/// A waiter looks again after this long even if nobody woke it: a wake-up can be lost to a waiter that gives up.
const LONGEST_NAP: Duration = Duration::from_millis(50);

/// Whether this process holds anything, so that most transactions end without a look at shared memory.
static HOLDING: AtomicBool = AtomicBool::new(false);
static CALLBACKS: AtomicBool = AtomicBool::new(false);

/// A place in a budget; dropped when the hash is done.
pub struct Turn {
    budget: Budget,
    /// Whether this process may keep the memory of the hash for its next one. Otherwise every backend that has ever hashed
    /// would sit on 19 MiB: two hundred connections, four gigabytes.
    pub keeps: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let me = process();
        with_places(|places| {
            let mine = places.holders(self.budget).iter_mut().find(|holder| **holder == me);
            mine.map(|holder| *holder = 0)
        });
        wake(self.budget.into());
    }
}

/// Waits for a place in the budget.
///
/// # Errors
/// ID001 without preload; ID004 after `pg_identity.hash_wait`.
pub fn turn(budget: Budget) -> Result<Turn, Error> {
    let me = process();
    wait(budget.into(), |places| {
        let free = places.holders(budget).iter_mut().find(|holder| **holder == 0);
        free.map(|holder| *holder = me)
    })?;
    let keeps = budget == Budget::SignIn
        && with_places(|places| {
            places.accounts_of(me).for_each(|account| account.spent = true);
            places.keeps(me)
        });
    Ok(Turn { budget, keeps })
}

/// Waits until fewer than two sign-ins of the account are in flight, and counts this one until the transaction ends.
///
/// # Errors
/// As [`turn`]; ID004 also for a second attempt after a hash in the same transaction; ID005 in a subtransaction, whose end
/// would undo the count and not the answer, and for another account in the same transaction.
pub fn enter_account(key: [u8; 16]) -> Result<(), Error> {
    settings::require_preload()?;
    // SAFETY: reads the state of this backend's transaction.
    if unsafe { pg_sys::GetCurrentTransactionNestLevel() } > 1 {
        return Err(Error::new(Code::InvalidParameter, "a sign-in cannot run in a subtransaction")
            .with_hint("Call it without savepoints and outside blocks with an exception handler."));
    }
    let me = process();
    // One transaction that holds many accounts would keep all of their owners out.
    if HOLDING.load(Ordering::Relaxed) && with_places(|places| places.accounts_of(me).any(|account| account.key != key))
    {
        return Err(Error::new(Code::InvalidParameter, "this transaction has a sign-in of another account in flight")
            .with_hint("Commit first."));
    }
    let mut spent = false;
    wait(Queue::Account, |places| {
        if let Some(mine) = places.accounts_of(me).find(|account| account.key == key) {
            spent = mine.spent;
            return Some(());
        }
        let now = now();
        let in_flight = places.accounts.iter().filter(|account| account.taken(now) && account.key == key);
        if in_flight.count() >= PER_ACCOUNT {
            return None;
        }
        let place = places.free_account(now)?;
        *place = Account { process: me, key, since: now, ..Account::NOBODY };
        Some(())
    })?;
    if spent {
        return Err(Error::new(Code::HashingBusy, "this transaction has checked a password of this account before")
            .with_hint("Commit, then try again."));
    }
    Ok(())
}

fn wait(queue: Queue, mut attempt: impl FnMut(&mut Places) -> Option<()>) -> Result<(), Error> {
    settings::require_preload()?;
    register_callbacks();
    HOLDING.store(true, Ordering::Relaxed);
    if with_places(&mut attempt).is_some() {
        return Ok(());
    }
    let deadline = Instant::now() + Duration::from_millis(settings::hash_wait().unsigned_abs());
    let freed = condition(queue);
    // SAFETY: a condition variable in shared memory. Sleeping looks for interrupts; the error they raise unwinds as a panic,
    // and the end of the transaction leaves the queue.
    unsafe { pg_sys::ConditionVariablePrepareToSleep(freed) };
    let outcome = loop {
        if with_places(&mut attempt).is_some() {
            break Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break Err(Error::new(Code::HashingBusy, "too many passwords are being hashed at the moment")
                .with_hint("Try again in a moment."));
        }
        let nap = i64::try_from(left.min(LONGEST_NAP).as_millis()).unwrap_or(1).max(1);
        // SAFETY: as above.
        unsafe { pg_sys::ConditionVariableTimedSleep(freed, nap, pg_sys::PG_WAIT_EXTENSION) };
    };
    // SAFETY: leaves the queue that this function entered.
    unsafe { pg_sys::ConditionVariableCancelSleep() };
    outcome
}

fn process() -> i32 {
    // SAFETY: a variable of this single-threaded process.
    unsafe { pg_sys::MyProcPid }
}

fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Frees whatever this process holds.
fn release_all(outcome: Outcome) {
    if !HOLDING.swap(false, Ordering::Relaxed) {
        return;
    }
    let spent_until = match outcome {
        Outcome::Counted => 0,
        Outcome::Undone => now().saturating_add(COOLING),
    };
    let me = process();
    with_places(|places| places.forget(me, spent_until));
    wake(Queue::Account);
}

/// What became of the failures that the transaction counted.
enum Outcome {
    Counted,
    Undone,
}

fn register_callbacks() {
    if CALLBACKS.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: both callbacks live as long as the process.
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_end_of_transaction), std::ptr::null_mut());
        pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::from(0));
    }
}

/// Only resets memory: an error in a commit callback would restart the server.
#[pg_guard]
unsafe extern "C-unwind" fn at_end_of_transaction(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    // After the commit is visible, not before it: the next attempt has to see what this one counted.
    match event {
        XACT_EVENT_COMMIT => release_all(Outcome::Counted),
        // What is prepared can still be rolled back.
        XACT_EVENT_ABORT | XACT_EVENT_PREPARE => release_all(Outcome::Undone),
        _ => {}
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: i32, _argument: pg_sys::Datum) {
    // Called before the transaction in progress, if there is one, is aborted.
    release_all(Outcome::Undone);
    with_places(|places| places.forget_keeper(process()));
}
