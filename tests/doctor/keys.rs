//! Issuer, keys, partitions, and what is of one database.

use super::Patient;

#[tokio::test]
async fn a_database_without_an_issuer_authenticates_nobody() {
    let patient = Patient::new().await;
    patient.run("delete from identity.configuration").await;
    let found = patient.found("not_configured", "this database").await;
    assert_eq!((found[0].severity.as_str(), found[0].finding.as_str()), ("error", "it has no issuer and trusts none"));
    // Whoever verifies tokens of others only needs none.
    patient
        .run("insert into identity.trusted_issuers values ('https://other.example', 'api', null, '{}', '{ES256}', false, now(), now())")
        .await;
    assert_eq!(patient.found("not_configured", "this database").await, []);
    let keyless = patient.found("trusted_issuer_keyless", "issuer https://other.example").await;
    assert_eq!(keyless[0].finding, "trusted issuer https://other.example has no key");
    assert_eq!(keyless[0].remedy, "select identity.trusted_keys_replace('https://other.example', '…')");
    patient.run("insert into identity.trusted_keys values ('https://other.example', '', 'ES256', '{}')").await;
    assert_eq!(patient.found("trusted_issuer_keyless", "issuer https://other.example").await, []);
}

#[tokio::test]
async fn keys_that_are_missing_or_old() {
    let patient = Patient::new().await;
    patient
        .finds(
            "delete from identity.sealed_keys where purpose = 'pepper'",
            "sealed_key_missing",
            "keys for pepper",
            "there is no current key for pepper",
            "select identity.create_sealed_keys()",
        )
        .await;
    patient
        .finds(
            "delete from identity.signing_keys where algorithm = 'ES256' and state = 'next'",
            "key_next_missing",
            "ES256 keys",
            "there is no next ES256 key",
            "select identity.create_signing_key('ES256')",
        )
        .await;
    patient
        .finds(
            "delete from identity.signing_keys where algorithm = 'ES256' and state = 'current'",
            "key_current_missing",
            "ES256 keys",
            "there is no current ES256 key",
            "select identity.create_signing_key('ES256')",
        )
        .await;
    patient
        .finds(
            "delete from identity.encryption_keys",
            "key_current_missing",
            "encryption keys",
            "there is no current key that clients can encrypt to",
            "select identity.create_encryption_key()",
        )
        .await;
    let kid: String = patient
        .superuser
        .query_one("select kid from identity.signing_keys where algorithm = 'RS256' and state = 'current'", &[])
        .await
        .unwrap()
        .get(0);
    patient
        .finds(
            "update identity.signing_keys set activated_at = '2026-01-02' where algorithm = 'RS256' and state = 'current';
             update identity.signing_keys set created_at = '2026-01-02' where algorithm = 'RS256' and state = 'next'",
            "key_age",
            &format!("signing key {kid}"),
            &format!("RS256 key {kid} signs since 2026-01-02"),
            "select identity.rotate_signing_keys(older_than => '90 days')",
        )
        .await;
}

#[tokio::test]
async fn partitions_that_are_missing_or_late() {
    let patient = Patient::new().await;
    let table = "identity_store.audit_events";
    patient
        .run(&format!(
            "insert into {table} (id, kind, actor) values (identity.uuid_v7_floor('2020-01-02'), 'key_created', 'x')"
        ))
        .await;
    let rows = patient.found("partition_default_rows", &format!("{table}_default")).await;
    assert_eq!(rows[0].finding, format!("{table} has rows in its default partition"));
    patient.run(&format!("delete from {table}_default")).await;
    assert_eq!(patient.found("partition_default_rows", &format!("{table}_default")).await, []);
    let drop = |condition: &str| {
        format!(
            "do $$ declare p record; begin
               for p in select * from identity_store.partitions('audit_events') where {condition} loop
                 execute format('drop table identity_store.%I', p.name);
               end loop; end $$"
        )
    };
    let found = |end: &str| format!("the last partition of {table} ends at {end}");
    let end: String = patient
        .superuser
        .query_one(
            "select max(ends_at)::text from identity_store.partitions('audit_events') where begins_at <= now()",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    patient
        .finds(
            &drop("begins_at > now()"),
            "partitions_ahead",
            table,
            &found(&end),
            "select * from identity.maintenance_run()",
        )
        .await;
    patient.run(&drop("true")).await;
    let missing = patient.found("partition_missing", table).await;
    assert_eq!(missing[0].finding, format!("{table} has no partition for this moment"));
    assert_eq!(missing[0].remedy, "select * from identity.maintenance_run()");
}

#[tokio::test]
async fn a_version_with_known_holes_and_a_library_of_another_build() {
    let patient = Patient::new().await;
    patient
        .run("create or replace function identity.security_floors() returns table (major integer, minor integer) language sql immutable parallel safe
              as $$ select current_setting('server_version_num')::integer / 10000, 9999 $$")
        .await;
    let row = &patient.found("version_floor", "the server").await[0];
    assert_eq!(row.severity, "error");
    assert!(row.finding.starts_with("PostgreSQL ") && row.finding.contains(" is older than "), "{row:?}");
    patient
        .run("create or replace function identity.installed_build() returns text language sql immutable parallel safe as $$ select '0' $$")
        .await;
    assert_eq!(patient.found("build_mismatch", "the extension").await[0].remedy, "alter extension pg_identity update");
}

#[tokio::test]
async fn hashes_that_do_not_fit_the_machine() {
    let patient = Patient::new().await;
    assert_eq!(patient.found("hash_memory", "the server").await, []);
    let asked = "select identity.machine_memory(), identity.hash_memory(), current_setting('pg_identity.hash_concurrency')::integer";
    let row = patient.superuser.query_one(asked, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 1 << 28 && row.get::<_, i64>(1) >= 3 * 19_456 * 1024, "{row:?}");
    patient
        .run("create or replace function identity.machine_memory() returns bigint language sql stable parallel safe as 'select 268435456::bigint';
              create or replace function identity.hash_memory() returns bigint language sql stable parallel safe as 'select 104857600::bigint'")
        .await;
    let row = &patient.found("hash_memory", "the server").await[0];
    assert_eq!(row.finding, "password hashes may take 100 MB and shared_buffers 128 MB of 256 MB");
    // (256 × ¾ - 128) MB are three areas of 19 MB: two for sign-in, one for administration.
    assert_eq!(row.remedy, "alter system set pg_identity.hash_concurrency = 1");
}
