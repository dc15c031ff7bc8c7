//! JSON as PostgreSQL keeps it: a `jsonb` put together from its parts.
//!
//! Not by way of its text, which PostgreSQL would have to read again: a third of what it takes to verify a token beside the
//! signature.

use std::ffi::CString;

use pgrx::{IntoDatum, pg_sys};
use serde_json::{Map, Number, Value};

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
