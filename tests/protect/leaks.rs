//! What a protected table tells about rows that are not the caller's: nothing, by no way that SQL offers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{listening, notes};
use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::{Database, Login};

/// Bob's rows hold this word.
const SECRET: &str = "bobs-secret";

/// The table of `notes`, protected, with many rows of bob's and their statistics; the caller may make functions.
async fn guarded(db: &Database) -> Client {
    let owner = notes(db).await;
    owner
        .batch_execute(&format!(
            "insert into notes.notes (user_id, body, number) select '{BOB}', '{SECRET}-' || i % 5, i % 7 from generate_series(1, 500) i;
             create index on notes.notes (body); create index on notes.notes ((upper(body)));
             select identity.protect('notes.notes');
             create statistics notes.together (mcv) on body, number from notes.notes;
             reset role;
             analyze notes.notes;
             create schema workshop authorization app_login"
        ))
        .await
        .unwrap();
    owner
}

async fn sign_in(db: &Database, client: &Client, person: &str) {
    client.batch_execute("begin").await.unwrap();
    authenticate(client, &access_token(db, serde_json::json!({ "sub": person })).await).await.unwrap();
}

#[tokio::test]
async fn a_leaky_function_of_the_caller_sees_no_row_of_others() {
    let db = Database::new().await;
    guarded(&db).await;
    let (app, mut said) = listening(&db.cluster.config(Login::App.role(), &db.name)).await;
    app.batch_execute(
        "create function workshop.peek(text) returns boolean language plpgsql cost 0.0000001 parallel safe as
           $$ begin raise notice 'seen: %', $1; return true; end $$;
         create function workshop.fail(text) returns integer language plpgsql cost 0.0000001 immutable as
           $$ begin return $1::integer; end $$;
         create function workshop.less(text, text) returns boolean language plpgsql cost 0.0000001 immutable as
           $$ begin raise notice 'seen: %, %', $1, $2; return true; end $$;
         create operator workshop.<<< (leftarg = text, rightarg = text, function = workshop.less, restrict = scalarltsel, join = scalarltjoinsel);
         create operator workshop.=== (leftarg = text, rightarg = text, function = workshop.less, restrict = eqsel, join = eqjoinsel);
         create view workshop.peeking as select body from notes.notes where workshop.peek(body);
         create table workshop.own (body text); insert into workshop.own values ('x'); analyze workshop.own",
    )
    .await
    .unwrap();
    sign_in(&db, &app, ALICE).await;
    for query in [
        "select body from notes.notes where workshop.peek(body)",
        "select body from notes.notes where workshop.peek(body) and body = 'bobs-secret-1'",
        "select body from notes.notes n where exists (select where workshop.peek(n.body))",
        "select body from notes.notes group by body having workshop.peek(body)",
        "select body from notes.notes order by workshop.peek(body) limit 1",
        "select n.body from workshop.own o left join notes.notes n on workshop.peek(n.body)",
        "select body from notes.notes tablesample system (100) where workshop.peek(body)",
        "select body from notes.notes where ctid < '(9,0)' and workshop.peek(body)",
        "update notes.notes set number = 1 where workshop.peek(body) returning body",
        "delete from notes.notes where workshop.peek(body) returning body",
        "merge into notes.notes n using workshop.own o on workshop.peek(n.body) when matched then update set number = 2",
        "select body from workshop.peeking",
        // Planning asks the statistics, which hold values of everybody.
        "select body from notes.notes where body operator(workshop.<<<) 'x'",
        "select body from notes.notes where body operator(workshop.===) 'x' and number = 3",
        "select o.body from workshop.own o join notes.notes n on n.body operator(workshop.===) o.body",
        "explain select body from notes.notes where upper(body) operator(workshop.<<<) 'x'",
    ] {
        app.batch_execute("savepoint a").await.unwrap();
        app.batch_execute(query).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
        app.batch_execute("rollback to a; do $$ begin raise notice 'end'; end $$").await.unwrap();
        loop {
            let notice = said.recv().await.unwrap();
            if notice == "end" {
                break;
            }
            assert!(["seen: a", "seen: x", "seen: a, x", "seen: A, x"].contains(&notice.as_str()), "{query}: {notice}");
        }
    }
    // An error message is a way out too: it names the caller's own row.
    let error = app.query("select workshop.fail(body) from notes.notes", &[]).await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().message(), "invalid input syntax for type integer: \"a\"");
}

