//! JSON as PostgreSQL keeps it: a `jsonb` put together from its parts, or from members of another.
//!
//! Not by way of its text, which PostgreSQL would have to read again: a third of what it takes to verify a token beside the
//! signature.

use std::ffi::CString;

use pgrx::{IntoDatum, pg_sys};
use serde_json::{Map, Number, Value};

use crate::errors::{Code, Error};
use crate::native::{Argument, sql_function};

/// An answer of type `jsonb`.
pub struct Document(pub Value);

impl IntoDatum for Document {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let mut parts = Parts::default();
        let mut root = parts.value(&self.0);
        // SAFETY: everything that `root` points at lives in `self` and `parts`, which outlive the call; it copies all of it.
        Some(pg_sys::Datum::from(unsafe { pg_sys::JsonbValueToJsonb(&raw mut root) }))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

/// A `jsonb` as it is kept, in PostgreSQL's memory.
pub struct Kept(*mut pg_sys::Jsonb);

impl<'call> Argument<'call> for Kept {
    unsafe fn from_argument(datum: pg_sys::Datum, null: bool, name: &'static str) -> Result<Self, Error> {
        if null {
            return Err(Error::internal(format!("{name} must not be NULL")));
        }
        // SAFETY: a jsonb by the trait's contract.
        Ok(Self(unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) }.cast()))
    }
}

impl IntoDatum for Kept {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(pg_sys::Datum::from(self.0))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

impl Kept {
    /// The object that it is.
    fn object(&self, name: &str) -> Result<*mut pg_sys::JsonbContainer, Error> {
        // SAFETY: a detoasted jsonb; its root is part of it.
        let (container, header) = unsafe { (&raw mut (*self.0).root, (*self.0).root.header) };
        if header & pg_sys::JB_FOBJECT == 0 {
            return Err(Error::new(Code::InvalidParameter, format!("{name} is not a JSON object")));
        }
        Ok(container)
    }
}

sql_function! {
    /// `jsonb_members(document, names, more)`: the members of an object that have one of these names, and all of another, which
    /// has its way where both have one. One call, because PostgreSQL copies and sorts the whole for each `||`.
    fn jsonb_members(document: Kept, names: Vec<Option<String>>, more: Kept) -> Result<Kept, Error> {
        use pg_sys::JsonbIteratorToken::{WJB_BEGIN_OBJECT, WJB_DONE, WJB_END_OBJECT, WJB_KEY, WJB_VALUE};
        let (container, more) = (document.object("document")?, more.object("more")?);
        let mut state = std::ptr::null_mut();
        // SAFETY: names and documents outlive the calls, which copy what they are given.
        unsafe {
            pg_sys::pushJsonbValue(&raw mut state, WJB_BEGIN_OBJECT, std::ptr::null_mut());
            for name in names.iter().flatten() {
                let mut key = string(name);
                let (text, length) = (key.val.string.val, key.val.string.len);
                let value = pg_sys::getKeyJsonValueFromContainer(container, text, length, std::ptr::null_mut());
                if !value.is_null() {
                    pg_sys::pushJsonbValue(&raw mut state, WJB_KEY, &raw mut key);
                    pg_sys::pushJsonbValue(&raw mut state, WJB_VALUE, value);
                }
            }
            let (mut members, mut value) = (pg_sys::JsonbIteratorInit(more), pg_sys::JsonbValue::default());
            loop {
                match pg_sys::JsonbIteratorNext(&raw mut members, &raw mut value, true) {
                    WJB_DONE => break,
                    token @ (WJB_KEY | WJB_VALUE) => drop(pg_sys::pushJsonbValue(&raw mut state, token, &raw mut value)),
                    _ => {}
                }
            }
            let root = pg_sys::pushJsonbValue(&raw mut state, WJB_END_OBJECT, std::ptr::null_mut());
            Ok(Kept(pg_sys::JsonbValueToJsonb(root)))
        }
    }
}

/// The lists that the values point at. A list is finished before it is kept, and moving it moves no element.
#[derive(Default)]
struct Parts {
    elements: Vec<Vec<pg_sys::JsonbValue>>,
    pairs: Vec<Vec<pg_sys::JsonbPair>>,
}

impl Parts {
    fn value(&mut self, value: &Value) -> pg_sys::JsonbValue {
        let mut made = pg_sys::JsonbValue { type_: pg_sys::jbvType::jbvNull, ..Default::default() };
        match value {
            Value::Null => {}
            Value::Bool(boolean) => {
                made.type_ = pg_sys::jbvType::jbvBool;
                made.val.boolean = *boolean;
            }
            Value::Number(number) => {
                made.type_ = pg_sys::jbvType::jbvNumeric;
                made.val.numeric = numeric(number);
            }
            Value::String(text) => made = string(text),
            Value::Array(values) => {
                made.type_ = pg_sys::jbvType::jbvArray;
                let elements = values.iter().map(|value| self.value(value)).collect();
                self.elements.push(elements);
                let elements = self.elements.last_mut().map_or(std::ptr::null_mut(), |kept| kept.as_mut_ptr());
                made.val.array = pg_sys::JsonbValue__bindgen_ty_1__bindgen_ty_2 {
                    nElems: values.len() as i32,
                    elems: elements,
                    rawScalar: false,
                };
            }
            Value::Object(members) => {
                made.type_ = pg_sys::jbvType::jbvObject;
                let pairs = self.members(members);
                self.pairs.push(pairs);
                let pairs = self.pairs.last_mut().map_or(std::ptr::null_mut(), |kept| kept.as_mut_ptr());
                made.val.object =
                    pg_sys::JsonbValue__bindgen_ty_1__bindgen_ty_3 { nPairs: members.len() as i32, pairs };
            }
        }
        made
    }

    fn members(&mut self, members: &Map<String, Value>) -> Vec<pg_sys::JsonbPair> {
        let mut sorted: Vec<_> = members.iter().collect();
        // PostgreSQL looks members up by bisection, shorter names first (lengthCompareJsonbStringValue).
        sorted.sort_by(|(one, _), (other, _)| {
            one.len().cmp(&other.len()).then_with(|| one.as_bytes().cmp(other.as_bytes()))
        });
        sorted
            .into_iter()
            .map(|(name, value)| pg_sys::JsonbPair { key: string(name), value: self.value(value), order: 0 })
            .collect()
    }
}

fn string(text: &str) -> pg_sys::JsonbValue {
    let mut made = pg_sys::JsonbValue { type_: pg_sys::jbvType::jbvString, ..Default::default() };
    made.val.string = pg_sys::JsonbValue__bindgen_ty_1__bindgen_ty_1 {
        len: text.len() as i32,
        val: text.as_ptr().cast::<std::ffi::c_char>().cast_mut(),
    };
    made
}

fn numeric(number: &Number) -> pg_sys::Numeric {
    if let Some(whole) = number.as_i64() {
        // SAFETY: takes a number and gives PostgreSQL's own memory.
        return unsafe { pg_sys::int64_to_numeric(whole) };
    }
    // A number never holds a NUL; the empty text would be refused by numeric_in.
    let text = CString::new(number.to_string()).unwrap_or_default();
    // SAFETY: numeric_in(cstring, oid, integer); the text lives until it returns.
    let datum = unsafe {
        pgrx::direct_function_call_as_datum(
            pg_sys::numeric_in,
            &[text.as_c_str().into_datum(), Some(pg_sys::Datum::from(0)), Some(pg_sys::Datum::from(-1))],
        )
    };
    datum.map_or(std::ptr::null_mut(), |datum| datum.cast_mut_ptr())
}
