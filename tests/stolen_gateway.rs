//! Somebody who has taken over the gateway's database role, with a connection of their own: what they reach, what they can
//! hold up, and what nonsense gets them. README, "The security boundary", lists what is left to them; each item is a test.

mod documents;
mod evidence;
mod leftovers;
mod locks;
mod reach;
mod timed;

use tokio_postgres::Client;

use crate::support::Database;

/// A login of its own, because it belongs to the whole cluster and some tests change it.
async fn thief(db: &Database) -> Client {
    let name = format!("stolen_{}_login", db.name);
    db.superuser().await.batch_execute(&format!("create role {name} login in role identity_gateway")).await.unwrap();
    login(db, &name).await
}

async fn login(db: &Database, name: &str) -> Client {
    let (client, connection) = db.cluster.config(name, &db.name).connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
