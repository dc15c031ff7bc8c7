//! The border to PostgreSQL: `sql_function!` turns a Rust function into a C function that `create function` can name.
//!
//! Not `#[pg_extern]`, because pgrx knows only PostgreSQL's own SQLSTATEs and ours have a class of their own. Here an
//! [`Error`] leaves all Rust frames as a value, and only then, with nothing left to drop, becomes an ereport.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;

use pgrx::pg_sys;
use pgrx::pg_sys::submodules::panic::pgrx_extern_c_guard;
use pgrx::{FromDatum, IntoDatum, Json, JsonB};

use crate::errors::{Code, Error};

/// Declares `fn name(arguments) -> Result<T, Error>` and exports it as `name_wrapper`.
///
/// An argument of type `Option<T>` may be NULL; any other type refuses NULL. A result of `Ok(None)` is NULL.
macro_rules! sql_function {
    ($(#[$meta:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> Result<$result:ty, Error> $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        pub(crate) fn $name($($argument: $type),*) -> Result<$result, $crate::errors::Error> $body

        const _: () = {
            #[unsafe(export_name = concat!("pg_finfo_", stringify!($name), "_wrapper"))]
            extern "C" fn version() -> *const pgrx::pg_sys::Pg_finfo_record {
                &$crate::native::VERSION_1
            }

            #[unsafe(export_name = concat!(stringify!($name), "_wrapper"))]
            unsafe extern "C-unwind" fn wrapper(call: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
                // SAFETY: PostgreSQL calls this with a valid call of the declared arguments.
                unsafe {
                    $crate::native::answer(call, |_arguments| {
                        $(let $argument: $type = _arguments.next(stringify!($argument))?;)*
                        $name($($argument),*)
                    })
                }
            }
        };
    };
}
pub(crate) use sql_function;

/// The record by which PostgreSQL recognises a version-1 function.
pub static VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };

/// The arguments of one call, taken in order.
pub struct Arguments<'call> {
    values: std::slice::Iter<'call, pg_sys::NullableDatum>,
}

impl<'call> Arguments<'call> {
    /// The next argument; `name` is what an error calls it.
    pub fn next<T: Argument<'call>>(&mut self, name: &'static str) -> Result<T, Error> {
        let argument =
            self.values.next().ok_or_else(|| Error::internal("the function is declared with too few arguments"))?;
        // SAFETY: the argument has the type that the SQL file declares next to the function's name.
        unsafe { T::from_argument(argument.value, argument.isnull, name) }
    }
}

/// A type that an argument can have.
pub trait Argument<'call>: Sized {
    /// Takes the value.
    ///
    /// # Safety
    /// `datum` is of the SQL type that belongs to `Self`.
    unsafe fn from_argument(datum: pg_sys::Datum, null: bool, name: &'static str) -> Result<Self, Error>;
}

impl<'call, T: Argument<'call>> Argument<'call> for Option<T> {
    unsafe fn from_argument(datum: pg_sys::Datum, null: bool, name: &'static str) -> Result<Self, Error> {
        if null {
            Ok(None)
        } else {
            // SAFETY: passed on from the caller.
            unsafe { T::from_argument(datum, false, name) }.map(Some)
        }
    }
}

macro_rules! arguments {
    ($($type:ty),*) => {$(
        impl<'call> Argument<'call> for $type {
            unsafe fn from_argument(datum: pg_sys::Datum, null: bool, name: &'static str) -> Result<Self, Error> {
                // SAFETY: passed on from the caller.
                unsafe { <$type as FromDatum>::from_datum(datum, null) }.ok_or_else(|| must_not_be_null(name))
            }
        }
    )*};
}
arguments!(
    &'call str,
    &'call [u8],
    String,
    Vec<Option<String>>,
    bool,
    i32,
    i64,
    pgrx::Uuid,
    pgrx::datum::TimestampWithTimeZone
);

/// A `json`, which PostgreSQL keeps as its text.
impl<'call> Argument<'call> for Json {
    unsafe fn from_argument(datum: pg_sys::Datum, null: bool, name: &'static str) -> Result<Self, Error> {
        // SAFETY: passed on from the caller.
        let text = unsafe { <&str>::from_argument(datum, null, name) }?;
        serde_json::from_str(text).map(Json).map_err(|_| unreadable(name))
    }
}

