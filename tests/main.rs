//! All integration tests in one binary, one module per feature: they share one throw-away cluster (support/).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

extern crate tests as support;

mod account;
mod admin;
mod audit;
mod authorize;
mod claims;
mod clients;
mod demo;
mod discovery;
mod http_authorize;
mod http_token;
mod introspect;
mod issuers;
mod jwt;
mod keys;
mod logout;
mod maintenance;
mod make_run;
mod migrate;
mod notes;
mod openidconnect;
mod operations;
mod pages;
mod passwords;
mod protect;
mod real_clients;
mod refresh;
mod revocation;
mod sealing;
mod sessions;
mod settings;
mod sign_in;
mod sign_in_buckets;
mod store;
mod token;
mod tour;
mod userinfo;
mod users;
mod users_profile;
mod users_state;
