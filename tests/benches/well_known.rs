//! Documents that every client reads first, against the cheapest answer there is.

use crate::Worlds;
use crate::load::in_turns;
use crate::report::{Report, Target};

/// Discovery and keys against `/healthz`.
pub async fn run(report: &Report, worlds: &Worlds) {
    for (name, measure, path, word) in [
        ("discovery", "discovery", "/.well-known/openid-configuration", "jwks_uri"),
        ("jwks", "JWKS", "/jwks.json", "keys"),
    ] {
        if !report.wants(name) {
            continue;
        }
        let world = worlds.get().await;
        let least = world.load("get.lua", "/healthz", &["ok"]);
        let [ours, least] = in_turns([&world.load("get.lua", path, &[word]), &least]);
        // Per second of processor time: on two cores the clock on the wall would measure wrk.
        report.row(
            &format!("{measure} per CPU-second"),
            &format!("{:.0}/s: {}", 1.0 / ours.each, ours.shown()),
            &format!("/healthz: {:.0}/s: {}", 1.0 / least.each, least.shown()),
            least.over(&ours, 0.0),
            Target::AtLeast(0.9),
        );
        println!("  on the wall: {} against {}", ours.pace(), least.pace());
    }
}
