//! The end of what was issued between two moments: which tokens, in which databases, and what is no such interval
//! (sql/extension/revoke_issued.sql). Sessions and grants: store.rs.

mod store;

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::admin;
use crate::issuers::{API, Foreign, ISSUER, trust};
use crate::jwt::{ALICE, access_token, authenticate, sqlstate};
use crate::migrate::without_a_store;
use crate::support::Database;
use crate::users::refusal;

const REVOKED: &str = "ID107";

/// Ends what was issued between these two moments, SQL expressions both: how many sessions and grants.
async fn revoke(admin: &Client, between: &str) -> (i64, i64) {
    let sql = format!("select sessions, grants from identity.revoke_issued_between({between})");
    let row = admin.query_one(&sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

/// Whole seconds since 1970, by the database's clock.
async fn seconds(client: &Client) -> i64 {
    client.query_one("select floor(extract(epoch from clock_timestamp()))::bigint", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn tokens_of_the_interval_are_refused_by_the_second_of_their_iat_and_the_moment_of_their_jti() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let now = seconds(&admin).await;
    let (from, to) = (now - 100, now - 50);
    let between = format!("to_timestamp({from}.9), to_timestamp({to}.1)");
    let jti = async |at: &str| -> String {
        admin.query_one(&format!("select identity.uuid_v7_floor({at})::text"), &[]).await.unwrap().get(0)
    };
    let within = jti(&format!("to_timestamp({to}.1)")).await;
    let (before, after) =
        (jti(&format!("to_timestamp({from}.8)")).await, jti(&format!("to_timestamp({to}.102)")).await);
    let mut tokens = Vec::new();
    for (iat, jti, expected) in [
        (from - 1, "t-1", "accepted"),
        (from, "t-1", REVOKED),
        (from + 20, "t-1", REVOKED),
        (to, "t-1", REVOKED),
        (to + 1, "t-1", "accepted"),
        // Minted in the interval, and dated a second on because of another revocation.
        (to + 1, &within, REVOKED),
        (to + 1, &after, "accepted"),
        (from - 1, &before, "accepted"),
    ] {
        let claims = json!({ "iat": iat, "exp": now + 300, "jti": jti });
        tokens.push((access_token(&db, claims).await, format!("{iat} {jti}"), expected));
    }
    for (token, name, _) in &tokens {
        assert_eq!(sqlstate(authenticate(&app, token).await), "accepted", "{name}");
    }
    assert_eq!(revoke(&admin, &between).await, (0, 0));
    for (token, name, expected) in &tokens {
        assert_eq!(sqlstate(authenticate(&app, token).await), *expected, "{name}");
        let verified = app.execute("select identity.verify_jwt($1)", &[token]).await;
        assert_eq!(sqlstate(verified), *expected, "{name}");
    }
    let explained = admin
        .query_one("select detail from identity.explain($1) where rule = 'time of issue not revoked'", &[&tokens[1].0])
        .await
        .unwrap();
    assert_eq!(explained.get::<_, String>(0), format!("ID107: what was issued at that time is revoked; iat {from}"));
}

#[tokio::test]
async fn an_interval_is_seen_by_a_transaction_that_began_before_it() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    app.batch_execute("begin isolation level repeatable read; select count(*) from pg_class").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    revoke(&admin, "now() - interval '1 minute', now()").await;
    assert_eq!(sqlstate(authenticate(&app, &token).await), REVOKED);
}

#[tokio::test]
async fn what_is_minted_after_the_interval_is_good_at_once_and_the_next_one_reaches_it() {
    let db = Database::new().await;
    let (app, owner) = (db.app().await, db.owner().await);
    let claims = json!({ "sub": ALICE, "aud": db.issuer });
    let mint = async || -> String {
        owner.query_one("select identity.mint_access_token($1, 300)", &[&claims]).await.unwrap().get(0)
    };
    // Far more than a second holds of whole seconds.
    for round in 0..20 {
        let before = mint().await;
        revoke(&owner, "clock_timestamp() - interval '1 minute', clock_timestamp()").await;
        let after = mint().await;
        assert_eq!(sqlstate(authenticate(&app, &before).await), REVOKED, "round {round}");
        assert_eq!(sqlstate(authenticate(&app, &after).await), "accepted", "round {round}");
    }
}

#[tokio::test]
async fn intervals_add_up_and_a_later_one_never_weakens_an_earlier_one() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let now = seconds(&admin).await;
    let of = async |age: i64| access_token(&db, json!({ "iat": now - age, "exp": now + 300 })).await;
    let tokens = [of(300).await, of(250).await, of(200).await, of(150).await, of(100).await];
    for (from, to) in [(310, 290), (110, 90), (210, 140), (210, 190)] {
        revoke(&admin, &format!("to_timestamp({}), to_timestamp({})", now - from, now - to)).await;
    }
    let mut outcomes = Vec::new();
    for token in &tokens {
        outcomes.push(sqlstate(authenticate(&app, token).await));
    }
    assert_eq!(outcomes, [REVOKED, "accepted", REVOKED, REVOKED, REVOKED]);
}

#[tokio::test]
async fn a_preview_ends_nothing() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    assert_eq!(revoke(&admin, "now() - interval '1 minute', now(), dry_run => true").await, (0, 0));
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
}

