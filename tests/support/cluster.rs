//! One throw-away cluster per test process (`.make/throwaway`): made when the first test asks, gone when the process
//! is, because its supervisor reads a pipe that only this process holds open.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// A running private cluster.
pub struct Cluster {
    /// Its folder: `data`, `log`, `master.key`, `pg` (see `.make/cluster`).
    pub dir: PathBuf,
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    // Which PostgreSQL it is of, where that is not the one everything is built for.
    environment: Vec<(String, String)>,
    // Held for its standard input: closing it ends the cluster.
    _supervisor: Child,
}

impl Cluster {
    /// The cluster that all tests of this process share.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<&Cluster> = OnceLock::new();
        SHARED.get_or_init(Cluster::start)
    }

    /// A cluster of its own, for tests that stop, break or reconfigure the server. Ends with the process too.
    pub fn start() -> &'static Cluster {
        Cluster::throwaway(&[], Vec::new())
    }

    /// The same of another PostgreSQL, with the library that was built for it.
    pub fn start_of(pg_config: &str, library: &str) -> &'static Cluster {
        let environment = [("PGRX_PG_CONFIG_PATH", pg_config), ("PG_IDENTITY_LIBRARY", library)];
        Cluster::throwaway(&[], environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    /// A cluster as initdb leaves it, which has not been started yet.
    pub fn empty() -> &'static Cluster {
        Cluster::throwaway(&["--empty"], Vec::new())
    }

    fn throwaway(arguments: &[&str], environment: Vec<(String, String)>) -> &'static Cluster {
        let mut supervisor = Command::new(checkout().join(".make/throwaway"))
            .args(arguments)
            .envs(environment.clone())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Not in the terminal's group: Ctrl-C must leave it alive to clean up.
            .process_group(0)
            .spawn()
            .expect(".make/throwaway starts");
        let mut line = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (dir, port) = line.trim().split_once(' ').expect(".make/throwaway made no cluster: its messages are above");
        Box::leak(Box::new(Cluster {
            dir: dir.into(),
            port: port.parse().unwrap(),
            environment,
            _supervisor: supervisor,
        }))
    }

    /// Runs `.make/cluster COMMAND DIR`: `stop`, `start`, `restart`.
    pub fn control(&self, command: &str) {
        self.control_with(command, &[]);
    }

    /// The same with more in the environment of the server, until it is started again.
    pub fn control_with(&self, command: &str, environment: &[(String, String)]) {
        let status = self.command(command).envs(environment.iter().cloned()).status().unwrap();
        assert!(status.success(), ".make/cluster {command} failed");
    }

    /// Runs a program of its PostgreSQL as the server's user and gives what it said; `Err` when it failed.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let output = self.command("run").arg(program).args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    fn command(&self, command: &str) -> Command {
        let mut cluster = Command::new(checkout().join(".make/cluster"));
        cluster.arg(command).arg(&self.dir).envs(self.environment.clone());
        cluster
    }

    /// Parameters of a connection to this cluster.
    pub fn config(&self, role: &str, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(role).dbname(database);
        config
    }
}

/// The folder of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A TCP port that nobody listens on. Below the range the system takes for outgoing connections, and each process
/// starts somewhere else, so that what is free now is still free when a server binds it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20000 + ((std::process::id() as u16).wrapping_mul(61) % 12000 + step) % 12000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
