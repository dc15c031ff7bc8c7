//! What leads past policies, and what somebody did to a protected table.

use super::Desk;
use crate::jwt::sqlstate;

const NOTES: &str = "create table desk.notes (user_id uuid, body text); select identity.protect('desk.notes'); grant select on desk.notes to app_login;";

async fn notes() -> Desk {
    let desk = Desk::new().await;
    desk.finds_nothing(NOTES).await;
    desk.run("reset role; insert into desk.notes values (gen_random_uuid(), 'hidden'); set role desk_owner").await;
    desk
}

impl Desk {
    async fn seen(&self, relation: &str) -> usize {
        self.app.query(&format!("select from {relation}"), &[]).await.map_or(0, |rows| rows.len())
    }
}

#[tokio::test]
async fn a_view_of_an_owner_whom_no_policy_binds() {
    let desk = notes().await;
    desk.finds_nothing("create view desk.mine as select * from desk.notes; grant select on desk.mine to app_login")
        .await;
    desk.run("reset role").await;
    desk.finds_nothing("create view desk.unseen as select * from desk.notes").await;
    desk.run("create view desk.all as select * from desk.notes; grant select on desk.all to app_login").await;
    assert_eq!(desk.seen("desk.all").await, 1);
    desk.finds(
        "",
        "view_past_policies",
        "desk.\"all\"",
        "view desk.\"all\" shows all rows of desk.notes: it reads with the rights of its owner, whom no policy binds",
    )
    .await;
    assert_eq!(desk.seen("desk.all").await, 0);
}

#[tokio::test]
async fn a_view_below_a_view_that_is_granted() {
    let desk = notes().await;
    desk.run(
        "reset role; create view desk.lower as select * from desk.notes;
         create view desk.upper with (security_invoker = true) as select * from desk.lower; grant select on desk.upper to app_login;
         grant select on desk.lower to desk_owner",
    )
    .await;
    desk.run("revoke select on desk.lower from desk_owner; alter view desk.upper set (security_invoker = false)").await;
    assert_eq!(desk.seen("desk.upper").await, 1);
    desk.finds(
        "",
        "view_past_policies",
        "desk.lower",
        "view desk.lower shows all rows of desk.notes: it reads with the rights of its owner, whom the policies do not bind",
    )
    .await;
}

#[tokio::test]
async fn a_view_of_an_owner_whom_a_missing_force_does_not_bind() {
    let desk = notes().await;
    desk.run(
        "drop table desk.notes; create table desk.notes (user_id uuid); create index on desk.notes (user_id);
         alter table desk.notes enable row level security;
         create policy mine on desk.notes using (user_id = (select identity.user_id()));
         create view desk.everything as select * from desk.notes; grant select on desk.everything to app_login;
         insert into desk.notes values (gen_random_uuid())",
    )
    .await;
    assert_eq!(desk.seen("desk.everything").await, 1);
    desk.finds(
        "",
        "view_past_policies",
        "desk.everything",
        "view desk.everything shows all rows of desk.notes: it reads with the rights of its owner, whom the policies do not bind",
    )
    .await;
}

/// A privilege on one column shows as many rows as one on the table.
#[tokio::test]
async fn views_and_copies_that_are_granted_by_column() {
    let desk = notes().await;
    desk.run(
        "reset role; create view desk.all as select * from desk.notes; grant select (body) on desk.all to app_login",
    )
    .await;
    assert_eq!(desk.seen("desk.all").await, 1);
    desk.finds(
        "",
        "view_past_policies",
        "desk.\"all\"",
        "view desk.\"all\" shows all rows of desk.notes: it reads with the rights of its owner, whom no policy binds",
    )
    .await;
    assert_eq!(desk.seen("desk.all").await, 0);
    desk.run(
        "create view desk.lower as select * from desk.notes;
         create view desk.upper as select * from desk.lower; grant select (body) on desk.upper to app_login",
    )
    .await;
    assert_eq!(desk.seen("desk.upper").await, 1);
    desk.finds(
        "",
        "view_past_policies",
        "desk.lower",
        "view desk.lower shows all rows of desk.notes: it reads with the rights of its owner, whom the policies do not bind",
    )
    .await;
    assert_eq!(desk.seen("desk.upper").await, 0);
    let remedies = desk
        .finds(
            "create materialized view desk.copy as select * from desk.notes; grant select (body) on desk.copy to app_login",
            "matview_past_policies",
            "desk.copy",
            "materialized view desk.copy holds a copy of rows of desk.notes, which no policy guards",
        )
        .await;
    assert_eq!(remedies, ["revoke all on desk.copy from app_login"]);
    assert_eq!(sqlstate(desk.app.batch_execute("select body from desk.copy").await), "42501");
}

