//! The timer of `identity.maintenance_run()`: partitions ahead, expired ones away, keys rotated. Several gateways may run
//! it: the function lets one through and answers the others at once.

use std::time::Duration;

use crate::{
    failure::Failure,
    web::database::{
        Call, Database, Pool,
        connect::{Limits, Target},
    },
};

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&RUN];

static RUN: Call = Call { pool: Pool::Writes, sql: "select outcome, detail, answer from identity.maintenance_run()" };

/// Runs it now and then every `interval`, as long as the process lives.
pub async fn run_every(interval: Duration, db: Database) {
    // A connection of its own: a run may take longer than any request is allowed to.
    let target = db.target().limited(LIMITS);
    let mut timer = tokio::time::interval(interval);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        match run(&target).await {
            Ok(done) => tracing::info!(done, "maintenance"),
            Err(failure) => tracing::warn!(error = %failure, "maintenance failed"),
        }
    }
}

async fn run(target: &Target) -> Result<String, Failure> {
    let (client, connection) = target.connect().await?;
    let row = client.query_one(RUN.sql, &[]).await;
    drop(client);
    // An error means that the connection was gone already.
    let _ = connection.await;
    let tokio_postgres::types::Json(answer) = row?.try_get::<_, tokio_postgres::types::Json<serde_json::Value>>(2)?;
    Ok(answer.to_string())
}

const LIMITS: Limits = Limits { statement: Duration::from_secs(300), lock: Duration::from_secs(1) };
