//! Revocation: what dies, from when on, and for how long that is remembered.

use serde_json::{Value, json};

use crate::issuers::{API, Foreign, ISSUER};
use crate::jwt::{ALICE, BOB, access_token, authenticate, merged, sqlstate};
use crate::support::Database;

const REVOKED: &str = "ID107";

#[tokio::test]
async fn whatever_a_token_stands_on_can_be_revoked() {
    let grounds = [
        ("token", "t-1"),
        ("session", "s-1"),
        ("grant", "g-1"),
        ("client", "app"),
        ("user", ALICE),
        ("agent", "agent-2"),
        ("agent", "agent-1"),
        ("client", "agent-client"),
    ];
    for (kind, id) in grounds {
        let db = Database::new().await;
        let (app, admin) = (db.app().await, db.admin().await);
        let act = json!({ "sub": "agent-2", "client_id": "agent-client", "act": { "sub": "agent-1" } });
        let claims = json!({ "sid": "s-1", "grant_id": "g-1", "act": act });
        let token = access_token(&db, claims).await;
        // In the same backend, which remembers the signature but nothing else.
        assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
        admin.execute("select identity.revoke($1, $2)", &[&kind, &"something else"]).await.unwrap();
        assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted", "{kind}");
        admin.execute("select identity.revoke($1, $2)", &[&kind, &id]).await.unwrap();
        assert_eq!(sqlstate(authenticate(&app, &token).await), REVOKED, "{kind}");
        let verified = app.execute("select identity.verify_jwt($1)", &[&token]).await;
        assert_eq!(sqlstate(verified), REVOKED, "{kind}");
    }
}

#[tokio::test]
async fn a_revocation_is_seen_by_a_transaction_that_began_before_it() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    for isolation in ["repeatable read", "serializable"] {
        let token = access_token(&db, json!({ "jti": isolation })).await;
        app.batch_execute(&format!("begin isolation level {isolation}; select count(*) from pg_class")).await.unwrap();
        authenticate(&app, &token).await.unwrap();
        admin.execute("select identity.revoke('token', $1)", &[&isolation]).await.unwrap();
        // A statement of this transaction does not see it: its snapshot is older.
        assert_eq!(sqlstate(authenticate(&app, &token).await), REVOKED, "{isolation}");
        app.batch_execute("rollback").await.unwrap();
    }
}

#[tokio::test]
async fn a_revoked_key_is_seen_by_a_transaction_that_began_before_it() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    app.batch_execute("begin isolation level repeatable read; select count(*) from pg_class").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    admin
        .execute(
            "select identity.revoke_signing_key(identity.decode_jwt_unverified($1) -> 'header' ->> 'kid')",
            &[&token],
        )
        .await
        .unwrap();
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID105");
}

#[tokio::test]
async fn a_person_who_was_revoked_signs_in_again_at_once() {
    let db = Database::new().await;
    let (app, owner) = (db.app().await, db.owner().await);
    for (kind, id) in [("user", ALICE), ("client", "app"), ("agent", "agent-1")] {
        let claims = json!({ "sub": ALICE, "aud": db.issuer, "client_id": "app", "act": { "sub": "agent-1" } });
        let mint = async || -> String {
            owner.query_one("select identity.mint_access_token($1, 300)", &[&claims]).await.unwrap().get(0)
        };
        let before = mint().await;
        owner.execute("select identity.revoke($1, $2)", &[&kind, &id]).await.unwrap();
        let after = mint().await;
        assert_eq!(sqlstate(authenticate(&app, &before).await), REVOKED, "{kind}");
        assert_eq!(sqlstate(authenticate(&app, &after).await), "accepted", "{kind}");
    }
}

#[tokio::test]
async fn a_token_without_iat_counts_as_issued_before() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    // Ours always have one (sign_jwt); RFC 9068 §2.2 demands it of access tokens, but other issuers leave it out.
    let elsewhere = Foreign::new("ES256");
    admin.execute("select identity.trust_issuer($1, $2, $3)", &[&ISSUER, &API, &elsewhere.jwks()]).await.unwrap();
    let claims = json!({ "iss": ISSUER, "aud": API, "sub": "auth0|alice", "exp": 4_000_000_000_i64 });
    let bare = elsewhere.sign(json!({}), claims.clone());
    let dated = elsewhere.sign(json!({}), merged(claims, json!({ "iat": 1_700_000_000 })));
    assert_eq!(sqlstate(authenticate(&app, &bare).await), "accepted");
    admin.execute("select identity.revoke('user', 'auth0|alice', issued_before => '2020-01-01')", &[]).await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &bare).await), REVOKED);
    assert_eq!(sqlstate(authenticate(&app, &dated).await), "accepted");
}

