//! Doctor: what can be provoked is, on clusters of its own, because much of it holds for a whole server. Each remedy that is a statement
//! is run and makes its finding vanish.

mod check;
mod keys;
mod restarts;
mod roles;
mod settings;

use tokio::sync::OnceCell;
use tokio_postgres::Client;

use crate::jwt::sqlstate;
use crate::support::{Cluster, Database, Login, checkout, until};

/// One row of `identity.doctor()`.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    severity: String,
    code: String,
    object: String,
    finding: String,
    remedy: String,
}

async fn doctor(client: &Client) -> Vec<Row> {
    let rows = client.query("select * from identity.doctor()", &[]).await.unwrap();
    let row = |row: &tokio_postgres::Row| Row {
        severity: row.get("severity"),
        code: row.get("code"),
        object: row.get("object"),
        finding: row.get("finding"),
        remedy: row.get("remedy"),
    };
    rows.iter().map(row).collect()
}

/// A server that other tests of this file spoil and mend, each something else.
async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<&Cluster> = OnceCell::const_new();
    CLUSTER.get_or_init(|| async { Cluster::start() }).await
}

struct Patient {
    db: Database,
    superuser: Client,
}

impl Patient {
    async fn new() -> Self {
        Self::on(cluster().await).await
    }

    async fn on(cluster: &'static Cluster) -> Self {
        let db = Database::on(cluster).await;
        let superuser = db.superuser().await;
        Self { db, superuser }
    }

    async fn run(&self, sql: &str) {
        self.superuser.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The rows about one object with one code, as a new session sees them.
    async fn found(&self, code: &str, object: &str) -> Vec<Row> {
        let rows = doctor(&self.db.superuser().await).await;
        rows.into_iter().filter(|row| row.code == code && row.object == object).collect()
    }

    /// Waits for the server to have taken new settings: it does so between two statements.
    async fn until(&self, code: &str, object: &str, there: bool) -> Option<Row> {
        self.when(code, object, |found| found.is_empty() != there).await.into_iter().next()
    }

    /// The rows about one object with one code, once they are as wanted.
    async fn when(&self, code: &str, object: &str, wanted: impl Fn(&[Row]) -> bool) -> Vec<Row> {
        let mut found = Vec::new();
        until(format!("{code} of {object}"), async || {
            self.run("select pg_reload_conf()").await;
            found = self.found(code, object).await;
            wanted(&found)
        })
        .await;
        found
    }

    /// What was not found before is found once it is spoiled, and vanishes with its remedy.
    async fn finds(&self, spoil: &str, code: &str, object: &str, finding: &str, remedy: &str) {
        assert_eq!(self.found(code, object).await, [], "before {spoil}");
        self.run(spoil).await;
        // Not the first one there is: what another test sets for the whole server holds for roles and databases too.
        let found = self.when(code, object, |found| found.iter().any(|row| row.finding == finding)).await;
        let row = found.iter().find(|row| row.finding == finding).unwrap();
        assert_eq!(row.remedy, remedy, "{spoil}");
        self.run(&row.remedy).await;
        self.until(code, object, false).await;
    }
}

#[tokio::test]
async fn every_rule_says_what_it_means_and_has_a_test() {
    let db = Database::new().await;
    let rules =
        db.admin().await.query("select code, severity, meaning from identity.doctor_rules()", &[]).await.unwrap();
    let mut tests = include_str!("doctor.rs").split_once("async fn a_server_as").unwrap().1.to_owned();
    for file in ["check", "keys", "restarts", "roles", "settings"] {
        tests += &std::fs::read_to_string(checkout().join(format!("tests/doctor/{file}.rs"))).unwrap();
    }
    let mut codes = Vec::new();
    for rule in &rules {
        let (code, severity, meaning): (&str, &str, &str) = (rule.get(0), rule.get(1), rule.get(2));
        assert!(["error", "warning", "info"].contains(&severity), "{code}: {severity}");
        assert!(meaning.len() > 30 && meaning.ends_with('.'), "{code}: {meaning}");
        assert!(tests.contains(&format!("\"{code}\"")), "{code}");
        codes.push(code);
    }
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted, "in order, each once");
}

#[tokio::test]
async fn a_server_as_tests_make_it_has_these_findings_and_no_error() {
    let patient = Patient::on(Cluster::start()).await;
    let rows = doctor(&patient.superuser).await;
    let mut codes: Vec<_> = rows.iter().map(|row| (row.severity.as_str(), row.code.as_str())).collect();
    codes.dedup();
    let mut expected = vec![
        ("warning", "data_checksums_off"),
        // Every local user is believed: clusters of tests are made so.
        ("warning", "hba_weak"),
        ("info", "idle_in_transaction"),
        ("info", "role_superuser"),
        ("info", "wal_archive_off"),
    ];
    // From PostgreSQL 18 on initdb turns them on.
    let version = "select current_setting('server_version_num')::integer";
    if patient.superuser.query_one(version, &[]).await.unwrap().get::<_, i32>(0) >= 180_000 {
        expected.remove(0);
    }
    assert_eq!(codes, expected, "{rows:?}");
    // An administrator sees the same, and what is not shown to it is said.
    let admin = doctor(&patient.db.admin().await).await;
    let hidden: Vec<_> = admin.iter().filter(|row| row.code == "not_examined").map(|row| row.object.as_str()).collect();
    assert_eq!(hidden, ["pg_authid", "pg_hba.conf"]);
    let rest = |rows: &[Row]| {
        rows.iter()
            .filter(|row| !["not_examined", "hba_weak"].contains(&row.code.as_str()))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(rest(&admin), rest(&rows));
    // The remedy shows it.
    let remedy = &admin.iter().find(|row| row.object == "pg_hba.conf").unwrap().remedy;
    patient.run(remedy).await;
    let admin = doctor(&patient.db.admin().await).await;
    assert_eq!(
        admin.iter().filter(|row| row.code == "hba_weak").count(),
        rows.iter().filter(|row| row.code == "hba_weak").count()
    );
    // It changes nothing, so a replica may be asked too.
    let reader = patient.db.admin().await;
    reader.batch_execute("begin transaction read only").await.unwrap();
    assert_eq!(doctor(&reader).await, admin);
}

#[tokio::test]
async fn applications_and_gateways_cannot_ask() {
    let db = Database::new().await;
    for login in [Login::App, Login::Gateway] {
        let client = db.connect(login).await;
        for call in [
            "select * from identity.doctor()",
            "select * from identity.doctor_rules()",
            "select * from identity.doctor_keys()",
            "select * from identity.doctor_store()",
            "select * from identity.doctor_roles()",
            "select identity.master_key_complaint()",
            "select identity.master_key_place_complaint()",
            "select identity.machine_memory()",
        ] {
            assert_eq!(sqlstate(client.batch_execute(call).await), "42501", "{login:?} {call}");
        }
    }
}
