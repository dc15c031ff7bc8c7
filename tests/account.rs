//! A person's own page: sessions, applications, change of password (sql/store/functions/account*.sql).

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::authorize::{code, request};
use crate::jwt::merged;
use crate::sessions::{cookie, sessions};
use crate::sign_in::{PASSWORD, assert_slowed, hold, sign_in};
use crate::support::{Database, client, user, web_client};
use crate::token::redeem;
use crate::users::refusal;

/// Outcome and answer of identity.account_page.
pub async fn page(db: &Database, session: &str) -> (String, Value) {
    call(db, "account_page($1)", &[&session]).await
}

async fn call(db: &Database, function: &str, parameters: &[&(dyn ToSql + Sync)]) -> (String, Value) {
    let sql = format!("select outcome, answer from identity.{function}");
    let row = db.gateway_role().await.query_one(&sql, parameters).await.unwrap();
    (row.get(0), row.get(1))
}

async fn change(db: &Database, session: &str, old: &str, new: &str) -> (String, Value) {
    call(db, "account_password_change($1, $2, $3, '192.0.2.1')", &[&session, &old, &new]).await
}

fn outcome(label: &str) -> (String, Value) {
    (label.into(), json!({}))
}

#[tokio::test]
async fn the_page_shows_the_person_and_all_their_sessions() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    user(&db, "bob").await;
    cookie(&db, &alice, None).await;
    let here = cookie(&db, &alice, None).await;
    sign_in(&db, "bob", "correct horse battery bob").await;
    let (shown, answer) = page(&db, &here).await;
    assert_eq!(shown, "page");
    assert_eq!(
        answer["user"],
        json!({ "username": "alice", "name": "alice Liddell", "email": "alice@people.example", "email_verified": true })
    );
    assert_eq!(answer["applications"], json!([]));
    let shown = answer["sessions"].as_array().unwrap();
    assert_eq!(shown.len(), 2);
    for (n, session) in shown.iter().enumerate() {
        assert_eq!(session["current"], json!(n == 0));
        assert_eq!(session["user_agent"], "Firefox");
        assert_eq!(session["source"], "192.0.2.1");
        assert!(session["started_at"].is_string() && session["last_seen_at"].is_string());
        assert_eq!(session.as_object().unwrap().len(), 6);
    }
}

#[tokio::test]
async fn a_person_ends_their_own_sessions_and_nobody_elses() {
    let db = Database::new().await;
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let here = cookie(&db, &alice, None).await;
    let there = cookie(&db, &alice, None).await;
    let of_bob = cookie(&db, &bob, None).await;
    let bobs = sessions(&db, &bob).await[0];
    let end = async |id: Uuid| call(&db, "account_session_end($1, $2)", &[&here, &id]).await;
    assert_eq!(end(bobs).await, outcome("not_found"));
    assert_eq!(end(Uuid::nil()).await, outcome("not_found"));
    assert_eq!(page(&db, &of_bob).await.0, "page");
    let theirs = page(&db, &there).await.1["sessions"][0]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(end(theirs).await, outcome("ok"));
    assert_eq!(page(&db, &there).await.0, "sign_in");
    assert_eq!(page(&db, &here).await.0, "page");
}

#[tokio::test]
async fn a_person_ends_all_sessions_but_this_one() {
    let db = Database::new().await;
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let others = [cookie(&db, &alice, None).await, cookie(&db, &alice, None).await];
    let here = cookie(&db, &alice, None).await;
    let of_bob = cookie(&db, &bob, None).await;
    assert_eq!(call(&db, "account_sessions_end_others($1)", &[&here]).await, outcome("ok"));
    for other in others {
        assert_eq!(page(&db, &other).await.0, "sign_in");
    }
    assert_eq!(page(&db, &here).await.0, "page");
    assert_eq!(page(&db, &of_bob).await.0, "page");
}

#[tokio::test]
async fn an_application_is_shown_until_it_is_withdrawn() {
    let db = Database::new().await;
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let client = web_client(&db).await;
    db.superuser()
        .await
        .execute(
            "insert into identity_store.consents (user_id, client_id, scope) select u, $1, '{openid,email}' from unnest($2::uuid[]) u",
            &[&client.id, &vec![alice.id, bob.id]],
        )
        .await
        .unwrap();
    let here = cookie(&db, &alice, None).await;
    let mut shown = page(&db, &here).await.1["applications"].clone();
    assert!(shown[0].as_object_mut().unwrap().remove("granted_at").unwrap().is_string());
    assert_eq!(
        shown,
        json!([{
            "client_id": client.id,
            "client_name": "Notes on the web",
            "scopes": [
                { "name": "email", "description": "See your e-mail address" },
                { "name": "openid", "description": "Know that it is you" }
            ]
        }])
    );
    let withdraw = async |id: &str| call(&db, "account_application_withdraw($1, $2)", &[&here, &id]).await;
    assert_eq!(withdraw("nobody").await, outcome("not_found"));
    assert_eq!(withdraw(&client.id).await, outcome("ok"));
    assert_eq!(withdraw(&client.id).await, outcome("not_found"));
    assert_eq!(page(&db, &here).await.1["applications"], json!([]));
    // Bob's is his.
    let of_bob = cookie(&db, &bob, None).await;
    assert_eq!(page(&db, &of_bob).await.1["applications"][0]["client_id"], json!(client.id));
}

