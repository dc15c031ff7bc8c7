//! What the work of a request costs above the least that any request through the same path costs. The path is the same to
//! the byte: the real gateway, its pools, its prepared statements. Only the SQL functions behind it are replaced, in a
//! database of their own, by ones that do a single write and answer a constant of the same length.

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
        let floor = Floor::new(world).await;
        let ours = world.load("client_credentials.lua", "/token", &[&basic_of(&world.service)]);
        let least = floor.load(&ours, ours.arguments.clone());
        let signed = signatures::seconds("ES256");
        let what = "a one-row insert, synchronous_commit off";
        against_write(report, "client_credentials with its audit row, less its signature", &ours, &least, what, signed);
    }
    if report.wants("floor_refresh") {
        let world = worlds.get().await;
        let ours = world.load("refresh.lua", "/token", &[&basic_of(&world.web), &world.file("ours.refresh")]);
        let least = least_update(world).await;
        let signed = signatures::seconds("ES256") + signatures::seconds("RS256");
        let what = "a durable one-row update";
        against_write(report, "refresh, durable, less its two signatures", &ours, &least, what, signed);
    }
}

/// A durable one-row update through the same path, in place of a refresh.
pub async fn least_update(world: &World) -> Load {
    let floor = Floor::new(world).await;
    let ours = world.load("refresh.lua", "/token", &[]);
    floor.load(&ours, vec![basic_of(&world.web), world.file("floor.refresh")])
}

fn against_readiness(report: &Report, world: &World, measure: &str, load: &Load) {
    let [ours, least] = in_turns([load, &world.load("get.lua", "/readyz", &["ok"])]);
    let against = format!("/readyz: {}", least.shown());
    report.row(measure, &ours.shown(), &against, ours.each / least.each, Target::AtMost(2.5));
    wall(&ours, &least);
}

// `signed`: what the raw signatures alone cost, measured in the same run. The floor makes none.
fn against_write(report: &Report, measure: &str, ours: &Load, least: &Load, what: &str, signed: f64) {
    let [ours, least] = in_turns([ours, least]);
    let shown = format!("{}; signing {}", ours.shown(), time(signed));
    let against = format!("{what}: {}", least.shown());
    report.row(measure, &shown, &against, (ours.each - signed) / least.each, Target::AtMost(1.5));
    wall(&ours, &least);
}

fn wall(ours: &Cost, least: &Cost) {
    println!("  on the wall: {} against {}", ours.pace(), least.pace());
}

/// A gateway before a database whose token functions do one write.
struct Floor {
    world: &'static World,
}

impl Floor {
    async fn new(model: &World) -> Floor {
        let db = Database::new().await;
        db.superuser().await.batch_execute(&functions()).await.unwrap();
        let gateway = gateway(&db).await;
        let (service, web, folder) = (model.service.clone(), model.web.clone(), model.folder.clone());
        let world = World { db, gateway, service, web, folder };
        // The refresh tokens of the floor are the numbers of its rows.
        let pool: String = (1..=FAMILIES).map(|row| format!("{row}\n")).collect();
        fs::write(world.file("floor.refresh"), pool).unwrap();
        Floor { world: Box::leak(Box::new(world)) }
    }

    fn load(&self, ours: &Load, arguments: Vec<String>) -> Load {
        Load { arguments, ..self.world.load(ours.script, "/token", &[]) }
    }
}

fn functions() -> String {
    // As long as tokens are.
    let (access, id) = ("ey".to_owned() + &"a".repeat(700), "ey".to_owned() + &"i".repeat(700));
    let signature = "language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp";
    format!(
        r#"
create schema floor authorization identity_owner;
set role identity_owner;
create table floor.written (id bigint generated always as identity primary key, client_id text, at timestamptz default now());
create table floor.heads (id integer primary key, generation integer not null default 1, at timestamptz) with (fillfactor = 80);
insert into floor.heads (id) select generate_series(1, {FAMILIES});

create or replace function identity.token_client_credentials(
  client_id text, client_secret text, method text, scope text, resource text[], client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
{signature}
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into floor.written (client_id) values (token_client_credentials.client_id);
  return query select 'ok', null::text, '{{"access_token":"{access}","token_type":"Bearer","expires_in":300}}'::json;
end
$$;

create or replace function identity.token_refresh_token(
  client_id text, client_secret text, method text, refresh_token text, scope text, resource text[], client_certificate bytea default null
)
returns table (outcome text, detail text, answer json)
{signature}
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
