//! Browser sessions: cookies, lifetimes, ending (sql/store/functions/sessions.sql).

use serde_json::json;
use uuid::Uuid;

use crate::account::page;
use crate::sign_in::{Attempt, attempt, sign_in};
use crate::support::{Database, User, user};
use crate::users::refusal;

/// Signs in with these cookies and returns the session cookie.
pub async fn cookie(db: &Database, person: &User, session: Option<&str>) -> String {
    let attempted = Attempt { username: &person.username, password: &person.password, session, ..Attempt::default() };
    let (outcome, answer) = attempt(&db.gateway_role().await, &attempted).await;
    assert_eq!(outcome, "signed_in");
    answer["session_cookie"].as_str().unwrap().into()
}

/// The live sessions of a person.
pub async fn sessions(db: &Database, person: &User) -> Vec<Uuid> {
    let rows =
        db.admin().await.query("select session_id from identity.user_sessions($1)", &[&person.id]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

const NONE: [Uuid; 0] = [];

async fn age(db: &Database, change: &str) {
    db.superuser().await.batch_execute(&format!("update identity_store.sessions set {change}")).await.unwrap();
}

#[tokio::test]
async fn the_cookie_changes_at_every_sign_in_and_the_old_one_dies() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let first = cookie(&db, &alice, None).await;
    let session = sessions(&db, &alice).await;
    let second = cookie(&db, &alice, Some(&first)).await;
    assert_ne!(first, second);
    assert_eq!(page(&db, &first).await.0, "sign_in");
    assert_eq!(page(&db, &second).await.0, "page");
    // The same person in the same browser: still the same session, what applications hold from it lives.
    assert_eq!(sessions(&db, &alice).await, session);
    // The dead cookie renews nothing.
    cookie(&db, &alice, Some(&first)).await;
    assert_eq!(sessions(&db, &alice).await.len(), 2);
}

#[tokio::test]
async fn another_person_in_the_same_browser_ends_the_session_of_the_first() {
    let db = Database::new().await;
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let of_alice = cookie(&db, &alice, None).await;
    let of_bob = cookie(&db, &bob, Some(&of_alice)).await;
    assert_eq!(page(&db, &of_alice).await.0, "sign_in");
    assert_eq!(page(&db, &of_bob).await.1["user"]["username"], "bob");
    assert_eq!(sessions(&db, &alice).await, NONE);
}

#[tokio::test]
async fn two_sign_ins_racing_with_one_cookie_get_two_sessions() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let first = cookie(&db, &alice, None).await;
    let (one, two) = tokio::join!(cookie(&db, &alice, Some(&first)), cookie(&db, &alice, Some(&first)));
    assert_eq!(page(&db, &one).await.0, "page");
    assert_eq!(page(&db, &two).await.0, "page");
    assert_eq!(sessions(&db, &alice).await.len(), 2);
}

#[tokio::test]
async fn a_session_ends_after_twelve_idle_hours_or_thirty_days() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    for change in ["last_seen_at = now() - interval '12 hours'", "expires_at = now()"] {
        let session = cookie(&db, &alice, None).await;
        assert_eq!(page(&db, &session).await.0, "page");
        let lasts = "select bool_and(expires_at - started_at = interval '30 days') from identity.user_sessions($1)";
        assert_eq!(
            db.admin().await.query_one(lasts, &[&alice.id]).await.unwrap().get::<_, Option<bool>>(0),
            Some(true)
        );
        age(&db, change).await;
        assert_eq!(page(&db, &session).await.0, "sign_in", "{change}");
        assert_eq!(sessions(&db, &alice).await, NONE);
    }
}

#[tokio::test]
async fn use_is_noted_once_a_minute() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let session = cookie(&db, &alice, None).await;
    let seen = async || -> bool {
        let gateway = db.gateway_role().await;
        gateway.execute("select identity.account_session_end($1, $2)", &[&session, &Uuid::nil()]).await.unwrap();
        let seen = "select last_seen_at > now() - interval '10 seconds' from identity_store.sessions";
        db.superuser().await.query_one(seen, &[]).await.unwrap().get(0)
    };
    age(&db, "last_seen_at = now() - interval '50 seconds'").await;
    assert!(!seen().await);
    age(&db, "last_seen_at = now() - interval '61 seconds'").await;
    assert!(seen().await);
}

#[tokio::test]
async fn session_revoke_is_seen_by_the_next_transaction() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let session = cookie(&db, &alice, None).await;
    let id = sessions(&db, &alice).await[0];
    let claims = json!({ "sub": alice.id, "sid": id, "aud": db.issuer, "client_id": "test" });
    let owner = db.owner().await;
    let token: String = owner.query_one("select identity.mint_access_token($1, 300)", &[&claims]).await.unwrap().get(0);
    let app = db.app().await;
    app.execute("select identity.authenticate($1)", &[&token]).await.unwrap();
    let admin = db.admin().await;
    for _ in 0..2 {
        admin.execute("select identity.session_revoke($1)", &[&id]).await.unwrap();
    }
    let dead = app.execute("select identity.authenticate($1)", &[&token]).await.unwrap_err();
    assert_eq!(refusal(&dead).0, "ID107");
    assert_eq!(page(&db, &session).await.0, "sign_in");
    let unknown = admin.execute("select identity.session_revoke($1)", &[&Uuid::nil()]).await.unwrap_err();
    assert_eq!(refusal(&unknown), ("ID006".into(), "there is no such session".into()));
}

#[tokio::test]
async fn a_cookie_that_is_not_ours_is_nobody() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let (_, answer) = sign_in(&db, "alice", &alice.password).await;
    let good = answer["session_cookie"].as_str().unwrap();
    let mut forged = good.to_owned();
    // The last character but the checksum's: the same id with another secret.
    let at = forged.len() / 2;
    let other = if &forged[at..=at] == "A" { "B" } else { "A" };
    forged.replace_range(at..=at, other);
    for cookie in ["", "ids_", forged.as_str(), "secret_x"] {
        assert_eq!(page(&db, cookie).await, ("sign_in".into(), json!({})), "{cookie}");
    }
    let nothing =
        db.gateway_role().await.query_one("select outcome from identity.account_page(null)", &[]).await.unwrap();
    assert_eq!(nothing.get::<_, String>(0), "sign_in");
}

#[tokio::test]
async fn a_transaction_that_may_see_the_past_is_refused() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let cookie = cookie(&db, &alice, None).await;
    let gateway = db.gateway_role().await;
    for level in ["repeatable read", "serializable"] {
        gateway.batch_execute(&format!("begin isolation level {level}")).await.unwrap();
        let refused = gateway.query("select identity.account_page($1)", &[&cookie]).await.unwrap_err();
        assert_eq!(refusal(&refused).0, "ID005", "{level}");
        gateway.batch_execute("rollback").await.unwrap();
    }
    assert_eq!(page(&db, &cookie).await.0, "page");
}
