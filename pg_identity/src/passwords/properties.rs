//! Password hashes of strangers: nothing crashes, and nothing is computed that costs more than the bounds say.

use argon2::Params;
use argon2::password_hash::phc::PasswordHash;
use proptest::prelude::*;

use super::{HashedPassword, MOST_LANES, MOST_MEMORY, MOST_WORK, PlainPassword};
use crate::errors::Code;
use crate::mutation::{edited, edits};

const GOOD: &str = "$argon2id$v=19$m=19456,t=2,p=1,keyid=AQIDBAUGBwg$c29tZXNhbHRzb21lc2FsdA$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..20_u64, 3 => 0..300_000_u64, 1 => any::<u32>().prop_map(u64::from), 1 => any::<u64>()]
}

fn base64(lengths: std::ops::Range<usize>) -> impl Strategy<Value = (usize, String)> {
    use base64::Engine as _;
    prop::collection::vec(any::<u8>(), lengths)
        .prop_map(|bytes| (bytes.len(), base64::prelude::BASE64_STANDARD_NO_PAD.encode(bytes)))
}

proptest! {
    #[test]
    fn a_hash_is_computed_exactly_within_the_bounds(
        kind in "argon2(id|i|d)", version in prop::sample::select(&["v=19$", "v=16$", "", "v=18$", "v=0$"][..]),
        m in numbers(), t in numbers(), p in numbers(), salt in base64(0..70), hash in base64(0..70),
    ) {
        let text = format!("${kind}${version}m={m},t={t},p={p}${}${}", salt.1, hash.1);
        let bounded = m <= MOST_MEMORY.into()
            && (1..=MOST_LANES.into()).contains(&p)
            && m >= 8 * p
            && t >= 1
            && m.saturating_mul(t) <= MOST_WORK
            && ["v=19$", "v=16$", ""].contains(&version)
            // The format ends at 48 bytes of salt and 64 of hash.
            && (8..=48).contains(&salt.0)
            && (16..=64).contains(&hash.0);
        match HashedPassword::parse(&text) {
            Ok(hashed) => {
                prop_assert!(bounded, "{}", text);
                prop_assert_eq!((u64::from(hashed.parameters.m_cost()), u64::from(hashed.parameters.t_cost()), u64::from(hashed.parameters.p_cost())), (m, t, p));
                prop_assert_eq!(hashed.hash.to_string(), text);
            }
            Err(error) => {
                prop_assert!(!bounded, "{}", text);
                prop_assert_eq!(error.code, Code::HashUnacceptable);
            }
        }
    }

    #[test]
    fn a_changed_hash_is_refused_or_another_one(changes in prop::collection::vec(edits(), 1..4)) {
        let changed = changes.iter().fold(GOOD.to_owned(), |text, change| edited(&text, change));
        match HashedPassword::parse(&changed) {
            Err(error) => prop_assert!([Code::HashUnacceptable, Code::Unsupported].contains(&error.code)),
            Ok(hashed) => {
                // The argon2 crate agrees, and one hash has one spelling.
                let theirs = PasswordHash::new(&changed).unwrap();
                prop_assert_eq!(Params::try_from(&theirs).unwrap(), hashed.parameters.clone());
                prop_assert_eq!(theirs.to_string(), changed);
                prop_assert!(u64::from(hashed.parameters.m_cost()) * u64::from(hashed.parameters.t_cost()) <= MOST_WORK);
                let _ = hashed.pepper();
            }
        }
    }

    #[test]
    fn nothing_crashes_the_reader_of_hashes(text in prop_oneof!["\\PC{0,60}", "[$a-z0-9=,+/]{0,60}", "\\$argon2id\\$[$a-z0-9=,+/]{0,60}"]) {
        if let Err(error) = HashedPassword::parse(&text) {
            prop_assert!([Code::HashUnacceptable, Code::Unsupported].contains(&error.code));
        }
    }

    #[test]
    fn a_password_is_prepared_once_and_for_all(password in prop_oneof![".{0,40}", "\\PC{0,40}", "[a\u{301}é\u{a0}\u{3000} ]{0,8}"]) {
        match PlainPassword::new(&password) {
            Ok(prepared) => {
                prop_assert!(!password.is_empty() && !password.chars().any(char::is_control));
                prop_assert!(prepared.0.capacity() <= super::LONGEST_PASSWORD * 3, "a string that grew left a copy behind");
                let text = prepared.0.as_str().to_owned();
                let again = PlainPassword::new(&text).unwrap();
                prop_assert_eq!(again.0.as_str(), text);
            }
            Err(error) => {
                prop_assert!(password.is_empty() || password.chars().any(char::is_control));
                prop_assert_eq!(error.code, Code::InvalidParameter);
            }
        }
    }
}

#[test]
fn the_example_is_good() {
    assert_eq!(HashedPassword::parse(GOOD).ok().unwrap().pepper().ok().unwrap(), Some([1, 2, 3, 4, 5, 6, 7, 8]));
}
