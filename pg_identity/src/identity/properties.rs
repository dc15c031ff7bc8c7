//! Claims of strangers become an identity or a refusal, and the identity survives the setting that holds it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Identity, MOST_ACTORS, READERS, Source, claim_mapping_check, user_id};
use crate::errors::Code;
use crate::mutation::{edited, edits, json_value};

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let names = [
        "sid",
        "client_id",
        "grant_id",
        "org_id",
        "jti",
        "acr",
        "auth_time",
        "amr",
        "scope",
        "roles",
        "permissions",
        "act",
        "x",
    ];
    let act = json_value().prop_recursive(12, 24, 2, |inner| {
        (inner, "[a-c]{0,3}").prop_map(|(act, sub)| json!({ "sub": sub, "act": act }))
    });
    let value = prop_oneof![
        2 => prop::sample::select(vec![
            json!("a"), json!("a b  c"), json!(""), json!(["a", "b"]), json!([]), json!([1]), json!(7), json!(7.5), json!(null),
            json!(1e22), json!({ "sub": "b" }), json!({ "sub": "b", "act": { "sub": "c" } }),
        ]),
        1 => json_value(),
        1 => act,
    ];
    let member = (prop::sample::select(names.to_vec()).prop_map(str::to_owned), value);
    prop::collection::vec(member, 0..6).prop_map(|members| members.into_iter().collect())
}

fn mapping() -> impl Strategy<Value = Map<String, Value>> {
    let reader =
        prop::sample::select(READERS.iter().map(|(reader, ..)| *reader).chain(["password", ""]).collect::<Vec<_>>());
    let path = prop_oneof![
        4 => prop::sample::select(vec![json!("sid"), json!("x"), json!(["x", "a"]), json!(["act", "sub"]), json!([["sid"], ["x", "a"]]), json!([[]]), json!([["sid"], "x"]), json!(null), json!([]), json!("")]),
        1 => json_value(),
    ];
    prop::collection::btree_map(reader.prop_map(str::to_owned), path, 0..4)
        .prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn claims_are_read_or_refused_and_survive_the_setting(claims in claims(), mapping in prop::option::of(mapping())) {
        let source = mapping.as_ref().map_or(Source::Ours, |mapping| Source::Trusted { mapping });
        match Identity::read(claims.clone(), &source) {
            Err(error) => prop_assert_eq!(error.code, Code::TokenMalformed),
            Ok(identity) => {
                prop_assert_eq!(&identity.claims, &claims);
                prop_assert!(identity.actors.len() <= MOST_ACTORS && identity.actors.iter().all(|actor| !actor.contains_key("act")));
                prop_assert_eq!(identity.actor.is_some(), !identity.actors.is_empty());
                // The check hook of the setting, in this process and in every parallel worker.
                let stored = serde_json::to_string(&identity).unwrap();
                prop_assert!(!stored.contains('\0'));
                prop_assert_eq!(serde_json::from_str::<Identity>(&stored).unwrap(), identity);
            }
        }
    }

    #[test]
    fn another_issuer_gives_no_authority_without_a_mapping(claims in claims()) {
        let nothing = Map::new();
        if let Ok(identity) = Identity::read(claims, &Source::Trusted { mapping: &nothing }) {
            prop_assert_eq!((identity.roles, identity.permissions, identity.organization_id, identity.grant_id), (None, None, None, None));
        }
    }

    #[test]
    fn texts_and_lists_are_what_the_token_says(claims in claims()) {
        if let Ok(identity) = Identity::read(claims.clone(), &Source::Ours) {
            let said = claims.get("org_id").filter(|value| !value.is_null());
            let text = said.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            prop_assert_eq!(identity.organization_id, text);
            // Two numbers never become one tenant.
            prop_assert!(said.is_none_or(|value| value.is_string() || value.is_i64() || value.is_u64()));
            let scopes = claims.get("scope").and_then(Value::as_str).map(|scope| scope.replace(' ', ""));
            if let Some(scopes) = scopes {
                prop_assert_eq!(identity.scopes.unwrap().concat(), scopes);
            }
        }
    }

    #[test]
    fn a_mapping_is_taken_exactly_when_it_maps_readers_to_paths(mapping in prop_oneof![
        9 => mapping().prop_map(Value::Object), 1 => json_value()
    ]) {
        let is_path = |path: &Value| path.as_array().is_some_and(|names| !names.is_empty() && names.iter().all(Value::is_string));
        let sound = mapping.as_object().is_some_and(|members| members.iter().all(|(reader, path)| {
            READERS.iter().any(|(known, ..)| known == reader)
                && (path.is_null() && reader != "audience"
                    || path.as_str().is_some_and(|name| !name.is_empty())
                    || is_path(path)
                    || path.as_array().is_some_and(|paths| !paths.is_empty() && paths.iter().all(is_path)))
        }));
        let taken = claim_mapping_check(pgrx::JsonB(mapping)).map_err(|error| error.code);
        prop_assert_eq!(taken, if sound { Ok(true) } else { Err(Code::InvalidParameter) });
    }

    #[test]
    fn a_user_id_has_one_spelling(id in any::<u128>(), changes in prop::collection::vec(edits(), 0..3)) {
        let canonical = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96, id >> 80 & 0xffff, id >> 64 & 0xffff, id >> 48 & 0xffff, id & 0xffff_ffff_ffff
        );
        prop_assert_eq!(user_id(&canonical), Some(id.to_be_bytes()));
        for other in [canonical.to_uppercase(), canonical.replace('-', ""), format!("{{{canonical}}}"), format!("urn:uuid:{canonical}")] {
            prop_assert!(other == canonical || user_id(&other).is_none());
        }
        let changed = changes.iter().fold(canonical, |text, change| edited(&text, change));
        let by_the_book = changed.len() == 36 && changed.bytes().enumerate().all(|(at, letter)| match at {
            8 | 13 | 18 | 23 => letter == b'-',
            _ => matches!(letter, b'0'..=b'9' | b'a'..=b'f'),
        });
        prop_assert_eq!(user_id(&changed).is_some(), by_the_book);
    }
}
