//! A code is good once, however many try (RFC 6749 §4.1.2, §10.5).

use serde_json::json;

use super::{alive, code_for, consistent, post_token};
use crate::authorize::{call, session};
use crate::refresh::refresh;
use crate::support::{Browser, Database, Gateway, Tokens, service_client, user, web_client};
use crate::token::{audited, refused};

#[tokio::test]
async fn one_of_a_hundred_connections_to_two_gateways_redeems_a_code_and_what_it_got_is_revoked() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let watcher = service_client(&db).await;
    let first = Gateway::start(&db).await;
    let second = Gateway::start_beside(&db, &[]).await;
    let cookie = session(&sql, &alice).await;
    let code = code_for(&sql, &app, &cookie, "openid offline_access").await;
    // As many connections as requests at once: none is used again.
    let http = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap();
    let racing: Vec<_> = (0..100)
        .map(|n| {
            let (http, app, code) = (http.clone(), app.clone(), code.clone());
            let at = if n % 2 == 0 { first.issuer.clone() } else { second.issuer.clone() };
            tokio::spawn(async move {
                let fields = [
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("redirect_uri", app.redirect_uri()),
                    ("code_verifier", crate::authorize::VERIFIER),
                ];
                post_token(&http, &at, &app, &fields).await
            })
        })
        .collect();
    let (mut won, mut replays) = (Vec::new(), 0);
    for answer in racing {
        let page = answer.await.unwrap();
        match page.status.as_u16() {
            200 => won.push(page.json()),
            // On a machine that is slow enough some wait for the row longer than lock_timeout, and may ask again.
            503 => assert!(page.headers.contains_key("retry-after")),
            _ => {
                let refusal = refused("invalid_grant", "the authorization code is invalid");
                assert_eq!((page.status.as_u16(), page.json()), (400, refusal.1));
                replays += 1;
            }
        }
    }
    assert_eq!((won.len(), replays > 0), (1, true));
    let (access, token) = (&won[0]["access_token"], &won[0]["refresh_token"]);
    assert!(!alive(&sql, &watcher, access).await);
    let userinfo = Browser::new().http.get(first.url("/userinfo")).bearer_auth(access.as_str().unwrap());
    assert_eq!(userinfo.send().await.unwrap().status(), 401);
    let authenticated = db.app().await.execute("select identity.authenticate($1)", &[&access.as_str().unwrap()]).await;
    assert_eq!(authenticated.unwrap_err().code().unwrap().code(), "ID107", "revoked");
    assert_eq!(refresh(&sql, &app, token).await, refused("invalid_grant", "the refresh token is invalid"));
    let ask = [&app.id, app.secret.as_ref().unwrap(), "client_secret_basic", token.as_str().unwrap()];
    let answer = call(&sql, "token_introspect", &[&ask[0], &ask[1], &ask[2], &ask[3], &None::<&str>]).await;
    assert_eq!(answer, ("ok".into(), json!({"active": false})));
    assert_eq!(audited(&db, "code_replayed").await, 1);
    consistent(&db).await;
}

#[tokio::test]
async fn a_refresh_that_races_the_replay_of_its_code_gives_nothing_that_lives() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let watcher = service_client(&db).await;
    let cookie = session(&sql, &alice).await;
    for _ in 0..10 {
        let code = code_for(&sql, &app, &cookie, "openid offline_access").await;
        let (_, tokens) = crate::token::redeem(&sql, &app, &code).await;
        let (replay, refreshing) = (db.gateway_role().await, db.gateway_role().await);
        let (replayed, refreshed) = tokio::join!(
            crate::token::redeem(&replay, &app, &code),
            refresh(&refreshing, &app, &tokens["refresh_token"])
        );
        assert_eq!(replayed.0, "invalid_grant");
        if refreshed.0 == "ok" {
            assert!(!alive(&sql, &watcher, &refreshed.1["access_token"]).await);
            assert_eq!(refresh(&sql, &app, &refreshed.1["refresh_token"]).await.0, "invalid_grant");
            // The refresh token says which generation it is, but not to whom it was given: only the grant does.
            let grant = &Tokens::claims(refreshed.1["access_token"].as_str().unwrap())["grant_id"];
            assert_eq!(*grant, Tokens::claims(tokens["access_token"].as_str().unwrap())["grant_id"]);
        }
    }
    consistent(&db).await;
}
