//! A spent code stays known as long as what it gave (sql/store/migrations/0006_grants.sql): as long as a refresh token may live.

use serde_json::json;

use super::{number, run};
use crate::authorize::{Sql, code, request, session, with};
use crate::clock::off;
use crate::jwt::{authenticate, sqlstate};
use crate::refresh::{OFFLINE, invalid, refresh};
use crate::support::{Cluster, Database, client, user};
use crate::token::{audited, redeem, refused};

/// The longest life of refresh tokens that an administrator may give a client, in seconds.
async fn longest_life(admin: &Sql) -> i32 {
    let accepted = async |seconds: i32| {
        let metadata = json!({
            "redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
            "refresh_token_lifetime": seconds, "refresh_token_idle_lifetime": 60
        });
        admin.query_one("select identity.client_create($1)", &[&metadata]).await.is_ok()
    };
    let (mut fits, mut too_long) = (60, i32::MAX);
    assert!(accepted(fits).await && !accepted(too_long).await);
    while too_long - fits > 1 {
        let middle = fits + (too_long - fits) / 2;
        if accepted(middle).await {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    fits
}

#[tokio::test]
async fn grants_and_codes_are_kept_as_long_as_refresh_families_and_those_as_long_as_they_may_live() {
    let db = Database::new().await;
    let longest = i64::from(longest_life(&db.admin().await).await);
    let kept = async |table: &str| {
        let retention =
            "select extract(epoch from retention)::bigint from identity_store.partition_settings where table_name";
        number(&db, &format!("{retention} = '{table}'")).await
    };
    let families = kept("refresh_families").await;
    assert!(families >= longest, "families are kept for {families} s and may live for {longest} s");
    for table in ["grants", "authorization_codes"] {
        let kept = kept(table).await;
        assert!(kept >= families, "{table} are kept for {kept} s, families for {families} s");
    }
}

#[tokio::test]
async fn a_code_shown_again_ends_what_it_gave_also_at_the_end_of_the_longest_life() {
    let cluster = Cluster::start();
    let db = Database::on(cluster).await;
    let longest = longest_life(&db.admin().await).await;
    // In the clock of the server, an hour less than that ago. No partition was made for that time: what is in none is kept shortest.
    cluster.control_with("restart", &off(&format!("-{}", longest - 3600)));
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "refresh_token_lifetime": longest, "refresh_token_idle_lifetime": longest, "scope": OFFLINE
    });
    let (app, alice, sql) = (client(&db, metadata).await, user(&db, "alice").await, db.gateway_role().await);
    let cookie = session(&sql, &alice).await;
    let spent = code(&sql, &with(request(&app), json!({ "scope": OFFLINE })), &cookie).await;
    let (outcome, first) = redeem(&sql, &app, &spent).await;
    assert_eq!(outcome, "ok", "{first}");
    drop(sql);

    cluster.control("restart");
    let old = "select (extract(epoch from now() - created_at))::bigint from identity_store.grants";
    let age = number(&db, old).await;
    assert!((0..=3600).contains(&(i64::from(longest) - age)), "the grant is {age} s old");
    run(&db).await;
    let sql = db.gateway_role().await;
    let (outcome, later) = refresh(&sql, &app, &first["refresh_token"]).await;
    assert_eq!(outcome, "ok", "{later}");
    assert_eq!(redeem(&sql, &app, &spent).await, refused("invalid_grant", "the authorization code is invalid"));
    assert_eq!(audited(&db, "code_replayed").await, 1);
    assert_eq!(refresh(&sql, &app, &later["refresh_token"]).await, invalid());
    let token = later["access_token"].as_str().unwrap();
    assert_eq!(sqlstate(authenticate(&db.app().await, token).await), "ID107");
}
