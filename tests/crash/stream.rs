//! Many clients go on all the while backends, the postmaster and the gateway are killed under them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::{cluster, kill, kill_postmaster};
use crate::operations::becomes;
use crate::races::{alive, consistent, try_post};
use crate::support::{
    Browser, Client, Database, Flow, Gateway, PATIENCE, Page, Tokens, User, service_client, until, user, web_client,
};

/// All the answers that one code led to, the oldest first.
type Life = Vec<Value>;

/// One person at one client, again and again.
#[derive(Clone)]
struct Somebody {
    issuer: String,
    app: Client,
    user: User,
    stop: Arc<AtomicBool>,
    /// Answers with tokens, of everybody.
    answers: Arc<AtomicUsize>,
}

impl Somebody {
    async fn lives(self) -> Vec<Life> {
        let mut lives = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let flow = Flow::at(&self.issuer, &self.app);
            match self.code(&flow).await {
                Some(code) => lives.extend(self.life(&flow, &code).await),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        lives
    }

    /// Signs in, and allows where asked. None when anything was not answered: the person begins again.
    async fn code(&self, flow: &Flow) -> Option<String> {
        let browser = &flow.browser;
        let mut page = land(browser, browser.http.get(flow.url())).await?;
        if page.has("sign-in") {
            let fields = [("username", self.user.username.as_str()), ("password", self.user.password.as_str())];
            page = land(browser, browser.filled_in(&page, "sign-in", &fields)).await?;
        }
        if page.has("allow") {
            page = land(browser, browser.filled_in(&page, "allow", &[])).await?;
        }
        page.location_parameter("code")
    }

    async fn life(&self, flow: &Flow, code: &str) -> Option<Life> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.app.redirect_uri()),
            ("code_verifier", flow.code_verifier.as_str()),
        ];
        let first = self.answered(flow, &fields).await;
        if first.status == 400 {
            // The code was lost with the server's memory, or the first answer on its way, and this was a replay.
            assert_eq!(first.json()["error"], "invalid_grant");
            return None;
        }
        let mut life = vec![first.json()];
        for _ in 0..3 {
            let token = life[life.len() - 1]["refresh_token"].as_str().unwrap();
            let page = self.answered(flow, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
            assert_eq!(page.status, 200, "a refresh token that had been answered: {}", page.body);
            self.answers.fetch_add(1, Ordering::Relaxed);
            life.push(page.json());
        }
        Some(life)
    }

    /// Asks until there is an answer, as clients do.
    async fn answered(&self, flow: &Flow, fields: &[(&str, &str)]) -> Page {
        let (url, deadline) = (format!("{}/token", self.issuer), Instant::now() + PATIENCE);
        loop {
            match try_post(&flow.browser.http, &url, &self.app, fields).await {
                Some(page) if page.status != 503 => return page,
                Some(page) => assert!(page.headers.contains_key("retry-after")),
                None => {}
            }
            assert!(Instant::now() < deadline, "no answer in {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Where a request leads on this host; none when it was not answered, and never a fault of ours.
async fn land(browser: &Browser, request: reqwest::RequestBuilder) -> Option<Page> {
    let mut request = request;
    for _ in 0..10 {
        let response = request.send().await.ok()?;
        let (url, status, headers) = (response.url().clone(), response.status(), response.headers().clone());
        let page = Page { url, status, headers, body: response.text().await.ok()? };
        assert_ne!(page.status, 500, "{}", page.body);
        if page.status == 503 {
            return None;
        }
        match page.location() {
            Some(next) if next.origin() == page.url.origin() => request = browser.http.get(next),
            _ => return Some(page),
        }
    }
    panic!("more than ten redirects");
}

/// Returns when so many tokens more have been answered.
async fn goes_on(people: &[JoinHandle<Vec<Life>>], answers: &AtomicUsize) {
    let enough = answers.load(Ordering::Relaxed) + 12;
    until("everybody is served", async || {
        assert!(people.iter().all(|person| !person.is_finished()), "somebody got a wrong answer");
        answers.load(Ordering::Relaxed) >= enough
    })
    .await;
}

async fn kill_a_backend(db: &Database) {
    let working =
        "select pid from pg_stat_activity where usename = 'gateway_login' order by state = 'active' desc limit 1";
    let pid: i32 = db.superuser().await.query_one(working, &[]).await.unwrap().get(0);
    kill(pid as u32);
}

#[tokio::test]
async fn what_was_answered_is_good_whatever_was_killed_and_everybody_goes_on() {
    let (_turn, cluster) = cluster().await;
    let db = Database::on(cluster).await;
    let gateway = Gateway::start(&db).await;
    let readyz = gateway.url("/readyz");
    becomes(&Browser::new(), &readyz, 200).await;
    let watcher = service_client(&db).await;
    let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut people = Vec::new();
    for n in 0..4 {
        let (app, user) = (web_client(&db).await, user(&db, &format!("person{n}")).await);
        let (issuer, stop, answers) = (gateway.issuer.clone(), stop.clone(), answers.clone());
        people.push(tokio::spawn(Somebody { issuer, app, user, stop, answers }.lives()));
    }
    goes_on(&people, &answers).await;
    // PostgreSQL restarts all of itself when a backend is killed; and the gateway comes back without a restart.
    kill_a_backend(&db).await;
    becomes(&Browser::new(), &readyz, 200).await;
    goes_on(&people, &answers).await;
    kill_postmaster(cluster).await;
    becomes(&Browser::new(), &readyz, 200).await;
    goes_on(&people, &answers).await;
    // SIGKILL. The gateway keeps nothing that the next one would miss.
    drop(gateway);
    let gateway = Gateway::start(&db).await;
    goes_on(&people, &answers).await;
    stop.store(true, Ordering::Relaxed);
    let mut lives = Vec::new();
    for person in people {
        lives.extend(person.await.unwrap());
    }
    assert!(lives.len() >= 8, "{}", lives.len());
    verify(&db, &gateway, &watcher, &lives).await;
    consistent(&db).await;
}

/// Every token that was answered is good, and was answered once.
async fn verify(db: &Database, gateway: &Gateway, watcher: &Client, lives: &[Life]) {
    let sql = db.gateway_role().await;
    let (mut jtis, mut refresh_tokens) = (HashSet::new(), HashSet::new());
    for life in lives {
        for answer in life {
            let claims = Tokens::claims(answer["access_token"].as_str().unwrap());
            assert!(jtis.insert(claims["jti"].to_string()), "two access tokens are one: {claims}");
            assert!(refresh_tokens.insert(answer["refresh_token"].to_string()), "two refresh tokens are one");
            assert!(alive(&sql, watcher, &answer["access_token"]).await, "{claims}");
            assert_eq!(claims["grant_id"], Tokens::claims(life[0]["access_token"].as_str().unwrap())["grant_id"]);
        }
        let claims = Tokens::claims(life[0]["access_token"].as_str().unwrap());
        let head = "select generation::bigint from identity_store.refresh_families where grant_id::text = $1";
        let head: i64 = db.superuser().await.query_one(head, &[&claims["grant_id"].as_str()]).await.unwrap().get(0);
        assert_eq!(head as usize, life.len(), "no refresh moved the head twice");
    }
    assert_eq!(Browser::new().get(gateway.url("/readyz")).await.status, 200);
}
