//! What happens regularly: partitions, revocations, keys (sql/store/functions/maintenance.sql, partitions.sql).

mod spent_codes;

use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::account::page;
use crate::sessions::cookie;
use crate::support::{Database, user};

async fn run(db: &Database) -> Value {
    let row =
        db.gateway_role().await.query_one("select outcome, answer from identity.maintenance_run()", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "ok");
    row.get(1)
}

async fn number(db: &Database, sql: &str) -> i64 {
    db.superuser().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// The state of a database in which maintenance has never run.
pub async fn forget_partitions(db: &Database) {
    let drop = "do $$ declare p text; begin
      for p in select c.oid::regclass from pg_inherits i join pg_class c on c.oid = i.inhrelid
        join pg_class t on t.oid = i.inhparent
        where t.relkind = 'p' and c.relnamespace = 'identity_store'::regnamespace and c.relname not like '%\\_default'
      loop execute 'drop table ' || p; end loop; end $$";
    db.superuser().await.batch_execute(drop).await.unwrap();
}

pub const PARTITIONED: [&str; 5] = ["audit_events", "authorization_codes", "grants", "refresh_families", "sessions"];

#[tokio::test]
async fn partitions_are_made_ahead_and_a_second_run_changes_nothing() {
    let db = Database::new().await;
    forget_partitions(&db).await;
    let first = run(&db).await;
    assert_eq!(first["made"].as_array().unwrap().len(), 3 * PARTITIONED.len(), "{first}");
    assert_eq!((&first["dropped"], &first["busy"]), (&json!([]), &json!([])));
    let again = run(&db).await;
    assert_eq!((&again["made"], &again["dropped"], &again["busy"]), (&json!([]), &json!([]), &json!([])));
    for table in PARTITIONED {
        // Now and two widths ahead, without a gap.
        let covered = format!(
            "select count(*) from identity_store.partition_settings s, lateral (
               select min(begins_at) as first, max(ends_at) as last, sum(ends_at - begins_at) as held
               from identity_store.partitions(s.table_name)) p
             where s.table_name = '{table}' and p.first <= now() and p.last > now() + 2 * s.every and p.held = p.last - p.first"
        );
        assert_eq!(number(&db, &covered).await, 1, "{table}");
    }
}

#[tokio::test]
async fn rows_that_came_before_their_partition_stay_where_they_are_and_what_is_made_begins_after_them() {
    let db = Database::new().await;
    forget_partitions(&db).await;
    let alice = user(&db, "alice").await;
    let session = cookie(&db, &alice, None).await;
    let waiting = "select (select count(*) from identity_store.sessions_default) + (select count(*) from identity_store.audit_events_default)";
    assert!(number(&db, waiting).await > 1);
    let events = number(&db, "select count(*) from identity_store.audit_events").await;
    let moved = number(&db, waiting).await;
    run(&db).await;
    assert_eq!(
        (number(&db, waiting).await, number(&db, "select count(*) from identity_store.audit_events").await),
        (moved, events)
    );
    assert_eq!(page(&db, &session).await.0, "page");
    // Within hours what is new has partitions of its own, without a gap from then on.
    let covered = "select count(*) from identity_store.partition_settings s, lateral (
        select min(begins_at) as first, max(ends_at) as last, sum(ends_at - begins_at) as held
        from identity_store.partitions(s.table_name)) p
      where s.table_name in ('sessions', 'audit_events') and p.first > now() and p.first <= now() + interval '26 hours'
        and p.last > now() + 2 * s.every and p.held = p.last - p.first";
    assert_eq!(number(&db, covered).await, 2);
    assert_eq!(run(&db).await["made"], json!([]));
    cookie(&db, &alice, Some(&session)).await;
}

#[tokio::test]
async fn what_is_older_than_its_retention_is_dropped() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let superuser = db.superuser().await;
    let old = |days: i32| {
        format!(
            "insert into identity_store.sessions (id, user_id, secret_hash, auth_time, amr, expires_at)
             values (identity.uuid_v7_floor(now() - interval '{days} days'), '{}', sha256(''), now(), '{{pwd}}', now());",
            alice.id
        )
    };
    superuser
        .batch_execute(&format!(
            "select identity_store.partition_make(s, '2024-01-01Z', '2024-01-08Z')
             from identity_store.partition_settings s where table_name = 'sessions'; {} {}",
            old(40),
            old(20)
        ))
        .await
        .unwrap();
    let answer = run(&db).await;
    assert_eq!(answer["dropped"], json!(["sessions_20240101"]));
    assert_eq!(number(&db, "select count(*) from identity_store.sessions").await, 1);
    let audited = "select count(*) from identity_store.audit_events
                   where kind = 'partition_dropped' and details = '{\"partition\": \"sessions_20240101\"}'";
    assert_eq!(number(&db, audited).await, 1);
    assert_eq!(number(&db, "select count(*) from pg_class where relname = 'sessions_20240101'").await, 0);
}

