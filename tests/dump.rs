//! Dump and restore: what the extension keeps is data of the database.

use std::path::Path;
use std::process::Command;

use crate::support::Database;

#[tokio::test]
async fn keys_survive_dump_and_restore() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let token: String = admin.query_one(r#"select identity.sign_jwt('{"aud": "x"}')"#, &[]).await.unwrap().get(0);
    let superuser = db.superuser().await;
    superuser.batch_execute("set pg_identity.password_pepper = on").await.unwrap();
    let hash: String = superuser.query_one("select identity.hash_password('x')", &[]).await.unwrap().get(0);
    let restored = format!("{}_restored", db.name);
    superuser.batch_execute(&format!("create database {restored}")).await.unwrap();
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
    let same = "select identity.configured_issuer() = $3 and identity.verify_password('x', $1) and identity.verify_jwt($2, 'x') is not null";
    assert!(client.query_one(same, &[&hash, &token, &db.issuer]).await.unwrap().get::<_, bool>(0));
    client.query("select identity.sign_jwt('{}'), identity.create_signing_key('EdDSA')", &[]).await.unwrap();
}