/// Not by pgrx, which panics where `jsonb` holds more than serde_json reads: numbers beyond 1.8e308, more than 127 levels.
impl<'call> Argument<'call> for JsonB {
    unsafe fn from_argument(datum: pg_sys::Datum, null: bool, name: &'static str) -> Result<Self, Error> {
        if null {
            return Err(must_not_be_null(name));
        }
        // SAFETY: a jsonb by the trait's contract; jsonb_out gives a NUL-terminated text in PostgreSQL's memory.
        let text = unsafe {
            let datum = pg_sys::Datum::from(pg_sys::pg_detoast_datum(datum.cast_mut_ptr()));
            pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)])
        };
        let text = text.ok_or_else(|| Error::internal("a jsonb has no text"))?;
        serde_json::from_slice(text.to_bytes()).map(JsonB).map_err(|_| unreadable(name))
    }
}

fn unreadable(name: &str) -> Error {
    Error::new(Code::InvalidParameter, format!("{name} is JSON with a number that is too large, or nested too deeply"))
}

fn must_not_be_null(name: &str) -> Error {
    Error::internal(format!("{name} must not be NULL"))
}

/// Runs `body` with the call's arguments and gives its answer, or its error, to PostgreSQL.
///
/// # Safety
/// `call` comes from PostgreSQL's function manager.
pub unsafe fn answer<T: IntoDatum>(
    call: pg_sys::FunctionCallInfo,
    body: impl FnOnce(&mut Arguments<'_>) -> Result<T, Error>,
) -> pg_sys::Datum {
    // SAFETY: `call` is valid, and nothing in this frame needs dropping when an ereport leaves it.
    unsafe {
        let outcome = pgrx_extern_c_guard(|| {
            let count = usize::try_from((*call).nargs).unwrap_or(0);
            let values = (*call).args.as_slice(count).iter();
            body(&mut Arguments { values }).map(IntoDatum::into_datum).map_err(Raised::from)
        });
        match outcome {
            Ok(Some(datum)) => datum,
            Ok(None) => {
                (*call).isnull = true;
                pg_sys::Datum::from(0)
            }
            Err(raised) => raised.raise(),
        }
    }
}

/// An error in PostgreSQL's own memory: plain pointers, nothing to drop.
#[derive(Clone, Copy)]
struct Raised {
    sqlstate: c_int,
    message: *const c_char,
    hint: *const c_char,
    _not_send: PhantomData<*const ()>,
}

impl From<Error> for Raised {
    fn from(error: Error) -> Self {
        use pg_sys::AsPgCStr;
        Self {
            sqlstate: packed(error.code.sqlstate()),
            message: error.message.as_ref().as_pg_cstr(),
            hint: error.hint.as_deref().map_or(std::ptr::null(), |hint| hint.as_pg_cstr()),
            _not_send: PhantomData,
        }
    }
}

unsafe extern "C-unwind" {
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errcode(sqlstate: c_int) -> c_int;
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
}

impl Raised {
    /// Jumps out, to PostgreSQL's error handling.
    ///
    /// # Safety
    /// No frame between here and PostgreSQL has anything to drop.
    unsafe fn raise(self) -> ! {
        const TEXT: &CStr = c"%s";
        // SAFETY: the pointers are palloc'd strings; a level of ERROR never returns from errfinish.
        unsafe {
            if errstart(pgrx::PgLogLevel::ERROR as c_int, std::ptr::null()) {
                errcode(self.sqlstate);
                errmsg_internal(TEXT.as_ptr(), self.message);
                if !self.hint.is_null() {
                    errhint(TEXT.as_ptr(), self.hint);
                }
                errfinish(c"pg_identity".as_ptr(), 0, std::ptr::null());
            }
        }
        std::process::abort()
    }
}

/// PostgreSQL's packing of a SQLSTATE: six bits a character.
fn packed(sqlstate: &[u8; 5]) -> c_int {
    sqlstate.iter().rev().fold(0, |packed, character| (packed << 6) | c_int::from(character.wrapping_sub(b'0') & 0x3f))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sqlstate_is_packed_as_postgresql_packs_it() {
        // ERRCODE_SUCCESSFUL_COMPLETION and ERRCODE_SYNTAX_ERROR of errcodes.h
        assert_eq!(super::packed(b"00000"), 0);
        assert_eq!(super::packed(b"42601"), 16_801_924);
    }
}