#[tokio::test]
async fn a_copy_in_a_materialized_view() {
    let desk = notes().await;
    desk.finds(
        "create materialized view desk.copy as select * from desk.notes; grant select on desk.copy to app_login",
        "matview_past_policies",
        "desk.copy",
        "materialized view desk.copy holds a copy of rows of desk.notes, which no policy guards",
    )
    .await;
}

#[tokio::test]
async fn partitions_and_children_with_privileges_of_their_own() {
    let desk = notes().await;
    desk.run(
        "create table desk.parts (user_id uuid) partition by hash (user_id);
         create table desk.part partition of desk.parts for values with (modulus 1, remainder 0);
         create table desk.drafts () inherits (desk.notes)",
    )
    .await;
    desk.finds_nothing("select identity.protect('desk.parts')").await;
    for (relation, what, whole) in [("desk.part", "partition", "desk.parts"), ("desk.drafts", "child", "desk.notes")] {
        let remedies = desk
            .finds(
                &format!("grant select on {relation} to app_login, identity_app"),
                "partition_past_policies",
                relation,
                &format!("{what} {relation} can be queried by itself, past the policies of {whole}"),
            )
            .await;
        assert_eq!(remedies, [format!("revoke all on {relation} from app_login, identity_app")]);
        assert_eq!(sqlstate(desk.app.batch_execute(&format!("select from {relation}")).await), "42501");
        let remedies = desk
            .finds(
                &format!("grant select (user_id) on {relation} to app_login"),
                "partition_past_policies",
                relation,
                &format!("{what} {relation} can be queried by itself, past the policies of {whole}"),
            )
            .await;
        assert_eq!(remedies, [format!("revoke all on {relation} from app_login")]);
        assert_eq!(sqlstate(desk.app.batch_execute(&format!("select user_id from {relation}")).await), "42501");
    }
}

#[tokio::test]
async fn parents_that_show_the_same_rows() {
    let desk = notes().await;
    desk.finds(
        "create table desk.everything (user_id uuid, body text); alter table desk.notes inherit desk.everything",
        "parent_past_policies",
        "desk.everything",
        "rows of desk.notes are seen through its parent desk.everything, past its policies",
    )
    .await;
    desk.finds(
        "create table desk.parts (user_id uuid) partition by hash (user_id);
         create table desk.part partition of desk.parts for values with (modulus 1, remainder 0);
         alter table desk.part enable row level security, force row level security",
        "parent_past_policies",
        "desk.parts",
        "rows of desk.part are seen through its parent desk.parts, past its policies",
    )
    .await;
}

#[tokio::test]
async fn privileges_that_no_policy_binds() {
    let desk = notes().await;
    desk.finds(
        "grant all on desk.notes to app_login",
        "privilege_past_policies",
        "desk.notes",
        "app_login has references, trigger, truncate on desk.notes, which no policy binds",
    )
    .await;
    let remedies = desk
        .finds(
            "grant references (user_id, body) on desk.notes to app_login",
            "privilege_past_policies",
            "desk.notes",
            "app_login has references on desk.notes, which no policy binds",
        )
        .await;
    assert_eq!(remedies, ["revoke references on desk.notes from app_login"]);
    // So too where protect never wrote.
    desk.finds(
        "create table desk.other (user_id uuid); create index on desk.other (user_id);
         alter table desk.other enable row level security, force row level security;
         create policy mine on desk.other using (user_id = (select identity.user_id()));
         grant select, truncate on desk.other to app_login",
        "privilege_past_policies",
        "desk.other",
        "app_login has truncate on desk.other, which no policy binds",
    )
    .await;
}

#[tokio::test]
async fn a_permissive_policy_beside_those_of_protect() {
    let desk = notes().await;
    desk.finds_nothing("create policy narrower on desk.notes as restrictive using (body <> 'secret')").await;
    desk.finds(
        "create policy \"wider one\" on desk.notes for select using (body = 'public')",
        "policy_beside_protect",
        "desk.notes",
        "policy \"wider one\" on desk.notes is permissive: its rows are allowed in addition to what protect allows",
    )
    .await;
}

#[tokio::test]
async fn a_policy_of_protect_that_was_altered() {
    let desk = notes().await;
    desk.finds(
        "alter policy identity_select on desk.notes using (user_id = (select identity.user_id()) or body = 'x')",
        "protect_altered",
        "desk.notes",
        "policy identity_select on desk.notes is not what protect wrote",
    )
    .await;
    desk.finds(
        "drop policy identity_delete on desk.notes",
        "protect_altered",
        "desk.notes",
        "policy identity_delete on desk.notes is not what protect wrote",
    )
    .await;
}

