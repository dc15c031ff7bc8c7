//! Sealing: what is sealed opens for its purpose, issuer and time only, and for no caller.

use tokio_postgres::Client;

use crate::support::Database;

async fn refusal(client: &Client, sql: &str) -> String {
    client.query(sql, &[]).await.unwrap_err().code().unwrap().code().to_owned()
}

async fn opened(client: &Client, purpose: &str, sealed: &str) -> Option<String> {
    client.query_one("select identity.state_open($1, $2)::text", &[&purpose, &sealed]).await.unwrap().get(0)
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_state_opens_for_its_purpose_and_issuer_only() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let sealed = text(&owner, r#"select identity.state_seal('login', '{"a": 1}', '10 minutes')"#).await;
    assert_eq!(opened(&owner, "login", &sealed).await.as_deref(), Some(r#"{"a": 1}"#));
    assert_eq!(opened(&owner, "consent", &sealed).await, None);
    assert_eq!(opened(&owner, "login", &format!("{sealed}A")).await, None);
    assert_eq!(opened(&owner, "login", &sealed[..sealed.len() - 4]).await, None);
    assert_eq!(opened(&owner, "login", "").await, None);
    assert_eq!(opened(&owner, "login", "é").await, None);
    owner.batch_execute("select identity.configure('https://another.example')").await.unwrap();
    assert_eq!(opened(&owner, "login", &sealed).await, None);
}

#[tokio::test]
async fn an_expired_state_does_not_open() {
    let owner = Database::new().await.owner().await;
    let sealed = text(&owner, "select identity.state_seal('login', '{}', '0 seconds')").await;
    assert_eq!(opened(&owner, "login", &sealed).await, None);
}

#[tokio::test]
async fn a_state_outlives_the_rotation_of_its_key() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let sealed = text(&owner, "select identity.state_seal('login', '{}', '10 minutes')").await;
    db.admin().await.batch_execute("select identity.rotate_sealed_key('state')").await.unwrap();
    assert_eq!(opened(&owner, "login", &sealed).await.as_deref(), Some("{}"));
    let later = text(&owner, "select identity.state_seal('login', '{}', '10 minutes')").await;
    assert_ne!(sealed[2..12], later[2..12], "the id of the key is part of the state");
}

#[tokio::test]
async fn nobody_opens_sealed_bytes_for_a_caller() {
    let db = Database::new().await;
    for client in [db.app().await, db.gateway_role().await, db.admin().await] {
        for call in [
            "select identity.state_open('login', 'x')",
            "select identity.state_seal('login', '{}', '1 minute')",
            "select identity.keyed_hash('x', 'y')",
            "select identity.refresh_token(identity.uuid_v7(), 1, '')",
            "select sealed from identity.sealed_keys",
            "select private_sealed from identity.signing_keys",
        ] {
            assert_eq!(refusal(&client, call).await, "42501", "{call}");
        }
    }
}

#[tokio::test]
async fn a_keyed_hash_depends_on_purpose_data_and_database() {
    let (one, other) = (Database::new().await, Database::new().await);
    let hash = "select encode(identity.keyed_hash('bucket', 'alice'), 'hex')";
    let (mine, again) = (text(&one.owner().await, hash).await, text(&one.owner().await, hash).await);
    assert_eq!(mine, again);
    assert_eq!(mine.len(), 64);
    let purpose = text(&one.owner().await, "select encode(identity.keyed_hash('another', 'alice'), 'hex')").await;
    assert_ne!(mine, purpose);
    // A clone has the keys of its template until they are made anew.
    let owner = other.owner().await;
    owner.batch_execute("delete from identity.sealed_keys; select identity.create_sealed_keys()").await.unwrap();
    assert_ne!(mine, text(&owner, hash).await);
}
