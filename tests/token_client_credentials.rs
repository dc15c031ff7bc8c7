//! Tokens of a client itself (sql/store/functions/token_client_credentials.sql).

use serde_json::json;

use crate::authorize::call;
use crate::support::{Database, Tokens, client, web_client};
use crate::token::{method, refused};

#[tokio::test]
async fn a_client_gets_a_token_of_its_own() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let admin = db.admin().await;
    admin
        .batch_execute(
            "select identity.scope_create('jobs', 'Run jobs'), identity.scope_create('logs', 'Read logs');
             select identity.resource_create('https://logs.example', 'Logs', '{logs}')",
        )
        .await
        .unwrap();
    let job = client(
        &db,
        json!({
            "token_endpoint_auth_method": "client_secret_post", "grant_types": ["client_credentials"],
            "scope": "openid profile jobs logs unheard-of", "access_token_lifetime": 60
        }),
    )
    .await;
    let ask = async |scope: Option<&str>, resource: Option<Vec<&str>>| {
        call(&sql, "token_client_credentials", &[&job.id, &job.secret, &"client_secret_post", &scope, &resource]).await
    };
    let (outcome, answer) = ask(None, None).await;
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(
        (outcome.as_str(), &answer),
        ("ok", &json!({"access_token": token, "token_type": "Bearer", "expires_in": 60, "scope": "jobs logs"}))
    );
    let claims = Tokens::claims(token);
    let iat = claims["iat"].as_i64().unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": db.issuer, "aud": db.issuer, "sub": job.id, "client_id": job.id, "scope": "jobs logs",
            "jti": claims["jti"], "iat": iat, "exp": iat + 60
        })
    );
    let (_, answer) = ask(Some("logs"), Some(vec!["https://logs.example/"])).await;
    assert_eq!(Tokens::claims(answer["access_token"].as_str().unwrap())["aud"], "https://logs.example");
    assert_eq!(ask(Some(""), Some(vec![])).await.0, "ok", "empty is absent");
    assert_eq!(
        ask(Some("jobs roles"), None).await,
        refused("invalid_scope", "scope is not registered for this client")
    );
    assert_eq!(
        ask(None, Some(vec!["https://unknown.example"])).await,
        refused("invalid_target", "resource is unknown or malformed")
    );
    let web = web_client(&db).await;
    assert_eq!(
        call(
            &sql,
            "token_client_credentials",
            &[&web.id, &web.secret, &method(&web), &None::<&str>, &None::<Vec<&str>>]
        )
        .await,
        refused("unauthorized_client", "the client is not registered for client_credentials")
    );
    let authenticated: Option<uuid::Uuid> = {
        let mut app = db.app().await;
        let transaction = app.transaction().await.unwrap();
        transaction.execute("select identity.authenticate($1)", &[&token]).await.unwrap();
        transaction.query_one("select identity.user_id()", &[]).await.unwrap().get(0)
    };
    assert_eq!(authenticated, None, "a client is nobody's user");
}
