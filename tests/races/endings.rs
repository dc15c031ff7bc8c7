//! Who ends something wins: once the ending has committed, nothing that is answered later is good.

use serde_json::{Value, json};

use super::{alive, backend, code_for, consistent, session_bound_client, tokens_for, waits};
use crate::authorize::{call, session};
use crate::refresh::refresh;
use crate::support::{Client, Database, User, service_client, user, web_client};
use crate::token::{method, redeem, refused};
use crate::users::refusal;

/// Everything that ends what a person gave a client, as a statement.
fn endings(person: &User, app: &Client, cookie: &str) -> Vec<String> {
    let (id, client, password) = (person.id, &app.id, &person.password);
    vec![
        format!("select identity.user_disable('{id}')"),
        format!("select identity.user_disable('{id}'); select identity.user_enable('{id}')"),
        format!("select identity.user_delete('{id}')"),
        format!("select identity.user_set_password('{id}', 'quite another one')"),
        format!("select identity.account_password_change('{cookie}', '{password}', 'quite another one', '192.0.2.1')"),
        format!("select identity.session_revoke(s.session_id) from identity.user_sessions('{id}') s"),
        format!(
            "select identity.logout_confirm(r.answer ->> 'resume', '{cookie}', 'browser')
             from identity.logout_request('{{}}', '{cookie}', 'browser') r"
        ),
        format!("select identity.account_application_withdraw('{cookie}', '{client}')"),
        format!("select identity.client_delete('{client}')"),
    ]
}

/// A person with a session at a client of their own, and the n-th ending.
async fn scene(db: &Database, n: usize) -> Option<(Client, User, String, String)> {
    let (app, person) = (session_bound_client(db).await, user(db, &format!("person{n}")).await);
    let cookie = session(&db.gateway_role().await, &person).await;
    let ending = endings(&person, &app, &cookie).into_iter().nth(n)?;
    Some((app, person, cookie, ending))
}

#[tokio::test]
async fn a_code_whose_ground_ended_while_it_was_redeemed_gives_nothing() {
    let db = Database::new().await;
    let mut n = 0;
    while let Some((app, _, cookie, ending)) = scene(&db, n).await {
        let (sql, pid) = backend(&db).await;
        let code = code_for(&sql, &app, &cookie, "openid profile").await;
        // It stops between reading what the code stands for and using it up.
        let mut superuser = db.superuser().await;
        let held = superuser.transaction().await.unwrap();
        held.execute("select from identity_store.authorization_codes for update", &[]).await.unwrap();
        let redeeming = tokio::spawn(async move { redeem(&sql, &app, &code).await });
        waits(&db, pid).await;
        db.superuser().await.batch_execute(&ending).await.unwrap();
        held.rollback().await.unwrap();
        let refusal = refused("invalid_grant", "the authorization code is invalid");
        assert_eq!(redeeming.await.unwrap(), refusal, "{ending}");
        n += 1;
    }
    assert_eq!(n, 9);
    consistent(&db).await;
}

#[tokio::test]
async fn what_was_issued_before_its_ground_ended_ends_with_it() {
    let db = Database::new().await;
    let (reader, watcher) = (db.gateway_role().await, service_client(&db).await);
    let mut n = 0;
    while let Some((app, _, cookie, ending)) = scene(&db, n).await {
        let before = tokens_for(&reader, &app, &cookie, "openid profile").await;
        let (redeeming, refreshing) = (db.gateway_role().await, db.gateway_role().await);
        let code = code_for(&reader, &app, &cookie, "openid profile").await;
        // Both have their answers and have not committed.
        for sql in [&redeeming, &refreshing] {
            sql.batch_execute("begin").await.unwrap();
        }
        let (outcome, redeemed) = redeem(&redeeming, &app, &code).await;
        assert_eq!(outcome, "ok");
        let (outcome, refreshed) = refresh(&refreshing, &app, &before["refresh_token"]).await;
        assert_eq!(outcome, "ok");
        let superuser = db.superuser().await;
        let pid: i32 = superuser.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
        let statement = ending.clone();
        let ended = tokio::spawn(async move { superuser.batch_execute(&statement).await });
        waits(&db, pid).await;
        for sql in [&redeeming, &refreshing] {
            sql.batch_execute("commit").await.unwrap();
        }
        ended.await.unwrap().unwrap();
        for tokens in [&before, &redeemed, &refreshed] {
            assert!(!alive(&reader, &watcher, &tokens["access_token"]).await, "{ending}");
            let outcome = refresh(&reader, &app, &tokens["refresh_token"]).await.0;
            let expected = if ending.contains("client_delete") { "invalid_client" } else { "invalid_grant" };
            assert_eq!(outcome, expected, "{ending}");
        }
        n += 1;
    }
    assert_eq!(n, 9);
    consistent(&db).await;
}

