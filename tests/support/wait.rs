//! Waiting for what happens by itself.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// What takes longer hangs. No test may fail because a machine is slow or stands still for a moment, so this is far beyond both.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks again and again until it is so; fails where it hangs, and says of what.
pub async fn until(what: impl Display, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
