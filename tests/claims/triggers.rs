//! Code that runs beside a statement: triggers, also at commit, defaults, generated columns, event triggers, notifications.

use tokio_postgres::{AsyncMessage, NoTls};

use super::{letters, sign_in, subject, token_of};
use crate::jwt::{ALICE, BOB, sqlstate};
use crate::support::{Database, Login};

/// A schema in which the application's role may make what it likes, with a table and a place to note who it was.
async fn workshop(db: &Database) -> tokio_postgres::Client {
    let app = db.app().await;
    db.superuser().await.batch_execute("create schema workshop authorization app_login").await.unwrap();
    app.batch_execute(
        "create table workshop.notes (body text);
         create table workshop.seen (event text, person text, role name);
         create function workshop.note() returns trigger language plpgsql as $$
         begin
           insert into workshop.seen values (tg_name, identity.subject(), current_user);
           return new;
         end $$;
         create function workshop.enter() returns trigger language plpgsql as $$
         begin
           perform identity.authenticate(new.body);
           return new;
         end $$",
    )
    .await
    .unwrap();
    app
}

async fn seen(client: &tokio_postgres::Client) -> Vec<(String, Option<String>)> {
    let rows = client.query("delete from workshop.seen returning event, person", &[]).await.unwrap();
    let mut seen: Vec<_> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    seen.sort();
    seen
}

