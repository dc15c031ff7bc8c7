//! Keys of a client: by value, or fetched from its jwks_uri by the gateway, stored with source and time, asked for again
//! when a kid is unknown, but only so often.

use serde_json::{Value, json};

use super::{Signer, assert_refused, assertion_claims, detail, token_for};
use crate::authorize::Sql;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::support::{Client, Database, client};

pub const JWKS_URI: &str = "https://client.example/jwks";

async fn distant(db: &Database) -> Client {
    let metadata = json!({
        "token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"], "jwks_uri": JWKS_URI
    });
    client(db, metadata).await
}

/// A key with this kid.
pub fn named(kid: &str) -> Foreign {
    let mut key = Foreign::new("ES256");
    key.jwk["kid"] = json!(kid);
    key
}

/// Whether they are kept.
pub async fn store(sql: &Sql, app: &Client, uri: &str, document: Option<&str>) -> bool {
    let query = "select outcome, answer, detail from identity.client_keys_store($1, $2, $3, $4)";
    let failure = document.is_none().then_some("it is away");
    let row = sql.query_one(query, &[&app.id, &uri, &document, &failure]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, Value>(1)), ("ok", json!({})));
    row.get::<_, Option<&str>>(2).is_none()
}

#[tokio::test]
async fn a_new_key_is_asked_for_and_then_known() {
    let db = Database::new().await;
    let (sql, app, old, new) = (db.gateway_role().await, distant(&db).await, named("old"), named("new"));
    let signed = |key: &Foreign| {
        let kid = key.jwk["kid"].clone();
        key.sign(json!({ "kid": kid }), assertion_claims(&db, &app, json!({})))
    };
    let need = ("need".to_owned(), json!({ "kind": "jwks", "url": JWKS_URI, "client_id": app.id }));
    let first = signed(&old);
    assert_eq!(token_for(&sql, None, &first).await, need);
    // Asking spends nothing: the same request is made again.
    assert!(store(&sql, &app, JWKS_URI, Some(&old.jwks().to_string())).await);
    assert_eq!(token_for(&sql, None, &first).await.0, "ok");
    // Rotation, seconds after the last fetch.
    let second = signed(&new);
    assert_eq!(token_for(&sql, None, &second).await, need);
    let both = json!({ "keys": [old.jwk, new.jwk] });
    assert!(store(&sql, &app, JWKS_URI, Some(&both.to_string())).await);
    assert_eq!(token_for(&sql, None, &second).await.0, "ok");
    assert_eq!(token_for(&sql, None, &signed(&old)).await.0, "ok");
    // And the old one goes.
    assert!(store(&sql, &app, JWKS_URI, Some(&new.jwks().to_string())).await);
    assert_eq!(token_for(&sql, None, &signed(&old)).await, need);
    // A known kid with a bad signature is nothing that other keys could mend.
    let mut forger = named("new");
    forger.jwk["kid"] = json!("new");
    assert_eq!(detail(&sql, None, &signed(&forger)).await.1, "client assertion: bad_signature");
}

