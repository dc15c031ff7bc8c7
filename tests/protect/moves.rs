//! Dump and restore: policies, rules, indexes and defaults of protected tables are data of the database. And logical replication: which
//! roles on both sides take every row, and what becomes of the rows with others.

use serde_json::json;
use tokio_postgres::Client;

use super::rules::outcome;
use super::{bodies, catalog, notes};
use crate::claims::replicas;
use crate::dump::restored;
use crate::jwt::{ALICE, BOB, access_token, authenticate};
use crate::support::{Database, Login, until};

#[tokio::test]
async fn protected_tables_survive_dump_and_restore() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(&format!(
            "alter table notes.notes add org_id text; update notes.notes set org_id = 'acme';
             create table notes.shares (note_id integer references notes.notes, user_id uuid, level text);
             insert into notes.shares values (2, '{ALICE}', 'viewer');
             create table notes.events (owner uuid, team uuid, day integer) partition by range (day);
             create table notes.events_1 partition of notes.events for values from (1) to (2);
             insert into notes.events values ('{ALICE}', null, 1), ('{BOB}', null, 1);
             grant select on notes.shares to app_login; grant select, insert on notes.events to app_login;
             select identity.protect('notes.shares');
             select identity.protect('notes.notes', 'user_id', organization => 'org_id', members => 'notes.shares', members_write => 'level',
               members_writers => '{{editor}}', role => 'it''s \\admin', agents => 'read');
             select identity.protect('notes.events', 'owner')"
        ))
        .await
        .unwrap();
    let before = catalog(&owner).await;
    let superuser = restored(&db).await;
    assert_eq!(catalog(&superuser).await, before);
    for table in ["notes", "shares", "events"] {
        let findings = format!("select finding from identity.protect_check('notes.{table}')");
        assert!(superuser.query(&findings, &[]).await.unwrap().is_empty(), "{table}");
    }

    let restored = format!("{}_restored", db.name);
    let (app, connection) =
        db.cluster.config(Login::App.role(), &restored).connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, json!({ "org_id": "acme" })).await).await.unwrap();
    assert_eq!(outcome(&app, "select body from notes.notes order by body").await, "a b");
    assert_eq!(outcome(&app, "update notes.notes set body = body returning body").await, "a");
    assert_eq!(outcome(&app, "select day::text from notes.events").await, "1");
    assert_eq!(outcome(&app, "insert into notes.events (day) values (1) returning owner::text").await, ALICE);
    app.batch_execute("commit").await.unwrap();

    // What was made is known there too, and goes.
    superuser
        .batch_execute(
            "do $$ begin
               -- Its index, which notes needs too.
               assert (select count(*) from identity.unprotect('notes.shares')) = 1;
               assert (select count(*) from identity.unprotect('notes.notes')) = 0;
               assert (select count(*) from identity.unprotect('notes.events')) = 0;
             end $$",
        )
        .await
        .unwrap();
    let left = catalog(&superuser).await;
    assert!(!left.contains("identity"), "{left}");
    // And in the first database nothing has changed.
    assert_eq!(catalog(&owner).await, before);
}

/// Between two databases of one server, each with the table protected and its owner an ordinary role.
struct Replication {
    /// Superusers.
    publisher: Client,
    subscriber: Client,
    source: Database,
    target: Database,
}

impl Replication {
    async fn new() -> Replication {
        let cluster = replicas::cluster().await;
        let (source, target) = (Database::on(cluster).await, Database::on(cluster).await);
        let (publisher, subscriber) = (notes(&source).await, notes(&target).await);
        for side in [&publisher, &subscriber] {
            side.batch_execute("select identity.protect('notes.notes'); reset role").await.unwrap();
        }
        publisher.batch_execute("create publication notes for table notes.notes").await.unwrap();
        subscriber.batch_execute("truncate notes.notes").await.unwrap();
        Replication { publisher, subscriber, source, target }
    }

