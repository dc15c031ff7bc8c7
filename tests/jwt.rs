//! Tokens: what is good, and one reason for each that is not. Contents, and what the tests of tokens share.

mod algorithms;
mod claims;
mod kids;
mod properties;
mod signatures;
mod signer;
mod signing;
mod spelling;
mod strictness;
mod times;

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