/// The applications on the page, without what a moment says.
async fn applications(db: &Database, session: &str) -> Value {
    let mut shown = page(db, session).await.1["applications"].clone();
    for application in shown.as_array_mut().unwrap() {
        if let Some(granted_at) = application.get_mut("granted_at") {
            assert!(granted_at.is_string());
            *granted_at = json!("a moment");
        }
    }
    shown
}

#[tokio::test]
async fn everybody_may_open_what_an_administrator_made_first_party_and_nobody_learns_of_others() {
    let db = Database::new().await;
    let (sql, alice, bob) = (db.gateway_role().await, user(&db, "alice").await, user(&db, "bob").await);
    let registered = async |id: &str, more: Value| {
        let metadata = json!({
            "client_id": id, "client_name": id, "redirect_uris": [format!("https://{id}.example/cb")], "scope": "openid profile"
        });
        client(&db, merged(metadata, more)).await
    };
    let begins = |id: &str| format!("https://{id}.example/login");
    let wiki = registered("wiki", json!({"first_party": true, "initiate_login_uri": begins("wiki")})).await;
    let quiet = registered("quiet", json!({"first_party": true})).await;
    registered("stranger", json!({"initiate_login_uri": begins("stranger")})).await;
    let unopened =
        json!({"client_id": "wiki", "client_name": "wiki", "initiate_login_uri": begins("wiki"), "scopes": []});
    let (here, there, of_bob) =
        (cookie(&db, &alice, None).await, cookie(&db, &alice, None).await, cookie(&db, &bob, None).await);
    assert_eq!(applications(&db, &here).await, json!([unopened]));
    // Where they have been, as long as that session goes on.
    code(&sql, &request(&wiki), &there).await;
    let token = redeem(&sql, &quiet, &code(&sql, &request(&quiet), &there).await).await.1["access_token"].clone();
    let scopes = json!([
        {"name": "openid", "description": "Know that it is you"},
        {"name": "profile", "description": "See your name and profile"}
    ]);
    let given = |mut application: Value| {
        application["scopes"] = scopes.clone();
        application["granted_at"] = json!("a moment");
        application
    };
    let seen = json!({"client_id": "quiet", "client_name": "quiet", "scopes": []});
    assert_eq!(applications(&db, &here).await, json!([given(seen), given(unopened.clone())]));
    assert_eq!(applications(&db, &of_bob).await, json!([unopened]));
    let authenticate = "select identity.authenticate($1)";
    db.app().await.execute(authenticate, &[&token.as_str()]).await.unwrap();
    let withdraw = async |id: &str| call(&db, "account_application_withdraw($1, $2)", &[&here, &id]).await;
    assert_eq!(withdraw("quiet").await, outcome("ok"));
    assert_eq!(withdraw("stranger").await, outcome("not_found"));
    let dead = db.app().await.execute(authenticate, &[&token.as_str()]).await.unwrap_err();
    assert_eq!(refusal(&dead).0, "ID107");
    assert_eq!(applications(&db, &here).await, json!([given(unopened.clone())]));
    call(&db, "account_sessions_end_others($1)", &[&here]).await;
    assert_eq!(applications(&db, &here).await, json!([unopened]));
}

#[tokio::test]
async fn a_change_of_password_demands_the_old_one_and_ends_everything_else() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let other = cookie(&db, &alice, None).await;
    let here = cookie(&db, &alice, None).await;
    let claims = json!({ "sub": alice.id, "aud": db.issuer, "client_id": "test" });
    let mint = "select identity.mint_access_token($1, 300)";
    let token: String = db.owner().await.query_one(mint, &[&claims]).await.unwrap().get(0);

    assert_eq!(change(&db, &here, "wrong", PASSWORD).await, outcome("invalid_credentials"));
    assert_eq!(change(&db, "", &alice.password, PASSWORD).await, outcome("sign_in"));
    let short = change(&db, &here, &alice.password, "seven77").await;
    assert_eq!(
        short,
        ("invalid_password".into(), json!({ "error_description": "A password has at least 8 characters." }))
    );
    assert_eq!(page(&db, &other).await.0, "page");

    assert_eq!(change(&db, &here, &alice.password, PASSWORD).await, outcome("ok"));
    assert_eq!(page(&db, &other).await.0, "sign_in");
    assert_eq!(page(&db, &here).await.0, "page");
    let dead = db.app().await.execute("select identity.authenticate($1)", &[&token]).await.unwrap_err();
    assert_eq!(refusal(&dead).0, "ID107");
    assert_eq!(sign_in(&db, "alice", &alice.password).await.0, "invalid_credentials");
    assert_eq!(sign_in(&db, "alice", PASSWORD).await.0, "signed_in");
}

#[tokio::test]
async fn an_open_browser_is_no_place_to_guess_the_password() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let here = cookie(&db, &alice, None).await;
    for _ in 0..3 {
        assert_eq!(change(&db, &here, "wrong", PASSWORD).await, outcome("invalid_credentials"));
    }
    assert_eq!(hold(&db).await, 1);
    assert_slowed(&change(&db, &here, &alice.password, PASSWORD).await, 1);
}

#[tokio::test]
async fn of_two_racing_changes_of_password_one_succeeds() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let here = cookie(&db, &alice, None).await;
    let (one, two) = tokio::join!(
        change(&db, &here, &alice.password, "the first new password"),
        change(&db, &here, &alice.password, "the second new password")
    );
    let mut outcomes = [one.0, two.0];
    outcomes.sort();
    assert_eq!(outcomes, ["invalid_credentials", "ok"]);
}
