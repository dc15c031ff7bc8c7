//! Connections that the database makes to itself: they are other transactions, and nobody is signed in there.

use super::{bodies, letters, sign_in, subject, token_of};
use crate::jwt::{ALICE, BOB, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn a_dblink_to_the_same_database_is_nobody() {
    let db = Database::new().await;
    let superuser = letters(&db).await;
    superuser
        .batch_execute(
            "create extension dblink;
             grant execute on function dblink_connect_u(text, text) to app_login",
        )
        .await
        .unwrap();
    let app = db.app().await;
    let place = format!("host=127.0.0.1 port={} dbname={} user=app_login", db.cluster.port, db.name);
    // An ordinary role does not get that far by itself.
    assert_eq!(sqlstate(app.query("select dblink_connect($1, $2)", &[&"x", &place]).await), "2F003");
    sign_in(&db, &app, ALICE).await;
    app.query("select dblink_connect_u($1, $2)", &[&"loop", &place]).await.unwrap();
    let far = "select * from dblink('loop', $1) as answer (person text)";
    let ask = async |sql: &str| -> Vec<Option<String>> {
        app.query(far, &[&sql]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(ask("select identity.subject()").await, [None]);
    assert_eq!(ask("select body from public.letters").await, [""; 0].map(|_: &str| None));
    // There, somebody else may sign in; here, nothing changes.
    app.query("select dblink_exec('loop', 'begin')", &[]).await.unwrap();
    let bob = token_of(&db, BOB).await;
    assert_eq!(ask(&format!("select identity.authenticate('{bob}')::text")).await, [Some(String::new())]);
    assert_eq!(ask("select body from public.letters").await, [Some("to bob".into())]);
    assert_eq!(bodies(&app).await, ["to alice"]);
    app.batch_execute("commit").await.unwrap();
    assert_eq!(subject(&app).await, None);
    // Nor does a connection string bring an identity along.
    let planted = format!("{place} options='-c pg_identity.claims={{}}'");
    assert_eq!(sqlstate(app.query("select dblink_connect_u($1, $2)", &[&"planted", &planted]).await), "08001");
    app.query("select dblink_disconnect('loop')", &[]).await.unwrap();
}

#[tokio::test]
async fn a_foreign_table_that_is_our_own_shows_nobodys_rows() {
    let db = Database::new().await;
    let superuser = letters(&db).await;
    superuser
        .batch_execute(&format!(
            "create extension postgres_fdw;
             create server loop foreign data wrapper postgres_fdw options (host '127.0.0.1', port '{}', dbname '{}');
             create user mapping for app_login server loop options (user 'app_login', password_required 'false');
             create view public.person as select identity.subject() as subject;
             grant select on public.person to app_login;
             create foreign table public.far_letters (user_id uuid, body text) server loop options (table_name 'letters');
             create foreign table public.far_person (subject text) server loop options (table_name 'person');
             grant select, insert on public.far_letters, public.far_person to app_login",
            db.cluster.port, db.name
        ))
        .await
        .unwrap();
    let app = db.app().await;
    for person in [ALICE, BOB] {
        sign_in(&db, &app, person).await;
        assert!(app.query("select body from public.far_letters", &[]).await.unwrap().is_empty());
        // A reader is not sent there: the comparison is made here, with the person who is here.
        assert!(
            app.query("select from public.far_letters where user_id = identity.user_id()", &[])
                .await
                .unwrap()
                .is_empty()
        );
        let far: Option<String> = app.query_one("select subject from public.far_person", &[]).await.unwrap().get(0);
        assert_eq!(far, None);
        app.batch_execute("savepoint a").await.unwrap();
        let written = app.execute(&format!("insert into public.far_letters values ('{person}', 'x')"), &[]).await;
        assert_eq!(sqlstate(written), "42501");
        app.batch_execute("rollback to a").await.unwrap();
        assert_eq!(subject(&app).await.as_deref(), Some(person));
        app.batch_execute("commit").await.unwrap();
    }
    let refused = sqlstate(superuser.batch_execute("select identity.protect('public.far_letters')").await);
    assert_eq!(refused, "ID005");
}
