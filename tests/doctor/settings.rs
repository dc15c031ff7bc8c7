//! Settings: of the server, of a role, of a database.

use super::Patient;

#[tokio::test]
async fn what_would_record_secrets_for_the_whole_server() {
    let patient = Patient::new().await;
    let tame = "alter system set log_parameter_max_length = 0";
    patient.run("alter system set log_parameter_max_length = -1").await;
    for (setting, finding) in [
        ("log_statement = mod", "log_statement is mod, and bind values are logged"),
        ("log_min_duration_statement = 100", "log_min_duration_statement is on, and bind values are logged"),
        ("log_min_duration_sample = 100", "log_min_duration_sample is on, and bind values are logged"),
        ("log_transaction_sample_rate = 0.5", "log_transaction_sample_rate is on, and bind values are logged"),
    ] {
        patient
            .finds(
                &format!("alter system set {setting}"),
                "logs_parameters",
                "the server",
                &format!("the server: {finding}"),
                tame,
            )
            .await;
        // With the values left out it may log statements.
        let name = setting.split(' ').next().unwrap();
        patient.run(&format!("alter system reset {name}")).await;
        patient.run("alter system set log_parameter_max_length = -1").await;
        patient.until("logs_parameters", "the server", false).await;
    }
    for (setting, code, finding, remedy) in [
        (
            "log_parameter_max_length_on_error = -1",
            "logs_parameters_on_error",
            "bind values of failing statements are logged",
            "log_parameter_max_length_on_error = 0",
        ),
        (
            "log_min_error_statement = error",
            "logs_failing_statements",
            "failing statements are logged with their literals",
            "log_min_error_statement = panic",
        ),
        ("debug_print_rewritten = on", "logs_trees", "parse trees or plans are logged", "debug_print_rewritten = off"),
    ] {
        let remedy = format!("alter system set {remedy}");
        patient
            .finds(
                &format!("alter system set {setting}"),
                code,
                "the server",
                &format!("the server: {finding}"),
                &remedy,
            )
            .await;
    }
}

#[tokio::test]
async fn what_loses_or_hurts_for_the_whole_server() {
    let patient = Patient::new().await;
    for (setting, code, finding, remedy) in [
        ("fsync = off", "durability_off", "fsync is off", "fsync = on"),
        ("full_page_writes = off", "durability_off", "full_page_writes is off", "full_page_writes = on"),
        ("synchronous_commit = off", "synchronous_commit_off", "synchronous_commit is off", "synchronous_commit = on"),
        (
            "autovacuum = off",
            "setting_hurts",
            "autovacuum is off: tables and indexes grow without end",
            "autovacuum = on",
        ),
        (
            "password_encryption = md5",
            "password_encryption",
            "password_encryption is md5",
            "password_encryption = 'scram-sha-256'",
        ),
    ] {
        let remedy = format!("alter system set {remedy}");
        patient
            .finds(
                &format!("alter system set {setting}"),
                code,
                "the server",
                &format!("the server: {finding}"),
                &remedy,
            )
            .await;
    }
    assert_eq!(patient.found("idle_in_transaction", "the server").await.len(), 1);
    patient.run(&patient.found("idle_in_transaction", "the server").await[0].remedy).await;
    patient.until("idle_in_transaction", "the server", false).await;
}

#[tokio::test]
async fn settings_of_one_role_or_database() {
    let patient = Patient::new().await;
    let role = format!("clerk_{}", patient.db.name);
    let database = &patient.db.name;
    patient.run(&format!("create role {role} login")).await;
    for (scope, object) in [
        (format!("role {role}"), format!("role {role}")),
        (format!("database {database}"), format!("database {database}")),
        (format!("role {role} in database {database}"), format!("role {role} in database {database}")),
    ] {
        for (settings, code, finding, remedy) in [
            (
                &["log_statement = 'all'", "log_parameter_max_length = '1kB'"][..],
                "logs_parameters",
                "log_statement is all, and bind values are logged",
                "log_parameter_max_length = 0",
            ),
            (
                &["auto_explain.log_min_duration = '0'", "auto_explain.log_nested_statements = on"],
                "auto_explain_records",
                "auto_explain logs the statements within functions",
                "auto_explain.log_nested_statements = off",
            ),
            (
                &["auto_explain.log_parameter_max_length = '-1'"],
                "auto_explain_records",
                "auto_explain logs bind values",
                "auto_explain.log_parameter_max_length = 0",
            ),
            (
                &["pg_stat_statements.track_utility = on"],
                "statements_kept",
                "pg_stat_statements keeps utility statements with their literals",
                "pg_stat_statements.track_utility = off",
            ),
            (
                &["pgaudit.log_parameter = on"],
                "pgaudit_parameters",
                "pgaudit logs bind values",
                "pgaudit.log_parameter = off",
            ),
            (
                &["default_transaction_isolation = 'serializable'"],
                "setting_hurts",
                "default_transaction_isolation is serializable: protocol functions refuse",
                "default_transaction_isolation = 'read committed'",
            ),
            (
                &["session_replication_role = replica"],
                "setting_hurts",
                "session_replication_role is replica: triggers and foreign keys are idle",
                "session_replication_role = origin",
            ),
            (
                &["enable_partition_pruning = off"],
                "setting_hurts",
                "enable_partition_pruning is off: every look-up reads every partition",
                "enable_partition_pruning = on",
            ),
            (
                &["plan_cache_mode = force_custom_plan"],
                "setting_hurts",
                "plan_cache_mode is force_custom_plan: planning costs more than most statements here",
                "plan_cache_mode = auto",
            ),
        ] {
            let spoil: String = settings.iter().map(|setting| format!("alter {scope} set {setting};")).collect();
            patient
                .finds(&spoil, code, &object, &format!("{object}: {finding}"), &format!("alter {scope} set {remedy}"))
                .await;
        }
    }
    // Of the whole server nothing is said again by those who set something else.
    assert_eq!(patient.found("idle_in_transaction", &format!("role {role}")).await, []);
    patient.run(&format!("alter database {database} reset all; drop role {role}")).await;
}

#[tokio::test]
async fn who_else_may_change_settings_that_matter() {
    let patient = Patient::new().await;
    let role = format!("setter_{}", patient.db.name);
    patient.run(&format!("create role {role}")).await;
    for (setting, privileges) in
        [("pg_identity.claims", "set"), ("pg_identity.argon2_memory", "set, alter system"), ("log_statement", "set")]
    {
        patient
            .finds(
                &format!("grant {privileges} on parameter {setting} to {role}"),
                "parameter_acl",
                &format!("setting {setting}"),
                &format!("{role} may {privileges} {setting}"),
                &format!("revoke {privileges} on parameter {setting} from {role}"),
            )
            .await;
    }
    patient.run(&format!("grant set on parameter work_mem to {role}")).await;
    assert_eq!(patient.found("parameter_acl", "setting work_mem").await, []);
    patient.run(&format!("drop owned by {role}; drop role {role}")).await;
}
