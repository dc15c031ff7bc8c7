//! People: profiles, names, states (sql/store/functions/users*.sql).

use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::sign_in::{PASSWORD, sign_in};
use crate::support::{Database, full_profile, user};

/// SQLSTATE and message of a refusal.
pub fn refusal(error: &tokio_postgres::Error) -> (String, String) {
    let error = error
        .as_db_error()
        .unwrap_or_else(|| panic!("not from the database: {error}"));
    (error.code().code().into(), error.message().into())
}

async fn create(admin: &Client, profile: Value) -> Result<Uuid, (String, String)> {
    let row = admin.query_one("select identity.user_create($1)", &[&profile]).await;
    row.map(|row| row.get(0)).map_err(|error| refusal(&error))
}

async fn update(admin: &Client, id: Uuid, patch: Value) -> Result<(), (String, String)> {
    let done = admin
        .execute("select identity.user_update($1, $2)", &[&id, &patch])
        .await;
    done.map(|_| ()).map_err(|error| refusal(&error))
}

async fn read(admin: &Client, id: Uuid) -> Value {
    admin
        .query_one("select identity.user_read($1)", &[&id])
        .await
        .unwrap()
        .get(0)
}

async fn find(admin: &Client, name: &str) -> Option<Uuid> {
    admin
        .query_one("select identity.user_find($1)", &[&name])
        .await
        .unwrap()
        .get(0)
}

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
        (
            "birthdate",
            json!("1999-02-29"),
            "must be YYYY-MM-DD, 0000-MM-DD or YYYY",
        ),
        ("email", json!("alice"), "must be a mail address"),
        ("email_verified", json!("yes"), "must be true or false"),
        (
            "phone_number",
            json!("12345"),
            "must be a number such as +1 (425) 555-1212 (E.164)",
        ),
        ("phone_number_verified", json!("true"), "must be true or false"),
        ("picture", json!("javascript:alert(1)"), "must be an http or https URL"),
        (
            "zoneinfo",
            json!("../etc"),
            "must be a time zone name such as Europe/Paris",
        ),
        (
            "locale",
            json!("english!"),
            "must be a language tag such as en-US (RFC 5646)",
        ),
        ("address", json!("Oxford"), "must be an object"),
        (
            "address",
            json!({ "town": "Oxford" }),
            "has a member town that addresses do not have",
        ),
        (
            "address",
            json!({ "locality": 1 }),
            "member locality must be a string of at most 1000 characters",
        ),
        (
            "emails",
            json!({}),
            "must be an array of objects {\"address\", \"verified\", \"primary\"}",
        ),
        (
            "emails",
            json!([{ "verified": true }]),
            "has an entry without \"address\"",
        ),
        ("roles", json!("admin"), "must be an array of strings"),
        (
            "roles",
            json!([" admin"]),
            "must hold strings of 1 to 100 characters, without control characters or spaces around them",
        ),
        ("updated_at", json!("now"), "must be a number"),
        (
            "preferred_username",
            json!("a\u{200b}lice"),
            "must not contain invisible characters",
        ),
    ] {
        taken += 1;
        let mut profile = json!({ "preferred_username": format!("person{taken}") });
        profile[member] = value.clone();
        let refused = create(&admin, profile).await;
        assert_eq!(
            refused,
            Err(("ID005".into(), format!("profile: {member} {fault}"))),
            "{value}"
        );
    }
    let nameless = create(&admin, json!({ "name": "Alice" })).await;
    assert_eq!(
        nameless,
        Err(("ID005".into(), "profile: preferred_username is required".into()))
    );
    for good in ["1852", "0000-02-29", "2000-02-29"] {
        taken += 1;
        create(
            &admin,
            json!({ "preferred_username": format!("person{taken}"), "birthdate": good }),
        )
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_name_leads_to_one_person() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    assert_eq!(find(&admin, " ALICE").await, Some(alice.id));
    assert_eq!(find(&admin, "Alice@People.Example").await, Some(alice.id));
    assert_eq!(find(&admin, "bob").await, None);
    let taken = Err((
        "ID007".to_owned(),
        "profile: preferred_username or email already leads to somebody else".to_owned(),
    ));
    // Case, compatibility forms, and the verified address of somebody else.
    for name in ["ALICE", "ａｌｉｃｅ", "alice@people.example"] {
        assert_eq!(
            create(&admin, json!({ "preferred_username": name })).await,
            taken,
            "{name}"
        );
    }
    let verified = json!({ "preferred_username": "bob", "email": "Alice@people.example", "email_verified": true });
    assert_eq!(create(&admin, verified).await.unwrap_err().0, "ID007");
    // An address that nobody has proved bars nobody, and signs nobody in.
    let bob = create(
        &admin,
        json!({ "preferred_username": "bob", "email": "alice@people.example" }),
    )
    .await
    .unwrap();
    assert_eq!(find(&admin, "alice@people.example").await, Some(alice.id));
    assert_eq!(
        update(&admin, bob, json!({ "email_verified": true }))
            .await
            .unwrap_err()
            .0,
        "ID007"
    );
    // One's own address as user name is no conflict.
    update(
        &admin,
        alice.id,
        json!({ "preferred_username": "alice@people.example" }),
    )
    .await
    .unwrap();
    assert_eq!(find(&admin, "alice").await, None);
}

