//! What an operator starts at any time, beside traffic and beside itself: maintenance, rotation of keys, migration.

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::{alive, consistent, session_bound_client, tokens_for};
use crate::authorize::{Sql, call, session};
use crate::maintenance::{PARTITIONED, forget_partitions};
use crate::operations::becomes;
use crate::refresh::refresh;
use crate::support::{Browser, Database, Gateway, service_client, user};

/// People who are served until they are told to stop: the whole way from a code to userinfo, every step of which succeeds.
struct Traffic {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    people: Vec<JoinHandle<()>>,
}

impl Traffic {
    async fn start(db: &Database) -> Traffic {
        let (app, watcher) = (session_bound_client(db).await, service_client(db).await);
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut people = Vec::new();
        for n in 0..3 {
            let (sql, person) = (db.gateway_role().await, user(db, &format!("person{n}")).await);
            let cookie = session(&sql, &person).await;
            let (app, watcher, stop, rounds) = (app.clone(), watcher.clone(), stop.clone(), rounds.clone());
            people.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let first = tokens_for(&sql, &app, &cookie, "openid").await;
                    let (outcome, second) = refresh(&sql, &app, &first["refresh_token"]).await;
                    assert_eq!(outcome, "ok", "{second}");
                    assert!(alive(&sql, &watcher, &first["access_token"]).await);
                    let token = second["access_token"].as_str().unwrap();
                    assert_eq!(call(&sql, "userinfo_read", &[&token]).await.0, "ok");
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        let traffic = Traffic { stop, rounds, people };
        traffic.goes_on().await;
        traffic
    }

    /// Returns when everybody had their turn since.
    async fn goes_on(&self) {
        let enough = self.rounds.load(Ordering::Relaxed) + 2 * self.people.len();
        while self.rounds.load(Ordering::Relaxed) < enough {
            assert!(self.people.iter().all(|person| !person.is_finished()), "somebody was not served");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) {
        self.goes_on().await;
        self.stop.store(true, Ordering::Relaxed);
        for person in self.people {
            person.await.unwrap();
        }
    }
}

async fn maintain(sql: &Sql) -> Value {
    let (outcome, answer) = call(sql, "maintenance_run", &[]).await;
    assert_eq!(outcome, "ok");
    answer
}

#[tokio::test]
async fn maintenance_beside_itself_and_traffic_makes_every_partition_once_and_fails_nobody() {
    let db = Database::new().await;
    forget_partitions(&db).await;
    let traffic = Traffic::start(&db).await;
    let mut made = Vec::new();
    // A table that is busy is left for the next run, so there are as many rounds as it takes.
    for round in 0.. {
        assert!(round < 1000, "only {made:?}");
        let mut runs = Vec::new();
        for _ in 0..4 {
            let sql = db.gateway_role().await;
            runs.push(tokio::spawn(async move { maintain(&sql).await }));
        }
        let mut whole = false;
        for run in runs {
            let answer = run.await.unwrap();
            made.extend(answer["made"].as_array().into_iter().flatten().map(Value::to_string));
            whole |= answer["busy"].as_array().is_some_and(Vec::is_empty);
        }
        if whole {
            break;
        }
    }
    traffic.stop().await;
    let all = made.len();
    made.sort();
    made.dedup();
    // The present has rows in the default partition by now: there it stays, or gets what is left of it.
    assert!(made.len() == all && (2 * PARTITIONED.len()..=3 * PARTITIONED.len()).contains(&all), "{made:?}");
    consistent(&db).await;
}

#[tokio::test]
async fn a_dump_that_holds_the_tables_when_a_partition_is_due_fails_no_reader() {
    let db = Database::new().await;
    forget_partitions(&db).await;
    let alice = user(&db, "alice").await;
    let cookie = session(&db.gateway_role().await, &alice).await;
    let gateway = Gateway::start_with(&db, &[("GATEWAY_MAINTENANCE_INTERVAL", "0")]).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let mut superuser = db.superuser().await;
    let dump = superuser.transaction().await.unwrap();
    for table in PARTITIONED {
        dump.batch_execute(&format!("lock table identity_store.{table} in access share mode")).await.unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let reading = {
        let (url, done) = (gateway.url("/"), done.clone());
        tokio::spawn(async move {
            let (browser, mut served, mut refused) = (Browser::new(), 0, 0);
            while !done.load(Ordering::Relaxed) {
                let request = browser.http.get(&url).header("cookie", format!("identity_session={cookie}"));
                let page = browser.send(request).await;
                match page.status.as_u16() {
                    200 => served += 1,
                    // On a machine that is slow enough some wait for a table longer than lock_timeout, and may ask again.
                    503 if page.headers.contains_key("retry-after") => refused += 1,
                    status => panic!("{status}: {}", page.body),
                }
            }
            (served, refused)
        })
    };
    let sql = db.gateway_role().await;
    for _ in 0..5 {
        let answer = maintain(&sql).await;
        assert_eq!(answer["busy"].as_array().unwrap().len(), PARTITIONED.len());
    }
    done.store(true, Ordering::Relaxed);
    let (served, refused) = reading.await.unwrap();
    assert!(served > refused, "{served} served, {refused} refused");
    dump.rollback().await.unwrap();
    assert!(maintain(&sql).await["made"].as_array().unwrap().len() >= 2 * PARTITIONED.len());
}

#[tokio::test]
async fn keys_that_two_rotate_at_once_sign_and_verify_all_the_while() {
    let db = Database::new().await;
    let traffic = Traffic::start(&db).await;
    let mut rotations = Vec::new();
    for _ in 0..2 {
        let admin = db.admin().await;
        rotations.push(tokio::spawn(async move {
            for _ in 0..5 {
                admin.execute("select identity.rotate_signing_keys('0', '0')", &[]).await.unwrap();
            }
        }));
    }
    for rotation in rotations {
        rotation.await.unwrap();
        traffic.goes_on().await;
    }
    traffic.stop().await;
    let odd = "select count(*) from (
        select count(*) filter (where state = 'current') as current, count(*) filter (where state = 'next') as next
        from identity.signing_keys group by algorithm) k where (current, next) <> (1, 1)";
    assert_eq!(db.superuser().await.query_one(odd, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn two_migrations_at_once_fail_nobody_who_is_being_served() {
    let db = Database::new().await;
    let traffic = Traffic::start(&db).await;
    let migrations: Vec<_> = (0..2)
        .map(|_| {
            let mut migrate = Gateway::command("migrate", &db, &[]);
            migrate.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            tokio::task::spawn_blocking(move || migrate.output().unwrap())
        })
        .collect();
    for migration in migrations {
        let Output { status, stderr, .. } = migration.await.unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    }
    traffic.stop().await;
    consistent(&db).await;
}
