//! Objects of the caller that are named like ours, or like PostgreSQL's.

use serde_json::json;

use super::{bodies, letters, sign_in, subject};
use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};
use crate::support::Database;

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
async fn objects_in_the_temporary_schema_are_not_asked() {
    let db = Database::new().await;
    letters(&db).await;
    let app = db.app().await;
    app.batch_execute(&format!(
        "create temporary table letters (user_id uuid, body text);
         create temporary table configuration (single boolean, issuer text);
         create temporary table audiences (audience text);
         create temporary table signing_keys (kid text, algorithm text, state text, public_jwk jsonb, private_sealed bytea);
         create temporary table revocations (kind text, id text, until timestamptz, issued_before timestamptz);
         create temporary table trusted_issuers (issuer text);
         create temporary table trusted_keys (issuer text, kid text);
         insert into audiences values ('https://elsewhere.example');
         create domain pg_temp.uuid as text;
         create type pg_temp.jsonb as (a text);
         create function pg_temp.subject() returns text language sql as $$ select '{BOB}' $$;
         create function pg_temp.uuid_eq(pg_catalog.uuid, pg_catalog.uuid) returns boolean language sql as 'select true';
         create function pg_temp.set_config(text, text, boolean) returns text language sql as 'select null::text';
         create function pg_temp.current_setting(text) returns text language sql as 'select null::text';
         create function pg_temp.statement_timestamp() returns timestamptz language sql as $$ select timestamptz '2000-01-01' $$;
         create function pg_temp.always(pg_catalog.text, pg_catalog.text) returns boolean language sql as 'select true';
         create operator pg_temp.= (leftarg = pg_catalog.text, rightarg = pg_catalog.text, function = pg_temp.always);
         create operator pg_temp.<> (leftarg = pg_catalog.text, rightarg = pg_catalog.text, function = pg_temp.always);
         set search_path = pg_temp, pg_catalog, public"
    ))
    .await
    .unwrap();
    let elsewhere = access_token(&db, json!({ "aud": "https://elsewhere.example" })).await;
    assert_eq!(sqlstate(authenticate(&app, &elsewhere).await), "ID104");
    let expired = access_token(&db, json!({ "exp": 1_000_000_000 })).await;
    assert_eq!(sqlstate(authenticate(&app, &expired).await), "ID102");
    assert_eq!(
        sqlstate(authenticate(&app, &access_token(&db, json!({ "iss": "https://elsewhere.example" })).await).await),
        "ID109"
    );
    db.admin().await.execute("select identity.revoke('token', 'dead')", &[]).await.unwrap();
    assert_eq!(sqlstate(authenticate(&app, &access_token(&db, json!({ "jti": "dead" })).await).await), "ID107");
    sign_in(&db, &app, ALICE).await;
    assert_eq!(subject(&app).await.as_deref(), Some(ALICE));
    assert_eq!(bodies(&app).await, ["to alice"]);
    let issuer: String = app.query_one("select identity.configured_issuer()", &[]).await.unwrap().get(0);
    assert_eq!(issuer, db.issuer);
}

#[tokio::test]
async fn a_schema_named_like_ours_cannot_be_put_before_it() {
    let db = Database::new().await;
    letters(&db).await;
    let app = db.app().await;
    for refused in [
        "create schema identity",
        "create schema identity_store",
        "alter schema identity rename to old",
        "create cast (text as uuid) with inout as implicit",
        "create cast (uuid as text) without function as implicit",
        "alter operator pg_catalog.= (uuid, uuid) set (restrict = none)",
        "create operator class pg_temp.any_uuid default for type uuid using btree as function 1 uuid_cmp(uuid, uuid)",
        "create policy mine on public.letters using (true)",
        "alter policy identity_select on public.letters using (true)",
        "alter table public.letters no force row level security",
        "create rule r as on select to public.letters do instead select * from public.letters",
        "create or replace function pg_catalog.uuid_eq(uuid, uuid) returns boolean language sql as 'select true'",
    ] {
        let outcome = sqlstate(app.batch_execute(refused).await);
        assert_eq!(outcome, "42501", "{refused}");
    }
    // RLS is not switched off by the caller: the setting turns silence into an error.
    sign_in(&db, &app, ALICE).await;
    app.batch_execute("set local row_security = off").await.unwrap();
    assert_eq!(sqlstate(app.query("select body from public.letters", &[]).await), "42501");
}

#[tokio::test]
async fn protect_called_with_a_hostile_search_path_writes_the_same_policy() {
    let db = Database::new().await;
    let superuser = letters(&db).await;
    let written = "select string_agg(concat(policyname, ' ', permissive, ' ', roles, ' ', cmd, ' ', qual, ' ', with_check), E'\\n' order by policyname)
        from pg_policies where tablename = 'letters'";
    let before: String = superuser.query_one(written, &[]).await.unwrap().get(0);
    superuser
        .batch_execute(&format!(
            "create schema evil;
             create schema identity_evil;
             create function evil.user_id() returns uuid language sql as $$ select '{BOB}'::uuid $$;
             create function evil.always(uuid, uuid) returns boolean language sql as 'select true';
             create operator evil.= (leftarg = uuid, rightarg = uuid, function = evil.always);
             create function evil.format(text, name) returns text language sql as $$ select 'true' $$;
             create function evil.format(text, text) returns text language sql as $$ select 'select 1' $$;
             create table evil.pg_class (oid oid);
             create table evil.letters (user_id uuid);
             set search_path = evil, pg_catalog;
             select identity.protect('public.letters')"
        ))
        .await
        .unwrap();
    superuser.batch_execute("reset search_path").await.unwrap();
    assert_eq!(superuser.query_one(written, &[]).await.unwrap().get::<_, String>(0), before);
    let touched: bool = superuser
        .query_one("select relrowsecurity from pg_class where oid = 'evil.letters'::regclass", &[])
        .await
        .unwrap()
        .get(0);
    assert!(!touched);
}
