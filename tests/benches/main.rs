//! `make bench`: what things cost, on a throw-away cluster, each against something measured in the same run: a primitive, a
//! floor, or a peer. `make bench T=refresh` makes the measures whose names contain that. Ends with a table in Markdown.
//!
//! Processor time is what counts wherever it can: it says the same on a busy machine. What is compared runs in turns.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod backend;
mod cpu;
mod crypto;
mod encrypted;
mod floors;
mod flows;
mod hmac;
mod load;
mod logins;
mod peer;
mod process;
mod report;
mod rls;
mod scale;
mod signatures;
mod well_known;
mod world;

use tokio::sync::OnceCell;

use crate::report::Report;
use crate::world::World;

/// The one world, made when the first measure asks for it. Its gateway is killed with this process; it is not dropped
/// before, because a gateway prints its log when a measure fails, a line for each of a million requests.
#[derive(Default)]
pub struct Worlds(OnceCell<&'static World>);

impl Worlds {
    async fn get(&self) -> &'static World {
        self.0.get_or_init(async || Box::leak(Box::new(World::new("ours").await)) as &World).await
    }
}

#[tokio::main]
async fn main() {
    let report = Report::new(std::env::args().nth(1).unwrap_or_default());
    let worlds = Worlds::default();
    crypto::run(&report).await;
    hmac::run(&report).await;
    encrypted::run(&report).await;
    rls::run(&report).await;
    well_known::run(&report, &worlds).await;
    logins::run(&report, &worlds).await;
    process::run(&report, &worlds).await;
    floors::run(&report, &worlds).await;
    peer::run(&report, &worlds).await;
    flows::run(&report, &worlds).await;
    scale::run(&report).await;
    report.print();
}
