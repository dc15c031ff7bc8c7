//! The shared memory of [`crate::hashing`]: places, who holds them, and whom to wake when one becomes free.

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pgrx::{pg_guard, pg_sys};

use crate::settings;

/// Largest value of `pg_identity.hash_concurrency`.
pub const MOST_PLACES: i32 = 256;
const PLACES: usize = MOST_PLACES as usize;
/// Sign-ins in flight in the whole server, waiting ones not counted.
const ACCOUNTS: usize = 1024;
/// Microseconds that an attempt counts when its transaction does not, or goes on: the longest delay of
/// `identity_store.sign_in_delay`.
pub const COOLING: i64 = 30_000_000;
const LOCK: &CStr = c"pg_identity_hashing";

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Passwords of people who sign in.
    SignIn,
    /// Passwords that administrators hash or check.
    Administration,
}

/// Who waits for the same kind of place.
#[derive(Clone, Copy)]
pub enum Queue {
    /// For a hash at sign-in.
    SignIn,
    /// For a hash of administration.
    Administration,
    /// For one of the two sign-ins of an account.
    Account,
}

impl From<Budget> for Queue {
    fn from(budget: Budget) -> Self {
        match budget {
            Budget::SignIn => Queue::SignIn,
            Budget::Administration => Queue::Administration,
        }
    }
}

#[repr(C)]
struct Shared {
    /// Signalled when a place of the queue becomes free.
    sign_in_freed: pg_sys::ConditionVariable,
    administration_freed: pg_sys::ConditionVariable,
    account_freed: pg_sys::ConditionVariable,
    places: Places,
}

/// Protected by the lock. A process id of 0 is a free place, unless it is still cooling.
#[repr(C)]
pub struct Places {
    sign_in_limit: usize,
    administration_limit: usize,
    sign_in: [i32; PLACES],
    administration: [i32; PLACES],
    /// Processes that keep the memory of a hash for the next one, at most as many as sign-in has places.
    keepers: [i32; PLACES],
    /// Sign-ins in flight.
    pub accounts: [Account; ACCOUNTS],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Account {
    /// The process whose transaction this is.
    pub process: i32,
    /// Whether a hash was computed: then a rollback would undo the count of a guess that has been answered.
    pub spent: bool,
    /// When it began. A transaction that goes on for longer than an attempt counts keeps nobody out any more.
    pub since: i64,
    /// Taken until then, though by no process any more (microseconds since 2000, as `GetCurrentTimestamp`).
    pub cooling_until: i64,
    /// Digest of the account: no names in shared memory.
    pub key: [u8; 16],
}

impl Account {
    /// A free place.
    pub const NOBODY: Self = Self { process: 0, spent: false, since: 0, cooling_until: 0, key: [0; 16] };

    /// Whether it counts for its account.
    pub fn taken(&self, now: i64) -> bool {
        (self.process != 0 && self.since.saturating_add(COOLING) > now) || self.cooling_until > now
    }
}

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());

impl Places {
    /// The processes that hold a place of the budget, free places included.
    pub fn holders(&mut self, budget: Budget) -> &mut [i32] {
        let (holders, limit) = self.of(budget);
        let limit = limit.min(holders.len());
        holders.get_mut(..limit).unwrap_or_default()
    }

    /// Whether the process may keep the memory of a hash: as many may as hash at a time, each until it exits.
    pub fn keeps(&mut self, process: i32) -> bool {
        let limit = self.sign_in_limit;
        let keepers = self.keepers.get_mut(..limit).unwrap_or_default();
        if keepers.contains(&process) {
            return true;
        }
        keepers.iter_mut().find(|keeper| **keeper == 0).map(|keeper| *keeper = process).is_some()
    }

    /// The process exits, and its memory with it.
    pub fn forget_keeper(&mut self, process: i32) {
        self.keepers.iter_mut().filter(|keeper| **keeper == process).for_each(|keeper| *keeper = 0);
    }

    /// A place for another sign-in.
    pub fn free_account(&mut self, now: i64) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.process == 0 && account.cooling_until <= now)
    }

    /// The sign-ins that the process has in flight.
    pub fn accounts_of(&mut self, process: i32) -> impl Iterator<Item = &mut Account> {
        self.accounts.iter_mut().filter(move |account| account.process == process)
    }

    /// Frees what the process holds. Accounts with a computed hash stay taken until `spent_until`.
    pub fn forget(&mut self, process: i32, spent_until: i64) {
        let holders = self.sign_in.iter_mut().chain(self.administration.iter_mut());
        holders.filter(|holder| **holder == process).for_each(|holder| *holder = 0);
        self.accounts_of(process).for_each(|account| {
            *account = if account.spent {
                Account { process: 0, cooling_until: spent_until, ..*account }
            } else {
                Account::NOBODY
            };
        });
    }

    fn of(&mut self, budget: Budget) -> (&mut [i32; PLACES], usize) {
        match budget {
            Budget::SignIn => (&mut self.sign_in, self.sign_in_limit),
            Budget::Administration => (&mut self.administration, self.administration_limit),
        }
    }
}

/// The places under their lock. `work` neither waits nor fails.
pub fn with_places<R>(work: impl FnOnce(&mut Places) -> R) -> R {
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

/// What the waiters of a queue sleep on.
pub fn condition(queue: Queue) -> *mut pg_sys::ConditionVariable {
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

/// Wakes whoever may have become able to go on.
pub fn wake(queue: Queue) {
    // SAFETY: a condition variable in shared memory.
    unsafe {
        match queue {
            Queue::SignIn | Queue::Administration => pg_sys::ConditionVariableSignal(condition(queue)),
            // Its waiters wait for different accounts.
            Queue::Account => pg_sys::ConditionVariableBroadcast(condition(queue)),
        }
    }
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

/// How many of the administration beside so many of sign-in.
pub fn administration_places(sign_in: usize) -> usize {
    (sign_in / 4).max(1)
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
            (*shared).places.administration_limit = administration_places(sign_in);
            pg_sys::ConditionVariableInit(&raw mut (*shared).sign_in_freed);
            pg_sys::ConditionVariableInit(&raw mut (*shared).administration_freed);
            pg_sys::ConditionVariableInit(&raw mut (*shared).account_freed);
        }
        SHARED.store(shared, Ordering::Relaxed);
    }
}
