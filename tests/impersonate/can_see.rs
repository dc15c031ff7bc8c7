//! What somebody sees of a table, and by which policies.

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{audited, value};
use crate::jwt::{access_token, authenticate, sqlstate};
use crate::support::{Database, user};

type Rule = (String, bool, String);

async fn rules(client: &Client, arguments: &str) -> Vec<Rule> {
    let sql = format!("select rule, passed, detail from identity.can_see({arguments})");
    client.query(&sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// A table of orders with policies of all kinds, whom the application reads as `can_see_app`.
async fn orders(db: &Database, alice: Uuid, bob: Uuid) -> Client {
    let superuser = db.superuser().await;
    let role = "do $$ begin create role can_see_app nologin; exception when duplicate_object then null; end $$";
    superuser.batch_execute(role).await.unwrap();
    superuser
        .batch_execute(&format!(
            "grant can_see_app to admin_login; grant identity_app to can_see_app;
             create table orders (user_id uuid, shared boolean, body text);
             insert into orders select '{alice}', false, 'a' from generate_series(1, 3);
             insert into orders values ('{bob}', true, 'b'), ('{bob}', false, 'c');
             analyze orders;
             alter table orders enable row level security;
             create policy own on orders using (user_id = (select identity.user_id()));
             create policy shared on orders for select using (shared);
             create policy others on orders for select to pg_monitor using (true);
             create policy writing on orders for insert with check (true);
             create policy scope on orders as restrictive for select using (identity.has_scope('orders:read'));
             grant select on orders to can_see_app"
        ))
        .await
        .unwrap();
    db.admin().await
}

#[tokio::test]
async fn every_policy_that_applies_is_shown_with_its_rows() {
    let db = Database::new().await;
    let (alice, bob) = (user(&db, "alice").await.id, user(&db, "bob").await.id);
    let admin = orders(&db, alice, bob).await;
    let seen =
        rules(&admin, &format!("'{alice}'::uuid, 'orders', 'can_see_app', '{{\"scope\": \"orders:read\"}}'")).await;
    let rule = |name: &str, passed, detail: &str| (name.to_owned(), passed, detail.to_owned());
    assert_eq!(
        seen,
        [
            rule("privilege", true, "role can_see_app may select from public.orders"),
            rule("row-level security", true, "binds role can_see_app"),
            rule(
                "policy own",
                true,
                "permissive, for all, where (user_id = ( SELECT identity.user_id() AS user_id)): 3 of the rows seen"
            ),
            rule("policy shared", true, "permissive, for select, where shared: 1 of the rows seen"),
            rule(
                "policy scope",
                true,
                "restrictive: narrows what the permissive ones show, for select, where identity.has_scope('orders:read'::text): 4 of the rows seen"
            ),
            rule("rows", true, "4 seen; the table has about 5"),
        ]
    );
    // Without the scope the restrictive policy shows nothing.
    let seen = rules(&admin, &format!("'{alice}', 'orders', 'can_see_app'")).await;
    assert_eq!(seen.last().unwrap(), &rule("rows", false, "0 seen; the table has about 5"));
    assert!(seen.iter().filter(|(name, ..)| name.starts_with("policy")).all(|(_, passed, _)| !passed));
    assert_eq!(audited(&db).await.len(), 2);
}

#[tokio::test]
async fn looking_leaves_nothing_behind() {
    let db = Database::new().await;
    let (alice, bob) = (user(&db, "alice").await.id, user(&db, "bob").await.id);
    let admin = orders(&db, alice, bob).await;
    // A policy that writes: it cannot.
    db.superuser()
        .await
        .batch_execute(
            "create function spy() returns boolean language plpgsql as $$ begin create temp table caught (); return true; end $$;
             create policy spy on orders for select using (spy());",
        )
        .await
        .unwrap();
    let arguments = format!("'{alice}'::uuid, 'orders', 'can_see_app', '{{\"scope\": \"orders:read\"}}'");
    let outcome = admin.query(&format!("select * from identity.can_see({arguments})"), &[]).await;
    assert_eq!(sqlstate(outcome), "25006");
    db.superuser().await.batch_execute("drop policy spy on orders").await.unwrap();

    admin.batch_execute("begin").await.unwrap();
    let before = access_token(&db, json!({ "sub": alice, "scope": "mine" })).await;
    authenticate(&admin, &before).await.unwrap();
    rules(&admin, &arguments).await;
    assert_eq!(value(&admin, "identity.scopes()").await, json!(["mine"]));
    assert_eq!(value(&admin, "identity.actor()").await, Value::Null);
    assert_eq!(value(&admin, "current_user").await, json!("admin_login"));
    assert_eq!(value(&admin, "current_setting('transaction_read_only')").await, json!("off"));
    let another = format!("select * from identity.can_see('{bob}'::uuid, 'orders', 'can_see_app')");
    assert_eq!(sqlstate(admin.query(&another, &[]).await), "ID201");
    admin.batch_execute("rollback").await.unwrap();
}

#[tokio::test]
async fn what_makes_policies_pointless_is_said() {
    let db = Database::new().await;
    let (alice, bob) = (user(&db, "alice").await.id, user(&db, "bob").await.id);
    let admin = orders(&db, alice, bob).await;
    let superuser = db.superuser().await;
    let say = async |role: &str, name: &str| -> (bool, String) {
        let all = rules(&admin, &format!("'{alice}'::uuid, 'orders', '{role}'")).await;
        let found = all.into_iter().find(|(rule, ..)| rule == name);
        found.map_or((true, String::new()), |(_, passed, detail)| (passed, detail))
    };
    superuser.batch_execute("alter table orders owner to can_see_app").await.unwrap();
    assert_eq!(
        say("can_see_app", "row-level security").await,
        (false, "role can_see_app owns the table, and row-level security is not forced: every row is seen".into())
    );
    assert_eq!(say("can_see_app", "rows").await, (true, "5 seen; the table has about 5".into()));
    superuser.batch_execute("alter table orders force row level security").await.unwrap();
    assert_eq!(say("can_see_app", "row-level security").await, (true, "binds role can_see_app".into()));
    superuser.batch_execute("drop policy own on orders; drop policy shared on orders").await.unwrap();
    assert_eq!(
        say("can_see_app", "policies").await,
        (false, "no permissive policy for select applies to role can_see_app: no row is seen".into())
    );
    superuser.batch_execute("alter table orders disable row level security").await.unwrap();
    assert_eq!(
        say("can_see_app", "row-level security").await,
        (false, "row-level security is off: every row is seen".into())
    );
    superuser
        .batch_execute("alter table orders owner to postgres; revoke all on orders from can_see_app")
        .await
        .unwrap();
    assert_eq!(
        rules(&admin, &format!("'{alice}'::uuid, 'orders', 'can_see_app'")).await,
        [("privilege".into(), false, "role can_see_app may not select from public.orders".into())]
    );
}

#[tokio::test]
async fn what_is_no_table_and_a_role_of_somebody_else_are_refused() {
    let db = Database::new().await;
    let (alice, bob) = (user(&db, "alice").await.id, user(&db, "bob").await.id);
    let admin = orders(&db, alice, bob).await;
    db.superuser().await.batch_execute("create view seen as select * from orders").await.unwrap();
    for (arguments, message) in [
        (format!("'{alice}'::uuid, 'seen'"), "target is not a table"),
        (format!("'{alice}'::uuid, 0"), "target is not a table"),
        (format!("'{alice}'::uuid, null"), "target is not a table"),
        (format!("'{alice}'::uuid, 'orders', 'postgres'"), "role postgres is none that admin_login may change to"),
        (
            format!("'{alice}'::uuid, 'orders', 'identity_owner'"),
            "role identity_owner is none that admin_login may change to",
        ),
        (
            format!("'{alice}'::uuid, 'orders', 'nobody\"here'"),
            "role \"nobody\"\"here\" is none that admin_login may change to",
        ),
    ] {
        let error = admin.query(&format!("select * from identity.can_see({arguments})"), &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("ID005", message), "{arguments}");
    }
    assert!(audited(&db).await.is_empty());
}