#[tokio::test]
async fn statistics_and_plans_hold_no_value_of_others() {
    let db = Database::new().await;
    let owner = guarded(&db).await;
    let app = db.app().await;
    sign_in(&db, &app, ALICE).await;
    for view in ["pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"] {
        let seen = format!("select count(*) from {view} where schemaname = 'notes'");
        assert_eq!(app.query_one(&seen, &[]).await.unwrap().get::<_, i64>(0), 0, "{view}");
    }
    // They are there, and would tell: a superuser sees them.
    let told =
        "select count(*) from pg_stats where schemaname = 'notes' and most_common_vals::text like '%bobs-secret%'";
    assert!(owner.query_one(told, &[]).await.unwrap().get::<_, i64>(0) > 0);
    for catalog in ["pg_statistic", "pg_statistic_ext_data"] {
        assert_eq!(sqlstate(app.batch_execute(&format!("savepoint a; select from {catalog}")).await), "42501");
        app.batch_execute("rollback to a").await.unwrap();
    }
    for query in [
        "select * from notes.notes",
        "select * from notes.notes where body > 'b'",
        "select * from notes.notes where body = (select max(body) from notes.notes)",
        "select number, count(*) from notes.notes group by number",
        "update notes.notes set body = 'x'",
        "insert into notes.notes (user_id) values (identity.user_id())",
    ] {
        for options in ["verbose", "analyze, verbose, buffers"] {
            app.batch_execute("savepoint a").await.unwrap();
            let plan = app.query(&format!("explain ({options}) {query}"), &[]).await.unwrap();
            let plan: String = plan.iter().map(|row| row.get::<_, String>(0) + "\n").collect();
            // Neither whose rows are hidden, nor what is in them; nor who asks.
            for hidden in [SECRET, BOB, ALICE] {
                assert!(!plan.contains(hidden), "{query}:\n{plan}");
            }
            app.batch_execute("rollback to a").await.unwrap();
        }
    }
}

#[tokio::test]
async fn copy_takes_out_and_brings_in_the_callers_rows_only() {
    let db = Database::new().await;
    guarded(&db).await;
    let token = access_token(&db, serde_json::json!({ "sub": ALICE })).await;
    let enter = format!("select from identity.authenticate('{token}')");
    for (commands, expected) in [
        (vec!["copy notes.notes (body) to stdout"], ""),
        (vec!["begin", &enter, "copy notes.notes (body) to stdout"], "a\n"),
        (vec!["begin", &enter, "copy (select body from notes.notes) to stdout"], "a\n"),
        // PostgreSQL would not ask the policies row by row, and so refuses.
        (vec!["begin", &enter, "copy notes.notes (user_id, body) from stdin"], "0A000"),
        (
            vec![
                "begin",
                &enter,
                "create temporary table loaded (user_id uuid default identity.user_id(), body text)",
                "copy pg_temp.loaded (body) from stdin",
                "insert into notes.notes (user_id, body) select * from loaded",
                "copy notes.notes (body) to stdout",
            ],
            "a\nmine\n",
        ),
    ] {
        assert_eq!(psql(&db, &commands, "mine\n"), expected, "{commands:?}");
    }
}

