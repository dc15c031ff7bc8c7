//! The verified identity of a transaction: who is signed in, how long, and that nobody can plant one.
//!
//! Each module attacks from one side, as an ordinary role that inherits identity_app, through real commits.

mod connections;
mod discard;
mod parallel;
mod plans;
mod pooler;
mod readers;
pub mod replicas;
mod roles;
mod setting;
mod shadowing;
mod transactions;
mod triggers;

use serde_json::json;
use tokio_postgres::Client;

use crate::jwt::{ALICE, BOB, access_token, authenticate};
use crate::support::Database;

async fn subject(client: &Client) -> Option<String> {
    client.query_one("select identity.subject()", &[]).await.unwrap().get(0)
}

/// An access token of this person.
async fn token_of(db: &Database, person: &str) -> String {
    access_token(db, json!({ "sub": person })).await
}

/// Begins a transaction of this person.
async fn sign_in(db: &Database, client: &Client, person: &str) {
    client.batch_execute("begin").await.unwrap();
    authenticate(client, &token_of(db, person).await).await.unwrap();
}

/// A protected table with a letter to alice and one to bob.
async fn letters(db: &Database) -> Client {
    let superuser = db.superuser().await;
    superuser
        .batch_execute(&format!(
            "create table public.letters (user_id uuid, body text);
             insert into public.letters values ('{ALICE}', 'to alice'), ('{BOB}', 'to bob');
             select identity.protect('public.letters');
             grant select, insert, update, delete on public.letters to app_login"
        ))
        .await
        .unwrap();
    superuser
}

/// The letters that this connection sees.
async fn bodies(client: &Client) -> Vec<String> {
    let rows = client.query("select body from public.letters order by body", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
