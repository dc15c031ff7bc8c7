//! Names: one form for all spellings of a name, and that form is its own.

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;

use super::{invisible, normalized};

/// Letters that change in more than one way, and any others.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        ".{0,12}",
        "[a-zA-Z ßẞıİſKÅﬁŉǰΐΰᾼῼͅσςΣé\u{301}\u{308}\u{345}\u{1e9b}\u{323}\u{ad}\u{200b}\u{3000}]{0,8}",
        prop::collection::vec(any::<char>(), 0..6).prop_map(|letters| letters.into_iter().collect()),
    ]
}

proptest! {
    #[test]
    fn normalizing_twice_changes_nothing(name in names()) {
        let once = normalized(&name);
        prop_assert_eq!(normalized(&once), once);
    }

    #[test]
    fn composed_and_decomposed_names_are_one(name in names()) {
        let once = normalized(&name);
        prop_assert_eq!(normalized(&name.nfc().collect::<String>()), once.as_str());
        prop_assert_eq!(normalized(&name.nfd().collect::<String>()), once.as_str());
    }

    #[test]
    fn nothing_invisible_or_around_remains(name in names()) {
        let once = normalized(&name);
        prop_assert!(!once.chars().any(invisible));
        prop_assert_eq!(once.trim(), once.as_str());
        prop_assert_eq!(once.nfkc().collect::<String>(), once.as_str());
    }

    #[test]
    fn names_of_one_case_are_one(name in "[a-zA-Z0-9äöüÄÖÜßéÉñÑøØåÅλΛжЖ._@-]{0,12}") {
        prop_assert_eq!(normalized(&name.to_lowercase()), normalized(&name));
        prop_assert_eq!(normalized(&name.to_uppercase()), normalized(&name));
    }
}
