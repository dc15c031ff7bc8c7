//! Schema auth: policies of Supabase and pg_session_jwt as people have written them, over the verified identity.

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::Database;

async fn database() -> Database {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute(&format!(
            "create extension pg_identity_auth;
             create table todos (user_id uuid default auth.uid(), body text);
             insert into todos values ('{ALICE}', 'of Alice'), ('{BOB}', 'of Bob');
             alter table todos enable row level security;
             -- From Supabase's documentation, and from Neon's.
             create policy \"Individuals can view their own todos.\" on todos for select using ((select auth.uid()) = user_id);
             create policy \"create todos\" on todos for insert to app_login with check (auth.user_id() = user_id::text and auth.role() = 'authenticated');
             create policy \"delete\" on todos for delete using (auth.jwt() ->> 'sub' = user_id::text);
             grant select, insert, delete on todos to app_login"
        ))
        .await
        .unwrap();
    db
}

async fn one(client: &Client, expression: &str) -> Value {
    client
        .query_one(&format!("select to_jsonb({expression})"), &[])
        .await
        .unwrap()
        .get::<_, Option<Value>>(0)
        .unwrap_or(Value::Null)
}

#[tokio::test]
async fn policies_of_supabase_and_pg_session_jwt_go_on_as_they_are() {
    let db = database().await;
    let app = db.app().await;
    let rows = async |client: &Client| -> Vec<String> {
        client.query("select body from todos order by body", &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(rows(&app).await, [""; 0]);
    // What Supabase's functions read is a setting that anybody writes. Here nobody reads it.
    app.batch_execute(&format!("begin; select set_config('request.jwt.claims', '{{\"sub\": \"{BOB}\"}}', true)"))
        .await
        .unwrap();
    assert_eq!(rows(&app).await, [""; 0]);
    app.batch_execute("rollback; begin").await.unwrap();
    let token =
        access_token(&db, json!({ "org_id": "0190a1b2-0000-7000-8000-0000000000aa", "email": "a@example.com" })).await;
    app.query("select auth.init(), auth.jwt_session_init($1)", &[&token]).await.unwrap();
    assert_eq!(rows(&app).await, ["of Alice"]);
    app.batch_execute("insert into todos (body) values ('another')").await.unwrap();
    assert_eq!(rows(&app).await, ["another", "of Alice"]);
    app.batch_execute("delete from todos where body = 'another'").await.unwrap();
    let foreign = format!("insert into todos values ('{BOB}', 'forged')");
    assert_eq!(sqlstate(app.batch_execute(&foreign).await), "42501");
    app.batch_execute("rollback").await.unwrap();
    assert_eq!(rows(&app).await, [""; 0]);
}

#[tokio::test]
async fn every_function_answers_what_the_token_says_and_nothing_for_nobody() {
    let db = database().await;
    let app = db.app().await;
    for (expression, nothing) in [
        ("auth.uid()", json!(null)),
        ("auth.user_id()", json!(null)),
        ("auth.jwt()", json!(null)),
        ("auth.session()", json!(null)),
        ("auth.role()", json!("anon")),
        ("auth.email()", json!(null)),
        ("auth.organization()", json!(null)),
        ("auth.organization_id()", json!(null)),
    ] {
        assert_eq!(one(&app, expression).await, nothing, "{expression}");
    }
    // NULL for Supabase, the JSON value null for pg_session_jwt.
    assert_eq!(one(&app, "array[auth.jwt() is null, auth.session() is null]").await, json!([true, false]));
    let organization = "0190a1b2-0000-7000-8000-0000000000aa";
    let o = json!({ "id": organization, "slg": "acme" });
    let claims = json!({ "org_id": organization, "o": o, "email": "a@example.com", "role": "editor" });
    app.batch_execute("begin").await.unwrap();
    authenticate(&app, &access_token(&db, claims).await).await.unwrap();
    assert_eq!(
        app.query_one("select auth.uid()", &[]).await.unwrap().get::<_, Uuid>(0),
        ALICE.parse::<Uuid>().unwrap()
    );
    for (expression, value) in [
        ("auth.user_id()", json!(ALICE)),
        ("auth.jwt() -> 'client_id'", json!("app")),
        ("auth.session() ->> 'sub'", json!(ALICE)),
        ("auth.role()", json!("editor")),
        ("auth.email()", json!("a@example.com")),
        ("auth.organization()", o),
        ("auth.organization_id()", json!(organization)),
    ] {
        assert_eq!(one(&app, expression).await, value, "{expression}");
    }
    app.batch_execute("commit").await.unwrap();
}

#[tokio::test]
async fn a_policy_over_schema_auth_costs_what_one_over_identity_costs() {
    let db = database().await;
    let plan: Vec<String> = db
        .app()
        .await
        .query("explain (costs off) select from todos where auth.uid() = user_id and auth.user_id() = body", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let plan = plan.join("\n");
    // Put in place by the planner: native readers, no function call around them.
    assert!(
        plan.contains("identity.user_id()") && plan.contains("identity.subject()") && !plan.contains("auth."),
        "{plan}"
    );
}

#[tokio::test]
async fn whoever_does_not_inherit_identity_app_calls_none_of_it() {
    let db = database().await;
    let gateway = db.gateway_role().await;
    for call in ["auth.uid()", "auth.jwt()", "auth.jwt_session_init('x')", "auth.init()"] {
        assert_eq!(sqlstate(gateway.query(&format!("select {call}"), &[]).await), "42501", "{call}");
    }
    let open = "select count(*) from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        where p.pronamespace = 'auth'::regnamespace and a.grantee = 0";
    assert_eq!(db.superuser().await.query_one(open, &[]).await.unwrap().get::<_, i64>(0), 0);
    let silent = "select count(*) from pg_proc p where (p.pronamespace = 'auth'::regnamespace) and obj_description(p.oid, 'pg_proc') is null";
    assert_eq!(db.superuser().await.query_one(silent, &[]).await.unwrap().get::<_, i64>(0), 0);
}
