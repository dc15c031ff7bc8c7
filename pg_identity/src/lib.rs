//! pg_identity, the extension: pure functions of bytes and the verified identity of a transaction.
//!
//! A contents page. SQL decides (`sql/extension`), this crate computes; each feature has one name, here and there.

mod clock;
mod errors;
mod hashing;
mod installed;
mod keys;
mod native;
mod settings;

pgrx::pg_module_magic!();

/// Called once by the postmaster, which every backend is forked from: defines settings and asks for shared memory.
/// Nothing secret is made or read here, because all backends would inherit the same bytes.
#[allow(non_snake_case)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    if !settings::begin() {
        return;
    }
    settings::define();
    hashing::request_shared_memory();
    settings::end();
}
