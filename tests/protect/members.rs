//! Rows shared by a member table: protected itself, read once a statement, and never in a circle.

use serde_json::json;
use tokio_postgres::Client;

use super::notes;
use super::rules::{outcome, sign_in};
use crate::jwt::{ALICE, BOB};
use crate::support::Database;

/// Projects of alice and bob with tasks; alice is a viewer of bob's project.
async fn projects(db: &Database) -> Client {
    let owner = notes(db).await;
    owner
        .batch_execute(&format!(
            "create table notes.projects (id integer primary key, user_id uuid, body text);
             create table notes.members (project_id integer references notes.projects, user_id uuid, level text, primary key (project_id, user_id));
             create table notes.tasks (id integer primary key, project_id integer references notes.projects, body text);
             insert into notes.projects values (1, '{ALICE}', 'alices'), (2, '{BOB}', 'bobs');
             insert into notes.tasks values (1, 1, 'water'), (2, 2, 'paint');
             insert into notes.members values (2, '{ALICE}', 'viewer'), (1, '{ALICE}', 'editor'), (2, '{BOB}', 'editor');
             grant select, insert, update, delete on notes.projects, notes.tasks to app_login; grant select on notes.members to app_login"
        ))
        .await
        .unwrap();
    owner
}

const PROJECTS: &str = "select body from notes.projects order by body";
const TASKS: &str = "select body from notes.tasks order by body";

#[tokio::test]
async fn members_see_what_is_shared_and_only_editors_change_it() {
    let db = Database::new().await;
    let owner = projects(&db).await;
    owner
        .batch_execute(
            "select identity.protect('notes.projects', 'user_id', members => 'notes.members', members_writers => '{}');
             select identity.protect('notes.tasks', members => 'notes.members', members_write => 'level', members_writers => '{editor}');
             select identity.protect('notes.members')",
        )
        .await
        .unwrap();
    let app = db.app().await;
    sign_in(&db, &app, json!({ "sub": ALICE })).await;
    assert_eq!(outcome(&app, PROJECTS).await, "alices bobs");
    assert_eq!(outcome(&app, "update notes.projects set body = body returning body").await, "alices");
    assert_eq!(outcome(&app, TASKS).await, "paint water");
    assert_eq!(outcome(&app, "update notes.tasks set body = body returning body").await, "water");
    assert_eq!(outcome(&app, "delete from notes.tasks returning body").await, "water");
    assert_eq!(outcome(&app, "insert into notes.tasks values (3, 1, 'x')").await, "");
    for refused in [
        "insert into notes.tasks values (3, 2, 'x')",
        "insert into notes.tasks values (3, null, 'x')",
        // Neither into another project, nor out of all.
        "update notes.tasks set project_id = 2",
        "update notes.tasks set project_id = null",
        // Nor to become a member.
        &format!("insert into notes.members values (2, '{ALICE}', 'editor')"),
        "update notes.members set level = 'editor'",
    ] {
        assert_eq!(outcome(&app, refused).await, "42501", "{refused}");
    }
    sign_in(&db, &app, json!({ "sub": BOB })).await;
    assert_eq!(outcome(&app, PROJECTS).await, "bobs");
    assert_eq!(outcome(&app, TASKS).await, "paint");
    // Who is no member any more sees nothing from the next statement on.
    sign_in(&db, &app, json!({ "sub": ALICE })).await;
    owner.batch_execute("reset role; delete from notes.members where level = 'viewer'").await.unwrap();
    assert_eq!(outcome(&app, PROJECTS).await, "alices");
    assert_eq!(outcome(&app, TASKS).await, "water");
}

