//! The verified identity of a transaction: who is signed in, how long, and that nobody can plant one.

use serde_json::{Value, json};
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::jwt::{ALICE, BOB, access_token, authenticate, signed, sqlstate};
use crate::support::{Database, Login};

async fn subject(client: &tokio_postgres::Client) -> Option<String> {
    client.query_one("select identity.subject()", &[]).await.unwrap().get(0)
}

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
async fn the_identity_ends_with_the_transaction() {
    let db = Database::new().await;
    let app = db.app().await;
    let token = access_token(&db, json!({})).await;
    for end in ["commit", "rollback", "prepare transaction 'x'"] {
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &token).await.unwrap();
        assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
        // Prepared transactions are off, so that one fails, and the transaction with it.
        let _ = app.batch_execute(end).await;
        let _ = app.batch_execute("rollback").await;
        assert_eq!(subject(&app).await, None, "{end}");
        // Another subject is welcome in the next one.
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &access_token(&db, json!({ "sub": BOB })).await).await.unwrap();
        app.batch_execute("commit").await.unwrap();
    }
    // Without BEGIN a statement is a transaction.
    authenticate(&app, &token).await.unwrap();
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn a_savepoint_takes_the_identity_back() {
    let db = Database::new().await;
    let app = db.app().await;
    let token = access_token(&db, json!({})).await;
    app.batch_execute("begin; savepoint a").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    app.batch_execute("rollback to a").await.unwrap();
    assert_eq!(subject(&app).await, None);
    authenticate(&app, &token).await.unwrap();
    app.batch_execute("savepoint b; select identity.sign_out()").await.unwrap();
    assert_eq!(subject(&app).await, None);
    app.batch_execute("rollback to b").await.unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
    app.batch_execute("release a; commit").await.unwrap();
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn a_transaction_belongs_to_its_first_subject() {
    let db = Database::new().await;
    let app = db.app().await;
    let alice = access_token(&db, json!({})).await;
    let bob = access_token(&db, json!({ "sub": BOB })).await;
    for between in ["select 1", "select identity.sign_out()", "reset all", "rollback to a"] {
        app.batch_execute("begin; savepoint a").await.unwrap();
        authenticate(&app, &alice).await.unwrap();
        app.batch_execute(between).await.unwrap();
        app.batch_execute("savepoint second").await.unwrap();
        assert_eq!(sqlstate(authenticate(&app, &bob).await), "ID201", "{between}");
        app.batch_execute("rollback to second").await.unwrap();
        // A second token of the same person is no second subject.
        authenticate(&app, &access_token(&db, json!({ "jti": "t-2" })).await).await.unwrap();
        assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
        app.batch_execute("commit").await.unwrap();
    }
}

#[tokio::test]
async fn reset_all_only_signs_out() {
    let db = Database::new().await;
    let app = db.app().await;
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, json!({})).await).await.unwrap();
    app.batch_execute("reset all").await.unwrap();
    assert_eq!(subject(&app).await, None);
    app.batch_execute("commit").await.unwrap();
    assert_eq!(subject(&app).await, None);
    app.batch_execute("discard all").await.unwrap();
    assert_eq!(subject(&app).await, None);
}

#[tokio::test]
async fn no_role_can_set_it_by_hand() {
    let db = Database::new().await;
    let (app, superuser) = (db.app().await, db.superuser().await);
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, json!({})).await).await.unwrap();
    app.batch_execute("commit").await.unwrap();
    let value = json!({ "issuer": db.issuer, "subject": BOB }).to_string();
    const DENIED: &str = "42501";
    let set = format!("set pg_identity.claims = '{value}'");
    let set_config = format!("select set_config('pg_identity.claims', '{value}', true)");
    let planted = [
        (DENIED, set.clone()),
        (DENIED, format!("set local pg_identity.claims = '{value}'")),
        (DENIED, format!("set session characteristics as transaction read only; {set}")),
        (DENIED, set_config.clone()),
        (DENIED, format!("select set_config('PG_Identity.Claims', '{value}', false)")),
        (
            DENIED,
            format!(
                "create function pg_temp.f() returns uuid language sql set pg_identity.claims = '{value}' as 'select identity.user_id()'; select pg_temp.f()"
            ),
        ),
        (DENIED, format!("alter role current_user set pg_identity.claims = '{value}'")),
        (DENIED, format!("alter database {} set pg_identity.claims = '{value}'", db.name)),
        (DENIED, format!("alter system set pg_identity.claims = '{value}'")),
        // The setting is not shown to an ordinary role, so there is no row to update.
        ("accepted", format!("update pg_settings set setting = '{value}' where name = 'pg_identity.claims'")),
        (DENIED, "set pg_identity.claims to default".into()),
        (DENIED, "reset pg_identity.claims".into()),
        (DENIED, "show pg_identity.claims".into()),
        // A reserved prefix: no placeholder can be made.
        ("42602", "set pg_identity.something_else = 'x'".into()),
        ("42602", "select set_config('pg_identity.something_else', 'x', false)".into()),
    ];
    for (expected, statement) in &planted {
        assert_eq!(sqlstate(app.batch_execute(statement).await), *expected, "{statement}");
        assert_eq!(subject(&app).await, None, "{statement}");
    }
    // Not even a superuser, nor a role that was granted the setting: only authenticate writes it.
    superuser.batch_execute("grant set on parameter pg_identity.claims to app_login").await.unwrap();
    let app = db.app().await;
    for client in [&app, &superuser] {
        assert_eq!(sqlstate(client.batch_execute(&set).await), "22023");
        assert_eq!(sqlstate(client.batch_execute(&set_config).await), "22023");
        assert_eq!(subject(client).await, None);
    }
    superuser.batch_execute("revoke set on parameter pg_identity.claims from app_login").await.unwrap();
}

