//! Forms that are sent twice, and administrators who make the same thing at once.

use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use super::{consistent, session_bound_client};
use crate::account::page;
use crate::authorize::{authorize, call, decide, request, session, with};
use crate::sessions::sessions;
use crate::support::{Database, full_profile, user};
use crate::token::redeem;

#[tokio::test]
async fn a_sign_in_that_is_sent_twice_signs_in_twice_and_the_old_cookie_dies_once() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let before = session(&db.gateway_role().await, &alice).await;
    let attempt = async || {
        let (sql, none) = (db.gateway_role().await, None::<&str>);
        let (name, password) = (&alice.username, &alice.password);
        call(&sql, "sign_in", &[&none, &"browser", name, password, &"192.0.2.1", &"Firefox", &none, &before]).await
    };
    let (one, two) = tokio::join!(attempt(), attempt());
    let cookie = |(outcome, answer): (String, Value)| {
        assert_eq!(outcome, "signed_in");
        answer["session_cookie"].as_str().unwrap().to_owned()
    };
    let (one, two) = (cookie(one), cookie(two));
    assert_ne!(one, two);
    assert_eq!(page(&db, &before).await.0, "sign_in");
    for cookie in [&one, &two] {
        assert_eq!(page(&db, cookie).await.0, "page");
    }
    assert_eq!(sessions(&db, &alice).await.len(), 2, "one was renewed, one is new: two cookies never share a session");
}

#[tokio::test]
async fn a_consent_that_is_sent_twice_is_remembered_once_and_gives_two_codes_each_good_once() {
    let db = Database::new().await;
    let (app, alice) = (session_bound_client(&db).await, user(&db, "alice").await);
    let sql = db.gateway_role().await;
    let cookie = session(&sql, &alice).await;
    let (outcome, consent) =
        authorize(&sql, &with(request(&app), json!({"scope": "openid profile"})), Some(&cookie)).await;
    assert_eq!(outcome, "consent");
    let (one, two) = (db.gateway_role().await, db.gateway_role().await);
    let (first, second) =
        tokio::join!(decide(&one, &consent, &cookie, "allow"), decide(&two, &consent, &cookie, "allow"));
    let code = |answer: &Value| answer["parameters"]["code"].as_str().unwrap().to_owned();
    assert_eq!((first.0.as_str(), second.0.as_str()), ("redirect", "redirect"));
    assert_ne!(code(&first.1), code(&second.1));
    for answer in [&first.1, &second.1] {
        assert_eq!(redeem(&sql, &app, &code(answer)).await.0, "ok");
        assert_eq!(redeem(&sql, &app, &code(answer)).await.0, "invalid_grant");
    }
    let remembered = "select count(*) from identity_store.consents";
    assert_eq!(db.superuser().await.query_one(remembered, &[]).await.unwrap().get::<_, i64>(0), 1);
    consistent(&db).await;
}

#[tokio::test]
async fn of_two_who_make_the_same_thing_at_once_one_is_told_that_it_exists() {
    let db = Database::new().await;
    let addresses = |first: &str, second: &str| {
        let mut profile = full_profile("twin");
        profile.as_object_mut().unwrap().remove("email");
        profile.as_object_mut().unwrap().remove("email_verified");
        profile["emails"] = json!([
            {"address": first, "verified": true, "primary": true}, {"address": second, "verified": true, "primary": false}
        ]);
        profile
    };
    // The same addresses the other way round: whoever locks them as they come meets the other in the middle.
    let (there, back) = (addresses("a@a.example", "b@a.example"), addresses("b@a.example", "a@a.example"));
    let app = json!({"client_id": "app", "redirect_uris": ["https://a.example/cb"]});
    for (statement, one, two) in [
        ("select identity.user_create($1)", &there, &back),
        ("select identity.client_create($1)", &app, &app),
        ("select identity.scope_create($1::json ->> 'n', 'Notes')", &json!({"n": "notes"}), &json!({"n": "notes"})),
        (
            "select identity.resource_create($1::json ->> 'n', 'Notes')",
            &json!({"n": "https://n.example"}),
            &json!({"n": "https://n.example/"}),
        ),
    ] {
        let mut making = Vec::new();
        for n in 0..8 {
            let (admin, argument) = (db.admin().await, if n % 2 == 0 { one.clone() } else { two.clone() });
            let typed = statement.replacen("($1)", "($1::jsonb)", 1).replace("$1::json ", "$1::jsonb ");
            making.push(tokio::spawn(async move { admin.execute(&typed, &[&argument]).await }));
        }
        let mut made = 0;
        for one in making {
            match one.await.unwrap() {
                Ok(_) => made += 1,
                Err(error) => assert_eq!(error.code(), Some(&SqlState::from_code("ID007")), "{statement}: {error:?}"),
            }
        }
        assert_eq!(made, 1, "{statement}");
    }
}
