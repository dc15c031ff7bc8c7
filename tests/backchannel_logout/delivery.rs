//! The gateway delivers: promptly, in order, at least once, and no client waits for another one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::receiver::{Answer, Receiver, Request};
use super::{change, told, visit, waiting};
use crate::authorize::{Sql, call};
use crate::sessions::sessions;
use crate::support::{Browser, Client, Database, Flow, Gateway, Tokens, User, free_port, until, user};

/// Waits until nothing is left to deliver.
async fn all_told(db: &Database) {
    until("all are told", async || waiting(db).await.is_empty()).await;
}

/// Waits until this is true of the only event.
async fn becomes(db: &Database, condition: &str) {
    let superuser = db.superuser().await;
    let sql = format!("select count(*) from identity_store.backchannel_logouts where {condition}");
    until(condition, async || superuser.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) == 1).await;
}

/// Signs in at these clients and ends the session; its id.
async fn end(db: &Database, sql: &Sql, person: &User, apps: &[&Client]) -> String {
    let cookie = visit(sql, person, apps).await;
    let ended = sessions(db, person).await[0];
    call(sql, "account_session_end", &[&cookie, &ended]).await;
    ended.to_string()
}

/// Clients of this file lie on loopback, which an administrator has to allow.
const LOOPBACK: [(&str, &str); 1] = [("GATEWAY_FETCH_ALLOW", "127.0.0.1")];

async fn start(db: &Database) -> Gateway {
    Gateway::start_with(db, &LOOPBACK).await
}

fn claims(request: &Request) -> Value {
    Tokens::claims(&request.logout_token())
}

#[tokio::test]
async fn a_logout_in_the_browser_is_told_within_a_second() {
    let (db, mut receiver) = (Database::new().await, Receiver::start().await);
    let gateway = start(&db).await;
    let (alice, app) = (user(&db, "alice").await, told(&db, &receiver.url("/out?client=1"), json!({})).await);
    // The quickest of several: this machine may stand still for a moment.
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let flow = Flow::new(&gateway, &app).without("code_challenge").without("code_challenge_method");
        let page = flow.authorize(&alice).await;
        let tokens = flow
            .call(
                "/token",
                &[
                    ("grant_type", "authorization_code"),
                    ("code", &page.location_parameter("code").unwrap()),
                    ("redirect_uri", "https://notes.example/callback"),
                ],
            )
            .await
            .json();
        let id_token = tokens["id_token"].as_str().unwrap();
        let asked =
            [("id_token_hint", id_token), ("post_logout_redirect_uri", "https://notes.example/"), ("state", "s")];
        let url = url::Url::parse_with_params(&gateway.url("/logout"), asked).unwrap();
        let started = Instant::now();
        let page = flow.browser.get(url).await;
        assert_eq!(page.location().unwrap().as_str(), "https://notes.example/?state=s");
        let told = receiver.next().await;
        quickest = quickest.min(started.elapsed());
        assert!(told.head.starts_with("POST /out?client=1 HTTP/1.1\r\n"), "{}", told.head);
        let head = told.head.to_ascii_lowercase();
        assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
        assert!(!head.contains("cookie") && !head.contains("referer"), "{head}");
        assert_eq!(claims(&told)["sid"], Tokens::claims(id_token)["sid"]);
        all_told(&db).await;
        assert!(receiver.rest().is_empty());
    }
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
}

#[tokio::test]
async fn a_client_that_hangs_or_fails_delays_no_other_and_is_told_again() {
    let (db, mut receiver) = (Database::new().await, Receiver::start().await);
    let _gateway = start(&db).await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let mut apps = Vec::new();
    for path in ["/hangs", "/fails", "/good"] {
        apps.push(told(&db, &receiver.url(path), json!({"client_id": path.trim_start_matches('/')})).await);
    }
    receiver.answers("/hangs", &[Answer::Hang, Answer::Status(204)]);
    receiver.answers("/fails", &[Answer::Status(500), Answer::Status(503), Answer::Status(200)]);
    let apps: Vec<&Client> = apps.iter().collect();
    end(&db, &sql, &alice, &apps).await;
    let mut heard: HashMap<String, Vec<Value>> = HashMap::new();
    while heard.len() < 3 {
        let told = receiver.next().await;
        heard.entry(told.path.clone()).or_default().push(claims(&told));
    }
    // The next logout of the good one does not wait for the one that hangs, nor for the one that fails.
    let next = end(&db, &sql, &alice, &[apps[2]]).await;
    while heard["/good"].len() < 2 {
        let told = receiver.next().await;
        heard.entry(told.path.clone()).or_default().push(claims(&told));
    }
    assert_eq!(heard["/good"][1]["sid"], json!(next));
    assert_eq!(receiver.given_up(), 0, "the one that hangs hangs still");
    // Until all have understood: the same events, with the same jti.
    while heard["/hangs"].len() < 2 || heard["/fails"].len() < 3 {
        change(&db, "due_at = least(due_at, now()) where receipt_hash is null").await;
        let told = receiver.next().await;
        heard.entry(told.path.clone()).or_default().push(claims(&told));
    }
    all_told(&db).await;
    assert!(receiver.rest().is_empty());
    for (path, times) in [("/hangs", 2), ("/fails", 3), ("/good", 2)] {
        let mut jtis: Vec<&str> = heard[path].iter().map(|told| told["jti"].as_str().unwrap()).collect();
        assert_eq!(jtis.len(), times, "{path}");
        jtis.dedup();
        assert_eq!(jtis.len(), if path == "/good" { 2 } else { 1 }, "{path}");
    }
}