/// Four columns of the member table hold people, and only the one that is named counts.
#[tokio::test]
async fn of_several_columns_with_people_the_one_that_is_named_lets_in() {
    let db = Database::new().await;
    let owner = projects(&db).await;
    owner
        .batch_execute(&format!(
            "alter table notes.members rename user_id to person;
             alter table notes.members add user_id uuid, add member_id uuid, add invited_by uuid;
             delete from notes.members where level = 'viewer';
             update notes.members set user_id = other, member_id = other, invited_by = other
             from (values ('{ALICE}'::uuid, '{BOB}'::uuid), ('{BOB}', '{ALICE}')) others (one, other) where person = one"
        ))
        .await
        .unwrap();
    let protect = async |more: &str| {
        let sql = format!("select identity.protect('notes.tasks', members => 'notes.members' {more})");
        owner.query(&sql, &[]).await
    };
    for (more, message) in [
        ("", "members: notes.members does not have exactly one of the columns user_id, member_id of type uuid"),
        (", members_user => 'nobody'", "members_user: notes.members has no column nobody"),
        (", members_user => 'level'", "members_user: column level of notes.members is of type text, not uuid"),
    ] {
        let error = protect(more).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("ID005", message), "{more}");
    }
    protect(", members_user => 'person'").await.unwrap();
    let indexed =
        "select count(*) from pg_indexes where tablename = 'members' and indexdef like '%(person, project_id)'";
    assert_eq!(owner.query_one(indexed, &[]).await.unwrap().get::<_, i64>(0), 1);
    let app = db.app().await;
    for (person, own, others, body) in [(ALICE, 1, 2, "water"), (BOB, 2, 1, "paint")] {
        sign_in(&db, &app, json!({ "sub": person })).await;
        assert_eq!(outcome(&app, TASKS).await, body);
        assert_eq!(outcome(&app, "update notes.tasks set body = body returning body").await, body);
        assert_eq!(outcome(&app, "delete from notes.tasks returning body").await, body);
        assert_eq!(outcome(&app, &format!("insert into notes.tasks values (3, {own}, 'x') returning body")).await, "x");
        for refused in [
            format!("insert into notes.tasks values (3, {others}, 'x')"),
            format!("update notes.tasks set project_id = {others}"),
        ] {
            assert_eq!(outcome(&app, &refused).await, "42501", "{refused}");
        }
    }
    sign_in(&db, &app, json!({ "sub": "0190a1b2-0000-7000-8000-00000000000c" })).await;
    assert_eq!(outcome(&app, TASKS).await, "");
    // Nothing changes where the memberships are protected, by the same column.
    app.batch_execute("rollback").await.unwrap();
    owner.batch_execute("select identity.protect('notes.members', 'person')").await.unwrap();
    for (person, own, body) in [(ALICE, "1", "water"), (BOB, "2", "paint")] {
        sign_in(&db, &app, json!({ "sub": person })).await;
        assert_eq!(outcome(&app, "select project_id::text from notes.members").await, own);
        assert_eq!(outcome(&app, TASKS).await, body);
    }
}

#[tokio::test]
async fn a_circle_of_policies_is_refused_from_either_side() {
    let db = Database::new().await;
    let owner = projects(&db).await;
    let refused = async |call: &str| {
        let error = owner.query(&format!("select identity.protect({call})"), &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "ID005", "{call}");
        error.message().to_owned()
    };
    owner
        .batch_execute("select identity.protect('notes.projects', 'user_id', members => 'notes.members')")
        .await
        .unwrap();
    assert_eq!(
        refused("'notes.members', members => 'notes.projects', members_row => 'id', members_key => 'project_id'").await,
        "members: policies of notes.projects read notes.members, and would read each other without end"
    );
    // Through a third table and a view.
    owner
        .batch_execute(
            "select identity.unprotect('notes.projects');
             create view notes.of_projects as select * from notes.projects; grant select on notes.of_projects to app_login;
             alter table notes.tasks enable row level security;
             create policy by_view on notes.tasks using (project_id in (select id from notes.of_projects));
             alter table notes.members enable row level security;
             create policy by_task on notes.members using (exists (select from notes.tasks t where t.project_id = members.project_id))",
        )
        .await
        .unwrap();
    assert_eq!(
        refused("'notes.projects', members => 'notes.members'").await,
        "members: policies of notes.members read notes.projects, and would read each other without end"
    );
    // PostgreSQL would have said so at every query.
    owner
        .batch_execute(
            "create policy circle on notes.projects using (id = any (array(select m.project_id from notes.members m)));
             alter table notes.projects enable row level security, force row level security",
        )
        .await
        .unwrap();
    let app = db.app().await;
    sign_in(&db, &app, json!({})).await;
    assert_eq!(outcome(&app, PROJECTS).await, "42P17");
}

#[tokio::test]
async fn a_member_table_that_cannot_be_read_or_that_anybody_may_write_is_found() {
    let db = Database::new().await;
    let owner = projects(&db).await;
    owner
        .batch_execute(
            "revoke select on notes.members from app_login; grant select (project_id), insert on notes.members to app_login;
             select identity.protect('notes.projects', 'user_id', members => 'notes.members')",
        )
        .await
        .unwrap();
    let found = async || -> Vec<String> {
        let rows = owner.query("select finding from identity.protect_check('notes.projects')", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let writes = "app_login may write memberships of its own into notes.members, and so see rows of notes.projects";
    assert_eq!(
        found().await,
        ["app_login may query notes.projects and not its member table notes.members: its queries will fail", writes]
    );
    let app = db.app().await;
    sign_in(&db, &app, json!({})).await;
    assert_eq!(outcome(&app, PROJECTS).await, "42501");
    // The columns that the policy reads are enough.
    owner.batch_execute("grant select (user_id) on notes.members to app_login").await.unwrap();
    assert_eq!(found().await, [writes]);
    assert_eq!(outcome(&app, PROJECTS).await, "alices bobs");
    // Everybody's own memberships are everybody's to write, where they are protected by owner and nothing else.
    owner.batch_execute("select identity.protect('notes.members')").await.unwrap();
    assert_eq!(found().await, [writes]);
    owner
        .batch_execute(
            "select identity.protect('notes.members', 'user_id', scope_write => 'members:write', replace => true)",
        )
        .await
        .unwrap();
    assert_eq!(found().await, [""; 0]);
    owner
        .batch_execute(
            "select identity.protect('notes.members', replace => true); revoke insert on notes.members from app_login",
        )
        .await
        .unwrap();
    assert_eq!(found().await, [""; 0]);
}
