//! What policies say.

use super::Desk;
use crate::jwt::sqlstate;

/// A table whose owner is bound, with an index for its policies.
const NOTES: &str = "create table desk.notes (id integer, user_id uuid, org_id text, body text, shared boolean);
  create index on desk.notes (user_id); create index on desk.notes (org_id);
  alter table desk.notes enable row level security, force row level security;
  grant select, insert, update, delete on desk.notes to app_login;";

async fn notes() -> Desk {
    let desk = Desk::new().await;
    desk.run(NOTES).await;
    desk
}

impl Desk {
    /// A policy with one finding, whose remedy leaves none and says this.
    async fn policy(&self, policy: &str, code: &str, what: &str, remedy: &str) {
        let found = format!("policy p on desk.notes {what}");
        let remedies = self
            .finds(&format!("create policy p on desk.notes {policy}"), code, "policy p on desk.notes", &found)
            .await;
        assert_eq!(remedies, [format!("alter policy p on desk.notes {remedy}")]);
        self.run("drop policy p on desk.notes").await;
    }

    /// A policy without a finding.
    async fn good_policy(&self, policy: &str) {
        self.finds_nothing(&format!("create policy p on desk.notes {policy}")).await;
        self.run("drop policy p on desk.notes").await;
    }
}

#[tokio::test]
async fn a_call_for_every_row_that_could_be_one_a_statement() {
    let desk = notes().await;
    desk.run(
        "create function desk.me() returns uuid language sql stable as 'select identity.user_id()';
         create function desk.sees(org text) returns boolean language sql stable as 'select true';
         create function desk.dice() returns uuid language sql volatile as 'select gen_random_uuid()'",
    )
    .await;
    let what = "calls a function for every row that it could call once a statement";
    for (policy, remedy) in [
        ("using (user_id = identity.user_id())", "using ((user_id = (select identity.user_id())))"),
        (
            "for insert with check (user_id = desk.me() and identity.has_scope('notes:write, (all)'))",
            "with check (((user_id = (select desk.me())) AND (select identity.has_scope('notes:write, (all)'::text))))",
        ),
        (
            "for select using (body <> 'identity.user_id() it''s' and current_setting('role') <> 'none' and user_id in (select identity.user_id()))",
            "using (((body <> 'identity.user_id() it''s'::text) AND ((select current_setting('role'::text)) <> 'none'::text) AND (user_id IN ( SELECT identity.user_id() AS user_id))))",
        ),
        ("for delete using (desk.sees('all'))", "using ((select desk.sees('all'::text)))"),
    ] {
        desk.policy(policy, "policy_per_row", what, remedy).await;
    }
    for good in [
        "using (user_id = (select identity.user_id()))",
        "using (desk.sees(org_id))",
        "using (user_id = desk.dice())",
        "using (body = 'identity.user_id()')",
        "using (exists (select from (values (1)) v (x) where identity.has_scope('a')))",
        "using (org_id = any (array(select unnest(identity.roles()))))",
        "using (id > length('abc') and now() > '2020-01-01')",
    ] {
        desk.good_policy(good).await;
    }
}

