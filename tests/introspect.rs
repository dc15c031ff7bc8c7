//! Introspection and revocation: who may know, who may end (sql/store/functions/introspection.sql, revocation.sql; README, decision 12).

use serde_json::{Value, json};

use crate::authorize::{Answer, Sql, call, code, request, session, with};
use crate::support::{Client, Database, Tokens, client, public_client, service_client, user, web_client};
use crate::token::{method, redeem, refused};

async fn introspect(sql: &Sql, client: &Client, token: &Value, hint: Option<&str>) -> Answer {
    call(sql, "token_introspect", &[&client.id, &client.secret, &method(client), &token.as_str(), &hint]).await
}

async fn revoke(sql: &Sql, client: &Client, token: &Value, hint: Option<&str>) -> Answer {
    call(sql, "token_revoke", &[&client.id, &client.secret, &method(client), &token.as_str(), &hint]).await
}

fn inactive() -> Answer {
    ("ok".into(), json!({"active": false}))
}

async fn tokens(db: &Database, sql: &Sql, app: &Client, name: &str) -> Value {
    let person = user(db, name).await;
    let cookie = session(sql, &person).await;
    let code = code(sql, &with(request(app), json!({"scope": "openid offline_access"})), &cookie).await;
    redeem(sql, app, &code).await.1
}

#[tokio::test]
async fn a_token_is_told_to_its_client_its_resource_and_whom_an_administrator_lets() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let (stranger, service) = (web_client(&db).await, service_client(&db).await);
    let resource = "https://api.example";
    db.admin().await.execute("select identity.resource_create($1, 'API')", &[&resource]).await.unwrap();
    let api = client(&db, json!({"client_id": resource, "grant_types": ["client_credentials"]})).await;
    let person = user(&db, "alice").await;
    let cookie = session(&sql, &person).await;
    let asked = with(request(&app), json!({"scope": "openid offline_access", "resource": resource}));
    let code = code(&sql, &asked, &cookie).await;
    let (_, tokens) = redeem(&sql, &app, &code).await;

    let mut active = Tokens::claims(tokens["access_token"].as_str().unwrap());
    active["active"] = json!(true);
    active["token_type"] = json!("Bearer");
    for (who, answer) in [
        (&app, ("ok".into(), active.clone())),
        (&service, ("ok".into(), active.clone())),
        (&api, ("ok".into(), active.clone())),
        (&stranger, inactive()),
    ] {
        for hint in [None, Some("access_token"), Some("refresh_token"), Some("nonsense")] {
            assert_eq!(introspect(&sql, who, &tokens["access_token"], hint).await, answer);
        }
    }
    let family = db
        .superuser()
        .await
        .query_one(
            "select jsonb_build_object('iat', floor(extract(epoch from created_at)), 'exp', floor(extract(epoch from idle_expires_at)),
               'grant_id', grant_id) from identity_store.refresh_families",
            &[],
        )
        .await
        .unwrap()
        .get::<_, Value>(0);
    let refresh = json!({
        "active": true, "client_id": app.id, "sub": person.id, "iss": db.issuer, "scope": "openid offline_access",
        "grant_id": family["grant_id"], "iat": family["iat"], "exp": family["exp"]
    });
    assert_eq!(family["exp"].as_i64().unwrap() - family["iat"].as_i64().unwrap(), 14 * 86400);
    for (who, answer) in
        [(&app, ("ok".into(), refresh)), (&service, inactive()), (&api, inactive()), (&stranger, inactive())]
    {
        for hint in [None, Some("access_token"), Some("refresh_token")] {
            assert_eq!(introspect(&sql, who, &tokens["refresh_token"], hint).await, answer);
        }
    }
}

#[tokio::test]
async fn whoever_cannot_prove_to_be_a_client_learns_nothing() {
    let db = Database::new().await;
    let (sql, app, public) = (db.gateway_role().await, web_client(&db).await, public_client(&db).await);
    let tokens = tokens(&db, &sql, &app, "alice").await;
    let token = tokens["access_token"].as_str();
    let failed = refused("invalid_client", "client authentication failed");
    for (id, secret, method) in [
        (app.id.as_str(), None, "none"),
        (app.id.as_str(), Some("secret_wrong"), "client_secret_basic"),
        (app.id.as_str(), app.secret.as_deref(), "none"),
        (public.id.as_str(), None, "none"),
        ("nobody", None, "none"),
    ] {
        assert_eq!(
            call(&sql, "token_introspect", &[&id, &secret, &method, &token, &None::<&str>]).await,
            failed,
            "{id} {method}"
        );
    }
    assert_eq!(call(&sql, "token_revoke", &[&app.id, &None::<&str>, &"none", &token, &None::<&str>]).await, failed);
}

