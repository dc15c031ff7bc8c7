//! Password logins through the gateway's own form, against what the processor could hash if it did nothing else.

use crate::Worlds;
use crate::backend::Backend;
use crate::crypto::hash_seconds;
use crate::load::in_turns;
use crate::report::{Report, Target, median, rounds, short, time};
use crate::world::{PEOPLE, World};

/// Logins per second against cores ÷ time of one hash.
pub async fn run(report: &Report, worlds: &Worlds) {
    if !report.wants("logins") {
        return;
    }
    let world = worlds.get().await;
    let backend = Backend::new(&world.db).await;
    let mut hash = Vec::new();
    for _ in 0..=rounds() {
        hash.push(hash_seconds(&backend, 10).await);
    }
    let hash = median(hash.into_iter().skip(1));
    let (cookie, csrf) = form(world).await;
    let people = PEOPLE.to_string();
    // The password of the person all others were copied from.
    let arguments = [&*cookie, &*csrf, "correct+horse+battery+model", &*people];
    let [logins] = in_turns([&world.load("login.lua", "/login", &arguments)]);
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    report.row(
        "password logins",
        &format!("{}/s; CPU {}", short(logins.per_second), logins.shown()),
        &format!("{cores} cores ÷ {} a hash: {}/s", time(hash), short(cores / hash)),
        logins.per_second / (cores / hash),
        Target::AtLeast(0.9),
    );
    println!("  on the wall: {}; with all cores to themselves {}/s", logins.pace(), short(cores / logins.each));
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
