//! Plumbing: everything about HTTP and connections that is no feature.

pub mod bearer;
pub mod cache;
pub mod client_credentials;
mod connection;
pub mod cookies;
mod cors;
pub mod csrf;
pub mod database;
pub mod documents;
mod door;
pub mod fetch;
pub mod form;
mod guard;
pub mod issuer;
pub mod limits;
mod observe;
pub mod outcome;
pub mod page;
mod places;
pub mod proxy;
pub mod refusal;
pub mod response;
pub mod router;
pub mod server;
pub mod state;
mod transport;
pub mod workers;
