//! What one call of a function costs inside PostgreSQL: many calls in one statement, less the same statement without them.

use tests::{Database, Login};
use tokio_postgres::Client;

use crate::cpu::seconds_of;

/// A connection, and the process behind it.
pub struct Backend {
    /// For statements that are not measured.
    pub client: Client,
    pid: u32,
}

impl Backend {
    /// A new connection of the superuser, who may call everything. No parallel workers: their time would be missed.
    pub async fn new(db: &Database) -> Backend {
        let client = db.connect(Login::Superuser).await;
        client.batch_execute("set max_parallel_workers_per_gather = 0").await.unwrap();
        let pid: i32 = client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
        Backend { client, pid: pid as u32 }
    }

    /// Processor seconds of `call` for each row of `from`, where `bare` is what the empty loop counts instead.
    pub async fn each(&self, call: &str, bare: &str, from: &str) -> f64 {
        let rows: i64 = self.client.query_one(&format!("select count(*) from {from}"), &[]).await.unwrap().get(0);
        let empty = self.seconds(&format!("select count({bare}) from {from}")).await;
        let full = self.seconds(&format!("select count({call}) from {from}")).await;
        (full - empty) / rows as f64
    }

    /// Processor seconds of a statement.
    pub async fn seconds(&self, sql: &str) -> f64 {
        let statement = self.client.prepare(sql).await.unwrap();
        let start = seconds_of(self.pid);
        self.client.query(&statement, &[]).await.unwrap();
        seconds_of(self.pid) - start
    }
}
