//! What every request passes on its way in, and its answer on the way out.
//!
//! One function and not a stack of layers: axum copies whatever stands behind a layer for each request, piece by piece on the
//! heap, so that six layers cost more than the rest of a small request (measured).

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::Method,
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use tracing::Instrument as _;

use super::{
    client_certificates::ClientCertificate, cors, guard, limits, locales, observe::Observed, state::AppState, transport,
};

/// Who may come to an endpoint, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// People and clients.
    Public,
    /// Applications in a browser as well (cors.rs).
    Open,
    /// Machines inside, also where everybody else has to come over https.
    Inside,
}

impl Door {
    /// Puts itself before these endpoints.
    pub fn before(self, endpoints: Router<AppState>, state: &AppState) -> Router<AppState> {
        endpoints.layer(from_fn_with_state((self, state.clone()), pass))
    }
}

async fn pass(
    State((door, state)): State<(Door, AppState)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    // Before anything else sees it.
    let certificate = ClientCertificate::take(&state.settings.http, peer.ip(), request.headers_mut());
    let observed = Observed::begin(&state, peer.ip(), &request);
    let span = observed.span(&request);
    let languages = locales::Wishes::of(&request);
    if state.settings.http.client_certificate_header.is_some() {
        request.extensions_mut().insert(certificate);
    }
    let answered = async {
        let mut response = admit(door, &state, &observed, request, next).await;
        observed.end(&mut response);
        response
    };
    locales::speaking(languages, answered.instrument(span)).await
}

async fn admit(door: Door, state: &AppState, observed: &Observed, mut request: Request, next: Next) -> Response {
    let source = observed.source();
    // A preflight costs as little as its refusal, which a browser would take for a broken server.
    let preflight = request.method() == Method::OPTIONS;
    if !preflight && let Some(refusal) = limits::refusal(state, source, &request) {
        return refusal;
    }
    if door == Door::Inside {
        return guard::guard(state, request, next).await;
    }
    if let Some(refusal) = transport::refusal(state, source, &request) {
        return refusal;
    }
    request.extensions_mut().insert(source);
    let mut response = match door {
        Door::Open if preflight => cors::preflight(),
        Door::Open | Door::Public | Door::Inside => guard::guard(state, request, next).await,
    };
    transport::remember_https(state, &mut response);
    if door == Door::Open {
        cors::open(&mut response);
    }
    response
}
