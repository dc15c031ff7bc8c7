//! Who reaches which table, and whether its policies are asked.

use super::Desk;

#[tokio::test]
async fn a_table_that_others_reach_without_row_level_security() {
    let desk = Desk::new().await;
    desk.finds_nothing("create table desk.rooms (name text)").await;
    let remedies = desk
        .finds(
            "grant select (name) on desk.rooms to app_login",
            "rls_off",
            "desk.rooms",
            "row-level security of desk.rooms is off: app_login reaches every row",
        )
        .await;
    // Then nobody sees a row, which is a finding too, until the privileges go as well.
    assert_eq!(
        remedies,
        [
            "alter table desk.rooms enable row level security, force row level security",
            "revoke all on desk.rooms from app_login"
        ]
    );
}

#[tokio::test]
async fn rows_of_people_that_everybody_reaches() {
    let desk = Desk::new().await;
    desk.finds(
        "create table desk.notes (user_id uuid, body text); grant select, insert on desk.notes to app_login",
        "rls_off_owned",
        "desk.notes",
        "row-level security of desk.notes is off: app_login reaches every row",
    )
    .await;
    assert_eq!(desk.app.query("select from desk.notes", &[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_partitioned_table_is_one_finding_and_not_one_a_partition() {
    let desk = Desk::new().await;
    desk.finds(
        "create table desk.notes (user_id uuid) partition by hash (user_id);
         create table desk.notes_0 partition of desk.notes for values with (modulus 1, remainder 0) partition by hash (user_id);
         create table desk.notes_0_0 partition of desk.notes_0 for values with (modulus 1, remainder 0);
         grant select on desk.notes to app_login",
        "rls_off_owned",
        "desk.notes",
        "row-level security of desk.notes is off: app_login reaches every row",
    )
    .await;
}

#[tokio::test]
async fn an_application_that_logs_in_as_the_owner_of_its_tables() {
    let desk = Desk::new().await;
    desk.run("reset role; create schema own authorization app_login").await;
    desk.app.batch_execute("create table own.notes (user_id uuid)").await.unwrap();
    let remedies = desk
        .finds("", "rls_off_owned", "own.notes", "row-level security of own.notes is off: app_login reaches every row")
        .await;
    assert_eq!(remedies, ["select identity.protect('own.notes')"]);
}

#[tokio::test]
async fn policies_that_are_never_asked() {
    let desk = Desk::new().await;
    desk.finds(
        "create table desk.notes (user_id uuid); create index on desk.notes (user_id);
         create policy mine on desk.notes using (user_id = (select identity.user_id()));
         grant select on desk.notes to app_login",
        "policies_without_rls",
        "desk.notes",
        "desk.notes has policies, and row-level security is off",
    )
    .await;
}

#[tokio::test]
async fn row_level_security_without_a_policy() {
    let desk = Desk::new().await;
    desk.finds_nothing("create table desk.rooms (name text); alter table desk.rooms enable row level security, force row level security").await;
    desk.finds(
        "grant select on desk.rooms to app_login",
        "rls_without_policy",
        "desk.rooms",
        "row-level security of desk.rooms is on without a policy: app_login gets no row",
    )
    .await;
    let remedies = desk
        .finds(
            "create table desk.notes (owner_id uuid); alter table desk.notes enable row level security, force row level security;
             grant select on desk.notes to app_login",
            "rls_without_policy",
            "desk.notes",
            "row-level security of desk.notes is on without a policy: app_login gets no row",
        )
        .await;
    assert_eq!(remedies, ["select identity.protect('desk.notes')"]);
}

#[tokio::test]
async fn an_owner_who_is_not_bound() {
    let desk = Desk::new().await;
    desk.finds(
        "create table desk.notes (user_id uuid); create index on desk.notes (user_id);
         alter table desk.notes enable row level security;
         create policy mine on desk.notes using (user_id = (select identity.user_id()));
         grant select on desk.notes to app_login",
        "rls_not_forced",
        "desk.notes",
        "the owner of desk.notes is not bound by its policies",
    )
    .await;
}

#[tokio::test]
async fn what_everybody_was_granted() {
    let desk = Desk::new().await;
    desk.finds(
        "create sequence desk.numbers; grant usage on desk.numbers to public",
        "public_grant",
        "desk.numbers",
        "everybody has usage on desk.numbers",
    )
    .await;
    desk.finds(
        "create view desk.now as select now(); grant select on desk.now to public, app_login",
        "public_grant",
        "desk.now",
        "everybody has select on desk.now",
    )
    .await;
    let remedies = desk
        .finds(
            "create view desk.two as select 1 as a, 2 as b; grant select (a, b), update (b) on desk.two to public",
            "public_grant",
            "desk.two",
            "everybody has select, update on desk.two",
        )
        .await;
    assert_eq!(remedies, ["revoke all on desk.two from public"]);
    // Where it is protected, protect_check says more.
    desk.finds(
        "create table desk.notes (user_id uuid); grant select on desk.notes to public; select identity.protect('desk.notes')",
        "public_grant",
        "desk.notes",
        "public has privileges on desk.notes and does not inherit identity_app: its queries will fail",
    )
    .await;
    desk.finds(
        "grant select (user_id) on desk.notes to public",
        "public_grant",
        "desk.notes",
        "public has privileges on desk.notes and does not inherit identity_app: its queries will fail",
    )
    .await;
}

#[tokio::test]
async fn a_schema_in_which_everybody_creates() {
    let desk = Desk::new().await;
    desk.finds(
        "grant create on schema desk to public",
        "public_create",
        "schema desk",
        "everybody may create objects in schema desk",
    )
    .await;
}