#[tokio::test]
async fn all_clients_of_a_host_that_hangs_delay_no_client_of_another_host() {
    let (db, mut receiver) = (Database::new().await, Receiver::start().await);
    let _gateway = start(&db).await;
    let (sql, alice, bob) = (db.gateway_role().await, user(&db, "alice").await, user(&db, "bob").await);
    // More than there are places.
    let mut hanging = Vec::new();
    for number in 0..110 {
        hanging.push(told(&db, &receiver.url(&format!("/hangs?{number}")), json!({})).await);
        receiver.answers(&format!("/hangs?{number}"), &[Answer::Hang]);
    }
    let good = told(&db, &receiver.url("/good").replace("127.0.0.1", "localhost"), json!({})).await;
    end(&db, &sql, &alice, &hanging.iter().collect::<Vec<_>>()).await;
    receiver.next().await;
    let sid = end(&db, &sql, &bob, &[&good]).await;
    let mut hung = 1;
    let heard = loop {
        let told = receiver.next().await;
        if told.path == "/good" {
            break told;
        }
        hung += 1;
    };
    assert_eq!(claims(&heard)["sid"], json!(sid));
    assert_eq!(receiver.given_up(), 0, "those that hang hang still");
    assert!(hung <= 10, "{hung} at once at one host");
    // Who found no place is told later.
    let full = "select id from identity_store.backchannel_logouts where failure = 'too many logouts of this host at once' limit 1";
    becomes(&db, &format!("id = ({full})")).await;
}

#[tokio::test]
async fn a_client_that_is_down_for_a_minute_hears_everything_in_order() {
    let db = Database::new().await;
    let _gateway = start(&db).await;
    let (sql, alice, port) = (db.gateway_role().await, user(&db, "alice").await, free_port());
    let app = told(&db, &format!("http://127.0.0.1:{port}/out"), json!({})).await;
    let mut order = Vec::new();
    for _ in 0..5 {
        order.push(json!(end(&db, &sql, &alice, &[&app]).await));
    }
    // Refused connections, until the pauses are half a minute long.
    for attempts in 1..=6 {
        becomes(&db, &format!("attempts >= {attempts} and receipt_hash is null")).await;
        change(&db, "due_at = now() where receipt_hash is null and attempts > 0").await;
    }
    let mut receiver = Receiver::on(port).await;
    change(&db, "due_at = now() where receipt_hash is null and attempts > 0").await;
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(claims(&receiver.next().await)["sid"].clone());
    }
    assert_eq!(heard, order);
    all_told(&db).await;
    assert!(receiver.rest().is_empty());
}

#[tokio::test]
async fn two_gateways_tell_each_client_once() {
    let (db, mut receiver) = (Database::new().await, Receiver::start().await);
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let mut apps = Vec::new();
    for number in 0..40 {
        apps.push(told(&db, &receiver.url(&format!("/{number}")), json!({})).await);
    }
    let apps: Vec<&Client> = apps.iter().collect();
    let sids = [end(&db, &sql, &alice, &apps).await, end(&db, &sql, &alice, &apps).await];
    let _gateways = (start(&db).await, Gateway::start_beside(&db, &LOOPBACK).await);
    all_told(&db).await;
    let mut told: HashMap<String, Vec<Value>> = HashMap::new();
    for request in receiver.rest() {
        told.entry(request.path.clone()).or_default().push(claims(&request)["sid"].clone());
    }
    assert_eq!(told.len(), 40);
    for (path, heard) in told {
        assert_eq!(heard, [json!(sids[0]), json!(sids[1])], "{path}");
    }
}

