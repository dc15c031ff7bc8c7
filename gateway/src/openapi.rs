//! `/openapi.json`: every endpoint below the issuer, what it takes and what it answers, for programs (OpenAPI 3.1).
//!
//! Written by hand, as what is described is written by hand too: forms, redirects and pages that no type of ours stands for.
//! tests/openapi.rs holds it against the routes and against the answers, so that neither changes without it.

mod operation;
mod pages;
mod protocol;
mod schemas;

use std::sync::OnceLock;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::web::issuer::Issuer;
use crate::web::state::AppState;

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/openapi.json", get(read))
}

async fn read(State(state): State<AppState>) -> impl IntoResponse {
    // There is one issuer in a process.
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let body = DOCUMENT.get_or_init(|| Bytes::from(document(&state.issuer).to_string())).clone();
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=60")], body)
}

fn document(issuer: &Issuer) -> Value {
    let paths: Map<String, Value> = [protocol::paths(), pages::paths()].into_iter().flatten().collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pg_identity",
            "summary": "OAuth 2 and OpenID Connect",
            "description": "Parameters that stand nowhere here are ignored; one that is empty counts as absent; none may come twice, except where an array says so (RFC 6749 §3.1, §3.2).",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": issuer.as_str() }],
        "tags": [
            { "name": "protocol", "description": "For clients and resource servers." },
            { "name": "pages", "description": "For a person in front of a browser: HTML, forms and redirects." },
        ],
        "paths": paths,
        "components": { "schemas": schemas::schemas(), "securitySchemes": schemas::security() },
    })
}
