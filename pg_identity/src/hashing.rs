//! Places in shared memory that limit how many password hashes are computed at a time, in the whole server.
//!
//! Two budgets: sign-in and administration, so that neither stops the other. And at most two sign-ins in flight per account,
//! held until the end of the transaction: the next one then sees the failure that this one counted (security.md §6).
//! No lock is held while a hash is computed. A place names the process that holds it, and is freed on error (the guard is
//! dropped), at the end of the transaction, and when the process exits.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use pgrx::{pg_guard, pg_sys};

use crate::errors::{Code, Error};
use crate::settings;

/// Largest value of `pg_identity.hash_concurrency`.
pub const MOST_PLACES: i32 = 256;
const PLACES: usize = MOST_PLACES as usize;
/// Sign-ins in flight in the whole server, waiting ones not counted.
const ACCOUNTS: usize = 1024;
/// security.md §6: at most two hashes per account are in flight.
const PER_ACCOUNT: usize = 2;
/// A waiter looks again after this long even if nobody woke it: a wake-up can be lost to a waiter that gives up.
const LONGEST_NAP: Duration = Duration::from_millis(50);
const LOCK: &CStr = c"pg_identity_hashing";

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Passwords of people who sign in.
    SignIn,
    /// Passwords that administrators hash or check.
    Administration,
}

#[derive(Clone, Copy)]
enum Queue {
    SignIn,
    Administration,
    Account,
}

#[repr(C)]
struct Shared {
    /// Signalled when a place of the queue becomes free.
    sign_in_freed: pg_sys::ConditionVariable,
    administration_freed: pg_sys::ConditionVariable,
    account_freed: pg_sys::ConditionVariable,
    places: Places,
}

/// Protected by the lock. A process id of 0 is a free place.
#[repr(C)]
struct Places {
    sign_in_limit: usize,
    administration_limit: usize,
    sign_in: [i32; PLACES],
    administration: [i32; PLACES],
    accounts: [Account; ACCOUNTS],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Account {
    process: i32,
    /// Digest of the account: no names in shared memory.
    key: [u8; 16],
}

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());
/// Whether this process holds anything, so that most transactions end without a look at shared memory.
static HOLDING: AtomicBool = AtomicBool::new(false);
static CALLBACKS: AtomicBool = AtomicBool::new(false);

/// A place in a budget; dropped when the hash is done.
pub struct Turn(Budget);

impl Drop for Turn {
    fn drop(&mut self) {
        let me = process();
        with_places(|places| places.of(self.0).0.iter_mut().filter(|holder| **holder == me).for_each(|holder| *holder = 0));
        wake(match self.0 {
            Budget::SignIn => Queue::SignIn,
            Budget::Administration => Queue::Administration,
        });
    }
}

/// Waits for a place in the budget.
///
/// # Errors
/// ID001 without preload; ID004 after `pg_identity.hash_wait`.
pub fn turn(budget: Budget) -> Result<Turn, Error> {
    let queue = match budget {
        Budget::SignIn => Queue::SignIn,
        Budget::Administration => Queue::Administration,
    };
    let me = process();
    wait(queue, |places| {
        let (holders, limit) = places.of(budget);
        holders.iter_mut().take(limit).find(|holder| **holder == 0).map(|holder| *holder = me)
    })?;
    Ok(Turn(budget))
}

/// Waits until fewer than two sign-ins of the account are in flight, and counts this one until the transaction ends.
///
/// # Errors
/// As [`turn`].
pub fn enter_account(key: [u8; 16]) -> Result<(), Error> {
    let me = process();
    wait(Queue::Account, |places| {
        let of_account = |account: &&Account| account.process != 0 && account.key == key;
        if places.accounts.iter().filter(of_account).any(|account| account.process == me) {
            return Some(());
        }
        if places.accounts.iter().filter(of_account).count() >= PER_ACCOUNT {
            return None;
        }
        places.accounts.iter_mut().find(|account| account.process == 0).map(|account| *account = Account { process: me, key })
    })
}

