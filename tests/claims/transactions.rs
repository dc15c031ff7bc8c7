//! How long an identity lasts, and that a transaction belongs to one subject.

use serde_json::json;
use tokio_postgres::types::ToSql;

use super::{bodies, letters, sign_in, subject, token_of};
use crate::jwt::{ALICE, BOB, access_token, authenticate, signed, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn the_identity_ends_with_the_transaction() {
    let db = Database::new().await;
    let app = db.app().await;
    let token = access_token(&db, json!({})).await;
    for end in ["commit", "rollback", "prepare transaction 'x'"] {
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &token).await.unwrap();
        assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
        // Prepared transactions are off, so that one fails, and the transaction with it.
        let _ = app.batch_execute(end).await;
        let _ = app.batch_execute("rollback").await;
        assert_eq!(subject(&app).await, None, "{end}");
        // Another subject is welcome in the next one.
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &access_token(&db, json!({ "sub": BOB })).await).await.unwrap();
        app.batch_execute("commit").await.unwrap();
    }
    // Without BEGIN a statement is a transaction.
    authenticate(&app, &token).await.unwrap();
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn a_savepoint_takes_the_identity_back() {
    let db = Database::new().await;
    let app = db.app().await;
    let token = access_token(&db, json!({})).await;
    app.batch_execute("begin; savepoint a").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    app.batch_execute("rollback to a").await.unwrap();
    assert_eq!(subject(&app).await, None);
    authenticate(&app, &token).await.unwrap();
    app.batch_execute("savepoint b; select identity.sign_out()").await.unwrap();
    assert_eq!(subject(&app).await, None);
    app.batch_execute("rollback to b").await.unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
    app.batch_execute("release a; commit").await.unwrap();
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn a_transaction_belongs_to_its_first_subject() {
    let db = Database::new().await;
    let app = db.app().await;
    let alice = access_token(&db, json!({})).await;
    let bob = access_token(&db, json!({ "sub": BOB })).await;
    for between in ["select 1", "select identity.sign_out()", "reset all", "rollback to a"] {
        app.batch_execute("begin; savepoint a").await.unwrap();
        authenticate(&app, &alice).await.unwrap();
        app.batch_execute(between).await.unwrap();
        app.batch_execute("savepoint second").await.unwrap();
        assert_eq!(sqlstate(authenticate(&app, &bob).await), "ID201", "{between}");
        app.batch_execute("rollback to second").await.unwrap();
        // A second token of the same person is no second subject.
        authenticate(&app, &access_token(&db, json!({ "jti": "t-2" })).await).await.unwrap();
        assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
        app.batch_execute("commit").await.unwrap();
    }
}

#[tokio::test]
async fn a_failed_authenticate_leaves_nobody_or_the_one_before() {
    let db = Database::new().await;
    let app = db.app().await;
    let token = access_token(&db, json!({})).await;
    let id_token = signed(&db, "JWT", json!({ "sub": ALICE, "aud": db.issuer })).await;
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    app.batch_execute("savepoint a").await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &id_token).await), "ID108");
    app.batch_execute("rollback to a").await.unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
    assert_eq!(sqlstate(app.execute("select identity.authenticate(null)", &[]).await), "ID101");
    app.batch_execute("rollback to a").await.unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
}

