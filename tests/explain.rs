//! `identity.explain`: what authenticate says, rule by rule, by the same code.

use serde_json::json;
use tokio_postgres::Client;

use crate::issuers::{API, Foreign, ISSUER, trust};
use crate::jwt::{ALICE, BOB, access_token, authenticate, merged, signed, sqlstate};
use crate::support::Database;

type Rule = (String, bool, String);

async fn explain(admin: &Client, token: &str) -> Vec<Rule> {
    let rows = admin.query("select rule, passed, detail from identity.explain($1)", &[&token]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

fn broken(rules: &[Rule]) -> Vec<&str> {
    rules.iter().filter(|(_, passed, _)| !passed).map(|(rule, ..)| rule.as_str()).collect()
}

#[tokio::test]
async fn a_good_token_passes_every_rule_and_signs_nobody_in() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let claims = json!({ "sid": "s-1", "grant_id": "g-1", "act": { "sub": "robot", "client_id": "runner" } });
    let token = access_token(&db, claims).await;
    admin.batch_execute("begin").await.unwrap();
    let rules = explain(&admin, &token).await;
    assert_eq!(broken(&rules), [""; 0]);
    let names: Vec<&str> = rules.iter().map(|(rule, ..)| rule.as_str()).collect();
    assert_eq!(
        names,
        [
            "form",
            "algorithm known",
            "issuer",
            "key",
            "algorithm of the key",
            "signature",
            "type",
            "audience",
            "subject",
            "times",
            "not expired",
            "valid already",
            "claims",
            "user not revoked",
            "token not revoked",
            "session not revoked",
            "grant not revoked",
            "client not revoked",
            "agent not revoked",
            "user not revoked",
            "client not revoked",
            "time of issue not revoked",
            "one subject a transaction",
        ]
    );
    assert_eq!(rules.last().unwrap().2, format!("good for {ALICE} of {}", db.issuer));
    let nobody = "select identity.subject() is null";
    assert!(admin.query_one(nobody, &[]).await.unwrap().get::<_, bool>(0));
    // Neither is the one subject of the transaction spent.
    authenticate(&admin, &access_token(&db, json!({ "sub": BOB })).await).await.unwrap();
    let rules = explain(&admin, &token).await;
    assert_eq!(broken(&rules), ["one subject a transaction"]);
    assert!(rules.last().unwrap().2.starts_with("ID201"));
    admin.batch_execute("rollback").await.unwrap();
    // The signature is what makes the token: nothing that was said repeats it.
    let signature = token.rsplit('.').next().unwrap();
    assert!(!rules.iter().any(|(_, _, detail)| detail.contains(signature)));
}

#[tokio::test]
async fn the_first_broken_rule_is_what_authenticate_says_of_any_token() {
    let db = Database::new().await;
    let (app, admin, elsewhere, stranger) =
        (db.app().await, db.admin().await, Foreign::new("ES256"), Foreign::new("ES256"));
    trust(&db, &elsewhere.jwks(), "").await;
    let good = access_token(&db, json!({})).await;
    let foreign = |header, claims| {
        let base = json!({ "iss": ISSUER, "aud": API, "sub": "a", "exp": 4_000_000_000_i64, "iat": 1_700_000_000 });
        elsewhere.sign(header, merged(base, claims))
    };
    for (kind, id) in [("token", "dead"), ("session", "dead"), ("grant", "dead"), ("client", "dead"), ("agent", "dead")]
    {
        admin.execute("select identity.revoke($1, $2)", &[&kind, &id]).await.unwrap();
    }
    let dead_actor = json!({ "act": { "sub": "dead" } });
    let tokens = [
        String::new(),
        "x".into(),
        "a.b.c".into(),
        good.clone(),
        format!("{good}AA"),
        good.replacen('.', ".e30.", 1),
        access_token(&db, json!({ "iat": 1_000_000_000, "exp": 1_000_000_300 })).await,
        access_token(&db, json!({ "nbf": 4_000_000_000_i64 })).await,
        access_token(&db, json!({ "aud": "https://elsewhere.example" })).await,
        access_token(&db, json!({ "aud": 7 })).await,
        access_token(&db, json!({ "sub": "" })).await,
        access_token(&db, json!({ "exp": "soon" })).await,
        access_token(&db, json!({ "roles": 7 })).await,
        access_token(&db, json!({ "iss": 7 })).await,
        signed(&db, "JWT", json!({ "sub": ALICE, "aud": db.issuer })).await,
        access_token(&db, json!({ "jti": "dead" })).await,
        access_token(&db, json!({ "sid": "dead" })).await,
        access_token(&db, json!({ "grant_id": "dead" })).await,
        access_token(&db, json!({ "client_id": "dead", "iat": 1_000_000_000 })).await,
        access_token(&db, merged(dead_actor, json!({ "iat": 1_000_000_000 }))).await,
        foreign(json!({}), json!({})),
        foreign(json!({ "alg": "none" }), json!({})),
        foreign(json!({ "alg": "RS256" }), json!({})),
        foreign(json!({ "kid": "key-2" }), json!({})),
        foreign(json!({ "typ": "logout+jwt" }), json!({})),
        foreign(json!({}), json!({ "iss": "https://unknown.example" })),
        foreign(json!({}), json!({ "aud": "x", "exp": 1 })),
        foreign(json!({}), json!({ "nonce": "n" })),
        stranger.token(json!({})),
    ];
    let mut reasons = Vec::new();
    for token in &tokens {
        let said = sqlstate(authenticate(&app, token).await);
        let rules = explain(&admin, token).await;
        let first = rules.iter().find(|(_, passed, _)| !passed);
        let explained = first.map_or("accepted", |(_, _, detail)| &detail[..5]);
        assert_eq!(explained, said, "{token}\n{rules:?}");
        reasons.push(said);
    }
    for reason in ["ID101", "ID102", "ID103", "ID104", "ID105", "ID106", "ID107", "ID108", "ID109", "ID110", "accepted"]
    {
        assert!(reasons.iter().any(|said| said == reason), "{reason} was not met: {reasons:?}");
    }
    let nothing = "select passed, detail from identity.explain(null)";
    let row = admin.query_one(nothing, &[]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, &str>(1)), (false, "ID101: the token is null"));
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let db = Database::new().await;
    let (admin, elsewhere, stranger) = (db.admin().await, Foreign::new("ES256"), Foreign::new("ES256"));
    trust(&db, &elsewhere.jwks(), "").await;
    let rules = explain(&admin, &stranger.token(json!({ "aud": "spa", "exp": 1_000_000_000, "nonce": "n" }))).await;
    assert_eq!(broken(&rules), ["signature", "type", "audience", "not expired"]);
    let detail = |name: &str| rules.iter().find(|(rule, ..)| rule == name).unwrap().2.clone();
    assert_eq!(detail("signature"), "ID106: the signature of the token is not good");
    assert_eq!(detail("audience"), "ID104: the token is for another audience; aud \"spa\"");
    assert!(detail("not expired").starts_with("ID102: the token has expired; exp 1000000000, -"));
    assert_eq!(detail("key"), "kid key-1");
}

#[tokio::test]
async fn only_administrators_are_told() {
    let db = Database::new().await;
    for client in [db.app().await, db.gateway_role().await] {
        assert_eq!(sqlstate(client.query("select identity.explain('x')", &[]).await), "42501");
        assert_eq!(sqlstate(client.query("select identity.token_explanation('x')", &[]).await), "42501");
    }
}
