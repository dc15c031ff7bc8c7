//! What the gateway fetches from clients, and everything that must not follow from it (gateway/src/web/documents.rs,
//! sql/store/functions/documents.sql). Contents, and the client whose server is a stranger's.

mod keys;
mod misbehaviour;
mod request_uri;

use serde_json::{Value, json};

use crate::client_assertions::assertion_claims;
use crate::http::CLIENT_CREDENTIALS;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::support::{Browser, Client, Database, Gateway, Page, Stranger, client};

/// A gateway that may reach the servers of these tests, and such a server.
pub struct World {
    pub db: Database,
    pub gateway: Gateway,
    pub browser: Browser,
    pub stranger: Stranger,
}

impl World {
    pub async fn new() -> World {
        World::with(&[]).await
    }

    /// With more environment variables.
    pub async fn with(environment: &[(&str, &str)]) -> World {
        let (db, stranger) = (Database::new().await, Stranger::new().await);
        let environment = [&[("GATEWAY_FETCH_ALLOW", "127.0.0.1")], environment].concat();
        let gateway = Gateway::start_with(&db, &environment).await;
        World { db, gateway, browser: Browser::new(), stranger }
    }

    /// A service that signs with its key and publishes it at this path.
    pub async fn service(&self, path: &str) -> Client {
        self.service_at(&self.stranger.url(path)).await
    }

    /// The same at this address.
    pub async fn service_at(&self, jwks_uri: &str) -> Client {
        let metadata = json!({
            "token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"], "jwks_uri": jwks_uri
        });
        client(&self.db, metadata).await
    }

    /// A request of this client, proved by this key.
    pub async fn post(&self, path: &str, app: &Client, key: &Foreign, fields: &[(&str, &str)]) -> Page {
        let assertion = key.sign(json!({ "kid": key.jwk["kid"] }), assertion_claims(&self.db, app, json!({})));
        let proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)];
        self.browser.post(self.gateway.url(path), &[fields, &proof].concat()).await
    }

    /// A token of this client.
    pub async fn token(&self, app: &Client, key: &Foreign) -> Page {
        self.post("/token", app, key, &[CLIENT_CREDENTIALS]).await
    }

    /// What administrators read about the last fetch of a client's keys.
    pub async fn failure(&self, app: &Client) -> Option<String> {
        let failure = "select failure from identity_store.client_key_sets where client_id = $1";
        self.db.superuser().await.query_one(failure, &[&app.id]).await.unwrap().get(0)
    }
}

pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A key with this name.
pub fn named(kid: &str) -> Foreign {
    let mut key = Foreign::new("ES256");
    key.jwk = merged(key.jwk, json!({ "kid": kid }));
    key
}

/// What a client publishes.
pub fn jwks(keys: &[&Foreign]) -> String {
    json!({ "keys": keys.iter().map(|key| &key.jwk).collect::<Vec<&Value>>() }).to_string()
}
