//! An assertion is good once, across all gateways, and what is kept of it goes when it would be refused for its age.

use serde_json::json;
use tokio::task::JoinSet;

use super::{Signer, assert_refused, assertion_claims, detail, hs, now, token_for};
use crate::authorize::call;
use crate::http::{Bench, assert_error};
use crate::support::{Database, Gateway};

const TYPE: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

#[tokio::test]
async fn of_a_hundred_requests_with_one_assertion_at_two_gateways_one_succeeds() {
    let bench = Bench::new().await;
    let beside = Gateway::start_beside(&bench.db, &[]).await;
    let signer = Signer::new(&bench.db, "ES256", json!({})).await;
    let assertion = signer.assertion(&bench.db, json!({}));
    let mut requests = JoinSet::new();
    for number in 0..100 {
        let gateway = if number % 2 == 0 { &bench.gateway } else { &beside };
        let form = [TYPE, ("client_assertion", &assertion), ("grant_type", "client_credentials")];
        let request = bench.browser.http.post(gateway.url("/token")).form(&form);
        requests.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    let mut statuses = requests.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200], vec![401; 99]].concat());
    // Nor at another endpoint.
    let form = [TYPE, ("client_assertion", &assertion), ("token", "x")];
    for path in ["/introspect", "/revoke"] {
        let page = bench.browser.send(bench.post(path).form(&form)).await;
        assert_error(&page, 401, "invalid_client");
    }
}

#[tokio::test]
async fn a_jti_is_the_client_s_own_and_good_once_whatever_stands_beside_it() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let (one, two) = (Signer::new(&db, "ES256", json!({})).await, Signer::new(&db, "EdDSA", json!({})).await);
    assert_eq!(token_for(&sql, None, &one.assertion(&db, json!({ "jti": "a" }))).await.0, "ok");
    for change in [json!({ "jti": "a" }), json!({ "jti": "a", "exp": now() + 600 }), json!({ "jti": "a", "nonce": 1 })]
    {
        let refused = detail(&sql, None, &one.assertion(&db, change)).await;
        assert_eq!(refused, ("invalid_client".into(), "client assertion: its jti was used before".into()));
    }
    assert_eq!(token_for(&sql, None, &two.assertion(&db, json!({ "jti": "a" }))).await.0, "ok");
    assert_eq!(token_for(&sql, None, &one.assertion(&db, json!({ "jti": "A" }))).await.0, "ok");
}

#[tokio::test]
async fn an_assertion_is_spent_also_by_a_request_that_fails_for_another_reason() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let signer = Signer::new(&db, "ES256", json!({})).await;
    let assertion = signer.assertion(&db, json!({}));
    let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&None::<&str>, &assertion, &"client_assertion", &Some("unregistered"), &None::<Vec<&str>>];
    assert_eq!(call(&sql, "token_client_credentials", &arguments).await.0, "invalid_scope");
    assert_refused(&token_for(&sql, None, &assertion).await);
}

/// Whoever fills a disk with them has to be a client, and is known.
#[tokio::test]
async fn an_assertion_that_is_refused_leaves_no_row() {
    let db = Database::new().await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let (signer, other) = (Signer::new(&db, "ES256", json!({})).await, Signer::new(&db, "ES256", json!({})).await);
    let rows = async || -> i64 {
        superuser.query_one("select count(*) from identity_store.client_assertions", &[]).await.unwrap().get(0)
    };
    let claims = [
        json!({ "exp": now() - 61 }),
        json!({ "exp": now() - 86_400 }),
        json!({ "exp": now() + 7200 }),
        json!({ "exp": null }),
        json!({ "nbf": now() + 600 }),
        json!({ "iat": now() + 600 }),
        json!({ "aud": "https://elsewhere.example" }),
        json!({ "iss": "somebody" }),
        json!({ "sub": other.client.id }),
        json!({ "iss": other.client.id, "sub": other.client.id }),
        json!({ "iss": "nobody", "sub": "nobody" }),
        json!({ "jti": null }),
        json!({ "jti": 1 }),
        json!({ "jti": "x".repeat(1025) }),
    ];
    let mut assertions: Vec<_> = claims.iter().map(|claims| signer.assertion(&db, claims.clone())).collect();
    let good = assertion_claims(&db, &signer.client, json!({}));
    assertions.push(signer.key.sign(json!({ "typ": "at+jwt" }), good.clone()));
    assertions.push(other.key.sign(json!({}), good.clone()));
    assertions.push(hs("HS256", json!({}), &good, b"secret"));
    assertions.push("no assertion".to_owned());
    for assertion in &assertions {
        assert_refused(&token_for(&sql, None, assertion).await);
        assert_refused(&token_for(&sql, Some(&signer.client.id), assertion).await);
        assert_eq!(rows().await, 0, "{assertion}");
    }
    // A good one leaves one, shown once or often.
    let spent = signer.assertion(&db, json!({}));
    assert_eq!(token_for(&sql, None, &spent).await.0, "ok");
    for _ in 0..3 {
        assert_refused(&token_for(&sql, None, &spent).await);
    }
    assert_eq!(rows().await, 1);
}

#[tokio::test]
async fn what_is_kept_of_assertions_is_reaped_when_they_have_expired() {
    let db = Database::new().await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let signer = Signer::new(&db, "ES256", json!({})).await;
    for _ in 0..3 {
        assert_eq!(token_for(&sql, None, &signer.assertion(&db, json!({}))).await.0, "ok");
    }
    let kept = async || -> i64 {
        superuser.query_one("select count(*) from identity_store.client_assertions", &[]).await.unwrap().get(0)
    };
    superuser.batch_execute("select identity.maintenance_run()").await.unwrap();
    assert_eq!(kept().await, 3);
    let age = "update identity_store.client_assertions set expires_at = now() - interval '1 second'
      where digest in (select digest from identity_store.client_assertions limit 2)";
    superuser.batch_execute(age).await.unwrap();
    superuser.batch_execute("select identity.maintenance_run()").await.unwrap();
    assert_eq!(kept().await, 1);
    // A row lives as long as the assertion would be accepted.
    let left = "select extract(epoch from expires_at)::bigint from identity_store.client_assertions";
    let until: i64 = superuser.query_one(left, &[]).await.unwrap().get(0);
    assert!((now() + 100..=now() + 120).contains(&until), "{until}");
}