#[tokio::test]
async fn a_changed_width_makes_neither_gap_nor_overlap() {
    let db = Database::new().await;
    run(&db).await;
    let superuser = db.superuser().await;
    for days in [30, 5] {
        let change = "update identity_store.partition_settings set every = make_interval(days => $1), retention = '60 days' where table_name = 'sessions'";
        superuser.execute(change, &[&days]).await.unwrap();
        run(&db).await;
        let odd = "select count(*) from (select begins_at, lag(ends_at) over (order by begins_at) as before
                   from identity_store.partitions('sessions')) p where p.before <> p.begins_at";
        assert_eq!(number(&db, odd).await, 0);
    }
    let nonsense = "update identity_store.partition_settings set every = '1 month'";
    let refused = superuser.batch_execute(nonsense).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::CHECK_VIOLATION));
}

#[tokio::test]
async fn one_runner_at_a_time() {
    let db = Database::new().await;
    let mut gateway = db.gateway_role().await;
    let first = gateway.transaction().await.unwrap();
    first.execute("select identity.maintenance_run()", &[]).await.unwrap();
    assert_eq!(run(&db).await, json!({ "running": true }));
    first.commit().await.unwrap();
    assert_eq!(run(&db).await["made"], json!([]));
}

#[tokio::test]
async fn a_busy_table_is_left_for_the_next_run_and_holds_up_no_other() {
    let db = Database::new().await;
    forget_partitions(&db).await;
    let mut superuser = db.superuser().await;
    let holder = superuser.transaction().await.unwrap();
    holder.batch_execute("lock table identity_store.sessions in share mode").await.unwrap();
    let answer = run(&db).await;
    assert_eq!(answer["busy"], json!(["sessions"]));
    assert_eq!(answer["made"].as_array().unwrap().len(), 3 * (PARTITIONED.len() - 1));
    holder.rollback().await.unwrap();
    assert_eq!(run(&db).await["made"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_partition_has_all_that_its_table_has() {
    let db = Database::new().await;
    run(&db).await;
    let differing = "
      select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
      where p.relkind = 'p' and p.relnamespace = 'identity_store'::regnamespace and (
        (select count(*) from pg_index where indrelid = c.oid) <> (select count(*) from pg_index where indrelid = p.oid)
        or (select count(*) from pg_constraint where conrelid = c.oid and contype in ('c', 'f', 'p'))
          <> (select count(*) from pg_constraint where conrelid = p.oid and contype in ('c', 'f', 'p'))
        or obj_description(c.oid, 'pg_class') is null
        or c.relowner <> p.relowner
        or (p.relname = 'sessions' and c.reloptions <> '{fillfactor=80}'))";
    assert_eq!(number(&db, differing).await, 0);
}

#[tokio::test]
async fn expired_revocations_go_and_others_stay() {
    let db = Database::new().await;
    db.admin()
        .await
        .batch_execute(
            "select identity.revoke('token', 'old', now() + interval '1 hour'); select identity.revoke('token', 'new');",
        )
        .await
        .unwrap();
    db.superuser()
        .await
        .batch_execute("update identity.revocations set until = now() - interval '1 s' where id = 'old'")
        .await
        .unwrap();
    assert_eq!(run(&db).await["revocations_reaped"], json!(1));
    assert_eq!(number(&db, "select count(*) from identity.revocations where id = 'new'").await, 1);
}

#[tokio::test]
async fn a_signing_key_is_succeeded_after_ninety_days() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    let states = async || -> Vec<String> {
        let sql = "select state from identity.signing_keys where algorithm = 'ES256' order by created_at, state";
        db.superuser().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    let before = states().await;
    run(&db).await;
    assert_eq!(states().await, before);
    let age = "update identity.signing_keys set activated_at = activated_at - interval '91 days', created_at = created_at - interval '91 days' where state = 'current'";
    superuser.batch_execute(age).await.unwrap();
    // The successor is published first …
    run(&db).await;
    assert_eq!(states().await, ["current", "next"]);
    run(&db).await;
    assert_eq!(states().await, ["current", "next"]);
    // … and signs when everybody has had time to fetch it.
    superuser
        .batch_execute("update identity.signing_keys set created_at = created_at - interval '2 hours'")
        .await
        .unwrap();
    run(&db).await;
    assert_eq!(states().await, ["retired", "current", "next"]);
    let audited = "select count(*) from identity.audit_list('{keys_rotated}') where details ->> 'algorithm' = 'ES256'";
    assert_eq!(number(&db, audited).await, 1);
}

#[tokio::test]
async fn maintenance_is_not_for_applications() {
    let db = Database::new().await;
    let denied = db.app().await.batch_execute("select identity.maintenance_run()").await.unwrap_err();
    assert_eq!(denied.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}
