//! People: names, lists, passwords (sql/store/functions/users.sql, users_names.sql, users_read.sql).

use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::sign_in::{PASSWORD, sign_in};
use crate::support::{Database, user};

/// SQLSTATE and message of a refusal.
pub fn refusal(error: &tokio_postgres::Error) -> (String, String) {
    let error = error.as_db_error().unwrap_or_else(|| panic!("not from the database: {error}"));
    (error.code().code().into(), error.message().into())
}

/// identity.user_create without a password.
pub async fn create(admin: &Client, profile: Value) -> Result<Uuid, (String, String)> {
    let row = admin.query_one("select identity.user_create($1)", &[&profile]).await;
    row.map(|row| row.get(0)).map_err(|error| refusal(&error))
}

/// identity.user_update.
pub async fn update(admin: &Client, id: Uuid, patch: Value) -> Result<(), (String, String)> {
    let done = admin.execute("select identity.user_update($1, $2)", &[&id, &patch]).await;
    done.map(|_| ()).map_err(|error| refusal(&error))
}

/// identity.user_read.
pub async fn read(admin: &Client, id: Uuid) -> Value {
    admin.query_one("select identity.user_read($1)", &[&id]).await.unwrap().get(0)
}

/// identity.user_find.
pub async fn find(admin: &Client, name: &str) -> Option<Uuid> {
    admin.query_one("select identity.user_find($1)", &[&name]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_name_leads_to_one_person() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    assert_eq!(find(&admin, " ALICE").await, Some(alice.id));
    assert_eq!(find(&admin, "Alice@People.Example").await, Some(alice.id));
    assert_eq!(find(&admin, "bob").await, None);
    let taken =
        Err(("ID007".to_owned(), "profile: preferred_username or email already leads to somebody else".to_owned()));
    // Case, compatibility forms, and the verified address of somebody else.
    for name in ["ALICE", "ａｌｉｃｅ", "alice@people.example"] {
        assert_eq!(create(&admin, json!({ "preferred_username": name })).await, taken, "{name}");
    }
    let verified = json!({ "preferred_username": "bob", "email": "Alice@people.example", "email_verified": true });
    assert_eq!(create(&admin, verified).await.unwrap_err().0, "ID007");
    // An address that nobody has proved bars nobody, and signs nobody in.
    let bob = create(&admin, json!({ "preferred_username": "bob", "email": "alice@people.example" })).await.unwrap();
    assert_eq!(find(&admin, "alice@people.example").await, Some(alice.id));
    assert_eq!(update(&admin, bob, json!({ "email_verified": true })).await.unwrap_err().0, "ID007");
    // One's own address as user name is no conflict.
    update(&admin, alice.id, json!({ "preferred_username": "alice@people.example" })).await.unwrap();
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
async fn people_are_listed_by_the_beginning_of_a_name() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for name in ["alice", "alan", "bob"] {
        user(&db, name).await;
    }
    let names = async |search: Option<&str>| -> Vec<String> {
        let rows = admin.query("select username from identity.user_list($1)", &[&search]).await.unwrap();
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
    let short = admin.query("select identity.user_create($1, 'seven77')", &[&profile]).await.unwrap_err();
    assert_eq!(refusal(&short), ("ID005".into(), "password: A password has at least 8 characters.".into()));
    let id = create(&admin, profile).await.unwrap();
    admin.execute("select identity.user_set_password($1, $2)", &[&id, &PASSWORD]).await.unwrap();
    assert_eq!(sign_in(&db, "alice", PASSWORD).await.0, "signed_in");
    admin.execute("select identity.user_set_password($1, null)", &[&id]).await.unwrap();
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
