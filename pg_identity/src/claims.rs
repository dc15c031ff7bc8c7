//! The verified identity of a transaction: the setting `pg_identity.claims`, which only [`authenticate`] writes.
//!
//! A setting, because PostgreSQL then reverts it at ROLLBACK TO SAVEPOINT, ends it with the transaction and copies it to parallel workers; PGC_SUSET,
//! because PGC_INTERNAL is not copied. Its check hook parses the value once, its assign hook points [`current`] at the result.
//! On top of PostgreSQL's own permission check the check hook refuses every value that does not come from here, so that
//! neither GRANT SET ON PARAMETER nor a superuser's SET plants an identity.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use aws_lc_rs::digest::{Context, SHA256};
use pgrx::pg_sys;
use pgrx::pg_sys::AsPgCStr;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::errors::{Code, Error};
use crate::identity::Identity;
use crate::jws;
use crate::native::sql_function;
use crate::settings;
use crate::tokens::{self, Demands};
use crate::verified::{self, Verified};

const NAME: &CStr = c"pg_identity.claims";

/// Points into memory that PostgreSQL owns, as long as the setting has that value. A backend is one thread; the atomic only spares `static mut`.
static CURRENT: AtomicPtr<Verified> = AtomicPtr::new(null_mut());

thread_local! {
    /// True only while [`store`] sets the setting.
    static WRITING: Cell<bool> = const { Cell::new(false) };
    /// Digest of the first issuer and subject of this transaction. Outside the setting, because an ordinary role may RESET ALL.
    static FIRST_SUBJECT: Cell<Option<[u8; 32]>> = const { Cell::new(None) };
}

/// Defines the setting. Called while the postmaster preloads, before the prefix is reserved.
pub fn define() {
    static VALUE: AtomicPtr<c_char> = AtomicPtr::new(null_mut());
    // Not in SHOW ALL, not in files, shown to superusers and pg_read_all_settings only: it holds personal claims.
    let flags =
        pg_sys::GUC_NO_SHOW_ALL | pg_sys::GUC_NOT_IN_SAMPLE | pg_sys::GUC_DISALLOW_IN_FILE | pg_sys::GUC_SUPERUSER_ONLY;
    // SAFETY: names are constants, the variable and the hooks live as long as the process.
    unsafe {
        pg_sys::DefineCustomStringVariable(
            NAME.as_ptr(),
            c"The verified identity of this transaction.".as_ptr(),
            c"Written by identity.authenticate() only, read by identity.user_id() and its like. It ends with the transaction."
                .as_ptr(),
            VALUE.as_ptr(),
            c"".as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            flags as i32,
            Some(check),
            Some(assign),
            None,
        );
        pg_sys::RegisterXactCallback(Some(transaction_ends), null_mut());
    }
}

/// Who is signed in, expired or not.
#[inline]
pub fn current<'statement>() -> Option<&'statement Verified> {
    // SAFETY: the assign hook stores null or a block that PostgreSQL keeps until it assigns the next one; readers copy what they return.
    unsafe { CURRENT.load(Ordering::Relaxed).as_ref() }
}

sql_function! {
    /// `identity.authenticate(token)`.
    fn authenticate(token: Option<&str>) -> Result<(), Error> {
        settings::require_preload()?;
        begin(&tokens::check(jws::present(token)?, &Demands::OF_AUTHENTICATE)?)
    }
}

sql_function! {
    /// `identity.impersonation_begin(issuer, claims, administrator)`: what a token with these claims would begin, without one, and with
    /// the administrator as its outermost actor. That they may do so was decided in SQL.
    fn impersonation_begin(issuer: &str, claims: pgrx::JsonB, administrator: &str) -> Result<(), Error> {
        /// Longer than any transaction that looks at something; shorter than a working day.
        const SECONDS: i64 = 3600;
        settings::require_preload()?;
        let Value::Object(mut members) = claims.0 else {
            return Err(Error::new(Code::InvalidParameter, "claims is not an object"));
        };
        let now = clock::statement_seconds();
        members.insert("iss".to_owned(), json!(issuer));
        members.insert("iat".to_owned(), json!(now));
        members.insert("exp".to_owned(), json!(now + SECONDS));
        let mut identity = tokens::without_token(issuer, members)?;
        if identity.subject.is_empty() {
            return Err(Error::new(Code::InvalidParameter, "subject is empty"));
        }
        identity.issued_at = Some(now);
        identity.expires_at = now + SECONDS;
        identity.valid_until = now + SECONDS;
        // RFC 8693 §4.1: the outermost actor is the current one, whoever acted before is nested in it.
        let mut actor = Map::from_iter([("sub".to_owned(), json!(administrator)), ("impersonation".to_owned(), json!(true))]);
        identity.actors.insert(0, actor.clone());
        actor.extend(identity.actor.take().map(|inner| ("act".to_owned(), inner)));
        identity.claims.insert("act".to_owned(), Value::Object(actor.clone()));
        identity.actor = Some(Value::Object(actor));
        identity.impersonated = true;
        begin(&identity)
    }
}

