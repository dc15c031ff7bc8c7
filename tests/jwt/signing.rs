//! Tokens that we sign: by an administrator, by the mint functions, and what each of them is good for.

use serde_json::{Value, json};

use super::{ALICE, BOB, access_token, authenticate, forged, merged, signed, sqlstate, verify};
use crate::support::Database;

#[tokio::test]
async fn sign_jwt_and_verify_jwt_agree_for_every_algorithm() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for algorithm in ["ES256", "RS256", "PS256", "EdDSA"] {
        if ["PS256", "EdDSA"].contains(&algorithm) {
            admin.execute("select identity.create_signing_key($1)", &[&algorithm]).await.unwrap();
        }
        let claims = json!({ "sub": "somebody", "aud": ["x", "y"], "exp": 4_000_000_000_i64, "iat": 1_700_000_000, "nested": { "a": [1, 2.5, null] } });
        let token: String =
            admin.query_one("select identity.sign_jwt($1, $2)", &[&claims, &algorithm]).await.unwrap().get(0);
        let verified = verify(&db.app().await, &token, Some("y")).await.unwrap();
        assert_eq!(verified, merged(claims, json!({ "iss": db.issuer })));
        let decoded: Value =
            admin.query_one("select identity.decode_jwt_unverified($1)", &[&token]).await.unwrap().get(0);
        assert_eq!(decoded["header"]["alg"], algorithm);
        assert_eq!(decoded["header"]["typ"], "JWT");
        assert_eq!(decoded["claims"], verified);
    }
}

#[tokio::test]
async fn mint_access_token_adds_what_rfc_9068_demands() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let claims = json!({ "sub": ALICE, "aud": db.issuer, "client_id": "app" });
    let minted = |lifetime: Option<i32>| {
        let sql = "select identity.decode_jwt_unverified(identity.mint_access_token($1, $2))";
        let (owner, claims) = (&owner, &claims);
        async move { owner.query_one(sql, &[claims, &lifetime]).await.map(|row| row.get::<_, Value>(0)) }
    };
    let token = minted(Some(300)).await.unwrap();
    assert_eq!(token["header"]["typ"], "at+jwt");
    assert_eq!(token["header"]["alg"], "ES256");
    assert_eq!(token["claims"]["iss"], db.issuer);
    assert_eq!(token["claims"]["exp"].as_i64().unwrap() - token["claims"]["iat"].as_i64().unwrap(), 300);
    assert_eq!(token["claims"]["jti"].as_str().unwrap().len(), 36);
    for lifetime in [None, Some(0), Some(-60), Some(86_401)] {
        assert_eq!(sqlstate(minted(lifetime).await), "ID005");
    }
}

#[tokio::test]
async fn an_id_token_is_a_hint_and_signs_nobody_in() {
    let db = Database::new().await;
    let (app, owner) = (db.app().await, db.owner().await);
    let claims = json!({ "sub": ALICE, "aud": "app", "exp": 1_700_000_000, "iat": 1_699_999_000 });
    let token: String =
        owner.query_one("select identity.mint_id_token($1, 300, 'RS256')", &[&claims]).await.unwrap().get(0);
    let hint = |token: String| {
        let owner = &owner;
        async move {
            owner
                .query_one("select identity.id_token_hint_verify($1)", &[&token])
                .await
                .unwrap()
                .get::<_, Option<Value>>(0)
        }
    };
    assert_eq!(hint(token.clone()).await, Some(merged(claims, json!({ "iss": db.issuer }))));
    assert_eq!(hint(access_token(&db, json!({})).await).await, None);
    assert_eq!(hint("nonsense".into()).await, None);
    assert_eq!(hint(forged(&token, |_, claims| claims["sub"] = json!(BOB))).await, None);
    let fresh = signed(&db, "JWT", json!({ "sub": ALICE, "aud": db.issuer })).await;
    assert_eq!(sqlstate(authenticate(&app, &fresh).await), "ID108");
}

#[tokio::test]
async fn access_token_verify_takes_our_access_tokens_only() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let verify = |token: String, audience: Option<&'static str>| {
        let owner = &owner;
        async move {
            let claims = owner.query_one("select identity.access_token_verify($1, $2)", &[&token, &audience]).await;
            claims.unwrap().get::<_, Option<Value>>(0).map(|claims| claims["sub"].clone())
        }
    };
    let token = access_token(&db, json!({ "aud": "https://api.example" })).await;
    assert_eq!(verify(token.clone(), None).await, Some(json!(ALICE)));
    assert_eq!(verify(token.clone(), Some("https://api.example")).await, Some(json!(ALICE)));
    assert_eq!(verify(token, Some("https://other.example")).await, None);
    assert_eq!(verify(signed(&db, "JWT", json!({ "sub": ALICE, "aud": "x" })).await, None).await, None);
    assert_eq!(verify("nonsense".into(), None).await, None);
}

#[tokio::test]
async fn applications_verify_and_look_but_never_sign() {
    let db = Database::new().await;
    let app = db.app().await;
    for statement in [
        "select identity.sign_jwt('{}')",
        "select identity.mint_access_token('{}', 60)",
        "select identity.mint_id_token('{}', 60, 'RS256')",
        "select identity.access_token_verify('')",
        "select identity.client_tokens('x', 60, null, '')",
        "select identity.person_tokens('x', 'x', gen_random_uuid(), null, now(), null, null, 60, null, '', false, null, 60, 'RS256', null, null, null, null)",
        "select identity.revoke('user', 'x')",
        "select identity.trust_issuer('x', 'x', '{}')",
        "select * from identity.revocations",
        "select * from identity.trusted_keys",
        "select * from identity.signing_keys",
        "insert into identity.audiences values ('x')",
    ] {
        assert_eq!(sqlstate(app.execute(statement, &[]).await), "42501", "{statement}");
    }
}
