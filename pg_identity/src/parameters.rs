//! Parameters of a request as the gateway hands them on: `{"name": ["value", …]}`, decoded, repetitions included.
//!
//! Read here because every authorization passes: PostgreSQL would need a subtransaction to catch what `jsonb` cannot hold, and a
//! statement to sort out the members.

#[cfg(test)]
mod properties;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::errors::{Code, Error};
use crate::jsonb::Document;
use crate::native::sql_function;
use crate::strict_json;

/// RFC 8707 §2: "Multiple resource parameters MAY be used".
const SEVERAL: &str = "resource";

sql_function! {
    /// `request_parameters(parameters, known)`: `{"parameters": {"name": "value", "resource": ["value", …]}, "repeated": ["name", …] or
    /// null}` of those that are known.
    fn request_parameters(parameters: Option<&str>, known: Vec<Option<String>>) -> Result<Document, Error> {
        let known: Vec<&str> = known.iter().flatten().map(String::as_str).collect();
        parameters.and_then(|text| read(text, &known)).map(Document).ok_or_else(|| Error::new(
            Code::InvalidParameter,
            r#"parameters: must be an object of arrays of strings: {"name": ["value", …]}"#,
        ))
    }
}

fn read(parameters: &str, known: &[&str]) -> Option<Value> {
    let (mut given, mut repeated) = (Map::new(), BTreeSet::new());
    for (name, values) in strict_json::object(parameters.as_bytes())? {
        let mut values = texts(values)?;
        // RFC 6749 §3.1: "The authorization server MUST ignore unrecognized request parameters."
        if !known.contains(&name.as_str()) {
            continue;
        }
        if name == SEVERAL {
            values.retain(|value| !value.is_empty());
            values.sort_unstable();
            if !values.is_empty() {
                given.insert(name, values.into());
            }
        } else if values.len() > 1 {
            // §3.1: "Request and response parameters MUST NOT be included more than once."
            repeated.insert(name);
        } else if let Some(value) = values.pop().filter(|value| !value.is_empty()) {
            // §3.1: "Parameters sent without a value MUST be treated as if they were omitted from the request."
            given.insert(name, value.into());
        }
    }
    let repeated = (!repeated.is_empty()).then_some(repeated);
    Some(json!({ "parameters": given, "repeated": repeated }))
}

fn texts(values: Value) -> Option<Vec<String>> {
    let Value::Array(values) = values else { return None };
    let text = |value| if let Value::String(text) = value { Some(text) } else { None };
    values.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn read(parameters: &Value) -> Option<Value> {
        super::read(&parameters.to_string(), &["state", "nonce", "resource", "scope"])
    }

    #[test]
    fn known_parameters_with_a_value_are_read_and_all_others_ignored() {
        let parameters = json!({
            "state": ["a b"], "nonce": [""], "scope": [], "unknown": ["x"], "resource": ["https://b.example", "", "https://a.example"],
        });
        let given = json!({ "state": "a b", "resource": ["https://a.example", "https://b.example"] });
        assert_eq!(read(&parameters), Some(json!({ "parameters": given, "repeated": null })));
        assert_eq!(read(&json!({ "resource": [""] })), Some(json!({ "parameters": {}, "repeated": null })));
    }

    #[test]
    fn what_is_given_more_than_once_is_named_and_has_no_value() {
        let parameters = json!({ "state": ["a", "a"], "nonce": ["", "b"], "scope": ["openid"], "unknown": ["x", "y"] });
        let expected = json!({ "parameters": { "scope": "openid" }, "repeated": ["nonce", "state"] });
        assert_eq!(read(&parameters), Some(expected));
    }

    #[test]
    fn what_is_no_object_of_arrays_of_strings_is_refused_known_or_not() {
        for text in [
            "",
            "[]",
            "null",
            r#"{"state":"a"}"#,
            r#"{"state":null}"#,
            r#"{"unknown":[1]}"#,
            r#"{"state":["a",["b"]]}"#,
            r#"{"state":["a"],"state":["a"]}"#,
            r#"{"state":["\u0000"]}"#,
            r#"{"state":["\ud800"]}"#,
        ] {
            assert_eq!(super::read(text, &["state"]), None, "{text}");
        }
    }
}
