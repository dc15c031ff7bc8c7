//! What only a gateway can see, and is believed about: certificates that clients show, keys that they publish. By what it makes up
//! it is the client that is known by such a thing, for as long as it is there, and nobody else.

use serde_json::{Value, json};

use super::thief;
use crate::authorize::{Sql, VERIFIER, call};
use crate::client_assertions::keys::{JWKS_URI, named, store};
use crate::client_assertions::{Signer, assert_refused, assertion_claims, token_for};
use crate::client_certificates::{Certificate, UNVERIFIED, VERIFIED, known_by, shown};
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::refresh::OFFLINE;
use crate::support::{Client, Database, client, service_client, user, web_client};
use crate::token::{redeem, refused};

/// Of a client that may do all that a client may.
fn everything(more: Value) -> Value {
    let base = json!({
        "grant_types": ["client_credentials", "authorization_code", "refresh_token"], "redirect_uris": ["https://notes.example/callback"]
    });
    merged(base, more)
}

/// A client whose keys are at its address.
async fn distant(db: &Database) -> Client {
    client(db, everything(json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": JWKS_URI }))).await
}

/// A code and a refresh token of a person, which pass through the gateway on their way to the client they are for.
struct Passing {
    app: Client,
    code: String,
    refresh_token: String,
}

impl Passing {
    async fn of_alice(db: &Database) -> Passing {
        let (sql, alice, app) = (db.gateway_role().await, user(db, "alice").await, web_client(db).await);
        let first = crate::refresh::tokens(&sql, &app, &alice, OFFLINE).await;
        let cookie = crate::authorize::session(&sql, &alice).await;
        let code = crate::authorize::code(&sql, &crate::authorize::request(&app), &cookie).await;
        Passing { app, code, refresh_token: first["refresh_token"].as_str().unwrap().to_owned() }
    }

    /// Whoever is another client gets nothing for them, and takes nothing from whom they are for.
    async fn is_nothing_to(
        &self,
        thief: &Sql,
        client: &Client,
        proof: impl Fn() -> (Option<String>, &'static str, Option<Vec<u8>>),
    ) {
        let none = None::<Vec<&str>>;
        for code in [self.code.as_str(), "made up"] {
            let (secret, method, certificate) = proof();
            let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
                [&client.id, &secret, &method, &code, &self.app.redirect_uri(), &VERIFIER, &none, &certificate];
            let answer = call(thief, "token_authorization_code", &arguments).await;
            assert_eq!(answer, refused("invalid_grant", "the authorization code is invalid"));
        }
        let (secret, method, certificate) = proof();
        let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&client.id, &secret, &method, &self.refresh_token, &None::<&str>, &none, &certificate];
        let answer = call(thief, "token_refresh_token", &arguments).await;
        assert_eq!(answer, refused("invalid_grant", "the refresh token is invalid"));
    }

    async fn is_good_for_its_client(&self, thief: &Sql) {
        assert_eq!(redeem(thief, &self.app, &self.code).await.0, "ok");
        assert_eq!(crate::refresh::refresh(thief, &self.app, &json!(self.refresh_token)).await.0, "ok");
    }
}

/// A token of the client itself, without a person.
async fn assert_is_of_nobody(db: &Database, app: &Client, (outcome, answer): (String, Value)) {
    assert_eq!(outcome, "ok", "{answer}");
    assert_eq!((answer.get("refresh_token"), answer.get("id_token")), (None, None));
    let token = answer["access_token"].as_str().unwrap();
    let reader = db.app().await;
    reader.batch_execute("begin").await.unwrap();
    crate::jwt::authenticate(&reader, token).await.unwrap();
    let row = reader.query_one("select identity.client_id(), identity.user_id()", &[]).await.unwrap();
    assert_eq!((row.get::<_, String>(0), row.get::<_, Option<uuid::Uuid>>(1)), (app.id.clone(), None));
    let (outcome, answer) = call(&db.gateway_role().await, "userinfo_read", &[&token]).await;
    assert_eq!(outcome, "insufficient_scope", "{answer}");
}

#[tokio::test]
async fn certificates_that_nobody_showed_are_those_clients_that_are_known_by_one_and_no_person() {
    let db = Database::new().await;
    let (thief, passing) = (thief(&db).await, Passing::of_alice(&db).await);
    // A certificate is no secret, and a name anybody can write into one of their own.
    let (seen, made_up) = (Certificate::new("/CN=client", ""), Certificate::new("/CN=client", ""));
    let by_name = known_by(&db, VERIFIED, everything(json!({ "tls_client_auth_subject_dn": "CN=client" }))).await;
    let by_key = known_by(&db, UNVERIFIED, everything(json!({ "jwks": { "keys": [seen.jwk()] } }))).await;
    for (app, method, certificate) in [(&by_name, VERIFIED, &made_up), (&by_key, UNVERIFIED, &seen)] {
        assert_is_of_nobody(&db, app, shown(&thief, Some(&app.id), method, Some(&certificate.der)).await).await;
        passing.is_nothing_to(&thief, app, || (None, method, Some(certificate.der.clone()))).await;
    }
    // Of a client that is known by its key it has to be that key's.
    assert_refused(&shown(&thief, Some(&by_key.id), UNVERIFIED, Some(&made_up.der)).await);
    // Clients that are known by something else are not known by one.
    let with_a_key = Signer::new(&db, "ES256", json!({})).await.client;
    for app in [&service_client(&db).await, &with_a_key, &distant(&db).await, &passing.app] {
        for (method, certificate) in [(VERIFIED, &made_up), (UNVERIFIED, &seen)] {
            assert_refused(&shown(&thief, Some(&app.id), method, Some(&certificate.der)).await);
        }
    }
    passing.is_good_for_its_client(&thief).await;
}

#[tokio::test]
async fn keys_that_are_not_the_clients_are_those_clients_that_have_a_jwks_uri_and_no_person() {
    let db = Database::new().await;
    let (thief, passing) = (thief(&db).await, Passing::of_alice(&db).await);
    let (app, made_up) = (distant(&db).await, named("a"));
    let signed = |by: &Foreign, app: &Client| by.sign(json!({ "kid": "a" }), assertion_claims(&db, app, json!({})));
    let document = made_up.jwks().to_string();
    assert!(store(&thief, &app, JWKS_URI, Some(&document)).await);
    assert_is_of_nobody(&db, &app, token_for(&thief, None, &signed(&made_up, &app)).await).await;
    passing.is_nothing_to(&thief, &app, || (Some(signed(&made_up, &app)), "client_assertion", None)).await;
    // Nothing is kept for clients with keys by value or with a secret, wherever it says that it found them.
    let by_value = Signer::new(&db, "ES256", json!({})).await;
    let secret = json!({ "token_endpoint_auth_method": "client_secret_jwt", "grant_types": ["client_credentials"] });
    for app in [&by_value.client, &client(&db, secret).await, &service_client(&db).await, &passing.app] {
        assert!(!store(&thief, app, JWKS_URI, Some(&document)).await, "{}", app.metadata);
        assert_refused(&token_for(&thief, None, &signed(&made_up, app)).await);
    }
    assert_eq!(token_for(&thief, None, &by_value.assertion(&db, json!({}))).await.0, "ok");
    // Nor from anywhere but the address that the client registered.
    let another = distant(&db).await;
    assert!(!store(&thief, &another, "https://elsewhere.example/jwks", Some(&document)).await);
    let need = ("need".to_owned(), json!({ "kind": "jwks", "url": JWKS_URI, "client_id": another.id }));
    assert_eq!(token_for(&thief, None, &signed(&made_up, &another)).await, need);
    // One set is there, with its source and its time.
    let kept = "select client_id, jwks_uri, fetched_at is not null from identity_store.client_key_sets";
    let kept = db.superuser().await.query(kept, &[]).await.unwrap();
    let kept: Vec<(String, String, bool)> = kept.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(kept, [(app.id.clone(), JWKS_URI.to_owned(), true)]);
    passing.is_good_for_its_client(&thief).await;
}

/// It leaves with the private keys, which would be good at every gateway until somebody asks the client for its own.
#[tokio::test]
async fn keys_that_came_in_the_time_of_a_theft_are_forgotten_with_what_was_issued_then() {
    let db = Database::new().await;
    let (thief, gateway, admin) = (thief(&db).await, db.gateway_role().await, db.admin().await);
    let (known, taken, own, made_up) = (distant(&db).await, distant(&db).await, named("a"), named("a"));
    let signed = |by: &Foreign, app: &Client| by.sign(json!({ "kid": "a" }), assertion_claims(&db, app, json!({})));
    let need = |app: &Client| ("need".to_owned(), json!({ "kind": "jwks", "url": JWKS_URI, "client_id": app.id }));
    assert!(store(&gateway, &known, JWKS_URI, Some(&own.jwks().to_string())).await);
    let began: String = admin.query_one("select clock_timestamp()::text", &[]).await.unwrap().get(0);
    assert!(store(&thief, &taken, JWKS_URI, Some(&made_up.jwks().to_string())).await);
    let revoke = async |dry_run: bool| {
        let sql =
            format!("select from identity.revoke_issued_between('{began}', clock_timestamp(), dry_run => {dry_run})");
        admin.execute(&sql, &[]).await.unwrap();
    };
    revoke(true).await;
    assert_eq!(token_for(&gateway, None, &signed(&made_up, &taken)).await.0, "ok");
    revoke(false).await;
    assert_eq!(token_for(&gateway, None, &signed(&made_up, &taken)).await, need(&taken));
    // Its own are asked for at once, however often it was asked before; and those that were there before the theft stay.
    assert!(store(&gateway, &taken, JWKS_URI, Some(&own.jwks().to_string())).await);
    assert_refused(&token_for(&gateway, None, &signed(&made_up, &taken)).await);
    for app in [&taken, &known] {
        assert_eq!(token_for(&gateway, None, &signed(&own, app)).await.0, "ok");
    }
}

/// Whoever stores keys at that moment has done so before, or is heard of: as who begins a session then.
#[tokio::test]
async fn keys_that_are_being_stored_are_waited_for() {
    let db = Database::new().await;
    let (thief, admin, app) = (thief(&db).await, db.admin().await, distant(&db).await);
    thief.batch_execute("begin").await.unwrap();
    assert!(store(&thief, &app, JWKS_URI, Some(&named("a").jwks().to_string())).await);
    let process: i32 = admin.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let revoked = tokio::spawn(async move {
        let sql = "select from identity.revoke_issued_between(now() - interval '1 hour', clock_timestamp())";
        admin.execute(sql, &[]).await
    });
    crate::races::waits(&db, process).await;
    thief.batch_execute("commit").await.unwrap();
    revoked.await.unwrap().unwrap();
    let kept = "select count(*) from identity_store.client_key_sets";
    assert_eq!(db.superuser().await.query_one(kept, &[]).await.unwrap().get::<_, i64>(0), 0);
}
