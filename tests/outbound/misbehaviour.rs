//! Servers that misbehave, and addresses that must not be reached: the client has not proved itself, and nobody else waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{World, jwks, named};
use crate::http::assert_error;
use crate::support::{Says, service_client, until};

#[tokio::test]
async fn a_server_that_misbehaves_proves_nothing_and_is_told_of() {
    let world = World::with(&[("GATEWAY_FETCH_TIMEOUT", "2")]).await;
    let key = named("a");
    let good = Says::ok("application/json", jwks(&[&key]));
    world.stranger.says("/good", good);
    let status = |status: &str| Says::Answer(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
    let private = jwks(&[&key]).replace("\"kid\"", "\"d\":\"AAAA\",\"kid\"");
    for (n, (says, failure)) in [
        (Says::Floods, "is longer than 65536 bytes"),
        (Says::Drips, "did not answer in time"),
        (Says::Hangs, "did not answer in time"),
        (Says::redirect(&world.stranger.url("/good")), "answered with status 302, not 200"),
        (status("500 No"), "answered with status 500, not 200"),
        (status("204 No Content"), "answered with status 204, not 200"),
        (Says::Answer("nonsense\r\n\r\n".into()), "error sending request"),
        (Says::ok("text/html", "<html>"), "this is no JWK set of public keys"),
        (Says::ok("application/json", "{\"keys\": [1]}"), "this is no JWK set of public keys"),
        (Says::ok("application/json", private), "this is no JWK set of public keys"),
        (Says::ok("application/json", "\0"), "is no text in UTF-8"),
        (Says::ok("application/json", " ".repeat(65_537)), "is longer than 65536 bytes"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{n}");
        let app = world.service(&path).await;
        world.stranger.says(&path, says.clone());
        assert_error(&world.token(&app, &key).await, 401, "invalid_client");
        let said = world.failure(&app).await.unwrap();
        assert!(said.contains(failure), "{says:?}: {said}");
        assert_eq!(world.stranger.asked(&path).len(), 1);
    }
    assert_eq!(world.stranger.asked("/good").len(), 0, "no redirect is followed");
}

#[tokio::test]
async fn an_address_of_this_machine_is_refused_in_every_spelling_and_nobody_connects() {
    // Whoever may reach another private network may not reach this machine.
    let world = World::with(&[("GATEWAY_FETCH_ALLOW", "10.0.0.0/8")]).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let key = named("a");
    for url in [
        "https://127.0.0.1:{}",
        "https://127.1:{}",
        "https://0x7f.1:{}",
        "https://2130706433:{}",
        "https://017700000001:{}",
        "https://[::1]:{}",
        "https://[::ffff:127.0.0.1]:{}",
        "https://[::ffff:7f00:1]:{}",
        "https://[64:ff9b::127.0.0.1]:{}",
        "https://0:{}",
        "https://[::]:{}",
        "https://127%2e0%2e0%2e1:{}",
        "https://localhost:{}",
        "https://LOCALHOST:{}",
        "https://169.254.169.254:{}",
        "https://192.168.0.1:{}",
        "http://127.0.0.1:{}",
        "http://localhost:{}",
        "http://[::1]:{}",
    ] {
        let app = world.service_at(&url.replace("{}", &port.to_string())).await;
        assert_error(&world.token(&app, &key).await, 401, "invalid_client");
        let said = world.failure(&app).await.unwrap();
        let refused = ["is an address of a private or special network", "has only addresses that may not be reached"];
        assert!(refused.iter().any(|why| said.contains(why)), "{url}: {said}");
    }
    let waited = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(waited.is_err(), "somebody connected");
}

#[tokio::test]
async fn a_hundred_requests_for_a_key_that_nobody_knows_are_a_few_fetches() {
    let world = Arc::new(World::new().await);
    let (app, key) = (world.service("/jwks").await, named("a"));
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&key])));
    let began = Instant::now();
    for _ in 0..3 {
        let mut answers = JoinSet::new();
        for _ in 0..100 {
            let (world, app) = (Arc::clone(&world), app.clone());
            answers.spawn(async move { world.token(&app, &named("b")).await });
        }
        answers.join_all().await.iter().for_each(|page| assert_error(page, 401, "invalid_client"));
    }
    let most = 5 * (1 + began.elapsed().as_secs() as usize / 60);
    assert!(world.stranger.times_asked() <= most, "{} fetches in {:?}", world.stranger.times_asked(), began.elapsed());
    assert_eq!(world.token(&app, &key).await.status, 200);
}

#[tokio::test]
async fn a_server_that_hangs_holds_no_connection_of_the_database_and_delays_nobody_else() {
    let environment = [("GATEWAY_DATABASE_WRITERS", "2"), ("GATEWAY_DATABASE_READERS", "1")];
    let world = World::with(&environment).await;
    let (key, service) = (named("a"), service_client(&world.db).await);
    world.stranger.says("/jwks", Says::ok("application/json", jwks(&[&key])));
    let good = world.service("/jwks").await;
    let mut clients = Vec::new();
    for n in 0..20 {
        clients.push(world.service(&format!("/hangs/{n}")).await);
    }
    let world = Arc::new(world);
    let mut hanging = JoinSet::new();
    for app in clients {
        let (world, key) = (Arc::clone(&world), named("a"));
        hanging.spawn(async move { world.token(&app, &key).await });
    }
    until("eight fetches begin", async || world.stranger.times_asked() >= 8).await;
    // Idle, all of them, long before the fetches end: nobody is in a transaction.
    let busy = "select count(*) from pg_stat_activity where datname = current_database() and usename = 'gateway_login' and state <> 'idle'";
    let superuser = world.db.superuser().await;
    until("nobody is busy", async || superuser.query_one(busy, &[]).await.unwrap().get::<_, i64>(0) == 0).await;
    for _ in 0..25 {
        // By the shared connections, and by the pool of two.
        for (path, field) in [("/token", ("grant_type", "client_credentials")), ("/revoke", ("token", "unknown"))] {
            let request = world.browser.http.post(world.gateway.url(path));
            let request = request.basic_auth(&service.id, service.secret.as_ref());
            let page = world.browser.send(request.form(&[field])).await;
            assert_eq!(page.status, 200, "{}", page.body);
        }
    }
    // None of it waited for the fetches: as many as one host has places for hang still.
    let mut ended = Vec::new();
    while let Some(page) = hanging.try_join_next() {
        ended.push(page.unwrap());
    }
    assert!(hanging.len() >= 8, "only {} hang still", hanging.len());
    // One host has so many places, and who finds none is told soon: this one is at the same host.
    let page = world.token(&good, &key).await;
    assert_error(&page, 401, "invalid_client");
    assert!(world.failure(&good).await.unwrap().contains("too many documents at once"));
    ended.extend(hanging.join_all().await);
    ended.iter().for_each(|page| assert_error(page, 401, "invalid_client"));
}
