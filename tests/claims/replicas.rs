//! What needs a server of its own: prepared transactions, logical decoding, a hot standby.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use super::{bodies, letters, sign_in, subject, token_of};
use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::{Cluster, Database, Login, free_port, until};

/// A cluster with prepared transactions and a logical WAL.
pub async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<&Cluster> = OnceCell::const_new();
    *CLUSTER
        .get_or_init(|| async {
            let cluster = Cluster::start();
            let (client, connection) =
                cluster.config(Login::Superuser.role(), "postgres").connect(NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("alter system set max_prepared_transactions = 10").await.unwrap();
            client.batch_execute("alter system set wal_level = 'logical'").await.unwrap();
            // A worker that was refused tries again after this: five seconds unless said otherwise.
            client.batch_execute("alter system set wal_retrieve_retry_interval = '100ms'").await.unwrap();
            cluster.control("restart");
            cluster
        })
        .await
}

#[tokio::test]
async fn a_prepared_transaction_keeps_nobody() {
    let db = Database::on(cluster().await).await;
    letters(&db).await;
    let app = db.app().await;
    let (alice, bob) = (token_of(&db, ALICE).await, token_of(&db, BOB).await);
    sign_in(&db, &app, ALICE).await;
    app.batch_execute("insert into public.letters values (identity.user_id(), 'prepared'); prepare transaction 'one'")
        .await
        .unwrap();
    assert_eq!(subject(&app).await, None);
    // The connection is free for anybody.
    sign_in(&db, &app, BOB).await;
    assert_eq!(bodies(&app).await, ["to bob"]);
    app.batch_execute("commit").await.unwrap();
    // Whoever finishes it finishes what alice did, and becomes nobody by it.
    let other = db.app().await;
    other.batch_execute("commit prepared 'one'").await.unwrap();
    assert_eq!(subject(&other).await, None);
    sign_in(&db, &other, ALICE).await;
    assert_eq!(bodies(&other).await, ["prepared", "to alice"]);
    other.batch_execute("commit").await.unwrap();
    // Deferred triggers fire at PREPARE, where the transaction is still that of its first subject.
    db.superuser().await.batch_execute("create schema workshop authorization app_login").await.unwrap();
    app.batch_execute(
        "create table workshop.notes (body text);
         create function workshop.enter() returns trigger language plpgsql as
           'begin perform identity.authenticate(new.body); return new; end';
         create constraint trigger at_commit after insert on workshop.notes deferrable initially deferred
           for each row execute function workshop.enter()",
    )
    .await
    .unwrap();
    for (token, expected) in [(&bob, "ID201"), (&alice, "accepted")] {
        sign_in(&db, &app, ALICE).await;
        app.execute("insert into workshop.notes values ($1)", &[token]).await.unwrap();
        app.batch_execute("select identity.sign_out()").await.unwrap();
        assert_eq!(sqlstate(app.batch_execute("prepare transaction 'two'").await), expected);
        assert_eq!(subject(&app).await, None);
    }
    app.batch_execute("rollback prepared 'two'").await.unwrap();
}

