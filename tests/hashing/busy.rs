//! Who finds no place to hash in time is told to come back, and it costs them nothing: no guess, no form.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, Row};

use crate::authorize::session;
use crate::jwt::sqlstate;
use crate::pages::{QUIET, assert_keeps_to_itself, at_home, header, set_cookies};
use crate::support::{Browser, Cluster, Database, Gateway, Page, Stopped, processor_time, until, user};

/// On a server of its own, which hashes one password at a time, for long, and refuses at once who would have to wait.
pub async fn narrow() -> Database {
    let db = Database::on(Cluster::start()).await;
    let superuser = db.superuser().await;
    for setting in ["hash_concurrency = 1", "hash_wait = 0", "argon2_memory = '256MB'", "argon2_iterations = 4"] {
        superuser.batch_execute(&format!("alter system set pg_identity.{setting}")).await.unwrap();
    }
    drop(superuser);
    db.cluster.control("restart");
    db
}

/// The place to hash, taken by a guess that stands still in the middle of it.
pub struct Held {
    stopped: Stopped,
    guess: JoinHandle<Result<Vec<Row>, Error>>,
}

impl Held {
    /// By a connection that may sign people in.
    pub async fn by(db: &Database, guesser: Client) -> Held {
        let (guesser, other) = (Arc::new(guesser), db.superuser().await);
        let process: i32 = guesser.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
        for n in 0..20 {
            let (before, guesser) = (processor_time(process), Arc::clone(&guesser));
            let guess = tokio::spawn(async move {
                let guess = "select outcome from identity.sign_in(null, 'b', $1, 'wrong', null, null, null, null)";
                guesser.query(guess, &[&format!("nobody{n}")]).await
            });
            until("it hashes", async || processor_time(process) > before + 10 || guess.is_finished()).await;
            let stopped = Stopped::new(process).await;
            // On a machine that stood still the hash was over before.
            if sqlstate(other.batch_execute("select identity.sign_in_hash('x')").await) == "ID004" {
                return Held { stopped, guess };
            }
            drop(stopped);
            guess.await.unwrap().unwrap();
        }
        panic!("the one place to hash is free while somebody hashes")
    }

    /// It goes on: what became of the guess.
    pub async fn go_on(self) -> Result<Vec<Row>, Error> {
        drop(self.stopped);
        self.guess.await.unwrap()
    }
}

/// Buckets of failures, and what the audit has of them.
async fn counted(superuser: &Client) -> (i64, i64) {
    let counts = "select (select count(*) from identity_store.sign_in_buckets),
      (select count(*) from identity_store.audit_events where kind ~ '^sign_in')";
    let row = superuser.query_one(counts, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn whoever_finds_no_place_in_time_is_refused_with_id004_and_nothing_is_counted() {
    let db = narrow().await;
    let (alice, superuser, sql) = (user(&db, "alice").await, db.superuser().await, db.gateway_role().await);
    let cookie = session(&sql, &alice).await;
    let held = Held::by(&db, db.gateway_role().await).await;
    let sign_in = |name: &str, password: &str| {
        format!(
            "select outcome from identity.sign_in(null, 'b', '{name}', '{password}', '192.0.2.1', null, null, null)"
        )
    };
    for call in [
        sign_in("alice", &alice.password),
        sign_in("alice", "wrong"),
        sign_in("somebody", "wrong"),
        format!(
            "select identity.account_password_change('{cookie}', '{}', 'another password', '192.0.2.1')",
            alice.password
        ),
        format!("select identity.account_password_change('{cookie}', 'wrong', 'another password', '192.0.2.1')"),
    ] {
        assert_eq!(sqlstate(sql.query(&call, &[]).await), "ID004", "{call}");
    }
    assert_eq!(counted(&superuser).await, (0, 0));
    // Administrators have places of their own.
    user(&db, "bob").await;
    // Who may wait gets the place when it becomes free.
    superuser.batch_execute("set pg_identity.hash_wait = 60000").await.unwrap();
    let process: i32 = superuser.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let call = sign_in("alice", &alice.password);
    let waiting = tokio::spawn(async move { superuser.query_one(&call, &[]).await.unwrap().get::<_, String>(0) });
    let watcher = db.superuser().await;
    let sleeps = "select from pg_stat_activity where pid = $1 and wait_event_type = 'Extension'";
    until("it waits", async || watcher.query_opt(sleeps, &[&process]).await.unwrap().is_some()).await;
    assert_eq!(held.go_on().await.unwrap()[0].get::<_, String>(0), "invalid_credentials");
    assert_eq!(waiting.await.unwrap(), "signed_in");
}

fn assert_busy(page: &Page) {
    assert_eq!((page.status.as_u16(), header(page, "retry-after")), (503, Some("2")), "{}", page.body);
    assert_eq!(page.text("error").as_deref(), Some("temporarily_unavailable"));
    assert!(page.body.contains("<h1>One moment, please</h1>"), "{}", page.body);
    assert_keeps_to_itself(page, QUIET);
    assert_eq!(set_cookies(page), [""; 0]);
}

#[tokio::test]
async fn a_form_that_found_no_place_is_answered_with_a_page_and_retry_after_and_goes_through_later() {
    let db = narrow().await;
    let (alice, superuser) = (user(&db, "alice").await, db.superuser().await);
    let gateway = Gateway::start(&db).await;
    let (there, home) = at_home(&gateway, &alice).await;
    let here = Browser::new();
    let login = here.open(gateway.url("/")).await;
    let held = Held::by(&db, db.gateway_role().await).await;
    let new = "a completely new battery staple";
    let signing_in = || here.filled_in(&login, "sign-in", &[("username", "alice"), ("password", &alice.password)]);
    let changing = || {
        let fields = [("old_password", alice.password.as_str()), ("new_password", new), ("new_password_again", new)];
        there.filled_in(&home, "change-password", &fields)
    };
    assert_busy(&here.send(signing_in()).await);
    assert_busy(&there.send(changing()).await);
    assert_eq!(counted(&superuser).await, (0, 0));
    held.go_on().await.unwrap();
    let page = here.follow(here.send(signing_in()).await).await;
    assert_eq!((page.status.as_u16(), page.text("person").as_deref()), (200, Some("alice Liddell")), "{}", page.body);
    let page = there.follow(there.send(changing()).await).await;
    let done = "Your password has been changed. You are signed out everywhere else.";
    assert_eq!((page.status.as_u16(), page.text("notice").as_deref()), (200, Some(done)), "{}", page.body);
}
