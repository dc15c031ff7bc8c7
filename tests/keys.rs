//! Signing keys: made, published, rotated and revoked.

use crate::support::Database;
use serde_json::Value;
use tokio_postgres::Client;

/// Algorithm and state of every key, in the order of their making.
async fn states(client: &Client) -> Vec<(String, String)> {
    let rows = client
        .query("select algorithm, state from identity.signing_keys order by algorithm, created_at, state desc", &[])
        .await;
    rows.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn kid(client: &Client, algorithm: &str, state: &str) -> String {
    let sql = "select kid from identity.signing_keys where algorithm = $1 and state = $2";
    client.query_one(sql, &[&algorithm, &state]).await.unwrap().get(0)
}

async fn published(client: &Client) -> Vec<Value> {
    let keys: Value = client.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    keys["keys"].as_array().unwrap().iter().filter(|key| key["use"] == "sig").cloned().collect()
}

fn kids(keys: &[Value]) -> Vec<&str> {
    keys.iter().map(|key| key["kid"].as_str().unwrap()).collect()
}

async fn refusal(client: &Client, sql: &str) -> String {
    client.query(sql, &[]).await.unwrap_err().code().unwrap().code().to_owned()
}

#[tokio::test]
async fn every_algorithm_makes_a_key_named_by_its_thumbprint() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for algorithm in ["EdDSA", "PS256"] {
        admin.query("select identity.create_signing_key($1)", &[&algorithm]).await.unwrap();
    }
    for key in published(&admin).await {
        let member = |name: &str| key[name].as_str().unwrap().to_owned();
        let required = match member("alg").as_str() {
            "ES256" => format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, member("x"), member("y")),
            "EdDSA" => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, member("x")),
            _ => format!(r#"{{"e":"AQAB","kty":"RSA","n":"{}"}}"#, member("n")),
        };
        // RFC 7638 §3, computed by PostgreSQL.
        let thumbprint = "select rtrim(translate(encode(sha256(convert_to($1, 'UTF8')), 'base64'), '+/', '-_'), '=')";
        let expected: String = admin.query_one(thumbprint, &[&required]).await.unwrap().get(0);
        assert_eq!(member("kid"), expected);
        assert_eq!(member("use"), "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none());
        }
    }
}

#[tokio::test]
async fn weak_and_unknown_keys_are_refused() {
    let admin = Database::new().await.admin().await;
    assert_eq!(refusal(&admin, "select identity.create_signing_key('HS256')").await, "ID008");
    assert_eq!(refusal(&admin, "select identity.create_signing_key('none')").await, "ID008");
    assert_eq!(refusal(&admin, "select identity.create_signing_key(null)").await, "ID008");
    assert_eq!(refusal(&admin, "select identity.create_signing_key('RS256', 1024)").await, "ID005");
    assert_eq!(refusal(&admin, "select identity.create_signing_key('ES256')").await, "ID007");
}