#[tokio::test]
async fn an_application_that_loses_its_consent_gets_no_code_that_works() {
    let db = Database::new().await;
    let (app, alice) = (web_client(&db).await, user(&db, "alice").await);
    let (sql, pid) = backend(&db).await;
    let cookie = session(&sql, &alice).await;
    tokens_for(&sql, &app, &cookie, "openid").await;
    let asked = crate::authorize::with(crate::authorize::request(&app), json!({"scope": "openid"}));
    let withdraw =
        async |sql: &crate::authorize::Sql| call(sql, "account_application_withdraw", &[&cookie, &app.id]).await.0;

    // The authorization first: taking back waits for it, and ends it.
    let (taking, taking_pid) = backend(&db).await;
    sql.batch_execute("begin").await.unwrap();
    let (outcome, answer) = crate::authorize::authorize(&sql, &asked, Some(&cookie)).await;
    assert_eq!(outcome, "redirect", "{answer}");
    let (taken, ()) = tokio::join!(withdraw(&taking), async {
        waits(&db, taking_pid).await;
        sql.batch_execute("commit").await.unwrap();
    });
    assert_eq!(taken, "ok");
    let code = answer["parameters"]["code"].as_str().unwrap();
    assert_eq!(redeem(&sql, &app, code).await, refused("invalid_grant", "the authorization code is invalid"));

    // Taking back first: the authorization waits, and asks the person again.
    tokens_for(&sql, &app, &cookie, "openid").await;
    taking.batch_execute("begin").await.unwrap();
    assert_eq!(withdraw(&taking).await, "ok");
    let (answer, ()) = tokio::join!(crate::authorize::authorize(&sql, &asked, Some(&cookie)), async {
        waits(&db, pid).await;
        taking.batch_execute("commit").await.unwrap();
    });
    assert_eq!(answer.0, "consent");
    consistent(&db).await;
}

#[tokio::test]
async fn a_client_that_was_deleted_while_it_asked_gets_a_token_that_is_dead() {
    let db = Database::new().await;
    let (watcher, job) = (service_client(&db).await, service_client(&db).await);
    let ask = async |sql: &crate::authorize::Sql, client: &Client| {
        let nothing = (None::<&str>, None::<Vec<&str>>);
        let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&client.id, &client.secret, &method(client), &nothing.0, &nothing.1];
        call(sql, "token_client_credentials", &arguments).await
    };
    // It stops between the client's authentication and the token.
    let (sql, pid) = backend(&db).await;
    let mut superuser = db.superuser().await;
    let held = superuser.transaction().await.unwrap();
    held.batch_execute("lock table identity.configuration in access exclusive mode").await.unwrap();
    let (answer, ()) = tokio::join!(ask(&sql, &job), async {
        waits(&db, pid).await;
        db.admin().await.execute("select identity.client_delete($1)", &[&job.id]).await.unwrap();
        held.rollback().await.unwrap();
    });
    assert_eq!(answer.0, "ok");
    assert!(!alive(&sql, &watcher, &answer.1["access_token"]).await);

    // Nobody is given the id while such a token could be made, and then everything works at once.
    let again = async || -> Result<Value, tokio_postgres::Error> {
        let metadata = json!({"client_id": job.id, "grant_types": ["client_credentials"]});
        let row = db.admin().await.query_one("select identity.client_create($1)", &[&metadata]).await?;
        Ok(row.get(0))
    };
    let taken = "client_id: a client of this id was deleted a moment ago";
    assert_eq!(refusal(&again().await.unwrap_err()), ("ID007".into(), taken.into()));
    let ten_seconds = "update identity.revocations set issued_before = issued_before - interval '10 seconds'";
    db.superuser().await.batch_execute(ten_seconds).await.unwrap();
    let metadata = again().await.unwrap();
    let secret = metadata["client_secret"].as_str().map(Into::into);
    let (outcome, answer) = ask(&sql, &Client { id: job.id.clone(), secret, metadata }).await;
    assert_eq!(outcome, "ok");
    assert!(alive(&sql, &watcher, &answer["access_token"]).await);
}

#[tokio::test]
async fn a_role_that_is_taken_away_waits_for_the_token_that_names_it_and_revokes_it() {
    let db = Database::new().await;
    let (app, alice, watcher) = (session_bound_client(&db).await, user(&db, "alice").await, service_client(&db).await);
    let sql = db.gateway_role().await;
    let cookie = session(&sql, &alice).await;
    let first = tokens_for(&sql, &app, &cookie, "openid roles").await;
    sql.batch_execute("begin").await.unwrap();
    let (outcome, second) = refresh(&sql, &app, &first["refresh_token"]).await;
    assert_eq!(outcome, "ok");
    let superuser = db.superuser().await;
    let pid: i32 = superuser.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let none: Vec<String> = Vec::new();
    let taken =
        tokio::spawn(
            async move { superuser.execute("select identity.user_set_roles($1, $2)", &[&alice.id, &none]).await },
        );
    waits(&db, pid).await;
    sql.batch_execute("commit").await.unwrap();
    taken.await.unwrap().unwrap();
    for tokens in [&first, &second] {
        assert!(!alive(&sql, &watcher, &tokens["access_token"]).await);
    }
    let (outcome, third) = refresh(&sql, &app, &second["refresh_token"]).await;
    assert_eq!(outcome, "ok");
    assert!(alive(&sql, &watcher, &third["access_token"]).await);
    let claims = crate::support::Tokens::claims(third["access_token"].as_str().unwrap());
    assert_eq!(claims["roles"], json!([]));
}
