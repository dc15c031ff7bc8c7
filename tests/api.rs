//! The catalog is the reference: every comment says something, and sql/API.md is made of them.

use std::process::Command;

use crate::support::{Cluster, Database, checkout};

async fn names(db: &Database, sql: &str) -> Vec<String> {
    db.superuser().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Beside tests/store.rs, which asks that there is a comment on everything.
#[tokio::test]
async fn every_function_says_what_it_raises_or_answers_and_for_whom_it_is() {
    let db = Database::new().await;
    let silent = "
      select f.oid::regprocedure || ': ' || obj_description(f.oid, 'pg_proc') from pg_proc f
      where f.pronamespace = 'identity'::regnamespace
        and (length(obj_description(f.oid, 'pg_proc')) < 40 or obj_description(f.oid, 'pg_proc') !~ '\\m([Rr]aises?|Outcomes?)\\M')";
    assert_eq!(names(&db, silent).await, [""; 0]);
    // An argument without a name cannot be passed by name, nor spoken of.
    let nameless = "
      select f.oid::regprocedure::text from pg_proc f
      where f.pronamespace = 'identity'::regnamespace and f.pronargs > 0
        and (f.proargnames is null or '' = any (f.proargnames[1:f.pronargs]))";
    assert_eq!(names(&db, nameless).await, [""; 0]);
}

#[tokio::test]
async fn every_column_type_operator_setting_and_role_says_what_it_is() {
    let db = Database::new().await;
    let ours = "('identity'::regnamespace, 'identity_store'::regnamespace)";
    let silent = format!(
        "select format('%s.%I', c.oid::regclass, a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace in {ours} and c.relkind in ('r', 'p', 'v', 'm', 'c') and not c.relispartition and a.attnum > 0 and not a.attisdropped
           and coalesce(length(col_description(c.oid, a.attnum)), 0) < 7
         union all
         select t.oid::regtype::text from pg_type t left join pg_class c on c.oid = t.typrelid
         where t.typnamespace in {ours} and t.typelem = 0 and (t.typrelid = 0 or c.relkind = 'c')
           and coalesce(length(obj_description(t.oid, 'pg_type')), 0) < 10
         union all
         select o.oid::regoperator::text from pg_operator o
         where o.oprnamespace in {ours} and coalesce(length(obj_description(o.oid, 'pg_operator')), 0) < 10
         union all
         select s.name from pg_settings s where s.name like 'pg\\_identity.%' and length(coalesce(s.short_desc, '')) < 10
         union all
         select r.rolname::text from pg_roles r where r.rolname in ('identity_owner', 'identity_admin', 'identity_gateway', 'identity_app', 'identity_sync')
           and coalesce(length(shobj_description(r.oid, 'pg_authid')), 0) < 10"
    );
    assert_eq!(names(&db, &silent).await, [""; 0]);
    let settings = names(&db, "select name from pg_settings where name like 'pg\\_identity.%'").await;
    assert!(settings.contains(&"pg_identity.master_key_file".to_owned()), "{settings:?}");
}

/// Whatever kind of thing it is, also of the small extensions beside ours.
#[tokio::test]
async fn whatever_the_extensions_bring_says_what_it_is() {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute(
            "create extension pg_identity_auth; create schema jwt; create extension pg_identity_pgjwt schema jwt",
        )
        .await
        .unwrap();
    let members = "
      from pg_depend d join pg_extension e on e.oid = d.refobjid
      where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname like 'pg\\_identity%'";
    let silent = format!(
        "select pg_describe_object(d.classid, d.objid, 0) {members}
           -- Of a row type the table speaks.
           and not exists (select from pg_type t left join pg_class c on c.oid = t.typrelid
             where d.classid = 'pg_type'::regclass and t.oid = d.objid and (t.typelem <> 0 or c.relkind <> 'c'))
           and length(coalesce(obj_description(d.objid, d.classid::regclass::name), '')) < 15"
    );
    assert_eq!(names(&db, &silent).await, [""; 0]);
    let extensions = format!("select e.extname || '' {members} group by e.extname having count(*) > 5 order by 1");
    assert_eq!(names(&db, &extensions).await, ["pg_identity", "pg_identity_auth", "pg_identity_pgjwt"]);
}

#[tokio::test]
async fn the_page_of_the_sql_api_is_what_the_catalog_says() {
    let db = Database::new().await;
    let cluster: &Cluster = db.cluster;
    let output = Command::new(checkout().join(".make/cluster"))
        .args(["psql".as_ref(), cluster.dir.as_os_str(), "--quiet".as_ref(), "--set=ON_ERROR_STOP=1".as_ref()])
        .args(["--dbname", &db.name, "--file"])
        .arg(checkout().join(".make/api.sql"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let kept = std::fs::read_to_string(checkout().join("sql/API.md")).unwrap();
    let first = said.lines().zip(kept.lines()).enumerate().find(|(_, (said, kept))| said != kept);
    assert!(said == kept, "sql/API.md is stale: run `make api` and commit it. The first line that differs: {first:?}");
}
