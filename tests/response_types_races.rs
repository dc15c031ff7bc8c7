//! Tokens from the authorization endpoint and whoever ends what they stand on: one of the two comes first, and either way
//! nothing lives that should not (lock order: sql/store/functions/codes.sql).

use serde_json::json;

use crate::authorize::{Sql, authorize, call, request, session, with};
use crate::races::{alive, backend, waits};
use crate::response_types::{answered, hybrid_client};
use crate::support::{Database, service_client, user};

/// What ends the access of a person to all that is given them here, by somebody who may.
const ENDINGS: [&str; 3] = [
    "select identity.user_disable($1)",
    "select identity.user_delete($1)",
    "select identity.session_revoke(s.session_id) from identity.user_sessions($1) s",
];

async fn process(sql: &Sql) -> i32 {
    sql.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn who_ends_first_is_seen_by_who_issues() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, hybrid_client(&db).await);
    for (n, ending) in ENDINGS.into_iter().enumerate() {
        let person = user(&db, &format!("person{n}")).await;
        let cookie = session(&sql, &person).await;
        let asked = with(request(&app), json!({"response_type": "code id_token token"}));
        answered(&sql, &asked, &cookie).await;
        let admin = db.admin().await;
        admin.batch_execute("begin").await.unwrap();
        admin.query(ending, &[&person.id]).await.unwrap();
        let (waiting, pid) = backend(&db).await;
        let issuing = tokio::spawn(async move { authorize(&waiting, &asked, Some(&cookie)).await });
        waits(&db, pid).await;
        admin.batch_execute("commit").await.unwrap();
        let (outcome, answer) = issuing.await.unwrap();
        assert_eq!((outcome.as_str(), answer.get("parameters")), ("sign_in", None), "{ending}: {answer}");
    }
}

#[tokio::test]
async fn who_ends_second_ends_what_was_issued() {
    let db = Database::new().await;
    let (sql, app, service) = (db.gateway_role().await, hybrid_client(&db).await, service_client(&db).await);
    for (n, ending) in ENDINGS.into_iter().enumerate() {
        let person = user(&db, &format!("person{n}")).await;
        let cookie = session(&sql, &person).await;
        let asked = with(request(&app), json!({"response_type": "id_token token"}));
        answered(&sql, &asked, &cookie).await;
        sql.batch_execute("begin").await.unwrap();
        let token = answered(&sql, &asked, &cookie).await["parameters"]["access_token"].take();
        let admin = db.admin().await;
        let pid = process(&admin).await;
        let ending_it = tokio::spawn(async move { admin.query(ending, &[&person.id]).await.map(drop) });
        waits(&db, pid).await;
        sql.batch_execute("commit").await.unwrap();
        ending_it.await.unwrap().unwrap();
        assert!(!alive(&sql, &service, &token).await, "{ending}");
    }
}

/// The chooser, consent and sign-in lead to the same tokens and take the same locks.
#[tokio::test]
async fn consent_that_races_an_ending_gives_no_token() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, hybrid_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let asked = with(request(&app), json!({"response_type": "code token", "prompt": "select_account consent"}));
    let (_, chooser) = authorize(&sql, &asked, Some(&cookie)).await;
    let nothing = None::<&str>;
    let arguments = (chooser["resume"].as_str(), Some(1_i32));
    let (outcome, consent) =
        call(&sql, "select_account", &[&arguments.0, &cookie, &"browser", &nothing, &arguments.1]).await;
    assert_eq!(outcome, "consent");
    let admin = db.admin().await;
    admin.batch_execute("begin").await.unwrap();
    admin.query("select identity.user_disable($1)", &[&alice.id]).await.unwrap();
    let (waiting, pid) = backend(&db).await;
    let deciding = tokio::spawn(async move {
        call(&waiting, "consent_decide", &[&consent["resume"].as_str(), &cookie, &"browser", &"allow"]).await
    });
    waits(&db, pid).await;
    admin.batch_execute("commit").await.unwrap();
    assert_eq!(deciding.await.unwrap().0, "sign_in");
}
