//! What a program of tests/clients meets: a gateway, a person, and clients of its own, told to it by its environment.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::support::{Client, Database, Gateway, checkout, client, free_port, user};
use crate::tls::certificate;

/// A gateway with a person.
pub struct World {
    /// Its database.
    pub db: Database,
    gateway: Gateway,
    environment: Vec<(String, String)>,
}

impl World {
    /// With an issuer of http on loopback.
    pub async fn new() -> World {
        World::with(&[]).await
    }

    /// The same with these settings of the gateway.
    pub async fn with(settings: &[(&str, &str)]) -> World {
        let db = Database::new().await;
        let gateway = Gateway::start_with(&db, settings).await;
        World::of(db, gateway).await
    }

    /// With an issuer of https, and these settings of the gateway. Programs find the certificate in the files TLS_CERTIFICATE and
    /// TLS_KEY; Node.js trusts it.
    pub async fn with_tls(settings: &[(&str, &str)]) -> World {
        let mut db = Database::new().await;
        db.issuer = format!("https://localhost:{}", db.http_port);
        db.superuser().await.execute("select identity.configure($1)", &[&db.issuer]).await.unwrap();
        let (certificate, key) = certificate(&db, "clients");
        let tls = [("GATEWAY_TLS_CERTIFICATE_FILE", certificate.as_str()), ("GATEWAY_TLS_KEY_FILE", key.as_str())];
        let gateway = Gateway::start_with(&db, &[settings, &tls].concat()).await;
        let mut world = World::of(db, gateway).await;
        world.tell("NODE_EXTRA_CA_CERTS", &certificate);
        world.tell("TLS_CERTIFICATE", &certificate);
        world.tell("TLS_KEY", &key);
        world
    }

    async fn of(db: Database, gateway: Gateway) -> World {
        let alice = user(&db, "alice").await;
        let mut world = World { db, gateway, environment: Vec::new() };
        let issuer = world.gateway.issuer.clone();
        world.tell("ISSUER", &issuer);
        world.tell("PERSON_NAME", &alice.username);
        world.tell("PERSON_PASSWORD", &alice.password);
        world.tell("PERSON_SUB", &alice.id.to_string());
        world
    }

    /// Registers a client: <name>_ID, <name>_REDIRECT and, if it has one, <name>_SECRET.
    pub async fn register(&mut self, name: &str, metadata: Value) {
        let made = client(&self.db, metadata).await;
        self.introduce(name, &made);
    }

    /// The same with one that is there.
    pub fn introduce(&mut self, name: &str, client: &Client) {
        self.tell(&format!("{name}_ID"), &client.id);
        if let Some(uri) = client.metadata["redirect_uris"][0].as_str() {
            self.tell(&format!("{name}_REDIRECT"), uri);
        }
        if let Some(secret) = &client.secret {
            self.tell(&format!("{name}_SECRET"), secret);
        }
    }

    /// A port for the program to listen on: <name>_PORT.
    pub fn port(&mut self, name: &str) -> u16 {
        let port = free_port();
        self.tell(&format!("{name}_PORT"), &port.to_string());
        port
    }

    /// A variable of its environment.
    pub fn tell(&mut self, name: &str, value: &str) {
        self.environment.push((name.into(), value.into()));
    }

    /// Runs a file of tests of Node.js.
    pub async fn node(&self, file: &str) {
        let mut node = Command::new("node");
        node.args(["--test", "--test-reporter=spec", file]);
        self.run(node).await;
    }

    /// Runs a program in Python.
    pub async fn python(&self, file: &str) {
        let mut python = Command::new(clients().join(".venv/bin/python"));
        python.arg(file);
        self.run(python).await;
    }

    async fn run(&self, mut program: Command) {
        program.envs(self.environment.iter().map(|(name, value)| (name, value)));
        run(program).await;
    }
}

/// Runs a program of tests/clients; its output is part of the failure.
pub async fn run(program: Command) {
    run_in(&clients(), program).await;
}

/// The same in another folder, for a program that leaves something there.
pub async fn run_in(folder: &Path, mut program: Command) {
    let output = program.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program:?} failed:\n{text}");
    // For those who look with --nocapture.
    println!("{text}");
}

/// The folder of the clients.
pub fn clients() -> PathBuf {
    checkout().join("tests/clients")
}
