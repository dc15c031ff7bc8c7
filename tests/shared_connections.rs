//! The few pipelined connections that all reads share: what goes wrong for one request is nobody else's business (README,
//! decision 3).

mod limits;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::authorize::{authorize, call, request, session};
use crate::operations::{becomes, dial, header};
use crate::refresh::{OFFLINE, tokens};
use crate::registration;
use crate::support::{
    Browser, Client, Database, Flow, Gateway, Page, checkout, service_client, until, user, web_client,
};
use crate::token::method;

/// A person without a password and an access token of theirs.
async fn holder(db: &Database, app: &Client, name: &str) -> (Uuid, String) {
    let profile = json!({"preferred_username": name, "name": name});
    let id: Uuid = db.admin().await.query_one("select identity.user_create($1)", &[&profile]).await.unwrap().get(0);
    let claims = json!({"sub": id, "aud": db.issuer, "client_id": app.id, "scope": "openid profile"});
    let mint = "select identity.mint_access_token($1, 300)";
    (id, db.superuser().await.query_one(mint, &[&claims]).await.unwrap().get(0))
}

async fn userinfo(browser: &Browser, url: &str, token: &str) -> Page {
    browser.send(browser.http.get(url).bearer_auth(token)).await
}

const SLEEPS: &str = "select from pg_stat_activity where datname = $1 and wait_event = 'PgSleep'";
const END_SLEEPER: &str =
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and wait_event = 'PgSleep' limit 1";

