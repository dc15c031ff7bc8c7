//! Dump and restore: what the extension keeps is data of the database.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tokio_postgres::Client;

use crate::issuers::{API, Foreign, ISSUER};
use crate::jwt::{access_token, authenticate, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn keys_survive_dump_and_restore() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let token: String = admin.query_one(r#"select identity.sign_jwt('{"aud": "x"}')"#, &[]).await.unwrap().get(0);
    let superuser = db.superuser().await;
    superuser.batch_execute("set pg_identity.password_pepper = on").await.unwrap();
    let hash: String = superuser.query_one("select identity.hash_password('x')", &[]).await.unwrap().get(0);
    let restored = restored(&db).await;
    let same = "select identity.configured_issuer() = $3 and identity.verify_password('x', $1) and identity.verify_jwt($2, 'x') is not null";
    assert!(restored.query_one(same, &[&hash, &token, &db.issuer]).await.unwrap().get::<_, bool>(0));
    restored.query("select identity.sign_jwt('{}'), identity.create_signing_key('EdDSA')", &[]).await.unwrap();
}

#[tokio::test]
async fn audiences_trusted_issuers_and_revocations_survive_dump_and_restore() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let elsewhere = Foreign::new("ES256");
    admin.execute("select identity.configure($1, array[$1, 'https://second.example'])", &[&db.issuer]).await.unwrap();
    let trust = "select identity.trust_issuer($1, $2, $3, claims => '{\"roles\": \"groups\"}')";
    admin.execute(trust, &[&ISSUER, &API, &elsewhere.jwks()]).await.unwrap();
    admin.execute("select identity.revoke('token', 'revoked')", &[]).await.unwrap();

    let cases = [
        ("accepted", access_token(&db, json!({})).await),
        ("accepted", access_token(&db, json!({ "aud": "https://second.example" })).await),
        ("ID104", access_token(&db, json!({ "aud": "https://third.example" })).await),
        ("accepted", elsewhere.token(json!({}))),
        ("ID106", Foreign::new("ES256").token(json!({}))),
        ("ID107", access_token(&db, json!({ "jti": "revoked" })).await),
        ("ID107", elsewhere.token(json!({ "jti": "revoked" }))),
    ];
    let restored = restored(&db).await;
    for client in [&db.superuser().await, &restored] {
        for (index, (expected, token)) in cases.iter().enumerate() {
            assert_eq!(sqlstate(authenticate(client, token).await), *expected, "{index}");
        }
        // The claim mapping too.
        client.batch_execute("begin").await.unwrap();
        authenticate(client, &elsewhere.token(json!({ "groups": ["editor"] }))).await.unwrap();
        assert_eq!(
            client.query_one("select identity.roles()", &[]).await.unwrap().get::<_, Vec<String>>(0),
            ["editor"]
        );
        client.batch_execute("commit").await.unwrap();
    }
}

/// A dump of the database, restored into another one: a superuser's connection to that.
async fn restored(db: &Database) -> Client {
    let restored = format!("{}_restored", db.name);
    db.superuser().await.batch_execute(&format!("create database {restored}")).await.unwrap();
    let url = |name: &str| format!("postgres://postgres@127.0.0.1:{}/{name}", db.cluster.port);
    let pg_config = std::env::var("PGRX_PG_CONFIG_PATH").expect("cargo sets it (.cargo/config.toml)");
    let tools = Path::new(&pg_config).parent().unwrap();
    let dump = Command::new(tools.join("pg_dump")).args(["--format=custom", &url(&db.name)]).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let file = std::env::temp_dir().join(&restored);
    std::fs::write(&file, dump.stdout).unwrap();
    let restore = Command::new(tools.join("pg_restore"))
        .args(["--dbname", &url(&restored), "--jobs=2"])
        .arg(&file)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    let (client, connection) = db.cluster.config("postgres", &restored).connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