impl Places {
    fn of(&mut self, budget: Budget) -> (&mut [i32; PLACES], usize) {
        match budget {
            Budget::SignIn => (&mut self.sign_in, self.sign_in_limit),
            Budget::Administration => (&mut self.administration, self.administration_limit),
        }
    }
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

/// The places under their lock. `work` neither waits nor fails.
fn with_places<R>(work: impl FnOnce(&mut Places) -> R) -> R {
    // SAFETY: every caller has passed `require_preload`, after which the startup hook has run and named the lock and the memory;
    // the exclusive lock makes the reference unique.
    unsafe {
        let lock = &raw mut (*pg_sys::GetNamedLWLockTranche(LOCK.as_ptr())).lock;
        let shared = SHARED.load(Ordering::Relaxed);
        pg_sys::LWLockAcquire(lock, pg_sys::LWLockMode::LW_EXCLUSIVE);
        let result = work(&mut (*shared).places);
        pg_sys::LWLockRelease(lock);
        result
    }
}

fn condition(queue: Queue) -> *mut pg_sys::ConditionVariable {
    let shared = SHARED.load(Ordering::Relaxed);
    // SAFETY: as `with_places`; only addresses are taken.
    unsafe {
        match queue {
            Queue::SignIn => &raw mut (*shared).sign_in_freed,
            Queue::Administration => &raw mut (*shared).administration_freed,
            Queue::Account => &raw mut (*shared).account_freed,
        }
    }
}

fn wake(queue: Queue) {
    // SAFETY: a condition variable in shared memory.
    unsafe {
        match queue {
            Queue::SignIn | Queue::Administration => pg_sys::ConditionVariableSignal(condition(queue)),
            // Its waiters wait for different accounts.
            Queue::Account => pg_sys::ConditionVariableBroadcast(condition(queue)),
        }
    }
}

/// Frees whatever this process holds.
fn release_all() {
    if !HOLDING.swap(false, Ordering::Relaxed) {
        return;
    }
    let me = process();
    with_places(|places| {
        let holders = places.sign_in.iter_mut().chain(places.administration.iter_mut());
        holders.filter(|holder| **holder == me).for_each(|holder| *holder = 0);
        let accounts = places.accounts.iter_mut().filter(|account| account.process == me);
        accounts.for_each(|account| *account = Account { process: 0, key: [0; 16] });
    });
    wake(Queue::Account);
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
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        release_all();
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: i32, _argument: pg_sys::Datum) {
    release_all();
}

/// Asks for the memory; PostgreSQL calls the hooks after all libraries are loaded.
pub fn request_shared_memory() {
    // SAFETY: hook variables of the single-threaded postmaster, chained as PostgreSQL's documentation asks.
    unsafe {
        PREVIOUS_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(at_request);
        PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(at_startup);
    }
}

static mut PREVIOUS_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;

#[pg_guard]
unsafe extern "C-unwind" fn at_request() {
    // SAFETY: called by PostgreSQL at the time when memory may be asked for.
    unsafe {
        if let Some(previous) = PREVIOUS_REQUEST {
            pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| previous());
        }
        pg_sys::RequestAddinShmemSpace(size_of::<Shared>());
        pg_sys::RequestNamedLWLockTranche(LOCK.as_ptr(), 1);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_startup() {
    // SAFETY: called once by PostgreSQL while nobody else runs, also after a crash, with memory of the requested size.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP {
            pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| previous());
        }
        let mut found = false;
        let shared: *mut Shared = pg_sys::ShmemInitStruct(LOCK.as_ptr(), size_of::<Shared>(), &mut found).cast();
        if !found {
            let sign_in = settings::hash_concurrency().min(PLACES);
            std::ptr::write_bytes(shared, 0, 1);
            (*shared).places.sign_in_limit = sign_in;
            (*shared).places.administration_limit = (sign_in / 4).max(1);
            pg_sys::ConditionVariableInit(&raw mut (*shared).sign_in_freed);
            pg_sys::ConditionVariableInit(&raw mut (*shared).administration_freed);
            pg_sys::ConditionVariableInit(&raw mut (*shared).account_freed);
        }
        SHARED.store(shared, Ordering::Relaxed);
    }
}
