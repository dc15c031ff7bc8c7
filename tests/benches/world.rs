//! What the measures over HTTP share: a database with people, clients and grants, and a gateway as in production.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tests::{Client, Database, Gateway, Login, client, free_port, service_client, user};

use crate::cpu::Tree;
use crate::load::Load;

/// People who can sign in: person1, person2 …
pub const PEOPLE: i32 = 1000;
/// Refresh families, spread over the people.
pub const FAMILIES: i32 = 4000;
/// Access tokens that are introspected and shown to userinfo.
pub const TOKENS: i32 = 256;
/// Requests at once: enough that commits share a flush, few enough that the load leaves room to the servers.
pub const CONNECTIONS: usize = 16;

/// A database and its gateway.
pub struct World {
    /// The database.
    pub db: Database,
    /// The gateway.
    pub gateway: Gateway,
    /// Gets tokens of its own and introspects others.
    pub service: Client,
    /// Refreshes.
    pub web: Client,
    /// Files for wrk.
    pub folder: PathBuf,
}

impl World {
    /// All of it, with rows for everybody. `name`: of its folder.
    pub async fn new(name: &str) -> World {
        let db = Database::new().await;
        let (service, web) = (service_client(&db).await, web_client(&db).await);
        user(&db, "model").await;
        db.superuser().await.batch_execute(&people(PEOPLE)).await.unwrap();
        let folder = tests::checkout().join("target/bench").join(name);
        fs::create_dir_all(&folder).unwrap();
        let world = World { gateway: gateway(&db).await, db, service, web, folder };
        world.write("ours.refresh", &families(&world.web.id, FAMILIES)).await;
        world.write("ours.access", &access_tokens(&world.web.id, TOKENS)).await;
        world.db.superuser().await.batch_execute("vacuum analyze").await.unwrap();
        world
    }

    /// A load on this gateway.
    pub fn load(&self, script: &'static str, path: &str, arguments: &[&str]) -> Load {
        Load {
            script,
            url: self.gateway.url(path),
            arguments: arguments.iter().map(|argument| (*argument).into()).collect(),
            connections: CONNECTIONS,
            servers: vec![Tree::process("gateway", self.gateway.pid()), Tree::postgresql(self.db.cluster)],
        }
    }

    /// A file of the bench's folder.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().into()
    }

    async fn write(&self, name: &str, sql: &str) {
        let rows = self.db.superuser().await.query(sql, &[]).await.unwrap();
        let lines: String = rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect();
        fs::write(self.folder.join(name), lines).unwrap();
    }
}

/// The settings of production: defaults, metrics collected. Only the limit per source address is off, because all load comes
/// from one.
pub async fn gateway(db: &Database) -> Gateway {
    // The gateway's timer would make partitions in the middle of a measure.
    db.superuser().await.execute("select identity.maintenance_run()", &[]).await.unwrap();
    let metrics = format!("127.0.0.1:{}", free_port());
    // Beside its PostgreSQL, as one that shares its machine is.
    let socket = db.cluster.dir.join("socket").to_str().unwrap().replace('/', "%2F");
    let url = format!("postgres://{}@{socket}:{}/{}", Login::Gateway.role(), db.cluster.port, db.name);
    Gateway::start_with(db, &[("GATEWAY_METRICS_LISTEN", &metrics), ("GATEWAY_DATABASE_URL", &url)]).await
}

/// The Authorization header of client_secret_basic. Our ids and secrets have no letter that RFC 6749 §2.3.1 would escape.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The same for a client of ours.
pub fn basic_of(client: &Client) -> String {
    basic(&client.id, client.secret.as_deref().unwrap())
}

/// A confidential client as people's applications are, with the settings that registration gives.
pub async fn web_client(db: &Database) -> Client {
    let metadata = json!({
        "client_name": "Notes on the web",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://notes.example/callback"],
        "scope": "openid profile email offline_access"
    });
    client(db, metadata).await
}

/// People like the one called model, each with names, an address and a session. The password is the same: its hash is
/// copied, because to make a thousand takes a minute.
pub fn people(count: i32) -> String {
    format!(
        "create temp table made as select n, identity.uuid_v7() as id from generate_series(1, {count}) n;
         insert into identity_store.users (id, username, claims)
         select m.id, 'person' || m.n, u.claims from made m, identity_store.users u where u.username = 'model';
         insert into identity_store.sign_in_names (name_key, user_id)
         select 'person' || n, id from made union all select 'person' || n || '@people.example', id from made;
         insert into identity_store.user_emails (id, user_id, address, address_key, verified_at, \"primary\")
         select identity.uuid_v7(), id, 'person' || n || '@people.example', 'person' || n || '@people.example', now(), true from made;
         insert into identity_store.passwords (user_id, phc)
         select m.id, p.phc from made m, identity_store.passwords p join identity_store.users u on u.id = p.user_id
         where u.username = 'model';
         insert into identity_store.sessions (id, user_id, secret_hash, auth_time, amr, expires_at)
         select identity.uuid_v7(), id, sha256(id::text::bytea), now(), '{{pwd}}', now() + interval '30 days' from made;
         drop table made;"
    )
}

/// Grants with a refresh family each; answers the first token of each.
fn families(client: &str, count: i32) -> String {
    format!(
        "with person as (
           select s.user_id, s.id as session_id, row_number() over (order by s.id) as n, count(*) over () as everybody
           from identity_store.sessions s
         ), granted as (
           insert into identity_store.grants (id, user_id, client_id, session_id, scope, resources, session_bound, auth_time, amr, created_at)
           select identity.uuid_v7(), p.user_id, '{client}', p.session_id, '{{openid,profile,email,offline_access}}', '{{}}', false, now(), '{{pwd}}', now()
           from generate_series(1, {count}) g join person p on p.n = 1 + g % p.everybody
           returning id, user_id
         ), family as (
           insert into identity_store.refresh_families
             (id, grant_id, client_id, user_id, seed, head_since, created_at, expires_at, idle_expires_at)
           select identity.uuid_v7(), id, '{client}', user_id, identity.refresh_seed(), now(), now(), now() + interval '90 days', now() + interval '14 days'
           from granted
           returning id, seed
         )
         select identity.refresh_token(id, 1, seed) from family"
    )
}

/// Access tokens of people, as a token answer holds them; good for a day, so that they outlive the run.
fn access_tokens(client: &str, count: i32) -> String {
    format!(
        "select identity.mint_access_token(json_build_object(
           'sub', g.user_id, 'aud', identity.configured_issuer(), 'client_id', '{client}', 'grant_id', g.id, 'sid', g.session_id,
           'scope', 'openid profile email offline_access', 'auth_time', floor(extract(epoch from g.auth_time)), 'amr', g.amr),
           86400)
         from identity_store.grants g order by g.id limit {count}"
    )
}
