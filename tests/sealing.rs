//! Sealing: what is sealed opens for its purpose, issuer and time only; and without a well-kept master key nothing works.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use support::{Cluster, Database};
use tokio_postgres::Client;

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

#[tokio::test]
async fn an_opaque_secret_names_its_row_and_is_stored_as_a_hash() {
    let owner = Database::new().await.owner().await;
    let minted = owner
        .query_one("select m.token, m.hash, i.id from identity.uuid_v7() as i (id), identity.opaque_mint('code', i.id) as m", &[])
        .await
        .unwrap();
    let (token, hash, id): (String, Vec<u8>, uuid::Uuid) = (minted.get(0), minted.get(1), minted.get(2));
    assert!(token.starts_with("code_") && token.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"_-".contains(&letter)));
    let parsed = owner.query_one("select id, hash from identity.opaque_parse('code', $1)", &[&token]).await.unwrap();
    assert_eq!((parsed.get::<_, uuid::Uuid>(0), parsed.get::<_, Vec<u8>>(1)), (id, hash));
    for (prefix, token) in [("session", token.clone()), ("code", format!("{token}A")), ("code", token.replacen("code", "cod", 1)), ("code", String::new())] {
        let rows = owner.query("select 1 from identity.opaque_parse($1, $2)", &[&prefix, &token]).await.unwrap();
        assert!(rows.is_empty(), "{prefix} {token}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_computed_from_family_generation_and_seed() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let row = owner.query_one("select identity.uuid_v7(), identity.refresh_seed(), identity.refresh_seed()", &[]).await.unwrap();
    let (family, seed, foreign): (uuid::Uuid, Vec<u8>, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
    let token = |generation: i32| {
        let (owner, seed) = (&owner, &seed);
        async move { owner.query_one("select identity.refresh_token($1, $2, $3)", &[&family, &generation, seed]).await.unwrap().get::<_, String>(0) }
    };
    let third = token(3).await;
    db.admin().await.batch_execute("select identity.rotate_sealed_key('refresh')").await.unwrap();
    assert_eq!(token(3).await, third);
    assert_ne!(token(4).await, third);
    let parsed = owner.query_one("select family, generation from identity.refresh_parse($1)", &[&third]).await.unwrap();
    assert_eq!((parsed.get::<_, uuid::Uuid>(0), parsed.get::<_, i32>(1)), (family, 3));
    let matches = "select identity.refresh_matches($1, $2), identity.refresh_matches($1, $3), identity.refresh_matches('rt_x', $2)";
    let row = owner.query_one(matches, &[&third, &seed, &foreign]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1), row.get::<_, bool>(2)), (true, false, false));
}

#[tokio::test]
async fn ids_ascend_and_carry_their_time() {
    let app = Database::new().await.app().await;
    let ascending = "with ids as materialized (select n, identity.uuid_v7() as id from generate_series(1, 10000) as n)
      select bool_and(id > before), bool_and(abs(extract(epoch from identity.uuid_v7_time(id) - clock_timestamp())) < 60)
      from (select id, lag(id) over (order by n) as before from ids) as pairs";
    let row = app.query_one(ascending, &[]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (true, true));
    // RFC 9562 appendix A.6
    let example = "select identity.uuid_v7_time('017F22E2-79B0-7CC3-98C4-DC0C0C07398F') = '2022-02-22T19:22:22Z',
      identity.uuid_v7_floor('2022-02-22T19:22:22Z') = '017f22e2-79b0-7000-8000-000000000000',
      identity.uuid_v7_time('017F22E2-79B0-4CC3-98C4-DC0C0C07398F') is null";
    let row = app.query_one(example, &[]).await.unwrap();
    assert!((0..3).all(|column| row.get(column)));
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
    async fn refusals(&self) -> Vec<String> {
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
            refusals.push(refusal(&client, call).await);
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
        // The lost key still leaves a key that can seal a new one.
        let expected = |index: usize| index != 3 || !keys.starts_with('A');
        assert!(refusals.iter().enumerate().all(|(index, code)| code == "ID003" || !expected(index)), "{mode:o} {keys:.3}: {refusals:?}");
    }
    spoiled.write(&good);
    std::fs::rename(&spoiled.file, spoiled.file.with_extension("away")).unwrap();
    assert!(spoiled.refusals().await.iter().all(|code| code == "ID003"));
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
        .query_one("select (select count(*) from identity.sealed_keys) + count(private_sealed) from identity.signing_keys", &[])
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
