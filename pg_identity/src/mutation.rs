//! For the property tests of the parsers: what strangers send, and what becomes of good things on the way.
//!
//! Every property runs PROPTEST_CASES times: 256 in `make test`, a million in `make fuzz`.

use proptest::prelude::*;
use proptest::sample::Index;

/// One change of one place.
#[derive(Debug, Clone)]
pub enum Edit {
    /// One bit of a letter.
    Flip(u32),
    /// Another letter.
    Replace(char),
    /// One more letter.
    Insert(char),
    /// One less.
    Remove,
    /// The same letter again.
    Repeat,
    /// With its neighbour.
    Swap,
    /// Nothing from here on.
    Cut,
}

/// A place and what happens there.
pub fn edits() -> impl Strategy<Value = (Index, Edit)> {
    let letters = || prop_oneof![6 => prop::char::range(' ', '~'), 1 => any::<char>(), 1 => Just('\0'), 1 => Just('=')];
    let edit = prop_oneof![
        4 => (0..7_u32).prop_map(Edit::Flip),
        4 => letters().prop_map(Edit::Replace),
        2 => letters().prop_map(Edit::Insert),
        2 => Just(Edit::Remove),
        1 => Just(Edit::Repeat),
        1 => Just(Edit::Swap),
        1 => Just(Edit::Cut),
    ];
    (any::<Index>(), edit)
}

/// The text after an edit; it may be the same.
pub fn edited(text: &str, (place, edit): &(Index, Edit)) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return text.to_owned();
    }
    let at = place.index(letters.len());
    let letter = letters[at];
    match edit {
        Edit::Flip(bit) => letters[at] = char::from_u32(letter as u32 ^ (1 << bit)).unwrap_or(letter),
        Edit::Replace(other) => letters[at] = *other,
        Edit::Insert(other) => letters.insert(at, *other),
        Edit::Remove => drop(letters.remove(at)),
        Edit::Repeat => letters.insert(at, letter),
        Edit::Swap => letters.swap(at, (at + 1) % text.chars().count()),
        Edit::Cut => letters.truncate(at),
    }
    letters.into_iter().collect()
}

/// JSON and what is nearly JSON: repeated members under several spellings, numbers without a value, surrogates.
pub fn json_text() -> impl Strategy<Value = String> {
    let sound = || json_value().prop_map(|value| value.to_string());
    let sound_but = (sound(), edits()).prop_map(|(text, edit)| edited(&text, &edit));
    prop_oneof![
        3 => sound(),
        3 => sound_but,
        3 => loose(),
        1 => "[\\[\\]{}\",:\\\\u0-9eE+\\-. tfna\u{feff}\0]{0,40}",
    ]
}

/// Colons outside of strings: as many as members were written, repeated ones included.
pub fn members_written(text: &str) -> usize {
    let (mut within, mut escaped, mut colons) = (false, false, 0);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = within,
            '"' => within = !within,
            ':' if !within => colons += 1,
            _ => {}
        }
    }
    colons
}

/// Objects whose members may be repeated.
fn loose() -> impl Strategy<Value = String> {
    let words = [
        "null",
        "true",
        "0",
        "-0",
        "1",
        "01",
        "-",
        "1e5",
        "1e400",
        "1e-400",
        "0.1",
        "18446744073709551616",
        "\"\"",
        "\"a\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"\\x\"",
        "NaN",
        "\u{feff}",
    ];
    let names = ["\"a\"", "\"b\"", "\"\\u0061\"", "\"\"", "\"\\u0000\"", "a", "1"];
    let leaf = prop::sample::select(words.to_vec()).prop_map(str::to_owned);
    let inner = leaf.prop_recursive(4, 24, 4, move |inner| {
        let member = (prop::sample::select(names.to_vec()), inner.clone());
        let object = prop::collection::vec(member.prop_map(|(name, value)| format!("{name}:{value}")), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            object.prop_map(|members| format!("{{{}}}", members.join(", "))),
        ]
    });
    inner.prop_map(|value| format!("{{\"c\": {value}}}"))
}

/// Any JSON that serde_json can hold, without U+0000.
pub fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let texts = || "[^\0]{0,8}";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        texts().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(texts(), inner, 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}