#[tokio::test]
async fn an_exception_block_takes_the_identity_back_and_not_the_first_subject() {
    let db = Database::new().await;
    let app = db.app().await;
    let (alice, bob) = (token_of(&db, ALICE).await, token_of(&db, BOB).await);
    app.batch_execute(&format!(
        "begin;
         do $$
         begin
           begin
             perform identity.authenticate('{alice}');
             assert identity.subject() = '{ALICE}';
             raise exception 'undone';
           exception when raise_exception then
             null;
           end;
           assert identity.subject() is null, 'signed in after the block was undone';
           begin
             perform identity.authenticate('{bob}');
             assert false, 'a second subject';
           exception when sqlstate 'ID201' then
             null;
           end;
           assert identity.subject() is null, 'signed in after a refusal';
           perform identity.authenticate('{alice}');
           begin
             perform identity.authenticate('not a token');
           exception when sqlstate 'ID101' then
             null;
           end;
         end $$"
    ))
    .await
    .unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
    app.batch_execute("commit").await.unwrap();
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn a_commit_inside_a_block_ends_the_identity_there() {
    let db = Database::new().await;
    let app = db.app().await;
    let (alice, bob) = (token_of(&db, ALICE).await, token_of(&db, BOB).await);
    for end in ["commit", "rollback", "commit and chain", "rollback and chain"] {
        app.batch_execute(&format!(
            "do $$
             begin
               perform identity.authenticate('{alice}');
               {end};
               assert identity.subject() is null, 'signed in after {end}';
               perform identity.authenticate('{bob}');
               assert identity.subject() = '{BOB}';
             end $$"
        ))
        .await
        .unwrap();
        assert_eq!(subject(&app).await, None, "{end}");
    }
    for end in ["commit and chain", "rollback and chain"] {
        sign_in(&db, &app, ALICE).await;
        app.batch_execute(end).await.unwrap();
        assert_eq!(subject(&app).await, None, "{end}");
        authenticate(&app, &bob).await.unwrap();
        app.batch_execute("commit").await.unwrap();
    }
}

#[tokio::test]
async fn a_function_with_settings_of_its_own_does_not_shorten_the_identity() {
    let db = Database::new().await;
    let app = db.app().await;
    app.batch_execute(
        "create function pg_temp.enter(token text) returns text language plpgsql security definer
           set search_path = pg_catalog set work_mem = '1MB' as $$
         begin
           perform identity.authenticate(token);
           return identity.subject();
         end $$;
         begin",
    )
    .await
    .unwrap();
    let inside: String =
        app.query_one("select pg_temp.enter($1)", &[&token_of(&db, ALICE).await]).await.unwrap().get(0);
    assert_eq!(inside, ALICE);
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
    let refused = app.query("select pg_temp.enter($1)", &[&token_of(&db, BOB).await]).await;
    assert_eq!(sqlstate(refused), "ID201");
    app.batch_execute("rollback").await.unwrap();
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn one_statement_that_signs_in_and_reads_shows_nobody_elses_rows() {
    let db = Database::new().await;
    letters(&db).await;
    let app = db.app().await;
    // Whether it is too early or too late for the person's own rows is PostgreSQL's choice; never somebody else's.
    for query in [
        "select body, identity.authenticate($1)::text from public.letters",
        "with who as materialized (select identity.authenticate($1)) select body from who, public.letters",
        "select body from public.letters where identity.authenticate($1) is not null or true",
        "select body from public.letters order by (select identity.authenticate($1)::text)",
        "insert into public.letters select $2::uuid, identity.authenticate($1)::text || 'new' returning body",
    ] {
        for (person, own) in [(ALICE, "to alice"), (BOB, "to bob")] {
            let token = token_of(&db, person).await;
            app.batch_execute("begin").await.unwrap();
            let rows = if query.starts_with("insert") {
                let person: uuid::Uuid = person.parse().unwrap();
                app.query(query, &[&token, &person]).await
            } else {
                app.query(query, &[&token]).await
            };
            // An insert that was looked at before anybody signed in is refused.
            for row in rows.unwrap_or_default() {
                let body: &str = row.get(0);
                assert!(body == own || body == "new", "{query}: {body}");
            }
            app.batch_execute("rollback").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_crowd_on_few_connections_never_meets() {
    let db = Database::new().await;
    letters(&db).await;
    let tokens = [(ALICE, token_of(&db, ALICE).await, "to alice"), (BOB, token_of(&db, BOB).await, "to bob")];
    let mut crowd = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (app, tokens) = (db.app().await, tokens.clone());
        crowd.spawn(async move {
            for turn in 0..40 {
                let (_, token, own) = &tokens[(number + turn / 3) % 2];
                app.batch_execute("begin").await.unwrap();
                if turn % 5 == 4 {
                    assert!(bodies(&app).await.is_empty(), "somebody was left over");
                }
                authenticate(&app, token).await.unwrap();
                assert_eq!(bodies(&app).await, [*own]);
                // Ended in every way there is; a failed one too.
                let end = ["commit", "rollback", "select 1/0"][turn % 3];
                let _ = app.batch_execute(end).await;
                let _ = app.batch_execute("rollback").await;
                assert!(bodies(&app).await.is_empty());
            }
        });
    }
    while let Some(outcome) = crowd.join_next().await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn two_subjects_sent_at_once_are_one_subject() {
    let db = Database::new().await;
    letters(&db).await;
    let app = db.app().await;
    let (alice, bob) = (token_of(&db, ALICE).await, token_of(&db, BOB).await);
    let authenticating = app.prepare("select identity.authenticate($1)").await.unwrap();
    for (first, second, person) in [(&alice, &bob, ALICE), (&bob, &alice, BOB)] {
        // Pipelined: the second is on its way before the first is answered.
        let (earlier, later): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([first], [second]);
        let (began, one, other, left) = tokio::join!(
            app.batch_execute("begin; savepoint a"),
            app.execute(&authenticating, &earlier),
            app.execute(&authenticating, &later),
            app.batch_execute("rollback to a"),
        );
        began.unwrap();
        left.unwrap();
        assert_eq!(sqlstate(one), "accepted");
        assert_eq!(sqlstate(other), "ID201");
        assert_eq!(subject(&app).await, None);
        app.execute(&authenticating, &[first]).await.unwrap();
        assert_eq!(subject(&app).await.as_deref(), Some(person));
        app.batch_execute("rollback").await.unwrap();
    }
    // Two transactions of two people at the same time, step by step.
    let other = db.app().await;
    sign_in(&db, &app, ALICE).await;
    sign_in(&db, &other, BOB).await;
    for _ in 0..3 {
        assert_eq!((bodies(&app).await, bodies(&other).await), (vec!["to alice".into()], vec!["to bob".into()]));
    }
    app.batch_execute("commit").await.unwrap();
    assert_eq!(bodies(&other).await, ["to bob"]);
}
