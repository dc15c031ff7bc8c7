//! The gateway as a process: its memory under load, and how soon after its start it serves.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tests::{Database, Gateway, free_port};

use crate::Worlds;
use crate::cpu::Tree;
use crate::load::{Load, in_turns};
use crate::report::{Report, Target, median, rounds, short, time};
use crate::world::basic_of;

/// Memory and start.
pub async fn run(report: &Report, worlds: &Worlds) {
    if report.wants("memory") {
        memory(report, worlds).await;
    }
    if report.wants("start") {
        start(report).await;
    }
}

/// All kinds of requests over 64 connections, on a gateway that has done nothing before.
async fn memory(report: &Report, worlds: &Worlds) {
    let world = worlds.get().await;
    let listen = format!("127.0.0.1:{}", free_port());
    let fresh = Box::leak(Box::new(Gateway::spawn(&world.db, &[("GATEWAY_LISTEN", &listen)]))) as &Gateway;
    until_ready(fresh, &listen).await;
    let (service, web) = (basic_of(&world.service), basic_of(&world.web));
    let at_once = |script, path, arguments: &[&str]| Load {
        url: format!("http://{listen}{path}"),
        connections: 64,
        servers: vec![Tree::process("gateway", fresh.pid())],
        ..world.load(script, path, arguments)
    };
    in_turns([
        &at_once("refresh.lua", "/token", &[&web, &world.file("ours.refresh")]),
        &at_once("client_credentials.lua", "/token", &[&service]),
        &at_once("introspect.lua", "/introspect", &[&service, &world.file("ours.access")]),
        &at_once("userinfo.lua", "/userinfo", &[&world.file("ours.access")]),
    ]);
    let (now, most) = (mebibytes(fresh.pid(), "VmRSS:"), mebibytes(fresh.pid(), "VmHWM:"));
    let shown = format!("{} MiB resident, {} MiB at most", short(now), short(most));
    report.row("gateway memory at 64 connections", &shown, "40 MiB", most / 40.0, Target::AtMost(1.0));
}

fn mebibytes(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().split(' ').next().unwrap().parse::<f64>().unwrap() / 1024.0
}

/// From the start of the process to the first 200 of `/readyz`.
async fn start(report: &Report) {
    let db = Database::new().await;
    let mut times = Vec::new();
    for _ in 0..=rounds() * 2 {
        let begun = Instant::now();
        let process = Gateway::spawn(&db, &[]);
        until_ready(&process, &format!("127.0.0.1:{}", db.http_port)).await;
        times.push(begun.elapsed().as_secs_f64());
    }
    let median = median(times.into_iter().skip(1));
    report.row("gateway: start to ready", &time(median), "200 ms", median / 0.2, Target::AtMost(1.0));
}

async fn until_ready(gateway: &Gateway, address: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ready(address) {
        assert!(Instant::now() < deadline, "not ready:\n{}", gateway.log_text());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn ready(address: &str) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(connection, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
