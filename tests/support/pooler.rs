//! PgBouncer of Debian, in transaction mode, with one connection to the server that all its clients take turns on.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use tokio_postgres::{Client, NoTls};

use crate::cluster::free_port;
use crate::database::{Database, Login};

/// A running pooler. Ends when it is dropped, and with the test process, because it lives as long as its standard input.
pub struct Pooler {
    port: u16,
    database: String,
    supervisor: Child,
}

impl Pooler {
    /// Starts one in front of this database.
    pub fn start(db: &Database) -> Pooler {
        Pooler::start_with(db, "")
    }

    /// The same with more lines for the section `[pgbouncer]`.
    pub fn start_with(db: &Database, more: &str) -> Pooler {
        let port = free_port();
        let file = |name: &str| db.cluster.dir.join(format!("pooler-{port}.{name}"));
        std::fs::write(file("users"), format!("\"{}\" \"\"\n", Login::App.role())).unwrap();
        let (server, users) = (db.cluster.port, file("users"));
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\n\
             pool_mode = transaction\ndefault_pool_size = 1\nserver_round_robin = 0\n{more}",
            users.display()
        );
        std::fs::write(file("ini"), settings).unwrap();
        let mut supervisor = Command::new("sh")
            // It refuses to run as root, and takes another user then.
            .args(["-c", r#"[ "$(id -u)" != 0 ] || set -- -u postgres "$@"; /usr/sbin/pgbouncer "$@" & cat >/dev/null; kill $!; wait $!"#, "sh"])
            .arg(file("ini"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("pgbouncer starts");
        let mut log = BufReader::new(supervisor.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("process up") {
            let read = log.read_line(&mut said).unwrap();
            assert_ne!(read, 0, "pgbouncer does not start: {said}");
        }
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Pooler { port, database: db.name.clone(), supervisor }
    }

    /// A client of the pooler, as the application's role. Dropping it closes the connection.
    pub async fn app(&self) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(Login::App.role()).dbname(&self.database);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}
