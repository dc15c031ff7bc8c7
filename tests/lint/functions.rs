//! Security definer.

use super::Desk;

const NOTES: &str = "create table desk.notes (user_id uuid, body text); select identity.protect('desk.notes');
  grant select on desk.notes to app_login;";

impl Desk {
    /// A function that app_login, and not everybody, may execute.
    async fn function(&self, definition: &str) {
        self.run(&format!(
            "create or replace function desk.f() returns integer {definition};
             revoke all on function desk.f() from public; grant execute on function desk.f() to app_login"
        ))
        .await;
    }
}

#[tokio::test]
async fn names_that_the_caller_can_redirect() {
    let desk = Desk::new().await;
    for (definition, what) in [
        ("language sql security definer as 'select 1'", "has no search_path of its own"),
        (
            "language plpgsql security definer set search_path = desk as 'begin return 1; end'",
            "searches temporary tables of its caller first",
        ),
        (
            "language sql security definer set search_path = pg_temp, desk as 'select 1'",
            "searches temporary tables of its caller first",
        ),
    ] {
        desk.function(definition).await;
        let remedies = desk
            .finds("", "definer_search_path", "desk.f()", &format!("security definer function desk.f() {what}"))
            .await;
        assert_eq!(remedies, ["alter function desk.f() set search_path = desk, pg_temp"]);
    }
    for good in [
        "language sql security definer set search_path = desk, pg_temp as 'select 1'",
        "language sql security definer set search_path = '' as 'select 1'",
        "language sql security definer begin atomic select 1; end",
        "language sql as 'select 1'",
    ] {
        desk.function(good).await;
        assert_eq!(desk.lint().await, [], "{good}");
    }
    // What only its owner may execute gives nobody anything.
    desk.run("create function desk.own() returns integer language sql security definer as 'select 1'; revoke all on function desk.own() from public")
        .await;
    assert_eq!(desk.lint().await, []);
}

#[tokio::test]
async fn a_search_path_in_which_others_create() {
    let desk = Desk::new().await;
    desk.run(
        "reset role; create schema porch; grant create, usage on schema porch to public;
         comment on schema porch is '@lint allow public_create'",
    )
    .await;
    desk.function("language sql security definer set search_path = desk, porch, pg_temp as 'select 1'").await;
    let remedies = desk
        .finds(
            "",
            "definer_search_path",
            "desk.f()",
            "security definer function desk.f() finds what others create in schema porch",
        )
        .await;
    assert_eq!(remedies, ["alter function desk.f() set search_path = desk, pg_temp"]);
    desk.run(
        "create procedure porch.p() language sql security definer as 'select 1'; revoke all on procedure porch.p() from public;
         grant execute on procedure porch.p() to app_login",
    )
    .await;
    let remedies = desk
        .finds(
            "",
            "definer_search_path",
            "porch.p()",
            "security definer procedure porch.p() has no search_path of its own",
        )
        .await;
    assert_eq!(remedies, ["alter procedure porch.p() set search_path = pg_catalog, pg_temp"]);
}

#[tokio::test]
async fn a_security_definer_function_for_everybody() {
    let desk = Desk::new().await;
    desk.finds(
        "create function desk.ping(a integer) returns integer language sql security definer set search_path = '' as 'select 1'",
        "definer_public",
        "desk.ping(integer)",
        "everybody may execute security definer function desk.ping(integer)",
    )
    .await;
    desk.finds_nothing(
        "create function desk.stamp() returns trigger language plpgsql security definer set search_path = '' as 'begin return new; end'",
    )
    .await;
}

#[tokio::test]
async fn a_function_that_reads_past_policies() {
    let desk = Desk::new().await;
    desk.finds_nothing(NOTES).await;
    // FORCE binds the owner of the table, and so its functions.
    desk.function(
        "language sql security definer set search_path = desk, pg_temp as 'select count(*)::integer from Notes'",
    )
    .await;
    assert_eq!(desk.lint().await, []);
    desk.run("reset role").await;
    for definition in [
        "language sql security definer set search_path = desk, pg_temp as 'select count(*)::integer from Notes'",
        "language plpgsql security definer set search_path = '' as 'begin return (select count(*) from desk.\"notes\"); end'",
        "language sql security definer begin atomic select count(*)::integer from desk.notes; end",
    ] {
        desk.run("drop function if exists desk.f()").await;
        desk.function(definition).await;
        let remedies = desk
            .finds(
                "",
                "definer_reads_protected",
                "desk.f()",
                "security definer function desk.f() names desk.notes, whose policies do not bind its owner postgres",
            )
            .await;
        assert_eq!(remedies, ["alter function desk.f() security invoker"]);
    }
    desk.finds(
        "create function desk.rows() returns setof desk.notes language plpgsql security definer set search_path = '' as
           'begin return query execute ''table desk'' || ''.notes''; end';
         revoke all on function desk.rows() from public; grant execute on function desk.rows() to app_login",
        "definer_reads_protected",
        "desk.rows()",
        "security definer function desk.rows() names desk.notes, whose policies do not bind its owner postgres",
    )
    .await;
    desk.run("drop function desk.f()").await;
    desk.function("language sql security definer set search_path = '' as 'select 1'").await;
    assert_eq!(desk.lint().await, []);
}

#[tokio::test]
async fn the_owner_of_a_table_without_force_reads_past_its_policies_too() {
    let desk = Desk::new().await;
    desk.run(NOTES).await;
    desk.function(
        "language sql security definer set search_path = desk, pg_temp as 'select count(*)::integer from notes'",
    )
    .await;
    desk.run("alter table desk.notes no force row level security").await;
    let found = desk.found().await;
    assert_eq!(
        found,
        [("definer_reads_protected", "desk.f()"), ("rls_not_forced", "desk.notes")].map(|(a, b)| (a.into(), b.into()))
    );
}

#[tokio::test]
async fn a_search_path_in_which_one_other_role_creates() {
    let desk = Desk::new().await;
    desk.run("reset role; create schema porch; grant create, usage on schema porch to desk_owner; set role desk_owner")
        .await;
    // Nobody needs to be protected from themselves.
    desk.function("language sql security definer set search_path = desk, porch, pg_temp as 'select 1'").await;
    assert_eq!(desk.lint().await, []);
    desk.run("reset role; grant create on schema porch to app_login; set role desk_owner").await;
    let remedies = desk
        .finds(
            "",
            "definer_search_path",
            "desk.f()",
            "security definer function desk.f() finds what others create in schema porch",
        )
        .await;
    assert_eq!(remedies, ["alter function desk.f() set search_path = desk, pg_temp"]);
    // Its own schema is no better.
    let remedies = desk
        .finds(
            "create procedure porch.p() language sql security definer set search_path = porch, pg_temp as 'select 1';
             revoke all on procedure porch.p() from public; grant execute on procedure porch.p() to app_login",
            "definer_search_path",
            "porch.p()",
            "security definer procedure porch.p() finds what others create in schema porch",
        )
        .await;
    assert_eq!(remedies, ["alter procedure porch.p() set search_path = pg_catalog, pg_temp"]);
}
