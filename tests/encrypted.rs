//! Answers in the form a client registered for: ID tokens and userinfo signed with each algorithm, unsecured, encrypted; and
//! request objects that are encrypted to us. The other side is PyPI joserfc, in both directions.

mod recipients;
mod request_objects;

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::clients::refusal;
use crate::http::{Bench, header};
use crate::jwt::merged;
use crate::real_clients::clients;
use crate::support::{Client, Database, Flow, Page, Tokens, client, user};

/// joserfc, a line in and a line out.
pub struct Jose {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Jose {
    pub fn new() -> Jose {
        let mut process = Command::new(clients().join(".venv/bin/python"))
            .arg("jose.py")
            .current_dir(clients())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Jose { _process: process, input, output: BufReader::new(output).lines() }
    }

    pub async fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let line = json!([command, arguments]).to_string() + "\n";
        self.input.write_all(line.as_bytes()).await.unwrap();
        let answer = self.output.next_line().await.unwrap().expect("joserfc says why on its standard error");
        serde_json::from_str(&answer).unwrap()
    }

    /// A new key: the private one, and the public one with this kid.
    pub async fn key(&mut self, kty: &str, size: Value, kid: &str) -> (Value, Value) {
        let made = self.ask("make", json!({ "kty": kty, "size": size })).await;
        (made["private"].clone(), merged(made["public"].clone(), json!({ "use": "enc", "kid": kid })))
    }
}

async fn registered(db: &Database, more: Value) -> Client {
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email offline_access"
    });
    client(db, merged(metadata, more)).await
}

/// Every algorithm with a key for it: kty, size, alg.
const RECIPIENTS: [(&str, &str, &str); 7] = [
    ("RSA", "", "RSA-OAEP-256"),
    ("EC", "P-256", "ECDH-ES"),
    ("EC", "P-384", "ECDH-ES"),
    ("EC", "P-521", "ECDH-ES+A256KW"),
    ("EC", "P-256", "ECDH-ES+A256KW"),
    ("OKP", "X25519", "ECDH-ES"),
    ("OKP", "X25519", "ECDH-ES+A256KW"),
];

