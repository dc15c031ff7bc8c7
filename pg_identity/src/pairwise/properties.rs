//! The same person is always the same to a sector, and another one to every other.

use proptest::prelude::*;

use super::{Kind, read, read_of, write};
use crate::mutation::{edited, edits};
use crate::sealing::Secret;

proptest! {
    #[test]
    fn an_identifier_leads_back_to_its_id_and_to_no_other(
        secret in any::<[u8; 32]>(), other_secret in any::<[u8; 32]>(), id in any::<[u8; 16]>(), other in any::<[u8; 16]>(),
        sector in "[a-z.]{0,20}", other_sector in "[a-z.]{0,20}", change in edits(),
    ) {
        let secret = Secret::new(secret);
        let identifier = write(&secret, Kind::User, &id, &sector);
        prop_assert_eq!(&write(&secret, Kind::User, &id, &sector), &identifier);
        prop_assert_eq!(read(&secret, Kind::User, &identifier), Some(id));
        prop_assert_eq!(read_of(&secret, Kind::User, &identifier, &sector), Some(id));
        prop_assert_eq!(write(&secret, Kind::User, &other, &sector) == identifier, other == id);
        prop_assert_eq!(write(&secret, Kind::User, &id, &other_sector) == identifier, other_sector == sector);
        prop_assert_ne!(write(&secret, Kind::Session, &id, &sector), identifier.clone());
        // Nothing of it is readable without the key.
        prop_assert_ne!(read(&Secret::new(other_secret), Kind::User, &identifier), Some(id));
        prop_assert_ne!(read(&secret, Kind::Session, &identifier), Some(id));
        let changed = edited(&identifier, &change);
        if changed != identifier {
            prop_assert_eq!(read_of(&secret, Kind::User, &changed, &sector), None);
        }
    }

    #[test]
    fn no_text_crashes_what_reads(text in prop_oneof!["\\PC{0,60}", "pw_[A-Za-z0-9_-]{0,60}"]) {
        let secret = Secret::new([7; 32]);
        prop_assert_eq!(read_of(&secret, Kind::User, &text, "a.example"), None);
        let _ = read(&secret, Kind::User, &text);
    }
}
