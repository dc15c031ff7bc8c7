//! How much is hashed at a time: limits that hold for the whole server, and places that free themselves.

pub mod busy;

use std::time::Instant;

use tokio_postgres::Client;

use crate::support::{Cluster, Database, until};

/// The SQLSTATE that the statement is refused with.
async fn refusal(client: &Client, sql: &str) -> String {
    client.query(sql, &[]).await.unwrap_err().code().unwrap().code().to_owned()
}

#[tokio::test]
async fn at_most_two_attempts_of_an_account_are_in_flight() {
    let db = Database::new().await;
    let holders = [db.owner().await, db.owner().await];
    for holder in &holders {
        // Twice in one transaction is one attempt.
        holder
            .batch_execute("begin; select identity.sign_in_slot('bob'); select identity.sign_in_slot('bob')")
            .await
            .unwrap();
    }
    let superuser = db.superuser().await;
    superuser.batch_execute("set pg_identity.hash_wait = 50").await.unwrap();
    assert_eq!(refusal(&superuser, "select identity.sign_in_slot('bob')").await, "ID004");
    // The places are the whole server's: other tests hash meanwhile.
    superuser
        .batch_execute("set pg_identity.hash_wait = 60000; select identity.sign_in_slot('another')")
        .await
        .unwrap();
    // Released by commit and by an error alike, after which the waiting one goes on.
    let waiting = superuser.batch_execute("select identity.sign_in_slot('bob')");
    let (waited, _) = tokio::join!(waiting, async { holders[0].batch_execute("commit").await.unwrap() });
    waited.unwrap();
    holders[0].batch_execute("begin; select identity.sign_in_slot('bob')").await.unwrap();
    holders[1].batch_execute("select 1 / 0").await.unwrap_err();
    superuser.batch_execute("select identity.sign_in_slot('bob')").await.unwrap();
}

#[tokio::test]
async fn parallel_guesses_do_not_slip_past_the_counter() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "create table public.attempts as select 0 as n, 0 as hashes;
             create procedure public.attempt() language plpgsql as $$
             declare
               seen integer;
             begin
               perform identity.sign_in_slot('eve');
               select n into seen from public.attempts;
               if seen < 3 then
                 -- The hash. Its result is not counted before it is known.
                 perform identity.argon2_spend('sign_in');
                 update public.attempts set n = n + 1, hashes = hashes + 1;
               end if;
             end
             $$",
        )
        .await
        .unwrap();
    let mut tasks = Vec::new();
    for _ in 0..12 {
        let client = db.superuser().await;
        client.batch_execute("set pg_identity.hash_wait = 60000").await.unwrap();
        tasks.push(tokio::spawn(async move { client.batch_execute("call public.attempt()").await.unwrap() }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let hashes: i32 = superuser.query_one("select hashes from public.attempts", &[]).await.unwrap().get(0);
    // Two in flight may both see two failures; nobody else gets in between.
    assert!((3..=4).contains(&hashes), "{hashes}");
}

#[tokio::test]
async fn waiting_can_be_cancelled() {
    let db = Database::new().await;
    let holders = [db.owner().await, db.owner().await];
    for holder in &holders {
        holder.batch_execute("begin; select identity.sign_in_slot('dan')").await.unwrap();
    }
    let superuser = db.superuser().await;
    // Whoever is not heard while they wait is told ID004 after a minute.
    superuser.batch_execute("set pg_identity.hash_wait = 60000; set statement_timeout = 200").await.unwrap();
    assert_eq!(refusal(&superuser, "select identity.sign_in_slot('dan')").await, "57014");
}

#[tokio::test]
async fn hashing_is_limited_and_its_budgets_are_apart() {
    // A server of its own: the others hash as well.
    let db = Database::on(Cluster::start()).await;
    let superuser = db.superuser().await;
    superuser.batch_execute("alter system set pg_identity.hash_concurrency = 1").await.unwrap();
    drop(superuser);
    db.cluster.control("restart");
    let slow = "set pg_identity.argon2_memory = '256MB'; set pg_identity.argon2_iterations = 4; set pg_identity.hash_wait = 60000";
    let busy = db.superuser().await;
    busy.batch_execute(slow).await.unwrap();
    let mut other = db.superuser().await;
    other.batch_execute("set pg_identity.hash_wait = 0").await.unwrap();
    let task = tokio::spawn(async move {
        for _ in 0..4 {
            busy.batch_execute("select identity.sign_in_hash('x')").await.unwrap()
        }
        busy
    });
    // The sign-in budget of one is taken: sooner or later an attempt meets it, and administration never does.
    let mut met = false;
    while !met && !task.is_finished() {
        other.batch_execute("select identity.hash_password('x')").await.unwrap();
        match other.batch_execute("select identity.sign_in_hash('x')").await {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.code().unwrap().code(), "ID004");
                met = true;
            }
        }
    }
    assert!(met);
    let busy = task.await.unwrap();
    // The place of a backend that dies while hashing is not lost.
    let process: i32 = busy.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let task = tokio::spawn(async move { busy.batch_execute("select identity.sign_in_hash('x')").await });
    let active = format!("select state = 'active' from pg_stat_activity where pid = {process}");
    while !other.query_one(&active, &[]).await.unwrap().get::<_, bool>(0) {}
    assert!(std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
    assert!(task.await.unwrap().is_err());
    // The server ends all others and starts again by itself.
    while other.simple_query("select 1").await.is_ok() {}
    until("the server is back", async || {
        let again = db.cluster.config("postgres", &db.name).connect(tokio_postgres::NoTls).await;
        let Ok((client, connection)) = again else { return false };
        tokio::spawn(connection);
        other = client;
        true
    })
    .await;
    other.batch_execute("set pg_identity.hash_wait = 0; select identity.sign_in_hash('x')").await.unwrap();
}

#[tokio::test]
async fn a_guess_that_is_rolled_back_still_counts() {
    let db = Database::new().await;
    let guess = "select identity.sign_in_slot('mallory'), identity.argon2_spend('sign_in')";
    let thief = db.owner().await;
    // A transaction gives no second guess, whether of the same account or of another.
    thief.batch_execute(&format!("begin; {guess}")).await.unwrap();
    assert_eq!(refusal(&thief, guess).await, "ID004");
    thief.batch_execute("rollback; begin; select identity.sign_in_slot('bob')").await.unwrap();
    assert_eq!(refusal(&thief, guess).await, "ID005");
    // A subtransaction gives none: it could be rolled back alone, and the answer kept.
    thief.batch_execute("rollback; begin; savepoint s").await.unwrap();
    assert_eq!(refusal(&thief, guess).await, "ID005");
    thief.batch_execute("rollback").await.unwrap();
    let caught = format!(
        "do $$ begin perform from ({guess}) g; exception when others then raise exception using errcode = sqlstate; end $$"
    );
    assert_eq!(refusal(&thief, &caught).await, "ID005");
    // Nor does ending the connection in the middle.
    let second = db.owner().await;
    second.batch_execute(&format!("begin; {guess}")).await.unwrap();
    drop(second);
    let superuser = db.superuser().await;
    superuser.batch_execute("set pg_identity.hash_wait = 500").await.unwrap();
    assert_eq!(refusal(&superuser, guess).await, "ID004");
    // Other accounts go on. The places to hash are the whole server's: other tests have them meanwhile.
    superuser
        .batch_execute(
            "set pg_identity.hash_wait = 60000; select identity.sign_in_slot('bob'), identity.argon2_spend('sign_in')",
        )
        .await
        .unwrap();
}

/// Kilobytes that the processes of a cluster have, shared ones counted once.
fn memory(cluster: &Cluster) -> u64 {
    let postmaster = std::fs::read_to_string(cluster.dir.join("data/postmaster.pid")).unwrap();
    let postmaster = postmaster.lines().next().unwrap();
    let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
    let share = |process: &str| -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Pss:"))?.trim().strip_suffix(" kB")?.parse().ok()
    };
    children.split_whitespace().chain([postmaster]).filter_map(share).sum()
}