sql_function! {
    /// `identity.token_explanation(token)`: every rule of authenticate as `[{"rule", "passed", "detail"}]`. Nobody is signed in by it.
    fn token_explanation(token: Option<&str>) -> Result<pgrx::JsonB, Error> {
        let Some(token) = token else {
            return Ok(pgrx::JsonB(json!([{ "rule": "form", "passed": false, "detail": "ID101: the token is null" }])));
        };
        let (mut rules, identity) = tokens::explain(token)?;
        if let Some(identity) = identity {
            let other = FIRST_SUBJECT.get().is_some_and(|first| first != subject_digest(&identity));
            let detail = match other {
                true => "ID201: another subject was verified earlier in this transaction".to_owned(),
                false => format!("good for {} of {}", identity.subject, identity.issuer),
            };
            rules.push(json!({ "rule": "one subject a transaction", "passed": !other, "detail": detail }));
        }
        Ok(pgrx::JsonB(Value::Array(rules)))
    }
}

sql_function! {
    /// `identity.sign_out()`: nobody is signed in any more; another subject is refused all the same until the transaction ends.
    fn sign_out() -> Result<(), Error> {
        settings::require_preload()?;
        store(c"")
    }
}

/// Makes this the identity of the transaction.
fn begin(identity: &Identity) -> Result<(), Error> {
    remember_subject(identity)?;
    let value = serde_json::to_string(identity).map_err(|_| Error::internal("an identity cannot be written"))?;
    // JSON escapes U+0000, so there is none.
    store(&CString::new(value).map_err(|_| Error::internal("an identity holds U+0000"))?)
}

fn subject_digest(identity: &Identity) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    digest.update(&identity.issuer.len().to_le_bytes());
    digest.update(identity.issuer.as_bytes());
    digest.update(identity.subject.as_bytes());
    let mut subject = [0; 32];
    subject.iter_mut().zip(digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
    subject
}

/// One transaction, one person: what a function did for the first must not be finished in the name of the second.
fn remember_subject(identity: &Identity) -> Result<(), Error> {
    let subject = subject_digest(identity);
    match FIRST_SUBJECT.get() {
        Some(first) if first != subject => {
            Err(Error::new(Code::SecondSubject, "another subject was already verified in this transaction")
                .with_hint("Commit or roll back first; a transaction belongs to one subject, also after sign_out()."))
        }
        Some(_) => Ok(()),
        None => {
            FIRST_SUBJECT.set(Some(subject));
            Ok(())
        }
    }
}

/// `SET LOCAL pg_identity.claims`, as native code.
fn store(value: &CStr) -> Result<(), Error> {
    struct Writing;
    impl Drop for Writing {
        fn drop(&mut self) {
            WRITING.set(false);
        }
    }
    WRITING.set(true);
    let _writing = Writing;
    // SAFETY: both strings are NUL-terminated and copied by PostgreSQL.
    let outcome = unsafe {
        pg_sys::set_config_option(
            NAME.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        )
    };
    if outcome > 0 { Ok(()) } else { Err(Error::internal("the identity could not be stored")) }
}

/// Parses a new value into `extra`; false refuses it.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn check(
    value: *mut *mut c_char,
    extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL gives a pointer to a NUL-terminated string or to null, and a place for the extra.
    unsafe {
        *extra = null_mut();
        if (*value).is_null() || **value == 0 {
            return true;
        }
        // A worker starts with what ALTER ROLE … SET left in the catalog, before it takes over its leader's settings.
        let from_leader = pg_sys::InitializingParallelWorker && source == pg_sys::GucSource::PGC_S_SESSION;
        if !WRITING.get() && !from_leader {
            pg_sys::GUC_check_errdetail_string = "Only identity.authenticate() writes it.".as_pg_cstr();
            return false;
        }
        match serde_json::from_slice::<Identity>(CStr::from_ptr(*value).to_bytes()) {
            Ok(identity) => {
                *extra = verified::allocate(&identity);
                !(*extra).is_null()
            }
            Err(_) => false,
        }
    }
}

/// Also called when PostgreSQL reverts the setting, with the extra of the old value: nothing here may fail.
unsafe extern "C-unwind" fn assign(_value: *const c_char, extra: *mut c_void) {
    CURRENT.store(extra.cast(), Ordering::Relaxed);
}

/// The next transaction starts without a first subject. A panic here would restart the cluster: only memory is reset.
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_PARALLEL_PRE_COMMIT, XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE};
    // Deferred triggers still run after these three.
    if ![XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE, XACT_EVENT_PARALLEL_PRE_COMMIT].contains(&event) {
        FIRST_SUBJECT.set(None);
    }
}
