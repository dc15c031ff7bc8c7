//! The strict reader and serde_json agree on everything but what only the strict reader refuses.

use proptest::prelude::*;
use serde_json::Value;

use super::{DEEPEST, object};
use crate::mutation::{json_text, members_written};

/// Members, levels and whether a string holds U+0000.
fn measure(value: &Value) -> (usize, usize, bool) {
    let parts: Vec<_> = match value {
        Value::Array(list) => list.iter().map(measure).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let (count, levels, nul) = measure(value);
                (count + 1, levels, nul || name.contains('\0'))
            })
            .collect(),
        Value::String(text) => return (0, 0, text.contains('\0')),
        Value::Null | Value::Bool(_) | Value::Number(_) => return (0, 0, false),
    };
    let sum = |total: (usize, usize, bool), part: (usize, usize, bool)| {
        (total.0 + part.0, total.1.max(part.1), total.2 || part.2)
    };
    let (count, levels, nul) = parts.into_iter().fold((0, 0, false), sum);
    (count, levels + 1, nul)
}

proptest! {
    #[test]
    fn what_is_read_is_what_serde_json_reads_without_repetition(text in json_text()) {
        let lenient = serde_json::from_str::<Value>(&text).ok().filter(|value| {
            let (members, levels, nul) = measure(value);
            value.is_object() && !nul && levels <= DEEPEST && members == members_written(&text)
        });
        prop_assert_eq!(object(text.as_bytes()).map(Value::Object), lenient);
    }

    #[test]
    fn no_bytes_crash_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some(members) = object(&bytes) {
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), Value::Object(members));
        }
    }

    #[test]
    fn depth_is_measured_across_lists_and_objects(kinds in prop::collection::vec(any::<bool>(), 1..200)) {
        let open: String = kinds.iter().map(|list| if *list { "[" } else { "{\"a\":" }).collect();
        let close: String = kinds.iter().rev().map(|list| if *list { "]" } else { "}" }).collect();
        let text = format!("{{\"a\":{open}0{close}}}");
        prop_assert_eq!(object(text.as_bytes()).is_some(), kinds.len() < DEEPEST);
    }
}
