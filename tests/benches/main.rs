//! `make bench`: what one request costs, on a throw-away cluster. `make bench T=authenticate` runs one of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Instant;

use tests::{Database, user};

#[tokio::main]
async fn main() {
    let chosen = std::env::args().nth(1).unwrap_or_default();
    let db = Database::new().await;
    let admin = db.admin().await;
    if "hash_password".contains(&chosen) {
        let statement = admin.prepare("select identity.hash_password('correct horse battery staple')").await.unwrap();
        measure("hash_password", 50, async || drop(admin.query_one(&statement, &[]).await.unwrap())).await;
    }
    if "user_create".contains(&chosen) {
        let names = std::sync::atomic::AtomicUsize::new(0);
        measure("user_create", 50, async || {
            let next = names.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            user(&db, &format!("person{next}")).await;
        })
        .await;
    }
}

// The median says more than the mean on a machine that does other things too.
async fn measure(name: &str, rounds: usize, run: impl AsyncFn()) {
    run().await;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        run().await;
        times.push(start.elapsed());
    }
    times.sort();
    println!("{name:<24} median {:>10.3?}   p95 {:>10.3?}", times[rounds / 2], times[rounds * 95 / 100]);
}
