//! Load by wrk, with what it cost the servers. wrk's own processor time counts for nobody.

use std::path::PathBuf;
use std::process::Command;

use tests::checkout;

use crate::cpu::Tree;
use crate::report::{median, ratio, rounds, seconds, short, time};

/// One server under one kind of request.
pub struct Load {
    /// A script of tests/benches/wrk.
    pub script: &'static str,
    /// Where the requests go.
    pub url: String,
    /// What the script gets: headers, files of tokens.
    pub arguments: Vec<String>,
    /// Requests at once.
    pub connections: usize,
    /// Who serves.
    pub servers: Vec<Tree>,
}

/// Medians of all rounds.
pub struct Cost {
    /// Processor seconds of all servers per request.
    pub each: f64,
    /// The same of each server.
    pub shares: Vec<(&'static str, f64)>,
    /// Requests per second on the clock of the wall.
    pub per_second: f64,
    /// Seconds that 99 of 100 requests did not exceed.
    pub p99: f64,
    /// Processor seconds per request, round by round.
    pub rounds: Vec<f64>,
}

/// What one round found.
pub struct Round {
    requests: f64,
    wall: f64,
    p99: f64,
    used: Vec<f64>,
}

/// Runs the loads in turns, so that what else happens on the machine happens to each of them.
pub fn in_turns<const N: usize>(loads: [&Load; N]) -> [Cost; N] {
    // Caches, plans and the just-in-time compiler of the peer.
    for load in loads {
        load.run(2);
    }
    let mut results = loads.map(|_| Vec::new());
    for _ in 0..rounds() {
        for (load, result) in loads.iter().zip(&mut results) {
            result.push(load.run(seconds()));
        }
    }
    let mut loads = loads.iter();
    results.map(|rounds| Cost::of(&loads.next().unwrap().servers, &rounds))
}

impl Load {
    /// One round.
    pub fn run(&self, seconds: usize) -> Round {
        let before: Vec<f64> = self.servers.iter().map(Tree::seconds).collect();
        let output = Command::new("wrk")
            .current_dir(scripts())
            .args(["--threads=1", &format!("--connections={}", self.connections), &format!("--duration={seconds}s")])
            .args(["--latency", "--timeout=10s", &format!("--script={}", self.script), &self.url, "--"])
            .args(&self.arguments)
            .output()
            .expect("wrk starts (.make/setup bench installs it)");
        let used = self.servers.iter().zip(before).map(|(server, before)| server.seconds() - before).collect();
        let text = String::from_utf8_lossy(&output.stdout);
        let result = text.lines().find_map(|line| line.strip_prefix("RESULT "));
        let Some([requests, wall, p99, wrong]) = result.and_then(numbers) else {
            panic!("wrk {} {}: {text}{}", self.script, self.url, String::from_utf8_lossy(&output.stderr));
        };
        assert!(wrong == 0.0 && requests > 0.0, "{} of {requests} answers of {} are wrong:\n{text}", wrong, self.url);
        Round { requests, wall, p99, used }
    }
}

impl Cost {
    /// How many times the other's processor time a request takes, when `less` seconds of it do not count.
    pub fn over(&self, other: &Cost, less: f64) -> f64 {
        let ours: Vec<f64> = self.rounds.iter().map(|seconds| seconds - less).collect();
        ratio(&ours, &other.rounds)
    }

    /// What these rounds say together.
    pub fn of(servers: &[Tree], rounds: &[Round]) -> Cost {
        let share = |index: usize| median(rounds.iter().map(|round| round.used[index] / round.requests));
        let each: Vec<f64> = rounds.iter().map(|round| round.used.iter().sum::<f64>() / round.requests).collect();
        Cost {
            each: median(each.iter().copied()),
            shares: servers.iter().enumerate().map(|(index, server)| (server.name, share(index))).collect(),
            per_second: median(rounds.iter().map(|round| round.requests / round.wall)),
            p99: median(rounds.iter().map(|round| round.p99)),
            rounds: each,
        }
    }

    /// Processor time per request, and whose it is.
    pub fn shown(&self) -> String {
        let shares: Vec<String> = self.shares.iter().map(|(name, share)| format!("{name} {}", time(*share))).collect();
        if shares.len() > 1 { format!("{} ({})", time(self.each), shares.join(", ")) } else { time(self.each) }
    }

    /// Requests per second and their slowest.
    pub fn pace(&self) -> String {
        format!("{}/s, p99 {}", short(self.per_second), time(self.p99))
    }
}

fn numbers(line: &str) -> Option<[f64; 4]> {
    let numbers: Vec<f64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    numbers.try_into().ok()
}

fn scripts() -> PathBuf {
    checkout().join("tests/benches/wrk")
}
