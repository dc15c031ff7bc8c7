//! Assertions that prove nothing.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Signer, assert_refused, assertion_claims, detail, hs, now, token_for};
use crate::authorize::call;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::support::{Database, client, service_client};

#[tokio::test]
async fn aud_is_this_issuer_or_endpoint_in_one_spelling_and_never_a_prefix() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    // Case and default port can only be told apart where there are such.
    db.superuser().await.execute("select identity.configure('https://id.example/tenant')", &[]).await.unwrap();
    let signer = Signer::new(&db, "ES256", json!({})).await;
    for aud in [
        json!("https://id.example/tenant"),
        json!("https://id.example/tenant/token"),
        json!("HTTPS://ID.Example/tenant"),
        json!("https://id.example:443/tenant"),
        json!("https://id.example:443/tenant/token"),
        json!(["https://other.example", "https://id.example/tenant"]),
    ] {
        let (outcome, detail) = detail(&sql, None, &signer.assertion(&db, json!({ "aud": aud }))).await;
        assert_eq!((outcome.as_str(), detail.as_str()), ("ok", ""), "{aud}");
    }
    for aud in [
        json!("https://id.example"),
        json!("https://id.example/"),
        json!("https://id.example/tenant/"),
        json!("https://id.example/TENANT"),
        json!("https://id.example/tenant2"),
        json!("https://id.example/tenan"),
        json!("https://id.example/tenant/token/"),
        json!("https://id.example/tenant/tokens"),
        json!("https://id.example/tenant/token?x"),
        json!("https://id.example/tenant#"),
        json!("https://id.example/tenant/introspect"),
        json!("https://id.example/tenant/%74oken"),
        json!("https://id.example/x/../tenant"),
        json!("https://id.example:80/tenant"),
        json!("https://id.example:8443/tenant"),
        json!("https://id.example:443@evil.example/tenant"),
        json!("https://user@id.example/tenant"),
        json!("http://id.example/tenant"),
        json!("https://id.example.evil.example/tenant"),
        json!("https://id.example\\@evil.example/tenant"),
        json!(" https://id.example/tenant"),
        json!("https://id.example/tenant\n"),
        json!("id.example/tenant"),
        json!(["https://other.example"]),
        json!([]),
        json!(""),
        json!(null),
    ] {
        let (outcome, detail) = detail(&sql, None, &signer.assertion(&db, json!({ "aud": aud }))).await;
        assert_eq!(
            (outcome.as_str(), detail.as_str()),
            ("invalid_client", "client assertion: aud is not this issuer"),
            "{aud}"
        );
    }
    for aud in [json!(1), json!({}), json!([1]), json!([["https://id.example/tenant"]])] {
        let (outcome, detail) = detail(&sql, None, &signer.assertion(&db, json!({ "aud": aud }))).await;
        assert_eq!((outcome.as_str(), detail.as_str()), ("invalid_client", "client assertion is malformed"), "{aud}");
    }
}

#[tokio::test]
async fn an_assertion_of_another_time_is_none() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let signer = Signer::new(&db, "ES256", json!({})).await;
    for (claims, expected) in [
        // Clocks differ.
        (json!({ "exp": now() - 30 }), ""),
        (json!({ "iat": now() + 10, "nbf": now() + 10 }), ""),
        (json!({ "iat": null }), ""),
        (json!({ "exp": now() as f64 + 60.5 }), ""),
        (json!({ "exp": now() + 3600 }), ""),
        (json!({ "exp": now() - 60 }), "client assertion: expired"),
        (json!({ "exp": 0 }), "client assertion: expired"),
        (json!({ "exp": null }), "client assertion: exp is missing"),
        (json!({ "exp": now() + 3700 }), "client assertion: exp is more than an hour away"),
        (json!({ "exp": 253_402_300_799_i64 }), "client assertion: exp is more than an hour away"),
        (json!({ "iat": now() + 60 }), "client assertion: not yet valid"),
        (json!({ "nbf": now() + 60 }), "client assertion: not yet valid"),
        (json!({ "exp": (now() + 60).to_string() }), "client assertion is malformed"),
        (json!({ "exp": -1 }), "client assertion is malformed"),
        (json!({ "exp": 1e300 }), "client assertion is malformed"),
        (json!({ "nbf": [1] }), "client assertion is malformed"),
    ] {
        let (outcome, detail) = detail(&sql, None, &signer.assertion(&db, claims.clone())).await;
        let good = if expected.is_empty() { "ok" } else { "invalid_client" };
        assert_eq!((outcome.as_str(), detail.as_str()), (good, expected), "{claims}");
    }
}

#[tokio::test]
async fn an_assertion_speaks_for_its_own_client_only() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let (mallory, alice) = (Signer::new(&db, "ES256", json!({})).await, Signer::new(&db, "ES256", json!({})).await);
    let myself = "client assertion: iss and sub are not the client";
    for (client_id, claims, expected) in [
        (Some(&alice), json!({}), myself),
        (None, json!({ "sub": alice.client.id }), myself),
        (None, json!({ "iss": alice.client.id }), myself),
        (None, json!({ "sub": null }), "unknown client"),
        (Some(&mallory), json!({ "sub": null }), myself),
        (None, json!({ "iss": null }), myself),
        (None, json!({ "sub": [mallory.client.id] }), "unknown client"),
        (None, json!({ "sub": "nobody", "iss": "nobody" }), "unknown client"),
        (None, json!({ "sub": alice.client.id, "iss": alice.client.id }), "client assertion: bad_signature"),
    ] {
        let client_id = client_id.map(|signer| signer.client.id.as_str());
        let refused = detail(&sql, client_id, &mallory.assertion(&db, claims.clone())).await;
        assert_eq!(refused, ("invalid_client".into(), expected.into()), "{claims}");
    }
    // A client that proves itself in another way never does by an assertion.
    let service = service_client(&db).await;
    let claims = assertion_claims(&db, &service, json!({}));
    let with_its_secret = hs("HS256", json!({}), &claims, service.secret.as_ref().unwrap().as_bytes());
    for assertion in [mallory.key.sign(json!({}), claims), with_its_secret] {
        let refused = detail(&sql, None, &assertion).await;
        let expected = "client is registered for client_secret_basic and sent an assertion";
        assert_eq!(refused, ("invalid_client".into(), expected.into()));
    }
}