fn size(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

async fn userinfo(bench: &Bench, token: &str) -> Page {
    bench.browser.send(bench.browser.http.get(bench.gateway.url("/userinfo")).bearer_auth(token)).await
}

#[tokio::test]
async fn an_encrypted_id_token_is_opened_by_its_client_and_is_signed_inside() {
    let bench = Bench::new().await;
    let (alice, mut jose) = (user(&bench.db, "alice").await, Jose::new());
    let keys = bench.browser.get(bench.gateway.url("/jwks.json")).await.json();
    for (kty, length, alg) in RECIPIENTS {
        for enc in ["A256GCM", "A128CBC-HS256"] {
            let (private, public) = jose.key(kty, size(length), "mine").await;
            let app = registered(
                &bench.db,
                json!({
                    "jwks": { "keys": [public] }, "id_token_signed_response_alg": "ES256",
                    "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc
                }),
            )
            .await;
            let flow = Flow::new(&bench.gateway, &app);
            let tokens = flow.tokens(&alice).await;
            let opened = jose.ask("decrypt", json!({ "token": tokens.id(), "key": private })).await;
            let header = opened["header"].as_object().unwrap();
            let said =
                json!({ "alg": header["alg"], "enc": header["enc"], "kid": header["kid"], "cty": header["cty"] });
            assert_eq!(said, json!({ "alg": alg, "enc": enc, "kid": "mine", "cty": "JWT" }));
            let signed = opened["text"].as_str().unwrap();
            let kid: Value = decoded(signed.split('.').next().unwrap())["kid"].clone();
            let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap();
            let verified = jose.ask("verify", json!({ "token": signed, "key": key })).await;
            let claims = &verified["claims"];
            assert_eq!((&claims["sub"], &claims["aud"]), (&json!(alice.id), &json!(app.id)));
            assert!(claims["at_hash"].is_string() && claims["nonce"] == "n-0S6_WzA2Mj", "{claims}");
            // A refresh gives another one.
            let refreshed = flow.refresh(tokens.refresh()).await.json();
            let opened = jose.ask("decrypt", json!({ "token": refreshed["id_token"], "key": private })).await;
            assert_eq!(Tokens::claims(opened["text"].as_str().unwrap())["sub"], json!(alice.id));
        }
    }
}

fn decoded(part: &str) -> Value {
    use base64::Engine;
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn an_unsecured_id_token_is_for_whoever_registered_for_it_and_is_believed_by_nobody_here() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let app = registered(&bench.db, json!({ "id_token_signed_response_alg": "none" })).await;
    let flow = Flow::new(&bench.gateway, &app);
    let tokens = flow.tokens(&alice).await;
    let (head, rest) = tokens.id().split_once('.').unwrap();
    assert_eq!(decoded(head), json!({ "alg": "none" }));
    assert!(rest.ends_with('.') && rest.matches('.').count() == 1, "{rest}");
    let claims = Tokens::claims(tokens.id());
    assert_eq!((&claims["sub"], &claims["aud"], claims.get("at_hash")), (&json!(alice.id), &json!(app.id), None));
    // As a hint it says nothing.
    let hinted = flow.browser.get(bench.gateway.url(&format!("/logout?id_token_hint={}", tokens.id()))).await;
    assert!(!hinted.body.contains(&alice.id.to_string()));
    let sql = bench.db.owner().await;
    let hint: Option<Value> =
        sql.query_one("select identity.id_token_hint_verify($1)", &[&tokens.id()]).await.unwrap().get(0);
    assert_eq!(hint, None);
    let app_login = bench.db.app().await;
    let refused = app_login.execute("select identity.authenticate($1)", &[&tokens.id()]).await;
    assert_eq!(refusal(refused).0, "ID110");
}

#[tokio::test]
async fn userinfo_is_json_or_a_token_as_registered() {
    let bench = Bench::new().await;
    let (alice, mut jose) = (user(&bench.db, "alice").await, Jose::new());
    for algorithm in ["PS256", "EdDSA"] {
        bench.db.admin().await.execute("select identity.create_signing_key($1)", &[&algorithm]).await.unwrap();
    }
    let keys = bench.db.admin().await.query_one("select identity.jwks()", &[]).await.unwrap().get::<_, Value>(0);
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA", "none"] {
        let app = registered(&bench.db, json!({ "userinfo_signed_response_alg": algorithm })).await;
        let tokens = Flow::new(&bench.gateway, &app).tokens(&alice).await;
        let page = userinfo(&bench, tokens.access()).await;
        assert_eq!((page.status.as_u16(), header(&page, "content-type")), (200, Some("application/jwt")));
        assert_eq!(header(&page, "cache-control"), Some("no-store"));
        let claims = if algorithm == "none" {
            assert!(page.body.ends_with('.'));
            Tokens::claims(&page.body)
        } else {
            let kid = decoded(page.body.split('.').next().unwrap())["kid"].clone();
            let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap();
            jose.ask("verify", json!({ "token": page.body, "key": key })).await["claims"].clone()
        };
        assert_eq!(
            json!({ "iss": claims["iss"], "aud": claims["aud"], "sub": claims["sub"], "email": claims["email"] }),
            json!({ "iss": bench.db.issuer, "aud": app.id, "sub": alice.id, "email": "alice@people.example" })
        );
        // It is no ID token, and signs nobody in.
        assert_eq!(claims.get("exp"), None);
        let app_login = bench.db.app().await;
        assert!(app_login.execute("select identity.authenticate($1)", &[&page.body]).await.is_err());
    }
    for (kty, length, alg) in RECIPIENTS {
        let (private, public) = jose.key(kty, size(length), "mine").await;
        for signed in [None, Some("ES256")] {
            let app = registered(
                &bench.db,
                merged(
                    json!({ "jwks": { "keys": [public] }, "userinfo_encrypted_response_alg": alg }),
                    signed.map_or(json!({}), |alg| json!({ "userinfo_signed_response_alg": alg })),
                ),
            )
            .await;
            // OpenID Connect Registration §2.
            assert_eq!(app.metadata["userinfo_encrypted_response_enc"], "A128CBC-HS256");
            let tokens = Flow::new(&bench.gateway, &app).tokens(&alice).await;
            let page = userinfo(&bench, tokens.access()).await;
            assert_eq!((page.status.as_u16(), header(&page, "content-type")), (200, Some("application/jwt")));
            let opened = jose.ask("decrypt", json!({ "token": page.body, "key": private })).await;
            assert_eq!(opened["header"].get("cty").is_some(), signed.is_some());
            let text = opened["text"].as_str().unwrap();
            let claims = if signed.is_some() { Tokens::claims(text) } else { serde_json::from_str(text).unwrap() };
            assert_eq!((&claims["sub"], &claims["email"]), (&json!(alice.id), &json!("alice@people.example")));
        }
    }
}

