//! Issuers that misbehave: each keeps its old keys, none stops the others.

use serde_json::{Value, json};

use super::{once, text, trust};
use crate::issuers::{API, Foreign};
use crate::jwt::{authenticate, sqlstate};
use crate::support::{Database, Says, Stranger};

/// Serves these answers by path, as the issuer whose identifier they are told.
async fn serve(answers: impl FnOnce(&str) -> Vec<(String, Says)>) -> String {
    let stranger = Stranger::new().await;
    for (path, says) in answers(&stranger.origin) {
        stranger.says(&path, says);
    }
    stranger.origin
}

fn metadata(issuer: &str, jwks_uri: &str) -> Says {
    Says::ok("application/json", json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string())
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An issuer whose discovery document is good and whose keys are this answer.
async fn with_keys(answer: Says) -> String {
    serve(|issuer| {
        let discovery = metadata(issuer, &format!("{issuer}/keys"));
        vec![(DISCOVERY.to_owned(), discovery), ("/keys".to_owned(), answer)]
    })
    .await
}

#[tokio::test]
async fn an_issuer_that_misbehaves_keeps_its_keys_and_stops_no_other() {
    let db = Database::new().await;
    let (app, old, new) = (db.app().await, Foreign::new("ES256"), Foreign::new("EdDSA"));
    let keys = |jwk: &Value| json!({ "keys": [jwk] }).to_string();
    let good = with_keys(Says::ok("application/jwk-set+json; charset=utf-8", keys(&new.jwk))).await;
    let mut private = new.jwk.clone();
    private["d"] = json!("AAAA");
    let endless = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{}",
        " ".repeat(300_000)
    );
    let bad = [
        ("status 302", with_keys(Says::redirect(&format!("{good}/keys"))).await),
        ("longer than 262144 bytes", with_keys(Says::Answer(endless)).await),
        ("status 500", with_keys(Says::Answer("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".into())).await),
        ("Content-Type", with_keys(Says::ok("text/html", keys(&new.jwk))).await),
        ("is not JSON", with_keys(Says::ok("application/json", "{")).await),
        ("private or symmetric", with_keys(Says::ok("application/json", keys(&private))).await),
        ("no sound signing key", with_keys(Says::ok("application/json", "{\"keys\": []}")).await),
        ("did not answer in time", serve(|_| Vec::new()).await),
        (
            "that of another issuer",
            serve(|_| vec![(DISCOVERY.to_owned(), metadata("https://elsewhere.example", &format!("{good}/keys")))])
                .await,
        ),
        (
            // Byte for byte: a slash is another issuer.
            "that of another issuer",
            serve(|issuer| vec![(DISCOVERY.to_owned(), metadata(&format!("{issuer}/"), &format!("{good}/keys")))])
                .await,
        ),
        (
            "names no jwks_uri",
            serve(|issuer| {
                vec![(DISCOVERY.to_owned(), Says::ok("application/json", json!({ "issuer": issuer }).to_string()))]
            })
            .await,
        ),
        (
            "private or special",
            serve(|issuer| vec![(DISCOVERY.to_owned(), metadata(issuer, "http://169.254.169.254/keys"))]).await,
        ),
        (
            "only https is fetched",
            serve(|issuer| vec![(DISCOVERY.to_owned(), metadata(issuer, "file:///etc/passwd"))]).await,
        ),
    ];
    let admin = db.admin().await;
    for (_, issuer) in &bad {
        admin.execute("select identity.trust_issuer($1, $2, $3)", &[issuer, &API, &old.jwks()]).await.unwrap();
    }
    trust(&db, &good, API).await;
    let round = once(&db, &[("GATEWAY_FETCH_TIMEOUT", "2")]).await;
    assert_eq!(round.status.code(), Some(1));
    let said = text(&round.stderr);
    assert!(said.contains(&format!("{} of {} issuers could not be fetched", bad.len(), bad.len() + 1)), "{said}");
    for (why, issuer) in &bad {
        let line = said.lines().find(|line| line.starts_with(&format!("gateway: {issuer}:")));
        assert!(line.is_some_and(|line| line.contains(why)), "{issuer}: {why} is not in\n{said}");
        assert_eq!(sqlstate(authenticate(&app, &old.token(json!({ "iss": issuer }))).await), "accepted", "{why}");
    }
    assert_eq!(text(&round.stdout), format!("{good}: 1 keys published\n"));
    assert_eq!(sqlstate(authenticate(&app, &new.token(json!({ "iss": good }))).await), "accepted");
}

#[tokio::test]
async fn an_issuer_that_ends_in_a_slash_is_found_without_doubling_it() {
    let db = Database::new().await;
    let key = Foreign::new("ES256");
    let server = serve(|issuer| {
        vec![
            (
                format!("/realms/acme{DISCOVERY}"),
                metadata(&format!("{issuer}/realms/acme/"), &format!("{issuer}/keys")),
            ),
            ("/keys".to_owned(), Says::ok("application/json", key.jwks().to_string())),
        ]
    })
    .await;
    let issuer = format!("{server}/realms/acme/");
    trust(&db, &issuer, API).await;
    let round = once(&db, &[]).await;
    assert!(round.status.success(), "{}", text(&round.stderr));
    assert_eq!(sqlstate(authenticate(&db.app().await, &key.token(json!({ "iss": issuer }))).await), "accepted");
}