#[tokio::test]
async fn a_later_revocation_never_weakens_an_earlier_one() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    admin.execute("select identity.revoke('user', $1)", &[&ALICE]).await.unwrap();
    admin
        .execute("select identity.revoke('user', $1, now() + interval '1 second', '2020-01-01')", &[&ALICE])
        .await
        .unwrap();
    assert_eq!(sqlstate(authenticate(&app, &token).await), REVOKED);
    let longer: bool = db
        .superuser()
        .await
        .query_one("select until > now() + interval '1 hour' from identity.revocations", &[])
        .await
        .unwrap()
        .get(0);
    assert!(longer);
}

#[tokio::test]
async fn the_list_forgets_what_nothing_can_stand_on_any_more() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    admin.execute("select identity.revoke('token', 't-1', now() - interval '1 second')", &[]).await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    admin.execute("select identity.revoke('token', 'other')", &[]).await.unwrap();
    let left: Value =
        db.superuser().await.query_one("select jsonb_agg(id) from identity.revocations", &[]).await.unwrap().get(0);
    assert_eq!(left, json!(["other"]));
}

#[tokio::test]
async fn a_bad_argument_is_named() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for arguments in [
        "'everything', 'x'",
        "null, 'x'",
        "'user', null",
        "'user', ''",
        "'user', repeat('x', 1025)",
        "'user', 'x', null, null",
    ] {
        assert_eq!(
            sqlstate(admin.execute(&format!("select identity.revoke({arguments})"), &[]).await),
            "ID005",
            "{arguments}"
        );
    }
}

#[tokio::test]
async fn every_revocation_of_a_second_reaches_what_was_minted_before_it() {
    let db = Database::new().await;
    let (app, owner) = (db.app().await, db.owner().await);
    let claims = json!({ "sub": ALICE, "aud": db.issuer, "client_id": "app", "act": { "sub": "agent-1" } });
    let mint = async || -> String {
        let sql = "select identity.mint_access_token($1, 300)";
        owner.query_one(sql, &[&claims]).await.unwrap().get(0)
    };
    // Far more than a second holds of whole seconds, in every order of the grounds.
    let grounds = [("user", ALICE), ("user", ALICE), ("client", "app"), ("agent", "agent-1"), ("user", ALICE)];
    for round in 0..4 {
        for (kind, id) in grounds {
            let before = mint().await;
            owner.execute("select identity.revoke($1, $2)", &[&kind, &id]).await.unwrap();
            assert_eq!(sqlstate(authenticate(&app, &before).await), REVOKED, "{kind}, round {round}");
            let after = mint().await;
            assert_eq!(sqlstate(authenticate(&app, &after).await), "accepted", "{kind}, round {round}");
            // Other people's clocks refuse what is dated far ahead.
            let ahead: i64 = owner
                .query_one(
                    "select (identity.decode_jwt_unverified($1) #>> '{claims,iat}')::bigint - floor(extract(epoch from clock_timestamp()))::bigint",
                    &[&after],
                )
                .await
                .unwrap()
                .get(0);
            assert!(ahead <= 1, "{ahead} s ahead, round {round}");
        }
    }
}

#[tokio::test]
async fn many_people_revoked_in_one_second_do_not_reach_each_other() {
    let db = Database::new().await;
    let (app, owner) = (db.app().await, db.owner().await);
    let bob = access_token(&db, json!({ "sub": BOB })).await;
    for number in 0..20 {
        let other = format!("somebody-{number}");
        owner.execute("select identity.revoke('user', $1)", &[&other]).await.unwrap();
    }
    assert_eq!(sqlstate(authenticate(&app, &bob).await), "accepted");
    let ahead: i64 = owner
        .query_one("select count(*) from identity.revocations where issued_before > clock_timestamp()", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(ahead, 0);
}

#[tokio::test]
async fn a_token_a_session_and_a_grant_stay_dead_for_tokens_minted_later_too() {
    let db = Database::new().await;
    let (app, owner) = (db.app().await, db.owner().await);
    for (kind, id) in [("token", "t-9"), ("session", "s-9"), ("grant", "g-9")] {
        owner.execute("select identity.revoke($1, $2, issued_before => '2020-01-01')", &[&kind, &id]).await.unwrap();
        let later = json!({ "jti": if kind == "token" { id } else { "t-1" }, "sid": if kind == "session" { id } else { "s-1" },
            "grant_id": if kind == "grant" { id } else { "g-1" } });
        assert_eq!(sqlstate(authenticate(&app, &access_token(&db, later).await).await), REVOKED, "{kind}");
    }
    assert_eq!(sqlstate(authenticate(&app, &access_token(&db, json!({ "sid": "s-1" })).await).await), "accepted");
}

#[tokio::test]
async fn a_revocation_counts_from_the_next_transaction() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    admin.execute("select identity.revoke('user', $1)", &[&ALICE]).await.unwrap();
    // What has begun is finished by the person it began with.
    let person: Option<String> = app.query_one("select identity.subject()", &[]).await.unwrap().get(0);
    assert_eq!(person.as_deref(), Some(ALICE));
    app.batch_execute("commit; begin").await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &token).await), REVOKED);
}