#[tokio::test]
async fn logical_decoding_shows_rows_and_neither_tokens_nor_claims() {
    let db = Database::on(cluster().await).await;
    let superuser = letters(&db).await;
    superuser.batch_execute("select pg_create_logical_replication_slot('decoded', 'test_decoding')").await.unwrap();
    let app = db.app().await;
    let token = access_token(&db, json!({ "jti": "the-id-of-the-token", "email": "alice@example.org" })).await;
    let changes = async || -> Vec<String> {
        let rows =
            superuser.query("select data from pg_logical_slot_get_changes('decoded', null, null)", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    // Signing in writes nothing at all.
    changes().await;
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    app.batch_execute("select body from public.letters; select identity.sign_out(); commit").await.unwrap();
    assert_eq!(changes().await, [""; 0]);
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    app.batch_execute("insert into public.letters values (identity.user_id(), 'decoded'); commit").await.unwrap();
    let decoded = changes().await;
    assert!(
        decoded.iter().any(|line| line.contains(&format!("user_id[uuid]:'{ALICE}' body[text]:'decoded'"))),
        "{decoded:?}"
    );
    for secret in [token.as_str(), "the-id-of-the-token", "alice@example.org", "pg_identity.claims", &db.issuer] {
        assert!(!decoded.iter().any(|line| line.contains(secret)), "{secret}: {decoded:?}");
    }
    superuser.batch_execute("select pg_drop_replication_slot('decoded')").await.unwrap();
}

#[tokio::test]
async fn a_protected_table_is_replicated_and_shows_each_person_their_own_rows_there_too() {
    let (db, copy) = (Database::on(cluster().await).await, Database::on(cluster().await).await);
    let (superuser, subscriber) = (letters(&db).await, letters(&copy).await);
    subscriber.batch_execute("truncate public.letters").await.unwrap();
    superuser.execute("select pg_create_logical_replication_slot('copied', 'pgoutput')", &[]).await.unwrap();
    superuser.batch_execute("create publication letters for table public.letters").await.unwrap();
    // Within one server the slot has to be there before: making it would wait for the transaction that subscribes.
    subscriber
        .batch_execute(&format!(
            "create subscription letters connection 'host=127.0.0.1 port={} user=postgres dbname={}' publication letters
               with (slot_name = 'copied', create_slot = false)",
            db.cluster.port, db.name
        ))
        .await
        .unwrap();
    let app = db.app().await;
    sign_in(&db, &app, BOB).await;
    app.batch_execute("insert into public.letters (body) values ('from bob'); commit").await.unwrap();
    let letters = async || subscriber.query("select from public.letters", &[]).await.unwrap().len();
    until("replication has caught up", async || letters().await >= 3).await;
    let app = copy.app().await;
    for (person, rows) in [(ALICE, &["to alice"][..]), (BOB, &["from bob", "to bob"])] {
        sign_in(&copy, &app, person).await;
        assert_eq!(bodies(&app).await, rows);
        app.batch_execute("commit").await.unwrap();
    }
    assert_eq!(bodies(&app).await, [""; 0]);
    subscriber.batch_execute("drop subscription letters").await.unwrap();
}

#[tokio::test]
async fn a_hot_standby_signs_in_and_sees_revocations() {
    let db = Database::on(cluster().await).await;
    letters(&db).await;
    let standby = Standby::of(db.cluster);
    let connect = async |login: Login| {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(standby.port).user(login.role()).dbname(&db.name);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    let app = connect(Login::App).await;
    let (alice, bob) = (token_of(&db, ALICE).await, token_of(&db, BOB).await);
    app.batch_execute("begin").await.unwrap();
    let recovering: bool = app.query_one("select pg_is_in_recovery()", &[]).await.unwrap().get(0);
    assert!(recovering);
    authenticate(&app, &alice).await.unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
    assert_eq!(bodies(&app).await, ["to alice"]);
    app.batch_execute("savepoint a").await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &bob).await), "ID201");
    app.batch_execute("rollback to a; commit").await.unwrap();
    assert_eq!(subject(&app).await, None);
    let planted = app.batch_execute("set pg_identity.claims = '{}'").await;
    assert_eq!(sqlstate(planted), "42501");
    // A revocation arrives with the WAL.
    db.admin().await.execute("select identity.revoke('user', $1)", &[&ALICE]).await.unwrap();
    let written: String =
        db.superuser().await.query_one("select pg_current_wal_lsn()::text", &[]).await.unwrap().get(0);
    let replayed = "select pg_last_wal_replay_lsn() >= $1::text::pg_lsn from pg_sleep(0.02)";
    while !app.query_one(replayed, &[&written]).await.unwrap().get::<_, bool>(0) {}
    assert_eq!(sqlstate(authenticate(&app, &alice).await), "ID107");
    assert_eq!(sqlstate(authenticate(&app, &bob).await), "accepted");
}

/// A physical standby of a cluster, made from a base backup.
struct Standby {
    port: u16,
    supervisor: std::process::Child,
}

impl Standby {
    fn of(primary: &Cluster) -> Standby {
        let port = free_port();
        let data = primary.dir.join(format!("standby-{port}"));
        // The server's own binary, from the private tree; its first word in the file that it leaves beside its data.
        let started = std::fs::read_to_string(primary.dir.join("data/postmaster.opts")).unwrap();
        let binaries = Path::new(started.split(' ').next().unwrap()).parent().unwrap();
        let mut supervisor = as_server(&primary.dir)
            .args(["sh", "-c", SUPERVISE, "sh"])
            .args([binaries, &data])
            .args([primary.port.to_string(), port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n", "{}", std::fs::read_to_string(data.join("standby.log")).unwrap_or_default());
        Standby { port, supervisor }
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// Arguments: folder of the binaries, data, port of the primary, port. Lives as long as its standard input.
const SUPERVISE: &str = r#"
cd /
"$1/pg_basebackup" --pgdata="$2" --write-recovery-conf --wal-method=stream --checkpoint=fast \
  --host=127.0.0.1 --port="$3" --username=postgres >&2 &&
"$1/pg_ctl" start --pgdata="$2" --log="$2/standby.log" --wait --silent \
  --options="-c port=$4 -c unix_socket_directories=" >&2 && echo ready
cat >/dev/null
"$1/pg_ctl" stop --pgdata="$2" --mode=immediate --silent >&2
rm -rf "$2"
"#;

/// A command as the user whom the cluster belongs to: PostgreSQL refuses to run as root.
fn as_server(dir: &Path) -> Command {
    let owner = |path: &Path| std::fs::metadata(path).unwrap().uid();
    if owner(dir) == owner(Path::new("/proc/self")) {
        return Command::new("env");
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]);
    command
}
