//! Profiles: what they may hold, and changing them (sql/store/functions/users_profile.sql, users_names.sql).

use serde_json::json;
use uuid::Uuid;

use crate::support::{Database, full_profile, user};
use crate::users::{create, find, read, update};

#[tokio::test]
async fn every_standard_claim_is_kept_as_it_was_given() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let mut person = read(&admin, alice.id).await;
    let ours = person.as_object_mut().unwrap();
    assert!(ours.remove("created_at").unwrap().is_i64());
    assert!(ours.remove("updated_at").unwrap().is_i64());
    let mut expected = full_profile("alice");
    expected["sub"] = json!(alice.id);
    expected["state"] = json!("active");
    expected["password"] = json!(true);
    expected["emails"] = json!([{ "address": "alice@people.example", "verified": true, "primary": true }]);
    assert_eq!(person, expected);
}

#[tokio::test]
async fn what_user_read_answers_can_be_edited_and_handed_back() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let mut person = read(&admin, alice.id).await;
    for derived in ["sub", "state", "created_at", "password"] {
        person.as_object_mut().unwrap().remove(derived);
    }
    person["name"] = json!("Alice P. Liddell");
    update(&admin, alice.id, person.clone()).await.unwrap();
    let after = read(&admin, alice.id).await;
    for (member, value) in person.as_object().unwrap() {
        if member != "updated_at" {
            assert_eq!(&after[member], value, "{member}");
        }
    }
}

#[tokio::test]
async fn a_wrong_member_is_named() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let mut taken = 0;
    for (member, value, fault) in [
        ("sub", json!("1"), "is not known"),
        ("name", json!(1), "must be a string"),
        ("name", json!(""), "must not be empty; leave it out or set it to null"),
        ("name", json!("a\u{7}b"), "must not contain control characters"),
        ("birthdate", json!("1999-02-29"), "must be YYYY-MM-DD, 0000-MM-DD or YYYY"),
        ("email", json!("alice"), "must be a mail address"),
        ("email_verified", json!("yes"), "must be true or false"),
        ("phone_number", json!("12345"), "must be a number such as +1 (425) 555-1212 (E.164)"),
        ("phone_number_verified", json!("true"), "must be true or false"),
        ("picture", json!("javascript:alert(1)"), "must be an http or https URL"),
        ("zoneinfo", json!("../etc"), "must be a time zone name such as Europe/Paris"),
        ("locale", json!("english!"), "must be a language tag such as en-US (RFC 5646)"),
        ("address", json!("Oxford"), "must be an object"),
        ("address", json!({ "town": "Oxford" }), "has a member town that addresses do not have"),
        ("address", json!({ "locality": 1 }), "member locality must be a string of at most 1000 characters"),
        ("emails", json!({}), "must be an array of objects {\"address\", \"verified\", \"primary\"}"),
        ("emails", json!([{ "verified": true }]), "has an entry without \"address\""),
        ("roles", json!("admin"), "must be an array of strings"),
        (
            "roles",
            json!([" admin"]),
            "must hold strings of 1 to 100 characters, without control characters or spaces around them",
        ),
        ("updated_at", json!("now"), "must be a number"),
        ("preferred_username", json!("a\u{200b}lice"), "must not contain invisible characters"),
    ] {
        taken += 1;
        let mut profile = json!({ "preferred_username": format!("person{taken}") });
        profile[member] = value.clone();
        let refused = create(&admin, profile).await;
        assert_eq!(refused, Err(("ID005".into(), format!("profile: {member} {fault}"))), "{value}");
    }
    let nameless = create(&admin, json!({ "name": "Alice" })).await;
    assert_eq!(nameless, Err(("ID005".into(), "profile: preferred_username is required".into())));
    for good in ["1852", "0000-02-29", "2000-02-29"] {
        taken += 1;
        create(&admin, json!({ "preferred_username": format!("person{taken}"), "birthdate": good })).await.unwrap();
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_removes() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let before = read(&admin, alice.id).await;
    let patch = json!({ "nickname": null, "name": "A. Liddell", "address": { "country": null, "locality": "London" } });
    update(&admin, alice.id, patch).await.unwrap();
    let mut expected = before.clone();
    expected.as_object_mut().unwrap().remove("nickname");
    expected["name"] = json!("A. Liddell");
    expected["address"]["locality"] = json!("London");
    expected["address"].as_object_mut().unwrap().remove("country");
    let mut after = read(&admin, alice.id).await;
    after["updated_at"] = expected["updated_at"].clone();
    assert_eq!(after, expected);
    let gone = update(&admin, Uuid::nil(), json!({})).await;
    assert_eq!(gone, Err(("ID006".into(), "there is no such user".into())));
}

#[tokio::test]
async fn a_new_address_or_number_is_not_verified_because_the_old_one_was() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    update(&admin, alice.id, json!({ "email": "a@liddell.example", "phone_number": "+44 20 7946 0999" }))
        .await
        .unwrap();
    let person = read(&admin, alice.id).await;
    assert_eq!(person["email_verified"], json!(false));
    assert_eq!(person.get("phone_number_verified"), None);
    assert_eq!(person["emails"], json!([{ "address": "a@liddell.example", "verified": false, "primary": true }]));
    assert_eq!(find(&admin, "alice@people.example").await, None);
    // Another spelling of the same address stays verified.
    update(&admin, alice.id, json!({ "email_verified": true })).await.unwrap();
    update(&admin, alice.id, json!({ "email": "A@Liddell.example" })).await.unwrap();
    assert_eq!(read(&admin, alice.id).await["email_verified"], json!(true));
}

#[tokio::test]
async fn a_person_has_several_addresses_one_of_them_primary() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let emails = json!([{ "address": "a@x.example", "verified": true }, { "address": "b@x.example", "primary": true }]);
    update(&admin, alice.id, json!({ "emails": emails })).await.unwrap();
    let person = read(&admin, alice.id).await;
    assert_eq!(person["email"], json!("b@x.example"));
    assert_eq!(
        person["emails"],
        json!([
            { "address": "b@x.example", "verified": false, "primary": true },
            { "address": "a@x.example", "verified": true, "primary": false }
        ])
    );
    update(&admin, alice.id, json!({ "email": null })).await.unwrap();
    assert_eq!(read(&admin, alice.id).await["email"], json!("a@x.example"));
    update(&admin, alice.id, json!({ "emails": null })).await.unwrap();
    assert_eq!(read(&admin, alice.id).await.get("email"), None);
}
