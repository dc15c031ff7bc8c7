//! States of people, and what a change of them ends at once (sql/store/functions/users_state.sql).

use serde_json::json;
use uuid::Uuid;

use crate::sign_in::sign_in;
use crate::support::{Database, user};
use crate::users::{create, read, refusal};

async fn authenticate(db: &Database, token: &str) -> Result<(), (String, String)> {
    let done = db.app().await.execute("select identity.authenticate($1)", &[&token]).await;
    done.map(|_| ()).map_err(|error| refusal(&error))
}

async fn token(db: &Database, id: Uuid) -> String {
    let claims = json!({ "sub": id, "aud": db.issuer, "client_id": "test" });
    let owner = db.owner().await;
    let row = owner.query_one("select identity.mint_access_token($1, 300)", &[&claims]).await;
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
        admin.execute("select identity.user_disable($1)", &[&alice.id]).await.unwrap();
    }
    assert_eq!(authenticate(&db, &before).await.unwrap_err().0, "ID107");
    assert_eq!(crate::account::page(&db, signed_in["session_cookie"].as_str().unwrap()).await.0, "sign_in");
    assert_eq!(sign_in(&db, "alice", &alice.password).await, ("invalid_credentials".into(), json!({})));

    admin.execute("select identity.user_enable($1)", &[&alice.id]).await.unwrap();
    assert_eq!(sign_in(&db, "alice", &alice.password).await.0, "signed_in");
    assert_eq!(authenticate(&db, &before).await.unwrap_err().0, "ID107");
    authenticate(&db, &token(&db, alice.id).await).await.unwrap();
    assert_eq!(crate::account::page(&db, signed_in["session_cookie"].as_str().unwrap()).await.0, "sign_in");
}

#[tokio::test]
async fn a_deleted_person_leaves_nothing_but_an_id() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let before = token(&db, alice.id).await;
    sign_in(&db, "alice", &alice.password).await;
    admin.execute("select identity.user_delete($1)", &[&alice.id]).await.unwrap();
    assert_eq!(authenticate(&db, &before).await.unwrap_err().0, "ID107");
    let gone = admin.query("select identity.user_read($1)", &[&alice.id]).await.unwrap_err();
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
    assert!(!left[0].to_lowercase().contains("alice") && !left[0].contains("192.0.2.1"), "{}", left[0]);
    // The name is free, the id is not: a later alice is somebody else.
    let later = create(&admin, json!({ "preferred_username": "alice" })).await.unwrap();
    assert_ne!(later, alice.id);
}

/// OpenID Connect Core §2: "never reassigned". What is reaped with the time are sessions, grants and revocations.
#[tokio::test]
async fn the_id_of_a_deleted_person_stays_taken_however_long_ago_that_was() {
    let db = Database::new().await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    for (name, days) in [("alice", 500), ("bob", -500)] {
        let person = user(&db, name).await;
        admin.execute("select identity.user_delete($1)", &[&person.id]).await.unwrap();
        // As if it had been then, by the id too.
        let shift = format!(
            "update identity_store.users set id = identity.uuid_v7_floor(now() - interval '{days} days'),
               created_at = created_at - interval '{days} days', updated_at = updated_at - interval '{days} days',
               deleted_at = deleted_at - interval '{days} days'
             where id = '{}'",
            person.id
        );
        superuser.batch_execute(&shift).await.unwrap();
    }
    superuser.batch_execute("update identity.revocations set until = now() - interval '1 day'").await.unwrap();
    for _ in 0..2 {
        admin.execute("select identity.maintenance_run()", &[]).await.unwrap();
    }
    let left = "select count(*) filter (where state = 'deleted' and username is null and abs(extract(day from now() - deleted_at)) >= 499), count(*)
                from identity_store.users";
    let left = superuser.query_one(left, &[]).await.unwrap();
    assert_eq!((left.get::<_, i64>(0), left.get::<_, i64>(1)), (2, 2));
}

#[tokio::test]
async fn a_role_taken_away_ends_the_tokens_that_carry_it() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let alice = user(&db, "alice").await;
    let before = token(&db, alice.id).await;
    let roles = |roles: &[&str]| roles.iter().map(|role| role.to_string()).collect::<Vec<_>>();
    admin.execute("select identity.user_set_roles($1, $2)", &[&alice.id, &roles(&["reader", "editor"])]).await.unwrap();
    authenticate(&db, &before).await.unwrap();
    admin.execute("select identity.user_set_roles($1, $2)", &[&alice.id, &roles(&["editor"])]).await.unwrap();
    assert_eq!(authenticate(&db, &before).await.unwrap_err().0, "ID107");
    assert_eq!(read(&admin, alice.id).await["roles"], json!(["editor"]));
}
