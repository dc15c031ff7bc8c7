//! All features on one router.

use axum::Router;

use super::{database::Call, issuer::Issuer, state::AppState};
use crate::{account, authorize, consent, health, introspect, jwks, login, logout, revoke, token, userinfo, well_known};

/// Every endpoint. All are below the issuer's path, except the well-known documents, which RFC 8414 §3 puts before it.
pub fn router(issuer: &Issuer) -> Router<AppState> {
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
        .merge(jwks::routes());
    let features = match issuer.path() {
        "" => features,
        path => Router::new().nest(path, features),
    };
    features.merge(well_known::routes(issuer)).merge(health::routes())
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
    ]
    .concat()
}
