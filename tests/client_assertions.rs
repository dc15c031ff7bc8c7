//! Client assertions, private_key_jwt and client_secret_jwt: an assertion proves its client here, now, once (RFC 7523 §3;
//! OpenID Connect Core §9). Contents, and the client that makes them.

mod attacks;
pub mod keys;
mod metadata;
mod replay;

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authorize::{Answer, Sql, call};
use crate::issuers::{ALGORITHMS, Foreign};
use crate::jwt::merged;
use crate::support::{Client, Database, client, pkce};

/// A client that signs with its key.
pub struct Signer {
    pub client: Client,
    pub key: Foreign,
}

impl Signer {
    /// A service of client_credentials with one key of this algorithm, registered by value.
    pub async fn new(db: &Database, algorithm: &str, more: Value) -> Signer {
        let key = Foreign::new(algorithm);
        let metadata = json!({
            "token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"], "jwks": key.jwks()
        });
        Signer { client: client(db, merged(metadata, more)).await, key }
    }

    /// A good assertion, changed by `claims`; null takes a claim away.
    pub fn assertion(&self, db: &Database, claims: Value) -> String {
        self.key.sign(json!({}), assertion_claims(db, &self.client, claims))
    }
}

pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

pub fn assertion_claims(db: &Database, client: &Client, change: Value) -> Value {
    let claims = json!({
        "iss": client.id, "sub": client.id, "aud": db.issuer, "jti": pkce().0, "iat": now(), "exp": now() + 60
    });
    let mut claims = merged(claims, change);
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// A token with an HMAC.
pub fn hs(algorithm: &str, header: Value, claims: &Value, secret: &[u8]) -> String {
    let hash = match algorithm {
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let header = merged(json!({ "alg": algorithm, "typ": "JWT" }), header);
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let input = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
    format!("{input}.{}", encode(tag.as_ref()))
}

/// The token endpoint's answer to an assertion, with or without a client_id beside it.
pub async fn token_for(sql: &Sql, client_id: Option<&str>, assertion: &str) -> Answer {
    call(
        sql,
        "token_client_credentials",
        &[&client_id, &assertion, &"client_assertion", &None::<&str>, &None::<Vec<&str>>],
    )
    .await
}

/// What the log says about a refusal, and whether it was one.
pub async fn detail(sql: &Sql, client_id: Option<&str>, assertion: &str) -> (String, String) {
    let query = "select outcome, coalesce(detail, '') from identity.token_client_credentials($1, $2, 'client_assertion', null, null)";
    let row = sql.query_one(query, &[&client_id, &assertion]).await.unwrap();
    (row.get(0), row.get(1))
}

#[track_caller]
pub fn assert_refused(answer: &Answer) {
    let refusal = json!({ "error": "invalid_client", "error_description": "client authentication failed" });
    assert_eq!(*answer, ("invalid_client".into(), refusal));
}

#[tokio::test]
async fn a_client_proves_itself_with_its_key_of_every_algorithm() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let mut accepted: Vec<String> =
        db.owner().await.query_one("select identity_store.client_key_algorithms()", &[]).await.unwrap().get(0);
    accepted.sort();
    let mut every = ALGORITHMS.to_vec();
    every.sort_unstable();
    assert_eq!(accepted, every);
    for algorithm in ALGORITHMS {
        for pinned in [json!({}), json!({ "token_endpoint_auth_signing_alg": algorithm })] {
            let signer = Signer::new(&db, algorithm, pinned).await;
            assert_eq!(signer.client.secret, None, "who has a key needs no secret");
            // RFC 7521 §4.2: client_id is optional beside an assertion.
            for client_id in [None, Some(signer.client.id.as_str())] {
                let (outcome, answer) = token_for(&sql, client_id, &signer.assertion(&db, json!({}))).await;
                assert_eq!(outcome, "ok", "{algorithm} {answer}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_proves_itself_with_a_mac_under_its_secret() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let metadata = json!({ "token_endpoint_auth_method": "client_secret_jwt", "grant_types": ["client_credentials"] });
    let app = client(&db, metadata.clone()).await;
    let secret = app.secret.clone().unwrap();
    for algorithm in ["HS256", "HS384", "HS512"] {
        let good = hs(algorithm, json!({}), &assertion_claims(&db, &app, json!({})), secret.as_bytes());
        assert_eq!(token_for(&sql, None, &good).await.0, "ok", "{algorithm}");
        let wrong = hs(algorithm, json!({}), &assertion_claims(&db, &app, json!({})), b"wrong");
        assert_refused(&token_for(&sql, None, &wrong).await);
    }
    // Registered for one algorithm.
    let pinned = client(&db, merged(metadata, json!({ "token_endpoint_auth_signing_alg": "HS384" }))).await;
    for (algorithm, outcome) in [("HS384", "ok"), ("HS256", "invalid_client"), ("HS512", "invalid_client")] {
        let claims = assertion_claims(&db, &pinned, json!({}));
        let assertion = hs(algorithm, json!({}), &claims, pinned.secret.as_ref().unwrap().as_bytes());
        assert_eq!(token_for(&sql, None, &assertion).await.0, outcome, "{algorithm}");
    }
    // The secret itself is not asked for, and not enough.
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let answer =
            call(&sql, "token_client_credentials", &[&app.id, &secret, &method, &None::<&str>, &None::<Vec<&str>>])
                .await;
        assert_refused(&answer);
    }
    // Nowhere in the database can it be read.
    let stored = "select count(*) from identity_store.client_secrets s
      where s.client_id = $1 and (s.secret_hash is not null or position(convert_to($2, 'UTF8') in s.sealed) > 0)";
    let found: i64 = db.superuser().await.query_one(stored, &[&app.id, &secret]).await.unwrap().get(0);
    assert_eq!(found, 0);
}

#[tokio::test]
async fn an_old_secret_signs_for_the_overlap_and_a_lost_master_key_is_no_refusal() {
    let db = Database::new().await;
    let (sql, admin) = (db.gateway_role().await, db.admin().await);
    let metadata = json!({ "token_endpoint_auth_method": "client_secret_jwt", "grant_types": ["client_credentials"] });
    let app = client(&db, metadata).await;
    let first = app.secret.clone().unwrap();
    let signs = async |secret: &str| {
        let assertion = hs("HS256", json!({}), &assertion_claims(&db, &app, json!({})), secret.as_bytes());
        token_for(&sql, None, &assertion).await.0 == "ok"
    };
    let rotated: Value =
        admin.query_one("select identity.client_rotate_secret($1, '1 hour')", &[&app.id]).await.unwrap().get(0);
    let second = rotated["client_secret"].as_str().unwrap().to_owned();
    assert!(signs(&first).await && signs(&second).await);
    // The key that seals them may be replaced.
    admin.execute("select identity.rotate_sealed_key('client_secret')", &[]).await.unwrap();
    assert!(signs(&first).await && signs(&second).await);
    let rotated: Value =
        admin.query_one("select identity.client_rotate_secret($1, '0')", &[&app.id]).await.unwrap().get(0);
    assert!(!signs(&first).await && !signs(&second).await);
    assert!(signs(rotated["client_secret"].as_str().unwrap()).await);
}

#[tokio::test]
async fn an_assertion_is_good_at_every_endpoint_that_asks_a_client() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let signer = Signer::new(&db, "ES256", json!({})).await;
    let own = |endpoint: &str| signer.assertion(&db, json!({ "aud": format!("{}{endpoint}", db.issuer) }));
    let (_, answer) = token_for(&sql, None, &own("/token")).await;
    let token = answer["access_token"].as_str().unwrap().to_owned();
    for aud in ["", "/token", "/introspect"] {
        let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&None::<&str>, &own(aud), &"client_assertion", &token, &None::<&str>];
        let (outcome, answer) = call(&sql, "token_introspect", &arguments).await;
        assert_eq!((outcome.as_str(), &answer["active"]), ("ok", &json!(true)), "{aud}");
    }
    for (aud, outcome) in [("", "ok"), ("/token", "ok"), ("/revoke", "ok"), ("/introspect", "invalid_client")] {
        let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&None::<&str>, &own(aud), &"client_assertion", &token, &None::<&str>];
        assert_eq!(call(&sql, "token_revoke", &arguments).await.0, outcome, "{aud}");
    }
}
