//! Parameters of a request: whatever is sent nothing crashes, and what is read is what serde_json would read, sorted out naively.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::request_parameters;
use crate::errors::Code;
use crate::mutation::{edited, edits, json_text, members_written};

const KNOWN: [&str; 5] = ["state", "nonce", "resource", "scope", "é"];

fn read(parameters: &str) -> Option<Value> {
    let known = KNOWN.map(|name| Some(name.to_owned()));
    match request_parameters(Some(parameters), [&known[..], &[None]].concat()) {
        Ok(read) => Some(read.0),
        Err(error) => {
            assert_eq!(error.code, Code::InvalidParameter);
            None
        }
    }
}

/// With as many members as were written, none of them twice; `jsonb` cannot hold U+0000.
fn naively(parameters: &str) -> Option<Value> {
    let sent: BTreeMap<String, Vec<String>> = serde_json::from_str(parameters).ok()?;
    let nul = |text: &String| text.contains('\0');
    if sent.len() != members_written(parameters) || sent.keys().chain(sent.values().flatten()).any(nul) {
        return None;
    }
    let mut given = Map::new();
    for (name, values) in &sent {
        let mut filled: Vec<&String> = values.iter().filter(|value| !value.is_empty()).collect();
        filled.sort();
        match (name.as_str(), filled.as_slice()) {
            ("resource", [_, ..]) => drop(given.insert(name.clone(), json!(filled))),
            (known, [value]) if KNOWN.contains(&known) && values.len() == 1 => {
                given.insert(name.clone(), json!(value));
            }
            _ => {}
        }
    }
    let single = ["nonce", "scope", "state", "é"];
    let repeated: Vec<_> = single.into_iter().filter(|name| sent.get(*name).is_some_and(|all| all.len() > 1)).collect();
    Some(json!({ "parameters": given, "repeated": if repeated.is_empty() { Value::Null } else { json!(repeated) } }))
}

/// Members in the form of the gateway and near it: some unknown, some twice under another spelling, some not arrays of strings.
fn requests() -> impl Strategy<Value = String> {
    let names = prop_oneof![
        4 => prop::sample::select(vec![r#""state""#, r#""nonce""#, r#""resource""#, r#""scope""#, r#""é""#]),
        1 => prop::sample::select(vec![r#""st\u0061te""#, r#""\u00e9""#, r#""States""#, r#""state ""#, r#""""#, r#""\u0000""#]),
    ];
    let texts = || "[^\"\\\\\0-\x1f]{0,3}".prop_map(|text| format!("\"{text}\""));
    let value = prop_oneof![
        12 => texts(),
        4 => Just(r#""""#.to_owned()),
        1 => prop::sample::select(vec!["null", "1", "[]", "{}", r#""\u0000""#, r#""\ud800""#, r#""\ud83d\ude00""#]).prop_map(str::to_owned),
    ];
    let list = prop::collection::vec(value, 0..4).prop_map(|values| format!("[{}]", values.join(",")));
    let member = (names, prop_oneof![20 => list, 1 => texts(), 1 => Just("null".to_owned())]);
    prop::collection::vec(member.prop_map(|(name, values)| format!("{name}: {values}")), 0..5)
        .prop_map(|members| format!("{{{}}}", members.join(", ")))
}

proptest! {
    #[test]
    fn what_is_read_is_what_serde_json_reads_sorted_out(request in requests(), change in edits()) {
        prop_assert_eq!(read(&request), naively(&request));
        let request = edited(&request, &change);
        prop_assert_eq!(read(&request), naively(&request));
    }

    #[test]
    fn no_text_crashes_the_reader_of_parameters(text in prop_oneof![json_text(), "\\PC{0,40}", ".{0,40}"]) {
        prop_assert_eq!(read(&text), naively(&text));
    }

    #[test]
    fn a_name_that_is_not_known_never_appears(sent in prop::collection::btree_map(
        prop_oneof![prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), "\\PC{0,6}".boxed()],
        prop::collection::vec(prop::sample::select(&["", "a", "é"][..]), 0..3),
        0..5,
    )) {
        let read = read(&json!(sent).to_string()).unwrap();
        let repeated = read["repeated"].as_array().cloned().unwrap_or_default();
        let repeated = repeated.iter().map(|name| name.as_str().unwrap());
        let names: Vec<_> = read["parameters"].as_object().unwrap().keys().map(String::as_str).chain(repeated).collect();
        for (position, name) in names.iter().enumerate() {
            prop_assert!(KNOWN.contains(name) && sent.contains_key(*name) && !names[..position].contains(name), "{name}");
        }
        // And of those that are known, none is lost that has a value.
        for (name, values) in sent.iter().filter(|(name, _)| KNOWN.contains(&name.as_str())) {
            let filled = values.iter().any(|value| !value.is_empty());
            prop_assert_eq!(names.contains(&name.as_str()), filled || values.len() > 1 && name != "resource");
        }
    }
}