#[tokio::test]
async fn a_setting_that_anybody_can_set() {
    let desk = notes().await;
    let what = |setting: &str| format!("believes the setting {setting}, which whoever can run SQL can set");
    for (policy, setting, remedy) in [
        (
            "using (user_id = (select current_setting('app.user_id', true)::uuid))",
            "app.user_id",
            "using ((user_id = ( SELECT ((select identity.user_id()::text))::uuid AS current_setting)))",
        ),
        (
            "for select using (user_id = (select (current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid))",
            "request.jwt.claims",
            "using ((user_id = ( SELECT ((((select identity.claims()::text))::json ->> 'sub'::text))::uuid AS uuid)))",
        ),
        (
            "for insert with check (org_id = (select current_setting('jwt.claims.org_id')))",
            "jwt.claims.org_id",
            "with check ((org_id = ( SELECT (select identity.claim('org_id')) AS current_setting)))",
        ),
        (
            "for delete using (org_id = (select current_setting('app.tenant')))",
            "app.tenant",
            "using ((org_id = ( SELECT (select identity.organization_id()) AS current_setting)))",
        ),
        (
            "for delete using (body = (select current_setting('application_name')))",
            "application_name",
            "using ((body = ( SELECT (select identity.user_id()::text) AS current_setting)))",
        ),
    ] {
        // body has no index, and needs none for the others.
        desk.run("create index if not exists notes_body on desk.notes (body)").await;
        desk.policy(policy, "policy_forgeable", &what(setting), remedy).await;
    }
    for good in [
        "using (user_id = (select identity.user_id()))",
        "using (body = (select current_setting('server_version')))",
        "using (body = (select current_setting('role')))",
        "using (org_id = (select identity.claim('request.jwt.claims')))",
    ] {
        desk.good_policy(good).await;
    }
}

#[tokio::test]
async fn a_function_that_believes_such_a_setting() {
    let desk = notes().await;
    desk.run("reset role; create schema auth; set role desk_owner").await;
    for (body, volatility) in [
        ("as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$", "stable"),
        ("return (current_setting('request.jwt.claim.sub', true))::uuid", "volatile"),
    ] {
        desk.run(&format!(
            "reset role; create or replace function auth.uid() returns uuid language sql {volatility} {body};
             grant usage on schema auth to desk_owner; set role desk_owner"
        ))
        .await;
        desk.policy(
            "using (user_id = (select auth.uid()))",
            "policy_forgeable",
            "believes the setting request.jwt.claim.sub, which whoever can run SQL can set",
            "using ((user_id = ( SELECT (select identity.user_id()) AS uid)))",
        )
        .await;
    }
    // Backed by the verified identity it is as good as any.
    desk.run("reset role; create or replace function auth.uid() returns uuid language sql stable as 'select identity.user_id()'; set role desk_owner")
        .await;
    desk.good_policy("using (user_id = (select auth.uid()))").await;
}

#[tokio::test]
async fn using_without_with_check_where_a_row_can_be_given_away() {
    let desk = notes().await;
    desk.policy(
        "for update using (user_id = (select identity.user_id()) or shared)",
        "policy_without_check",
        "has no WITH CHECK: a row may be changed into one that another branch of USING allows",
        "using (((user_id = ( SELECT identity.user_id() AS user_id)) OR shared)) with check (((user_id = ( SELECT identity.user_id() AS user_id)) OR shared))",
    )
    .await;
    for good in [
        "for select using (user_id = (select identity.user_id()) or shared)",
        "for delete using (user_id = (select identity.user_id()) or shared)",
        "for update using (user_id = (select identity.user_id()) or shared) with check (user_id = (select identity.user_id()))",
        // PostgreSQL takes USING for both.
        "using (user_id = (select identity.user_id()))",
        "as restrictive for update using (user_id = (select identity.user_id()) or shared)",
    ] {
        desk.good_policy(good).await;
    }
}

#[tokio::test]
async fn writes_without_a_condition() {
    let desk = notes().await;
    let what = "lets everybody write any row";
    let signed_in = "((select identity.subject()) is not null)";
    for (policy, remedy) in [
        ("for insert with check (true)", format!("with check ({signed_in})")),
        ("for delete using (true)", format!("using ({signed_in})")),
        ("using (true)", format!("using ({signed_in})")),
        (
            "for update using (user_id = (select identity.user_id())) with check (true)",
            "using ((user_id = ( SELECT identity.user_id() AS user_id))) with check ((user_id = ( SELECT identity.user_id() AS user_id)))".into(),
        ),
    ] {
        desk.policy(policy, "policy_writes_unchecked", what, &remedy).await;
    }
    desk.run("create policy seen on desk.notes for select using (user_id = (select identity.user_id()))").await;
    desk.policy(
        "for insert with check (true)",
        "policy_writes_unchecked",
        what,
        "with check ((user_id = ( SELECT identity.user_id() AS user_id)))",
    )
    .await;
    // Everybody may read, a role of its own may write, and a restrictive policy allows nothing by itself.
    for good in [
        "for select using (true)",
        "for insert to pg_monitor with check (true)",
        "as restrictive for delete using (true)",
    ] {
        desk.good_policy(good).await;
    }
}

