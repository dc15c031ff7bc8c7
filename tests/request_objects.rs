//! Request objects (RFC 9101; OpenID Connect Core §6; sql/store/functions/request_objects.sql).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authorize::Sql;
use crate::client_assertions::now;
use crate::issuers::{ALGORITHMS, Foreign};
use crate::jwt::merged;
use crate::support::{Client, Database, client};

/// What the authorization endpoint reads in it: the parameters, or why not.
async fn read(owner: &Sql, app: &Client, request: &str) -> Result<Value, (String, String, bool)> {
    let query = "select r.* from identity_store.clients c, identity_store.request_object_read(c, $2) r where c.id = $1";
    let row = owner.query_one(query, &[&app.id, &request]).await.unwrap();
    match row.get::<_, Option<String>>("error") {
        None => Ok(row.get("claims")),
        Some(error) => Err((error, row.get::<_, Option<String>>("detail").unwrap_or_default(), row.get("keys_due"))),
    }
}

fn unsigned(header: Value, claims: &Value) -> String {
    let header = merged(json!({ "alg": "none" }), header);
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.", encode(&header), encode(claims))
}

async fn registered(db: &Database, more: Value) -> Client {
    client(db, merged(json!({ "redirect_uris": ["https://a.example/cb"] }), more)).await
}

fn refused(detail: &str) -> Result<Value, (String, String, bool)> {
    Err(("invalid_request_object".into(), detail.into(), false))
}

#[tokio::test]
async fn its_parameters_are_read_signed_and_unsigned() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let parameters = json!({ "response_type": "code", "max_age": 5, "claims": { "id_token": { "acr": null } } });
    for algorithm in ALGORITHMS {
        let key = Foreign::new(algorithm);
        let app = registered(&db, json!({ "jwks": key.jwks(), "request_object_signing_alg": algorithm })).await;
        let envelope = json!({
            "iss": app.id, "aud": db.issuer, "client_id": app.id, "exp": now() + 60, "nbf": now(), "iat": now(), "jti": "a"
        });
        let expected = merged(parameters.clone(), json!({ "client_id": app.id }));
        for typ in ["JWT", "oauth-authz-req+jwt"] {
            let request = key.sign(json!({ "typ": typ }), merged(parameters.clone(), envelope.clone()));
            assert_eq!(read(&owner, &app, &request).await, Ok(expected.clone()));
        }
        assert_eq!(read(&owner, &app, &key.sign(json!({}), parameters.clone())).await, Ok(parameters.clone()));
    }
    let app = registered(&db, json!({})).await;
    assert_eq!(read(&owner, &app, &unsigned(json!({}), &parameters)).await, Ok(parameters.clone()));
    let app = registered(&db, json!({ "request_object_signing_alg": "none" })).await;
    assert_eq!(read(&owner, &app, &unsigned(json!({}), &parameters)).await, Ok(parameters));
}

#[tokio::test]
async fn whoever_registered_a_signature_is_believed_by_that_signature_only() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let (key, other) = (Foreign::new("ES256"), Foreign::new("ES256"));
    let claims = json!({ "scope": "openid" });
    for demand in [json!({ "request_object_signing_alg": "ES256" }), json!({ "require_signed_request_object": true })] {
        let app = registered(&db, merged(json!({ "jwks": key.jwks() }), demand)).await;
        assert_eq!(read(&owner, &app, &unsigned(json!({}), &claims)).await, refused("it is not signed"));
        let forged = other.sign(json!({}), claims.clone());
        assert_eq!(read(&owner, &app, &forged).await, refused("signature: bad_signature"));
        let stranger = other.sign(json!({ "kid": "other", "jwk": other.jwk }), claims.clone());
        assert_eq!(read(&owner, &app, &stranger).await, refused("signature: unknown_key"));
    }
    let rsa = Foreign::new("RS256");
    let mut jwk = rsa.jwk.clone();
    jwk.as_object_mut().unwrap().remove("alg");
    let pinned = json!({ "jwks": { "keys": [jwk] }, "request_object_signing_alg": "PS256" });
    let app = registered(&db, pinned).await;
    let request = rsa.sign(json!({}), claims.clone());
    assert_eq!(read(&owner, &app, &request).await, refused("signature: algorithm_refused"));
    assert_eq!(read(&owner, &app, &rsa.sign(json!({ "alg": "PS256" }), claims.clone())).await, Ok(claims.clone()));
    // Without keys nothing is signed.
    let keyless = registered(&db, json!({})).await;
    assert_eq!(read(&owner, &keyless, &request).await, refused("signature: unknown_key"));
    // Where they are at an address, they are fetched first.
    let distant = registered(&db, json!({ "jwks_uri": "https://a.example/jwks" })).await;
    let (error, _, keys_due) = read(&owner, &distant, &request).await.unwrap_err();
    assert_eq!((error.as_str(), keys_due), ("invalid_request_object", true));
}

#[tokio::test]
async fn what_is_for_somebody_else_or_another_time_is_refused() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let key = Foreign::new("ES256");
    let app = registered(&db, json!({ "jwks": key.jwks() })).await;
    for (claims, detail) in [
        (json!({ "iss": "other" }), "iss is not the client"),
        (json!({ "iss": [app.id] }), "iss is not the client"),
        (json!({ "client_id": "other" }), "client_id is that of another client"),
        (json!({ "aud": "https://other.example" }), "aud is not this issuer"),
        (json!({ "aud": [format!("{}/authorize", db.issuer)] }), "aud is not this issuer"),
        (json!({ "request": "x" }), "it holds request or request_uri"),
        (json!({ "request_uri": "x" }), "it holds request or request_uri"),
        (json!({ "exp": now() - 60 }), "expired"),
        (json!({ "nbf": now() + 60 }), "not yet valid"),
        (json!({ "iat": now() + 60 }), "not yet valid"),
        (json!({ "exp": "soon" }), "it is not a compact JWS with claims"),
    ] {
        assert_eq!(read(&owner, &app, &key.sign(json!({}), claims.clone())).await, refused(detail), "{claims}");
    }
    for typ in ["at+jwt", "client-authentication+jwt", "logout+jwt"] {
        let request = key.sign(json!({ "typ": typ }), json!({}));
        assert_eq!(read(&owner, &app, &request).await, refused("typ is that of another kind of token"));
    }
    let malformed = refused("it is not a compact JWS with claims");
    for request in ["", "x", "a.b", "a.b.c", "{}", "..", &"x".repeat(60_000)] {
        assert_eq!(read(&owner, &app, request).await, malformed, "{request:.20}");
    }
    let signed_none = format!("{}AAAA", unsigned(json!({}), &json!({})));
    assert_eq!(read(&owner, &app, &signed_none).await, refused("alg none with a signature"));
    for alg in ["None", "NONE", "HS256", ""] {
        let request = unsigned(json!({ "alg": alg }), &json!({}));
        assert_eq!(read(&owner, &app, &request).await, refused("signature: algorithm_refused"), "{alg}");
    }
}
