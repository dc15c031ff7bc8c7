//! What is sealed opens as it was, for its purpose and name only; changed, it is nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::{HEADER, Secret, key_id, key_name, key_of, open, opened_state, seal, state_sealed_by};
use crate::mutation::{edited, edits};

proptest! {
    #[test]
    fn what_is_sealed_opens_as_it_was_and_changed_not_at_all(
        secret in any::<[u8; 32]>(), id in any::<[u8; 8]>(), purpose in "[a-z_]{0,8}", name in prop::collection::vec(any::<u8>(), 0..20),
        plain in prop::collection::vec(any::<u8>(), 0..80), at in any::<prop::sample::Index>(), bit in 0..8_u32,
        other_purpose in "[a-z_]{0,8}", other_name in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let secret = Secret::new(secret);
        let sealed = seal(&secret, id, &purpose, &name, &plain).unwrap();
        prop_assert_eq!(key_of(&sealed), Some(id));
        let opened = open(&secret, &purpose, &name, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
        prop_assert_eq!(open(&secret, &other_purpose, &name, &sealed).is_some(), other_purpose == purpose);
        prop_assert_eq!(open(&secret, &purpose, &other_name, &sealed).is_some(), other_name == name);
        let mut changed = sealed.clone();
        let at = at.index(sealed.len());
        changed[at] ^= 1 << bit;
        // The header only says which key: another version is none, another id another key.
        let refused = if at < HEADER { key_of(&changed) != Some(id) } else { open(&secret, &purpose, &name, &changed).is_none() };
        prop_assert!(refused);
        prop_assert!(open(&secret, &purpose, &name, &sealed[..at]).is_none());
    }

    #[test]
    fn no_bytes_crash_what_opens(sealed in prop::collection::vec(any::<u8>(), 0..80)) {
        let secret = Secret::new([7; 32]);
        prop_assert!(open(&secret, "state", b"", &sealed).is_none());
        let known = sealed.len() >= super::LEAST && sealed.first() == Some(&super::VERSION);
        prop_assert_eq!(key_of(&sealed).is_some(), known);
    }

    #[test]
    fn a_state_has_one_spelling_and_one_end(
        state in "\\PC{0,40}", expires_at in any::<i64>(), now in any::<i64>(), change in edits(), stray in "\\PC{0,60}",
    ) {
        let secret = Secret::new([7; 32]);
        let plain = [&expires_at.to_be_bytes()[..], state.as_bytes()].concat();
        let sealed = URL_SAFE_NO_PAD.encode(seal(&secret, [1; 8], "login", b"https://i.example", &plain).unwrap());
        let opened = |sealed: &str, now| opened_state(&secret, "login", "https://i.example", sealed, now);
        prop_assert_eq!(opened(&sealed, now), (now < expires_at).then(|| state.clone()));
        let changed = edited(&sealed, &change);
        if changed != sealed && state_sealed_by(&changed).ok().unwrap() == Some(key_name([1; 8])) {
            prop_assert_eq!(opened(&changed, i64::MIN), None);
        }
        prop_assert_eq!(opened(&stray, i64::MIN), None);
    }

    #[test]
    fn an_id_of_a_key_has_one_spelling(id in any::<[u8; 8]>(), text in prop_oneof!["[0-9a-fA-F+-]{15,17}", "\\PC{0,17}"]) {
        prop_assert_eq!(key_id(&key_name(id)).ok(), Some(id));
        if let Ok(id) = key_id(&text) {
            prop_assert_eq!(key_name(id), text);
        }
    }
}
