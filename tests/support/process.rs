//! A process that stands still in the middle of its work, so that what happens meanwhile depends on nobody's speed.

use std::process::Command;

use crate::wait::until;

/// A stopped process. It goes on when this is dropped.
pub struct Stopped(i32);

impl Stopped {
    /// Stops it, and returns when it stands.
    pub async fn new(process: i32) -> Stopped {
        send(process, "STOP");
        let stopped = Stopped(process);
        until("it stands still", async || fields(process)[0] == "T").await;
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        send(self.0, "CONT");
    }
}

/// How long it has been computing, in hundredths of a second.
pub fn processor_time(process: i32) -> u64 {
    let fields = fields(process);
    // proc(5): utime and stime.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// What `/proc` says of it from its state on: what stands before, its name, may hold anything.
fn fields(process: i32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    text.rsplit_once(") ").unwrap().1.split(' ').map(str::to_owned).collect()
}

fn send(process: i32, signal: &str) {
    assert!(Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap().success());
}
