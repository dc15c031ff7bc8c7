//! Software statements (RFC 7591 §2.3): what a trusted issuer says of a piece of software goes before what the software says of itself,
//! and nobody else's word counts.

use serde_json::{Value, json};

use super::{NO_TOKEN, confidential, configure, count, public, read, refused, register, registered, replace, text};
use crate::bad_input::digest;
use crate::client_assertions::{hs, now};
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::support::Database;

const VOUCHER: &str = "https://vouch.example";

struct Stage {
    db: Database,
    key: Foreign,
}

impl Stage {
    async fn new(policy: &str) -> Stage {
        let (db, key) = (Database::new().await, Foreign::new("ES256"));
        configure(&db, policy).await;
        trust(&db, VOUCHER, &key).await;
        Stage { db, key }
    }

    fn statement(&self, claims: Value) -> String {
        let mut claims =
            merged(json!({ "iss": VOUCHER, "iat": now(), "software_id": "4NRB1-0XZABZI9E6-5SM3R" }), claims);
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.key.sign(json!({}), claims)
    }
}

async fn trust(db: &Database, issuer: &str, key: &Foreign) {
    let trust = "select identity.registration_issuer_trust($1, $2)";
    db.admin().await.execute(trust, &[&issuer, &key.jwks()]).await.unwrap();
}

fn stating(statement: &str) -> Value {
    merged(confidential(), json!({ "software_statement": statement }))
}

#[tokio::test]
async fn what_the_statement_says_goes_before_the_request_and_comes_back_unmodified() {
    let stage = Stage::new("'open'").await;
    let sql = stage.db.gateway_role().await;
    let statement = stage.statement(json!({
        "client_name": "Known software", "redirect_uris": ["https://known.example/cb"], "scope": "openid", "client_uri": "https://known.example/",
        "first_party": true, "introspect_any": true, "access_token_lifetime": 86400, "tos_uri": null, "unheard_of": 1,
        "exp": now() + 60, "aud": stage.db.issuer
    }));
    let sent = merged(
        stating(&statement),
        json!({ "client_name": "Mine", "client_name#fr": "Le mien", "scope": "openid roles", "software_version": "2", "tos_uri#fr": "https://a.example/fr" }),
    );
    let answer = registered(&sql, &sent).await;
    let id = text(&answer, "client_id");
    assert_eq!(
        answer,
        json!({
            "client_name": "Known software", "redirect_uris": ["https://known.example/cb"], "scope": "openid",
            "client_uri": "https://known.example/", "software_id": "4NRB1-0XZABZI9E6-5SM3R", "software_version": "2",
            "tos_uri#fr": "https://a.example/fr", "software_statement": statement,
            "client_id": id, "client_id_issued_at": answer["client_id_issued_at"], "client_secret": answer["client_secret"],
            "client_secret_expires_at": 0, "registration_access_token": answer["registration_access_token"],
            "registration_client_uri": format!("{}/register/{id}", stage.db.issuer), "post_logout_redirect_uris": [],
            "grant_types": ["authorization_code"], "response_types": ["code"], "token_endpoint_auth_method": "client_secret_basic",
            "application_type": "web", "subject_type": "public", "id_token_signed_response_alg": "RS256"
        })
    );
    let settings = "identity_store.clients where first_party or introspect_any or access_token_lifetime <> 300";
    assert_eq!(count(&stage.db, settings).await, 0);
    let (_, known) = read(&sql, id, text(&answer, "registration_access_token")).await;
    assert_eq!(known["software_statement"], json!(statement));
}

