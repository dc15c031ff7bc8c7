//! Parallel workers: really launched, each with the identity of its leader, none with one of its own.

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::{sign_in, subject, token_of};
use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn a_parallel_plan_sees_the_same_person() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute(&format!(
            "create table public.rows as select case when i % 4 = 0 then '{ALICE}'::uuid else '{BOB}' end as owner from generate_series(1, 40000) i;
             analyze public.rows; grant select on public.rows to app_login"
        ))
        .await
        .unwrap();
    let app = db.app().await;
    app.batch_execute(
        "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
         set max_parallel_workers_per_gather = 2; set parallel_leader_participation = off; begin",
    )
    .await
    .unwrap();
    authenticate(&app, &access_token(&db, json!({ "scope": "rows" })).await).await.unwrap();
    let query = "select count(*) from public.rows where owner = identity.user_id() and identity.has_scope('rows')";
    let plan = app.query(&format!("explain {query}"), &[]).await.unwrap();
    assert!(plan.iter().any(|row| row.get::<_, &str>(0).contains("Gather")), "{plan:?}");
    assert_eq!(app.query_one(query, &[]).await.unwrap().get::<_, i64>(0), 10_000);
    app.batch_execute("select identity.sign_out()").await.unwrap();
    assert_eq!(app.query_one(query, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// 40,000 rows, settings that make workers worth their while, and a function that says which process it runs in.
async fn crowd(db: &Database) -> Client {
    db.superuser()
        .await
        .batch_execute(&format!(
            "create table public.crowd as select case when i % 4 = 0 then '{ALICE}'::uuid else '{BOB}' end as owner from generate_series(1, 40000) i;
             analyze public.crowd; grant select on public.crowd to app_login;
             create schema workshop authorization app_login"
        ))
        .await
        .unwrap();
    let app = db.app().await;
    app.batch_execute(
        "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
         set max_parallel_workers_per_gather = 2; set parallel_leader_participation = off;
         create function workshop.process() returns integer language plpgsql volatile parallel safe as 'begin return pg_backend_pid(); end'",
    )
    .await
    .unwrap();
    app
}

/// How many workers a query really got.
async fn workers(client: &Client, query: &str) -> i64 {
    fn launched(plan: &Value) -> i64 {
        let here = plan["Workers Launched"].as_i64().unwrap_or(0);
        here + plan["Plans"].as_array().map_or(0, |plans| plans.iter().map(launched).sum())
    }
    let explained: Value =
        client.query_one(&format!("explain (analyze, format json) {query}"), &[]).await.unwrap().get(0);
    launched(&explained[0]["Plan"])
}

#[tokio::test]
async fn every_worker_has_the_identity_of_its_leader() {
    let db = Database::new().await;
    let app = crowd(&db).await;
    let leader: i32 = app.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let query = "select workshop.process(), identity.subject(), identity.has_scope('rows'), count(*) from public.crowd group by 1, 2, 3";
    for person in [Some(ALICE), Some(BOB), None] {
        app.batch_execute("begin").await.unwrap();
        if let Some(person) = person {
            let token = access_token(&db, json!({ "sub": person, "scope": "rows" })).await;
            authenticate(&app, &token).await.unwrap();
        }
        assert_eq!(workers(&app, query).await, 2);
        let rows = app.query(query, &[]).await.unwrap();
        let mut counted = 0;
        for row in &rows {
            assert_ne!(row.get::<_, i32>(0), leader);
            assert_eq!(row.get::<_, Option<&str>>(1), person);
            assert_eq!(row.get::<_, Option<bool>>(2), person.map(|_| true));
            counted += row.get::<_, i64>(3);
        }
        assert_eq!(counted, 40_000);
        app.batch_execute("commit").await.unwrap();
    }
    // An identity that was taken back does not come back in a worker.
    app.batch_execute("begin; savepoint a").await.unwrap();
    authenticate(&app, &token_of(&db, ALICE).await).await.unwrap();
    app.batch_execute("rollback to a").await.unwrap();
    for row in app.query(query, &[]).await.unwrap() {
        assert_eq!(row.get::<_, Option<&str>>(1), None);
    }
}

#[tokio::test]
async fn a_worker_signs_nobody_in_whatever_the_caller_says_is_safe() {
    let db = Database::new().await;
    let app = crowd(&db).await;
    app.batch_execute(
        "create function workshop.enter(token text) returns text language plpgsql stable parallel safe as $$
         begin
           perform identity.authenticate(token);
           return identity.subject();
         end $$;
         create function workshop.plant(claims text) returns text language plpgsql stable parallel safe as $$
         begin
           return set_config('pg_identity.claims', claims, true);
         end $$;
         create function workshop.leave() returns void language sql stable parallel safe as 'select identity.sign_out()'",
    )
    .await
    .unwrap();
    let bob = token_of(&db, BOB).await;
    let claims = json!({ "issuer": db.issuer, "subject": BOB }).to_string();
    for leader in ["off", "on"] {
        app.batch_execute(&format!("set parallel_leader_participation = {leader}")).await.unwrap();
        for signed_in in [None, Some(BOB)] {
            app.batch_execute("begin").await.unwrap();
            if signed_in.is_some() {
                authenticate(&app, &bob).await.unwrap();
            }
            app.batch_execute("savepoint a").await.unwrap();
            for (call, argument) in [("workshop.enter($1)", &bob), ("workshop.plant($1)", &claims)] {
                let refused =
                    app.query(&format!("select count(*) from public.crowd where {call} is null"), &[argument]).await;
                assert_ne!(sqlstate(refused), "accepted", "{call}");
                app.batch_execute("rollback to a").await.unwrap();
                assert_eq!(subject(&app).await.as_deref(), signed_in, "{call}");
            }
            let refused = app.query("select count(*) from public.crowd where workshop.leave() is null", &[]).await;
            assert_ne!(sqlstate(refused), "accepted");
            app.batch_execute("rollback to a").await.unwrap();
            assert_eq!(subject(&app).await.as_deref(), signed_in);
            app.batch_execute("commit").await.unwrap();
        }
    }
    // And a worker that ran for one person is not there for the next.
    sign_in(&db, &app, ALICE).await;
    let seen = app
        .query_one("select count(distinct identity.subject()), min(identity.subject()) from public.crowd", &[])
        .await
        .unwrap();
    assert_eq!((seen.get::<_, i64>(0), seen.get::<_, &str>(1)), (1, ALICE));
}
