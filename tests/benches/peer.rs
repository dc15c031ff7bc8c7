//! Requests per second of processor time, against npm's oidc-provider at its best (peer/server.mjs): same requests, same
//! load generator, same kinds of signatures. Ours are durable, its are a map in memory.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tests::{checkout, free_port};

use crate::cpu::Tree;
use crate::load::{Cost, Load, in_turns};
use crate::report::{Report, Target};
use crate::world::{CONNECTIONS, World, basic, basic_of};
use crate::{Worlds, report::time};

/// The three requests.
pub async fn run(report: &Report, worlds: &Worlds) {
    let wanted = ["peer_client_credentials", "peer_refresh", "peer_introspect"].map(|name| report.wants(name));
    if wanted == [false; 3] {
        return;
    }
    let world = worlds.get().await;
    let peer = Peer::start(world);
    let (service, web) = (basic_of(&world.service), basic_of(&world.web));
    if wanted[0] {
        let ours = world.load("client_credentials.lua", "/token", &[&service]);
        compare(report, "client_credentials per CPU-second", &ours, &peer.load(&ours, "/token", "service", []));
    }
    if wanted[1] {
        let ours = world.load("refresh.lua", "/token", &[&web, &world.file("ours.refresh")]);
        let theirs = peer.load(&ours, "/token", "web", [world.file("peer.refresh")]);
        compare(report, "refresh, durable, with ID token, per CPU-second", &ours, &theirs);
    }
    if wanted[2] {
        let ours = world.load("introspect.lua", "/introspect", &[&service, &world.file("ours.access")]);
        let theirs = peer.load(&ours, "/token/introspection", "service", [world.file("peer.access")]);
        compare(report, "introspect per CPU-second", &ours, &theirs);
    }
}

fn compare(report: &Report, measure: &str, ours: &Load, theirs: &Load) {
    let [ours, theirs] = in_turns([ours, theirs]);
    report.row(
        measure,
        &format!("{}/s: {}", rate(&ours), ours.shown()),
        &format!("oidc-provider in memory: {}/s: {}", rate(&theirs), time(theirs.each)),
        theirs.over(&ours, 0.0),
        Target::AtLeast(3.0),
    );
    println!("  on the wall: {} against {}", ours.pace(), theirs.pace());
}

fn rate(cost: &Cost) -> String {
    format!("{:.0}", 1.0 / cost.each)
}

/// npm's oidc-provider, running.
pub struct Peer {
    process: Child,
    port: u16,
}

impl Peer {
    /// Starts it, with rows for everybody.
    pub fn start(world: &World) -> Peer {
        let port = free_port();
        let mut process = Command::new("node")
            .current_dir(checkout().join("tests/benches/peer"))
            .args(["server.mjs", &port.to_string(), "1000", "256"])
            .arg(&world.folder)
            .env("NODE_ENV", "production")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts (.make/setup bench says what is missing)");
        let ready = BufReader::new(process.stdout.take().unwrap()).lines().any(|line| line.unwrap() == "ready");
        assert!(ready, "the peer did not start: node tests/benches/peer/server.mjs {port} 1 1 /tmp says why");
        Peer { process, port }
    }

    /// The same load as ours on the peer.
    pub fn load<const N: usize>(&self, ours: &Load, path: &str, client: &str, arguments: [String; N]) -> Load {
        // The secrets of server.mjs.
        let authorization = basic(client, &format!("{client}-secret-{}", "0123456789abcdef".repeat(4)));
        Load {
            script: ours.script,
            url: format!("http://127.0.0.1:{}{path}", self.port),
            arguments: std::iter::once(authorization).chain(arguments).collect(),
            connections: CONNECTIONS,
            servers: vec![Tree::process("node", self.process.id())],
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
