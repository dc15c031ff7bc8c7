//! `/register` (RFC 7591; OpenID Connect Dynamic Client Registration 1.0): a client registers itself. `/register/{client_id}`
//! (RFC 7592): it reads, changes and deletes what it registered.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use tokio_postgres::types::{Json, ToSql};

use crate::web::bearer;
use crate::web::database::{Call, Pool};
use crate::web::documents::Errand;
use crate::web::json::{Body, Malformed};
use crate::web::outcome::{Outcome, Reply};
use crate::web::proxy::Source;
use crate::web::state::AppState;

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/register", post(register))
        .route("/register/{client_id}", get(read).put(update).delete(delete))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&CREATE, &READ, &UPDATE, &DELETE];

static CREATE: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.registration_create($1, $2, $3, $4)",
};

static READ: Call =
    Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.registration_read($1, $2)" };

static UPDATE: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.registration_update($1, $2, $3, $4)",
};

static DELETE: Call =
    Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.registration_delete($1, $2)" };

/// When a client may try again, where the database says so.
#[derive(Deserialize)]
struct Wait {
    /// Seconds.
    retry_after: u32,
    error_description: String,
}

async fn register(
    State(state): State<AppState>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    body: Result<Body, Malformed>,
) -> Response {
    let (token, Body(metadata)) = match (bearer::in_header(&headers), body) {
        (Ok(token), Ok(body)) => (token, body),
        (Err(refusal), _) => return refusal.into_response(),
        (_, Err(malformed)) => return malformed.into_response(),
    };
    let (metadata, address) = (Json(metadata), source.address.to_string());
    let reply = fetching(&state, source, &CREATE, &[&metadata, &token, &address]).await;
    match (&token, reply.outcome) {
        // RFC 6750 §3.1: nothing is wrong with a token that was not sent.
        (None, Outcome::InvalidToken) => bearer::nobody(&state, "an initial access token is needed"),
        _ => respond(&state, reply),
    }
}

async fn read(
    State(state): State<AppState>,
    client: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let token = match bearer::in_header(&headers) {
        Ok(Some(token)) => token,
        Ok(None) => return bearer::nobody(&state, NEEDED),
        Err(refusal) => return refusal.into_response(),
    };
    let reply = state.db.call(&READ, &[&named(client), &token]).await.into();
    respond(&state, reply)
}

async fn update(
    State(state): State<AppState>,
    Extension(source): Extension<Source>,
    client: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Body, Malformed>,
) -> Response {
    // Whoever shows no token is told that before anything else.
    let (token, Body(metadata)) = match (bearer::in_header(&headers), body) {
        (Ok(Some(token)), Ok(body)) => (token, body),
        (Ok(None), _) => return bearer::nobody(&state, NEEDED),
        (Err(refusal), _) => return refusal.into_response(),
        (_, Err(malformed)) => return malformed.into_response(),
    };
    let reply = fetching(&state, source, &UPDATE, &[&named(client), &token, &Json(metadata)]).await;
    respond(&state, reply)
}

async fn delete(
    State(state): State<AppState>,
    client: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let token = match bearer::in_header(&headers) {
        Ok(Some(token)) => token,
        Ok(None) => return bearer::nobody(&state, NEEDED),
        Err(refusal) => return refusal.into_response(),
    };
    let reply = state.db.call(&DELETE, &[&named(client), &token]).await.into();
    respond(&state, reply)
}

/// Whom the path names; a path that is no text names nobody, and is answered as any other client that there is not.
fn named(client: Result<Path<String>, PathRejection>) -> String {
    client.map(|Path(id)| id).ok().filter(|id| !id.contains('\0')).unwrap_or_default()
}

/// A call that may have to know a document of the client first: the addresses of its sector.
async fn fetching(state: &AppState, source: Source, call: &'static Call, parameters: &[&(dyn ToSql + Sync)]) -> Reply {
    let mut errand = Errand::of(state, source.address);
    loop {
        let handed = Json(errand.handed());
        let last: [&(dyn ToSql + Sync); 1] = [&handed];
        let reply: Reply = state.db.call(call, &[parameters, &last].concat()).await.into();
        if !errand.brought(&reply).await {
            return reply;
        }
    }
}

fn respond(state: &AppState, reply: Reply) -> Response {
    if reply.outcome == Outcome::Deleted {
        // RFC 7592 §2.3: 204, without a body.
        let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    if matches!(reply.outcome, Outcome::SlowDown | Outcome::TemporarilyUnavailable)
        && let Ok(Wait { retry_after, error_description }) = serde_json::from_str(&reply.body)
    {
        let status = reply.outcome.status();
        let mut response = Reply::refusal(Outcome::TemporarilyUnavailable, &error_description).into_response();
        *response.status_mut() = status;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        return response;
    }
    let challenge = if reply.outcome == Outcome::InvalidToken { bearer::challenge(state, &reply) } else { None };
    let mut response = reply.into_response();
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

const NEEDED: &str = "a registration access token is needed";
