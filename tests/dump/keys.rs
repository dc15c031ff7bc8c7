//! Keys that are more than a signature: what people are called, and what was encrypted to us, in another cluster.

use serde_json::{Value, json};
use uuid::Uuid;

use super::restored_in;
use crate::authorize::{Answer, Sql, code, request, session, with};
use crate::encrypted::Jose;
use crate::jwt::{ALICE, access_token, authenticate, sqlstate};
use crate::pairwise::{claims, registered};
use crate::support::{Client, Cluster, Database, user};
use crate::token::redeem;
use crate::upgrade::take_master_key;

/// Who a token is about: user and session.
async fn whoami(app: &Sql, token: &Value) -> Result<(Option<Uuid>, Option<String>), String> {
    app.batch_execute("begin").await.unwrap();
    let answer = match authenticate(app, token.as_str().unwrap()).await {
        Err(error) => Err(error.code().unwrap().code().to_owned()),
        Ok(()) => {
            let row = app.query_one("select identity.user_id(), identity.session_id()::text", &[]).await.unwrap();
            Ok((row.get(0), row.get(1)))
        }
    };
    app.batch_execute("rollback").await.unwrap();
    answer
}

/// The tokens of a code of this session.
async fn signed_in(sql: &Sql, app: &Client, cookie: &str) -> Answer {
    let asked = with(request(app), json!({ "scope": "openid profile" }));
    redeem(sql, app, &code(sql, &asked, cookie).await).await
}

#[tokio::test]
async fn a_sector_knows_people_and_sessions_by_the_same_names_in_another_cluster() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = registered(&db, "a.example", json!({})).await;
    let cookie = session(&sql, &alice).await;
    let (_, before) = signed_in(&sql, &app, &cookie).await;
    let known = whoami(&db.app().await, &before["access_token"]).await.unwrap();
    assert_eq!(known.0, Some(alice.id));
    assert!(claims(&before, "id_token")["sub"].as_str().unwrap().starts_with("pw_"));

    let cluster = Cluster::start();
    let there = restored_in(&db, cluster).await;
    // Not as somebody without a name: the key is there, and does not open.
    assert_eq!(whoami(&there.app().await, &before["access_token"]).await, Err("ID003".into()));
    take_master_key(db.cluster, cluster);
    assert_eq!(whoami(&there.app().await, &before["access_token"]).await, Ok(known.clone()));
    let (outcome, after) = signed_in(&there.gateway_role().await, &app, &cookie).await;
    assert_eq!(outcome, "ok", "{after}");
    for token in ["id_token", "access_token"] {
        for name in ["sub", "sid"] {
            assert_eq!(claims(&after, token)[name], claims(&before, token)[name], "{name} of the {token}");
        }
    }
    assert_eq!(whoami(&there.app().await, &after["access_token"]).await, Ok(known));
    // Made anew where it had been lost, the key would be another one.
    let sector = "select identity.pairwise_identifier('user', $1, 'a.example')";
    let name: String = there.superuser().await.query_one(sector, &[&alice.id]).await.unwrap().get(0);
    assert_eq!(json!(name), claims(&before, "id_token")["sub"]);
}

#[tokio::test]
async fn what_was_encrypted_to_us_before_opens_in_another_cluster_with_the_same_master_key_only() {
    let db = Database::new().await;
    let (admin, mut jose) = (db.admin().await, Jose::new());
    admin.execute("select identity.create_encryption_key('RSA-OAEP-256')", &[]).await.unwrap();
    let published: Value = admin.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    let mut objects = Vec::new();
    for (kty, alg) in [("EC", "ECDH-ES"), ("RSA", "RSA-OAEP-256")] {
        let mut keys = published["keys"].as_array().unwrap().iter();
        let key = keys.find(|key| key["use"] == "enc" && key["kty"] == kty).unwrap();
        let text = json!({ "scope": "openid", "state": alg }).to_string();
        let asked = json!({ "text": text, "key": key, "alg": alg, "enc": "A256GCM", "kid": key["kid"] });
        objects.push((jose.ask("encrypt", asked).await.as_str().unwrap().to_owned(), text));
    }
    // One of the keys has a successor by the time of the dump.
    admin.execute("select identity.create_encryption_key('RSA-OAEP-256')", &[]).await.unwrap();

    let cluster = Cluster::start();
    let there = restored_in(&db, cluster).await;
    let opened = async |object: &str| -> Result<Option<String>, String> {
        let row = there.owner().await.query_one("select identity.jwe_open($1)", &[&object]).await;
        row.map(|row| row.get(0)).map_err(|error| error.code().unwrap().code().to_owned())
    };
    for (object, _) in &objects {
        assert_eq!(opened(object).await, Err("ID003".into()), "with another master key");
    }
    take_master_key(db.cluster, cluster);
    for (object, text) in &objects {
        assert_eq!(opened(object).await, Ok(Some(text.clone())));
    }
    let jwks: Value = there.admin().await.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    let now: Value = admin.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
    assert_eq!(jwks, now, "the same keys are published");
}

#[tokio::test]
async fn tokens_of_every_algorithm_verify_in_another_cluster_whatever_its_master_key_is() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let mut tokens = vec![("ES256", access_token(&db, json!({})).await)];
    for algorithm in ["RS256", "PS256", "EdDSA"] {
        if algorithm != "RS256" {
            admin.execute("select identity.create_signing_key($1)", &[&algorithm]).await.unwrap();
        }
        let claims = json!({ "sub": ALICE, "aud": db.issuer, "client_id": "app", "jti": algorithm });
        let sign = "select identity.sign_jwt($1, $2, 'at+jwt')";
        tokens.push((algorithm, admin.query_one(sign, &[&claims, &algorithm]).await.unwrap().get(0)));
    }
    let cluster = Cluster::start();
    let there = restored_in(&db, cluster).await;
    let app = there.app().await;
    let verified = async || {
        for (algorithm, token) in &tokens {
            assert_eq!(sqlstate(authenticate(&app, token).await), "accepted", "{algorithm}");
        }
    };
    verified().await;
    // To sign takes the key itself.
    let sign = r#"select identity.sign_jwt('{"aud": "x"}', $1)"#;
    for (algorithm, _) in &tokens {
        let refused = there.admin().await.execute(sign, &[algorithm]).await;
        assert_eq!(sqlstate(refused), "ID003", "{algorithm}");
    }
    take_master_key(db.cluster, cluster);
    verified().await;
    for (algorithm, _) in &tokens {
        let signed: String = there.admin().await.query_one(sign, &[algorithm]).await.unwrap().get(0);
        let verify = "select identity.verify_jwt($1, 'x') is not null";
        assert!(db.admin().await.query_one(verify, &[&signed]).await.unwrap().get::<_, bool>(0), "{algorithm}");
    }
}
