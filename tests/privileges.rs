//! Who may call what: every function that each group role executes, by name. A new function fails here until somebody
//! has decided for whom it is.

use tokio_postgres::NoTls;

use crate::issuers::{API, Foreign, ISSUER};
use crate::jwt::{authenticate, sqlstate};
use crate::support::Database;

/// What applications inherit: sign in, read who it is, and pure functions.
const APP: [&str; 78] = [
    "acr",
    "actor",
    "actor_chain",
    "amr",
    "auth_time",
    "authenticate",
    "build",
    "claim",
    "claims",
    "client_id",
    "configured_issuer",
    "decode_jwt_unverified",
    "errors",
    "expires_at",
    "grant_id",
    "has_permission",
    "has_role",
    "has_scope",
    "installed_build",
    "is_agent",
    "issuer",
    "jwks",
    "lint",
    "lint_allowed",
    "lint_bare",
    "lint_calls",
    "lint_columns",
    "lint_exposure",
    "lint_functions",
    "lint_indexes",
    "lint_mended",
    "lint_policies",
    "lint_policy_columns",
    "lint_policy_facts",
    "lint_reader",
    "lint_recursion",
    "lint_rules",
    "lint_settings",
    "lint_tables",
    "lint_views",
    "lint_ways_past",
    "normalize_name",
    "organization_id",
    "organization_uuid",
    "permissions",
    "pre_request",
    "protect",
    "protect_again",
    "protect_before",
    "protect_call",
    "protect_check",
    "protect_column",
    "protect_create_indexes",
    "protect_drop_indexes",
    "protect_erase",
    "protect_forgot",
    "protect_indexes",
    "protect_members",
    "protect_normal",
    "protect_policies",
    "protect_privileges",
    "protect_rules",
    "protect_set_defaults",
    "protect_table",
    "protect_written",
    "protect_wrote",
    "roles",
    "scopes",
    "session_id",
    "sign_out",
    "subject",
    "token_id",
    "unprotect",
    "user_id",
    "uuid_v7",
    "uuid_v7_floor",
    "uuid_v7_time",
    "verify_jwt",
];

/// What administrators have on top of [`APP`].
const ADMIN: &[&str] = &[
    "audit_kinds",
    "audit_list",
    "can_see",
    "claim_mapping",
    "claim_mappings",
    "client_create",
    "client_delete",
    "client_list",
    "client_read",
    "client_rotate_secret",
    "client_update",
    "configure",
    "create_encryption_key",
    "create_sealed_keys",
    "create_signing_key",
    "distrust_issuer",
    "doctor",
    "doctor_keys",
    "doctor_members",
    "doctor_network",
    "doctor_roles",
    "doctor_rules",
    "doctor_scopes",
    "doctor_server",
    "doctor_settings",
    "doctor_store",
    "explain",
    "hash_memory",
    "hash_password",
    "impersonate",
    "impersonation_record",
    "machine_memory",
    "maintenance_run",
    "master_key_complaint",
    "master_key_place_complaint",
    "password_needs_rehash",
    "registration_configure",
    "registration_issuer_distrust",
    "registration_issuer_list",
    "registration_issuer_trust",
    "registration_list",
    "registration_policy",
    "registration_rotate_token",
    "registration_token_create",
    "registration_token_list",
    "registration_token_revoke",
    "resource_create",
    "revoke",
    "revoke_issued_between",
    "revoke_signing_key",
    "rewrap_keys",
    "rotate_encryption_keys",
    "rotate_sealed_key",
    "rotate_signing_keys",
    "scope_create",
    "security_floors",
    "session_revoke",
    "sign_jwt",
    "signing_key_list",
    "token_explanation",
    "trust_issuer",
    "trusted_issuer_list",
    "trusted_keys_replace",
    "user_create",
    "user_delete",
    "user_disable",
    "user_enable",
    "user_find",
    "user_list",
    "user_read",
    "user_sessions",
    "user_set_password",
    "user_set_roles",
    "user_update",
    "verify_password",
];

/// What the synchroniser of keys has; no sign-in and no reader.
const SYNC: [&str; 5] = ["build", "errors", "installed_build", "trusted_issuer_list", "trusted_keys_replace"];

async fn assert_executes_exactly(db: &Database, role: &str, expected: &[&str]) {
    let rows = db
        .superuser()
        .await
        .query(
            "select distinct proname::text from pg_proc
             where pronamespace in ('identity'::regnamespace, 'identity_store'::regnamespace)
               and has_function_privilege($1::text, oid, 'execute') order by 1",
            &[&role],
        )
        .await
        .unwrap();
    let executable: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let extra: Vec<_> = executable.iter().filter(|name| !expected.contains(name)).collect();
    let missing: Vec<_> = expected.iter().filter(|name| !executable.contains(name)).collect();
    assert!(
        extra.is_empty() && missing.is_empty(),
        "{role} executes what is not on its list: {extra:?}; cannot execute what is on it: {missing:?}"
    );
}

#[tokio::test]
async fn applications_execute_sign_in_and_readers_and_nothing_else() {
    assert_executes_exactly(&Database::new().await, "identity_app", &APP).await;
}

#[tokio::test]
async fn administrators_execute_administration_and_no_protocol_function() {
    assert_executes_exactly(&Database::new().await, "identity_admin", &[&APP[..], ADMIN].concat()).await;
}

#[tokio::test]
async fn the_synchroniser_lists_issuers_writes_keys_and_nothing_else() {
    assert_executes_exactly(&Database::new().await, "identity_sync", &SYNC).await;
}

#[tokio::test]
async fn the_synchroniser_writes_keys_of_trusted_issuers_and_is_refused_everything_else() {
    let db = Database::new().await;
    // A role belongs to the whole cluster, which other tests share.
    db.superuser()
        .await
        .batch_execute(
            "do $$ begin
               create role sync_login login in role identity_sync;
             exception when duplicate_object then null; end $$",
        )
        .await
        .unwrap();
    let (sync, connection) = db.cluster.config("sync_login", &db.name).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let (app, before, after) = (db.app().await, Foreign::new("ES256"), Foreign::new("ES256"));
    let token = after.token(serde_json::json!({}));
    let replace = "select identity.trusted_keys_replace($1, $2)";
    // Whom to trust is not its decision.
    assert_eq!(sqlstate(sync.execute(replace, &[&ISSUER, &after.jwks()]).await.map(|_| ())), "ID006");
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID109");
    db.admin()
        .await
        .execute("select identity.trust_issuer($1, $2, $3)", &[&ISSUER, &API, &before.jwks()])
        .await
        .unwrap();
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID106");
    sync.execute(replace, &[&ISSUER, &after.jwks()]).await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    for refused in [
        "select identity.trust_issuer('https://evil.example', 'a', '{}')",
        "select identity.distrust_issuer('x')",
        "select identity.hash_password('x')",
        "select identity.verify_password('x', 'y')",
        "select identity.user_create('{}', 'x')",
        "select identity.create_signing_key('EdDSA')",
        "select identity.sign_jwt('{}')",
        "select identity.revoke('user', 'x')",
        "select identity.configure('https://elsewhere.example')",
        "select identity.authenticate('x')",
        "select identity.user_id()",
        "select from identity.signing_keys",
        "select from identity.trusted_issuers",
        "insert into identity.trusted_keys default values",
        "select from identity_store.users",
        "set role identity_admin",
        "set role identity_owner",
    ] {
        assert_eq!(sqlstate(sync.batch_execute(refused).await), "42501", "{refused}");
    }
}
