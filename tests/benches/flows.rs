//! Whole flows: the authorization request of a person who is signed in, and its code for tokens. Against npm's oidc-provider with
//! everything in memory; and against the parts of which it can be put together at the least.

use std::fs;

use crate::Worlds;
use crate::floors::least_update;
use crate::load::{Cost, Load, in_turns};
use crate::peer::Peer;
use crate::report::{Report, Target, time};
use crate::signatures;
use crate::world::{TOKENS, World, basic_of};

/// Requests of a flow: one in the browser, one of the application.
const REQUESTS: f64 = 2.0;

/// The flow, beside the peer's and beside its parts.
pub async fn run(report: &Report, worlds: &Worlds) {
    let wanted = ["flow_peer", "flow_parts"].map(|name| report.wants(name));
    if wanted == [false; 2] {
        return;
    }
    let world = worlds.get().await;
    let ours = load(world).await;
    if wanted[0] {
        let peer = Peer::start(world);
        let cookies = world.file("peer.session");
        let arguments = ["_session", &cookies, "/auth?client_id=web", "/token"];
        let theirs = peer.load(&ours, "", "web", arguments.map(String::from));
        let [ours, theirs] = in_turns([&ours, &theirs]);
        let (each, against) = (ours.each * REQUESTS, theirs.each * REQUESTS);
        report.row(
            "authorize → code → tokens, flows per CPU-second",
            &format!("{:.0}/s: {}", 1.0 / each, shown(&ours)),
            &format!("oidc-provider in memory: {:.0}/s: {}", 1.0 / against, time(against)),
            theirs.over(&ours, 0.0),
            Target::AtLeast(2.0),
        );
        println!("  on the wall, requests: {} against {}", ours.pace(), theirs.pace());
    }
    if wanted[1] {
        let (read, write) = (world.load("get.lua", "/readyz", &["ok"]), least_update(world).await);
        let signing = signatures::seconds("ES256") + signatures::seconds("RS256");
        let [ours, read, write] = in_turns([&ours, &read, &write]);
        let (each, parts) = (ours.each * REQUESTS, read.each + write.each + signing);
        report.row(
            "authorize → code → tokens: CPU per flow",
            &shown(&ours),
            &format!("/readyz, a durable one-row update and two signatures: {}", time(parts)),
            each / parts,
            Target::None,
        );
    }
}

fn shown(cost: &Cost) -> String {
    let shares: Vec<_> = cost.shares.iter().map(|(name, share)| format!("{name} {}", time(share * REQUESTS))).collect();
    format!("{} ({})", time(cost.each * REQUESTS), shares.join(", "))
}

async fn load(world: &World) -> Load {
    let sql = sessions(&world.web.id);
    let superuser = world.db.superuser().await;
    let rows = superuser.query(&sql, &[]).await.unwrap();
    superuser.batch_execute("analyze").await.unwrap();
    let lines: String = rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect();
    fs::write(world.file("ours.session"), lines).unwrap();
    let (basic, cookies) = (basic_of(&world.web), world.file("ours.session"));
    let authorize = format!("/authorize?client_id={}", world.web.id);
    world.load("flow.lua", "", &[&basic, "identity_session", &cookies, &authorize, "/token"])
}

/// Sessions of people who have allowed the client; answers their cookies.
fn sessions(client: &str) -> String {
    format!(
        "with person as (
           select u.id as user_id, identity.uuid_v7() as id from identity_store.users u where u.username ~ '^person' order by u.id limit {TOKENS}
         ), made as materialized (
           select p.user_id, p.id, m.token, m.hash from person p, lateral identity.opaque_mint('ids', p.id) m
         ), session as (
           insert into identity_store.sessions (id, user_id, secret_hash, auth_time, acr, amr, expires_at)
           select id, user_id, hash, now(), '1', '{{pwd}}', now() + interval '30 days' from made
         ), consent as (
           insert into identity_store.consents (user_id, client_id, scope) select user_id, '{client}', '{{openid,profile,email}}' from made
         )
         select token from made"
    )
}
