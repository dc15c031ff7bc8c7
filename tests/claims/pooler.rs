//! PgBouncer in transaction mode: many clients, one connection to the server, and nobody finds anybody there.

use super::{bodies, letters, sign_in, subject, token_of};
use crate::jwt::{ALICE, BOB, authenticate, sqlstate};
use crate::support::{Database, Pooler};

async fn process(client: &tokio_postgres::Client) -> i32 {
    client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn two_clients_of_one_server_connection_never_meet() {
    let db = Database::new().await;
    letters(&db).await;
    let pooler = Pooler::start(&db);
    let clients = [(pooler.app().await, ALICE, "to alice"), (pooler.app().await, BOB, "to bob")];
    assert_eq!(process(&clients[0].0).await, process(&clients[1].0).await);
    for turn in 0..12 {
        let (client, person, own) = &clients[turn % 2];
        assert!(bodies(client).await.is_empty());
        sign_in(&db, client, person).await;
        assert_eq!(bodies(client).await, [*own]);
        client.batch_execute(["commit", "rollback", "reset all; commit"][turn % 3]).await.unwrap();
        let (other, ..) = &clients[(turn + 1) % 2];
        assert_eq!(subject(other).await, None);
        assert!(bodies(other).await.is_empty());
    }
    // Without BEGIN the connection is somebody else's after each statement, and nobody is signed in.
    authenticate(&clients[0].0, &token_of(&db, ALICE).await).await.unwrap();
    assert_eq!(subject(&clients[1].0).await, None);
    assert_eq!(subject(&clients[0].0).await, None);
}

#[tokio::test]
async fn a_statement_that_one_client_prepared_shows_the_other_its_own_rows() {
    let db = Database::new().await;
    letters(&db).await;
    let pooler = Pooler::start(&db);
    let (alices, bobs) = (pooler.app().await, pooler.app().await);
    alices
        .batch_execute("set plan_cache_mode = force_generic_plan; prepare shared as select body from public.letters")
        .await
        .unwrap();
    let by_protocol = alices.prepare("select body from public.letters").await.unwrap();
    for _ in 0..4 {
        for (client, person, own) in [(&alices, ALICE, "to alice"), (&bobs, BOB, "to bob")] {
            sign_in(&db, client, person).await;
            // PgBouncer before 1.21 knows nothing of prepared statements: they lie there for everybody.
            for rows in
                [client.query("execute shared", &[]).await.unwrap(), client.query(&by_protocol, &[]).await.unwrap()]
            {
                assert_eq!(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), [own]);
            }
            client.batch_execute("commit").await.unwrap();
            assert!(client.query("execute shared", &[]).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_leaves_nobody_behind() {
    let db = Database::new().await;
    letters(&db).await;
    let pooler = Pooler::start(&db);
    let stays = pooler.app().await;
    let bob = token_of(&db, BOB).await;
    for in_the_middle_of in
        ["select 1", "savepoint a", "insert into public.letters values (identity.user_id(), 'lost')", "select 1/0"]
    {
        let leaves = pooler.app().await;
        sign_in(&db, &leaves, ALICE).await;
        let _ = leaves.batch_execute(in_the_middle_of).await;
        drop(leaves);
        // Waits until the pooler has a server connection for it.
        assert_eq!(subject(&stays).await, None, "{in_the_middle_of}");
        assert!(bodies(&stays).await.is_empty(), "{in_the_middle_of}");
        // Nor is the first subject remembered.
        stays.batch_execute("begin").await.unwrap();
        assert_eq!(sqlstate(authenticate(&stays, &bob).await), "accepted", "{in_the_middle_of}");
        assert_eq!(bodies(&stays).await, ["to bob"], "{in_the_middle_of}");
        stays.batch_execute("commit").await.unwrap();
    }
    sign_in(&db, &stays, ALICE).await;
    assert_eq!(bodies(&stays).await, ["to alice"]);
}
