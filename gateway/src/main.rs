//! The gateway: HTTP on one side, one call of one SQL function on the other. Commands are in cli.rs, features are in the
//! file of their name, plumbing is in web/.

mod account;
mod admin;
mod assets;
mod authorize;
mod backchannel_logout;
mod check;
mod cli;
mod config;
mod consent;
mod failure;
mod frontchannel_logout;
mod health;
mod introspect;
mod jwks;
mod login;
mod logout;
mod maintenance;
mod metrics;
mod migrate;
mod openapi;
mod registration;
mod revoke;
mod select_account;
mod serve;
mod session_state;
mod sync_issuers;
mod telemetry;
mod token;
mod userinfo;
mod web;
mod well_known;

fn main() -> std::process::ExitCode {
    cli::run()
}
