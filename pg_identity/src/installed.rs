//! The SQL of this build: which files, in which order, and their digest. `identity.build()` lets the installed SQL and the
//! library compare themselves (ID301).

use aws_lc_rs::digest::{Context, SHA256};

use crate::native::sql_function;

/// Files of `sql/extension` in the order of the script; the packaging reads this list.
const FILES: &[&str] = &[
    include_str!("../../sql/extension/roles.sql"),
    include_str!("../../sql/extension/errors.sql"),
    include_str!("../../sql/extension/configuration.sql"),
    include_str!("../../sql/extension/present.sql"),
    include_str!("../../sql/extension/rows.sql"),
    include_str!("../../sql/extension/parameters.sql"),
    include_str!("../../sql/extension/session_state.sql"),
    include_str!("../../sql/extension/sealing.sql"),
    include_str!("../../sql/extension/passwords.sql"),
    include_str!("../../sql/extension/opaque.sql"),
    include_str!("../../sql/extension/pairwise.sql"),
    include_str!("../../sql/extension/encryption_keys.sql"),
    include_str!("../../sql/extension/keys.sql"),
    include_str!("../../sql/extension/jwt.sql"),
    include_str!("../../sql/extension/client_certificates.sql"),
    include_str!("../../sql/extension/client_signatures.sql"),
    include_str!("../../sql/extension/issuers.sql"),
    include_str!("../../sql/extension/issuers_claim_mappings.sql"),
    include_str!("../../sql/extension/revocation.sql"),
    include_str!("../../sql/extension/revoke_issued.sql"),
    include_str!("../../sql/extension/claims.sql"),
    include_str!("../../sql/extension/authenticate.sql"),
    include_str!("../../sql/extension/explain.sql"),
    include_str!("../../sql/extension/impersonate.sql"),
    include_str!("../../sql/extension/can_see.sql"),
    include_str!("../../sql/extension/postgrest.sql"),
    include_str!("../../sql/extension/protect_conditions.sql"),
    include_str!("../../sql/extension/protect_tables.sql"),
    include_str!("../../sql/extension/protect_members.sql"),
    include_str!("../../sql/extension/protect_indexes.sql"),
    include_str!("../../sql/extension/protect_rules.sql"),
    include_str!("../../sql/extension/protect_check.sql"),
    include_str!("../../sql/extension/unprotect.sql"),
    include_str!("../../sql/extension/protect.sql"),
    include_str!("../../sql/extension/policies.sql"),
    include_str!("../../sql/extension/lint_tables.sql"),
    include_str!("../../sql/extension/lint_conditions.sql"),
    include_str!("../../sql/extension/lint_policies.sql"),
    include_str!("../../sql/extension/lint_indexes.sql"),
    include_str!("../../sql/extension/lint_functions.sql"),
    include_str!("../../sql/extension/lint.sql"),
    include_str!("../../sql/extension/doctor_server.sql"),
    include_str!("../../sql/extension/doctor_settings.sql"),
    include_str!("../../sql/extension/doctor_network.sql"),
    include_str!("../../sql/extension/doctor_roles.sql"),
    include_str!("../../sql/extension/doctor_keys.sql"),
    include_str!("../../sql/extension/doctor.sql"),
    include_str!("../../sql/extension/installed.sql"),
];

sql_function! {
    /// `identity.build()`: digest of the SQL this library was built with, 16 hexadecimal digits.
    fn build() -> Result<String, Error> {
        let mut digest = Context::new(&SHA256);
        for file in FILES {
            digest.update(file.as_bytes());
        }
        Ok(digest.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}
