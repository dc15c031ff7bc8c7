//! `gateway sync-issuers`: keys of trusted issuers, from real and from ill-behaved ones, and nothing from where it must not go.

mod addresses;
mod misbehaviour;

use std::process::Output;

use serde_json::{Value, json};

use crate::issuers::{API, Foreign};
use crate::jwt::{authenticate, sqlstate};
use crate::support::{Database, Gateway, Login, service_client, until};
use crate::tls::certificate;

/// One round with this environment.
pub async fn once(db: &Database, environment: &[(&str, &str)]) -> Output {
    let url = db.url(Login::Sync);
    let environment = [&[("GATEWAY_SYNC_DATABASE_URL", url.as_str())], environment].concat();
    let mut command = tokio::process::Command::from(Gateway::command("sync-issuers", db, &environment));
    // Not std's: the issuer of some tests is a task of this very thread.
    command.arg("--once").kill_on_drop(true).output().await.unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Trusts an issuer without knowing its keys.
pub async fn trust(db: &Database, issuer: &str, audience: &str) {
    db.admin().await.execute("select identity.trust_issuer($1, $2)", &[&issuer, &audience]).await.unwrap();
}

/// Access token of a service of this gateway, which is its own audience.
async fn token_of(db: &Database, gateway: &Gateway, http: &reqwest::Client) -> String {
    let service = service_client(db).await;
    let response = http
        .post(gateway.url("/token"))
        .basic_auth(&service.id, service.secret.as_ref())
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap();
    let answer: Value = response.json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_database_believes_another_ones_tokens_after_one_round_and_again_after_its_keys_changed() {
    let (issuer_db, db) = (Database::new().await, Database::new().await);
    let (gateway, app) = (Gateway::start(&issuer_db).await, db.app().await);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    trust(&db, &gateway.issuer, &gateway.issuer).await;
    let token = token_of(&issuer_db, &gateway, &http).await;
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID105");
    let round = once(&db, &[]).await;
    assert!(round.status.success(), "{}", text(&round.stderr));
    assert_eq!(text(&round.stdout), format!("{}: 5 keys published\n", gateway.issuer));
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    // The issuer gives up a key: its tokens are good until the next round, and then no more.
    let kid = "select kid from identity.signing_keys where algorithm = 'ES256' and state = 'current'";
    let kid: String = issuer_db.superuser().await.query_one(kid, &[]).await.unwrap().get(0);
    issuer_db.admin().await.execute("select identity.revoke_signing_key($1)", &[&kid]).await.unwrap();
    let published = async || {
        let keys: Value = http.get(gateway.url("/jwks.json")).send().await.unwrap().json().await.unwrap();
        keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == json!(kid))
    };
    until("the gateway publishes the revoked key no more", async || !published().await).await;
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    assert!(once(&db, &[]).await.status.success());
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID105");
}

#[tokio::test]
async fn an_https_issuer_in_a_private_network_needs_an_exception_and_its_authority() {
    let (mut issuer_db, db) = (Database::new().await, Database::new().await);
    issuer_db.issuer = format!("https://localhost:{}", issuer_db.http_port);
    issuer_db.superuser().await.execute("select identity.configure($1)", &[&issuer_db.issuer]).await.unwrap();
    let (certificate, key) = certificate(&issuer_db, "sync");
    let environment = [("GATEWAY_TLS_CERTIFICATE_FILE", certificate.as_str()), ("GATEWAY_TLS_KEY_FILE", &key)];
    let gateway = Gateway::start_with(&issuer_db, &environment).await;
    trust(&db, &gateway.issuer, "x").await;
    let allowed = ("GATEWAY_FETCH_ALLOW", "localhost");
    let authority = ("GATEWAY_FETCH_CA_FILE", certificate.as_str());
    for (environment, why) in [
        (&[][..], "localhost has only addresses that may not be reached"),
        (&[authority], "localhost has only addresses that may not be reached"),
        (&[allowed], "certificate"),
    ] {
        let round = once(&db, environment).await;
        assert_eq!(round.status.code(), Some(1));
        assert!(text(&round.stderr).contains(why), "{}", text(&round.stderr));
    }
    for exception in ["localhost", "127.0.0.0/8,::1", "other.example,LOCALHOST"] {
        let round = once(&db, &[("GATEWAY_FETCH_ALLOW", exception), authority]).await;
        assert!(round.status.success(), "{exception}: {}", text(&round.stderr));
    }
}

#[tokio::test]
async fn it_goes_on_round_after_round() {
    let (issuer_db, db) = (Database::new().await, Database::new().await);
    let (gateway, superuser) = (Gateway::start(&issuer_db).await, db.superuser().await);
    trust(&db, &gateway.issuer, "x").await;
    let url = db.url(Login::Sync);
    let environment = [("GATEWAY_SYNC_DATABASE_URL", url.as_str()), ("GATEWAY_SYNC_INTERVAL", "1")];
    let mut daemon =
        Gateway::command("sync-issuers", &db, &environment).stderr(std::process::Stdio::null()).spawn().unwrap();
    for _ in 0..2 {
        superuser.batch_execute("update identity.trusted_issuers set keys_written_at = null").await.unwrap();
        let written = "select count(*) from identity.trusted_issuers where keys_written_at is not null";
        until("a round", async || superuser.query_one(written, &[]).await.unwrap().get::<_, i64>(0) > 0).await;
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[tokio::test]
async fn whoever_lacks_the_role_or_names_a_stranger_is_told_so() {
    let db = Database::new().await;
    let wrong = db.url(Login::App);
    let round = once(&db, &[("GATEWAY_SYNC_DATABASE_URL", &wrong)]).await;
    assert_eq!(round.status.code(), Some(1));
    assert!(text(&round.stderr).contains("42501"), "{}", text(&round.stderr));
    let round = once(&db, &[("GATEWAY_SYNC_ISSUERS", "https://stranger.example")]).await;
    assert_eq!(round.status.code(), Some(1));
    assert!(text(&round.stderr).contains("https://stranger.example is not trusted"), "{}", text(&round.stderr));
    // Nobody is trusted: nothing to do, and no fault.
    assert!(once(&db, &[]).await.status.success());
    let secret = "postgres://sync_login:secret@127.0.0.1/x";
    let round =
        Gateway::command("sync-issuers", &db, &[]).args(["--once", "--sync-database-url", secret]).output().unwrap();
    assert_eq!(round.status.code(), Some(1));
    assert!(text(&round.stderr).contains("readable by every user") && !text(&round.stderr).contains("secret@"));
}

#[tokio::test]
async fn keys_written_by_hand_stay_when_the_issuer_cannot_be_fetched() {
    let db = Database::new().await;
    let (app, ec) = (db.app().await, Foreign::new("ES256"));
    let issuer = format!("http://localhost:{}", crate::support::free_port());
    let trust = "select identity.trust_issuer($1, $2, $3)";
    db.admin().await.execute(trust, &[&issuer, &API, &ec.jwks()]).await.unwrap();
    let round = once(&db, &[]).await;
    assert_eq!(round.status.code(), Some(1));
    let said = text(&round.stderr);
    assert!(
        said.contains("its keys stay as they are") && said.contains("1 of 1 issuers could not be fetched"),
        "{said}"
    );
    assert_eq!(sqlstate(authenticate(&app, &ec.token(json!({ "iss": issuer }))).await), "accepted");
}