#[tokio::test]
async fn what_a_gateway_had_taken_when_it_was_killed_the_other_one_delivers() {
    let (db, mut receiver) = (Database::new().await, Receiver::start().await);
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = told(&db, &receiver.url("/out"), json!({})).await;
    receiver.answers("/out", &[Answer::Hang, Answer::Status(200)]);
    let first = start(&db).await;
    let sid = end(&db, &sql, &alice, &[&app]).await;
    let lost = claims(&receiver.next().await);
    crate::operations::signal(&first, "KILL");
    drop(first);
    let _second = Gateway::start_beside(&db, &LOOPBACK).await;
    // Nobody takes it as long as the first one might still be at it.
    becomes(&db, "receipt_hash is not null and attempts = 1 and due_at > now()").await;
    change(&db, "due_at = now()").await;
    let told = claims(&receiver.next().await);
    assert_eq!((&told["jti"], &told["sid"]), (&lost["jti"], &json!(sid)));
    all_told(&db).await;
}

#[tokio::test]
async fn nobody_is_told_at_an_address_that_only_this_machine_can_reach() {
    let (db, mut receiver) = (Database::new().await, Receiver::start().await);
    let _gateway = Gateway::start(&db).await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let port = receiver.port;
    for (uri, failure) in [
        (receiver.url("/out"), "private or special network"),
        (format!("https://127.0.0.1:{port}/out"), "private or special network"),
        (format!("https://localhost:{port}/out"), "only addresses that may not be reached"),
        (format!("https://[::ffff:127.0.0.1]:{port}/out"), "private or special network"),
    ] {
        let app = told(&db, &uri, json!({})).await;
        end(&db, &sql, &alice, &[&app]).await;
        becomes(&db, &format!("failure like '%{failure}%'")).await;
        db.superuser().await.batch_execute("delete from identity_store.backchannel_logouts").await.unwrap();
    }
    assert!(receiver.rest().is_empty());
}

#[tokio::test]
async fn a_client_with_a_certificate_is_told_over_tls_and_a_redirect_leads_nowhere() {
    let (db, mut receiver) = (Database::new().await, Receiver::start().await);
    // Another gateway stands for the client: it answers 405 to a POST at its discovery document, and nobody follows that.
    let mut peer = Database::new().await;
    peer.issuer = format!("https://localhost:{}", peer.http_port);
    peer.superuser().await.execute("select identity.configure($1)", &[&peer.issuer]).await.unwrap();
    let (certificate, key) = crate::tls::certificate(&peer, "logout");
    let tls = [("GATEWAY_TLS_CERTIFICATE_FILE", certificate.as_str()), ("GATEWAY_TLS_KEY_FILE", &key)];
    let _peer = Gateway::start_with(&peer, &tls).await;
    let trusting = [("GATEWAY_FETCH_ALLOW", "localhost,127.0.0.1"), ("GATEWAY_FETCH_CA_FILE", &certificate)];
    let _gateway = Gateway::start_with(&db, &trusting).await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = told(&db, &format!("{}/jwks.json", peer.issuer), json!({})).await;
    end(&db, &sql, &alice, &[&app]).await;
    becomes(&db, "failure = 'answered with status 405' and refusals = 1").await;
    db.superuser().await.batch_execute("delete from identity_store.backchannel_logouts").await.unwrap();
    receiver.answers("/moved", &[Answer::Status(307)]);
    let app = told(&db, &receiver.url("/moved"), json!({})).await;
    end(&db, &sql, &alice, &[&app]).await;
    becomes(&db, "failure = 'answered with status 307'").await;
    assert!(receiver.rest().iter().all(|request| request.path == "/moved"));
}

#[tokio::test]
async fn the_account_page_and_a_new_password_tell_too() {
    let (db, mut receiver) = (Database::new().await, Receiver::start().await);
    let gateway = start(&db).await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = told(&db, &receiver.url("/out"), json!({})).await;
    let browser = Browser::new();
    let page = browser.open(gateway.url("/login")).await;
    browser.sign_in(&page, &alice.username, &alice.password).await;
    for press in ["end-others", "change-password"] {
        visit(&sql, &alice, &[&app]).await;
        let page = browser.open(gateway.url("/")).await;
        let new = "another good password";
        let fields = [("old_password", alice.password.as_str()), ("new_password", new), ("new_password_again", new)];
        browser.press(&page, press, if press == "change-password" { &fields } else { &[] }).await;
        receiver.next().await;
        all_told(&db).await;
    }
}
