//! What takes a restart, the master key file, and pg_hba.conf: one server, one thing after the other.

use std::path::Path;

use super::{Patient, Row, doctor};
use crate::support::{Cluster, startup};
use crate::tls::certificate;

/// As the server's user, so that its files stay its own.
async fn shell(patient: &Patient, command: &str) {
    // No rows: what is written to a program that has ended is a broken pipe.
    patient.run(&format!("copy (select where false) to program '{}'", command.replace('\'', "''"))).await;
}

async fn one(patient: &Patient, code: &str) -> Row {
    let rows: Vec<_> = doctor(&patient.db.superuser().await).await.into_iter().filter(|row| row.code == code).collect();
    assert_eq!(rows.len(), 1, "{code}: {rows:?}");
    rows.into_iter().next().unwrap()
}

async fn none(patient: &Patient, code: &str) {
    let rows = doctor(&patient.db.superuser().await).await;
    assert!(rows.iter().all(|row| row.code != code), "{rows:?}");
}

#[tokio::test]
async fn the_master_key_file() {
    let cluster = Cluster::start();
    let patient = Patient::on(cluster).await;
    let file = cluster.dir.join("master.key");
    let path = file.to_str().unwrap();
    let good = std::fs::read_to_string(&file).unwrap();
    let key = good.trim();
    for (spoil, complaint) in [
        (format!("chmod 0440 {path}"), "the master key file may be used by its group or by others"),
        (format!("chmod 0600 {path}; echo nonsense > {path}"), "the master key file has a line that is not a key"),
        (format!("rm -f {path}"), "the master key file is missing"),
    ] {
        shell(&patient, &spoil).await;
        assert_eq!(one(&patient, "master_key").await.finding, complaint);
    }
    // Another key opens nothing; before the old one it is the one to seal with.
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    shell(&patient, &format!("umask 077; echo {other} > {path}")).await;
    let rows = doctor(&patient.db.superuser().await).await;
    let sealed: i64 = patient
        .superuser
        .query_one(
            "select (select count(*) from identity.sealed_keys) + (select count(private_sealed) from identity.encryption_keys) + count(private_sealed) from identity.signing_keys",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let lost: Vec<_> = rows.iter().filter(|row| row.code == "key_sealed_otherwise").collect();
    assert_eq!(i64::try_from(lost.len()).unwrap(), sealed, "{rows:?}");
    assert!(
        lost[0].finding.ends_with(" does not open: the master key file lacks the key that sealed this"),
        "{lost:?}"
    );
    shell(&patient, &format!("(echo {other}; echo {key}) > {path}")).await;
    let before = one(&patient, "key_sealed_before").await;
    assert_eq!(
        before.finding,
        format!("{sealed} keys are sealed under a master key that is not the first in the file")
    );
    let another = patient.db.superuser().await;
    another.batch_execute(&before.remedy).await.unwrap();
    none(&patient, "key_sealed_before").await;

    // In the data directory, and in a folder of everybody's.
    let data: String = patient.superuser.query_one("show data_directory", &[]).await.unwrap().get(0);
    let open = Path::new(&data).join("../open");
    shell(
        &patient,
        &format!("cp -p {path} {data}/master.key; mkdir {0}; chmod 0777 {0}; cp -p {path} {0}/", open.display()),
    )
    .await;
    for (place, what) in [
        ("master.key".to_owned(), "the master key file lies in the data directory"),
        (
            open.join("master.key").display().to_string(),
            "the master key file lies in a folder that others may write to",
        ),
    ] {
        patient.run(&format!("alter system set pg_identity.master_key_file = '{place}'")).await;
        let row = patient.until("master_key_place", "the master key file", true).await.unwrap();
        assert_eq!(row.finding, what);
        patient.run("alter system reset pg_identity.master_key_file").await;
        patient.until("master_key_place", "the master key file", false).await;
    }
    patient.run("alter system set pg_identity.master_key_file = ''").await;
    let row = patient.until("master_key", "the master key file", true).await.unwrap();
    assert_eq!(row.finding, "pg_identity.master_key_file is not set");
    // Neither a key nor the way to it is in anything it says, whatever is wrong.
    let said = format!("{rows:?}{before:?}{:?}", doctor(&patient.superuser).await);
    for secret in [key, other, path, "master.key"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn preload_network_backup_and_who_is_believed() {
    let cluster = Cluster::start();
    let patient = Patient::on(cluster).await;
    patient.run("load 'auto_explain'").await;
    // 192.0.2.1 is nobody's (RFC 5737): PostgreSQL cannot listen there and says so, and goes on.
    for setting in [
        "shared_preload_libraries = 'auto_explain', 'pg_stat_statements'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_nested_statements = on",
        "listen_addresses = '127.0.0.1, 192.0.2.1'",
        "archive_mode = on",
        "archive_command = '/bin/false'",
    ] {
        patient.run(&format!("alter system set {setting}")).await;
    }
    assert_eq!(one(&patient, "wal_archive_off").await.remedy, "alter system set archive_mode = on");
    cluster.control("restart");
    let patient = Patient { superuser: patient.db.superuser().await, db: patient.db };
    none(&patient, "wal_archive_off").await;
    patient.run("select pg_switch_wal()").await;
    let row = patient.until("archive_failing", "the archiver", true).await.unwrap();
    assert_eq!(row.severity, "error");
    assert_eq!(one(&patient, "tls_off").await.finding, "the server listens on 127.0.0.1, 192.0.2.1 without TLS");
    // From PostgreSQL 16 on it logs bind values too, unless told otherwise.
    let version = "select current_setting('server_version_num')::integer";
    let newer = patient.superuser.query_one(version, &[]).await.unwrap().get::<_, i32>(0) >= 160_000;
    let records = patient.found("auto_explain_records", "the server").await;
    let records: Vec<_> = records.iter().map(|row| row.finding.as_str()).collect();
    let expected =
        ["the server: auto_explain logs bind values", "the server: auto_explain logs the statements within functions"];
    assert_eq!(records, expected[usize::from(!newer)..]);
    assert_eq!(
        one(&patient, "statements_kept").await.remedy,
        "alter system set pg_stat_statements.track_utility = off"
    );
    // Without the library no function works but the doctor, who says which libraries there should be.
    let row = one(&patient, "not_preloaded").await;
    assert_eq!(
        row.remedy,
        "alter system set shared_preload_libraries = 'auto_explain', 'pg_stat_statements', 'pg_identity'"
    );
    doctor(&patient.db.admin().await).await;
    patient.run(&row.remedy).await;
    cluster.control("restart");
    let patient = Patient { superuser: patient.db.superuser().await, db: patient.db };
    none(&patient, "not_preloaded").await;

    patient.run("select pg_create_physical_replication_slot('idle', true)").await;
    let row = one(&patient, "replication_slot_idle").await;
    assert!(row.finding.starts_with("nobody reads replication slot idle, which keeps "), "{row:?}");
    patient.run(&row.remedy).await;
    none(&patient, "replication_slot_idle").await;

    // A replica that has connected and never asks for what it lacks.
    let late =
        startup(cluster, &[("user", "postgres"), ("replication", "true"), ("application_name", "late")]).unwrap();
    let row = one(&patient, "replica_lag").await;
    assert_eq!((row.severity.as_str(), row.object.as_str()), ("warning", "replica late"));
    assert_eq!(row.finding, "replica late is not streaming, and so behind");
    let admin = patient.db.admin().await;
    let hidden: Vec<_> = doctor(&admin).await.into_iter().filter(|row| row.object == "replicas").collect();
    assert_eq!((hidden.len(), hidden[0].code.as_str()), (1, "not_examined"));
    patient.run(&hidden[0].remedy).await;
    assert!(doctor(&admin).await.contains(&row));
    drop(late);
    patient.until("replica_lag", "replica late", false).await;

    // TLS: none, then versions that nobody should speak, whether or not OpenSSL would.
    let row = one(&patient, "tls_off").await;
    let (certificate, key) = certificate(&patient.db, "doctor");
    for (from, to) in [(certificate, "server.crt"), (key, "server.key")] {
        let text = std::fs::read_to_string(from).unwrap();
        // In the data directory, which is where a server's program starts.
        shell(&patient, &format!("umask 077; printf %s '{text}' > {to}")).await;
    }
    patient.run(&row.remedy).await;
    patient.until("tls_off", "the server", false).await;
    for old in ["TLSv1", "TLSv1.1"] {
        patient
            .finds(
                &format!("alter system set ssl_min_protocol_version = '{old}'"),
                "tls_old",
                "the server",
                "the server: TLS 1.0 and 1.1 are accepted",
                "alter system set ssl_min_protocol_version = 'TLSv1.2'",
            )
            .await;
    }

    // The last lines of the file; the server need not take them.
    let hba: String = patient.superuser.query_one("show hba_file", &[]).await.unwrap().get(0);
    let lines = std::fs::read_to_string(&hba).unwrap().lines().count();
    shell(
        &patient,
        &format!(
            "printf ''host all all 10.0.0.0/8 trust\\nhost all all all password\\nhost all all 10.0.0.0/8 md5\\nhost all all 10.0.0.0/8 scram-sha-256\\nhostssl all all all cert\\n'' >> {hba}"
        )
        .replace("''", "'"),
    )
    .await;
    for (line, code, what) in [
        (1, "hba_trust", "believes everybody from another machine who says who they are"),
        (2, "hba_password", "asks for the password itself, from other machines"),
        (3, "hba_weak", "accepts MD5"),
    ] {
        let object = format!("pg_hba.conf, line {}", lines + line);
        let row = &patient.found(code, &object).await[0];
        assert_eq!(row.finding, format!("{object} {what}"));
        assert_eq!(row.remedy, "write scram-sha-256 there, then select pg_reload_conf()");
    }
    let rows = doctor(&patient.superuser).await;
    assert!(!rows.iter().any(|row| row.object == format!("pg_hba.conf, line {}", lines + 4)), "{rows:?}");
    patient.run("set password_encryption = md5; create role old login password 'x'").await;
    let row = one(&patient, "password_md5").await;
    assert_eq!((row.object.as_str(), row.remedy.as_str()), ("role old", "in psql: \\password old"));
}