#[tokio::test]
async fn no_algorithm_but_the_registered_one_and_no_key_but_the_client_s_own_counts() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let signer = Signer::new(&db, "RS256", json!({ "token_endpoint_auth_signing_alg": "RS256" })).await;
    let claims = || assertion_claims(&db, &signer.client, json!({}));
    let mut forged = Vec::new();
    // RFC 8725 §2.1: the public key, in every form it is found in, as a secret.
    let public = signer.key.public_der();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::prelude::BASE64_STANDARD.encode(&public)
    );
    for secret in [public, pem.into_bytes(), signer.key.jwk.to_string().into_bytes(), Vec::new()] {
        for algorithm in ["HS256", "HS384", "HS512"] {
            forged.push(hs(algorithm, json!({ "kid": "key-1" }), &claims(), &secret));
        }
    }
    for alg in ["none", "None", "NONE", "nOnE", "", "RS255", "rs256", "HS256", "dir"] {
        let header = json!({ "alg": alg, "kid": "key-1" });
        let input = [&header, &claims()].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        forged.push(format!("{input}."));
        forged.push(format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode("x")));
    }
    // The same key, with another padding.
    forged.push(signer.key.sign(json!({ "alg": "PS256" }), claims()));
    // A key brought along, and names that lead elsewhere.
    let other = Foreign::new("RS256");
    for header in [
        json!({}),
        json!({ "jwk": other.jwk }),
        json!({ "jku": "https://evil.example/jwks", "kid": "evil" }),
        json!({ "x5u": "https://evil.example/x5u" }),
        json!({ "kid": "../../../dev/null" }),
        json!({ "kid": "key-1' or '1'='1" }),
        json!({ "kid": "" }),
        json!({ "kid": null }),
        json!({ "kid": ["key-1"] }),
        json!({ "kid": "k".repeat(1000) }),
        json!({ "crit": ["exp"] }),
        json!({ "b64": false }),
    ] {
        forged.push(other.sign(header.clone(), claims()));
        if header.get("crit").is_some() || header.get("b64").is_some() {
            forged.push(signer.key.sign(header, claims()));
        }
    }
    let good = signer.assertion(&db, json!({}));
    forged.push(format!("{good}.AAAA.AAAA"));
    forged.push(format!("{good}="));
    forged.push(format!(" {good}"));
    forged.push(good[..good.len() - 8].to_owned());
    forged.push("x".repeat(60_000));
    forged.push(String::new());
    for assertion in &forged {
        assert_refused(&token_for(&sql, Some(&signer.client.id), assertion).await);
    }
    // What nobody accepted has left nothing, and takes nothing from the client.
    let kept = "select count(*) from identity_store.client_assertions";
    let superuser = db.superuser().await;
    assert_eq!(superuser.query_one(kept, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(token_for(&sql, None, &good).await.0, "ok");
}

#[tokio::test]
async fn a_token_of_another_kind_or_without_a_name_is_no_assertion() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let signer = Signer::new(&db, "ES256", json!({})).await;
    for typ in ["at+jwt", "oauth-authz-req+jwt", "logout+jwt", "dpop+jwt", ""] {
        let assertion = signer.key.sign(json!({ "typ": typ }), assertion_claims(&db, &signer.client, json!({})));
        assert_refused(&token_for(&sql, None, &assertion).await);
    }
    for typ in ["jwt", "client-authentication+jwt"] {
        let assertion = signer.key.sign(json!({ "typ": typ }), assertion_claims(&db, &signer.client, json!({})));
        assert_eq!(token_for(&sql, None, &assertion).await.0, "ok", "{typ}");
    }
    for jti in [json!(null), json!(""), json!(1), json!(["a"]), json!("j".repeat(1025))] {
        assert_refused(&token_for(&sql, None, &signer.assertion(&db, json!({ "jti": jti }))).await);
    }
}

#[tokio::test]
async fn a_client_with_a_key_proves_itself_by_nothing_else() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let signer = Signer::new(&db, "ES256", json!({})).await;
    let other = client(&db, json!({ "grant_types": ["client_credentials"] })).await;
    for (secret, method) in [
        (other.secret.as_deref(), "client_secret_basic"),
        (Some(""), "client_secret_post"),
        (None, "client_secret_basic"),
        (None, "none"),
        (Some(&signer.assertion(&db, json!({}))), "client_secret_basic"),
        (Some(&signer.assertion(&db, json!({}))), "private_key_jwt"),
        (Some(&signer.assertion(&db, json!({}))), ""),
    ] {
        let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&signer.client.id, &secret, &method, &None::<&str>, &None::<Vec<&str>>];
        assert_refused(&call(&sql, "token_client_credentials", &arguments).await);
    }
    let claims = merged(assertion_claims(&db, &signer.client, json!({})), json!({}));
    assert_eq!(token_for(&sql, None, &signer.key.sign(json!({}), claims)).await.0, "ok");
}
