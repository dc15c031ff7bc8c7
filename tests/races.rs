//! Two at once: what is good once succeeds once, who ends something wins over who issues at that moment, and nobody waits
//! in a circle (lock order: sql/store/functions/codes.sql).

mod codes;
mod endings;
mod lock_order;
mod maintenance;
mod people;
mod refresh;

use serde_json::{Value, json};

use crate::authorize::{Sql, call, code, request, with};
use crate::support::{Client, Database, Page, client, until};
use crate::token::{method, redeem};

/// A connection of the gateway's role, and the server process behind it.
pub async fn backend(db: &Database) -> (Sql, i32) {
    let sql = db.gateway_role().await;
    let pid = sql.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    (sql, pid)
}

/// Returns when that server process waits for a lock.
pub async fn waits(db: &Database, pid: i32) {
    let watcher = db.superuser().await;
    let waiting = "select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'";
    until("it waits", async || watcher.query_opt(waiting, &[&pid]).await.unwrap().is_some()).await;
}

/// A client whose grants end with the session, and which gets refresh tokens all the same.
pub async fn session_bound_client(db: &Database) -> Client {
    let metadata = json!({
        "client_name": "Bound", "redirect_uris": ["https://a.example/cb"], "scope": "openid profile roles",
        "grant_types": ["authorization_code", "refresh_token"], "refresh_token": "always"
    });
    client(db, metadata).await
}

/// A code for these scopes.
pub async fn code_for(sql: &Sql, app: &Client, cookie: &str, scope: &str) -> String {
    code(sql, &with(request(app), json!({"scope": scope})), cookie).await
}

/// The tokens for a code of these scopes.
pub async fn tokens_for(sql: &Sql, app: &Client, cookie: &str, scope: &str) -> Value {
    let code = code_for(sql, app, cookie, scope).await;
    let (outcome, tokens) = redeem(sql, app, &code).await;
    assert_eq!(outcome, "ok", "{tokens}");
    tokens
}

/// What introspection by a service that may ask for any token says of an access token.
pub async fn alive(sql: &Sql, watcher: &Client, token: &Value) -> bool {
    let token = token.as_str().unwrap();
    let (outcome, answer) =
        call(sql, "token_introspect", &[&watcher.id, &watcher.secret, &method(watcher), &token, &None::<&str>]).await;
    assert_eq!(outcome, "ok");
    answer["active"] == true
}

/// A POST to the token endpoint of the gateway there.
pub async fn post_token(http: &reqwest::Client, at: &str, app: &Client, fields: &[(&str, &str)]) -> Page {
    try_post(http, &format!("{at}/token"), app, fields).await.unwrap()
}

/// The same; none when the connection broke.
pub async fn try_post(http: &reqwest::Client, url: &str, app: &Client, fields: &[(&str, &str)]) -> Option<Page> {
    let response = http.post(url).basic_auth(&app.id, app.secret.as_ref()).form(fields).send().await.ok()?;
    let (url, status, headers) = (response.url().clone(), response.status(), response.headers().clone());
    Some(Page { url, status, headers, body: response.text().await.ok()? })
}

/// What must hold of the store whenever nobody is at work in it.
pub async fn consistent(db: &Database) {
    for (wrong, query) in [
        (
            "a family lives whose grant has ended",
            "select count(*) from identity_store.refresh_families f join identity_store.grants g on g.id = f.grant_id
             where f.ended_at is null and g.ended_at is not null",
        ),
        (
            "a code or a family without its grant",
            "select count(*) from (select grant_id from identity_store.authorization_codes
               union all select grant_id from identity_store.refresh_families) c
             where not exists (select from identity_store.grants g where g.id = c.grant_id)",
        ),
        (
            "a grant without exactly one code",
            "select count(*) from identity_store.grants g
             where (select count(*) from identity_store.authorization_codes k where k.grant_id = g.id) <> 1",
        ),
        (
            "a grant with two families",
            "select count(*) from (select from identity_store.refresh_families group by grant_id having count(*) > 1) f",
        ),
        (
            "a family though its code was not redeemed",
            "select count(*) from identity_store.refresh_families f
             join identity_store.authorization_codes k on k.grant_id = f.grant_id where k.used_at is null",
        ),
        (
            "a grant that was ended by replay, revocation or withdrawal, whose access tokens are not revoked",
            "select count(*) from identity_store.grants g
             where g.end_reason in ('code_replayed', 'refresh_token_replayed', 'revoked', 'withdrawn', 'issued_between_revoked')
               and not exists (select from identity.revocations r where r.kind = 'grant' and r.id = g.id::text)",
        ),
        (
            "a session that ended, whose tokens are not revoked, or whose families live",
            "select count(*) from identity_store.sessions s where s.ended_at is not null and (
               not exists (select from identity.revocations r where r.kind = 'session' and r.id = s.id::text)
               or exists (select from identity_store.refresh_families f where f.session_id = s.id and f.ended_at is null
                 and f.created_at < s.ended_at))",
        ),
        (
            "a live session of somebody who may not sign in",
            "select count(*) from identity_store.sessions s join identity_store.users u on u.id = s.user_id
             where s.ended_at is null and u.state <> 'active'",
        ),
        (
            "an event for what did not happen",
            "select count(*) from identity_store.audit_events e where e.kind = 'code_redeemed' and not exists (
               select from identity_store.authorization_codes k
               where k.grant_id = (e.details ->> 'grant_id')::uuid and k.used_at is not null)",
        ),
    ] {
        let count: i64 = db.superuser().await.query_one(query, &[]).await.unwrap().get(0);
        assert_eq!(count, 0, "{wrong}");
    }
}
