//! The master key file: every way to write a key down is that key, and nearly a key is none.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use proptest::prelude::*;

use super::parse;
use crate::mutation::{edited, edits};

fn written(secret: &[u8; 32], form: usize) -> String {
    let hexadecimal: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    match form {
        0 => hexadecimal,
        1 => hexadecimal.to_uppercase(),
        2 => BASE64_STANDARD.encode(secret),
        _ => BASE64_STANDARD_NO_PAD.encode(secret),
    }
}

proptest! {
    #[test]
    fn every_form_of_a_key_is_that_key(
        secrets in prop::collection::vec((any::<[u8; 32]>(), 0..4_usize, prop::option::of("[!-~]{1,12}"), "[ \t]{0,2}"), 1..4),
        comment in "#[ -~]{0,20}", end in "(\n|\r\n)",
    ) {
        let mut file = format!("{comment}{end}{end}");
        for (secret, form, name, space) in &secrets {
            // A name is not the beginning of a comment.
            let name = name.as_deref().map_or_else(String::new, |name| format!("k{name} "));
            file += &format!("{space}{name}{}{space}{end}", written(secret, *form));
        }
        let keys = parse(&file).map_err(TestCaseError::fail)?;
        let read: Vec<[u8; 32]> = keys.iter().map(|key| *key.secret).collect();
        prop_assert_eq!(read, secrets.iter().map(|(secret, ..)| *secret).collect::<Vec<_>>());
    }

    #[test]
    fn a_changed_key_is_another_key_or_none(secret in any::<[u8; 32]>(), form in 0..4_usize, change in edits()) {
        let line = written(&secret, form);
        let changed = edited(&line, &change);
        if let Ok(keys) = parse(&changed) {
            prop_assert_eq!(keys.len(), 1);
            // Capitals, padding and space around are other ways to write the same.
            let same = changed.trim().trim_end_matches('=').eq_ignore_ascii_case(line.trim_end_matches('='));
            prop_assert!(same || *keys[0].secret != secret);
        }
    }

    #[test]
    fn no_text_crashes_the_reader_of_keys(text in prop_oneof![".{0,90}", "[A-Za-z0-9+/= #\n]{0,90}", "(?s).{0,20}"]) {
        if let Ok(keys) = parse(&text) {
            prop_assert!(!keys.is_empty());
        }
    }
}