#[tokio::test]
async fn a_grantee_whose_queries_will_fail() {
    let desk = notes().await;
    let stranger = format!("stranger_{}", desk.db.name);
    desk.run("reset role").await;
    desk.finds(
        &format!("create role {stranger} login; grant select on desk.notes to {stranger}"),
        "grantee_cannot_authenticate",
        "desk.notes",
        &format!("{stranger} has privileges on desk.notes and does not inherit identity_app: its queries will fail"),
    )
    .await;
    desk.run(&format!("revoke identity_app from {stranger}; revoke all on desk.notes from {stranger}")).await;
    desk.finds(
        &format!("grant select (body) on desk.notes to {stranger}"),
        "grantee_cannot_authenticate",
        "desk.notes",
        &format!("{stranger} has privileges on desk.notes and does not inherit identity_app: its queries will fail"),
    )
    .await;
    desk.run(&format!("drop owned by {stranger}; drop role {stranger}")).await;
}

/// What protect_check learns to find later is not lost on the way: here by one that finds something else.
#[tokio::test]
async fn whatever_else_protect_check_finds_is_shown_with_its_hint() {
    let desk = notes().await;
    desk.run(
        "reset role;
         create or replace function identity.protect_check(target regclass) returns table (finding text, hint text) language sql stable strict parallel safe
         as $$ select 'the moon is full', 'Run: select 1' union all select 'the tide is high', 'Wait.' $$",
    )
    .await;
    let found = desk.lint().await;
    let found: Vec<_> = found
        .iter()
        .map(|row| (row.severity.as_str(), row.code.as_str(), row.object.as_str(), row.remedy.as_str()))
        .collect();
    assert_eq!(
        found,
        [("warning", "protect_check", "desk.notes", "select 1"), ("warning", "protect_check", "desk.notes", "Wait.")]
    );
}

#[tokio::test]
async fn a_member_table_that_cannot_be_read_or_that_people_write_themselves() {
    let desk = Desk::new().await;
    desk.finds_nothing(
        "create table desk.members (user_id uuid, project bigint, primary key (project, user_id)); select identity.protect('desk.members', 'user_id', scope_write => 'members:write');
         create table desk.projects (id bigint generated always as identity primary key, body text);
         select identity.protect('desk.projects', members => 'desk.members', members_row => 'project', members_key => 'id', members_user => 'user_id')",
    )
    .await;
    let remedies = desk
        .finds(
            "grant select on desk.projects to app_login",
            "member_table_unreadable",
            "desk.projects",
            "app_login may query desk.projects and not its member table desk.members: its queries will fail",
        )
        .await;
    assert_eq!(remedies, ["grant select on desk.members to app_login"]);
    desk.finds_nothing("grant insert on desk.members to app_login").await;
    let remedies = desk
        .finds(
            "select identity.protect('desk.members', 'user_id', replace => true)",
            "member_table_writable",
            "desk.projects",
            "app_login may write memberships of its own into desk.members, and so see rows of desk.projects",
        )
        .await;
    assert_eq!(remedies, ["revoke insert, update on desk.members from app_login"]);
}

#[tokio::test]
async fn a_member_table_that_people_read_or_write_by_column() {
    let desk = Desk::new().await;
    desk.finds_nothing(
        "create table desk.members (user_id uuid, project bigint, note text, primary key (project, user_id)); select identity.protect('desk.members', 'user_id');
         create table desk.projects (id bigint generated always as identity primary key, body text);
         select identity.protect('desk.projects', members => 'desk.members', members_row => 'project', members_key => 'id', members_user => 'user_id')",
    )
    .await;
    let remedies = desk
        .finds(
            "grant select (body) on desk.projects to app_login",
            "member_table_unreadable",
            "desk.projects",
            "app_login may query desk.projects and not its member table desk.members: its queries will fail",
        )
        .await;
    assert_eq!(remedies, ["grant select on desk.members to app_login"]);
    // What makes nobody a member is no way past.
    desk.finds_nothing("grant update (note) on desk.members to app_login").await;
    for privilege in ["insert (project)", "update (project)", "update (user_id)"] {
        let remedies = desk
            .finds(
                &format!("grant {privilege} on desk.members to app_login"),
                "member_table_writable",
                "desk.projects",
                "app_login may write memberships of its own into desk.members, and so see rows of desk.projects",
            )
            .await;
        assert_eq!(remedies, ["revoke insert, update on desk.members from app_login"], "{privilege}");
        let write =
            "insert into desk.members (project) values (1); update desk.members set project = 1, user_id = null";
        assert_eq!(sqlstate(desk.app.batch_execute(write).await), "42501", "{privilege}");
    }
    // Everybody is somebody.
    desk.run("grant insert (user_id, project) on desk.members to public").await;
    let found = desk.lint().await;
    let said: Vec<_> = found.iter().map(|row| (row.code.as_str(), row.finding.as_str())).collect();
    assert_eq!(
        said,
        [
            (
                "member_table_writable",
                "public may write memberships of its own into desk.members, and so see rows of desk.projects"
            ),
            (
                "public_grant",
                "public has privileges on desk.members and does not inherit identity_app: its queries will fail"
            )
        ]
    );
    desk.run(&found[0].remedy).await;
    assert_eq!(desk.lint().await, []);
}
