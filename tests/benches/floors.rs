//! What the work of a request costs above the least that any request through the same path costs. The path is the same to
//! the byte: the real gateway, its pools, its prepared statements. Only the SQL functions behind it are replaced, in a
//! database of their own: by ones that do a single write and answer a constant of the same length ([`least`]), and by ones that
//! read and write the rows that the real ones need, make the same tokens, and ask nothing about any of it ([`parts`]).

use std::fs;

use tests::Database;

use crate::Worlds;
use crate::load::{Cost, Load, in_turns};
use crate::report::{Report, Target, time};
use crate::signatures;
use crate::world::{FAMILIES, World, basic_of, gateway};

/// Reads against `/readyz`, writes against one-row writes.
pub async fn run(report: &Report, worlds: &Worlds) {
    if report.wants("floor_introspect") {
        let world = worlds.get().await;
        let load =
            world.load("introspect.lua", "/introspect", &[&basic_of(&world.service), &world.file("ours.access")]);
        against_readiness(report, world, "introspect: CPU per request", &load);
    }
    if report.wants("floor_userinfo") {
        let world = worlds.get().await;
        let load = world.load("userinfo.lua", "/userinfo", &[&world.file("ours.access")]);
        against_readiness(report, world, "userinfo: CPU per request", &load);
    }
    if report.wants("floor_client_credentials") {
        let world = worlds.get().await;
        let load = |world: &World| world.load("client_credentials.lua", "/token", &[&basic_of(&world.service)]);
        let loads = [world, parts().await, least(world).await].map(load);
        let signed = signatures::seconds("ES256");
        let what = "a one-row insert, synchronous_commit off";
        against_write(report, "client_credentials with its audit row, less its signature", &loads, what, signed);
    }
    if report.wants("floor_refresh") {
        let world = worlds.get().await;
        let load =
            |world: &World| world.load("refresh.lua", "/token", &[&basic_of(&world.web), &world.file("ours.refresh")]);
        let loads = [load(world), load(parts().await), least_update(world).await];
        let signed = signatures::seconds("ES256") + signatures::seconds("RS256");
        let what = "a durable one-row update";
        against_write(report, "refresh, durable, less its two signatures", &loads, what, signed);
    }
}

/// A durable one-row update through the same path, in place of a refresh.
pub async fn least_update(world: &World) -> Load {
    let least = least(world).await;
    // Its refresh tokens are the numbers of its rows.
    let pool: String = (1..=FAMILIES).map(|row| format!("{row}\n")).collect();
    fs::write(least.file("least.refresh"), pool).unwrap();
    least.load("refresh.lua", "/token", &[&basic_of(&least.web), &least.file("least.refresh")])
}

fn against_readiness(report: &Report, world: &World, measure: &str, load: &Load) {
    let [ours, least] = in_turns([load, &world.load("get.lua", "/readyz", &["ok"])]);
    let against = format!("/readyz: {}", least.shown());
    report.row(measure, &ours.shown(), &against, ours.over(&least, 0.0), Target::AtMost(2.5));
    wall(&ours, &least);
}

// Ours, its parts and the least, in turns. `signed`: what the raw signatures alone cost, measured in the same run. The least makes none.
fn against_write(report: &Report, measure: &str, loads: &[Load; 3], what: &str, signed: f64) {
    let [ours, parts, least] = in_turns(loads.each_ref());
    let against = format!("{what}: {}", least.shown());
    let row = |measure: &str, cost: &Cost, target| {
        let shown = format!("{}; signing {}", cost.shown(), time(signed));
        report.row(measure, &shown, &against, cost.over(&least, signed), target);
    };
    row(measure, &ours, Target::AtMost(1.5));
    row(&format!("{measure}: its rows and tokens, nothing decided"), &parts, Target::None);
    wall(&ours, &least);
}

fn wall(ours: &Cost, least: &Cost) {
    println!("  on the wall: {} against {}", ours.pace(), least.pace());
}

