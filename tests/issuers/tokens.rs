//! Tokens of trusted issuers: who they speak for, and for whom they are good.

use serde_json::json;
use uuid::Uuid;

use super::{ALGORITHMS, API, Foreign, ISSUER, trust};
use crate::jwt::{ALICE, authenticate, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn tokens_of_a_trusted_issuer_sign_in_without_being_a_user_of_ours() {
    let db = Database::new().await;
    let app = db.app().await;
    for algorithm in ALGORITHMS {
        let elsewhere = Foreign::new(algorithm);
        let token = elsewhere.token(json!({ "sub": ALICE, "scope": "read:notes", "azp": "spa", "roles": ["admin"] }));
        assert_eq!(sqlstate(authenticate(&app, &token).await), "ID109");
        assert_eq!(trust(&db, &elsewhere.jwks(), "").await, "accepted");
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &token).await.unwrap();
        let row = app
            .query_one(
                "select identity.issuer(), identity.subject(), identity.user_id(), identity.has_scope('read:notes'),
                   identity.has_role('admin')",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), ISSUER);
        assert_eq!(row.get::<_, &str>(1), ALICE);
        assert_eq!(row.get::<_, Option<Uuid>>(2), None);
        assert_eq!(row.get::<_, Option<bool>>(3), Some(true));
        // What gives authority is taken only from where the mapping says it is.
        assert_eq!(row.get::<_, Option<bool>>(4), Some(false));
        app.batch_execute("commit").await.unwrap();
        db.admin().await.execute("select identity.distrust_issuer($1)", &[&ISSUER]).await.unwrap();
        assert_eq!(sqlstate(authenticate(&app, &token).await), "ID109");
    }
}

#[tokio::test]
async fn the_claim_mapping_says_where_things_are() {
    let db = Database::new().await;
    let app = db.app().await;
    let keycloak = Foreign::new("RS256");
    let mapping = r#", claims => '{"roles": ["realm_access", "roles"], "organization_id": "https://example.com/org",
                                   "client_id": "azp", "scopes": null}'"#;
    assert_eq!(trust(&db, &keycloak.jwks(), mapping).await, "accepted");
    let token = keycloak.token(json!({
        "typ": "Bearer", "azp": "spa", "scope": "openid", "https://example.com/org": 42, "realm_access": { "roles": ["editor"] }
    }));
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    let row = app
        .query_one("select identity.roles(), identity.organization_id(), identity.client_id(), identity.scopes()", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Vec<String>>(0), ["editor"]);
    assert_eq!(row.get::<_, &str>(1), "42");
    assert_eq!(row.get::<_, &str>(2), "spa");
    assert_eq!(row.get::<_, Option<Vec<String>>>(3), None);
    app.batch_execute("commit").await.unwrap();
    // Two long numbers must not become one tenant: what is not read exactly is no name.
    for number in [json!(1e22), json!(7.5), json!([42]), json!({ "id": 42 })] {
        let token = keycloak.token(json!({ "https://example.com/org": number }));
        assert_eq!(sqlstate(authenticate(&app, &token).await), "ID101", "{number}");
    }
}

#[tokio::test]
async fn one_issuer_at_most_names_our_users() {
    let db = Database::new().await;
    let app = db.app().await;
    let elsewhere = Foreign::new("EdDSA");
    assert_eq!(trust(&db, &elsewhere.jwks(), ", subject_is_user_id => true").await, "accepted");
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &elsewhere.token(json!({ "sub": ALICE }))).await.unwrap();
    let id: Option<Uuid> = app.query_one("select identity.user_id()", &[]).await.unwrap().get(0);
    assert_eq!(id, Some(ALICE.parse().unwrap()));
    app.batch_execute("commit").await.unwrap();
    let other = "select identity.trust_issuer('https://other.example', 'x', $1, subject_is_user_id => true)";
    assert_eq!(sqlstate(db.admin().await.execute(other, &[&elsewhere.jwks()]).await), "ID005");
    // The same one again is no second one.
    assert_eq!(trust(&db, &elsewhere.jwks(), ", subject_is_user_id => true").await, "accepted");
}

#[tokio::test]
async fn only_access_tokens_for_this_audience_are_good() {
    let db = Database::new().await;
    let app = db.app().await;
    let elsewhere = Foreign::new("ES256");
    trust(&db, &elsewhere.jwks(), "").await;
    let now: i64 = app.query_one("select floor(extract(epoch from now()))::bigint", &[]).await.unwrap().get(0);
    let typed = |typ: &str| {
        elsewhere.sign(json!({ "typ": typ }), json!({ "iss": ISSUER, "aud": API, "sub": "a", "exp": now + 100 }))
    };
    let stranger = Foreign::new("ES256");
    let cases = [
        ("accepted", elsewhere.token(json!({}))),
        ("accepted", elsewhere.token(json!({ "aud": ["other", API] }))),
        ("accepted", typed("at+jwt")),
        ("accepted", typed("application/at+jwt")),
        // 60 s of skew, and not more.
        ("accepted", elsewhere.token(json!({ "exp": now - 30, "nbf": now + 30, "iat": now + 30 }))),
        ("ID102", elsewhere.token(json!({ "exp": now - 61 }))),
        ("ID103", elsewhere.token(json!({ "nbf": now + 90 }))),
        ("ID104", elsewhere.token(json!({ "aud": db.issuer }))),
        ("ID104", elsewhere.token(json!({ "aud": "spa" }))),
        ("ID108", elsewhere.token(json!({ "nonce": "n" }))),
        ("ID108", elsewhere.token(json!({ "at_hash": "h" }))),
        ("ID108", elsewhere.token(json!({ "typ": "ID" }))),
        ("ID108", elsewhere.token(json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }))),
        ("ID108", typed("logout+jwt")),
        ("ID108", typed("oauth-authz-req+jwt")),
        ("ID106", stranger.token(json!({}))),
        (
            "ID105",
            elsewhere
                .sign(json!({ "kid": "key-2" }), json!({ "iss": ISSUER, "aud": API, "sub": "a", "exp": now + 100 })),
        ),
    ];
    for (expected, token) in cases {
        assert_eq!(sqlstate(authenticate(&app, &token).await), expected, "{token}");
    }
    assert_eq!(trust(&db, &elsewhere.jwks(), ", typ => 'at+jwt'").await, "accepted");
    assert_eq!(sqlstate(authenticate(&app, &elsewhere.token(json!({}))).await), "ID108");
    assert_eq!(sqlstate(authenticate(&app, &typed("at+jwt")).await), "accepted");
}
