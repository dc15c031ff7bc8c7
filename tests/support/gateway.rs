//! The real gateway, one process per test.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use crate::cluster::{checkout, free_port};
use crate::database::{Database, Lease, Login};
use crate::wait::until;

/// A running `gateway serve`. Killed when dropped; its log is printed when the test failed.
pub struct Gateway {
    /// Where it is reached: the issuer, unless it was started beside another one.
    pub issuer: String,
    /// The file its log goes to.
    pub log: PathBuf,
    process: Child,
    // The database stays at least as long.
    _lease: Arc<Lease>,
}

impl Gateway {
    /// Starts the gateway of this database and waits until it accepts connections.
    pub async fn start(db: &Database) -> Gateway {
        Gateway::start_with(db, &[]).await
    }

    /// The same with more environment variables.
    pub async fn start_with(db: &Database, environment: &[(&str, &str)]) -> Gateway {
        Gateway::spawn(db, environment).listening(db.http_port).await
    }

    /// Another gateway of the same database, on a port of its own. Its pages send browsers to the first one.
    pub async fn start_beside(db: &Database, environment: &[(&str, &str)]) -> Gateway {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let mut gateway = Gateway::spawn(db, &[environment, &[("GATEWAY_LISTEN", listen.as_str())]].concat());
        gateway.issuer = format!("http://localhost:{port}");
        gateway.listening(port).await
    }

    async fn listening(self, port: u16) -> Gateway {
        let mut gateway = self;
        until("the gateway listens", async || {
            let ended = gateway.process.try_wait().unwrap();
            assert!(ended.is_none(), "the gateway ended at once, {ended:?}");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        gateway
    }

    /// Starts the process and does not wait, for tests of a gateway that refuses to start.
    pub fn spawn(db: &Database, environment: &[(&str, &str)]) -> Gateway {
        let folder = checkout().join("target/test-logs");
        fs::create_dir_all(&folder).unwrap();
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let log = folder.join(format!("gateway-{}-{}.log", db.http_port, NEXT.fetch_add(1, Ordering::Relaxed)));
        let file = File::create(&log).unwrap();
        let mut command = Gateway::command("serve", db, environment);
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Gateway { issuer: db.issuer.clone(), log, process: spawn_for_the_process(command), _lease: db.lease.clone() }
    }

    /// `gateway COMMAND` with the environment of this database, for tests of the command line.
    pub fn command(command: &str, db: &Database, environment: &[(&str, &str)]) -> Command {
        // Killed when this process is: a test run that is interrupted leaves nothing behind.
        let mut process = Command::new("setpriv");
        process
            .args(["--pdeathsig", "KILL"])
            .arg(checkout().join("target/release/gateway"))
            .arg(command)
            .env("GATEWAY_DATABASE_URL", db.url(Login::Gateway))
            .env("GATEWAY_MIGRATE_DATABASE_URL", db.url(Login::Migrate))
            .env("GATEWAY_ISSUER", &db.issuer)
            .env("GATEWAY_LISTEN", format!("127.0.0.1:{}", db.http_port))
            // All clients of a test come from one address.
            .env("GATEWAY_LIMIT_PER_SECOND", "0")
            .env("GATEWAY_CONNECTIONS_PER_SOURCE", "0")
            // A test that gets no processor for a while is no slow client.
            .env("GATEWAY_HEADER_TIMEOUT", "60");
        // With it `check` asks the doctor, who speaks of the whole cluster and of what other tests do to it.
        if command == "admin" {
            process.env("GATEWAY_ADMIN_DATABASE_URL", db.url(Login::Admin));
        }
        process.envs(environment.iter().copied());
        process
    }

    /// `path` below the issuer.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// What it has logged so far.
    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process id, for signals.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits for the process to end by itself.
    pub async fn wait(&mut self) -> std::process::ExitStatus {
        until("the gateway ends", async || self.process.try_wait().unwrap().is_some()).await;
        self.process.wait().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the gateway, {}:\n{}", self.log.display(), self.log_text());
        }
    }
}

// A death signal is sent when the *thread* that started the process ends, and each test has a thread: so one thread
// that lives as long as the process starts them all.
fn spawn_for_the_process(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in queue {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, child) = mpsc::channel();
    starter.lock().unwrap().send((command, answer)).unwrap();
    child.recv().unwrap().unwrap()
}