    /// Subscribes with a connection of this role.
    async fn subscribe(&self, role: &str, options: &str) {
        // Within one server the slot has to be there before: making it would wait for the transaction that subscribes.
        let slot = &self.target.name;
        self.publisher
            .batch_execute(&format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')"))
            .await
            .unwrap();
        self.subscriber
            .batch_execute(&format!(
                "create subscription notes connection 'host=127.0.0.1 port={} user={role} dbname={}' publication notes
                   with (slot_name = '{slot}', create_slot = false{options})",
                self.source.cluster.port, self.source.name
            ))
            .await
            .unwrap();
    }

    async fn until(&self, what: &str) {
        let sql = format!("select {what}");
        until(what, async || self.subscriber.query_one(&sql, &[]).await.unwrap().get::<_, bool>(0)).await;
    }

    /// The first copy is over, and what streams is applied.
    async fn until_ready(&self) {
        self.until("not exists (select from pg_subscription_rel where srsubstate <> 'r')").await;
    }

    async fn until_refused(&self, counter: &str) {
        self.until(&format!("(select {counter} from pg_stat_subscription_stats where subname = 'notes') > 0")).await;
    }

    async fn end(&self) {
        // By itself: it is refused within a transaction, which several statements at once are.
        self.subscriber.batch_execute("drop subscription notes").await.unwrap();
        self.subscriber.batch_execute("truncate notes.notes").await.unwrap();
    }
}

#[tokio::test]
async fn logical_replication_takes_every_row_with_roles_that_no_policy_binds_and_with_no_others() {
    let replication = Replication::new().await;
    let Replication { publisher, subscriber, source, target } = &replication;
    let newer = subscriber
        .query_one("select current_setting('server_version_num')::integer >= 160000", &[])
        .await
        .unwrap()
        .get::<_, bool>(0);
    // From 16 on a subscription writes as the owner of the table, whom FORCE binds, unless it is told to write as its own owner.
    let as_owner = if newer { ", run_as_owner = true" } else { "" };
    let (reader, writer) = (format!("reader_{}", source.name), format!("writer_{}", source.name));
    publisher
        .batch_execute(&format!(
            "create role {reader} login replication in role identity_app; grant usage on schema notes to {reader}; grant select on notes.notes to {reader}"
        ))
        .await
        .unwrap();

    // The first copy is a query of the role that connects: it copies what that role sees. What streams asks no policy.
    replication.subscribe(&reader, as_owner).await;
    replication.until_ready().await;
    assert_eq!(bodies(subscriber).await, [""; 0]);
    publisher
        .batch_execute(&format!("insert into notes.notes (user_id, body) values ('{BOB}', 'streamed')"))
        .await
        .unwrap();
    replication.until("exists (select from notes.notes)").await;
    assert_eq!(bodies(subscriber).await, ["streamed"]);
    replication.end().await;
    publisher.batch_execute(&format!("alter role {reader} bypassrls")).await.unwrap();
    if newer {
        replication.subscribe(&reader, "").await;
        replication.until_refused("sync_error_count").await;
        assert_eq!(bodies(subscriber).await, [""; 0]);
        subscriber.batch_execute("alter subscription notes set (run_as_owner = true)").await.unwrap();
    } else {
        replication.subscribe(&reader, "").await;
    }
    replication.until_ready().await;
    assert_eq!(bodies(subscriber).await, ["a", "b", "c", "streamed"]);

    // On the other side it is the role that writes. PostgreSQL refuses rather than ask policies.
    let password = if newer { "; alter subscription notes set (password_required = false)" } else { "" };
    subscriber
        .batch_execute(&format!(
            "create role {writer} login superuser; grant usage on schema notes to {writer}; grant select, insert, update, delete on notes.notes to {writer}{password};
             alter subscription notes owner to {writer}; alter role {writer} nosuperuser"
        ))
        .await
        .unwrap();
    publisher
        .batch_execute(&format!("insert into notes.notes (user_id, body) values ('{ALICE}', 'later')"))
        .await
        .unwrap();
    replication.until_refused("apply_error_count").await;
    assert_eq!(bodies(subscriber).await, ["a", "b", "c", "streamed"]);
    subscriber.batch_execute(&format!("alter role {writer} bypassrls")).await.unwrap();
    replication.until("exists (select from notes.notes where body = 'later')").await;

    // Each person sees there what they see here.
    let app = target.app().await;
    for (person, rows) in [(ALICE, &["a", "later"][..]), (BOB, &["b", "c", "streamed"])] {
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &access_token(target, json!({ "sub": person })).await).await.unwrap();
        assert_eq!(bodies(&app).await, rows);
        app.batch_execute("commit").await.unwrap();
    }
    assert_eq!(bodies(&app).await, [""; 0]);
    subscriber.batch_execute(&format!("alter role {writer} superuser")).await.unwrap();
    replication.end().await;
}
