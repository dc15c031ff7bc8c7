//! PostgREST: a login that inherits nothing, one statement that sets everything for the transaction, then `db-pre-request`, then the request.

use serde_json::{Value, json};
use tokio_postgres::{Client, Error, NoTls};

use super::roles;
use crate::jwt::{ALICE, BOB, access_token, sqlstate};
use crate::support::Database;

/// A connection of PostgREST's, to a database with an exposed table of notes.
async fn authenticator(db: &Database) -> Client {
    roles(
        db,
        &[
            "create role pgrst_authenticator login noinherit",
            "create role pgrst_anon nologin in role identity_app",
            "create role pgrst_user nologin in role identity_app",
            "grant pgrst_anon, pgrst_user to pgrst_authenticator",
        ],
    )
    .await;
    db.superuser()
        .await
        .batch_execute(&format!(
            "create schema api; grant usage on schema api to pgrst_anon, pgrst_user;
             create table api.notes (user_id uuid default identity.user_id(), body text);
             insert into api.notes values ('{ALICE}', 'of Alice'), ('{BOB}', 'of Bob');
             alter table api.notes enable row level security;
             create policy own on api.notes using (user_id = (select identity.user_id()));
             grant select, insert on api.notes to pgrst_anon, pgrst_user"
        ))
        .await
        .unwrap();
    let (client, connection) = db.cluster.config("pgrst_authenticator", &db.name).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// What PostgREST 12 and later does with a GET of `/notes` (Query.PreQuery: txVarQuery, preReqQuery), by bind parameters and in a
/// read-only transaction.
async fn get_notes(client: &Client, role: &str, headers: &Value) -> Result<Vec<String>, Error> {
    client.batch_execute("begin isolation level read committed read only").await?;
    let rows = request(client, role, headers).await;
    client.batch_execute(if rows.is_ok() { "commit" } else { "rollback" }).await?;
    rows
}

async fn request(client: &Client, role: &str, headers: &Value) -> Result<Vec<String>, Error> {
    let settings = "select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.jwt.claims', $3, true),
        set_config('request.method', 'GET', true), set_config('request.path', '/notes', true),
        set_config('request.headers', $4, true), set_config('request.cookies', '{}', true)";
    // The claims of whoever PostgREST believed are not what counts here: these are Bob's.
    let claims = json!({ "sub": BOB, "role": role }).to_string();
    client.query(settings, &[&"\"api\", \"public\"", &role, &claims, &headers.to_string()]).await?;
    client.query("select \"identity\".\"pre_request\"()", &[]).await?;
    let rows = client.query("select body from notes order by body", &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[tokio::test]
async fn the_bearer_token_of_a_request_decides_which_rows_it_sees() {
    let db = Database::new().await;
    let (postgrest, token) = (authenticator(&db).await, access_token(&db, json!({})).await);
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        let headers =
            json!({ "host": "localhost:3000", "accept": "*/*", "authorization": format!("{scheme} {token}") });
        assert_eq!(get_notes(&postgrest, "pgrst_user", &headers).await.unwrap(), ["of Alice"], "{scheme}");
    }
    // On the same connection, the next request is nobody's.
    for headers in
        [json!({}), json!({ "host": "x" }), json!({ "authorization": "Basic YTpi" }), json!({ "authorization": "" })]
    {
        assert_eq!(get_notes(&postgrest, "pgrst_anon", &headers).await.unwrap(), [""; 0], "{headers}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_is_a_401() {
    let db = Database::new().await;
    let (postgrest, token) = (authenticator(&db).await, access_token(&db, json!({})).await);
    let expired = access_token(&db, json!({ "iat": 1_000_000_000, "exp": 1_000_000_300 })).await;
    let elsewhere = access_token(&db, json!({ "aud": "https://elsewhere.example" })).await;
    db.admin().await.execute("select identity.revoke('token', 'gone')", &[]).await.unwrap();
    let revoked = access_token(&db, json!({ "jti": "gone" })).await;
    let (forged, long) = (format!("{token}AA"), "x".repeat(20_000));
    for (bad, reason) in [
        ("", "ID101"),
        ("x", "ID101"),
        (long.as_str(), "ID101"),
        (expired.as_str(), "ID102"),
        (elsewhere.as_str(), "ID104"),
        (forged.as_str(), "ID106"),
        (revoked.as_str(), "ID107"),
    ] {
        let headers = json!({ "authorization": format!("Bearer {bad}") });
        let error = get_notes(&postgrest, "pgrst_user", &headers).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        // SQLSTATE PT401 is status 401 in every version of PostgREST.
        assert_eq!((error.code().code(), error.message()), ("PT401", "invalid_token"));
        assert_eq!(error.hint(), Some(format!("SQLSTATE {reason}").as_str()));
        assert!(!format!("{error:?}").contains(&token[..40]), "the error quotes the token");
    }
    let headers = json!({ "authorization": format!("Bearer {token}") });
    assert_eq!(get_notes(&postgrest, "pgrst_user", &headers).await.unwrap(), ["of Alice"]);
}

#[tokio::test]
async fn a_role_that_does_not_inherit_identity_app_is_refused() {
    let db = Database::new().await;
    let postgrest = authenticator(&db).await;
    roles(&db, &["create role pgrst_stranger nologin", "grant pgrst_stranger to pgrst_authenticator"]).await;
    db.superuser().await.batch_execute("grant usage on schema api to pgrst_stranger").await.unwrap();
    assert_eq!(sqlstate(get_notes(&postgrest, "pgrst_stranger", &json!({})).await), "42501");
}
