//! The master key file: without a well-kept one nothing that needs it works, and it can be changed.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tokio_postgres::Client;

use crate::support::{Cluster, Database};

async fn opened(client: &Client, purpose: &str, sealed: &str) -> Option<String> {
    client.query_one("select identity.state_open($1, $2)::text", &[&purpose, &sealed]).await.unwrap().get(0)
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// A cluster whose master key file the test may spoil.
struct Spoiled {
    db: Database,
    file: PathBuf,
}

impl Spoiled {
    async fn new() -> Self {
        let db = Database::on(Cluster::start()).await;
        let file = db.cluster.dir.join("master.key");
        Self { db, file }
    }

    fn write(&self, keys: &str) {
        set_permissions(&self.file, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&self.file, keys).unwrap();
        set_permissions(&self.file, Permissions::from_mode(0o400)).unwrap();
    }

    /// What a new backend, which has not read the file yet, says to each kind of function.
    async fn refusals(&self) -> Vec<Option<String>> {
        let client = self.db.superuser().await;
        let mut refusals = Vec::new();
        for call in [
            "select identity.state_seal('x', '{}', '1 minute')",
            "select identity.keyed_hash('x', 'y')",
            "select identity.refresh_seed()",
            "select identity.create_signing_key('EdDSA')",
            "select identity.rewrap_keys()",
            "select identity.sign_jwt('{}')",
        ] {
            refusals.push(client.query(call, &[]).await.err().map(|error| error.code().unwrap().code().to_owned()));
        }
        refusals
    }
}

#[tokio::test]
async fn without_a_well_kept_master_key_every_function_that_needs_it_refuses() {
    let spoiled = Spoiled::new().await;
    let good = std::fs::read_to_string(&spoiled.file).unwrap();
    for (mode, keys) in [
        (0o440, good.as_str()),
        (0o404, good.as_str()),
        (0o400, ""),
        (0o400, "not a key"),
        // A key, but not the one that sealed.
        (0o400, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ] {
        spoiled.write(keys);
        set_permissions(&spoiled.file, Permissions::from_mode(mode)).unwrap();
        let refusals = spoiled.refusals().await;
        let refused = refusals.iter().filter(|code| code.as_deref() == Some("ID003")).count();
        // The other key opens nothing, but it can seal a new one: create_signing_key works.
        let expected = if keys.starts_with('A') { refusals.len() - 1 } else { refusals.len() };
        assert_eq!(refused, expected, "{mode:o} {keys:.3}: {refusals:?}");
    }
    spoiled.write(&good);
    std::fs::rename(&spoiled.file, spoiled.file.with_extension("away")).unwrap();
    assert!(spoiled.refusals().await.iter().all(|code| code.as_deref() == Some("ID003")));
    // The server starts all the same, and says what is wrong.
    spoiled.db.cluster.control("restart");
    let log = std::fs::read_to_string(spoiled.db.cluster.dir.join("log")).unwrap();
    assert!(log.contains("WARNING:  the master key file is missing"));
    let client = spoiled.db.superuser().await;
    assert!(client.query("select identity.hash_password('x'), identity.jwks()", &[]).await.is_ok());
    std::fs::rename(spoiled.file.with_extension("away"), &spoiled.file).unwrap();
    assert!(client.query("select identity.state_seal('x', '{}', '1 minute')", &[]).await.is_ok());
}

#[tokio::test]
async fn a_master_key_is_changed_by_adding_rewrapping_and_removing() {
    let spoiled = Spoiled::new().await;
    let client = spoiled.db.superuser().await;
    let old = std::fs::read_to_string(&spoiled.file).unwrap();
    let sealed = text(&client, "select identity.state_seal('x', '{}', '1 hour')").await;
    let rewrapped = "select identity.rewrap_keys()";
    assert_eq!(client.query_one(rewrapped, &[]).await.unwrap().get::<_, i32>(0), 0);
    let new = format!("# the second key\n2 {}\n", "0123456789abcdef".repeat(4));
    spoiled.write(&format!("{new}{old}"));
    // A backend that has read the file reads it again after a reload only.
    assert_eq!(client.query_one(rewrapped, &[]).await.unwrap().get::<_, i32>(0), 0);
    let keys: i64 = client
        .query_one(
            "select (select count(*) from identity.sealed_keys) + (select count(private_sealed) from identity.encryption_keys) + count(private_sealed) from identity.signing_keys",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(i64::from(spoiled.db.superuser().await.query_one(rewrapped, &[]).await.unwrap().get::<_, i32>(0)), keys);
    spoiled.write(&new);
    let later = spoiled.db.superuser().await;
    assert_eq!(opened(&later, "x", &sealed).await.as_deref(), Some("{}"));
    assert!(later.query("select identity.sign_jwt('{}')", &[]).await.is_ok());
    client.batch_execute("select pg_reload_conf()").await.unwrap();
    // The signal arrives between two statements of ours.
    while client.query_one("select pg_conf_load_time() > statement_timestamp() - interval '1 hour' and identity.sealed_rewrap('state', id, sealed) is null from identity.sealed_keys where purpose = 'state'", &[]).await.is_err() {}
    assert_eq!(client.query_one(rewrapped, &[]).await.unwrap().get::<_, i32>(0), 0);
}