#[tokio::test]
async fn of_twenty_people_created_at_once_with_one_name_one_exists() {
    let db = Database::new().await;
    let mut races = Vec::new();
    for n in 0..20 {
        let admin = db.admin().await;
        // Two spellings, and the same as a verified address.
        let profile = match n % 3 {
            0 => json!({ "preferred_username": "alice@people.example" }),
            1 => json!({ "preferred_username": "ALICE@people.example" }),
            _ => {
                json!({ "preferred_username": format!("a{n}"), "email": "alice@people.example", "email_verified": true })
            }
        };
        races.push(tokio::spawn(async move { create(&admin, profile).await }));
    }
    let mut created = 0;
    for race in races {
        match race.await.unwrap() {
            Ok(_) => created += 1,
            Err((sqlstate, _)) => assert_eq!(sqlstate, "ID007"),
        }
    }
    assert_eq!(created, 1);
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
    update(
        &admin,
        alice.id,
        json!({ "email": "a@liddell.example", "phone_number": "+44 20 7946 0999" }),
    )
    .await
    .unwrap();
    let person = read(&admin, alice.id).await;
    assert_eq!(person["email_verified"], json!(false));
    assert_eq!(person.get("phone_number_verified"), None);
    assert_eq!(
        person["emails"],
        json!([{ "address": "a@liddell.example", "verified": false, "primary": true }])
    );
    assert_eq!(find(&admin, "alice@people.example").await, None);
    // Another spelling of the same address stays verified.
    update(&admin, alice.id, json!({ "email_verified": true }))
        .await
        .unwrap();
    update(&admin, alice.id, json!({ "email": "A@Liddell.example" }))
        .await
        .unwrap();
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

async fn authenticate(db: &Database, token: &str) -> Result<(), (String, String)> {
    let done = db
        .app()
        .await
        .execute("select identity.authenticate($1)", &[&token])
        .await;
    done.map(|_| ()).map_err(|error| refusal(&error))
}

async fn token(db: &Database, id: Uuid) -> String {
    let claims = json!({ "sub": id, "aud": db.issuer, "client_id": "test" });
    let owner = db.owner().await;
    let row = owner
        .query_one(
            "select identity.mint_access_token($1, interval '5 minutes')",
            &[&claims],
        )
        .await;
    row.unwrap().get(0)
}

#[tokio::test]
async fn a_disabled_person_is_out_at_once_and_back_in_when_enabled() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let before = token(&db, alice.id).await;
    authenticate(&db, &before).await.unwrap();
    let (outcome, signed_in) = sign_in(&db, "alice", &alice.password).await;
    assert_eq!(outcome, "signed_in");
    for _ in 0..2 {
        admin
            .execute("select identity.user_disable($1)", &[&alice.id])
            .await
            .unwrap();
    }
    assert_eq!(authenticate(&db, &before).await.unwrap_err().0, "ID107");
    assert_eq!(
        crate::account::page(&db, signed_in["session_cookie"].as_str().unwrap())
            .await
            .0,
        "sign_in"
    );
    assert_eq!(
        sign_in(&db, "alice", &alice.password).await,
        ("invalid_credentials".into(), json!({}))
    );

    admin
        .execute("select identity.user_enable($1)", &[&alice.id])
        .await
        .unwrap();
    assert_eq!(sign_in(&db, "alice", &alice.password).await.0, "signed_in");
    assert_eq!(authenticate(&db, &before).await.unwrap_err().0, "ID107");
    authenticate(&db, &token(&db, alice.id).await).await.unwrap();
    assert_eq!(
        crate::account::page(&db, signed_in["session_cookie"].as_str().unwrap())
            .await
            .0,
        "sign_in"
    );
}

