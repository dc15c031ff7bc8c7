//! Growth: what looking somebody up and refreshing take among ten thousand people, and among a million with ten million
//! refresh families. On a disk, in a cluster of its own, with a quarter of the memory as PostgreSQL's manual advises.

use std::fs;
use std::time::Instant;

use tests::{Client, Cluster, Database};

use crate::report::{Report, Target, median, quantile, rounds, time};
use crate::world::web_client;

/// Ten thousand against a million.
pub async fn run(report: &Report) {
    let wanted = ["scale_lookup", "scale_refresh"].map(|name| report.wants(name));
    if wanted == [false; 2] {
        return;
    }
    let cluster = Cluster::start();
    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let kibibytes: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    let (superuser, connection) = cluster.config("postgres", "postgres").connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    superuser.batch_execute(&format!("alter system set shared_buffers = '{}kB'", kibibytes / 4)).await.unwrap();
    drop(superuser);
    cluster.control("restart");

    let small = Population::new(cluster, FEW).await;
    let large = Population::new(cluster, many()).await;
    let against = format!("{FEW} users, {} families", FEW * 10);
    let among = format!("{} users and {} families", large.users, large.users * 10);
    if wanted[0] {
        row(report, &format!("login lookup among {among}"), &against, alternate(&small, &large, Kind::Lookup).await);
    }
    if wanted[1] {
        row(report, &format!("refresh among {among}"), &against, alternate(&small, &large, Kind::Refresh).await);
    }
}

fn row(report: &Report, measure: &str, against: &str, [small, large]: [Vec<f64>; 2]) {
    // Of each round, or one bad moment of the machine would be the result.
    let p99 = |times: &[f64]| median(times.chunks(CALLS).map(|round| quantile(round.iter().copied(), 0.99)));
    let middle = |times: &[f64]| median(times.iter().copied());
    report.row(
        measure,
        &format!("p99 {} (median {})", time(p99(&large)), time(middle(&large))),
        &format!("{against}: p99 {} (median {})", time(p99(&small)), time(middle(&small))),
        p99(&large) / p99(&small),
        Target::AtMost(1.2),
    );
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lookup,
    Refresh,
}

struct Population {
    db: Database,
    client: Client,
    users: u64,
    tokens: Vec<String>,
}

impl Population {
    async fn new(cluster: &'static Cluster, users: u64) -> Population {
        let db = Database::on(cluster).await;
        let client = web_client(&db).await;
        let families = users * 10;
        // More than are needed, for a fifth is dead.
        let sample = (families / (2 * (rounds() + 1) * CALLS) as u64).max(1);
        let superuser = db.superuser().await;
        let started = Instant::now();
        let moment = superuser.query_one("select format('timestamptz %L', now())", &[]).await.unwrap();
        let replaced = SQL
            .replace("MOMENT", moment.get(0))
            .replace("USERS", &users.to_string())
            .replace("FAMILIES", &families.to_string())
            .replace("SAMPLE", &sample.to_string())
            .replace("CLIENT", &client.id);
        let parts: Vec<&str> = replaced.split(LINE).collect();
        let [functions, partitions, people @ .., families, indexes, tokens] = &parts[..] else {
            panic!("scale.sql has fewer parts");
        };
        superuser.batch_execute(functions).await.unwrap();
        superuser.batch_execute(partitions).await.unwrap();
        // Ids are computed, so nobody waits for anybody: the families on a core of their own.
        let beside = db.superuser().await;
        beside.batch_execute(functions).await.unwrap();
        let first = async {
            for part in people {
                superuser.batch_execute(part).await.unwrap();
            }
        };
        tokio::join!(first, async { beside.batch_execute(families).await.unwrap() });
        superuser.batch_execute(indexes).await.unwrap();
        // One by one: a string of statements would be one transaction.
        for statement in ["vacuum (analyze, freeze)", "checkpoint"] {
            superuser.batch_execute(statement).await.unwrap();
        }
        let tokens = superuser.query(*tokens, &[]).await.unwrap();
        let tokens = tokens.iter().map(|row| row.get(0)).collect();
        eprintln!("{users} people with {families} refresh families, made in {:.0?}", started.elapsed());
        Population { db, client, users, tokens }
    }
}

/// Seconds of each call: one in the small population, one in the large one, and so on.
async fn alternate(small: &Population, large: &Population, kind: Kind) -> [Vec<f64>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    let connections = [small.db.superuser().await, large.db.superuser().await];
    for connection in &connections {
        // As the gateway's are.
        connection.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
    }
    let sql = match kind {
        // What identity.sign_in asks before it hashes.
        Kind::Lookup => "select name_key, user_id, phc, changed_at from identity_store.sign_in_person($1)",
        Kind::Refresh => {
            "select outcome, answer from identity.token_refresh_token($1, $2, 'client_secret_basic', $3, null, '{}')"
        }
    };
    let statements = [connections[0].prepare(sql).await.unwrap(), connections[1].prepare(sql).await.unwrap()];
    // A look-up is over so soon that whatever else runs decides its p99: many rounds.
    let rounds = if kind == Kind::Lookup { rounds() * 8 } else { rounds() };
    for call in 0..(rounds + 1) * CALLS {
        for (index, population) in [small, large].into_iter().enumerate() {
            let connection = &connections[index];
            let statement = &statements[index];
            let started;
            match kind {
                Kind::Lookup => {
                    // Anybody, in no order.
                    let name =
                        format!("Person{}", 1 + (call as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) % population.users);
                    started = Instant::now();
                    let row = connection.query_one(statement, &[&name]).await.unwrap();
                    assert!(row.get::<_, Option<&str>>(2).is_some(), "{name} has no password");
                }
                Kind::Refresh => {
                    let token = &population.tokens[call];
                    started = Instant::now();
                    let row = connection
                        .query_one(statement, &[&population.client.id, &population.client.secret, token])
                        .await
                        .unwrap();
                    assert_eq!(row.get::<_, &str>(0), "ok");
                }
            }
            times[index].push(started.elapsed().as_secs_f64());
        }
    }
    // The first round planned and filled caches.
    times.map(|times| times[CALLS..].to_vec())
}

/// `BENCH_USERS`: fewer than a million, for a quick look.
fn many() -> u64 {
    std::env::var("BENCH_USERS").map_or(1_000_000, |text| text.parse().expect("BENCH_USERS is a number"))
}

const FEW: u64 = 10_000;
/// Calls in a round.
const CALLS: usize = 2000;
const SQL: &str = include_str!("scale.sql");
/// Between its parts.
const LINE: &str = "--------\n";
