//! pg_upgrade from PostgreSQL 15: what people, clients and tables had before it, they have after it.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};
use tokio_postgres::Client as Sql;

use crate::authorize::{authorize, code, request, session, with};
use crate::jwt::{access_token, authenticate, sqlstate};
use crate::support::{Client, Cluster, Database, Flow, Gateway, Login, User, service_client, user, web_client};
use crate::token::redeem;

/// What Debian 12 has, and what `make test` runs on where nothing else is said.
const OLD: &str = "/usr/lib/postgresql/15/bin/pg_config";

#[tokio::test]
#[ignore = "it takes PostgreSQL 15 and a newer one: make test PG=18 runs it"]
async fn everything_goes_on_after_pg_upgrade_from_15() {
    let library = std::env::var("PG_IDENTITY_LIBRARY_15").expect(".make/test says where the library for 15 is");
    let old = Cluster::start_of(OLD, &library);
    let db = Database::on(old).await;
    assert!((150_000..160_000).contains(&version(&db).await));
    let (people, held) = furnished(&db).await;
    let before = written(&db.superuser().await).await;
    for part in ["notes.notes t t", "table_owner in identity_app", "authenticate(text)", "audit_events"] {
        assert!(before.iter().any(|line| line.contains(part)), "{part} is not in {before:#?}");
    }
    // A template that nobody may connect to is none that pg_upgrade moves.
    let elsewhere = db.superuser().await;
    // PostgreSQL 15.20 and its siblings of November 2026 mark every column here, which an older pg_dump (18.6) takes for an option that
    // its server does not know (README). Clusters made before have no marks either.
    elsewhere
        .batch_execute(
            "set allow_system_table_mods = on;
             update pg_attribute set attoptions = nullif(array(select o from unnest(attoptions) o where o !~ '^pg_attver='), '{}')
             where attoptions::text like '%pg\\_attver=%'",
        )
        .await
        .unwrap();
    elsewhere.batch_execute("alter database template_identity is_template false").await.unwrap();
    elsewhere.batch_execute("drop database template_identity").await.unwrap();
    drop(elsewhere);

    let new = Cluster::empty();
    upgrade(old, new);
    let db = db.in_cluster(new);
    assert!(version(&db).await >= 160_000);
    let after = written(&db.superuser().await).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());

    // With another master key nothing that is sealed opens; with the one there was, all goes on.
    let alice = &people.alice;
    assert_eq!(sqlstate(sign_in(&db.gateway_role().await, alice).await), "ID003");
    take_master_key(old, new);
    let sql = db.gateway_role().await;
    assert_eq!(sign_in(&sql, alice).await.unwrap(), "signed_in");
    assert_eq!(
        sign_in(&sql, &User { password: "wrong".into(), ..alice.clone() }).await.unwrap(),
        "invalid_credentials"
    );
    let outcome = async |call: &str, arguments: &[&(dyn tokio_postgres::types::ToSql + Sync)]| -> (String, Value) {
        let row = sql.query_one(&format!("select outcome, answer from identity.{call}"), arguments).await.unwrap();
        (row.get(0), row.get(1))
    };
    let (basic, none) = ("client_secret_basic", Vec::<String>::new());
    let (app, service) = (&people.app, &people.service);
    let refreshed =
        outcome("token_refresh_token($1, $2, $3, $4, null, $5)", &[&app.id, &app.secret, &basic, &held.refresh, &none])
            .await;
    assert_eq!(refreshed.0, "ok", "{}", refreshed.1);
    let own =
        outcome("token_client_credentials($1, $2, $3, null, $4)", &[&service.id, &service.secret, &basic, &none]).await;
    assert_eq!(own.0, "ok", "{}", own.1);
    let resumed = outcome("authorization_resume($1, $2, 'browser')", &[&held.pending, &held.cookie]).await;
    assert_eq!(resumed.0, "consent", "{}", resumed.1);
    let page = outcome("account_page($1)", &[&held.cookie]).await;
    assert_eq!(page.0, "page", "{}", page.1);

    // Tokens of before and of after show each person their own rows; what was revoked stays so.
    let application = db.app().await;
    let refreshed = refreshed.1["access_token"].as_str().unwrap().to_owned();
    for (token, rows) in [
        (&held.alice, &["to alice"][..]),
        (&refreshed, &["to alice"]),
        (&held.bob, &["shared with bob", "to bob"]),
        (&access_token(&db, json!({ "sub": people.bob.id })).await, &["shared with bob", "to bob"]),
    ] {
        application.batch_execute("begin").await.unwrap();
        authenticate(&application, token).await.unwrap();
        assert_eq!(bodies(&application).await, rows);
        application.batch_execute("commit").await.unwrap();
    }
    assert_eq!(bodies(&application).await, [""; 0]);
    assert_eq!(sqlstate(authenticate(&application, &held.revoked).await), "ID107");
    application.batch_execute("begin").await.unwrap();
    authenticate(&application, &held.bob).await.unwrap();
    let foreign = format!("insert into notes.notes (user_id, body) values ('{}', 'x')", alice.id);
    assert_eq!(sqlstate(application.batch_execute(&foreign).await), "42501");
    application.batch_execute("rollback").await.unwrap();

    // Nothing is left to be done, and the gateway of before serves.
    let run = |command: &str| {
        let output = Gateway::command(command, &db, &[]).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run("migrate");
    run("check");
    let admin = db.admin().await;
    let wrong = "select code || ' ' || object from identity.doctor() where severity = 'error'
         union all select code || ' ' || object from identity.lint() where severity = 'error'";
    let wrong: Vec<String> = admin.query(wrong, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(wrong, [""; 0]);
    admin
        .batch_execute("select * from identity.maintenance_run(); select identity.rotate_signing_keys()")
        .await
        .unwrap();
    let gateway = Gateway::start(&db).await;
    let tokens = Flow::new(&gateway, app).tokens(alice).await;
    assert_eq!(sqlstate(authenticate(&application, tokens.access()).await), "accepted");
}

struct People {
    alice: User,
    bob: User,
    app: Client,
    service: Client,
}

/// What they hold.
struct Held {
    cookie: String,
    pending: String,
    refresh: String,
    alice: String,
    bob: String,
    revoked: String,
}

/// Two people, two clients, their tokens, and a table whose rows are theirs.
async fn furnished(db: &Database) -> (People, Held) {
    let superuser = db.superuser().await;
    superuser.batch_execute("alter role admin_login set pg_identity.password_pepper = on").await.unwrap();
    let people = People {
        alice: user(db, "alice").await,
        bob: user(db, "bob").await,
        app: web_client(db).await,
        service: service_client(db).await,
    };
    let (alice, bob, app) = (&people.alice, &people.bob, &people.app);
    superuser
        .batch_execute(&format!(
            "create role table_owner login; grant identity_app to table_owner;
             create schema notes authorization table_owner; grant usage on schema notes to app_login;
             set role table_owner;
             create table notes.notes (id integer generated always as identity primary key, user_id uuid not null, body text);
             create table notes.shares (note_id integer references notes.notes, user_id uuid not null);
             insert into notes.notes (user_id, body) values ('{0}', 'to alice'), ('{1}', 'to bob'), (identity.uuid_v7(), 'shared with bob');
             insert into notes.shares select id, '{1}' from notes.notes where body = 'shared with bob';
             select identity.protect('notes.shares');
             select identity.protect('notes.notes', owner => 'user_id', members => 'notes.shares', role => 'notes:admin', agents => 'read');
             grant select, insert, update, delete on notes.notes to app_login; grant select on notes.shares to app_login",
            alice.id, bob.id
        ))
        .await
        .unwrap();
    let sql = db.gateway_role().await;
    let cookie = session(&sql, alice).await;
    let asked = with(request(app), json!({ "scope": "openid offline_access" }));
    let (_, tokens) = redeem(&sql, app, &code(&sql, &asked, &cookie).await).await;
    let (_, pending) = authorize(&sql, &with(request(app), json!({ "scope": "openid email" })), None).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let held = Held {
        pending: text(&pending["resume"]),
        refresh: text(&tokens["refresh_token"]),
        alice: text(&tokens["access_token"]),
        bob: access_token(db, json!({ "sub": bob.id })).await,
        revoked: access_token(db, json!({ "sub": bob.id, "jti": "revoked" })).await,
        cookie,
    };
    let admin = db.admin().await;
    admin.batch_execute("select identity.revoke('token', 'revoked')").await.unwrap();
    (people, held)
}

/// Stops both, and makes the new cluster of the old one's files.
fn upgrade(old: &Cluster, new: &Cluster) {
    old.control("stop");
    // From 18 on initdb turns checksums on, and both sides must be alike. Where they are on already it says so and fails.
    let data = |cluster: &Cluster| cluster.dir.join("data").to_str().unwrap().to_owned();
    old.run("pg_checksums", &["--enable", "--pgdata", &data(old)]).unwrap();
    let _ = new.run("pg_checksums", &["--enable", "--pgdata", &data(new)]);
    let binaries = |cluster: &Cluster| cluster.run("pg_config", &["--bindir"]).unwrap().trim().to_owned();
    let (old_port, new_port) = (old.port.to_string(), new.port.to_string());
    new.run(
        "pg_upgrade",
        &[
            ["--old-bindir", &binaries(old)],
            ["--new-bindir", &binaries(new)],
            ["--old-datadir", &data(old)],
            ["--new-datadir", &data(new)],
            ["--old-port", &old_port],
            ["--new-port", &new_port],
            ["--username", "postgres"],
        ]
        .concat(),
    )
    .unwrap_or_else(|said| {
        let logs = new.dir.join("data/pg_upgrade_output.d");
        let logs = Command::new("grep").args(["-rhE", "-A3", "error:|FATAL"]).arg(logs).output().unwrap();
        panic!("{said}{}", String::from_utf8_lossy(&logs.stdout))
    });
    new.control("start");
}

/// One cluster opens from now on what the other one seals, and nothing of its own any more.
pub fn take_master_key(from: &Cluster, to: &Cluster) {
    let file = to.dir.join("master.key");
    let key = std::fs::read(from.dir.join("master.key")).unwrap();
    set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    // Written into the file that is there, which belongs to the server's user.
    std::fs::write(&file, key).unwrap();
    set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
}

async fn version(db: &Database) -> i32 {
    let number = "select current_setting('server_version_num')::integer";
    db.connect(Login::Superuser).await.query_one(number, &[]).await.unwrap().get(0)
}

async fn sign_in(sql: &Sql, person: &User) -> Result<String, tokio_postgres::Error> {
    let call = "select outcome from identity.sign_in(null, 'browser', $1, $2, '192.0.2.1', null, null, null)";
    sql.query_one(call, &[&person.username, &person.password]).await.map(|row| row.get(0))
}

async fn bodies(client: &Sql) -> Vec<String> {
    let rows = client.query("select body from notes.notes order by body", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Everything that pg_upgrade writes anew: roles, memberships, settings, privileges, owners, policies, functions, tables, comments.
async fn written(superuser: &Sql) -> Vec<String> {
    let lines = "
      with ours as (
        select oid from pg_namespace where nspname in ('identity', 'identity_store', 'notes')
      )
      select concat_ws(' ', m.member::regrole, 'in', m.roleid::regrole, m.admin_option) from pg_auth_members m where m.roleid >= 16384
      union all
      select concat_ws(' ', r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolconfig::text)
      from pg_roles r where r.rolname !~ '^pg_'
      union all
      select concat_ws(' ', c.oid::regclass, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole, c.relkind, c.reloptions::text,
        -- Owners have one privilege more from 17 on.
        (select string_agg(a::text, ' ' order by a::text) from unnest(c.relacl) a where a::text not like c.relowner::regrole || '=%'),
        obj_description(c.oid, 'pg_class'))
      from pg_class c where c.relnamespace in (table ours) and c.relkind <> 't'
      union all
      select concat_ws(' ', a.attrelid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
        pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
      from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where c.relnamespace in (table ours) and a.attnum > 0 and not a.attisdropped
      union all
      -- From 18 on what is not null is a constraint too.
      select concat_ws(' ', o.conrelid::regclass, o.conname, pg_get_constraintdef(o.oid)) from pg_constraint o where o.connamespace in (table ours) and o.contype <> 'n'
      union all
      select concat_ws(' ', pg_get_indexdef(i.indexrelid), obj_description(i.indexrelid, 'pg_class'))
      from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace in (table ours)
      union all
      select concat_ws(' ', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid),
        '/', pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy'))
      from pg_policy p
      union all
      select concat_ws(' ', f.oid::regprocedure, f.proowner::regrole, f.prosecdef, f.proleakproof, f.provolatile, f.proparallel, f.proconfig::text,
        md5(f.prosrc), (select string_agg(a::text, ' ' order by a::text) from unnest(f.proacl) a), obj_description(f.oid, 'pg_proc'))
      from pg_proc f where f.pronamespace in (table ours)
      union all
      select concat_ws(' ', 'policies', p::text) from identity.policies p
      union all
      select concat_ws(' ', e.extname, e.extversion, e.extnamespace::regnamespace, identity.build() = identity.installed_build(), d.objects)
      from pg_extension e, lateral (
        -- Row types of tables are members too from 17 on.
        select count(*) as objects from pg_depend
        where refclassid = 'pg_extension'::regclass and refobjid = e.oid and deptype = 'e' and classid <> 'pg_type'::regclass
      ) d
      union all
      select concat_ws(' ', c.oid::regclass, (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %s', c.oid::regclass), false, true, '')))[1])
      from pg_class c where c.relnamespace in (table ours) and c.relkind = 'r'
      order by 1";
    superuser.query(lines, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}
