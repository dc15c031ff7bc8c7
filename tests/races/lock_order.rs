//! Nobody waits in a circle: a deadlock is an error to one of the two, and a second of standing still for both.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use super::{backend, consistent, session_bound_client, tokens_for, waits};
use crate::authorize::{CHALLENGE, Sql, VERIFIER, call, decide, session};
use crate::support::{Client, Database, User, user, web_client};

#[tokio::test]
async fn disabling_a_person_and_ending_a_grant_lock_in_one_order() {
    let db = Database::new().await;
    let (app, alice) = (session_bound_client(&db).await, user(&db, "alice").await);
    let sql = db.gateway_role().await;
    let cookie = session(&sql, &alice).await;
    tokens_for(&sql, &app, &cookie, "openid").await;
    // As somebody who ends the grant and has just locked it.
    let mut ending = db.superuser().await;
    let ending = ending.transaction().await.unwrap();
    let grant = "select id from identity_store.grants for no key update";
    let grant: uuid::Uuid = ending.query_one(grant, &[]).await.unwrap().get(0);
    let admin = db.admin().await;
    let pid: i32 = admin.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let disabling = tokio::spawn(async move { admin.execute("select identity.user_disable($1)", &[&alice.id]).await });
    waits(&db, pid).await;
    ending.execute("select identity_store.grant_end($1, 'revoked')", &[&grant]).await.unwrap();
    ending.commit().await.unwrap();
    disabling.await.unwrap().unwrap();
    consistent(&db).await;
}

#[tokio::test]
async fn two_windows_of_one_person_that_change_the_password_at_once_do_not_wait_for_each_other_in_a_circle() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let mut windows = Vec::new();
    for _ in 0..2 {
        let (sql, pid) = backend(&db).await;
        let cookie = session(&sql, &alice).await;
        windows.push((sql, pid, cookie));
    }
    // Not used for a minute: the next use is noted in the session's row.
    let superuser = db.superuser().await;
    let unused = "update identity_store.sessions set last_seen_at = last_seen_at - interval '2 minutes'";
    superuser.batch_execute(unused).await.unwrap();
    superuser.batch_execute("begin; select from identity_store.users for update").await.unwrap();
    let mut changing = Vec::new();
    for (sql, pid, cookie) in windows {
        let old = alice.password.clone();
        changing.push(tokio::spawn(async move {
            call(&sql, "account_password_change", &[&cookie, &old, &"quite another one", &"192.0.2.1"]).await
        }));
        waits(&db, pid).await;
    }
    superuser.batch_execute("commit").await.unwrap();
    let mut outcomes = Vec::new();
    for change in changing {
        outcomes.push(change.await.unwrap().0);
    }
    outcomes.sort();
    assert_eq!(outcomes, ["invalid_credentials", "ok"]);
}

/// What one connection does in the storm, one thing after the other.
struct Somebody {
    admin: Sql,
    sql: Sql,
    people: Arc<Vec<User>>,
    apps: Arc<Vec<Client>>,
    /// One that nobody else deletes.
    own: Client,
    /// With what it manages itself, when it registered itself.
    managed_with: Option<String>,
    seen: Arc<AtomicUsize>,
    dice: u64,
    cookie: Option<String>,
    code: Option<(Client, String)>,
    tokens: Option<(Client, Value)>,
}

