//! Nothing that is written down holds a secret in clear: not the files of the cluster (tables, WAL, temporary files, statistics),
//! not a dump, not a log, not a view of the statistics. Everything that PostgreSQL can record is switched on, but bind values and
//! plans of nested statements, which have them in it: those are the passwords themselves (README, "The security boundary").

mod clients;
mod drive;
mod keys;
mod needles;
mod places;

use self::drive::drive;
use self::needles::{Needle, search};
use self::places::Places;
use crate::support::{Cluster, Database, Gateway, Login};

/// As a curious administrator would have it.
const RECORDERS: [&str; 17] = [
    "shared_preload_libraries = pg_identity, pg_stat_statements, auto_explain",
    "log_statement = 'all'",
    "log_min_duration_statement = 0",
    "log_duration = on",
    "log_min_messages = 'debug2'",
    "log_min_error_statement = 'debug5'",
    "log_error_verbosity = 'verbose'",
    "log_connections = on",
    "log_disconnections = on",
    "log_lock_waits = on",
    "log_temp_files = 0",
    "log_statement_stats = on",
    "track_activity_query_size = 1048576",
    "track_functions = 'all'",
    "auto_explain.log_min_duration = 0",
    "pg_stat_statements.track = 'all'",
    "pg_stat_statements.track_utility = on",
];

#[tokio::test]
async fn no_secret_is_written_down_anywhere_in_clear() {
    let cluster = Cluster::start();
    let db = Database::on(cluster).await;
    let superuser = db.superuser().await;
    for recorder in RECORDERS {
        // auto_explain's settings are known once it is loaded.
        let alter = format!("load 'auto_explain'; load 'pg_stat_statements'; alter system set {recorder}");
        for statement in alter.split("; ") {
            let _ = superuser.batch_execute(statement).await;
        }
    }
    // What the README asks of a DBA. PostgreSQL 15's auto_explain writes down no bind values and has no such setting.
    let _ = superuser.batch_execute("alter system set auto_explain.log_parameter_max_length = 0").await;
    drop(superuser);
    cluster.control("restart");
    let superuser = db.superuser().await;
    for recorder in RECORDERS {
        let (name, value) = recorder.split_once(" = ").unwrap();
        let set: String = superuser.query_one("select current_setting($1)", &[&name]).await.unwrap().get(0);
        assert!(!set.is_empty() && (set != "off" || value == "off"), "{name} is {set}");
    }
    superuser.batch_execute("create extension pg_stat_statements").await.unwrap();

    let gateway =
        Gateway::start_with(&db, &[("GATEWAY_LOG_FILTER", "trace"), ("GATEWAY_FETCH_ALLOW", "127.0.0.1")]).await;
    let needles = drive(&db, &gateway).await;
    assert!(needles.len() > 330, "{}", needles.len());
    let places = Places::collect(&db, &gateway).await;
    let found: Vec<String> = places.iter().flat_map(|(place, bytes)| search(place, bytes, &needles)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));

    // The search finds what is there: hashes that are stored, and a statement that is logged. The ends of the hashes: what two
    // versions of a row have in common at their beginnings is not in the WAL twice.
    let mut controls =
        vec![Needle::text("a statement", "identity.sign_in("), Needle::text("a request", "route=\"/login\"")];
    for row in superuser.query("select right(phc, 40) from identity_store.passwords", &[]).await.unwrap() {
        controls.push(Needle::text("a stored hash", row.get(0)));
    }
    let seen: Vec<String> = places.iter().flat_map(|(place, bytes)| search(place, bytes, &controls)).collect();
    for (control, place) in [
        ("a stored hash", "pg_dump --format=plain"),
        ("a stored hash", "pg_dumpall"),
        ("a stored hash", "pg_wal"),
        ("a stored hash", "base"),
        ("a statement", "server log"),
        ("a statement", "pg_stat_statements"),
        ("a statement", "pg_stat_activity"),
        ("a request", "gateway log"),
    ] {
        assert!(
            seen.iter().any(|line| line.starts_with(control) && line.contains(place)),
            "{control} is not in {place}: {seen:?}"
        );
    }

    // Bind values are what a DBA must not switch on: README says so, and this is why.
    superuser.batch_execute("alter system set log_parameter_max_length = -1").await.unwrap();
    superuser.batch_execute("select pg_reload_conf()").await.unwrap();
    let password = Needle::text("a password", "a password that is logged");
    let log = || std::fs::read(cluster.dir.join("log")).unwrap();
    while search("server log", &log(), std::slice::from_ref(&password)).is_empty() {
        let later = db.connect(Login::Gateway).await;
        let sign_in = "select identity.sign_in(null, 'b', 'nobody', $1, null, null, null, null)";
        later.query(sign_in, &[&"a password that is logged"]).await.unwrap();
    }
}