/// What psql prints, as the application's role: rows, or the SQLSTATE of a refusal.
fn psql(db: &Database, commands: &[&str], input: &str) -> String {
    let pg_config = std::env::var("PGRX_PG_CONFIG_PATH").expect("cargo sets it (.cargo/config.toml)");
    let mut psql = Command::new(Path::new(&pg_config).with_file_name("psql"))
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--set=VERBOSITY=sqlstate",
        ])
        .args(commands.iter().map(|command| format!("--command={command}")))
        .arg(db.url(Login::App))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read that.
    let _ = psql.stdin.take().unwrap().write_all(input.as_bytes());
    let output = psql.wait_with_output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if output.status.success() {
        return said(&output.stdout);
    }
    said(&output.stderr).trim().trim_start_matches("ERROR:").trim().to_owned()
}

#[tokio::test]
async fn a_conflict_with_a_hidden_row_neither_changes_nor_describes_it() {
    let db = Database::new().await;
    let owner = guarded(&db).await;
    let app = db.app().await;
    let (alice, bobs): (Uuid, i32) = (
        ALICE.parse().unwrap(),
        owner.query_one("select id from notes.notes where body = 'b'", &[]).await.unwrap().get(0),
    );
    sign_in(&db, &app, ALICE).await;
    for (expected, statement) in [
        ("23505", "insert into notes.notes (id, user_id, body) values ($1, $2, 'x')"),
        (
            "42501",
            "insert into notes.notes (id, user_id, body) values ($1, $2, 'x') on conflict (id) do update set body = 'taken'",
        ),
        (
            "42501",
            "insert into notes.notes (id, user_id, body) values ($1, $2, 'x') on conflict (id) do update set user_id = excluded.user_id returning body",
        ),
    ] {
        app.batch_execute("savepoint a").await.unwrap();
        let error = app.query(statement, &[&bobs, &alice]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.detail()), (expected, None), "{statement}");
        app.batch_execute("rollback to a").await.unwrap();
    }
    let ignored =
        "insert into notes.notes (id, user_id, body) values ($1, $2, 'x') on conflict do nothing returning body";
    assert!(app.query(ignored, &[&bobs, &alice]).await.unwrap().is_empty());
    for locking in ["for update", "for share", "for update skip locked"] {
        let rows = app.query(&format!("select body from notes.notes where id = $1 {locking}"), &[&bobs]).await.unwrap();
        assert!(rows.is_empty(), "{locking}");
    }
    app.batch_execute("commit").await.unwrap();
    let untouched: Value = owner
        .query_one("select jsonb_build_array(user_id, body) from notes.notes where id = $1", &[&bobs])
        .await
        .unwrap()
        .get(0);
    assert_eq!(untouched, serde_json::json!([BOB, "b"]));
}

#[tokio::test]
async fn a_trigger_or_a_copy_of_the_callers_gets_the_callers_rows() {
    let db = Database::new().await;
    guarded(&db).await;
    let app = db.app().await;
    // Without the privilege TRIGGER nobody listens in on others.
    let listening_in = "create trigger t before insert on notes.notes for each row execute function pg_catalog.suppress_redundant_updates_trigger()";
    assert_eq!(sqlstate(app.batch_execute(listening_in).await), "42501");
    let referring = "create table workshop.probe (id integer references notes.notes)";
    assert_eq!(sqlstate(app.batch_execute(referring).await), "42501");
    // A materialized view holds the rows of whoever refreshed it; made by nobody, it is empty.
    app.batch_execute("create materialized view workshop.copy as select body from notes.notes").await.unwrap();
    assert!(app.query("select body from workshop.copy", &[]).await.unwrap().is_empty());
    sign_in(&db, &app, ALICE).await;
    app.batch_execute(
        "refresh materialized view workshop.copy; create table workshop.kept as select body from notes.notes; commit",
    )
    .await
    .unwrap();
    for copy in ["copy", "kept"] {
        let rows = app.query(&format!("select body from workshop.{copy}"), &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), ["a"], "{copy}");
    }
}
