//! Tokens: what is good, and one reason for each that is not.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio_postgres::{Client, Error};

use crate::support::Database;

pub const ALICE: &str = "0190a1b2-0000-7000-8000-00000000000a";
pub const BOB: &str = "0190a1b2-0000-7000-8000-00000000000b";

/// The SQLSTATE of a refusal.
pub fn sqlstate<T>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(_) => "accepted".into(),
        Err(error) => error.code().expect("the database answered").code().into(),
    }
}

/// A token with these claims, added to what every access token of this database has.
pub async fn access_token(db: &Database, claims: Value) -> String {
    signed(db, "at+jwt", merged(json!({ "sub": ALICE, "aud": db.issuer, "client_id": "app", "jti": "t-1" }), claims))
        .await
}

/// A token with exactly these claims and iss, iat, exp where absent.
pub async fn signed(db: &Database, typ: &str, claims: Value) -> String {
    let client = db.admin().await;
    client.query_one("select identity.sign_jwt($1, null, $2)", &[&claims, &typ]).await.unwrap().get(0)
}

pub fn merged(mut base: Value, more: Value) -> Value {
    base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    base
}

pub async fn authenticate(client: &Client, token: &str) -> Result<(), Error> {
    client.execute("select identity.authenticate($1)", &[&token]).await.map(|_| ())
}

async fn verify(client: &Client, token: &str, audience: Option<&str>) -> Result<Value, Error> {
    client.query_one("select identity.verify_jwt($1, $2)", &[&token, &audience]).await.map(|row| row.get(0))
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The token with another header or payload under the same signature.
fn forged(token: &str, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (mut header, mut claims): (Value, Value) = (read(parts[0]), read(parts[1]));
    change(&mut header, &mut claims);
    format!("{}.{}.{}", part(&header), part(&claims), parts[2])
}

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
async fn every_reason_has_its_sqlstate() {
    let db = Database::new().await;
    let app = db.app().await;
    let now: i64 = app.query_one("select floor(extract(epoch from now()))::bigint", &[]).await.unwrap().get(0);
    let good = access_token(&db, json!({})).await;
    assert_eq!(sqlstate(authenticate(&app, &good).await), "accepted");
    let cases = [
        ("ID101", "not a token".into()),
        ("ID101", access_token(&db, json!({ "exp": "4000000000" })).await),
        ("ID101", access_token(&db, json!({ "exp": -1 })).await),
        ("ID101", access_token(&db, json!({ "nbf": true })).await),
        ("ID101", access_token(&db, json!({ "aud": [1] })).await),
        ("ID101", access_token(&db, json!({ "sub": "" })).await),
        ("ID101", access_token(&db, json!({ "act": "somebody" })).await),
        ("ID101", access_token(&db, json!({ "roles": [1] })).await),
        ("ID102", access_token(&db, json!({ "exp": now - 1 })).await),
        ("ID102", access_token(&db, json!({ "exp": now as f64 - 0.5 })).await),
        ("ID103", access_token(&db, json!({ "nbf": now + 30 })).await),
        ("ID103", access_token(&db, json!({ "iat": now + 30 })).await),
        ("ID104", access_token(&db, json!({ "aud": "https://elsewhere.example" })).await),
        // A prefix is not the audience, nor is a longer one.
        ("ID104", access_token(&db, json!({ "aud": db.issuer[..db.issuer.len() - 1] })).await),
        ("ID104", access_token(&db, json!({ "aud": format!("{}/", db.issuer) })).await),
        ("ID104", access_token(&db, json!({ "aud": [] })).await),
        ("ID105", forged(&good, |header, _| header["kid"] = json!("../../etc/passwd"))),
        ("ID105", forged(&good, |header, _| header["kid"] = json!("' or true --"))),
        (
            "ID105",
            forged(&good, |header, _| {
                header.as_object_mut().unwrap().remove("kid");
            }),
        ),
        ("ID106", forged(&good, |_, claims| claims["sub"] = json!(BOB))),
        ("ID108", signed(&db, "JWT", json!({ "sub": ALICE, "aud": db.issuer })).await),
        ("ID108", signed(&db, "logout+jwt", json!({ "sub": ALICE, "aud": db.issuer })).await),
        ("ID108", signed(&db, "token-introspection+jwt", json!({ "sub": ALICE, "aud": db.issuer })).await),
        ("ID109", access_token(&db, json!({ "iss": "https://elsewhere.example" })).await),
        ("ID109", access_token(&db, json!({ "iss": format!("{}/", db.issuer) })).await),
        ("ID110", forged(&good, |header, _| header["alg"] = json!("RS256"))),
    ];
    for (expected, token) in cases {
        assert_eq!(sqlstate(authenticate(&app, &token).await), expected, "{token}");
        let signed_in: Option<String> = app.query_one("select identity.subject()", &[]).await.unwrap().get(0);
        assert_eq!(signed_in, None);
    }
    let types = ["AT+JWT", "application/at+jwt"];
    for typ in types {
        let token = signed(&db, typ, json!({ "sub": ALICE, "aud": ["other", db.issuer] })).await;
        assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted", "{typ}");
    }
}

#[tokio::test]
async fn neither_none_nor_a_public_key_as_a_secret_signs() {
    let db = Database::new().await;
    let app = db.app().await;
    let good = access_token(&db, json!({})).await;
    let jwks: Value = app.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = forged(&good, |header, _| header["alg"] = json!(none));
        let (signing_input, _) = unsigned.rsplit_once('.').unwrap();
        assert_eq!(sqlstate(authenticate(&app, &format!("{signing_input}.")).await), "ID110");
        assert_eq!(sqlstate(authenticate(&app, &unsigned).await), "ID110");
    }
    for key in jwks["keys"].as_array().unwrap() {
        let secrets = [key.to_string(), key["x"].to_string(), key["n"].to_string()];
        for secret in secrets {
            let confused = forged(&good, |header, _| {
                header["alg"] = json!("HS256");
                header["kid"] = key["kid"].clone();
            });
            let (signing_input, _) = confused.rsplit_once('.').unwrap();
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signing_input.as_bytes());
            let token = format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag));
            assert_eq!(sqlstate(authenticate(&app, &token).await), "ID110");
        }
    }
    // Keys that the token brings along are ignored: it is still a forgery.
    let forgery = forged(&good, |header, claims| {
        header["jwk"] = jwks["keys"][0].clone();
        header["jku"] = json!("https://elsewhere.example/jwks");
        claims["sub"] = json!(BOB);
    });
    assert_eq!(sqlstate(authenticate(&app, &forgery).await), "ID106");
}

