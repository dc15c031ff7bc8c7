//! The database's clock is the only clock: a gateway that is an hour off, either way, changes nothing.

use serde_json::Value;

use crate::operations::{becomes, header};
use crate::refresh::later;
use crate::support::{Browser, Database, Flow, Gateway, Page, Tokens, service_client, user, web_client};

/// The environment of a process whose clock is that far off (Debian's faketime).
pub fn off(hours: &str) -> Vec<(String, String)> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];
    let library = folders.iter().map(|folder| format!("{folder}/faketime/libfaketime.so.1"));
    let library = library.into_iter().find(|path| std::path::Path::new(path).exists()).expect("faketime is installed");
    // What measures how long something takes goes on as it is: a wrong clock is one that was set wrongly.
    let settings = [("LD_PRELOAD", library.as_str()), ("FAKETIME", hours), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Seconds since 1970 in the Date of a response: what the gateway believes.
fn believed(page: &Page) -> i64 {
    let date = header(page, "date").unwrap();
    let output = std::process::Command::new("date").args(["--date", date, "+%s"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Seconds since 1970 by the database.
async fn now(db: &Database) -> i64 {
    let now = "select floor(extract(epoch from clock_timestamp()))::bigint";
    db.superuser().await.query_one(now, &[]).await.unwrap().get(0)
}

/// No header of ours names a moment: a browser would compare it with its own clock, and we would have to know ours.
fn names_no_moment(page: &Page) {
    for name in ["expires", "last-modified", "age"] {
        assert_eq!(header(page, name), None, "{name} of {}", page.url);
    }
    for cookie in page.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap().to_ascii_lowercase();
        assert!(!cookie.contains("expires="), "{cookie}");
    }
    assert!(header(page, "retry-after").is_none_or(|wait| wait.parse::<u32>().is_ok_and(|seconds| seconds <= 60)));
}

async fn all_is_as_always(hours: &str, offset: i64) {
    let db = Database::new().await;
    let environment = off(hours);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let gateway = Gateway::start_with(&db, &environment).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let (app, alice, job) = (web_client(&db).await, user(&db, "alice").await, service_client(&db).await);

    // Sign-in, consent and code: the sealed request lives for ten minutes, the code for one.
    let flow = Flow::new(&gateway, &app).with("max_age", "60");
    let page = flow.open().await;
    let wrong = believed(&page) - now(&db).await;
    assert!((wrong - offset).abs() < 60, "the gateway's clock is {wrong} s off");
    names_no_moment(&page);
    assert_eq!(header(&page, "cache-control"), Some("no-store"));
    let answer = flow
        .browser
        .send(flow.browser.filled_in(&page, "sign-in", &[("username", "alice"), ("password", &alice.password)]))
        .await;
    names_no_moment(&answer);
    let lives = |cookie: &str| {
        let cookies = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        let found = cookies.into_iter().find(|value| value.starts_with(&format!("identity_{cookie}=")));
        let found = found.unwrap_or_else(|| panic!("no cookie {cookie}")).to_owned();
        found.split("; ").find_map(|part| part.strip_prefix("Max-Age=").map(|age| age.parse::<i64>().unwrap()))
    };
    assert_eq!((lives("session"), lives("device")), (None, Some(365 * 24 * 3600)));
    let consent = flow.browser.follow(answer).await;
    let back = flow.browser.press(&consent, "allow", &[]).await;
    let page = flow.redeem(&back.location_parameter("code").unwrap()).await;
    assert_eq!((page.status.as_u16(), header(&page, "cache-control")), (200, Some("no-store")), "{}", page.body);
    names_no_moment(&page);

    // Tokens are dated by the database and verify there; userinfo and introspection agree.
    let tokens = Tokens { body: page.json() };
    let present = now(&db).await;
    for (token, lifetime) in [(tokens.access(), 300), (tokens.id(), 300)] {
        let claims = Tokens::claims(token);
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!((present - iat).abs() < 60 && exp == iat + lifetime, "{claims} at {present}");
        assert!((present - claims["auth_time"].as_i64().unwrap()).abs() < 60);
    }
    let userinfo =
        flow.browser.send(flow.browser.http.get(gateway.url("/userinfo")).bearer_auth(tokens.access())).await;
    assert_eq!(userinfo.json()["sub"], Value::from(alice.id.to_string()));
    names_no_moment(&userinfo);
    let introspect = |token: String| {
        let ask = flow.browser.http.post(gateway.url("/introspect")).basic_auth(&job.id, job.secret.clone());
        flow.browser.send(ask.form(&[("token", token)]))
    };
    assert_eq!(introspect(tokens.access().to_owned()).await.json()["active"], true);

    // Refresh, its grace window, and its end: 120 seconds of the database's.
    let second = flow.refresh(tokens.refresh()).await.json();
    later(&db, "100 seconds").await;
    assert_eq!(flow.refresh(tokens.refresh()).await.json()["refresh_token"], second["refresh_token"]);
    later(&db, "30 seconds").await;
    assert_eq!(flow.refresh(tokens.refresh()).await.json()["error"], "invalid_grant");

    // A silent sign-in on the strength of the session; documents; the words on a person's own page.
    let silent = Flow::new(&gateway, &app).with("prompt", "none").with("max_age", "300").in_browser(flow.browser);
    assert_ne!(silent.open().await.location_parameter("code"), None);
    for path in ["/jwks.json", "/.well-known/openid-configuration"] {
        let page = silent.browser.get(gateway.url(path)).await;
        assert_eq!(page.status, 200);
        let rule = header(&page, "cache-control").unwrap();
        assert!(rule.contains("max-age="), "{rule}");
        names_no_moment(&page);
    }
    let home = silent.browser.get(gateway.url("/")).await;
    assert!(home.body.contains("just now") && !home.body.contains("hour"), "{}", home.body);
    names_no_moment(&home);

    // Guessing is slowed by the database: the wait is the one of a right clock.
    let stranger = Flow::new(&gateway, &app);
    let mut page = stranger.open().await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        page = stranger.browser.sign_in(&page, "alice", "wrong").await;
        names_no_moment(&page);
        statuses.push(page.status.as_u16());
    }
    assert_eq!(statuses[..3], [422, 422, 422]);
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn a_gateway_that_is_an_hour_early_changes_nothing() {
    all_is_as_always("+1h", 3600).await;
}

#[tokio::test]
async fn a_gateway_that_is_an_hour_late_changes_nothing() {
    all_is_as_always("-1h", -3600).await;
}
