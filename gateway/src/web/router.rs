//! All features on one router.

use axum::{Router, response::Redirect, routing::get};

use super::{database::Call, documents, door::Door, page, state::AppState};
use crate::{
    account, assets, authorize, backchannel_logout, consent, frontchannel_logout, health, introspect, jwks, login,
    logout, maintenance, openapi, registration, revoke, select_account, session_state, token, userinfo, well_known,
};

/// Every endpoint. All are below the issuer's path, except the well-known documents, which RFC 8414 §3 puts before it.
pub fn router(state: AppState) -> Router {
    let pages = Router::new()
        .merge(authorize::routes())
        .merge(login::routes())
        .merge(select_account::routes())
        .merge(consent::routes())
        .merge(logout::routes())
        .merge(frontchannel_logout::routes())
        .merge(session_state::routes())
        .merge(account::routes())
        .merge(assets::routes())
        // A resource server asks, not an application in a browser.
        .merge(introspect::routes());
    let open = Router::new()
        .merge(token::routes())
        .merge(userinfo::routes())
        .merge(revoke::routes())
        .merge(jwks::routes())
        .merge(openapi::routes())
        .merge(registration::routes());
    let (pages, open) = match state.issuer.path() {
        "" => (pages, open),
        // People who type the address may end it with a slash.
        path => {
            let home = page::home(&state);
            let slash = get(async move || Redirect::permanent(&home));
            (Router::new().nest(path, pages).route(&format!("{path}/"), slash), Router::new().nest(path, open))
        }
    };
    let open = open.merge(well_known::routes(&state.issuer));
    Door::Public
        .before(pages.fallback(page::missing), &state)
        .merge(Door::Open.before(open, &state))
        .merge(Door::Inside.before(health::routes(), &state))
        .with_state(state)
}

/// Every statement: all are prepared before the first request, so a gateway that does not match the database never starts.
pub fn calls() -> Vec<&'static Call> {
    [
        authorize::CALLS,
        login::CALLS,
        select_account::CALLS,
        consent::CALLS,
        logout::CALLS,
        frontchannel_logout::CALLS,
        backchannel_logout::CALLS,
        session_state::CALLS,
        account::CALLS,
        &token::calls(),
        userinfo::CALLS,
        introspect::CALLS,
        revoke::CALLS,
        registration::CALLS,
        jwks::CALLS,
        well_known::CALLS,
        health::CALLS,
        maintenance::CALLS,
        documents::CALLS,
    ]
    .concat()
}
