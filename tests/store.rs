//! Rules that every table and function of the product obeys, asked of the catalog.

use tokio_postgres::error::SqlState;

use crate::sessions::cookie;
use crate::support::{Database, user};

async fn names(db: &Database, sql: &str) -> Vec<String> {
    db.superuser().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

const OURS: &str = "('identity'::regnamespace, 'identity_store'::regnamespace)";

#[tokio::test]
async fn every_table_column_function_and_schema_says_what_it_is() {
    let db = Database::new().await;
    db.admin().await.batch_execute("select identity.maintenance_run()").await.unwrap();
    let silent = format!(
        "select oid::regclass::text from pg_class where relnamespace in {OURS} and relkind in ('r', 'p', 'v', 'm')
           and coalesce(length(obj_description(oid, 'pg_class')), 0) < 15
         union all
         -- A partition's columns are those of its table.
         select format('%s.%I', c.oid::regclass, a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace in {OURS} and c.relkind in ('r', 'p') and not c.relispartition
           and a.attnum > 0 and not a.attisdropped and col_description(c.oid, a.attnum) is null
         union all
         select oid::regprocedure::text from pg_proc where pronamespace in {OURS} and coalesce(length(obj_description(oid, 'pg_proc')), 0) < 25
         union all
         select nspname from pg_namespace where oid in {OURS} and obj_description(oid, 'pg_namespace') is null"
    );
    assert_eq!(names(&db, &silent).await, [""; 0]);
}

#[tokio::test]
async fn nothing_is_executable_or_readable_by_everybody() {
    let db = Database::new().await;
    let open = format!(
        "select p.oid::regprocedure::text from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where p.pronamespace in {OURS} and a.grantee = 0
         union all
         select c.oid::regclass::text from pg_class c, aclexplode(c.relacl) a where c.relnamespace in {OURS} and a.grantee = 0"
    );
    assert_eq!(names(&db, &open).await, [""; 0]);
    let internal = "select p.oid::regprocedure::text from pg_proc p, aclexplode(p.proacl) a
         where p.pronamespace = 'identity_store'::regnamespace and a.grantee <> p.proowner";
    assert_eq!(names(&db, internal).await, [""; 0]);
}

#[tokio::test]
async fn security_definer_functions_belong_to_the_owner_and_choose_their_search_path() {
    let db = Database::new().await;
    let loose = format!(
        "select oid::regprocedure::text from pg_proc where pronamespace in {OURS} and prosecdef
           and (proowner <> 'identity_owner'::regrole or not coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false))"
    );
    assert_eq!(names(&db, &loose).await, [""; 0]);
    let native = format!(
        "select oid::regprocedure::text from pg_proc where pronamespace in {OURS} and prosecdef
           and prolang = (select oid from pg_language where lanname = 'c')"
    );
    assert_eq!(names(&db, &native).await, [""; 0]);
}

#[tokio::test]
async fn every_foreign_key_has_an_index_and_says_what_deletion_does() {
    let db = Database::new().await;
    let bare = "select conrelid::regclass || ' ' || conname from pg_constraint f
         where contype = 'f' and connamespace = 'identity_store'::regnamespace and (confdeltype = 'a' or not exists (
           select from pg_index i where i.indrelid = f.conrelid
             and (string_to_array(i.indkey::text, ' ')::smallint[])[1:cardinality(f.conkey)] @> f.conkey))";
    assert_eq!(names(&db, bare).await, [""; 0]);
    let partitioned = "select conname::text from pg_constraint f join pg_class c on c.oid = f.confrelid
         where f.contype = 'f' and c.relkind = 'p'";
    assert_eq!(names(&db, partitioned).await, [""; 0]);
}

/// Every function of identity_gateway with the evidence it demands (README, decision 2). None takes a user id, a session id, a
/// time or a scope as a fact.
pub const PROTOCOL: [(&str, &str); 39] = [
    ("account_application_withdraw", "session cookie; the client id only selects among the person's own"),
    ("account_page", "session cookie"),
    ("account_password_change", "session cookie and the old password"),
    ("account_session_end", "session cookie; the id only selects among the person's own"),
    ("account_sessions_end_others", "session cookie"),
    ("authorization_defer", "none: it seals a request and decides nothing"),
    ("authorization_request", "session cookie; documents of the client are a declared exception"),
    (
        "authorization_resume",
        "sealed request, browser cookie, session cookie; documents of the client are a declared exception",
    ),
    ("backchannel_logout_done", "receipt of the last attempt; what a client answered is a declared exception"),
    ("backchannel_logout_take", "none: what is due is handed to whoever delivers it"),
    ("build", "none: public"),
    ("client_keys_store", "none: what a client published at its registered jwks_uri is a declared exception"),
    ("configured_issuer", "none: public"),
    ("consent_decide", "sealed request, browser cookie, session cookie"),
    ("consent_page", "sealed request, browser cookie, session cookie"),
    ("errors", "none: public"),
    ("frontchannel_logout_take", "session cookie"),
    ("installed_build", "none: public"),
    ("jwks", "none: public"),
    ("logout_confirm", "sealed request, browser cookie, session cookie"),
    ("logout_request", "session cookie, ID token hint"),
    ("maintenance_run", "none: it does only what is due"),
    ("provider_metadata", "none: public"),
    ("readiness", "none"),
    (
        "registration_create",
        "initial access token, or the policy of the database; the source address and fetched documents are declared exceptions",
    ),
    ("registration_delete", "registration access token"),
    ("registration_read", "registration access token"),
    ("registration_update", "registration access token; fetched documents are a declared exception"),
    ("select_account", "sealed request, browser cookie, session cookie, device cookie; the number only selects"),
    ("select_account_page", "sealed request, browser cookie, session cookie, device cookie"),
    ("session_state_check", "session cookie"),
    ("sign_in", "user name and password; the source address is a declared exception"),
    ("sign_in_page", "sealed request, browser cookie, session cookie"),
    (
        "token_authorization_code",
        "client secret or assertion, code, code verifier; a client certificate is a declared exception",
    ),
    ("token_client_credentials", "client secret or assertion; a client certificate is a declared exception"),
    ("token_introspect", "client secret or assertion, token; a client certificate is a declared exception"),
    ("token_refresh_token", "client secret or assertion, refresh token; a client certificate is a declared exception"),
    ("token_revoke", "client secret or assertion, token; a client certificate is a declared exception"),
    ("userinfo_read", "access token"),
];

#[tokio::test]
async fn the_gateway_executes_protocol_functions_and_nothing_else() {
    let db = Database::new().await;
    let executable = format!(
        "select distinct proname::text from pg_proc
         where pronamespace in {OURS} and has_function_privilege('identity_gateway', oid, 'execute') order by 1"
    );
    let expected: Vec<&str> = PROTOCOL.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&db, &executable).await, expected);
    let facts = "select proname || ' ' || argument from pg_proc, unnest(proargnames) argument
         where pronamespace = 'identity'::regnamespace and has_function_privilege('identity_gateway', oid, 'execute')
           and (argument ~ '(^|_)(user_id|auth_time|scopes|acr|amr|now|sub)$')";
    assert_eq!(names(&db, facts).await, [""; 0]);
}

