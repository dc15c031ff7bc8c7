//! Plans, portals and constants that outlive a transaction: the identity is not in them.

use serde_json::json;
use uuid::Uuid;

use super::{bodies, letters, sign_in, token_of};
use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn a_cached_plan_keeps_nobody() {
    let db = Database::new().await;
    let app = db.app().await;
    app.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
    let statement = app.prepare("select identity.user_id() = $1").await.unwrap();
    for person in [ALICE, BOB, ALICE] {
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &access_token(&db, json!({ "sub": person })).await).await.unwrap();
        let id: Uuid = person.parse().unwrap();
        assert_eq!(app.query_one(&statement, &[&id]).await.unwrap().get::<_, Option<bool>>(0), Some(true));
        app.batch_execute("commit").await.unwrap();
        assert_eq!(app.query_one(&statement, &[&id]).await.unwrap().get::<_, Option<bool>>(0), None);
    }
}

#[tokio::test]
async fn a_prepared_query_shows_each_person_their_own_rows() {
    let db = Database::new().await;
    letters(&db).await;
    let own = |person: &str| if person == ALICE { "to alice" } else { "to bob" };
    for mode in ["force_generic_plan", "force_custom_plan", "auto"] {
        let app = db.app().await;
        app.batch_execute(&format!(
            "set plan_cache_mode = {mode};
             prepare in_sql as select body from public.letters;
             create function pg_temp.in_function() returns setof text language plpgsql as
               'begin return query select l.body from public.letters l; end';
             create function pg_temp.in_sql_function() returns setof text language sql as 'select body from public.letters'"
        ))
        .await
        .unwrap();
        let prepared = app.prepare("select body from public.letters").await.unwrap();
        let one = app.prepare("select body from public.letters where user_id = $1").await.unwrap();
        let everybody: Vec<Uuid> = [ALICE, BOB].iter().map(|id| id.parse().unwrap()).collect();
        // More often than PostgreSQL tries custom plans before it keeps one.
        for person in [ALICE, BOB, ALICE, BOB, BOB, ALICE, BOB, ALICE, ALICE] {
            sign_in(&db, &app, person).await;
            let texts = |rows: Vec<tokio_postgres::Row>| -> Vec<String> { rows.iter().map(|row| row.get(0)).collect() };
            assert_eq!(texts(app.query(&prepared, &[]).await.unwrap()), [own(person)], "{mode}");
            assert_eq!(texts(app.query("execute in_sql", &[]).await.unwrap()), [own(person)], "{mode}");
            for function in ["select pg_temp.in_function()", "select pg_temp.in_sql_function()"] {
                assert_eq!(texts(app.query(function, &[]).await.unwrap()), [own(person)], "{mode} {function}");
            }
            for id in &everybody {
                let expected: &[&str] = if id.to_string() == person { &[own(person)] } else { &[] };
                assert_eq!(texts(app.query(&one, &[id]).await.unwrap()), expected, "{mode}");
            }
            app.batch_execute("commit").await.unwrap();
            assert!(app.query(&prepared, &[]).await.unwrap().is_empty(), "{mode}");
            assert!(app.query("execute in_sql", &[]).await.unwrap().is_empty(), "{mode}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_the_caller_calls_immutable_shows_nobody_elses_rows() {
    let db = Database::new().await;
    letters(&db).await;
    let app = db.app().await;
    app.batch_execute(
        "create function pg_temp.me() returns uuid immutable parallel safe language plpgsql as 'begin return identity.user_id(); end';
         create function pg_temp.me_in_sql() returns uuid immutable language sql as 'select identity.user_id()';
         create function pg_temp.scope(text) returns boolean immutable language plpgsql as 'begin return identity.has_scope($1); end';
         set plan_cache_mode = force_generic_plan",
    )
    .await
    .unwrap();
    // PostgreSQL keeps what such a function answered in the plan: a lie that the caller told itself.
    let mine = app.prepare("select body from public.letters where user_id = pg_temp.me()").await.unwrap();
    let other = app
        .prepare("select body, pg_temp.me_in_sql() from public.letters where user_id <> pg_temp.me_in_sql() or true")
        .await
        .unwrap();
    let insert = app.prepare("insert into public.letters values (pg_temp.me(), 'new') returning body").await.unwrap();
    let mut refused = 0;
    for (person, own) in [(ALICE, "to alice"), (BOB, "to bob"), (ALICE, "to alice")] {
        sign_in(&db, &app, person).await;
        for statement in [&mine, &other] {
            for row in app.query(statement, &[]).await.unwrap() {
                assert_eq!(row.get::<_, &str>(0), own);
            }
        }
        // Written in somebody else's name by the stale plan, the row does not come in.
        match sqlstate(app.query(&insert, &[]).await).as_str() {
            "accepted" => {}
            "42501" => refused += 1,
            other => panic!("{other}"),
        }
        app.batch_execute("rollback").await.unwrap();
    }
    assert_eq!(refused, 1);
    assert!(app.query(&mine, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn partitions_are_chosen_by_whoever_is_signed_in() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute(&format!(
            "create table public.events (user_id uuid, body text) partition by list (user_id);
             create table public.events_alice partition of public.events for values in ('{ALICE}');
             create table public.events_bob partition of public.events for values in ('{BOB}');
             insert into public.events values ('{ALICE}', 'a'), ('{BOB}', 'b');
             select identity.protect('public.events');
             grant select on public.events to app_login"
        ))
        .await
        .unwrap();
    let app = db.app().await;
    app.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
    let prepared = app.prepare("select body from public.events where user_id = identity.user_id()").await.unwrap();
    for (person, own) in [(ALICE, "a"), (BOB, "b"), (ALICE, "a")] {
        sign_in(&db, &app, person).await;
        let rows = app.query(&prepared, &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), [own]);
        app.batch_execute("commit").await.unwrap();
        assert!(app.query(&prepared, &[]).await.unwrap().is_empty());
    }
    for part in ["events_alice", "events_bob"] {
        assert_eq!(sqlstate(app.query(&format!("select from public.{part}"), &[]).await), "42501");
    }
}

#[tokio::test]
async fn a_cursor_shows_the_rows_of_whoever_opened_it_and_lets_nobody_stay() {
    let db = Database::new().await;
    letters(&db).await;
    let app = db.app().await;
    sign_in(&db, &app, ALICE).await;
    app.batch_execute(
        "declare held cursor with hold for select body, identity.subject() from public.letters;
         declare scrolled scroll cursor for select body from public.letters;
         commit",
    )
    .await
    .unwrap();
    sign_in(&db, &app, BOB).await;
    // README, the security boundary: rows of a WITH HOLD cursor are the caller's once fetched. They were read as alice, at her commit.
    let held = app.query("fetch all from held", &[]).await.unwrap();
    assert_eq!(held.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(&str, &str)>>(), [("to alice", ALICE)]);
    assert_eq!(bodies(&app).await, ["to bob"]);
    app.batch_execute("savepoint a").await.unwrap();
    assert_eq!(sqlstate(app.query("fetch all from scrolled", &[]).await), "34000");
    app.batch_execute("rollback to a").await.unwrap();
    // One that is opened by bob and read after he has left is read to the end at his commit, as him.
    app.batch_execute("declare late cursor with hold for select body, identity.subject() from public.letters; commit")
        .await
        .unwrap();
    let late = app.query("fetch all from late", &[]).await.unwrap();
    assert_eq!(late.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(&str, &str)>>(), [("to bob", BOB)]);
    // Opened by nobody it stays empty, whoever fetches.
    app.batch_execute("declare empty cursor with hold for select body from public.letters").await.unwrap();
    sign_in(&db, &app, ALICE).await;
    assert!(app.query("fetch all from empty", &[]).await.unwrap().is_empty());
    app.batch_execute("commit; close all").await.unwrap();
    // A loop that commits in between goes on with the rows it has, and nobody is signed in meanwhile.
    let token = token_of(&db, ALICE).await;
    app.batch_execute(&format!(
        "do $$
         declare
           letter record;
         begin
           perform identity.authenticate('{token}');
           for letter in select body from public.letters loop
             commit;
             assert identity.subject() is null;
             assert not exists (select from public.letters);
           end loop;
         end $$"
    ))
    .await
    .unwrap();
}

#[tokio::test]
async fn a_view_of_the_caller_answers_whoever_is_signed_in() {
    let db = Database::new().await;
    letters(&db).await;
    let app = db.app().await;
    app.batch_execute("create temporary view mine as select body, identity.subject() from public.letters")
        .await
        .unwrap();
    for (person, own) in [(ALICE, "to alice"), (BOB, "to bob")] {
        sign_in(&db, &app, person).await;
        let rows = app.query("select * from mine", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(&str, &str)>>(), [(own, person)]);
        app.batch_execute("commit").await.unwrap();
    }
    assert!(app.query("select * from mine", &[]).await.unwrap().is_empty());
}
