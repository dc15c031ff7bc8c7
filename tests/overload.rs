//! More requests than can be served: those that are let in are served in bounded time, the others are told politely, and
//! neither memory nor the number of backends grows with them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::operations::{becomes, dial, header};
use crate::support::{
    Browser, Database, Flow, Gateway, Page, Tokens, free_port, service_client, until, user, web_client,
};

/// The time within which this share of them is.
fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share) as usize]
}

/// Kibibytes of memory that this process has held at most.
pub fn high_water(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Backends of the gateway in this database.
async fn backends(superuser: &tokio_postgres::Client, db: &Database) -> i64 {
    let sql = "select count(*) from pg_stat_activity where datname = $1 and usename = 'gateway_login'";
    superuser.query_one(sql, &[&db.name]).await.unwrap().get(0)
}

pub fn assert_polite(page: &Page) {
    assert_eq!(page.status, 503, "{}", page.body);
    assert_eq!(header(page, "retry-after"), Some("2"));
    let description = "please try again in a moment";
    assert_eq!(page.json(), json!({ "error": "temporarily_unavailable", "error_description": description }));
}

#[tokio::test]
async fn ten_times_the_capacity_is_refused_politely() {
    let db = Database::new().await;
    let client = service_client(&db).await;
    let (writers, queue, wait) = (2, 8, Duration::from_secs(3));
    let gateway = Gateway::start_with(
        &db,
        &[
            ("GATEWAY_DATABASE_READERS", "2"),
            ("GATEWAY_DATABASE_WRITERS", "2"),
            ("GATEWAY_DATABASE_HASHERS", "1"),
            ("GATEWAY_DATABASE_QUEUE", "8"),
        ],
    )
    .await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    // Ten times as many at once as there is room for, again and again.
    let (clients, rounds) = (10 * (writers + queue), 10);
    let start = Arc::new(Barrier::new(clients));
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        let (url, client, start) = (gateway.url("/token"), client.clone(), Arc::clone(&start));
        asking.spawn(async move {
            let browser = Browser::new();
            let mut answers = Vec::new();
            for _ in 0..rounds {
                start.wait().await;
                let begun = Instant::now();
                let request = browser.http.post(&url).basic_auth(&client.id, client.secret.as_ref());
                let page = browser.send(request.form(&[("grant_type", "client_credentials")])).await;
                answers.push((page, begun.elapsed()));
            }
            answers
        });
    }
    let (superuser, mut most) = (db.superuser().await, 0);
    let (mut admitted, mut refused) = (Vec::new(), 0);
    while !asking.is_empty() {
        most = most.max(backends(&superuser, &db).await);
        let Ok(Some(answers)) = tokio::time::timeout(Duration::from_millis(20), asking.join_next()).await else {
            continue;
        };
        for (page, took) in answers.unwrap() {
            if page.status == 200 {
                admitted.push(took);
            } else {
                assert_polite(&page);
                refused += 1;
            }
        }
    }
    assert_eq!(admitted.len() + refused, clients * rounds);
    // Those that found room were served, whoever else came.
    assert!(admitted.len() >= (writers + queue) * rounds / 2 && refused > 0, "{} {refused}", admitted.len());
    // Who is let in waits no longer for a connection than is configured, then no longer than a statement may take.
    assert!(quantile(&mut admitted, 0.99) < wait + Duration::from_secs(5), "{admitted:?}");
    assert!(most <= 2 + 2 + 1, "{most} backends");
    assert!(high_water(&gateway) < 64 * 1024, "{} KiB", high_water(&gateway));
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
}