#[tokio::test]
async fn a_request_that_is_killed_timed_out_or_dropped_harms_none_of_a_thousand_others_and_nobody_sees_another_person()
{
    let db = Database::new().await;
    let app = web_client(&db).await;
    let superuser = db.superuser().await;
    // Three people whose claims are a nuisance to read.
    superuser
        .batch_execute(
            "do $$ begin
               execute replace(pg_get_functiondef('identity_store.user_claims(uuid, text[], jsonb)'::regprocedure),
                 'user_claims', 'user_claims_read');
             end $$;
             create or replace function identity_store.user_claims(user_id uuid, scopes text[], more jsonb default '{}') returns jsonb
             language plpgsql volatile as $$
             declare name text := (select u.username from identity_store.users u where u.id = user_claims.user_id);
             begin
               if name = 'slow' then perform pg_sleep(60);
               elsif name = 'locked' then perform pg_advisory_xact_lock(4711);
               elsif name = 'dozing' then perform pg_sleep(0.3);
               end if;
               return identity_store.user_claims_read($1, $2, $3);
             end $$;
             select pg_advisory_lock(4711)",
        )
        .await
        .unwrap();
    let gateway = Gateway::start_with(&db, &[("GATEWAY_DATABASE_READERS", "2")]).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let url = gateway.url("/userinfo");

    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut others = Vec::new();
    for n in 0..20 {
        let name = format!("person{n}");
        let (id, token) = holder(&db, &app, &name).await;
        let (url, stop, answered) = (url.clone(), stop.clone(), answered.clone());
        others.push(tokio::spawn(async move {
            let (browser, expected) = (Browser::new(), json!({"sub": id, "name": name, "preferred_username": name}));
            while !stop.load(Ordering::Relaxed) || answered.load(Ordering::Relaxed) < 1000 {
                let page = userinfo(&browser, &url, &token).await;
                assert_eq!(page.status, 200, "{}", page.body);
                let mut claims = page.json();
                claims.as_object_mut().unwrap().remove("updated_at");
                assert_eq!(claims, expected);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }

    let browser = Browser::new();
    let busy = |page: &Page| {
        assert_eq!((page.status.as_u16(), &page.json()["error"]), (503, &json!("temporarily_unavailable")));
        assert!(header(page, "retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    };
    // statement_timeout and lock_timeout, more than once on each connection. (What waits for a lock on a machine that stands still
    // may be ended by the other one.)
    for (name, ended_by) in [("slow", "statement timeout"), ("locked", "lock timeout")] {
        let (_, token) = holder(&db, &app, name).await;
        let before = canceled(&db, ended_by);
        for _ in 0..3 {
            busy(&userinfo(&browser, &url, &token).await);
        }
        assert!(canceled(&db, ended_by) >= before + 2, "{name} was not ended by {ended_by}");
    }
    // Killed in the middle of it: asked again on another connection.
    let (id, token) = holder(&db, &app, "dozing").await;
    for _ in 0..3 {
        let mut killed = 0;
        // On a machine that stood still it may have woken up before.
        while killed == 0 {
            let mut asked = std::pin::pin!(userinfo(&browser, &url, &token));
            let end_sleeper = async || superuser.execute(END_SLEEPER, &[&db.name]).await.unwrap();
            let page = loop {
                tokio::select! {
                    page = &mut asked => break page,
                    count = end_sleeper(), if killed == 0 => killed = count,
                }
            };
            assert_eq!((page.status.as_u16(), &page.json()["sub"]), (200, &json!(id)));
        }
    }
    // Dropped by its client: nothing is cancelled, for that would hit whoever is running.
    for _ in 0..3 {
        let mut stream = dial(&db);
        write!(stream, "GET /userinfo HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n").unwrap();
        stream.set_nonblocking(true).unwrap();
        until("it sleeps, or is answered already", async || {
            superuser.execute(SLEEPS, &[&db.name]).await.unwrap() > 0 || stream.peek(&mut [0]).is_ok()
        })
        .await;
        drop(stream);
        becomes(&browser, &gateway.url("/readyz"), 200).await;
    }
    stop.store(true, Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) >= 1000);
    assert_eq!(canceled(&db, "user request"), 0, "a cancel request was sent");
    // Which would be seen there.
    let sleeper = db.superuser().await;
    let cancel = sleeper.cancel_token();
    let asleep = tokio::spawn(async move { sleeper.batch_execute("select pg_sleep(1000)").await });
    until("the log tells of a cancel request", async || {
        cancel.cancel_query(tokio_postgres::NoTls).await.unwrap();
        canceled(&db, "user request") == 1
    })
    .await;
    assert!(asleep.await.unwrap().is_err());
}

/// How many statements in this database were ended for that reason, as the server has logged.
fn canceled(db: &Database, reason: &str) -> usize {
    let log = std::fs::read(db.cluster.dir.join("log")).unwrap();
    let (database, canceled) = (format!("@{} ERROR: ", db.name), format!("canceling statement due to {reason}"));
    String::from_utf8_lossy(&log).lines().filter(|line| line.contains(&database) && line.ends_with(&canceled)).count()
}

#[tokio::test]
async fn a_write_whose_connection_is_killed_is_503_and_good_the_next_time() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let gateway = Gateway::start(&db).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let first = tokens(&sql, &app, &alice, OFFLINE).await;
    let flow = Flow::new(&gateway, &app);
    let superuser = db.superuser().await;
    superuser.batch_execute("begin; select from identity_store.refresh_families for update").await.unwrap();
    let watcher = db.superuser().await;
    let (page, ()) = tokio::join!(flow.refresh(first["refresh_token"].as_str().unwrap()), async {
        let waiting = "select pg_terminate_backend(pid) from pg_stat_activity
                       where datname = $1 and usename = 'gateway_login' and wait_event_type = 'Lock'";
        until("somebody waits", async || watcher.execute(waiting, &[&db.name]).await.unwrap() > 0).await;
    });
    assert_eq!((page.status.as_u16(), &page.json()["error"]), (503, &json!("temporarily_unavailable")));
    assert!(header(&page, "retry-after").is_some());
    superuser.batch_execute("commit").await.unwrap();
    assert_eq!(flow.refresh(first["refresh_token"].as_str().unwrap()).await.status, 200);
}

/// The functions that the gateway calls on its shared connections.
fn reads() -> BTreeSet<String> {
    fn sources(folder: &Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, texts);
            } else {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut texts = Vec::new();
    sources(&checkout().join("gateway/src"), &mut texts);
    let calls = texts.iter().flat_map(|text| text.split("pool: Pool::Reads,").skip(1));
    let names = calls.filter_map(|call| call.split_once("identity.")?.1.split_once('(').map(|(name, _)| name));
    names.filter(|name| *name != "…").map(str::to_owned).collect()
}

#[tokio::test]
async fn what_runs_on_shared_connections_writes_nothing_locks_no_row_and_leaves_no_setting() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let job = service_client(&db).await;
    let cookie = session(&sql, &alice).await;
    registration::configure(&db, "'open'").await;
    let registered = registration::registered(&sql, &json!({"redirect_uris": ["https://app.example/cb"]})).await;
    let [itself, proof] = ["client_id", "registration_access_token"].map(|member| registered[member].as_str());
    let given = tokens(&sql, &app, &alice, OFFLINE).await;
    let (_, sign_in) = authorize(&sql, &request(&app), None).await;
    let (access, resume) = (given["access_token"].as_str().unwrap(), sign_in["resume"].as_str().unwrap());
    let unused = "update identity_store.sessions set last_seen_at = last_seen_at - interval '2 minutes'";
    db.superuser().await.batch_execute(unused).await.unwrap();
    let before = settings(&sql).await;
    // PostgreSQL refuses writes and row locks in such a transaction.
    sql.batch_execute("begin read only").await.unwrap();
    let parameters = request(&app);
    let (secret, none, method) = (job.secret.as_deref(), None::<&str>, method(&job));
    let calls: [(&str, Vec<&(dyn ToSql + Sync)>, &str); 10] = [
        ("readiness", vec![], "ok"),
        ("provider_metadata", vec![], "ok"),
        ("userinfo_read", vec![&access], "ok"),
        ("token_introspect", vec![&job.id, &secret, &method, &access, &none], "ok"),
        ("account_page", vec![&cookie], "page"),
        ("sign_in_page", vec![&resume, &cookie, &"browser"], "page"),
        ("session_state_check", vec![&cookie], "ok"),
        ("select_account_page", vec![&resume, &cookie, &"browser", &none], "page"),
        ("authorization_defer", vec![&parameters], "deferred"),
        ("registration_read", vec![&itself, &proof], "ok"),
    ];
    let known = calls.iter().map(|(name, ..)| *name).chain(["jwks"]).map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(reads(), known, "every one is asked here");
    for (name, arguments, expected) in calls {
        let (outcome, answer): (String, Value) = call(&sql, name, &arguments).await;
        assert_eq!(outcome, expected, "{name}: {answer}");
    }
    sql.execute("select identity.jwks()", &[]).await.unwrap();
    sql.batch_execute("commit").await.unwrap();
    assert_eq!(settings(&sql).await, before);
    let temporary = "select count(*) from pg_class where relpersistence = 't'";
    assert_eq!(sql.query_one(temporary, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// What a session has set.
async fn settings(sql: &tokio_postgres::Client) -> Vec<(String, Option<String>)> {
    let query = "select name, setting from pg_settings where source = 'session' order by name";
    sql.query(query, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}