#[tokio::test]
async fn a_token_has_one_spelling_only() {
    let db = Database::new().await;
    let app = db.app().await;
    let good = access_token(&db, json!({})).await;
    let (signing_input, signature) = good.rsplit_once('.').unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let encode = |bytes: &[u8]| format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let last = signature.chars().last().unwrap();
    let with_other_unused_bits = signature[..signature.len() - 1].to_owned() + &((last as u8 + 1) as char).to_string();
    let cases = [
        ("ID101", format!("{good}=")),
        ("ID101", format!("{good}==")),
        ("ID101", format!(" {good}")),
        ("ID101", format!("{good}\n")),
        ("ID101", format!("{good}.")),
        ("ID101", format!("{good}.{signature}.{signature}")),
        ("ID101", format!("{signing_input}.{with_other_unused_bits}")),
        ("ID106", encode(&[0; 64])),
        ("ID106", encode(&bytes[..63])),
        ("ID106", encode(&[&bytes[..], &[0]].concat())),
        ("ID106", encode(&[&[0][..], &bytes[..32], &[0], &bytes[32..]].concat())),
        ("ID106", format!("{signing_input}.")),
        ("ID101", forged(&good, |header, _| header["crit"] = json!(["exp"]))),
        ("ID101", forged(&good, |header, _| header["b64"] = json!(false))),
        ("ID101", forged(&good, |header, _| header["kid"] = json!("k".repeat(1_000_000)))),
        ("ID101", format!("{good}{}", "A".repeat(10_000_000))),
    ];
    for (expected, token) in cases {
        assert_eq!(sqlstate(authenticate(&app, &token).await), expected, "{token:.200}");
    }
    let repeated = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","alg":"ES256"}"#),
        &good[good.find('.').unwrap() + 1..]
    );
    assert_eq!(sqlstate(authenticate(&app, &repeated).await), "ID101");
}

