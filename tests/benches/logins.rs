//! Password logins through the gateway's own form, against what the processor could hash if it did nothing else: on all
//! cores at once, because the memory of two hashes does not fit into the cache that they share.

use std::sync::Arc;
use std::thread::available_parallelism;

use tests::{Cluster, Database};
use tokio::task::JoinSet;

use crate::Worlds;
use crate::backend::Backend;
use crate::load::Cost;
use crate::report::{Report, Target, median, ratio, rounds, seconds, short, time};
use crate::world::{PEOPLE, World};

/// Logins against hashes, of as much processor time.
pub async fn run(report: &Report, worlds: &Worlds) {
    if !report.wants("logins") {
        return;
    }
    let world = worlds.get().await;
    // A server of its own: the gateway's connections and these would take the memory that is kept from each other.
    let server = Database::on(Cluster::start()).await;
    let cores = available_parallelism().unwrap().get();
    let mut hashers = Vec::new();
    for _ in 0..cores {
        hashers.push(Arc::new(Backend::new(&server).await));
    }
    let (cookie, csrf) = form(world).await;
    let people = PEOPLE.to_string();
    // The password of the person all others were copied from.
    let arguments = [&*cookie, &*csrf, "correct+horse+battery+model", &*people];
    let load = world.load("login.lua", "/login", &arguments);
    // In the first round the memory is new.
    hash_round(&hashers).await;
    load.run(2);
    let (mut hashes, mut logins) = (Vec::new(), Vec::new());
    for _ in 0..rounds() {
        hashes.push(hash_round(&hashers).await);
        logins.push(load.run(seconds()));
    }
    let logins = Cost::of(&load.servers, &logins);
    let hash = median(hashes.iter().copied());
    report.row(
        "password logins per CPU-second",
        &format!("{}/s: {}", short(1.0 / logins.each), logins.shown()),
        &format!("hashes, {cores} at once: {}/s: {}", short(1.0 / hash), time(hash)),
        ratio(&hashes, &logins.rounds),
        Target::AtLeast(0.9),
    );
    println!("  on the wall: {}; {cores} cores could hash {}/s", logins.pace(), short(cores as f64 / hash));
}

/// Processor seconds of a hash as sign-in makes it, with memory that is kept, while all cores hash.
async fn hash_round(hashers: &[Arc<Backend>]) -> f64 {
    let call = "identity.sign_in_hash('correct horse battery model')";
    let mut each = JoinSet::new();
    for hasher in hashers {
        let hasher = Arc::clone(hasher);
        each.spawn(async move { hasher.each(call, "'no hash'", "generate_series(1, 100)").await });
    }
    each.join_all().await.iter().sum::<f64>() / hashers.len() as f64
}

/// The cookie and the hidden field of a browser that opens the page for the first time.
async fn form(world: &World) -> (String, String) {
    let browser = tests::Browser::new();
    let page = browser.open(world.gateway.url("/login")).await;
    let cookie = page.headers.get("set-cookie").expect("the page sets a cookie").to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = browser.open(world.gateway.url("/login")).await;
    let csrf = page.form("sign-in").fields.iter().find(|(name, _)| name == "csrf").expect("a csrf field").1.clone();
    (cookie, csrf)
}
