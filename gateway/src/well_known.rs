//! `/.well-known/openid-configuration` (OpenID Connect Discovery §4) and `/.well-known/oauth-authorization-server`
//! (RFC 8414 §3): one document, in every place where clients look for it.
//!
//! The database says what it decides (scopes, claims, algorithms), this file says what the gateway translates. Clients
//! choose by this document, so only what works stands in it.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::config::{CertificateChain, Http};
use crate::web::database::{Call, Pool};
use crate::web::issuer::Issuer;
use crate::web::locales::Language;
use crate::web::outcome::Reply;
use crate::web::response;
use crate::web::state::AppState;
use crate::{authorize, jwks, session_state, token};

/// The endpoints of this feature, with their paths from the root of the host.
pub fn routes(issuer: &Issuer) -> Router<AppState> {
    let path = issuer.path();
    let mut routes = Router::new();
    for name in ["openid-configuration", "oauth-authorization-server"] {
        // RFC 8414 §3.1 inserts the well-known path between host and path, OpenID Connect Discovery §4 appends it to
        // the issuer; clients use both for both documents.
        routes = routes.route(&format!("/.well-known/{name}{path}"), get(configuration));
        if !path.is_empty() {
            routes = routes.route(&format!("{path}/.well-known/{name}"), get(configuration));
        }
    }
    routes = routes.route("/.well-known/{*unknown}", any(unknown));
    if !path.is_empty() {
        routes = routes.route(&format!("{path}/.well-known/{{*unknown}}"), any(unknown));
    }
    routes
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&READ];

/// What the database knows of the metadata.
pub static READ: Call =
    Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.provider_metadata()" };

/// The discovery document: the gateway's members, and those of the database after them. No member is ever null, because
/// strict clients refuse the whole document for one.
pub fn document(state: &AppState, database: &RawValue) -> Result<Vec<u8>, serde_json::Error> {
    let mut metadata = wire(&state.issuer, &state.settings.http);
    let decided: Map<String, Value> = serde_json::from_str(database.get())?;
    let private = ["build", "store_version"];
    metadata.extend(decided.into_iter().filter(|(name, value)| !value.is_null() && !private.contains(&name.as_str())));
    serde_json::to_vec(&metadata)
}

/// What is true of a gateway of this release with these settings.
fn wire(issuer: &Issuer, http: &Http) -> Map<String, Value> {
    let confidential = confidential(http);
    let methods: Vec<&str> = confidential.iter().copied().chain(["none"]).collect();
    let members = json!({
        "issuer": issuer.as_str(),
        "authorization_endpoint": issuer.url("/authorize"),
        "token_endpoint": issuer.url("/token"),
        "userinfo_endpoint": issuer.url("/userinfo"),
        "jwks_uri": issuer.url(jwks::PATH),
        "introspection_endpoint": issuer.url("/introspect"),
        "revocation_endpoint": issuer.url("/revoke"),
        "end_session_endpoint": issuer.url("/logout"),
        // sid is in every ID token and logout token.
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "check_session_iframe": issuer.url(session_state::PATH),
        "grant_types_supported": grant_types(),
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": confidential,
        "revocation_endpoint_auth_methods_supported": methods,
        // RFC 9207 §3.
        "authorization_response_iss_parameter_supported": true,
        "claim_types_supported": ["normal"],
        // How the pages are shown: one way that fits all of these.
        "display_values_supported": ["page", "popup", "touch"],
        "ui_locales_supported": Language::all().map(Language::tag).collect::<Vec<_>>(),
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
    });
    match members {
        Value::Object(mut members) => {
            // RFC 8705 §5. Not for the authorization endpoint: a browser would ask a person for a certificate.
            members.extend(http.mtls_endpoint_aliases.as_ref().map(|there| {
                let aliases = json!({
                    "token_endpoint": there.url("/token"),
                    "introspection_endpoint": there.url("/introspect"),
                    "revocation_endpoint": there.url("/revoke"),
                });
                ("mtls_endpoint_aliases".to_owned(), aliases)
            }));
            members
        }
        _ => Map::new(),
    }
}

/// Those of the token endpoint, and what needs none.
fn grant_types() -> Vec<&'static str> {
    token::GRANTS.iter().map(|grant| grant.grant_type).chain(authorize::GRANT_TYPES).collect()
}

/// How a client that can keep a secret or a key may prove itself, at every endpoint that asks it to. The last two need a proxy that
/// hands on certificates, and the very last one that verifies them.
fn confidential(http: &Http) -> Vec<&'static str> {
    let certificates: &[&str] = match (&http.client_certificate_header, http.client_certificate_chain) {
        (None, _) => &[],
        (Some(_), CertificateChain::Unverified) => &["self_signed_tls_client_auth"],
        (Some(_), CertificateChain::Verified) => &["self_signed_tls_client_auth", "tls_client_auth"],
    };
    ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
        .iter()
        .chain(certificates)
        .copied()
        .collect()
}

async fn configuration(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let document = state.metadata.respond(&state, &headers).await;
    document.unwrap_or_else(|error| Reply::from(Err(error)).into_response())
}

/// Clients try well-known paths of other standards; a 5xx makes some of them give up instead of trying the next.
async fn unknown() -> Response {
    response::json(StatusCode::NOT_FOUND, json!({ "error": "not_found" }).to_string())
}