#[tokio::test]
async fn a_client_is_asked_for_its_keys_five_times_a_minute_and_no_more() {
    let db = Database::new().await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let (app, key) = (distant(&db).await, named("a"));
    let unknown = || {
        let stranger = named("b");
        stranger.sign(json!({ "kid": "b" }), assertion_claims(&db, &app, json!({})))
    };
    let document = key.jwks().to_string();
    for _ in 0..4 {
        assert_eq!(token_for(&sql, None, &unknown()).await.0, "need");
        assert!(store(&sql, &app, JWKS_URI, Some(&document)).await);
    }
    // What could not be fetched counts, and leaves the keys there are.
    assert!(!store(&sql, &app, JWKS_URI, None).await);
    assert_refused(&token_for(&sql, None, &unknown()).await);
    assert!(!store(&sql, &app, JWKS_URI, Some(r#"{"keys":[]}"#)).await, "not due");
    let good = key.sign(json!({ "kid": "a" }), assertion_claims(&db, &app, json!({})));
    assert_eq!(token_for(&sql, None, &good).await.0, "ok");
    let age = "update identity_store.client_key_sets set window_since = window_since - interval '1 minute'";
    superuser.batch_execute(age).await.unwrap();
    assert_eq!(token_for(&sql, None, &unknown()).await.0, "need");
}

#[tokio::test]
async fn keys_are_fetched_again_after_an_hour_and_count_for_nothing_after_a_day() {
    let db = Database::new().await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let (app, key) = (distant(&db).await, named("a"));
    let good = || key.sign(json!({ "kid": "a" }), assertion_claims(&db, &app, json!({})));
    assert!(store(&sql, &app, JWKS_URI, Some(&key.jwks().to_string())).await);
    let age = async |hours: i32| {
        let age = "update identity_store.client_key_sets
          set fetched_at = now() - make_interval(hours => $1), asked_at = now() - make_interval(hours => $1), window_since = now() - make_interval(hours => $1)";
        superuser.execute(age, &[&hours]).await.unwrap();
    };
    age(2).await;
    assert_eq!(token_for(&sql, None, &good()).await.0, "need");
    // It is away: the keys there are go on for a day.
    assert!(!store(&sql, &app, JWKS_URI, None).await);
    assert_eq!(token_for(&sql, None, &good()).await.0, "ok");
    age(25).await;
    assert!(!store(&sql, &app, JWKS_URI, None).await);
    assert_eq!(token_for(&sql, None, &good()).await.0, "need");
}

#[tokio::test]
async fn only_the_registered_address_counts_and_never_in_place_of_keys_by_value() {
    let db = Database::new().await;
    let (sql, admin) = (db.gateway_role().await, db.admin().await);
    let (app, key, evil) = (distant(&db).await, named("a"), named("a"));
    let signed = |by: &Foreign| by.sign(json!({ "kid": "a" }), assertion_claims(&db, &app, json!({})));
    for uri in ["https://evil.example/jwks", "https://client.example/jwks/", "", "HTTPS://client.example/jwks"] {
        assert!(!store(&sql, &app, uri, Some(&evil.jwks().to_string())).await, "{uri}");
    }
    assert!(store(&sql, &app, JWKS_URI, Some(&key.jwks().to_string())).await);
    assert_eq!(token_for(&sql, None, &signed(&key)).await.0, "ok");
    // Moved: what came from the old address is none of its keys.
    let patch = json!({ "jwks_uri": "https://client.example/new" });
    admin.execute("select identity.client_update($1, $2)", &[&app.id, &patch]).await.unwrap();
    assert_eq!(token_for(&sql, None, &signed(&key)).await.0, "need");
    // By value.
    let patch = json!({ "jwks_uri": null, "jwks": key.jwks() });
    admin.execute("select identity.client_update($1, $2)", &[&app.id, &patch]).await.unwrap();
    assert!(!store(&sql, &app, JWKS_URI, Some(&evil.jwks().to_string())).await);
    assert_eq!(token_for(&sql, None, &signed(&key)).await.0, "ok");
    assert_eq!(token_for(&sql, None, &signed(&evil)).await.0, "invalid_client");
    let by_value = Signer::new(&db, "ES256", json!({})).await;
    assert!(!store(&sql, &by_value.client, JWKS_URI, Some(&evil.jwks().to_string())).await);
    assert_eq!(token_for(&sql, None, &by_value.assertion(&db, json!({}))).await.0, "ok");
}

#[tokio::test]
async fn a_document_that_is_no_set_of_public_keys_changes_nothing() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let (app, key) = (distant(&db).await, named("a"));
    assert!(store(&sql, &app, JWKS_URI, Some(&key.jwks().to_string())).await);
    let private = json!({ "keys": [key.jwk, merged(key.jwk.clone(), json!({ "d": "x", "kid": "p" }))] }).to_string();
    let large = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(65_536));
    for document in [private.as_str(), &large, "<html>", r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#] {
        assert!(!store(&sql, &app, JWKS_URI, Some(document)).await, "{document:.60}");
    }
    let good = key.sign(json!({ "kid": "a" }), assertion_claims(&db, &app, json!({})));
    assert_eq!(token_for(&sql, None, &good).await.0, "ok");
}

#[tokio::test]
async fn a_set_may_hold_keys_for_other_purposes_and_a_token_may_name_none() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let (app, key, other) = (distant(&db).await, named("a"), named("b"));
    let encryption = merged(key.jwk.clone(), json!({ "use": "enc" }));
    let set = json!({ "keys": [encryption, { "kty": "AKP" }, other.jwk] }).to_string();
    assert!(store(&sql, &app, JWKS_URI, Some(&set)).await);
    let claims = || assertion_claims(&db, &app, json!({}));
    // What is published for encryption signs nothing.
    assert_eq!(token_for(&sql, None, &key.sign(json!({ "kid": "a" }), claims())).await.0, "need");
    let nameless = |by: &Foreign| by.sign_text(json!({ "alg": "ES256" }).to_string(), claims().to_string());
    assert_eq!(token_for(&sql, None, &nameless(&other)).await.0, "ok");
    // It may be a new one.
    assert_eq!(token_for(&sql, None, &nameless(&named("c"))).await.0, "need");
}
