//! Where is looked: all that the cluster, its tools and the gateway leave behind.

use std::path::Path;
use std::process::Command;

use crate::support::{Database, Gateway, Login};

/// Named bytes.
pub struct Places(Vec<(String, Vec<u8>)>);

impl Places {
    pub fn iter(&self) -> impl Iterator<Item = &(String, Vec<u8>)> {
        self.0.iter()
    }

    /// All of them, after everything has been flushed.
    pub async fn collect(db: &Database, gateway: &Gateway) -> Places {
        let mut places = Places(Vec::new());
        let superuser = db.superuser().await;
        for (name, sql) in [
            ("pg_stat_statements", "select string_agg(s::text, E'\\n') from pg_stat_statements s"),
            ("pg_stat_activity", "select string_agg(s::text, E'\\n') from pg_stat_activity s"),
            (
                "pg_prepared_statements",
                "select coalesce(string_agg(s::text, E'\\n'), '') from pg_prepared_statements s",
            ),
            ("settings", "select string_agg(s::text, E'\\n') from pg_settings s"),
            ("settings of roles", "select coalesce(string_agg(s::text, E'\\n'), '') from pg_db_role_setting s"),
            ("comments", "select string_agg(s::text, E'\\n') from pg_description s"),
            ("functions", "select string_agg(prosrc, E'\\n') from pg_proc"),
            ("errors of the audit", "select string_agg(s::text, E'\\n') from identity_store.audit_events s"),
        ] {
            let text: String = superuser.query_one(sql, &[]).await.unwrap().get(0);
            places.0.push((name.into(), text.into_bytes()));
        }
        for (name, arguments) in [
            ("pg_dump", &["--format=plain"][..]),
            ("pg_dump", &["--format=custom", "--compress=0"]),
            ("pg_dumpall", &[]),
        ] {
            places.0.push((format!("{name} {}", arguments.join(" ")), dumped(db, name, arguments)));
        }
        superuser.batch_execute("checkpoint").await.unwrap();
        let process = format!("/proc/{}", gateway.pid());
        for (name, file) in [("gateway's arguments", "cmdline"), ("gateway's environment", "environ")] {
            places.0.push((name.into(), std::fs::read(format!("{process}/{file}")).unwrap()));
        }
        places.0.push(("gateway log".into(), std::fs::read(&gateway.log).unwrap()));
        places.0.push(("server log".into(), std::fs::read(db.cluster.dir.join("log")).unwrap()));
        places.folder(&db.cluster.dir.join("data"));
        places
    }

    fn folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.folder(&path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.0.push((path.display().to_string(), bytes));
            }
        }
    }
}

fn dumped(db: &Database, tool: &str, arguments: &[&str]) -> Vec<u8> {
    let pg_config = std::env::var("PGRX_PG_CONFIG_PATH").expect("cargo sets it (.cargo/config.toml)");
    let url = db.url(Login::Superuser);
    let mut command = Command::new(Path::new(&pg_config).parent().unwrap().join(tool));
    let output = command.args(arguments).arg(format!("--dbname={url}")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
