//! Opaque secrets: what is not written by us is nothing, and nothing crashes.

use proptest::prelude::*;

use super::{opaque_id, read, write};
use crate::mutation::{edited, edits};

proptest! {
    #[test]
    fn a_secret_reads_back_and_no_other_spelling_does(
        prefix in "[A-Za-z0-9_-]{1,16}", other in "[A-Za-z0-9_-]{1,16}", body in prop::collection::vec(any::<u8>(), 48), change in edits(),
    ) {
        let token = write(&prefix, &body);
        prop_assert!(token.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"_-".contains(&letter)));
        prop_assert_eq!(read::<48>(&prefix, &token).map(|read| read.to_vec()), Some(body.clone()));
        prop_assert_eq!(opaque_id(&prefix, &token).ok().unwrap().map(|id| id.as_bytes().to_vec()), Some(body[..16].to_vec()));
        let changed = edited(&token, &change);
        // By chance one in 2^32.
        prop_assert_eq!(read::<48>(&prefix, &changed).is_some(), changed == token);
        prop_assert_eq!(read::<48>(&other, &token).is_some(), other == prefix);
        prop_assert!(read::<47>(&prefix, &token).is_none() && read::<49>(&prefix, &token).is_none());
    }

    #[test]
    fn nothing_that_is_sent_crashes_the_reader_of_secrets(prefix in "\\PC{0,6}", token in prop_oneof!["\\PC{0,80}", "[A-Za-z0-9_-]{0,80}"]) {
        prop_assert!(read::<48>(&prefix, &token).is_none());
        let with_prefix = format!("{prefix}_{token}");
        prop_assert!(read::<48>(&prefix, &with_prefix).is_none());
    }
}
