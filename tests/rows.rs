//! Rows found by their key without a statement are those that a statement finds.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::refresh::{OFFLINE, tokens};
use crate::support::{Database, user, web_client};

/// Whether row_by_id and a statement give the same for every id of the table, and how many rows there are.
async fn same(client: &Client, table: &str) -> (bool, i64) {
    let row = client
        .query_one(
            &format!(
                "select coalesce(bool_and(identity.row_by_id(null::{table}, t.id) is not distinct from t), true), count(*) from {table} t"
            ),
            &[],
        )
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_row_by_id_is_the_row_of_the_partition_that_holds_the_id() {
    let superuser = Database::new().await.superuser().await;
    superuser
        .batch_execute(
            "create table parts (id uuid primary key, gone text, word text not null, many jsonb) partition by range (id);
             create table parts_default partition of parts default;
             create table parts_early partition of parts for values from (minvalue) to ('20000000-0000-0000-0000-000000000000');
             alter table parts drop column gone, add added integer default 7;
             -- Columns in other places, and one that is as long as it is kept elsewhere.
             create table parts_other (many jsonb, id uuid not null primary key, added integer default 7, word text not null);
             alter table parts attach partition parts_other for values from ('40000000-0000-0000-0000-000000000000') to ('60000000-0000-0000-0000-000000000000');
             create table parts_late partition of parts for values from ('e0000000-0000-0000-0000-000000000000') to (maxvalue);
             insert into parts (id, word, many)
             select gen_random_uuid(), 'w' || n, (select jsonb_object_agg(k, md5(k || ' ' || n)) from generate_series(1, 200) k where n % 7 = 0)
             from generate_series(1, 500) n;
             insert into parts (id, word) values ('00000000-0000-0000-0000-000000000000', 'first'), ('ffffffff-ffff-ffff-ffff-ffffffffffff', 'last'),
               ('20000000-0000-0000-0000-000000000000', 'not early'), ('40000000-0000-0000-0000-000000000000', 'other'),
               ('60000000-0000-0000-0000-000000000000', 'not other'), ('1fffffff-ffff-ffff-ffff-ffffffffffff', 'early');
             update parts set word = word || '!' where word < 'w3'",
        )
        .await
        .unwrap();
    assert_eq!(same(&superuser, "parts").await, (true, 506));
    for table in ["parts_default", "parts_other", "parts_early", "parts_late"] {
        assert!(same(&superuser, table).await.0, "{table}");
    }
    let absent = "select identity.row_by_id(null::parts, gen_random_uuid()) is null, identity.row_by_id(null::parts, null::uuid) is null,
      (identity.row_by_id(null::parts, '00000000-0000-0000-0000-000000000000'::uuid)).added";
    let row = superuser.query_one(absent, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), (true, true, 7));
    // Without a default there may be no partition.
    superuser.batch_execute("alter table parts detach partition parts_default").await.unwrap();
    let row = superuser
        .query_one("select identity.row_by_id(null::parts, '20000000-0000-0000-0000-000000000000'::uuid) is null", &[])
        .await
        .unwrap();
    assert!(row.get::<_, bool>(0));
}

#[tokio::test]
async fn every_table_of_the_store_that_is_read_so_is_read_as_a_statement_reads_it() {
    let db = Database::new().await;
    db.admin().await.batch_execute("select identity.maintenance_run()").await.unwrap();
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    tokens(&sql, &app, &alice, OFFLINE).await;
    let owner = db.owner().await;
    for table in ["users", "clients", "client_secrets", "grants", "sessions", "refresh_families"] {
        assert!(same(&owner, &format!("identity_store.{table}")).await.0, "{table}");
    }
    assert_eq!(same(&owner, "identity_store.refresh_families").await, (true, 1));
}

#[tokio::test]
async fn a_row_by_id_is_as_the_statement_sees_it() {
    let db = Database::new().await;
    let (one, other) = (db.superuser().await, db.superuser().await);
    one.batch_execute("create table seen (id text primary key, n integer); insert into seen values ('a', 1)")
        .await
        .unwrap();
    let read = "select (identity.row_by_id(null::seen, 'a'::text)).n";
    let n = async |client: &Client| client.query_one(read, &[]).await.unwrap().get::<_, Option<i32>>(0);
    // Its own changes, not those of others before they commit, and none that came after a snapshot that is kept.
    other.batch_execute("begin isolation level repeatable read; select 1 from seen").await.unwrap();
    one.batch_execute("begin; update seen set n = 2").await.unwrap();
    assert_eq!((n(&one).await, n(&other).await), (Some(2), Some(1)));
    one.batch_execute("commit").await.unwrap();
    assert_eq!(n(&other).await, Some(1));
    other.batch_execute("commit").await.unwrap();
    assert_eq!(n(&other).await, Some(2));
    one.batch_execute("delete from seen").await.unwrap();
    assert_eq!(n(&other).await, None);
    // In a function every look sees what was committed meanwhile, as every statement of it does.
    let meanwhile = "do $$ begin
        insert into seen values ('a', 1);
        assert (identity.row_by_id(null::seen, 'a'::text)).n = 1;
        update seen set n = 2;
        assert (identity.row_by_id(null::seen, 'a'::text)).n = 2;
      end $$";
    one.batch_execute(meanwhile).await.unwrap();
}