/// Each connection keeps trying until a password of its own was checked: nobody is left out for ever, whoever cannot be served
/// in time is told so, and what the hashes needed is given back.
#[tokio::test]
async fn hashes_of_two_hundred_connections_take_the_memory_of_a_few() {
    const CONNECTIONS: usize = 200;
    let db = Database::on(Cluster::start()).await;
    let superuser = db.superuser().await;
    for setting in ["pg_identity.hash_concurrency = 2", "max_connections = 230"] {
        superuser.batch_execute(&format!("alter system set {setting}")).await.unwrap();
    }
    drop(superuser);
    db.cluster.control("restart");
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for n in 0..CONNECTIONS {
        let gateway = db.gateway_role().await;
        tasks.push(tokio::spawn(async move {
            let guess = "select outcome from identity.sign_in(null, 'b', $1, 'wrong', null, null, null, null)";
            let name = format!("nobody{n}");
            let mut refused = 0;
            loop {
                match gateway.query_one(guess, &[&name]).await {
                    Ok(row) => {
                        assert_eq!(row.get::<_, String>(0), "invalid_credentials");
                        return (gateway, refused);
                    }
                    Err(error) => assert_eq!(error.code().unwrap().code(), "ID004"),
                }
                refused += 1;
            }
        }));
    }
    let mut connections = Vec::new();
    for task in tasks {
        connections.push(task.await.unwrap());
    }
    // All of them are still there. 19 MiB for each would be more than three gigabytes.
    let (all, hash) = (memory(db.cluster), 19_456);
    let bound = CONNECTIONS as u64 * 6_144 + 5 * hash + 128 * 1_024;
    assert!(all < bound, "{all} kB, the bound is {bound}");
    // Who was refused had waited before, for the two seconds of pg_identity.hash_wait.
    let most = begun.elapsed().as_secs() / 2;
    let refused = connections.iter().map(|(_, refused)| *refused).max().unwrap();
    assert!(refused <= most, "somebody was refused {refused} times in {:?}", begun.elapsed());
}