#[tokio::test]
async fn a_dead_token_is_inactive_and_nothing_more_for_every_cause_of_death() {
    let db = Database::new().await;
    let (sql, app, owner) = (db.gateway_role().await, web_client(&db).await, db.superuser().await);
    let first = tokens(&db, &sql, &app, "alice").await;
    let signed: String = owner
        .query_one(
            "select identity.sign_jwt(jsonb_build_object('client_id', $1::text, 'sub', 'x', 'exp', 1))",
            &[&app.id],
        )
        .await
        .unwrap()
        .get(0);
    for nonsense in [json!(""), json!("x"), json!("a.b.c"), json!(signed), json!(null), first["id_token"].clone()] {
        assert_eq!(introspect(&sql, &app, &nonsense, None).await, inactive(), "{nonsense}");
    }
    for (number, after) in [
        "select identity.session_revoke(session_id) from identity_store.grants",
        "select identity.user_disable(user_id) from identity_store.grants",
        "update identity_store.users set state = 'disabled', disabled_at = now()",
        "select identity.revoke('client', client_id) from identity_store.grants",
    ]
    .iter()
    .enumerate()
    {
        let tokens = tokens(&db, &sql, &app, &format!("person{number}")).await;
        assert_eq!(introspect(&sql, &app, &tokens["access_token"], None).await.1["active"], true);
        owner.batch_execute(after).await.unwrap();
        assert_eq!(introspect(&sql, &app, &tokens["access_token"], None).await, inactive(), "{after}");
        owner.batch_execute("delete from identity_store.grants where ended_at is null").await.unwrap();
    }
}

#[tokio::test]
async fn a_replaced_refresh_token_is_active_only_as_long_as_it_still_works() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let tokens = tokens(&db, &sql, &app, "alice").await;
    let old = tokens["refresh_token"].as_str().unwrap();
    call(&sql, "token_refresh_token", &[&app.id, &app.secret, &method(&app), &old, &None::<&str>, &None::<Vec<&str>>])
        .await;
    assert_eq!(introspect(&sql, &app, &tokens["refresh_token"], None).await.1["active"], true);
    db.superuser()
        .await
        .batch_execute("update identity_store.refresh_families set head_since = now() - interval '121 seconds'")
        .await
        .unwrap();
    assert_eq!(introspect(&sql, &app, &tokens["refresh_token"], None).await, inactive());
}

#[tokio::test]
async fn a_revoked_access_token_dies_alone_and_a_refresh_token_takes_its_access_tokens_along() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let nothing: Answer = ("ok".into(), json!({}));
    let first = tokens(&db, &sql, &app, "alice").await;
    // RFC 7009 §2.1: a wrong hint only widens the search.
    assert_eq!(revoke(&sql, &app, &first["access_token"], Some("refresh_token")).await, nothing);
    assert_eq!(introspect(&sql, &app, &first["access_token"], None).await, inactive());
    let (outcome, second) = {
        let token = first["refresh_token"].as_str().unwrap();
        call(
            &sql,
            "token_refresh_token",
            &[&app.id, &app.secret, &method(&app), &token, &None::<&str>, &None::<Vec<&str>>],
        )
        .await
    };
    assert_eq!(outcome, "ok");
    assert_eq!(introspect(&sql, &app, &second["access_token"], None).await.1["active"], true);

    assert_eq!(revoke(&sql, &app, &second["refresh_token"], Some("access_token")).await, nothing);
    for token in [&second["access_token"], &second["refresh_token"], &first["refresh_token"]] {
        assert_eq!(introspect(&sql, &app, token, None).await, inactive());
        assert_eq!(revoke(&sql, &app, token, None).await, nothing, "again");
    }
    for unknown in [json!("x"), json!("a.b.c"), first["id_token"].clone()] {
        assert_eq!(revoke(&sql, &app, &unknown, None).await, nothing);
    }
    assert_eq!(revoke(&sql, &app, &json!(""), None).await, refused("invalid_request", "token is missing"));
}

#[tokio::test]
async fn revoking_the_token_of_another_client_does_nothing_and_is_noted() {
    let db = Database::new().await;
    let (sql, app, other) = (db.gateway_role().await, web_client(&db).await, public_client(&db).await);
    let tokens = tokens(&db, &sql, &app, "alice").await;
    for name in ["access_token", "refresh_token"] {
        assert_eq!(revoke(&sql, &other, &tokens[name], None).await, ("ok".into(), json!({})));
        assert_eq!(introspect(&sql, &app, &tokens[name], None).await.1["active"], true, "{name}");
    }
    let noted = "select count(*) from identity.audit_list('{revocation_refused}', of_client => $1)";
    let noted: i64 = db.admin().await.query_one(noted, &[&other.id]).await.unwrap().get(0);
    assert_eq!(noted, 2);
}
