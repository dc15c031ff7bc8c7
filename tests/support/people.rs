//! People and clients, made with the administrator's functions.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::Database;

/// A person who can sign in.
#[derive(Clone, Debug)]
pub struct User {
    /// `sub`.
    pub id: Uuid,
    /// The user name.
    pub username: String,
    /// The password in clear.
    pub password: String,
}

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; none for a public client.
    pub secret: Option<String>,
    /// All that `client_create` answered.
    pub metadata: Value,
}

impl Client {
    /// The first redirect URI.
    pub fn redirect_uri(&self) -> &str {
        self.metadata["redirect_uris"][0].as_str().expect("the client has a redirect URI")
    }
}

/// A person with a full profile and the password "correct horse battery <username>".
pub async fn user(db: &Database, username: &str) -> User {
    let password = format!("correct horse battery {username}");
    let id = db
        .admin()
        .await
        .query_one("select identity.user_create($1, $2)", &[&full_profile(username), &password])
        .await
        .unwrap()
        .get(0);
    User { id, username: username.into(), password }
}

/// Every standard claim of OpenID Connect Core §5.1.
pub fn full_profile(username: &str) -> Value {
    json!({
        "preferred_username": username,
        "name": format!("{username} Liddell"),
        "given_name": username,
        "family_name": "Liddell",
        "middle_name": "Pleasance",
        "nickname": username,
        "profile": format!("https://people.example/{username}"),
        "picture": format!("https://people.example/{username}.png"),
        "website": "https://people.example/",
        "email": format!("{username}@people.example"),
        "email_verified": true,
        "gender": "female",
        "birthdate": "1852-05-04",
        "zoneinfo": "Europe/London",
        "locale": "en-GB",
        "phone_number": "+44 20 7946 0123",
        "phone_number_verified": true,
        "address": {
            "formatted": "1 Tom Quad\nOxford OX1 1DP\nEngland",
            "street_address": "1 Tom Quad",
            "locality": "Oxford",
            "region": "Oxfordshire",
            "postal_code": "OX1 1DP",
            "country": "England"
        },
        "roles": ["reader"]
    })
}

/// A client with this metadata (RFC 7591).
pub async fn client(db: &Database, metadata: Value) -> Client {
    let metadata: Value =
        db.admin().await.query_one("select identity.client_create($1)", &[&metadata]).await.unwrap().get(0);
    Client {
        id: metadata["client_id"].as_str().unwrap().into(),
        secret: metadata["client_secret"].as_str().map(Into::into),
        metadata,
    }
}

/// A public client: code, PKCE, refresh; redirect to a loopback address of any port.
pub async fn public_client(db: &Database) -> Client {
    let metadata = json!({
        "client_name": "Notes on a phone",
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["http://127.0.0.1:4711/callback"],
        "scope": ALL_SCOPES
    });
    client(db, metadata).await
}

/// A confidential web client: code, refresh, all scopes of OpenID Connect.
pub async fn web_client(db: &Database) -> Client {
    let metadata = json!({
        "client_name": "Notes on the web",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://notes.example/callback"],
        "post_logout_redirect_uris": ["https://notes.example/"],
        "scope": ALL_SCOPES
    });
    client(db, metadata).await
}

/// A confidential client without people: client_credentials and introspection of any token.
pub async fn service_client(db: &Database) -> Client {
    let metadata = json!({
        "client_name": "Nightly job",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "introspect_any": true
    });
    client(db, metadata).await
}

const ALL_SCOPES: &str = "openid profile email address phone roles offline_access";
