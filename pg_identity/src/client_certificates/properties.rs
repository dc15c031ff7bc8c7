//! Certificates and names from strangers: nothing crashes, and a name stands for the subject that it was written from, alone.

use proptest::prelude::*;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Any, ObjectIdentifier, SetOfVec};
use x509_cert::der::{Encode as _, Tag};
use x509_cert::name::{Name, RelativeDistinguishedName};

use super::names::{Kind, distinguished};
use super::vectors::{FULL, der};
use super::{published, read};
use crate::mutation::{edited, edits, json_value};

/// Relative names as an authority may write them: type and text of each attribute.
fn subject() -> impl Strategy<Value = Vec<Vec<(&'static str, String)>>> {
    let types = prop::sample::select(vec!["2.5.4.3", "2.5.4.10", "2.5.4.97", "0.9.2342.19200300.100.1.25"]);
    let text = prop_oneof!["[ -~]{0,12}", "[,+\\\\\"#;<>= a\u{0}]{0,6}", any::<String>()];
    let attributes = prop::collection::vec((types, text), 1..3);
    prop::collection::vec(attributes, 1..4)
}

fn name(subject: &[Vec<(&str, String)>]) -> Name {
    let relative = subject.iter().map(|attributes| {
        let mut set = SetOfVec::new();
        for (oid, text) in attributes {
            let value = Any::new(Tag::Utf8String, text.as_bytes()).unwrap();
            // The same twice is no set.
            let _ = set.insert(AttributeTypeAndValue { oid: ObjectIdentifier::new_unwrap(oid), value });
        }
        RelativeDistinguishedName(set)
    });
    x509_cert::name::RdnSequence(relative.collect())
}

/// RFC 4514 §2: as a client is registered by it.
fn text(name: &Name, hex: bool) -> String {
    let attribute = |attribute: &AttributeTypeAndValue| {
        let value: String = if hex {
            let der = attribute.value.to_der().unwrap();
            format!("#{}", der.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
        } else {
            attribute
                .value
                .value()
                .iter()
                .map(|byte| match byte {
                    b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(*byte).to_string(),
                    byte => format!("\\{byte:02x}"),
                })
                .collect()
        };
        format!("{}={value}", attribute.oid)
    };
    let relative =
        |relative: &RelativeDistinguishedName| relative.0.iter().map(attribute).collect::<Vec<_>>().join("+");
    name.0.iter().rev().map(relative).collect::<Vec<_>>().join(",")
}

proptest! {
    #[test]
    fn a_subject_is_known_by_the_name_that_rfc_4514_gives_it(subject in subject(), hex: bool) {
        let name = name(&subject);
        let own = distinguished(&name);
        prop_assert!(own.is_some());
        prop_assert_eq!(Kind::SubjectDn.registered(&text(&name, hex)), own);
    }

    #[test]
    fn a_subject_is_not_known_by_part_of_its_name(subject in subject()) {
        let own = distinguished(&name(&subject));
        for at in 0..subject.len() {
            let mut less = subject.clone();
            less.remove(at);
            prop_assert_ne!(distinguished(&name(&less)), own.clone());
        }
    }

    #[test]
    fn no_text_is_a_name_of_two_subjects_or_crashes(text: String, changes in prop::collection::vec(edits(), 0..4)) {
        let near = changes.iter().fold("OU=Sales+CN=J. Smith,O=A\\, B,C=DE".to_owned(), |text, edit| edited(&text, edit));
        for text in [text, near] {
            for kind in Kind::ALL {
                if let Some(name) = kind.registered(&text) {
                    prop_assert!(!name.contains('\0'));
                    // What is written once is written again.
                    prop_assert!(kind == Kind::SubjectDn || kind.registered(&name) == Some(name.clone()));
                }
            }
        }
    }

    #[test]
    fn a_damaged_certificate_is_none_or_says_something_sound(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: Option<prop::sample::Index>, set in json_value(),
    ) {
        let mut bytes = der(FULL);
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Some(said) = read(&bytes) {
            prop_assert!(said.to_string().len() < 100_000 && !said.to_string().contains("\\u0000\""));
        }
        published(&bytes, &set);
    }

    #[test]
    fn bytes_are_no_certificate(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read(&bytes), None);
    }
}
