//! What the tests stand on: a real cluster, a real database per test, a real gateway, and a browser of a few lines.
//!
//! ```ignore
//! let db = Database::new().await;                        // a clone of the template, configured for a port of its own
//! let gateway = Gateway::start(&db).await;               // the real binary on that port
//! let alice = user(&db, "alice").await;
//! let app = web_client(&db).await;
//! let tokens = Flow::new(&gateway, &app).tokens(&alice).await;
//! ```
// Tests say what they expect by failing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod browser;
mod cluster;
mod database;
mod flow;
pub mod frames;
mod gateway;
mod html;
mod people;
mod pooler;
mod process;
mod stranger;
mod wait;
mod wire;

pub use browser::{Browser, Page};
pub use cluster::{Cluster, checkout, free_port};
pub use database::{Database, Login};
pub use flow::{Flow, Tokens, pkce};
pub use gateway::Gateway;
pub use html::{Form, attribute_of, element, unescape};
pub use people::{Client, User, client, full_profile, public_client, service_client, user, web_client};
pub use pooler::Pooler;
pub use process::{Stopped, processor_time};
pub use stranger::{Says, Stranger};
pub use wait::{PATIENCE, until};
pub use wire::startup;
