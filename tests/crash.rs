//! Whatever is killed: what was answered is good, nothing is good twice, and who got no answer can go on.
//!
//! A cluster for all of these, because they break it; its WAL is written out only by those who wait for it, so that what
//! was not flushed is lost for certain.

mod durability;
mod lost_answers;
mod stream;

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::NoTls;

use crate::support::{Cluster, until};

/// The cluster, for one test at a time.
pub async fn cluster() -> (MutexGuard<'static, ()>, &'static Cluster) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    static CLUSTER: OnceLock<&Cluster> = OnceLock::new();
    let turn = ONE_AT_A_TIME.lock().await;
    if let Some(cluster) = CLUSTER.get() {
        return (turn, cluster);
    }
    let cluster = Cluster::start();
    let (sql, connection) = cluster.config("postgres", "postgres").connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    for setting in
        ["wal_writer_delay = '10s'", "autovacuum = off", "wal_level = minimal", "max_wal_senders = 0", "fsync = off"]
    {
        sql.batch_execute(&format!("alter system set {setting}")).await.unwrap();
    }
    cluster.control("restart");
    (turn, CLUSTER.get_or_init(|| cluster))
}

/// kill -9.
pub fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

/// Kills the postmaster, and starts the server again as an operator would: when the last of its processes has gone.
pub async fn kill_postmaster(cluster: &'static Cluster) {
    let file = std::fs::read_to_string(cluster.dir.join("data/postmaster.pid")).unwrap();
    let postmaster: u32 = file.lines().next().unwrap().parse().unwrap();
    let family: Vec<u32> = processes().filter(|pid| parent(*pid) == Some(postmaster)).chain([postmaster]).collect();
    assert!(family.len() > 5, "{family:?}");
    kill(postmaster);
    until("all its processes end", async || family.iter().all(|pid| parent(*pid).is_none())).await;
    // Where nobody asks for its exit status its number still looks alive, and the server would not start beside it.
    if Path::new("/proc").join(postmaster.to_string()).exists() {
        let socket = format!("socket/.s.PGSQL.{}.lock", cluster.port);
        for lock in ["data/postmaster.pid", &socket] {
            std::fs::remove_file(cluster.dir.join(lock)).unwrap();
        }
    }
    tokio::task::spawn_blocking(|| cluster.control("start")).await.unwrap();
}

fn processes() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
}

/// The parent of a process; none when it has ended, though nobody may have asked for its exit status yet.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if fields.next()? == "Z" { None } else { fields.next()?.parse().ok() }
}