/// A gateway before a database whose token functions do one write.
async fn least(model: &World) -> &'static World {
    let db = Database::new().await;
    db.superuser().await.batch_execute(&one_write()).await.unwrap();
    let gateway = gateway(&db).await;
    let (service, web, folder) = (model.service.clone(), model.web.clone(), model.folder.clone());
    Box::leak(Box::new(World { db, gateway, service, web, folder }))
}

/// A gateway before a database whose token functions read, write and sign what the real ones do, and decide nothing.
async fn parts() -> &'static World {
    let world = World::new("parts").await;
    world.db.superuser().await.batch_execute(&rows_and_tokens()).await.unwrap();
    Box::leak(Box::new(world))
}

fn one_write() -> String {
    // As long as tokens are.
    let (access, id) = ("ey".to_owned() + &"a".repeat(700), "ey".to_owned() + &"i".repeat(700));
    format!(
        r#"
create schema floor authorization identity_owner;
set role identity_owner;
create table floor.written (id bigint generated always as identity primary key, client_id text, at timestamptz default now());
create table floor.heads (id integer primary key, generation integer not null default 1, at timestamptz) with (fillfactor = 80);
insert into floor.heads (id) select generate_series(1, {FAMILIES});

{CLIENT_CREDENTIALS}
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into floor.written (client_id) values (token_client_credentials.client_id);
  return query select 'ok', null::text, '{{"access_token":"{access}","token_type":"Bearer","expires_in":300}}'::json;
end
$$;

{REFRESH_TOKEN}
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  update floor.heads h set generation = h.generation + 1, at = now() where h.id = token_refresh_token.refresh_token::integer;
  return query select 'ok', null::text, ('{{"access_token":"{access}","token_type":"Bearer","expires_in":300,"id_token":"{id}","refresh_token":"'
    || token_refresh_token.refresh_token || '"}}')::json;
end
$$;
reset role;
analyze;
"#
    )
}

fn rows_and_tokens() -> String {
    format!(
        "
set role identity_owner;
{CLIENT_CREDENTIALS}
as $$
declare
  secret identity_store.client_secrets := identity.row_by_id(null::identity_store.client_secrets, identity.opaque_id('secret', $2));
  client identity_store.clients := identity.row_by_id(null::identity_store.clients, $1);
begin
  perform set_config('synchronous_commit', 'off', true);
  perform identity_store.audit('client_token_issued', null, client.id, null);
  outcome := 'ok';
  answer := identity.client_tokens(client.id, client.access_token_lifetime, null, null);
  return next;
end
$$;

{REFRESH_TOKEN}
as $$
declare
  secret identity_store.client_secrets := identity.row_by_id(null::identity_store.client_secrets, identity.opaque_id('secret', $2));
  client identity_store.clients := identity.row_by_id(null::identity_store.clients, $1);
  family identity_store.refresh_families := identity.row_by_id(null::identity_store.refresh_families, identity.refresh_family($4));
  granted identity_store.grants := identity.row_by_id(null::identity_store.grants, family.grant_id);
  person identity_store.users := identity.row_by_id(null::identity_store.users, family.user_id);
  session identity_store.sessions := identity.row_by_id(null::identity_store.sessions, granted.session_id);
begin
  perform set_config('synchronous_commit', 'on', true);
  update identity_store.refresh_families f set generation = f.generation + 1, head_since = now() where f.id = family.id;
  outcome := 'ok';
  answer := identity.person_tokens(
    granted.user_id::text, client.id, granted.id, granted.session_id::text, granted.auth_time, granted.acr, granted.amr,
    client.access_token_lifetime, null, array_to_string(granted.scope, ' '), true, null,
    client.id_token_lifetime, client.id_token_signed_response_alg, null, null, null,
    identity.refresh_token(family.id, family.generation + 1, family.seed));
  return next;
end
$$;
reset role;
"
    )
}

const CLIENT_CREDENTIALS: &str = "create or replace function identity.token_client_credentials(
  client_id text, client_secret text, method text, scope text, resource text[], client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp";
const REFRESH_TOKEN: &str = "create or replace function identity.token_refresh_token(
  client_id text, client_secret text, method text, refresh_token text, scope text, resource text[], client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp";
