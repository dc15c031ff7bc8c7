//! Plumbing: everything about HTTP and connections that is no feature.

pub mod cache;
pub mod client_credentials;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod database;
pub mod form;
pub mod issuer;
pub mod outcome;
pub mod page;
pub mod proxy;
pub mod response;
pub mod router;
pub mod state;
