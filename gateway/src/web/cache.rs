//! Documents that everybody fetches and that seldom change: discovery and public keys.
//!
//! Kept for a short while, made by one request at a time, and served stale while the database is away: a verifier that
//! cannot fetch our keys would refuse good tokens.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use super::{
    database::{Call, Unavailable},
    state::AppState,
};

/// Turns the database's answer into the document.
pub type Render = fn(&AppState, &RawValue) -> Result<Vec<u8>, serde_json::Error>;

/// A document and how to make it.
pub struct Cached {
    call: &'static Call,
    render: Render,
    latest: std::sync::RwLock<Option<Arc<Document>>>,
    making: Mutex<()>,
}

struct Document {
    body: Bytes,
    etag: HeaderValue,
    made: Instant,
}

impl Cached {
    /// A document that nobody has asked for yet.
    pub fn new(call: &'static Call, render: Render) -> Self {
        Self { call, render, latest: std::sync::RwLock::default(), making: Mutex::default() }
    }

    /// The document as a response with ETag and Cache-Control, or 304 when the client has it (`If-None-Match`).
    ///
    /// # Errors
    /// [`Unavailable`] when it has never been made, or not for [`STALE`].
    pub async fn respond(&self, state: &AppState, request: &HeaderMap) -> Result<Response, Unavailable> {
        let document = self.document(state).await?;
        let headers = [
            (header::ETAG, document.etag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60")),
        ];
        // RFC 9110 §13.1.2: a list of tags, or `*`. Compared weakly: a proxy that compresses makes the tag weak.
        let known =
            request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
                value
                    .split(',')
                    .map(str::trim)
                    .any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == document.etag.as_bytes())
            });
        if known {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        Ok((headers, [(header::CONTENT_TYPE, "application/json")], document.body.clone()).into_response())
    }

    async fn document(&self, state: &AppState) -> Result<Arc<Document>, Unavailable> {
        if let Some(document) = self.latest(FRESH) {
            return Ok(document);
        }
        // Somebody makes it: everybody else takes the one before, or waits if there is none.
        let _making = match self.making.try_lock() {
            Ok(guard) => guard,
            Err(_) => match self.latest(STALE) {
                Some(document) => return Ok(document),
                None => self.making.lock().await,
            },
        };
        if let Some(document) = self.latest(FRESH) {
            return Ok(document);
        }
        match self.make(state).await {
            Ok(document) => {
                *self.latest.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::clone(&document));
                Ok(document)
            }
            Err(error) => self.latest(STALE).ok_or(error),
        }
    }

    fn latest(&self, age: Duration) -> Option<Arc<Document>> {
        let latest = self.latest.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        latest.as_ref().filter(|document| document.made.elapsed() < age).cloned()
    }

    async fn make(&self, state: &AppState) -> Result<Arc<Document>, Unavailable> {
        let answer = state.db.call(self.call, &[]).await?;
        let body = (self.render)(state, &answer.body).map_err(|error| Unavailable::Unexpected(error.to_string()))?;
        let tag = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &body));
        let etag =
            HeaderValue::try_from(format!("\"{tag}\"")).map_err(|error| Unavailable::Unexpected(error.to_string()))?;
        Ok(Arc::new(Document { body: Bytes::from(body), etag, made: Instant::now() }))
    }
}

/// As old as a new key may be before everybody sees it: keys are published well before they are used (README, decision 13).
const FRESH: Duration = Duration::from_secs(5);
/// How long the last one is good enough while the database is away.
const STALE: Duration = Duration::from_secs(15 * 60);