/// A refresh that stood in the queue would be over when all who were there before it are served: so they are counted, and no time
/// is measured.
#[tokio::test]
async fn a_thousand_waiting_sign_ins_delay_no_refresh() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let metrics = format!("127.0.0.1:{}", free_port());
    let environment = [
        ("GATEWAY_DATABASE_QUEUE", "1000"),
        ("GATEWAY_DATABASE_HASHERS", "2"),
        // Nobody is sent away for having waited.
        ("GATEWAY_DATABASE_WAIT", "600000"),
        ("GATEWAY_TRUSTED_PROXIES", "127.0.0.0/8,::1/128"),
        ("GATEWAY_METRICS_LISTEN", &metrics),
    ];
    let gateway = Gateway::start_with(&db, &environment).await;
    let flow = Flow::new(&gateway, &web_client(&db).await);
    let mut refresh_token = flow.tokens(&alice).await.refresh().to_owned();
    let queue = Queue { browser: Browser::new(), url: format!("http://{metrics}/metrics") };
    // Sign-ins stand still until all of them are there.
    let (superuser, lock) = (db.superuser().await, db.superuser().await);
    lock.batch_execute("begin; lock table identity_store.sign_in_buckets in access exclusive mode").await.unwrap();
    let mut flood = sign_ins(&gateway, 1000).await;
    until("most of a thousand wait", async || queue.waiting().await >= 900.0).await;
    lock.batch_execute("commit").await.unwrap();
    until("they hash", async || queue.waiting().await < 890.0).await;
    let mut shares = Vec::new();
    for _ in 0..20 {
        let waiting = queue.waiting().await;
        assert!(waiting >= 100.0, "the queue is nearly empty after {} refreshes: {shares:?}", shares.len());
        let page = flow.refresh(&refresh_token).await;
        assert_eq!(page.status, 200, "{}", page.body);
        refresh_token = Tokens { body: page.json() }.refresh().to_owned();
        let sign_ins = "select count(*) from pg_stat_activity
          where datname = $1 and usename = 'gateway_login' and state = 'active' and query ~ 'sign_in\\('";
        let hashing: i64 = superuser.query_one(sign_ins, &[&db.name]).await.unwrap().get(0);
        assert!(hashing <= 2, "{hashing} hash at a time");
        shares.push((waiting - queue.waiting().await) / waiting);
    }
    shares.sort_by(f64::total_cmp);
    println!("of those who waited were served during a refresh: {shares:?}");
    // The processor is shared, the queue is not. This process may stand still for a moment while others go on, but not every time.
    assert!(shares[10] < 0.02 && shares[19] < 0.5, "{shares:?}");
    // Those who were served meanwhile: unknown names. Or 503, where hashes of other tests had all the places; or 429, where
    // others that fall into the same bucket of failures were refused before.
    let mut answer = flood.join_next().await;
    while let Some(status) = answer {
        assert!([422, 429, 503].contains(&status.unwrap()));
        answer = flood.try_join_next();
    }
}

/// The sign-ins that wait for a connection on which passwords are hashed, as the gateway's metrics say.
struct Queue {
    browser: Browser,
    url: String,
}

impl Queue {
    async fn waiting(&self) -> f64 {
        let page = self.browser.get(&self.url).await;
        let line = page.body.lines().find_map(|line| line.strip_prefix("gateway_database_waiting{pool=\"hashing\"} "));
        line.unwrap_or_else(|| panic!("{}", page.body)).parse().unwrap()
    }
}

/// So many people who sign in, each from an address of their own: failures of one address are soon refused without a hash. Each
/// answers its status.
async fn sign_ins(gateway: &Gateway, count: usize) -> JoinSet<u16> {
    let browser = Browser::new();
    let page = browser.open(gateway.url("/login")).await;
    let csrf = page.form("sign-in").fields.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    let mut flood = JoinSet::new();
    for number in 0..count {
        let request = browser
            .http
            .post(gateway.url("/login"))
            .header("Origin", &gateway.issuer)
            .header("Sec-Fetch-Site", "same-origin")
            .header("X-Forwarded-For", format!("10.0.{}.{}", number / 250, number % 250))
            .form(&[("csrf", &csrf), ("username", &format!("nobody-{number}")), ("password", &"x".repeat(12))]);
        flood.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    flood
}

#[tokio::test]
async fn a_request_whose_client_has_left_keeps_its_place_until_the_database_is_done_with_it() {
    let db = Database::new().await;
    let client = service_client(&db).await;
    let environment = [("GATEWAY_DATABASE_WRITERS", "1"), ("GATEWAY_DATABASE_QUEUE", "0")];
    let gateway = Gateway::start_with(&db, &environment).await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    let token = || browser.http.post(gateway.url("/token")).basic_auth(&client.id, client.secret.as_ref());
    let token = || browser.send(token().form(&[("grant_type", "client_credentials")]));
    assert_eq!(token().await.status, 200);
    let superuser = db.superuser().await;
    superuser.batch_execute("begin; lock table identity_store.clients in access exclusive mode").await.unwrap();

    let body = format!("grant_type=client_credentials&client_id={}&client_secret=wrong", client.id);
    let mut stream = dial(&db);
    std::io::Write::write_all(
        &mut stream,
        format!(
            "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    )
    .unwrap();
    let waiting = async || {
        let sql = "select count(*) from pg_locks join pg_stat_activity using (pid)
          where not granted and datname = current_database() and relation = 'identity_store.clients'::regclass";
        superuser.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    until("it waits", async || waiting().await > 0).await;
    drop(stream);
    // Nobody reads the answer any more, but the one connection is taken.
    assert_polite(&token().await);
    assert_eq!(waiting().await, 1, "the second request had to wait behind the first");
    superuser.batch_execute("rollback").await.unwrap();
    until("the place is free", async || token().await.status == 200).await;
}