#[tokio::test]
async fn every_row_for_whoever_is_not_signed_in() {
    let desk = notes().await;
    for policy in [
        "for select using ((select identity.user_id()) is null or user_id = (select identity.user_id()))",
        "for select using (user_id = (select identity.user_id()) or (select identity.subject()) is null)",
    ] {
        desk.run(&format!("create policy p on desk.notes {policy}")).await;
        let found = desk.lint().await;
        assert_eq!(
            found.iter().map(|row| (row.code.as_str(), row.finding.as_str())).collect::<Vec<_>>(),
            [("policy_open_when_signed_out", "policy p on desk.notes allows every row when nobody is signed in")]
        );
        desk.run("reset role; insert into desk.notes (body) values ('hidden'); set role desk_owner").await;
        assert!(!desk.app.query("select from desk.notes", &[]).await.unwrap().is_empty());
        desk.run(&found[0].remedy).await;
        assert_eq!(desk.lint().await, []);
        assert!(desk.app.query("select from desk.notes", &[]).await.unwrap().is_empty());
        desk.run("drop policy p on desk.notes").await;
    }
    desk.good_policy("for select using ((select identity.user_id()) is not null and (shared is null or user_id = (select identity.user_id())))").await;
}

#[tokio::test]
async fn a_policy_that_reads_its_own_table() {
    let desk = notes().await;
    desk.run("create policy p on desk.notes using (org_id in (select n.org_id from desk.notes n where n.user_id = (select identity.user_id())))")
        .await;
    assert_eq!(sqlstate(desk.app.query("select from desk.notes", &[]).await), "42P17");
    desk.finds("", "policy_recursion", "policy p on desk.notes", "policy p on desk.notes reads itself").await;
    assert_eq!(desk.app.query("select from desk.notes", &[]).await.unwrap().len(), 0);
    // With nothing to expand in the policies for SELECT it is none.
    desk.run("drop policy p on desk.notes").await;
    desk.finds_nothing(
        "create policy seen on desk.notes for select using (shared);
         create policy p on desk.notes for update using (id >= (select max(n.id) from desk.notes n))",
    )
    .await;
    desk.app.batch_execute("update desk.notes set body = 'x'").await.unwrap();
    desk.finds(
        "alter policy seen on desk.notes using (shared and (select identity.is_agent()))",
        "policy_recursion",
        "policy p on desk.notes",
        "policy p on desk.notes reads itself",
    )
    .await;
}

#[tokio::test]
async fn two_tables_whose_policies_read_each_other() {
    let desk = notes().await;
    desk.run(
        "create table desk.members (note integer, user_id uuid); create index on desk.members (user_id);
         alter table desk.members enable row level security, force row level security; grant select on desk.members to app_login;
         create policy p on desk.notes for select using (id in (select m.note from desk.members m))",
    )
    .await;
    desk.finds_nothing("create policy p on desk.members for select using (user_id = (select identity.user_id()))")
        .await;
    desk.run("alter policy p on desk.members using (exists (select from desk.notes n where n.id = note))").await;
    assert_eq!(sqlstate(desk.app.query("select from desk.members", &[]).await), "42P17");
    let found = desk.lint().await;
    let objects: Vec<_> = found.iter().map(|row| (row.code.as_str(), row.finding.as_str())).collect();
    assert_eq!(
        objects,
        [
            ("policy_recursion", "policy p on desk.members reads other tables whose policies read it"),
            ("policy_recursion", "policy p on desk.notes reads other tables whose policies read it")
        ]
    );
    desk.run(&found[0].remedy).await;
    assert_eq!(desk.lint().await, []);
    desk.app.query("select from desk.notes", &[]).await.unwrap();
}
