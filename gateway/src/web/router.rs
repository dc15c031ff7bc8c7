//! All features on one router, and what stands before all of them.

use axum::{Router, middleware::from_fn_with_state, response::Redirect, routing::get};
use tower_http::{catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer};

use super::{database::Call, guard, limits, observe, page, state::AppState, transport};
use crate::{
    account, assets, authorize, consent, health, introspect, jwks, login, logout, maintenance, revoke, token, userinfo,
    well_known,
};

/// Every endpoint. All are below the issuer's path, except the well-known documents, which RFC 8414 §3 puts before it.
pub fn router(state: AppState) -> Router {
    let features = Router::new()
        .merge(authorize::routes())
        .merge(login::routes())
        .merge(consent::routes())
        .merge(logout::routes())
        .merge(account::routes())
        .merge(token::routes())
        .merge(userinfo::routes())
        .merge(introspect::routes())
        .merge(revoke::routes())
        .merge(jwks::routes())
        .merge(assets::routes());
    let features = match state.issuer.path() {
        "" => features,
        // People who type the address may end it with a slash.
        path => {
            let home = page::home(&state);
            Router::new().nest(path, features).route(&format!("{path}/"), get(async move || Redirect::permanent(&home)))
        }
    };
    let all = features.merge(well_known::routes(&state.issuer)).fallback(page::missing);
    // Health is asked by machines inside, over http.
    behind_the_guards(all, &state)
        .merge(health::routes())
        .layer(from_fn_with_state(state.clone(), limits::limit))
        .layer(from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}

/// A request passes these from the last to the first.
fn behind_the_guards(router: Router<AppState>, state: &AppState) -> Router<AppState> {
    router
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(RequestBodyLimitLayer::new(state.settings.http.body_limit))
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .layer(from_fn_with_state(state.clone(), transport::require_https))
}

/// Every statement: all are prepared before the first request, so a gateway that does not match the database never starts.
pub fn calls() -> Vec<&'static Call> {
    [
        authorize::CALLS,
        login::CALLS,
        consent::CALLS,
        logout::CALLS,
        account::CALLS,
        token::CALLS,
        userinfo::CALLS,
        introspect::CALLS,
        revoke::CALLS,
        jwks::CALLS,
        well_known::CALLS,
        health::CALLS,
        maintenance::CALLS,
    ]
    .concat()
}
