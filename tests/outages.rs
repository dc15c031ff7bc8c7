//! The database goes away, comes back, and is too slow: what the gateway answers meanwhile.

use serde_json::json;

use crate::operations::{becomes, header, token};
use crate::support::{Browser, Cluster, Database, Gateway, service_client};

#[tokio::test]
async fn a_gateway_without_its_database_answers_503_until_it_is_there() {
    let cluster = Cluster::start();
    let db = Database::on(cluster).await;
    cluster.control("stop");
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    assert_eq!(browser.get(gateway.url("/healthz")).await.json(), json!({ "status": "ok" }));
    let page = browser.get(gateway.url("/readyz")).await;
    assert_eq!((page.status.as_u16(), page.json()), (503, json!({ "status": "unavailable" })));
    let page = browser
        .post(
            gateway.url("/token"),
            &[("grant_type", "client_credentials"), ("client_id", "a"), ("client_secret", "b")],
        )
        .await;
    assert_eq!((page.status.as_u16(), page.json()["error"].clone()), (503, json!("temporarily_unavailable")));
    assert!(header(&page, "retry-after").is_some());
    cluster.control("start");
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    assert!(gateway.log_text().contains("the database cannot be reached"), "{}", gateway.log_text());

    // And again while it runs: what needs no database goes on, what needs it comes back by itself.
    cluster.control("stop");
    becomes(&browser, &gateway.url("/readyz"), 503).await;
    cluster.control("start");
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    let client = service_client(&db).await;
    assert_eq!(token(&gateway.url("/token"), &client).await.status, 200);
}

#[tokio::test]
async fn a_killed_connection_harms_no_reader() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let superuser = db.superuser().await;
    let readers: Vec<_> = (0..50)
        .map(|_| {
            let url = gateway.url("/readyz");
            tokio::spawn(async move {
                let browser = Browser::new();
                for _ in 0..20 {
                    assert_eq!(browser.get(&url).await.status, 200);
                }
            })
        })
        .collect();
    // One of them after the other, in the middle of 1,000 requests.
    for _ in 0..5 {
        superuser
            .execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'gateway_login' and datname = $1 limit 1", &[&db.name])
            .await
            .unwrap();
        becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_function_that_was_replaced_is_prepared_again() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    // As a restore or a dropped and recreated store would: another oid.
    db.superuser()
        .await
        .batch_execute(
            "begin;
             do $$ declare definition text := pg_get_functiondef('identity.readiness()'::regprocedure); begin
               drop function identity.readiness();
               execute definition;
             end $$;
             alter function identity.readiness() owner to identity_owner;
             revoke all on function identity.readiness() from public;
             grant execute on function identity.readiness() to identity_gateway;
             commit",
        )
        .await
        .unwrap();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    for _ in 0..10 {
        assert_eq!(browser.get(gateway.url("/readyz")).await.status, 200);
    }
}

#[tokio::test]
async fn overload_is_503_with_retry_after_and_never_invalid_client() {
    let db = Database::new().await;
    let client = service_client(&db).await;
    let gateway = Gateway::start_with(
        &db,
        &[("GATEWAY_DATABASE_WRITERS", "1"), ("GATEWAY_DATABASE_QUEUE", "1"), ("GATEWAY_DATABASE_WAIT", "500")],
    )
    .await;
    let lock = db.superuser().await;
    lock.batch_execute("begin; lock table identity_store.clients in access exclusive mode").await.unwrap();
    let requests: Vec<_> = (0..8)
        .map(|_| {
            let (url, client) = (gateway.url("/token"), client.clone());
            tokio::spawn(async move { token(&url, &client).await })
        })
        .collect();
    for request in requests {
        let page = request.await.unwrap();
        assert_eq!(
            (page.status.as_u16(), page.json()["error"].clone()),
            (503, json!("temporarily_unavailable")),
            "{}",
            page.body
        );
        assert!(header(&page, "retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    }
    lock.batch_execute("rollback").await.unwrap();
    assert_eq!(token(&gateway.url("/token"), &client).await.status, 200);
}
