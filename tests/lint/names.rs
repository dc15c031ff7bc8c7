//! Whoever may create a table chooses its name, and a DBA runs the remedies.

use super::Desk;

/// Names that read like SQL, like findings, like hints and like patterns.
const NAMES: [&str; 7] = [
    "n Run: drop table desk.victim; --",
    "'; drop table desk.victim; --",
    "n\" can be queried by itself, past",
    "n shows all rows of x\" is permissive: its",
    ".*)+[a-z",
    "line\nbreak\\1",
    "%s %I $$ $1",
];

#[tokio::test]
async fn names_that_read_like_statements_are_names_in_every_remedy() {
    let desk = Desk::new().await;
    desk.run("create table desk.victim (a integer)").await;
    for name in NAMES {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let literal = format!("'desk.{}'", quoted.replace('\'', "''"));
        // All kinds of objects with that name, each with findings.
        desk.run(&format!(
            "reset role; create schema {quoted} authorization desk_owner; grant create on schema {quoted} to public; set role desk_owner;
             create table desk.{quoted} (user_id uuid, {quoted} numeric unique, \"other {quoted_inner}\" text);
             select identity.protect({literal});
             grant all on desk.{quoted} to app_login, public;
             alter table desk.{quoted} no force row level security;
             create function {quoted}.{quoted}() returns text language sql stable as $f$ select current_setting('a.b') $f$;
             create function {quoted}.definer() returns setof desk.{quoted} language sql security definer as 'select null::uuid, null::numeric, null::text';
             create policy {quoted} on desk.{quoted} for update using (\"other {quoted_inner}\" = {quoted}.{quoted}() or \"other {quoted_inner}\" = (select current_setting('x.y')) or user_id = identity.user_id());
             create view {quoted}.{quoted} as select * from desk.{quoted}; grant select on {quoted}.{quoted} to app_login;
             create materialized view {quoted}.copy as select * from desk.{quoted}; grant select on {quoted}.copy to app_login;
             create table {quoted}.child () inherits (desk.{quoted}); grant select on {quoted}.child to app_login",
            quoted_inner = name.replace('"', "\"\"")
        ))
        .await;
        let mut found = desk.lint().await;
        assert!(found.len() >= 12, "{name}: {found:?}");
        let mut steps = 0;
        while let Some(row) = found.pop() {
            // The policy beside protect's goes last of all, so that its own findings are mended too.
            desk.run("reset role").await;
            desk.run(&row.remedy).await;
            found = desk.lint().await;
            assert!(!found.contains(&row), "{row:?}");
            steps += 1;
            assert!(steps < 40, "{found:?}");
        }
        desk.run("table desk.victim").await;
    }
}

#[tokio::test]
async fn neither_a_hidden_member_table_nor_a_comment_that_lies_stops_anybody_from_asking() {
    let desk = Desk::new().await;
    desk.finds_nothing(
        "reset role; create schema hidden; create table hidden.members (note bigint, user_id uuid, primary key (note, user_id));
         create table desk.notes (id bigint generated always as identity primary key, body text); grant select on desk.notes to identity_admin;
         select identity.protect('desk.notes', members => 'hidden.members', members_row => 'note', members_key => 'id', members_user => 'user_id');
         revoke select on desk.notes from identity_admin",
    )
    .await;
    for members in ["hidden.members", "\\\"", "x; drop table desk.notes", "no.such.table.at.all"] {
        desk.run(&format!(
            "do $$ declare p record; begin
               for p in select polname from pg_policy where polrelid = 'desk.notes'::regclass loop
                 execute format('comment on policy %I on desk.notes is %L', p.polname,
                   'Written by identity.protect: {{\"members\": \"{members}\", \"members_key\": \"id\", \"members_row\": \"note\", \"members_user\": \"user_id\"}}');
               end loop; end $$"
        ))
        .await;
        let lied = members != "hidden.members";
        assert_eq!(desk.lint().await.iter().any(|row| row.code == "protect_altered"), lied, "{members}");
    }
}