impl Somebody {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's MMIX generator: the same storm every time, as far as the scheduler lets it.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) as usize % sides
    }

    /// The answer; none for an error that is an answer too. A deadlock or a fault of ours is none of those.
    async fn ask(&self, sql: &Sql, function: &str, arguments: &[&(dyn ToSql + Sync)]) -> Option<(String, Value)> {
        let places: Vec<String> = (1..=arguments.len()).map(|n| format!("${n}")).collect();
        let columns = if std::ptr::eq(sql, &self.admin) { "'ok', '{}'::json from" } else { "outcome, answer from" };
        let query = format!("select {columns} identity.{function}({})", places.join(", "));
        self.seen.fetch_add(1, Ordering::Relaxed);
        match sql.query(&query, arguments).await {
            Ok(rows) => rows.first().map(|row| (row.get(0), row.get(1))),
            Err(error) => {
                let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                // 55P03: who waits for all that are writing waits for so long.
                assert!(["ID004", "ID006", "55P03"].contains(&code.as_str()), "{function}: {error:?}");
                None
            }
        }
    }

    async fn step(&mut self) {
        let (person, app) = (self.roll(self.people.len()), self.roll(self.apps.len() + 1));
        let (person, app) = (self.people[person].clone(), self.apps.get(app).unwrap_or(&self.own).clone());
        let Some(cookie) = self.cookie.clone() else {
            let none = None::<&str>;
            let arguments: [&(dyn ToSql + Sync); 8] =
                [&none, &"browser", &person.username, &person.password, &"192.0.2.1", &"Firefox", &none, &none];
            let answer = self.ask(&self.sql, "sign_in", &arguments).await;
            self.cookie = answer.and_then(|(_, answer)| answer["session_cookie"].as_str().map(Into::into));
            return;
        };
        match self.roll(21) {
            0..4 => self.authorize(&app, &cookie).await,
            4 | 5 => self.redeem().await,
            6 => self.refresh("token_refresh_token").await,
            7 => self.refresh("token_revoke").await,
            8 => drop(self.ask(&self.sql, "account_application_withdraw", &[&cookie, &app.id]).await),
            9 => drop(self.ask(&self.sql, "account_sessions_end_others", &[&cookie]).await),
            10 => {
                drop(self.ask(&self.admin, "user_disable", &[&person.id]).await);
                drop(self.ask(&self.admin, "user_enable", &[&person.id]).await);
                self.cookie = None;
            }
            11 => {
                drop(self.ask(&self.admin, "user_set_roles", &[&person.id, &vec![format!("r{}", self.dice % 3)]]).await)
            }
            12 => drop(self.ask(&self.sql, "maintenance_run", &[]).await),
            13 => drop(self.ask(&self.admin, "user_set_password", &[&person.id, &person.password]).await),
            14 => self.log_out(&cookie).await,
            15 => drop(self.ask(&self.sql, "account_page", &[&cookie]).await),
            16 | 17 => self.register_itself().await,
            18 => self.change_itself().await,
            19 => self.revoke_issued().await,
            _ => {
                drop(self.ask(&self.admin, "client_delete", &[&self.own.id]).await);
                self.own = register(&self.admin).await;
                self.managed_with = None;
            }
        }
    }

    /// What was issued a moment ago, by anybody.
    async fn revoke_issued(&self) {
        let now = SystemTime::now();
        self.ask(&self.admin, "revoke_issued_between", &[&(now - Duration::from_millis(50)), &now]).await;
    }

    async fn authorize(&mut self, app: &Client, cookie: &str) {
        let request = json!({
            "client_id": [app.id], "redirect_uri": [app.redirect_uri()], "response_type": ["code"],
            "scope": ["openid roles"], "code_challenge": [CHALLENGE], "code_challenge_method": ["S256"],
        });
        let arguments: [&(dyn ToSql + Sync); 3] = [&request, &cookie, &"browser"];
        let mut answer = self.ask(&self.sql, "authorization_request", &arguments).await;
        if let Some(("consent", consent)) = answer.as_ref().map(|(outcome, answer)| (outcome.as_str(), answer)) {
            answer = Some(decide(&self.sql, consent, cookie, "allow").await);
        }
        match answer {
            Some((outcome, answer)) if outcome == "redirect" => {
                self.code = answer["parameters"]["code"].as_str().map(|code| (app.clone(), code.into()));
            }
            _ => self.cookie = None,
        }
    }

    async fn log_out(&mut self, cookie: &str) {
        let answer = self.ask(&self.sql, "logout_request", &[&json!({}), &cookie, &"browser"]).await;
        if let Some(resume) = answer.as_ref().and_then(|(_, answer)| answer["resume"].as_str()) {
            self.ask(&self.sql, "logout_confirm", &[&resume, &cookie, &"browser"]).await;
        }
        self.cookie = None;
    }

    /// In place of its own client, which it ends first if it may.
    async fn register_itself(&mut self) {
        if let Some(token) = self.managed_with.take() {
            self.ask(&self.sql, "registration_delete", &[&self.own.id, &token]).await;
        } else {
            self.ask(&self.admin, "client_delete", &[&self.own.id]).await;
        }
        let none = (None::<&str>, None::<Value>);
        let arguments: [&(dyn ToSql + Sync); 4] = [&itself(), &none.0, &"192.0.2.1", &none.1];
        let (outcome, metadata) = self.ask(&self.sql, "registration_create", &arguments).await.unwrap();
        assert_eq!(outcome, "registered", "{metadata}");
        self.managed_with = metadata["registration_access_token"].as_str().map(Into::into);
        let id = metadata["client_id"].as_str().unwrap().into();
        self.own = Client { id, secret: metadata["client_secret"].as_str().map(Into::into), metadata };
    }

    async fn change_itself(&mut self) {
        let Some(token) = self.managed_with.clone() else { return };
        let mut metadata = itself();
        metadata["client_id"] = json!(self.own.id);
        metadata["software_version"] = json!(self.dice.to_string());
        let arguments: [&(dyn ToSql + Sync); 4] = [&self.own.id, &token, &metadata, &None::<Value>];
        self.ask(&self.sql, "registration_update", &arguments).await;
    }

    /// The code stays known, so that it may be shown again.
    async fn redeem(&mut self) {
        let Some((app, code)) = self.code.clone() else { return };
        let (method, none) = ("client_secret_basic", None::<Vec<&str>>);
        let arguments: [&(dyn ToSql + Sync); 7] =
            [&app.id, &app.secret, &method, &code, &app.redirect_uri(), &VERIFIER, &none];
        if let Some((outcome, tokens)) = self.ask(&self.sql, "token_authorization_code", &arguments).await
            && outcome == "ok"
        {
            self.tokens = Some((app, tokens));
        }
    }

    async fn refresh(&mut self, function: &str) {
        let Some((app, tokens)) = self.tokens.clone() else { return };
        let (Some(token), none) = (tokens["refresh_token"].as_str(), None::<&str>) else { return };
        if function == "token_revoke" {
            let arguments: [&(dyn ToSql + Sync); 5] = [&app.id, &app.secret, &"client_secret_basic", &token, &none];
            self.ask(&self.sql, function, &arguments).await;
        } else {
            let arguments: [&(dyn ToSql + Sync); 6] =
                [&app.id, &app.secret, &"client_secret_basic", &token, &none, &None::<Vec<&str>>];
            self.ask(&self.sql, function, &arguments).await;
        }
    }
}

