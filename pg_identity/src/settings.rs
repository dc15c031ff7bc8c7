//! Settings `pg_identity.*`, defined when the postmaster preloads the library.
//!
//! Preloading is required: otherwise a client could plant a placeholder of the same name before the library arrives, and there
//! would be no shared memory to limit hashing.

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;

use crate::errors::{Code, Error};

/// File of the master keys; relative paths start at the data directory.
static MASTER_KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static ARGON2_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(19_456);
static ARGON2_ITERATIONS: GucSetting<i32> = GucSetting::<i32>::new(2);
static ARGON2_PARALLELISM: GucSetting<i32> = GucSetting::<i32>::new(1);
static HASH_CONCURRENCY: GucSetting<i32> = GucSetting::<i32>::new(0);
static HASH_WAIT: GucSetting<i32> = GucSetting::<i32>::new(2_000);
static PASSWORD_PEPPER: GucSetting<bool> = GucSetting::<bool>::new(false);

static PRELOADED: AtomicBool = AtomicBool::new(false);

/// True while the postmaster preloads; false when the library arrives late, and then nothing is defined.
pub fn begin() -> bool {
    // SAFETY: a variable of this single-threaded process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Settings outside ours with this prefix are refused from now on, and functions may run.
pub fn end() {
    // SAFETY: a constant, NUL-terminated name.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"pg_identity".as_ptr()) };
    PRELOADED.store(true, Ordering::Relaxed);
}

/// Refuses with ID001 when the library was not preloaded.
pub fn require_preload() -> Result<(), Error> {
    if PRELOADED.load(Ordering::Relaxed) {
        return Ok(());
    }
    Err(Error::new(Code::NotPreloaded, "pg_identity was not preloaded")
        .with_hint("Set shared_preload_libraries = 'pg_identity' and restart the server."))
}

/// Defines every setting of the compute core.
pub fn define() {
    GucRegistry::define_string_guc(
        c"pg_identity.master_key_file",
        c"File of the master keys that seal every other key.",
        c"One key of 32 bytes per line, hexadecimal or base64; the first one seals, the others still open. It must belong to the server's user and give nothing to anybody else (mode 0400). Relative paths start at the data directory. Read at first need and again after a reload.",
        &MASTER_KEY_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    integer(
        c"pg_identity.argon2_memory",
        c"Memory of one Argon2id hash, in KiB.",
        c"Passwords hashed with other parameters are hashed again at the next sign-in. argon2_memory times argon2_iterations may not exceed 1 GiB.",
        &ARGON2_MEMORY,
        // OWASP Password Storage Cheat Sheet: at least 19 MiB with two iterations and one lane.
        (19_456, 262_144),
        GucContext::Suset,
        GucFlags::UNIT_KB,
    );
    integer(
        c"pg_identity.argon2_iterations",
        c"Passes of Argon2id over its memory.",
        c"",
        &ARGON2_ITERATIONS,
        (2, 16),
        GucContext::Suset,
        GucFlags::empty(),
    );
    integer(
        c"pg_identity.argon2_parallelism",
        c"Lanes of Argon2id.",
        c"They are computed one after the other: a backend starts no threads.",
        &ARGON2_PARALLELISM,
        (1, 4),
        GucContext::Suset,
        GucFlags::empty(),
    );
    integer(
        c"pg_identity.hash_concurrency",
        c"Password hashes computed at the same time by sign-in; 0 means as many as there are cores.",
        c"Administration has a quarter of it on top, at least one, so that neither stops the other. Memory: argon2_memory times both, and once more for sign-in, because as many backends keep theirs for the next hash.",
        &HASH_CONCURRENCY,
        (0, crate::places::MOST_PLACES),
        GucContext::Postmaster,
        GucFlags::empty(),
    );
    integer(
        c"pg_identity.hash_wait",
        c"How long a hash waits for its turn before it is refused with ID004.",
        c"",
        &HASH_WAIT,
        (0, 60_000),
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_bool_guc(
        c"pg_identity.password_pepper",
        c"Hash new passwords with a secret key in addition to the salt.",
        c"The key is random, sealed under the master key, and named in each hash, so that hashes without it or with an older one are still verified.",
        &PASSWORD_PEPPER,
        GucContext::Suset,
        GucFlags::empty(),
    );
}

fn integer(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<i32>,
    (least, most): (i32, i32),
    context: GucContext,
    flags: GucFlags,
) {
    GucRegistry::define_int_guc(name, short, long, setting, least, most, context, flags);
}

/// `pg_identity.master_key_file`, None when empty.
pub fn master_key_file() -> Option<CString> {
    MASTER_KEY_FILE.get().filter(|path| !path.is_empty())
}

/// Parameters of new hashes: KiB, iterations, lanes.
pub fn argon2_parameters() -> (u32, u32, u32) {
    let positive = |setting: &GucSetting<i32>| setting.get().unsigned_abs();
    (positive(&ARGON2_MEMORY), positive(&ARGON2_ITERATIONS), positive(&ARGON2_PARALLELISM))
}

/// Hashes at a time for sign-in.
pub fn hash_concurrency() -> usize {
    match usize::try_from(HASH_CONCURRENCY.get()) {
        Ok(0) | Err(_) => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        Ok(places) => places,
    }
}

/// Milliseconds to wait for a place.
pub fn hash_wait() -> i64 {
    i64::from(HASH_WAIT.get())
}