#[tokio::test]
async fn a_database_that_only_verifies_ends_the_tokens_of_one_issuer() {
    let db = without_a_store().await;
    let (app, admin, elsewhere) = (db.app().await, db.admin().await, Foreign::new("ES256"));
    assert_eq!(trust(&db, &elsewhere.jwks(), "").await, "accepted");
    let another = Foreign::new("ES256");
    let other = "https://other.example/";
    admin.execute("select identity.trust_issuer($1, $2, $3)", &[&other, &API, &another.jwks()]).await.unwrap();

    let nobody = admin.execute("select identity.revoke_issued_between(now(), now())", &[]).await.unwrap_err();
    let unnamed = "issuer is null, and this database has no issuer of its own";
    assert_eq!(refusal(&nobody), ("ID002".into(), unnamed.into()));

    let between = format!("to_timestamp(1700000000), to_timestamp(1700000100), issuer => '{ISSUER}'");
    assert_eq!(revoke(&admin, &between).await, (0, 0));
    // The row would be forgotten: those tokens are of 2023.
    let forever = "update identity.revocations set until = 'infinity'";
    db.superuser().await.batch_execute(forever).await.unwrap();
    let bare = json!({ "iss": ISSUER, "aud": API, "sub": "auth0|alice", "exp": 4_000_000_000_i64 });
    for (token, expected) in [
        (elsewhere.token(json!({})), REVOKED),
        (elsewhere.token(json!({ "iat": 1_700_000_100 })), REVOKED),
        (elsewhere.token(json!({ "iat": 1_700_000_101 })), "accepted"),
        // RFC 7519 §4.1.6: iat is OPTIONAL; what does not say when it was issued may have been issued then.
        (elsewhere.sign(json!({}), bare), REVOKED),
        (another.token(json!({ "iss": other })), "accepted"),
    ] {
        assert_eq!(sqlstate(authenticate(&app, &token).await), expected, "{token}");
    }
}

#[tokio::test]
async fn an_interval_is_remembered_as_long_as_its_tokens_may_live() {
    let db = Database::new().await;
    let (admin, elsewhere) = (db.admin().await, Foreign::new("ES256"));
    trust(&db, &elsewhere.jwks(), "").await;
    revoke(&admin, "now() - interval '1 hour', now() - interval '1 minute'").await;
    revoke(&admin, &format!("now() - interval '1 hour', now() - interval '1 minute', '{ISSUER}'")).await;
    let kept: Value = db
        .superuser()
        .await
        .query_one("select jsonb_object_agg(id, until - issued_before) from identity.revocations", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept, json!({ &db.issuer: "1 day 00:01:00", ISSUER: "31 days" }));
    let later = "update identity.revocations set until = now() - interval '1 s' where id = $1";
    db.superuser().await.execute(later, &[&ISSUER]).await.unwrap();
    db.gateway_role().await.execute("select from identity.maintenance_run()", &[]).await.unwrap();
    let left: Value =
        db.superuser().await.query_one("select jsonb_agg(id) from identity.revocations", &[]).await.unwrap().get(0);
    assert_eq!(left, json!([db.issuer]));
}

#[tokio::test]
async fn what_is_no_interval_is_refused_by_name() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let moments = "issued_after and issued_before must be moments, neither null nor infinity";
    for (arguments, code, message) in [
        ("null, now()", "ID005", moments),
        ("now(), null", "ID005", moments),
        ("'-infinity', now()", "ID005", moments),
        ("now(), 'infinity'", "ID005", moments),
        ("now(), now() - interval '1 microsecond'", "ID005", "issued_after is later than issued_before"),
        ("now(), clock_timestamp() + interval '1 hour'", "ID005", "issued_before is in the future"),
        ("now(), now(), used => null", "ID005", "used and dry_run must be true or false"),
        ("now(), now(), dry_run => null", "ID005", "used and dry_run must be true or false"),
        ("now(), now(), 'https://x.example'", "ID006", "issuer is neither this database's nor a trusted one"),
        ("now(), now(), ''", "ID006", "issuer is neither this database's nor a trusted one"),
    ] {
        let sql = format!("select identity.revoke_issued_between({arguments})");
        let refused = refusal(&admin.execute(&sql, &[]).await.unwrap_err());
        assert_eq!(refused, (code.into(), message.into()), "{arguments}");
    }
    // A moment is an interval too, and so is all of history.
    revoke(&admin, "now(), now()").await;
    revoke(&admin, "'0044-03-15 BC', now()").await;
}

#[tokio::test]
async fn an_administrator_ends_what_was_issued_from_a_shell() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    let now = seconds(&admin).await;
    let after = (now - 60).to_string();
    let after: String = admin.query_one("select to_timestamp($1::text::bigint)::text", &[&after]).await.unwrap().get(0);
    let preview = admin::done_json(&db, &["revoke-issued", "--after", &after, "--dry-run"], "");
    assert_eq!(preview, json!({ "sessions": 0, "grants": 0 }));
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    assert_eq!(admin::done(&db, &["revoke-issued", "--after", &after], ""), "grants    0\nsessions  0\n");
    assert_eq!(sqlstate(authenticate(&app, &token).await), REVOKED);
    admin::refused(&db, &["revoke-issued", "--after", "tomorrow"], "", "issued_after is later than issued_before");
    admin::refused(&db, &["revoke-issued", "--after", "noon"], "", "SQLSTATE 22007");
    let elsewhere = ["revoke-issued", "--after", &after, "--issuer", "https://x.example"];
    admin::refused(&db, &elsewhere, "", "SQLSTATE ID006");
}
