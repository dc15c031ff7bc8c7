//! What a measure says: a row of a table with a ratio, its target and whether it is met.

use std::cell::RefCell;
use std::fmt;

/// What the ratio should be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// A cost: the less the better.
    AtMost(f64),
    /// A yield: the more the better.
    AtLeast(f64),
    /// Shown beside the others, without a target.
    None,
}

/// The table, and which measures are asked for.
pub struct Report {
    chosen: String,
    names: RefCell<Vec<&'static str>>,
    rows: RefCell<Vec<String>>,
    missed: RefCell<usize>,
}

impl Report {
    /// `chosen`: part of the names of the measures to make; empty for all.
    pub fn new(chosen: String) -> Report {
        Report { chosen, names: RefCell::default(), rows: RefCell::default(), missed: RefCell::default() }
    }

    /// Whether this measure is asked for.
    pub fn wants(&self, name: &'static str) -> bool {
        self.names.borrow_mut().push(name);
        name.contains(&self.chosen)
    }

    /// Adds a row. `against`: what `ours` is compared with, measured in the same run.
    pub fn row(&self, measure: &str, ours: &str, against: &str, ratio: f64, target: Target) {
        let missed = match target {
            Target::AtMost(most) => ratio > most,
            Target::AtLeast(least) => ratio < least,
            Target::None => false,
        };
        *self.missed.borrow_mut() += usize::from(missed);
        let verdict = match target {
            Target::None => "",
            _ if missed => "MISS",
            _ => "ok",
        };
        let row = format!("| {measure} | {ours} | {against} | {} | {target} | {verdict} |", short(ratio));
        println!("{row}");
        self.rows.borrow_mut().push(row);
    }

    /// Prints the whole table as Markdown.
    pub fn print(&self) {
        if self.rows.borrow().is_empty() {
            println!("no measure is called like {:?}; there are: {}", self.chosen, self.names.borrow().join(" "));
            return;
        }
        println!("\n{}\n", machine());
        println!("| measure | here | against | ratio | target | |\n|---|---|---|---|---|---|");
        for row in self.rows.borrow().iter() {
            println!("{row}");
        }
        println!("\n{} measures, {} missed their target", self.rows.borrow().len(), self.missed.borrow());
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::AtMost(most) => write!(f, "≤ {}", short(*most)),
            Target::AtLeast(least) => write!(f, "≥ {}", short(*least)),
            Target::None => write!(f, "–"),
        }
    }
}

/// The value in the middle. It says more than the mean on a machine that does other things too.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value that this part of the others does not exceed.
pub fn quantile(values: impl IntoIterator<Item = f64>, part: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// The median of the quotients of each round. What is measured side by side meets the same machine; from round to round it changes.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))
}

/// Seconds, for people.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{} µs", short(s * 1e6)),
        s if s < 1.0 => format!("{} ms", short(s * 1e3)),
        s => format!("{} s", short(s)),
    }
}

/// Three digits are more than such measures have.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Rounds of each measure: `BENCH_ROUNDS`, for a quick look while tuning.
pub fn rounds() -> usize {
    from_environment("BENCH_ROUNDS", 5)
}

/// Seconds of load in a round: `BENCH_SECONDS`.
pub fn seconds() -> usize {
    from_environment("BENCH_SECONDS", 4)
}

fn from_environment(name: &str, default: usize) -> usize {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn machine() -> String {
    let facts = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let model =
        facts.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": processor of unknown model");
    let cores = std::thread::available_parallelism().unwrap();
    let pg_config =
        std::env::var("PGRX_PG_CONFIG_PATH").unwrap_or_else(|_| "/usr/lib/postgresql/15/bin/pg_config".into());
    let version = std::process::Command::new(pg_config).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    format!("{}, {cores} cores, {}", model.trim_start_matches([' ', '\t', ':']), version.trim())
}
