//! A finding that is meant so is left out once the comment on its object says it.

use super::{Desk, rows};

#[tokio::test]
async fn a_comment_on_the_object_allows_what_it_names_and_nothing_else() {
    let desk = Desk::new().await;
    desk.run(
        "create table desk.countries (name text); grant select on desk.countries to app_login, public;
         comment on table desk.countries is 'Countries of the world. Everybody reads them: @lint allow rls_off'",
    )
    .await;
    let found = |code: &str| (code.to_owned(), "desk.countries".to_owned());
    assert_eq!(desk.found().await, [found("public_grant")]);
    for (comment, left) in [
        ("@lint allow public_grant, rls_off", &[][..]),
        ("@lint allow rls_off_owned", &["public_grant", "rls_off"]),
        ("@lint allow", &["public_grant", "rls_off"]),
        ("lint allow rls_off", &["public_grant", "rls_off"]),
        ("@lint allow public_grant\nrls_off", &["rls_off"]),
        ("", &["public_grant", "rls_off"]),
    ] {
        desk.run(&format!("comment on table desk.countries is '{comment}'")).await;
        assert_eq!(desk.found().await, left.iter().map(|code| found(code)).collect::<Vec<_>>(), "{comment}");
        assert_eq!(rows(&desk.app, "select * from identity.lint(allowed => true)").await.len(), 2);
    }
}

#[tokio::test]
async fn so_do_comments_on_policies_and_functions() {
    let desk = Desk::new().await;
    desk.finds_nothing(
        "create table desk.notes (user_id uuid); create index on desk.notes (user_id);
         alter table desk.notes enable row level security, force row level security;
         create policy mine on desk.notes using (user_id = identity.user_id());
         comment on policy mine on desk.notes is 'A table of ten rows. @lint allow policy_per_row';
         create function desk.ping() returns integer language sql security definer set search_path = '' as 'select 1';
         comment on function desk.ping() is 'Answers everybody. @lint allow definer_public'",
    )
    .await;
    assert_eq!(rows(&desk.app, "select * from identity.lint(true)").await.len(), 2);
}
