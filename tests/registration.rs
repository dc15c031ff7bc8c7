//! Dynamic registration (RFC 7591, OpenID Connect Registration 1.0) and management (RFC 7592): sql/store/functions/registration*.sql
//! and gateway/src/registration.rs. Contents, and how clients register here.

mod authorization;
mod bounds;
mod create;
mod http;
mod management;
mod policy;
pub mod sector;
mod statements;
mod strangers;

use serde_json::{Value, json};

use crate::authorize::{Answer, Sql, call};
use crate::support::{Client, Database};

/// Says who may register: the first argument of registration_configure, and more of them.
pub async fn configure(db: &Database, arguments: &str) {
    let query = format!("select identity.registration_configure({arguments})");
    db.admin().await.execute(&query, &[]).await.unwrap();
}

/// An initial access token for so many clients.
pub async fn initial_access_token(db: &Database, max_uses: i32) -> String {
    let query = "select identity.registration_token_create('a partner', max_uses => $1) ->> 'initial_access_token'";
    db.admin().await.query_one(query, &[&max_uses]).await.unwrap().get(0)
}

/// A registration from this address.
pub async fn register_from(sql: &Sql, metadata: &Value, source: &str) -> Answer {
    call(sql, "registration_create", &[metadata, &None::<&str>, &source, &None::<Value>]).await
}

pub async fn register(sql: &Sql, metadata: &Value) -> Answer {
    register_from(sql, metadata, "192.0.2.1").await
}

/// The same, which must succeed.
pub async fn registered(sql: &Sql, metadata: &Value) -> Value {
    let (outcome, answer) = register(sql, metadata).await;
    assert_eq!(outcome, "registered", "{answer}");
    answer
}

/// With an initial access token.
pub async fn register_with(sql: &Sql, metadata: &Value, token: &str) -> Answer {
    call(sql, "registration_create", &[metadata, &token, &"192.0.2.1", &None::<Value>]).await
}

pub async fn read(sql: &Sql, client_id: &str, token: &str) -> Answer {
    call(sql, "registration_read", &[&client_id, &token]).await
}

pub async fn replace(sql: &Sql, client_id: &str, token: &str, metadata: &Value) -> Answer {
    call(sql, "registration_update", &[&client_id, &token, metadata, &None::<Value>]).await
}

pub async fn delete(sql: &Sql, client_id: &str, token: &str) -> Answer {
    call(sql, "registration_delete", &[&client_id, &token]).await
}

pub fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer[member].as_str().unwrap_or_else(|| panic!("no {member} in {answer}"))
}

/// The client of a registration response.
pub fn client_of(answer: &Value) -> Client {
    Client {
        id: text(answer, "client_id").into(),
        secret: answer["client_secret"].as_str().map(Into::into),
        metadata: answer.clone(),
    }
}

pub fn refused(error: &str, description: &str) -> Answer {
    (error.into(), json!({ "error": error, "error_description": description }))
}

pub const NO_TOKEN: &str = "the registration access token is not valid";

/// A confidential client of one redirect URI.
pub fn confidential() -> Value {
    json!({ "redirect_uris": ["https://a.example/cb"], "client_name": "A" })
}

/// As a program on a person's device registers.
pub fn public() -> Value {
    json!({
        "redirect_uris": ["http://127.0.0.1:33418/", "https://a.example/cb"], "client_name": "MCP client",
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]
    })
}

pub async fn count(db: &Database, query: &str) -> i64 {
    db.superuser().await.query_one(&format!("select count(*) from {query}"), &[]).await.unwrap().get(0)
}