#[tokio::test]
async fn no_client_brings_it_along() {
    let db = Database::new().await;
    for (expected, option) in [
        ("42501", "-c pg_identity.claims={}"),
        ("42501", "--pg_identity.claims={}"),
        ("42602", "-c pg_identity.unknown=1"),
    ] {
        let mut config = db.cluster.config(Login::App.role(), &db.name);
        let refused = config.options(option).connect(NoTls).await.err().expect("the connection is refused");
        assert_eq!(refused.code().unwrap().code(), expected, "{option}");
    }
}

#[tokio::test]
async fn a_parallel_plan_sees_the_same_person() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute(&format!(
            "create table public.rows as select case when i % 4 = 0 then '{ALICE}'::uuid else '{BOB}' end as owner from generate_series(1, 40000) i;
             analyze public.rows; grant select on public.rows to app_login"
        ))
        .await
        .unwrap();
    let app = db.app().await;
    app.batch_execute(
        "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
         set max_parallel_workers_per_gather = 2; set parallel_leader_participation = off; begin",
    )
    .await
    .unwrap();
    authenticate(&app, &access_token(&db, json!({ "scope": "rows" })).await).await.unwrap();
    let query = "select count(*) from public.rows where owner = identity.user_id() and identity.has_scope('rows')";
    let plan = app.query(&format!("explain {query}"), &[]).await.unwrap();
    assert!(plan.iter().any(|row| row.get::<_, &str>(0).contains("Gather")), "{plan:?}");
    assert_eq!(app.query_one(query, &[]).await.unwrap().get::<_, i64>(0), 10_000);
    app.batch_execute("select identity.sign_out()").await.unwrap();
    assert_eq!(app.query_one(query, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_cached_plan_keeps_nobody() {
    let db = Database::new().await;
    let app = db.app().await;
    app.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
    let statement = app.prepare("select identity.user_id() = $1").await.unwrap();
    for person in [ALICE, BOB, ALICE] {
        app.batch_execute("begin").await.unwrap();
        authenticate(&app, &access_token(&db, json!({ "sub": person })).await).await.unwrap();
        let id: Uuid = person.parse().unwrap();
        assert_eq!(app.query_one(&statement, &[&id]).await.unwrap().get::<_, Option<bool>>(0), Some(true));
        app.batch_execute("commit").await.unwrap();
        assert_eq!(app.query_one(&statement, &[&id]).await.unwrap().get::<_, Option<bool>>(0), None);
    }
}

#[tokio::test]
async fn readers_end_at_the_statement_that_starts_after_expiry() {
    let db = Database::new().await;
    let app = db.app().await;
    app.batch_execute("begin").await.unwrap();
    let exp: i64 =
        app.query_one("select floor(extract(epoch from clock_timestamp()))::bigint + 2", &[]).await.unwrap().get(0);
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
async fn a_shadowing_schema_changes_nothing() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute(&format!(
            "create schema evil authorization app_login;
             create table public.letters (user_id uuid, body text);
             insert into public.letters values ('{ALICE}', 'to alice'), ('{BOB}', 'to bob');
             select identity.protect('public.letters');
             grant select on public.letters to app_login"
        ))
        .await
        .unwrap();
    let app = db.app().await;
    assert_eq!(
        sqlstate(
            app.batch_execute("create function identity.user_id(int) returns uuid language sql as 'select null::uuid'")
                .await
        ),
        "42501"
    );
    app.batch_execute(&format!(
        "create function evil.user_id() returns uuid language sql as $$ select '{BOB}'::uuid $$;
         create function evil.always(uuid, uuid) returns boolean language sql as 'select true';
         create operator evil.= (leftarg = uuid, rightarg = uuid, function = evil.always);
         create function pg_temp.user_id() returns uuid language sql as $$ select '{BOB}'::uuid $$;
         set search_path = evil, pg_temp, pg_catalog, public; begin"
    ))
    .await
    .unwrap();
    authenticate(&app, &access_token(&db, json!({})).await).await.unwrap();
    let rows = app.query("select body from public.letters", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), ["to alice"]);
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
async fn a_failed_authenticate_leaves_nobody_or_the_one_before() {
    let db = Database::new().await;
    let app = db.app().await;
    let token = access_token(&db, json!({})).await;
    let id_token = signed(&db, "JWT", json!({ "sub": ALICE, "aud": db.issuer })).await;
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &token).await.unwrap();
    app.batch_execute("savepoint a").await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &id_token).await), "ID108");
    app.batch_execute("rollback to a").await.unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
    assert_eq!(sqlstate(app.execute("select identity.authenticate(null)", &[]).await), "ID101");
    app.batch_execute("rollback to a").await.unwrap();
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
}