#[tokio::test]
async fn what_is_no_table_with_such_a_key_is_refused_and_nobody_else_may_ask() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "create table bare (id uuid); create table two (id uuid, n integer, primary key (id, n)); create table numbered (id integer primary key);
             create table listed (id uuid primary key) partition by list (id); create table listed_default partition of listed default;
             -- Borders that are no uuids, over partitions whose rows have one.
             create table numbers (id uuid, n integer) partition by range (n);
             create table numbers_all (id uuid primary key, n integer);
             alter table numbers attach partition numbers_all for values from (1) to (1000);
             create table others (id uuid, of uuid) partition by range (of);
             create table others_all (id uuid primary key, of uuid);
             alter table others attach partition others_all for values from (minvalue) to (maxvalue);
             create table pairs (id uuid, n integer, primary key (id, n)) partition by range (n, id);
             create table pairs_all partition of pairs for values from (1, minvalue) to (1000, maxvalue);
             create table deep (id uuid primary key) partition by range (id);
             create table deep_all partition of deep for values from (minvalue) to (maxvalue) partition by range (id);
             create table deep_deeper partition of deep_all default;
             create table unkeyed (id uuid) partition by range (id); create table unkeyed_default partition of unkeyed default;
             create view looked as select gen_random_uuid() as id",
        )
        .await
        .unwrap();
    for of in ["bare", "two", "numbered", "listed", "numbers", "others", "pairs", "deep", "unkeyed", "looked", "text"] {
        let asked = format!("select identity.row_by_id(null::{of}, gen_random_uuid())");
        assert_eq!(superuser.query(&asked, &[]).await.unwrap_err().code(), Some(&SqlState::INTERNAL_ERROR), "{of}");
    }
    for role in [db.admin().await, db.gateway_role().await, db.app().await] {
        for call in [
            "row_by_id(null::pg_class, 'a'::text)",
            "jsonb_members('{}', '{}')",
            "request_parameters('{}', '{}')",
            "session_state('', '', null)",
            "url_origin('')",
        ] {
            let refused = role.query(&format!("select identity.{call}"), &[]).await.unwrap_err();
            assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{call}");
        }
    }
}

#[tokio::test]
async fn a_table_of_somebody_else_is_not_read_whatever_its_policies_say() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "create table letters (id uuid primary key); alter table letters enable row level security;
             create table letters_parts (id uuid primary key) partition by range (id);
             create table letters_all partition of letters_parts for values from (minvalue) to (maxvalue);
             insert into letters values (gen_random_uuid()); insert into letters_parts table letters;
             grant select on letters, letters_parts, letters_all to identity_owner",
        )
        .await
        .unwrap();
    let owner = db.owner().await;
    for table in ["letters", "letters_parts", "letters_all"] {
        let asked = format!("select identity.row_by_id(null::{table}, gen_random_uuid())");
        assert_eq!(owner.query(&asked, &[]).await.unwrap_err().code(), Some(&SqlState::INTERNAL_ERROR), "{table}");
        assert_eq!(same(&superuser, table).await, (true, 1));
    }
    // Nor by who may do everything: a statement is there for that.
    let asked = "select identity.row_by_id(null::identity_store.users, gen_random_uuid())";
    assert_eq!(superuser.query(asked, &[]).await.unwrap_err().code(), Some(&SqlState::INTERNAL_ERROR));
}

#[tokio::test]
async fn members_are_picked_by_name_and_others_added() {
    let owner = Database::new().await.owner().await;
    for (document, names, more, expected) in [
        (
            r#"{"a": 1, "b": {"c": [1, null]}, "d": "x"}"#,
            "{b,d,z,b,null}",
            "{}",
            r#"{"b": {"c": [1, null]}, "d": "x"}"#,
        ),
        (r#"{"a": 1, "long name": [], "d": "ä"}"#, "{}", r#"{"e": {}}"#, r#"{"e": {}}"#),
        (r#"{"a": 1, "d": "x"}"#, "{a,d}", r#"{"a": [2], "": false}"#, r#"{"": false, "a": [2], "d": "x"}"#),
        ("{}", "{a}", "{}", "{}"),
    ] {
        let sql = format!("select identity.jsonb_members('{document}', '{names}', '{more}') = '{expected}'");
        assert!(owner.query_one(&sql, &[]).await.unwrap().get::<_, bool>(0), "{document} {names} {more}");
    }
    for call in ["'[]', '{}'", "'1', '{}'", "'{}', '{}', '\"x\"'"] {
        let refused = owner.query(&format!("select identity.jsonb_members({call})"), &[]).await.unwrap_err();
        assert_eq!(refused.code().map(SqlState::code), Some("ID005"), "{call}");
    }
}
