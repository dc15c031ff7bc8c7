//! Somebody who has a key that this database believes, and signs with it whatever the test wants: what the signature does not refuse.

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::{ALICE, authenticate, merged, sqlstate, verify};
use crate::issuers::{API, Foreign, ISSUER, trust};
use crate::support::Database;

pub struct Signer {
    pub key: Foreign,
    pub kid: String,
    pub issuer: String,
    pub audience: String,
}

impl Signer {
    /// Our own issuer: the public part of its current key is replaced by one whose private part the test has.
    pub async fn ours(db: &Database, algorithm: &str) -> Self {
        let key = Foreign::new(algorithm);
        let admin = db.admin().await;
        if !["ES256", "RS256"].contains(&algorithm) {
            admin.execute("select identity.create_signing_key($1)", &[&algorithm]).await.unwrap();
        }
        let replace =
            "update identity.signing_keys set public_jwk = $2 where algorithm = $1 and state = 'current' returning kid";
        let kid = db.superuser().await.query_one(replace, &[&algorithm, &key.jwk]).await.unwrap().get(0);
        Self { key, kid, issuer: db.issuer.clone(), audience: db.issuer.clone() }
    }

    /// A trusted issuer.
    pub async fn trusted(db: &Database, algorithm: &str) -> Self {
        let key = Foreign::new(algorithm);
        assert_eq!(trust(db, &key.jwks(), "").await, "accepted");
        Self { key, kid: "key-1".into(), issuer: ISSUER.into(), audience: API.into() }
    }

    pub async fn both(db: &Database, algorithm: &str) -> [Self; 2] {
        [Self::ours(db, algorithm).await, Self::trusted(db, algorithm).await]
    }

    pub fn is_ours(&self) -> bool {
        self.issuer != ISSUER
    }

    pub fn header(&self, more: Value) -> Value {
        merged(json!({ "alg": self.key.jwk["alg"], "kid": self.kid, "typ": "at+jwt" }), more)
    }

    pub fn claims(&self, more: Value) -> Value {
        let base = json!({ "iss": self.issuer, "aud": self.audience, "sub": ALICE, "exp": 4_000_000_000_i64, "iat": 1_700_000_000 });
        merged(base, more)
    }

    /// A good token but for what is said here.
    pub fn token(&self, header: Value, claims: Value) -> String {
        self.key.sign_text(self.header(header).to_string(), self.claims(claims).to_string())
    }

    /// A good token whose header, or claims, is this text, whatever it is.
    pub fn with_header(&self, header: impl AsRef<[u8]>) -> String {
        self.key.sign_text(header, self.claims(json!({})).to_string())
    }

    pub fn with_claims(&self, claims: impl AsRef<[u8]>) -> String {
        self.key.sign_text(self.header(json!({})).to_string(), claims)
    }

    /// A good token without this member of the header, or this claim.
    pub fn without(&self, name: &str) -> String {
        let (mut header, mut claims) = (self.header(json!({})), self.claims(json!({})));
        for part in [&mut header, &mut claims] {
            part.as_object_mut().unwrap().remove(name);
        }
        self.key.sign_text(header.to_string(), claims.to_string())
    }
}

/// What authenticate and verify_jwt say to a token.
pub async fn outcomes(client: &Client, token: &str) -> [String; 2] {
    [sqlstate(authenticate(client, token).await), sqlstate(verify(client, token, None).await)]
}

/// Fails unless both say the same of this token, and nobody is signed in after a refusal.
pub async fn both_say(client: &Client, expected: &str, token: &str) {
    let said = outcomes(client, token).await;
    assert_eq!(said, [expected, expected], "{token:.600}");
}
