//! Random SQL by sqlsmith as an ordinary role, with everything of the catalog in it: nothing brings the server down, and no row
//! of the identity store, of a key, or of another person comes back.
//!
//! sqlsmith writes the queries and this test sends them, because sqlsmith looks at no result. Some of them call functions that
//! this role may not execute: being refused is their right answer. PROPTEST_CASES counts two of them; `make fuzz` sends 10,000.

use std::process::{Command, Stdio};

use proptest::test_runner::Config;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::support::{Cluster, Database, Flow, Gateway, Login, PATIENCE, public_client, service_client, user};

const MOST: u32 = 10_000;

#[tokio::test]
async fn random_queries_bring_nothing_down_and_nothing_out() {
    // What falls must not take the other tests along.
    let cluster = Cluster::start();
    let db = Database::on(cluster).await;
    let gateway = Gateway::start(&db).await;
    let (alice, bob) = (user(&db, "alice").await, user(&db, "canary-bob").await);
    let (web, _service) = (public_client(&db).await, service_client(&db).await);
    let token = Flow::new(&gateway, &web).tokens(&alice).await.access().to_owned();
    Flow::new(&gateway, &web).tokens(&bob).await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(&format!(
            "create table notes (id integer primary key, user_id uuid not null, body text not null);
             grant select, insert, update, delete on notes to app_login;
             insert into notes values (1, '{}', 'alice writes'), (2, '{}', 'canary-of-a-note');
             select identity.protect('notes');
             analyze;",
            alice.id, bob.id
        ))
        .await
        .unwrap();
    let canaries = canaries(&superuser).await;
    assert!(canaries.len() > 15, "only {} things to look for", canaries.len());

    let app = db.app().await;
    let before = "select identity.user_id()::text, (select string_agg(body, ',') from notes)";
    app.batch_execute(&format!("begin; select identity.authenticate('{token}')")).await.unwrap();
    let row = app.query_one(before, &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), (alice.id.to_string().as_str(), "alice writes"));
    app.batch_execute("rollback").await.unwrap();

    let wanted = (Config::default().cases * 2).min(MOST);
    let queries = queries(&db, wanted);
    assert!(queries.len() as u32 >= wanted, "sqlsmith wrote {} queries", queries.len());
    let (mut answered, mut ours) = (0, 0);
    for query in &queries {
        let sent =
            format!("begin; set local statement_timeout = '200ms'; select identity.authenticate('{token}'); {query}");
        let outcome = timeout(PATIENCE, app.simple_query(&sent)).await;
        match outcome.unwrap_or_else(|_| panic!("a query outlived its statement_timeout:\n{query}")) {
            Ok(messages) => {
                answered += 1;
                ours += u32::from(query.contains("identity."));
                for row in messages.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                }) {
                    for column in 0..row.len() {
                        let value = row.get(column).unwrap_or_default();
                        let leaked = canaries.iter().find(|canary| value.contains(canary.as_str()));
                        assert_eq!(leaked, None, "{query}");
                    }
                }
            }
            Err(error) => {
                let error = error.as_db_error().unwrap_or_else(|| panic!("the connection is lost: {error}\n{query}"));
                // An internal error of PostgreSQL's own is found by sqlsmith now and then; none may be ours.
                let inside = error.file().is_some_and(|file| file == "pg_identity" || file.ends_with(".rs"));
                assert!(*error.code() != SqlState::INTERNAL_ERROR || !inside, "{error:?}\n{query}");
                let said = [Some(error.message()), error.detail(), error.hint()].into_iter().flatten();
                for text in said {
                    let leaked = canaries.iter().find(|canary| text.contains(canary.as_str()));
                    assert_eq!(leaked, None, "{query}");
                }
            }
        }
        app.batch_execute("rollback").await.unwrap();
    }
    assert!(
        answered > wanted / 20 && ours > wanted / 200,
        "{answered} of {wanted} were answered, {ours} with functions of ours"
    );
    let log = std::fs::read_to_string(cluster.dir.join("log")).unwrap();
    for death in ["terminated by signal", "PANIC", "was terminated", "crash of another server process"] {
        assert!(!log.contains(death), "{death}");
    }
}

/// What nobody but its owner may see: secrets of every kind in the store and the keys, bob, and his note.
async fn canaries(superuser: &Client) -> Vec<String> {
    let columns = "select format('%I.%I', n.nspname, c.relname), a.attname, a.atttypid = 'bytea'::regtype
         from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
         where n.nspname in ('identity', 'identity_store') and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0
           and (a.atttypid = 'bytea'::regtype or a.attname in ('phc', 'body'))
           and not a.attisdropped";
    let mut canaries = vec!["canary-bob".to_owned(), "canary-of-a-note".to_owned()];
    for row in superuser.query(columns, &[]).await.unwrap() {
        let (table, column): (&str, &str) = (row.get(0), row.get(1));
        let text = if row.get(2) { format!("encode({column}, 'hex')") } else { format!("{column}::text") };
        let values = format!("select distinct {text} from {table} where {column} is not null and length({text}) >= 16");
        canaries.extend(superuser.query(&values, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)));
    }
    canaries
}

/// This many queries by sqlsmith, which knows the whole catalog. Always the same ones for one catalog.
fn queries(db: &Database, count: u32) -> Vec<String> {
    let target = format!("host=127.0.0.1 port={} user={} dbname={}", db.cluster.port, Login::App.role(), db.name);
    let output = Command::new("sqlsmith")
        .args(["--dry-run", "--seed=20261124"])
        .args([format!("--max-queries={count}"), format!("--target={target}")])
        .stderr(Stdio::null())
        .output()
        .expect("sqlsmith starts (.make/setup test installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut queries, mut query) = (Vec::new(), String::new());
    for line in text.lines() {
        query += line;
        query.push('\n');
        if line.ends_with(';') {
            queries.push(std::mem::take(&mut query));
        }
    }
    queries
}
