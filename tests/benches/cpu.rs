//! Processor time of other processes, from /proc: of a server with all its children, or of one backend to the nanosecond.

use std::collections::HashMap;
use std::fs;

/// A process and everything it starts.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What it is called in the table.
    pub name: &'static str,
    root: u32,
}

impl Tree {
    /// The gateway or the peer.
    pub fn process(name: &'static str, pid: u32) -> Tree {
        Tree { name, root: pid }
    }

    /// PostgreSQL with its backends, writers and workers.
    pub fn postgresql(cluster: &tests::Cluster) -> Tree {
        let file = fs::read_to_string(cluster.dir.join("data/postmaster.pid")).unwrap();
        Tree { name: "PostgreSQL", root: file.lines().next().unwrap().parse().unwrap() }
    }

    /// Seconds used so far by the process, its descendants, and those of them that ended: the kernel adds these up for
    /// the parent that waited for them.
    pub fn seconds(&self) -> f64 {
        let mut processes = HashMap::new();
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Some((parent, ticks)) = stat(pid) else { continue };
            processes.insert(pid, ticks);
            children.entry(parent).or_default().push(pid);
        }
        let (mut ticks, mut waiting) = (0, vec![self.root]);
        while let Some(pid) = waiting.pop() {
            ticks += processes.get(&pid).copied().unwrap_or_default();
            waiting.extend(children.get(&pid).into_iter().flatten());
        }
        assert!(processes.contains_key(&self.root), "{} is not running", self.name);
        ticks as f64 / TICKS_PER_SECOND
    }
}

/// Seconds that the main thread of a process used. Exact while it sleeps, as a backend does that has just answered.
pub fn seconds_of(pid: u32) -> f64 {
    nanoseconds(&format!("/proc/{pid}/schedstat"))
}

/// Seconds that this thread used.
pub fn seconds_of_this_thread() -> f64 {
    // The kernel brings the account up to date when a thread gives way.
    std::thread::yield_now();
    nanoseconds("/proc/thread-self/schedstat")
}

fn nanoseconds(path: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Parent, and ticks of the process and of its children that ended; none when it is gone meanwhile.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // proc(5): state is field 3 and comes first here; ppid 4, utime 14, stime 15, cutime 16, cstime 17.
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some((number(1)? as u32, ticks))
}

// USER_HZ, which Linux shows to programs whatever the kernel's own clock is.
const TICKS_PER_SECOND: f64 = 100.0;