fn itself() -> Value {
    json!({
        "redirect_uris": ["https://own.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid roles offline_access"
    })
}

async fn register(admin: &Sql) -> Client {
    let metadata = json!({
        "redirect_uris": ["https://own.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid roles", "refresh_token": "always"
    });
    let metadata: Value = admin.query_one("select identity.client_create($1)", &[&metadata]).await.unwrap().get(0);
    let id = metadata["client_id"].as_str().unwrap().into();
    Client { id, secret: metadata["client_secret"].as_str().map(Into::into), metadata }
}

#[tokio::test]
async fn a_storm_of_everything_at_once_meets_no_deadlock_and_leaves_nothing_half_done() {
    let db = Database::new().await;
    // Looked for at once, so that one that is there is not missed.
    let deadlocks = format!("alter database {} set deadlock_timeout = '10ms'", db.name);
    db.superuser().await.batch_execute(&deadlocks).await.unwrap();
    let open =
        "select identity.registration_configure('open', source_quota => 10000, scope => 'openid roles offline_access')";
    db.admin().await.batch_execute(open).await.unwrap();
    let people = Arc::new(vec![user(&db, "alice").await, user(&db, "bob").await]);
    let apps = Arc::new(vec![session_bound_client(&db).await, session_bound_client(&db).await, web_client(&db).await]);
    let seen = Arc::new(AtomicUsize::new(0));
    let mut storm = Vec::new();
    for dice in 0..8 {
        let (admin, sql, seen) = (db.admin().await, db.gateway_role().await, seen.clone());
        let (people, apps) = (people.clone(), apps.clone());
        let (own, cookie, code, tokens) = (register(&admin).await, None, None, None);
        let managed_with = None;
        let mut somebody = Somebody { admin, sql, people, apps, own, managed_with, seen, dice, cookie, code, tokens };
        storm.push(tokio::spawn(async move {
            for _ in 0..60 {
                somebody.step().await;
            }
        }));
    }
    for somebody in storm {
        somebody.await.unwrap();
    }
    assert!(seen.load(Ordering::Relaxed) > 300);
    consistent(&db).await;
}