#[tokio::test]
async fn a_request_object_is_encrypted_to_a_published_key_and_the_one_before_it() {
    let db = Database::new().await;
    let (admin, owner, mut jose) = (db.admin().await, db.owner().await, Jose::new());
    let app = registered(&db, json!({})).await;
    let only = registered(
        &db,
        json!({ "request_object_encryption_alg": "ECDH-ES", "request_object_encryption_enc": "A256GCM" }),
    )
    .await;
    let published = async |kty: &str| -> Value {
        let set: Value = admin.query_one("select identity.jwks()", &[]).await.unwrap().get(0);
        let mut keys = set["keys"].as_array().unwrap().iter().filter(|key| key["use"] == "enc" && key["kty"] == kty);
        let key = keys.next().unwrap_or_else(|| panic!("no {kty} in {set}")).clone();
        assert!(keys.next().is_none() && key.get("d").is_none());
        key
    };
    let read = async |app: &Client, token: &str| -> Result<Value, String> {
        let query = "select r.claims, r.detail from identity_store.clients c, identity_store.request_object_read(c, $2) r where c.id = $1";
        let row = owner.query_one(query, &[&app.id, &token]).await.unwrap();
        row.get::<_, Option<Value>>(0).ok_or_else(|| row.get::<_, String>(1))
    };
    let inner = "eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCJ9.";
    admin.execute("select identity.create_encryption_key('RSA-OAEP-256')", &[]).await.unwrap();
    let mut old = Vec::new();
    for (kty, alg) in [("EC", "ECDH-ES"), ("EC", "ECDH-ES+A256KW"), ("RSA", "RSA-OAEP-256")] {
        let key = published(kty).await;
        for enc in ["A256GCM", "A128CBC-HS256"] {
            for kid in [json!({ "kid": key["kid"] }), json!({})] {
                let asked = merged(json!({ "text": inner, "key": key, "alg": alg, "enc": enc, "cty": "JWT" }), kid);
                let token = jose.ask("encrypt", asked).await.as_str().unwrap().to_owned();
                assert_eq!(read(&app, &token).await, Ok(json!({ "scope": "openid" })), "{alg} {enc}");
                let registered = alg == "ECDH-ES" && enc == "A256GCM";
                assert_eq!(read(&only, &token).await.is_ok(), registered, "{alg} {enc}");
                old.push(token);
            }
        }
    }
    assert_eq!(read(&only, inner).await, Err("it is not encrypted as registered".into()));
    // Rotation: the one before opens for a day.
    let before = published("EC").await;
    admin.execute("select identity.rotate_encryption_keys()", &[]).await.unwrap();
    assert_ne!(published("EC").await["kid"], before["kid"]);
    for token in &old {
        assert!(read(&app, token).await.is_ok());
    }
    let age =
        "update identity.encryption_keys set retired_at = retired_at - interval '25 hours' where state = 'retired'";
    db.superuser().await.batch_execute(age).await.unwrap();
    admin.execute("select identity.rotate_encryption_keys()", &[]).await.unwrap();
    for token in &old {
        assert_eq!(read(&app, token).await, Err("it is not encrypted to a key of ours".into()));
    }
    // To somebody else, altered, or of algorithms that are not ours.
    let (_, stranger) = jose.key("EC", json!("P-256"), "x").await;
    let token =
        jose.ask("encrypt", json!({ "text": inner, "key": stranger, "alg": "ECDH-ES", "enc": "A256GCM" })).await;
    let token = token.as_str().unwrap();
    for bad in [token, &format!("{token}A"), "a.b.c.d.e", "....", &format!("{}.....", "x".repeat(40_000))] {
        assert_eq!(read(&app, bad).await, Err("it is not encrypted to a key of ours".into()));
    }
    // A token within a token within a token.
    let key = published("EC").await;
    let once = jose.ask("encrypt", json!({ "text": inner, "key": key, "alg": "ECDH-ES", "enc": "A256GCM" })).await;
    let twice = jose.ask("encrypt", json!({ "text": once, "key": key, "alg": "ECDH-ES", "enc": "A256GCM" })).await;
    assert_eq!(read(&app, twice.as_str().unwrap()).await, Err("it is not a compact JWS with claims".into()));
}
