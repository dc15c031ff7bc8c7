//! A self-signed certificate is one of the client's own: by value, or where it publishes its keys (RFC 8705 §2.2).

use serde_json::{Value, json};

use super::{Certificate, UNVERIFIED, VERIFIED, detail, known_by, shown};
use crate::authorize::Sql;
use crate::jwt::merged;
use crate::support::{Client, Database};

const JWKS_URI: &str = "https://client.example/jwks";
const UNKNOWN: &str = "client certificate: unknown_key";

#[tokio::test]
async fn a_self_signed_certificate_is_known_by_its_key_or_by_itself() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let (own, other) = (Certificate::new("/CN=own", ""), Certificate::new("/CN=own", ""));
    let again = own.again("/CN=again");
    let with = |change: Value| json!({ "jwks": { "keys": [other.jwk(), merged(own.jwk(), change)] } });
    // Of its key any certificate is good.
    let by_key = known_by(&db, UNVERIFIED, with(json!({ "kid": "a", "use": "sig", "alg": "ES256" }))).await;
    for method in [UNVERIFIED, VERIFIED] {
        for certificate in [&own, &again, &other] {
            assert_eq!(shown(&sql, Some(&by_key.id), method, Some(&certificate.der)).await.0, "ok");
        }
        let stranger = Certificate::new("/CN=own", "");
        assert_eq!(detail(&sql, &by_key, method, Some(&stranger.der)).await, UNKNOWN);
    }
    // Where it registered the certificate itself, no other of the same key.
    let by_itself = known_by(&db, UNVERIFIED, with(json!({ "x5c": [own.base64()] }))).await;
    assert_eq!(shown(&sql, Some(&by_itself.id), UNVERIFIED, Some(&own.der)).await.0, "ok");
    assert_eq!(detail(&sql, &by_itself, UNVERIFIED, Some(&again.der)).await, UNKNOWN);
    // What is for encryption proves nobody.
    let encrypts = known_by(&db, UNVERIFIED, with(json!({ "use": "enc" }))).await;
    assert_eq!(detail(&sql, &encrypts, UNVERIFIED, Some(&own.der)).await, UNKNOWN);
}

async fn store(sql: &Sql, app: &Client, keys: Value) {
    let document = json!({ "keys": keys }).to_string();
    let query = "select detail from identity.client_keys_store($1, $2, $3, null)";
    let kept: Option<String> = sql.query_one(query, &[&app.id, &JWKS_URI, &document]).await.unwrap().get(0);
    assert_eq!(kept, None);
}

#[tokio::test]
async fn keys_that_are_published_are_asked_for_when_one_is_not_known_but_only_so_often() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let app = known_by(&db, UNVERIFIED, json!({ "jwks_uri": JWKS_URI })).await;
    let (old, new) = (Certificate::new("/CN=old", ""), Certificate::new("/CN=new", ""));
    let need = ("need".to_owned(), json!({ "kind": "jwks", "url": JWKS_URI, "client_id": app.id }));
    let ask = async |certificate: &Certificate| shown(&sql, Some(&app.id), UNVERIFIED, Some(&certificate.der)).await;
    assert_eq!(ask(&old).await, need);
    store(&sql, &app, json!([merged(old.jwk(), json!({ "x5c": [old.base64()] }))])).await;
    assert_eq!(ask(&old).await.0, "ok");
    // It is kept with its certificate: another one of this key is unknown.
    assert_eq!(ask(&old.again("/CN=again")).await, need);
    // Rotation.
    assert_eq!(ask(&new).await, need);
    store(&sql, &app, json!([new.jwk()])).await;
    assert_eq!(ask(&new).await.0, "ok");
    assert_eq!(ask(&old).await, need);
    // What keys could not mend is not asked for.
    assert_eq!(shown(&sql, Some(&app.id), UNVERIFIED, Some(b"x")).await.0, "invalid_client");
    let expired = Certificate::made_at("-48h");
    assert_eq!(ask(&expired).await.0, "invalid_client");
    for _ in 0..3 {
        store(&sql, &app, json!([new.jwk()])).await;
    }
    assert_eq!(detail(&sql, &app, UNVERIFIED, Some(&old.der)).await, UNKNOWN);
}
