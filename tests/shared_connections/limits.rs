//! How long a statement may run and wait for a lock, by the way that it takes to the database (README, decision 3): as it is while
//! it runs, for settings of the login, the database and the URL have their say as well.

use super::{Browser, Database, Gateway, becomes, service_client};
use crate::support::Client;

/// Protocol functions of each of the three ways, both kinds of the shared one, with a refusal that they may answer.
const WAYS: [(&str, &str, &str, &str); 4] = [
    ("userinfo_read", "invalid_token", "50ms", "500ms"),
    ("token_client_credentials", "invalid_scope", "50ms", "500ms"),
    ("token_refresh_token", "invalid_grant", "2s", "5s"),
    ("sign_in", "invalid_credentials", "2s", "10s"),
];

#[tokio::test]
async fn each_way_to_the_database_has_its_limits_of_time() {
    let db = Database::new().await;
    let app = service_client(&db).await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "create table public.limits (function text, lock_timeout text, statement_timeout text);
             grant insert on public.limits to identity_owner",
        )
        .await
        .unwrap();
    for (function, outcome, ..) in WAYS {
        let arguments = "select pg_get_function_arguments(oid) from pg_proc
          where pronamespace = 'identity'::regnamespace and proname = $1";
        let arguments: String = superuser.query_one(arguments, &[&function]).await.unwrap().get(0);
        let replaced = format!(
            "create or replace function identity.{function}({arguments}) returns table (outcome text, detail text, answer json)
             language sql volatile security definer as $$
               insert into public.limits
               values ('{function}', current_setting('lock_timeout'), current_setting('statement_timeout'));
               select '{outcome}', null::text, json_build_object('error', '{outcome}', 'error_description', '')
             $$"
        );
        superuser.batch_execute(&replaced).await.unwrap();
    }
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    let statuses = [
        browser.send(browser.http.get(gateway.url("/userinfo")).bearer_auth("x")).await.status.as_u16(),
        token(&browser, &gateway, &app, &[("grant_type", "client_credentials")]).await,
        token(&browser, &gateway, &app, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await,
        browser.sign_in(&browser.open(gateway.url("/login")).await, "alice", "wrong").await.status.as_u16(),
    ];
    assert_eq!(statuses, [401, 400, 400, 422]);
    let limits = "select function, lock_timeout, statement_timeout from public.limits";
    let limits = superuser.query(limits, &[]).await.unwrap();
    let limits: Vec<[String; 3]> = limits.iter().map(|row| [row.get(0), row.get(1), row.get(2)]).collect();
    assert_eq!(limits, WAYS.map(|(function, _, lock, statement)| [function, lock, statement].map(String::from)));
}

async fn token(browser: &Browser, gateway: &Gateway, app: &Client, fields: &[(&str, &str)]) -> u16 {
    let request = browser.http.post(gateway.url("/token")).basic_auth(&app.id, app.secret.as_ref());
    browser.send(request.form(fields)).await.status.as_u16()
}