#[tokio::test]
async fn a_trigger_sees_who_is_signed_in_when_it_runs_also_at_commit() {
    let db = Database::new().await;
    let app = workshop(&db).await;
    app.batch_execute(
        "create trigger at_once before insert on workshop.notes for each row execute function workshop.note();
         create constraint trigger at_commit after insert on workshop.notes deferrable initially deferred
           for each row execute function workshop.note()",
    )
    .await
    .unwrap();
    let person = |event: &str, who: Option<&str>| (event.to_owned(), who.map(str::to_owned));
    sign_in(&db, &app, ALICE).await;
    app.batch_execute("insert into workshop.notes values ('x'); commit").await.unwrap();
    assert_eq!(seen(&app).await, [person("at_commit", Some(ALICE)), person("at_once", Some(ALICE))]);
    // Whoever signs out before the commit has nothing done in their name there.
    sign_in(&db, &app, BOB).await;
    app.batch_execute("insert into workshop.notes values ('x'); select identity.sign_out(); commit").await.unwrap();
    assert_eq!(seen(&app).await, [person("at_commit", None), person("at_once", Some(BOB))]);
    // Nor does somebody who signed in to a savepoint that was taken back.
    app.batch_execute("begin; insert into workshop.notes values ('x'); savepoint a").await.unwrap();
    crate::jwt::authenticate(&app, &token_of(&db, ALICE).await).await.unwrap();
    app.batch_execute("rollback to a; commit").await.unwrap();
    assert_eq!(seen(&app).await, [person("at_commit", None), person("at_once", None)]);
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn a_trigger_at_commit_is_still_the_first_subjects_transaction() {
    let db = Database::new().await;
    let app = workshop(&db).await;
    app.batch_execute(
        "create constraint trigger at_commit after insert on workshop.notes deferrable initially deferred
           for each row execute function workshop.enter()",
    )
    .await
    .unwrap();
    let (alice, bob) = (token_of(&db, ALICE).await, token_of(&db, BOB).await);
    for (before, token, expected) in [
        ("select 1", &bob, "ID201"),
        ("select identity.sign_out()", &bob, "ID201"),
        ("reset all", &bob, "ID201"),
        ("select identity.sign_out()", &alice, "accepted"),
    ] {
        sign_in(&db, &app, ALICE).await;
        app.execute("insert into workshop.notes values ($1)", &[token]).await.unwrap();
        app.batch_execute(before).await.unwrap();
        assert_eq!(sqlstate(app.batch_execute("commit").await), expected, "{before}");
        assert_eq!(subject(&app).await, None);
    }
    // One that signs in at commit has nobody left in the next transaction either.
    app.execute("insert into workshop.notes values ($1)", &[&bob]).await.unwrap();
    assert_eq!(subject(&app).await, None);
    sign_in(&db, &app, ALICE).await;
    app.batch_execute("commit").await.unwrap();
    let kept: i64 = app.query_one("select count(*) from workshop.notes", &[]).await.unwrap().get(0);
    assert_eq!(kept, 2);
}

#[tokio::test]
async fn a_default_is_whoever_inserts_and_a_generated_column_cannot_be() {
    let db = Database::new().await;
    let app = workshop(&db).await;
    app.batch_execute("create table workshop.owned (id int, person text default identity.subject())").await.unwrap();
    app.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
    let insert = app.prepare("insert into workshop.owned (id) values ($1) returning person").await.unwrap();
    for (id, person) in [(1, ALICE), (2, BOB), (3, ALICE)] {
        sign_in(&db, &app, person).await;
        let row = app.query_one(&insert, &[&id]).await.unwrap();
        assert_eq!(row.get::<_, Option<&str>>(0), Some(person));
        app.batch_execute("commit").await.unwrap();
    }
    assert_eq!(app.query_one(&insert, &[&4]).await.unwrap().get::<_, Option<&str>>(0), None);
    for refused in [
        "create table workshop.g (person text generated always as (identity.subject()) stored)",
        "create index on workshop.owned ((identity.subject()))",
        "create index on workshop.owned (id) where person = identity.subject()",
        "create table workshop.p (person text) partition by list ((identity.subject()))",
    ] {
        assert_eq!(sqlstate(app.batch_execute(refused).await), "42P17", "{refused}");
    }
}

#[tokio::test]
async fn an_event_trigger_sees_who_is_signed_in_and_ordinary_roles_make_none() {
    let db = Database::new().await;
    let app = workshop(&db).await;
    app.batch_execute("create function workshop.ddl() returns event_trigger language plpgsql as 'begin end'")
        .await
        .unwrap();
    let made = "create event trigger mine on ddl_command_end execute function workshop.ddl()";
    assert_eq!(sqlstate(app.batch_execute(made).await), "42501");
    db.superuser()
        .await
        .batch_execute(
            "create function public.noted() returns event_trigger language plpgsql as $$
             begin
               insert into workshop.seen values (tg_tag, identity.subject(), current_user);
             end $$;
             create event trigger noted on ddl_command_end execute function public.noted()",
        )
        .await
        .unwrap();
    sign_in(&db, &app, ALICE).await;
    app.batch_execute("create table workshop.first (); commit; create sequence workshop.second").await.unwrap();
    let expected = [("CREATE SEQUENCE".to_owned(), None), ("CREATE TABLE".to_owned(), Some(ALICE.to_owned()))];
    assert_eq!(seen(&app).await, expected);
}

#[tokio::test]
async fn a_notification_carries_no_identity() {
    let db = Database::new().await;
    letters(&db).await;
    let (listener, mut connection) = db.cluster.config(Login::App.role(), &db.name).connect(NoTls).await.unwrap();
    let (sender, mut notifications) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                let _ = sender.send(notification.payload().to_owned());
            }
        }
    });
    listener.batch_execute("listen pg_identity; listen claims").await.unwrap();
    let app = db.app().await;
    sign_in(&db, &app, ALICE).await;
    for payload in
        ["select pg_notify('pg_identity', identity.claims()::text)", "select pg_notify('claims', identity.subject())"]
    {
        app.batch_execute(payload).await.unwrap();
    }
    app.batch_execute("commit").await.unwrap();
    for _ in 0..2 {
        assert!(notifications.recv().await.unwrap().contains(ALICE));
        assert_eq!(subject(&listener).await, None);
    }
    assert!(super::bodies(&listener).await.is_empty());
}
