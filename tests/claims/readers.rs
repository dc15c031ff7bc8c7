//! What the readers answer: what the token says, and NULL in every other case.

use serde_json::{Value, json};
use uuid::Uuid;

use super::subject;
use crate::jwt::{ALICE, access_token, authenticate, signed, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn readers_say_what_the_token_says() {
    let db = Database::new().await;
    let mut app = db.app().await;
    let act = json!({ "sub": "agent-2", "act": { "sub": "agent-1", "iss": "https://agents.example" } });
    let token = access_token(
        &db,
        json!({
            "sid": "s-1", "grant_id": "g-1", "org_id": "o-1", "scope": "openid notes:read", "roles": ["editor", "the boss"],
            "permissions": ["print"], "act": act, "acr": "aal2", "amr": ["pwd", "otp"], "auth_time": 1_700_000_000,
            "exp": 4_000_000_000_i64, "email": "alice@example.org", "n": 7
        }),
    )
    .await;
    let transaction = app.transaction().await.unwrap();
    transaction.execute("select identity.authenticate($1)", &[&token]).await.unwrap();
    let row = transaction
        .query_one(
            "select jsonb_build_object(
               'issuer', identity.issuer(), 'subject', identity.subject(), 'user_id', identity.user_id(),
               'session_id', identity.session_id(), 'client_id', identity.client_id(), 'grant_id', identity.grant_id(),
               'organization_id', identity.organization_id(), 'token_id', identity.token_id(), 'scopes', identity.scopes(),
               'roles', identity.roles(), 'permissions', identity.permissions(), 'amr', identity.amr(), 'acr', identity.acr(),
               'auth_time', extract(epoch from identity.auth_time()), 'expires_at', extract(epoch from identity.expires_at()),
               'actor', identity.actor(), 'actor_chain', identity.actor_chain(), 'is_agent', identity.is_agent(),
               'has', array[identity.has_scope('notes:read'), identity.has_scope('notes'), identity.has_scope(null),
                            identity.has_role('the boss'), identity.has_role('boss'), identity.has_permission('print')],
               'claim', array[identity.claim('email'), identity.claim('n'), identity.claim('act'), identity.claim('nothing')],
               'claims', identity.claims() = identity.decode_jwt_unverified($1) -> 'claims')",
            &[&token],
        )
        .await
        .unwrap();
    assert_eq!(
        row.get::<_, Value>(0),
        json!({
            "issuer": db.issuer, "subject": ALICE, "user_id": ALICE, "session_id": "s-1", "client_id": "app", "grant_id": "g-1",
            "organization_id": "o-1", "token_id": "t-1", "scopes": ["openid", "notes:read"], "roles": ["editor", "the boss"],
            "permissions": ["print"], "amr": ["pwd", "otp"], "acr": "aal2", "auth_time": 1_700_000_000.0,
            "expires_at": 4_000_000_000.0, "actor": act, "is_agent": true,
            "actor_chain": [{ "sub": "agent-2" }, { "sub": "agent-1", "iss": "https://agents.example" }],
            "has": [true, false, null, true, false, true],
            "claim": ["alice@example.org", "7", r#"{"act":{"iss":"https://agents.example","sub":"agent-1"},"sub":"agent-2"}"#, null],
            "claims": true
        })
    );
}

#[tokio::test]
async fn nobody_signed_in_is_null_and_never_false() {
    let db = Database::new().await;
    let app = db.app().await;
    let row = app
        .query_one(
            "select num_nonnulls(identity.issuer(), identity.subject(), identity.user_id(), identity.session_id(), identity.client_id(),
               identity.grant_id(), identity.organization_id(), identity.token_id(), identity.scopes(), identity.roles(),
               identity.permissions(), identity.amr(), identity.acr(), identity.auth_time(), identity.expires_at(), identity.actor(),
               identity.actor_chain(), identity.is_agent(), identity.has_scope('x'), identity.has_role('x'),
               identity.has_permission('x'), identity.claim('x'), identity.claims())",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, i32>(0), 0);
}

#[tokio::test]
async fn readers_end_at_the_statement_that_starts_after_expiry() {
    let db = Database::new().await;
    let app = db.app().await;
    app.batch_execute("begin").await.unwrap();
    let exp: i64 =
        app.query_one("select floor(extract(epoch from clock_timestamp()))::bigint + 5", &[]).await.unwrap().get(0);
    authenticate(&app, &access_token(&db, json!({ "exp": exp })).await).await.unwrap();
    loop {
        let row = app
            .query_one(
                "select identity.user_id() is null and identity.has_scope('x') is null and identity.claims() is null,
                   statement_timestamp() >= to_timestamp($1::bigint::float8) from pg_sleep(0.02)",
                &[&exp],
            )
            .await
            .unwrap();
        let (nobody, expired): (bool, bool) = (row.get(0), row.get(1));
        assert_eq!(nobody, expired);
        if expired {
            break;
        }
    }
}

#[tokio::test]
async fn a_client_alone_and_an_odd_subject_are_no_user() {
    let db = Database::new().await;
    let app = db.app().await;
    let client = "0190a1b2-0000-7000-8000-0000000000cc";
    let upper = ALICE.to_uppercase();
    for (subject_claim, client_id) in
        [(client, client), ("alice", "app"), (upper.as_str(), "app"), (&ALICE.replace('-', ""), "app")]
    {
        app.batch_execute("begin").await.unwrap();
        let token = access_token(&db, json!({ "sub": subject_claim, "client_id": client_id })).await;
        authenticate(&app, &token).await.unwrap();
        assert_eq!(subject(&app).await.as_deref(), Some(subject_claim));
        assert_eq!(app.query_one("select identity.user_id()", &[]).await.unwrap().get::<_, Option<Uuid>>(0), None);
        app.batch_execute("commit").await.unwrap();
    }
}

#[tokio::test]
async fn authenticate_works_read_only_and_writes_nothing() {
    let db = Database::new().await;
    let app = db.app().await;
    let token = access_token(&db, json!({})).await;
    app.batch_execute("begin read only").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    let id: Option<String> = app.query_one("select pg_current_xact_id_if_assigned()::text", &[]).await.unwrap().get(0);
    assert_eq!(id, None);
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
}

#[tokio::test]
async fn no_other_kind_of_token_signs_anybody_in() {
    let db = Database::new().await;
    let app = db.app().await;
    let claims = json!({ "sub": ALICE, "aud": db.issuer, "client_id": "app" });
    // ID tokens, logout tokens (OpenID Connect Back-Channel Logout §2.4), request objects (RFC 9101), JARM responses, introspection
    // answers (RFC 9701), security events (RFC 8417), DPoP proofs (RFC 9449): all signed with the same keys.
    for typ in [
        "JWT",
        "logout+jwt",
        "oauth-authz-req+jwt",
        "oauth-authz-resp+jwt",
        "token-introspection+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "jwt+at",
        "at+jwt ",
        "text/at+jwt",
        "application/application/at+jwt",
    ] {
        assert_eq!(sqlstate(authenticate(&app, &signed(&db, typ, claims.clone()).await).await), "ID108", "{typ}");
    }
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert_eq!(sqlstate(authenticate(&app, &signed(&db, typ, claims.clone()).await).await), "accepted", "{typ}");
    }
}