#[tokio::test]
async fn a_statement_that_is_not_of_a_trusted_issuer_now_is_worth_nothing() {
    let stage = Stage::new("'open'").await;
    let (sql, superuser) = (stage.db.gateway_role().await, stage.db.superuser().await);
    let (stranger, good) = (Foreign::new("ES256"), stage.statement(json!({})));
    trust(&stage.db, "https://other.example", &Foreign::new("EdDSA")).await;
    let before = digest(&superuser).await;
    let claims = json!({ "iss": VOUCHER });
    let parts: Vec<&str> = good.split('.').collect();
    let none = stranger.sign_text(r#"{"alg":"none"}"#, claims.to_string());
    let public_key = stage.key.public_der();
    let (invalid, unapproved) = ("invalid_software_statement", "unapproved_software_statement");
    let (jwt, signature) = ("is not a signed JWT", "its signature is not that of its issuer");
    for (statement, error, description) in [
        (json!("x"), invalid, jwt),
        (json!(""), invalid, jwt),
        (json!(1), invalid, jwt),
        (json!([good]), invalid, jwt),
        (json!({}), invalid, jwt),
        (json!(format!("{good}.{good}")), invalid, jwt),
        (json!(format!(" {good}")), invalid, jwt),
        (json!("a.".repeat(20_000)), invalid, jwt),
        (json!(stage.key.sign_text(r#"{"alg":"ES256","crit":["exp"]}"#, claims.to_string())), invalid, jwt),
        (
            json!(stage.key.sign_text(r#"{"alg":"ES256"}"#, r#"{"iss":"a","iss":"https://vouch.example"}"#)),
            invalid,
            jwt,
        ),
        (json!(stage.statement(json!({ "iss": null }))), invalid, "its iss is missing"),
        (json!(stage.statement(json!({ "iss": [VOUCHER] }))), invalid, "its iss is missing"),
        (
            json!(stage.key.sign(json!({ "typ": "at+jwt" }), claims.clone())),
            invalid,
            "its typ is that of another kind of token",
        ),
        // Nobody we trust, though the key is.
        (
            json!(stage.statement(json!({ "iss": "https://elsewhere.example" }))),
            unapproved,
            "its issuer is not trusted here",
        ),
        (json!(stage.statement(json!({ "iss": format!("{VOUCHER}/") }))), unapproved, "its issuer is not trusted here"),
        // Somebody else we trust did not say so.
        (json!(stage.statement(json!({ "iss": "https://other.example" }))), invalid, signature),
        (json!(stranger.sign(json!({}), claims.clone())), invalid, signature),
        (
            json!(stranger.sign(json!({ "jwk": stranger.jwk, "jku": "https://evil.example/jwks" }), claims.clone())),
            invalid,
            signature,
        ),
        (json!(none), invalid, signature),
        (json!(format!("{}.", none.rsplit_once('.').unwrap().0)), invalid, signature),
        (json!(format!("{}.{}.", parts[0], parts[1])), invalid, signature),
        (json!(hs("HS256", json!({ "kid": "key-1" }), &claims, &public_key)), invalid, signature),
        (json!(hs("HS256", json!({}), &claims, stage.key.jwks().to_string().as_bytes())), invalid, signature),
        (json!(stage.statement(json!({ "exp": now() - 61 }))), invalid, "it has expired"),
        (json!(stage.statement(json!({ "exp": 0 }))), invalid, "it has expired"),
        (json!(stage.statement(json!({ "nbf": now() + 120 }))), invalid, "it is not yet valid"),
        (json!(stage.statement(json!({ "iat": now() + 120 }))), invalid, "it is not yet valid"),
        (json!(stage.statement(json!({ "aud": "https://elsewhere.example" }))), invalid, "its aud is not this issuer"),
        (
            json!(stage.statement(json!({ "aud": [format!("{}.evil.example", stage.db.issuer)] }))),
            invalid,
            "its aud is not this issuer",
        ),
    ] {
        let sent = merged(confidential(), json!({ "software_statement": statement }));
        let refusal = refused(error, &format!("software_statement: {description}"));
        assert_eq!(register(&sql, &sent).await, refusal, "{statement:.200}");
    }
    // What it says has to be right, too.
    let wrong = stage.statement(json!({ "redirect_uris": ["http://a.example"] }));
    assert_eq!(register(&sql, &stating(&wrong)).await.0, "invalid_redirect_uri");
    assert_eq!(digest(&superuser).await, before);
    for good in [
        stage.statement(json!({ "aud": [stage.db.issuer, "x"], "exp": now() + 30 })),
        stage
            .statement(json!({ "aud": format!("{}/register", stage.db.issuer), "exp": now() - 30, "nbf": now() + 30 })),
    ] {
        assert_eq!(register(&sql, &stating(&good)).await.0, "registered");
    }
}

#[tokio::test]
async fn whom_nobody_trusts_any_more_vouches_for_nothing_and_clients_stay() {
    let stage = Stage::new("'open'").await;
    let sql = stage.db.gateway_role().await;
    let statement = stage.statement(json!({ "client_name": "Known software" }));
    let answer = registered(&sql, &stating(&statement)).await;
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    let distrust = "select identity.registration_issuer_distrust($1)";
    stage.db.admin().await.execute(distrust, &[&VOUCHER]).await.unwrap();
    let unapproved = refused("unapproved_software_statement", "software_statement: its issuer is not trusted here");
    assert_eq!(register(&sql, &stating(&statement)).await, unapproved);
    assert_eq!(read(&sql, id, token).await.0, "ok");
    let next = merged(stating(&statement), json!({ "client_id": id }));
    assert_eq!(replace(&sql, id, token, &next).await, unapproved);
    // Its new keys are the only ones.
    let fresh = Foreign::new("ES256");
    trust(&stage.db, VOUCHER, &fresh).await;
    let old = refused("invalid_software_statement", "software_statement: its signature is not that of its issuer");
    assert_eq!(replace(&sql, id, token, &next).await, old);
}

#[tokio::test]
async fn a_change_is_vouched_for_as_well_and_the_statement_a_client_has_does_not_expire() {
    let stage = Stage::new("'open', software_statement => 'required'").await;
    let sql = stage.db.gateway_role().await;
    let required = refused("invalid_client_metadata", "software_statement: is required here");
    assert_eq!(register(&sql, &confidential()).await, required);
    let statement = stage.statement(json!({ "redirect_uris": ["https://known.example/cb"], "exp": now() - 55 }));
    let answer = registered(&sql, &stating(&statement)).await;
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    let next = |statement: &str| json!({ "client_id": id, "redirect_uris": ["https://evil.example/cb"], "client_name": "B", "software_statement": statement });
    // Five seconds later it would be refused of anybody else: the clock is the one thing that a test may not wait for.
    let expired = stage.statement(json!({ "redirect_uris": ["https://known.example/cb"], "exp": now() - 3600 }));
    let keep = "update identity_store.client_registrations set software_statement = $1";
    stage.db.superuser().await.execute(keep, &[&expired]).await.unwrap();
    let (outcome, changed) = replace(&sql, id, token, &next(&expired)).await;
    assert_eq!(
        (outcome.as_str(), &changed["redirect_uris"], &changed["client_name"]),
        ("ok", &json!(["https://known.example/cb"]), &json!("B"))
    );
    assert_eq!(changed["software_statement"], json!(expired));
    let other = stage.statement(json!({ "exp": now() - 3601 }));
    assert_eq!(
        replace(&sql, id, token, &next(&other)).await,
        refused("invalid_software_statement", "software_statement: it has expired")
    );
    let mut without = next(&expired);
    without.as_object_mut().unwrap().remove("software_statement");
    assert_eq!(replace(&sql, id, token, &without).await, required);
    assert_eq!(replace(&sql, id, "x", &next(&expired)).await, refused("invalid_token", NO_TOKEN));
    // Where it is not required, a client may do without.
    configure(&stage.db, "'open', software_statement => 'optional'").await;
    let (_, changed) = replace(&sql, id, token, &without).await;
    assert_eq!(
        (&changed["redirect_uris"], changed.get("software_statement")),
        (&json!(["https://evil.example/cb"]), None)
    );
}

/// Shared is what is the same, and the statement is part of it.
#[tokio::test]
async fn registrations_with_different_statements_are_different_clients() {
    let stage = Stage::new("'open'").await;
    let sql = stage.db.gateway_role().await;
    let (one, two) = (
        stage.statement(json!({ "software_version": "1", "jti": "a" })),
        stage.statement(json!({ "software_version": "1", "jti": "b" })),
    );
    let with = |statement: &str| merged(public(), json!({ "software_statement": statement }));
    let first = registered(&sql, &with(&one)).await;
    assert_eq!(registered(&sql, &with(&one)).await, first);
    assert_ne!(registered(&sql, &with(&two)).await["client_id"], first["client_id"]);
    let plain = merged(public(), json!({ "software_version": "1", "software_id": "4NRB1-0XZABZI9E6-5SM3R" }));
    assert_ne!(registered(&sql, &plain).await["client_id"], first["client_id"]);
}