#[tokio::test]
async fn no_login_but_the_owner_reads_a_table() {
    let db = Database::new().await;
    let tables = names(
        &db,
        "select oid::regclass::text from pg_class where relnamespace = 'identity_store'::regnamespace and relkind in ('r', 'p')",
    )
    .await;
    for client in [db.gateway_role().await, db.admin().await, db.app().await] {
        for table in &tables {
            let denied = client.batch_execute(&format!("select from {table}")).await.unwrap_err();
            assert_eq!(denied.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{table}");
        }
    }
}

/// REFERENCES too: a foreign key is checked as the owner of the table it points at, with casts that the application wrote.
#[tokio::test]
async fn nobody_but_the_owner_has_any_privilege_on_our_tables_or_the_schema_of_the_store() {
    let db = Database::new().await;
    let privileges = "
      select c.relname || ' ' || a.privilege_type || ' ' || a.grantee::regrole
      from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
      where c.relnamespace in ('identity'::regnamespace, 'identity_store'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm')
        and a.grantee <> 'identity_owner'::regrole
      union all
      select t.attrelid::regclass || '.' || t.attname || ' ' || a.privilege_type || ' ' || a.grantee::regrole
      from pg_attribute t join pg_class c on c.oid = t.attrelid, aclexplode(t.attacl) a
      where c.relnamespace in ('identity'::regnamespace, 'identity_store'::regnamespace)
      union all
      select 'identity_store ' || a.privilege_type || ' ' || a.grantee::regrole
      from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'identity_store' and a.grantee <> 'identity_owner'::regrole";
    // A view over PostgreSQL's own catalog, which everybody may read.
    assert_eq!(names(&db, privileges).await, ["policies SELECT identity_admin", "policies SELECT identity_app"]);
    db.superuser().await.batch_execute("create schema app authorization app_login").await.unwrap();
    let app = db.app().await;
    let denied = app
        .batch_execute("create table app.notes (owner uuid references identity_store.users (id))")
        .await
        .unwrap_err();
    assert_eq!(denied.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}

#[tokio::test]
async fn dropping_the_extension_keeps_every_row_and_column_of_the_store() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    cookie(&db, &alice, None).await;
    db.admin().await.batch_execute("select identity.maintenance_run()").await.unwrap();
    let columns = "select count(*) || '' from pg_attribute a join pg_class c on c.oid = a.attrelid
         where c.relnamespace = 'identity_store'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped";
    let rows = "select format('%s %s', table_name, (xpath('/row/n/text()', query_to_xml(
           format('select count(*) as n from identity_store.%I', table_name), false, true, '')))[1])
         from information_schema.tables where table_schema = 'identity_store' order by 1";
    let constraints = "select conrelid::regclass || ' ' || conname from pg_constraint
         where connamespace = 'identity_store'::regnamespace order by 1";
    let before = (names(&db, columns).await, names(&db, rows).await, names(&db, constraints).await);
    assert!(before.1.iter().any(|line| line == "users 1"), "{:?}", before.1);
    db.superuser().await.batch_execute("drop extension pg_identity cascade").await.unwrap();
    assert_eq!((names(&db, columns).await, names(&db, rows).await, names(&db, constraints).await), before);
}
