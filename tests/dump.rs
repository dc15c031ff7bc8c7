//! Dump and restore: what the extension keeps is data of the database.

mod keys;

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tokio_postgres::Client;

use crate::authorize::{authorize, code, request, session, with};
use crate::issuers::{API, Foreign, ISSUER};
use crate::jwt::{access_token, authenticate, sqlstate};
use crate::support::{Cluster, Database, service_client, user, web_client};
use crate::token::redeem;
use crate::upgrade::take_master_key;

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

/// Everything a person and a client hold from before: it is worth the same in another cluster, once that has the master key.
#[tokio::test]
async fn in_another_cluster_all_goes_on_with_the_same_master_key_and_nothing_without_it() {
    let db = Database::new().await;
    let (alice, app, service) = (user(&db, "alice").await, web_client(&db).await, service_client(&db).await);
    let gateway = db.gateway_role().await;
    let cookie = session(&gateway, &alice).await;
    let asked = with(request(&app), json!({ "scope": "openid offline_access" }));
    let (_, tokens) = redeem(&gateway, &app, &code(&gateway, &asked, &cookie).await).await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str());
    let (_, pending) = authorize(&gateway, &request(&app), None).await;
    let pending = pending["resume"].as_str();

    let cluster = Cluster::start();
    let there = restored_in(&db, cluster).await;
    let superuser = there.superuser().await;
    let basic = "client_secret_basic";
    let (none, no_resource) = (None::<&str>, Vec::<String>::new());
    // What needs a key, one call of each kind: its outcome, or the SQLSTATE that it is refused with.
    let outcomes = async || {
        let gateway = there.gateway_role().await;
        let mut outcomes = Vec::new();
        for (function, arguments) in [
            (
                "sign_in(null, 'browser', $1, $2, null, null, null, null)",
                vec![&alice.username as Argument, &alice.password],
            ),
            (
                "token_refresh_token($1, $2, $3, $4, null, $5)",
                vec![&app.id, &app.secret, &basic, &refresh, &no_resource],
            ),
            (
                "token_client_credentials($1, $2, $3, $4, $5)",
                vec![&service.id, &service.secret, &basic, &none, &no_resource],
            ),
            ("authorization_resume($1, $2, 'browser')", vec![&pending, &cookie]),
            ("sign_in_page($1, null, 'browser')", vec![&pending]),
        ] {
            let row = gateway.query_one(&format!("select outcome from identity.{function}"), &arguments).await;
            outcomes.push(row.map(|row| row.get(0)).unwrap_or_else(|error| error.code().unwrap().code().to_owned()));
        }
        outcomes
    };
    let file = cluster.dir.join("master.key");
    let other = std::fs::read(&file).unwrap();
    assert_eq!(outcomes().await, ["ID003"; 5], "with another master key");
    std::fs::rename(&file, file.with_extension("away")).unwrap();
    superuser.batch_execute("select pg_reload_conf()").await.unwrap();
    assert_eq!(outcomes().await, ["ID003"; 5], "without a master key");
    std::fs::rename(file.with_extension("away"), &file).unwrap();
    take_master_key(db.cluster, cluster);
    assert_ne!(std::fs::read(&file).unwrap(), other);
    assert_eq!(outcomes().await, ["signed_in", "ok", "ok", "consent", "page"], "with the same master key");
    authenticate(&there.app().await, access).await.unwrap();
    let page = there.gateway_role().await.query_one("select outcome from identity.account_page($1)", &[&cookie]).await;
    assert_eq!(page.unwrap().get::<_, String>(0), "page");
}

type Argument<'a> = &'a (dyn tokio_postgres::types::ToSql + Sync);

/// A dump of the database, restored into another one of its cluster: a superuser's connection to that.
pub async fn restored(db: &Database) -> Client {
    let name = format!("{}_restored", db.name);
    restore(db, db.cluster, &name).await;
    superuser(db.cluster, &name).await
}

/// The same database in another cluster.
async fn restored_in(db: &Database, cluster: &'static Cluster) -> Database {
    restore(db, cluster, &db.name).await;
    db.in_cluster(cluster)
}

async fn restore(db: &Database, cluster: &Cluster, name: &str) {
    superuser(cluster, "postgres").await.batch_execute(&format!("create database {name}")).await.unwrap();
    let url = |port: u16, name: &str| format!("postgres://postgres@127.0.0.1:{port}/{name}");
    let pg_config = std::env::var("PGRX_PG_CONFIG_PATH").expect("cargo sets it (.cargo/config.toml)");
    let tools = Path::new(&pg_config).parent().unwrap();
    let dump = Command::new(tools.join("pg_dump"))
        .args(["--format=custom", &url(db.cluster.port, &db.name)])
        .output()
        .unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    // Beside the cluster: another run of the tests on this machine has databases of the same names.
    let file = db.cluster.dir.join(format!("{}.dump", db.name));
    std::fs::write(&file, dump.stdout).unwrap();
    let restore = Command::new(tools.join("pg_restore"))
        .args(["--dbname", &url(cluster.port, name), "--jobs=2"])
        .arg(&file)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
}

async fn superuser(cluster: &Cluster, database: &str) -> Client {
    let (client, connection) = cluster.config("postgres", database).connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
