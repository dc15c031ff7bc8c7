//! pg_identity, the extension: pure functions of bytes and the verified identity of a transaction.
//!
//! A contents page. SQL decides (`sql/extension`), this crate computes; each feature has one name, here and there.

mod argon;
mod claims;
mod client_certificates;
mod client_signatures;
mod clock;
mod doctor;
mod encryption_keys;
mod errors;
mod hashing;
mod hmac;
mod identity;
mod installed;
mod jsonb;
mod jwe;
mod jwk;
mod jwks;
mod jws;
mod jwt;
mod keys;
mod master_key;
mod memo;
mod mint;
#[cfg(test)]
mod mutation;
mod names;
mod native;
mod opaque;
mod pairwise;
mod parameters;
mod passwords;
mod places;
mod present;
mod provider;
mod readers;
mod refresh;
mod row_by_id;
mod rows;
mod sealing;
mod session_state;
mod settings;
mod strict_json;
mod tokens;
mod uuid_v7;
mod verified;

pgrx::pg_module_magic!();

/// Called once by the postmaster, which every backend is forked from: defines settings and asks for shared memory.
/// Nothing secret is made or read here, because all backends would inherit the same bytes.
#[allow(non_snake_case)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    provider::install();
    if !settings::begin() {
        return;
    }
    settings::define();
    places::request_shared_memory();
    claims::define();
    settings::end();
    master_key::warn_if_unusable();
}