#[tokio::test]
async fn a_next_key_signs_only_after_it_was_published_long_enough() {
    let db = Database::new().await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    superuser.batch_execute("update identity.signing_keys set created_at = now() where state = 'next'").await.unwrap();
    let before = (kid(&superuser, "ES256", "current").await, kid(&superuser, "ES256", "next").await);
    for _ in 0..3 {
        admin.batch_execute("select identity.rotate_signing_keys()").await.unwrap();
    }
    assert_eq!(before, (kid(&superuser, "ES256", "current").await, kid(&superuser, "ES256", "next").await));
    superuser
        .batch_execute("update identity.signing_keys set created_at = created_at - interval '1 hour'")
        .await
        .unwrap();
    admin.batch_execute("select identity.rotate_signing_keys()").await.unwrap();
    assert_eq!(kid(&superuser, "ES256", "current").await, before.1);
    assert_eq!(kid(&superuser, "ES256", "retired").await, before.0);
    // Again at once: the new next key is too young.
    admin.batch_execute("select identity.rotate_signing_keys()").await.unwrap();
    assert_eq!(kid(&superuser, "ES256", "current").await, before.1);
    let expected = [
        ("ES256", "retired"),
        ("ES256", "current"),
        ("ES256", "next"),
        ("RS256", "retired"),
        ("RS256", "current"),
        ("RS256", "next"),
    ];
    let mut found = states(&superuser).await;
    found.sort();
    let mut expected: Vec<_> =
        expected.iter().map(|(algorithm, state)| ((*algorithm).to_owned(), (*state).to_owned())).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_timer_rotates_only_what_is_old_enough() {
    let db = Database::new().await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    let timer = "select identity.rotate_signing_keys(older_than => '90 days')";
    superuser
        .batch_execute("update identity.signing_keys set created_at = created_at - interval '1 day'")
        .await
        .unwrap();
    let before = kid(&superuser, "ES256", "current").await;
    admin.batch_execute(timer).await.unwrap();
    assert_eq!(kid(&superuser, "ES256", "current").await, before);
    let age =
        "update identity.signing_keys set activated_at = activated_at - interval '91 days' where algorithm = 'ES256'";
    superuser.batch_execute(age).await.unwrap();
    admin.batch_execute(timer).await.unwrap();
    assert_eq!(kid(&superuser, "ES256", "retired").await, before);
    assert_eq!(states(&superuser).await.len(), 5);
}

#[tokio::test]
async fn a_token_of_a_retired_key_still_verifies_and_of_a_revoked_key_does_not() {
    let db = Database::new().await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    let token: String = admin.query_one(r#"select identity.sign_jwt('{"aud": "x"}')"#, &[]).await.unwrap().get(0);
    let verify = format!("select identity.verify_jwt('{token}', 'x')");
    admin.batch_execute("select identity.rotate_signing_keys(published_for => '0')").await.unwrap();
    let retired = kid(&superuser, "ES256", "retired").await;
    let keys = published(&admin).await;
    assert!(kids(&keys).contains(&retired.as_str()));
    admin.query(&verify, &[]).await.unwrap();
    // A day later it is unpublished and still verifies.
    superuser
        .batch_execute("update identity.signing_keys set retired_at = retired_at - interval '1 day'")
        .await
        .unwrap();
    assert!(!kids(&published(&admin).await).contains(&retired.as_str()));
    admin.query(&verify, &[]).await.unwrap();
    admin.query("select identity.revoke_signing_key($1)", &[&retired]).await.unwrap();
    assert_eq!(refusal(&admin, &verify).await, "ID105");
}

#[tokio::test]
async fn a_revoked_current_key_is_succeeded_at_once() {
    let db = Database::new().await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    for _ in 0..2 {
        let current = kid(&superuser, "ES256", "current").await;
        admin.query("select identity.revoke_signing_key($1)", &[&current]).await.unwrap();
        assert!(!kids(&published(&admin).await).contains(&current.as_str()));
        assert_ne!(kid(&superuser, "ES256", "current").await, current);
        admin.query("select identity.sign_jwt('{}')", &[]).await.unwrap();
    }
    assert_eq!(refusal(&admin, "select identity.revoke_signing_key('unknown')").await, "ID006");
}

#[tokio::test]
async fn a_key_that_may_not_sign_has_lost_its_private_part() {
    let superuser = Database::new().await.superuser().await;
    superuser.batch_execute("select identity.rotate_signing_keys(published_for => '0')").await.unwrap();
    let kept = "select count(*) from identity.signing_keys where state in ('retired', 'revoked') and private_sealed is not null";
    assert_eq!(superuser.query_one(kept, &[]).await.unwrap().get::<_, i64>(0), 0);
    let revived = "update identity.signing_keys set state = 'current' where state = 'retired' and algorithm = 'ES256'";
    assert_eq!(refusal(&superuser, revived).await, "23514");
}

#[tokio::test]
async fn a_key_of_another_row_does_not_open() {
    let superuser = Database::new().await.superuser().await;
    // Swapping sealed keys between rows would let somebody with table rights choose what signs.
    superuser
        .batch_execute(
            "update identity.signing_keys as key set private_sealed = other.private_sealed
             from identity.signing_keys as other
             where key.algorithm = 'ES256' and other.algorithm = 'ES256' and key.kid <> other.kid",
        )
        .await
        .unwrap();
    assert_eq!(refusal(&superuser, "select identity.sign_jwt('{}')").await, "ID003");
}

#[tokio::test]
async fn concurrent_rotations_leave_one_current_and_one_next_key() {
    let db = Database::new().await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let admin = db.admin().await;
        tasks.push(tokio::spawn(async move {
            admin.batch_execute("select identity.rotate_signing_keys(published_for => '0')").await.unwrap()
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let superuser = db.superuser().await;
    for algorithm in ["ES256", "RS256"] {
        kid(&superuser, algorithm, "current").await;
        kid(&superuser, algorithm, "next").await;
    }
}
