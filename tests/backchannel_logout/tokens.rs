//! What a logout token says, and to whom (Back-Channel Logout §2.4, §2.6): checked by PyPI joserfc.

use serde_json::{Value, json};

use super::{path, sessions, take, told, visit};
use crate::authorize::{Sql, call};
use crate::encrypted::Jose;
use crate::jwt::{authenticate, merged, sqlstate};
use crate::support::{Client, Database, Tokens, User, user};
use crate::token::redeem;

/// Signs in at a client, ends the session: the ID token, and what the client would be sent.
async fn told_of(db: &Database, sql: &Sql, alice: &User, app: &Client) -> (Value, Value) {
    let cookie = visit(sql, alice, &[]).await;
    let code = crate::authorize::code(sql, &crate::authorize::request(app), &cookie).await;
    let (_, tokens) = redeem(sql, app, &code).await;
    let ended = sessions(db, alice).await[0];
    call(sql, "account_session_end", &[&cookie, &ended]).await;
    let mut taken = take(sql, 10).await;
    assert_eq!(taken.len(), 1, "{taken:?}");
    (tokens["id_token"].clone(), taken.remove(0))
}

/// The public key that this token names.
async fn key(db: &Database, kid: &Value) -> Value {
    let jwks: Value = db.admin().await.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    jwks["keys"].as_array().unwrap().iter().find(|key| &key["kid"] == kid).expect("a key that is published").clone()
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

#[tokio::test]
async fn it_names_the_client_the_person_and_the_session_as_the_id_token_does_and_holds_nothing_else() {
    let db = Database::new().await;
    let (sql, alice, mut jose) = (db.gateway_role().await, user(&db, "alice").await, Jose::new());
    for alg in ["PS256", "EdDSA"] {
        db.admin().await.execute("select identity.create_signing_key($1)", &[&alg]).await.unwrap();
    }
    for (alg, signed) in
        [("RS256", "RS256"), ("PS256", "PS256"), ("ES256", "ES256"), ("EdDSA", "EdDSA"), ("none", "RS256")]
    {
        for subject_type in ["public", "pairwise"] {
            let more = json!({"id_token_signed_response_alg": alg, "subject_type": subject_type});
            let app = told(&db, "https://a.example/out?x=y", more).await;
            let (id_token, taken) = told_of(&db, &sql, &alice, &app).await;
            let id = Tokens::claims(id_token.as_str().unwrap());
            let token = taken["logout_token"].as_str().unwrap();
            let header: Value = sql_header(&db, token).await;
            let verified = jose.ask("verify", json!({"token": token, "key": key(&db, &header["kid"]).await})).await;
            let claims = &verified["claims"];
            assert_eq!(verified["header"], json!({"typ": "logout+jwt", "alg": signed, "kid": header["kid"]}), "{alg}");
            assert_eq!(
                claims,
                &json!({
                    "iss": db.issuer, "aud": app.id, "sub": id["sub"], "sid": id["sid"],
                    "iat": claims["iat"], "exp": claims["exp"], "jti": claims["jti"],
                    "events": {"http://schemas.openid.net/event/backchannel-logout": {}}
                }),
                "{alg} {subject_type}"
            );
            let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
            assert!((now() - iat).abs() < 30 && exp - iat == 120, "{claims}");
            assert_eq!(id["sub"] == json!(alice.id), subject_type == "public");
            assert_eq!(taken["uri"], "https://a.example/out?x=y");
            assert!(taken["receipt"].as_str().unwrap().starts_with("logout_"));
            db.superuser().await.batch_execute("delete from identity_store.backchannel_logouts").await.unwrap();
        }
    }
}

async fn sql_header(db: &Database, token: &str) -> Value {
    let read = "select identity.decode_jwt_unverified($1) -> 'header'";
    db.app().await.query_one(read, &[&token]).await.unwrap().get(0)
}

#[tokio::test]
async fn it_is_encrypted_where_id_tokens_are_and_waits_for_a_key_where_there_is_none() {
    let db = Database::new().await;
    let (sql, alice, mut jose) = (db.gateway_role().await, user(&db, "alice").await, Jose::new());
    let (private, public) = jose.key("EC", json!("P-256"), "enc").await;
    let encrypted = json!({"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "A256GCM"});
    let app = told(&db, "https://a.example/out", merged(encrypted.clone(), json!({"jwks": {"keys": [public]}}))).await;
    let (_, taken) = told_of(&db, &sql, &alice, &app).await;
    let opened = jose.ask("decrypt", json!({"token": taken["logout_token"], "key": private})).await;
    assert_eq!(
        (&opened["header"]["alg"], &opened["header"]["enc"], &opened["header"]["cty"]),
        (&json!("ECDH-ES"), &json!("A256GCM"), &json!("JWT"))
    );
    let token = opened["text"].as_str().unwrap();
    assert_eq!(sql_header(&db, token).await["typ"], "logout+jwt");
    assert_eq!(Tokens::claims(token)["aud"], json!(app.id));
    db.superuser().await.batch_execute("delete from identity_store.backchannel_logouts").await.unwrap();

    // The keys are elsewhere, and not known any more when the session ends.
    let more = merged(encrypted, json!({"jwks_uri": "https://a.example/jwks", "client_id": "fetched"}));
    let app = told(&db, "https://a.example/out", more).await;
    let store = "select identity.client_keys_store('fetched', 'https://a.example/jwks', $1, null)";
    sql.execute(store, &[&json!({"keys": [public]}).to_string()]).await.unwrap();
    let cookie = visit(&sql, &alice, &[&app]).await;
    let superuser = db.superuser().await;
    superuser.batch_execute("update identity_store.client_key_sets set fetched_at = now() - interval '2 days', asked_at = now() - interval '2 days', window_since = now() - interval '2 days'").await.unwrap();
    let ended = sessions(&db, &alice).await[0];
    call(&sql, "account_session_end", &[&cookie, &ended]).await;
    let taken = take(&sql, 10).await;
    let need = json!({"kind": "jwks", "url": "https://a.example/jwks", "client_id": "fetched"});
    assert_eq!(taken, [json!({"receipt": taken[0]["receipt"], "need": need})]);
    // Asked a moment ago, in vain: it waits, and nothing leaves in clear.
    superuser.batch_execute("update identity_store.client_key_sets set asked_at = now(); update identity_store.backchannel_logouts set due_at = now()").await.unwrap();
    assert_eq!(take(&sql, 10).await, [json!(null); 0]);
    let state = "select due_at > now() and failure = 'there is no key to sign it with, or none to encrypt it to' from identity_store.backchannel_logouts";
    assert!(superuser.query_one(state, &[]).await.unwrap().get::<_, bool>(0));
    sql.execute(store, &[&json!({"keys": [public]}).to_string()]).await.unwrap();
    superuser.batch_execute("update identity_store.backchannel_logouts set due_at = now()").await.unwrap();
    assert!(take(&sql, 10).await[0]["logout_token"].is_string());
}

#[tokio::test]
async fn a_client_whose_key_nobody_can_encrypt_to_keeps_no_other_client_from_being_told() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let encrypted = json!({"id_token_encrypted_response_alg": "ECDH-ES", "jwks_uri": "https://evil.example/jwks"});
    let good = told(&db, "https://a.example/good", json!({})).await;
    let evil = told(&db, "https://a.example/evil", merged(encrypted, json!({"client_id": "a-evil"}))).await;
    let (_, sound) = Jose::new().key("OKP", json!("X25519"), "enc").await;
    // Points of small order (RFC 7748 §6.1): what would be agreed with them is zero.
    let zero = merged(sound.clone(), json!({"x": "A".repeat(43)}));
    let one = merged(sound.clone(), json!({"x": format!("AQ{}", "A".repeat(41))}));
    for keys in [json!([zero]), json!([one]), json!([zero, one])] {
        let superuser = db.superuser().await;
        let store = async |keys: &Value| {
            let forget =
                "update identity_store.client_key_sets set window_fetches = 1, asked_at = now() - interval '1 minute'";
            superuser.batch_execute(forget).await.unwrap();
            let store = "select identity.client_keys_store('a-evil', 'https://evil.example/jwks', $1, null)";
            sql.execute(store, &[&json!({"keys": keys}).to_string()]).await.unwrap();
        };
        // It signs somebody in, and then it is another key.
        store(&json!([sound])).await;
        let cookie = visit(&sql, &alice, &[&evil, &good]).await;
        store(&keys).await;
        let ended = sessions(&db, &alice).await[0];
        call(&sql, "account_session_end", &[&cookie, &ended]).await;
        let taken = take(&sql, 10).await;
        assert_eq!(taken.iter().map(path).collect::<Vec<_>>(), ["good"], "{keys}");
        let state = "select due_at > now() and attempts = 1 and failure = 'there is no key to sign it with, or none to encrypt it to'
          from identity_store.backchannel_logouts where client_id = 'a-evil'";
        assert!(superuser.query_one(state, &[]).await.unwrap().get::<_, bool>(0), "{keys}");
        superuser.batch_execute("delete from identity_store.backchannel_logouts").await.unwrap();
    }
}

#[tokio::test]
async fn it_authenticates_nobody_and_is_no_hint() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = told(&db, "https://a.example/out", json!({"id_token_signed_response_alg": "ES256"})).await;
    let (_, taken) = told_of(&db, &sql, &alice, &app).await;
    let token = taken["logout_token"].as_str().unwrap();
    assert_eq!(sqlstate(authenticate(&db.app().await, token).await), "ID108");
    assert_eq!(call(&sql, "userinfo_read", &[&token]).await.0, "invalid_token");
    let secret = app.secret.as_deref();
    let introspected =
        call(&sql, "token_introspect", &[&app.id, &secret, &"client_secret_basic", &token, &None::<&str>]).await;
    assert_eq!(introspected, ("ok".into(), json!({"active": false})));
    let (outcome, answer) =
        call(&sql, "logout_request", &[&json!({"id_token_hint": [token]}), &None::<&str>, &"browser"]).await;
    assert_eq!(
        (outcome.as_str(), &answer["error_description"]),
        ("error_page", &json!("id_token_hint is not an ID token of this issuer"))
    );
}

#[tokio::test]
async fn one_client_without_a_key_of_its_algorithm_stops_no_other() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    db.admin().await.execute("select identity.create_signing_key('EdDSA')", &[]).await.unwrap();
    let [one, two] = [
        told(&db, "https://a.example/one", json!({"id_token_signed_response_alg": "EdDSA"})).await,
        told(&db, "https://a.example/two", json!({})).await,
    ];
    let cookie = visit(&sql, &alice, &[&one, &two]).await;
    db.superuser().await.batch_execute("delete from identity.signing_keys where algorithm = 'EdDSA'").await.unwrap();
    let ended = sessions(&db, &alice).await[0];
    call(&sql, "account_session_end", &[&cookie, &ended]).await;
    let taken = take(&sql, 10).await;
    assert_eq!(taken.iter().map(super::path).collect::<Vec<_>>(), ["two"]);
    assert_eq!(super::waiting(&db).await.len(), 2);
}