#[tokio::test]
async fn a_deleted_person_leaves_nothing_but_an_id() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let before = token(&db, alice.id).await;
    sign_in(&db, "alice", &alice.password).await;
    admin
        .execute("select identity.user_delete($1)", &[&alice.id])
        .await
        .unwrap();
    assert_eq!(authenticate(&db, &before).await.unwrap_err().0, "ID107");
    let gone = admin
        .query("select identity.user_read($1)", &[&alice.id])
        .await
        .unwrap_err();
    assert_eq!(refusal(&gone), ("ID006".into(), "there is no such user".into()));
    let left: Vec<String> = db
        .superuser()
        .await
        .query(
            "select to_jsonb(u)::text || to_jsonb(s)::text from identity_store.users u
             join identity_store.sessions s on s.user_id = u.id where u.id = $1",
            &[&alice.id],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(left.len(), 1);
    assert!(
        !left[0].to_lowercase().contains("alice") && !left[0].contains("192.0.2.1"),
        "{}",
        left[0]
    );
    // The name is free, the id is not: a later alice is somebody else.
    let later = create(&admin, json!({ "preferred_username": "alice" })).await.unwrap();
    assert_ne!(later, alice.id);
}

#[tokio::test]
async fn a_role_taken_away_ends_the_tokens_that_carry_it() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let before = token(&db, alice.id).await;
    let roles = |roles: &[&str]| roles.iter().map(|role| role.to_string()).collect::<Vec<_>>();
    admin
        .execute(
            "select identity.user_set_roles($1, $2)",
            &[&alice.id, &roles(&["reader", "editor"])],
        )
        .await
        .unwrap();
    authenticate(&db, &before).await.unwrap();
    admin
        .execute(
            "select identity.user_set_roles($1, $2)",
            &[&alice.id, &roles(&["editor"])],
        )
        .await
        .unwrap();
    assert_eq!(authenticate(&db, &before).await.unwrap_err().0, "ID107");
    assert_eq!(read(&admin, alice.id).await["roles"], json!(["editor"]));
}

#[tokio::test]
async fn people_are_listed_by_the_beginning_of_a_name() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for name in ["alice", "alan", "bob"] {
        user(&db, name).await;
    }
    let names = async |search: Option<&str>| -> Vec<String> {
        let rows = admin
            .query("select username from identity.user_list($1)", &[&search])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(names(None).await, ["alan", "alice", "bob"]);
    assert_eq!(names(Some("AL")).await, ["alan", "alice"]);
    assert_eq!(names(Some("bob@people")).await, ["bob"]);
    assert_eq!(names(Some("%")).await, [""; 0]);
}

#[tokio::test]
async fn a_short_password_is_refused() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let profile = json!({ "preferred_username": "alice" });
    let short = admin
        .query("select identity.user_create($1, 'seven77')", &[&profile])
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&short),
        ("ID005".into(), "password: A password has at least 8 characters.".into())
    );
    let id = create(&admin, profile).await.unwrap();
    admin
        .execute("select identity.user_set_password($1, $2)", &[&id, &PASSWORD])
        .await
        .unwrap();
    assert_eq!(sign_in(&db, "alice", PASSWORD).await.0, "signed_in");
    admin
        .execute("select identity.user_set_password($1, null)", &[&id])
        .await
        .unwrap();
    assert_eq!(sign_in(&db, "alice", PASSWORD).await.0, "invalid_credentials");
}

#[tokio::test]
async fn ordinary_roles_administer_nobody() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    for client in [db.app().await, db.gateway_role().await] {
        for call in [
            "identity.user_create('{}')",
            "identity.user_update($1, '{}')",
            "identity.user_disable($1)",
            "identity.user_enable($1)",
            "identity.user_delete($1)",
            "identity.user_set_password($1, 'a new password')",
            "identity.user_set_roles($1, '{admin}')",
            "identity.user_read($1)",
            "identity.user_list()",
            "identity.user_find('alice')",
            "identity.user_sessions($1)",
            "identity.session_revoke($1)",
            "identity.audit_list()",
        ] {
            let call = call.replace("$1", &format!("'{}'", alice.id));
            let denied = client.batch_execute(&format!("select {call}")).await.unwrap_err();
            assert_eq!(denied.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{call}");
        }
    }
}
