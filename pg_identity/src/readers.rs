//! Readers of the verified identity: `identity.user_id()` and its like, called once per row by policies.
//!
//! Raw version-1 functions that call nothing in PostgreSQL but `palloc` and the clock: a guarded call would save a jump buffer each time.
//! They never fail and never return anything that depends on the row, hence LEAKPROOF. NULL when nobody is signed in, and once the token
//! has expired at the start of the statement.

use std::ffi::c_void;

use pgrx::pg_sys;

use crate::claims;
use crate::clock;
use crate::errors::Error;
use crate::jsonb::Document;
use crate::native::{VERSION_1, sql_function};
use crate::settings;
use crate::verified::{List, Text, Texts, Verified};

unsafe extern "C-unwind" {
    fn palloc(length: usize) -> *mut c_void;
    fn pg_detoast_datum_packed(datum: *mut c_void) -> *mut c_void;
}

/// Who is signed in at this statement.
#[inline]
fn signed_in() -> Option<&'static Verified> {
    let verified = claims::current()?;
    verified.holds_at(clock::statement_microseconds() - clock::POSTGRES_EPOCH).then_some(verified)
}

/// NULL; but without preloading nobody can ever be signed in, and an error is better than an empty table.
#[cold]
fn nobody(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: PostgreSQL calls the readers with a valid call, and they have nothing to drop.
    unsafe { crate::native::answer(call, |_| settings::require_preload().map(|()| None::<bool>)) }
}

/// Declares a reader: its name in SQL, and how it makes its answer out of the identity and the call.
macro_rules! readers {
    ($($name:ident = $read:expr;)*) => {$(
        const _: () = {
            #[unsafe(export_name = concat!("pg_finfo_", stringify!($name), "_wrapper"))]
            extern "C" fn version() -> *const pg_sys::Pg_finfo_record {
                &VERSION_1
            }

            #[unsafe(export_name = concat!(stringify!($name), "_wrapper"))]
            unsafe extern "C-unwind" fn wrapper(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
                let read: fn(&Verified, pg_sys::FunctionCallInfo) -> Option<pg_sys::Datum> = $read;
                match signed_in().and_then(|verified| read(verified, call)) {
                    Some(datum) => datum,
                    None => nobody(call),
                }
            }
        };
    )*};
}

readers! {
    user_id = |verified, _| verified.user_id().map(copied);
    issuer = |verified, _| text(verified, Text::Issuer);
    subject = |verified, _| text(verified, Text::Subject);
    session_id = |verified, _| text(verified, Text::SessionId);
    client_id = |verified, _| text(verified, Text::ClientId);
    grant_id = |verified, _| text(verified, Text::GrantId);
    organization_id = |verified, _| text(verified, Text::OrganizationId);
    token_id = |verified, _| text(verified, Text::TokenId);
    acr = |verified, _| text(verified, Text::Acr);
    expires_at = |verified, _| Some(pg_sys::Datum::from(verified.expires_at()));
    auth_time = |verified, _| verified.auth_time().map(pg_sys::Datum::from);
    is_agent = |verified, _| Some(pg_sys::Datum::from(verified.is_agent()));
    has_scope = |verified, call| holds(verified, List::Scopes, call);
    has_role = |verified, call| holds(verified, List::Roles, call);
    has_permission = |verified, call| holds(verified, List::Permissions, call);
    claim = |verified, call| with_argument(call, |name| verified.claim(name)).flatten().map(as_text);
}

/// A copy in the current memory context: the block itself may be replaced while the value is still in use.
#[inline]
fn copied(bytes: &[u8; 16]) -> pg_sys::Datum {
    // SAFETY: palloc gives 16 bytes or leaves; nothing in this frame or its callers needs dropping.
    unsafe {
        let copy = palloc(16).cast::<[u8; 16]>();
        copy.write_unaligned(*bytes);
        pg_sys::Datum::from(copy)
    }
}

fn text(verified: &Verified, which: Text) -> Option<pg_sys::Datum> {
    verified.text(which).map(as_text)
}

/// A `text` of these bytes. Tokens hold UTF-8, and so does the database (checked by create extension).
fn as_text(bytes: &[u8]) -> pg_sys::Datum {
    let length = bytes.len() + pg_sys::VARHDRSZ;
    // SAFETY: as in `copied`; the identity is smaller than a megabyte, so the length fits the header of a plain varlena.
    unsafe {
        let copy = palloc(length).cast::<u8>();
        pgrx::varlena::set_varsize_4b(copy.cast(), length as i32);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy.add(pg_sys::VARHDRSZ), bytes.len());
        pg_sys::Datum::from(copy)
    }
}

fn holds(verified: &Verified, list: List, call: pg_sys::FunctionCallInfo) -> Option<pg_sys::Datum> {
    let mut texts = verified.list(list).unwrap_or(Texts::none());
    with_argument(call, |wanted| texts.any(|text| text == wanted)).map(pg_sys::Datum::from)
}

/// Calls `body` with the bytes of the first argument; `None` when it is NULL.
fn with_argument<T>(call: pg_sys::FunctionCallInfo, body: impl FnOnce(&[u8]) -> T) -> Option<T> {
    // SAFETY: the function is declared with one argument of type text.
    unsafe {
        let argument = &*(*call).args.as_ptr();
        if argument.isnull {
            return None;
        }
        let plain = pg_detoast_datum_packed(argument.value.cast_mut_ptr()).cast::<pg_sys::varlena>();
        let (start, length) = (pgrx::varlena::vardata_any(plain), pgrx::varlena::varsize_any_exhdr(plain));
        Some(body(std::slice::from_raw_parts(start.cast::<u8>(), length)))
    }
}

/// The readers that make arrays and jsonb: once per statement is enough for them.
fn list(which: List) -> Result<Option<Vec<String>>, Error> {
    settings::require_preload()?;
    let texts = signed_in().and_then(|verified| verified.list(which));
    Ok(texts.map(|texts| texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()))
}

fn json(which: Text) -> Result<Option<Document>, Error> {
    settings::require_preload()?;
    let text = signed_in().and_then(|verified| verified.text(which));
    Ok(text.and_then(|text| serde_json::from_slice(text).ok()).map(Document))
}

sql_function! {
    /// `identity.scopes()`
    fn scopes() -> Result<Option<Vec<String>>, Error> { list(List::Scopes) }
}
sql_function! {
    /// `identity.roles()`
    fn roles() -> Result<Option<Vec<String>>, Error> { list(List::Roles) }
}
sql_function! {
    /// `identity.permissions()`
    fn permissions() -> Result<Option<Vec<String>>, Error> { list(List::Permissions) }
}
sql_function! {
    /// `identity.amr()`
    fn amr() -> Result<Option<Vec<String>>, Error> { list(List::Amr) }
}
sql_function! {
    /// `identity.actor()`
    fn actor() -> Result<Option<Document>, Error> { json(Text::Actor) }
}
sql_function! {
    /// `identity.actor_chain()`
    fn actor_chain() -> Result<Option<Document>, Error> { json(Text::ActorChain) }
}
sql_function! {
    /// `identity.claims()`
    fn claims_of_token() -> Result<Option<Document>, Error> { json(Text::Claims) }
}