#[tokio::test]
async fn a_revoked_key_verifies_nothing_from_now_on() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    admin
        .execute(
            "select identity.revoke_signing_key(identity.decode_jwt_unverified($1) -> 'header' ->> 'kid')",
            &[&token],
        )
        .await
        .unwrap();
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID105");
    assert_eq!(sqlstate(verify(&app, &token, None).await), "ID105");
    let fresh = access_token(&db, json!({})).await;
    assert_eq!(sqlstate(authenticate(&app, &fresh).await), "accepted");
}

#[tokio::test]
async fn a_retired_key_still_verifies_what_it_signed() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    admin.execute("select identity.rotate_signing_keys(published_for => '0')", &[]).await.unwrap();
    let fresh = access_token(&db, json!({})).await;
    assert_ne!(token.split('.').next(), fresh.split('.').next());
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    assert_eq!(sqlstate(authenticate(&app, &fresh).await), "accepted");
}

#[tokio::test]
async fn mint_access_token_adds_what_rfc_9068_demands() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let claims = json!({ "sub": ALICE, "aud": db.issuer, "client_id": "app" });
    let minted = |lifetime: &'static str| {
        let sql = format!("select identity.decode_jwt_unverified(identity.mint_access_token($1, '{lifetime}'))");
        let (owner, claims) = (&owner, &claims);
        async move { owner.query_one(&sql, &[claims]).await.map(|row| row.get::<_, Value>(0)) }
    };
    let token = minted("5 minutes").await.unwrap();
    assert_eq!(token["header"]["typ"], "at+jwt");
    assert_eq!(token["header"]["alg"], "ES256");
    assert_eq!(token["claims"]["iss"], db.issuer);
    assert_eq!(token["claims"]["exp"].as_i64().unwrap() - token["claims"]["iat"].as_i64().unwrap(), 300);
    assert_eq!(token["claims"]["jti"].as_str().unwrap().len(), 36);
    for lifetime in ["0", "-1 minute", "25 hours"] {
        assert_eq!(sqlstate(minted(lifetime).await), "ID005");
    }
}

#[tokio::test]
async fn an_id_token_is_a_hint_and_signs_nobody_in() {
    let db = Database::new().await;
    let (app, owner) = (db.app().await, db.owner().await);
    let claims = json!({ "sub": ALICE, "aud": "app", "exp": 1_700_000_000, "iat": 1_699_999_000 });
    let token: String =
        owner.query_one("select identity.mint_id_token($1, '5 minutes', 'RS256')", &[&claims]).await.unwrap().get(0);
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
        async move { sqlstate(owner.query_one("select identity.access_token_verify($1, $2)", &[&token, &audience]).await) }
    };
    let token = access_token(&db, json!({ "aud": "https://api.example" })).await;
    assert_eq!(verify(token.clone(), None).await, "accepted");
    assert_eq!(verify(token.clone(), Some("https://api.example")).await, "accepted");
    assert_eq!(verify(token, Some("https://other.example")).await, "ID104");
    assert_eq!(verify(signed(&db, "JWT", json!({ "sub": ALICE, "aud": "x" })).await, None).await, "ID108");
}

#[tokio::test]
async fn applications_verify_and_look_but_never_sign() {
    let db = Database::new().await;
    let app = db.app().await;
    for statement in [
        "select identity.sign_jwt('{}')",
        "select identity.mint_access_token('{}', '1 minute')",
        "select identity.mint_id_token('{}', '1 minute', 'RS256')",
        "select identity.access_token_verify('')",
        "select identity.sign_claims('', '', '', '', '{}')",
        "select identity.sign_with_current_key('{}', '{ES256}', 'JWT')",
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
