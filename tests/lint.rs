//! Lint: one test a rule. Each shows the finding, that its remedy, run as it stands by the owner of the object, makes it vanish, and that
//! what is well made is not reported.

mod allowed;
mod functions;
mod indexes;
mod names;
mod policies;
mod tables;
mod ways_past;

use std::collections::BTreeSet;

use tokio_postgres::Client;

use crate::jwt::sqlstate;
use crate::support::{Database, Login, checkout};

/// One row of `identity.lint()`.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    severity: String,
    code: String,
    object: String,
    finding: String,
    remedy: String,
}

async fn rows(client: &Client, sql: &str) -> Vec<Row> {
    let rows = client.query(sql, &[]).await.unwrap();
    let row = |row: &tokio_postgres::Row| Row {
        severity: row.get("severity"),
        code: row.get("code"),
        object: row.get("object"),
        finding: row.get("finding"),
        remedy: row.get("remedy"),
    };
    rows.iter().map(row).collect()
}

async fn lint(client: &Client) -> Vec<Row> {
    rows(client, "select * from identity.lint()").await
}

/// A schema `desk` of an ordinary role, in which tests make what they like, and app_login, who asks.
struct Desk {
    db: Database,
    /// As `desk_owner`; `reset role` makes it the superuser.
    owner: Client,
    app: Client,
}

impl Desk {
    async fn new() -> Self {
        let db = Database::new().await;
        let owner = db.superuser().await;
        owner
            .batch_execute(
                "do $$ begin create role desk_owner nologin; exception when duplicate_object or unique_violation then null; end $$;
                 do $$ begin grant identity_app to desk_owner; exception when others then null; end $$;
                 create schema desk authorization desk_owner; grant usage on schema desk to app_login;
                 set role desk_owner",
            )
            .await
            .unwrap();
        let app = db.app().await;
        Self { db, owner, app }
    }

    async fn run(&self, sql: &str) {
        self.owner.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    async fn lint(&self) -> Vec<Row> {
        lint(&self.app).await
    }

    /// The codes and objects of what is found.
    async fn found(&self) -> Vec<(String, String)> {
        self.lint().await.into_iter().map(|row| (row.code, row.object)).collect()
    }

    /// Nothing is found: neither before, nor in what is well made.
    async fn finds_nothing(&self, good: &str) {
        self.run(good).await;
        assert_eq!(self.lint().await, [], "{good}");
    }

    /// Exactly this is found, and vanishes when its remedy is run. The remedy may lead to another finding; with that one's, nothing is left.
    async fn finds(&self, bad: &str, code: &str, object: &str, finding: &str) -> Vec<String> {
        self.run(bad).await;
        let mut found = self.lint().await;
        let is =
            found.iter().map(|row| (row.code.as_str(), row.object.as_str(), row.finding.as_str())).collect::<Vec<_>>();
        assert_eq!(is, [(code, object, finding)], "{bad}");
        let mut remedies = Vec::new();
        while let Some(row) = found.pop() {
            self.run(&row.remedy).await;
            found = self.lint().await;
            assert!(!found.contains(&row), "{row:?} is found after its remedy");
            remedies.push(row.remedy);
            assert!(remedies.len() < 4, "{remedies:?} come to no end");
        }
        remedies
    }
}

/// Every rule, and the test that shows it.
const RULES: [(&str, &str); 30] = [
    ("definer_public", "functions"),
    ("definer_reads_protected", "functions"),
    ("definer_search_path", "functions"),
    ("grantee_cannot_authenticate", "ways_past"),
    ("index_not_leakproof", "indexes"),
    ("matview_past_policies", "ways_past"),
    ("member_table_unreadable", "ways_past"),
    ("member_table_writable", "ways_past"),
    ("parent_past_policies", "ways_past"),
    ("partition_past_policies", "ways_past"),
    ("policies_without_rls", "tables"),
    ("policy_beside_protect", "ways_past"),
    ("policy_column_unindexed", "indexes"),
    ("policy_forgeable", "policies"),
    ("policy_open_when_signed_out", "policies"),
    ("policy_per_row", "policies"),
    ("policy_recursion", "policies"),
    ("policy_without_check", "policies"),
    ("policy_writes_unchecked", "policies"),
    ("privilege_past_policies", "ways_past"),
    ("protect_altered", "ways_past"),
    ("protect_check", "ways_past"),
    ("public_create", "tables"),
    ("public_grant", "tables"),
    ("rls_not_forced", "tables"),
    ("rls_off", "tables"),
    ("rls_off_owned", "tables"),
    ("rls_without_policy", "tables"),
    ("unique_reveals", "indexes"),
    ("view_past_policies", "ways_past"),
];

#[tokio::test]
async fn every_rule_says_what_it_means_and_has_a_test() {
    let db = Database::new().await;
    let app = db.app().await;
    let rules = app
        .query("select code, severity, meaning from identity.lint_rules() order by code collate \"C\"", &[])
        .await
        .unwrap();
    let codes: Vec<String> = rules.iter().map(|row| row.get(0)).collect();
    assert_eq!(codes, RULES.map(|(code, _)| code));
    for rule in rules {
        let (severity, meaning): (&str, &str) = (rule.get(1), rule.get(2));
        assert!(["error", "warning", "info"].contains(&severity), "{severity}");
        assert!(meaning.len() > 40 && meaning.ends_with('.'), "{meaning}");
    }
    for (code, file) in RULES {
        let text = std::fs::read_to_string(checkout().join(format!("tests/lint/{file}.rs"))).unwrap();
        assert!(text.contains(&format!("\"{code}\"")), "tests/lint/{file}.rs says nothing of {code}");
    }
}

#[tokio::test]
async fn a_clean_database_gives_no_row_whoever_asks() {
    let desk = Desk::new().await;
    desk.finds_nothing(
        "create table desk.notes (id bigint generated always as identity primary key, user_id uuid not null default identity.user_id(), body text);
         select identity.protect('desk.notes');
         grant select, insert, update, delete on desk.notes to app_login;
         create table desk.parts (user_id uuid, at timestamptz) partition by range (at);
         create table desk.part partition of desk.parts default;
         select identity.protect('desk.parts');
         grant select on desk.parts to app_login;
         create table desk.private (note text);
         create view desk.latest with (security_invoker = true) as select * from desk.notes;
         grant select on desk.latest to app_login;
         create temporary table scratch (a integer); grant all on scratch to public;",
    )
    .await;
    for login in [Login::Superuser, Login::Admin, Login::App] {
        assert_eq!(lint(&desk.db.connect(login).await).await, [], "{login:?}");
    }
    desk.db.admin().await.batch_execute("select identity.maintenance_run()").await.unwrap();
    assert_eq!(desk.lint().await, []);
}

#[tokio::test]
async fn a_table_of_protect_gives_no_row_in_any_combination() {
    let desk = Desk::new().await;
    desk.finds_nothing(
        "create table desk.shares (note_id bigint, user_id uuid, level text); grant select on desk.shares to app_login;
         select identity.protect('desk.shares', 'user_id', scope_write => 'shares:write')",
    )
    .await;
    let members = "members => 'desk.shares', members_row => 'note_id', members_key => 'id', members_user => 'user_id'";
    let writers = format!("{members}, members_write => 'level', members_writers => '{{editor}}'");
    let mut number = 0;
    for who in ["owner => 'user_id'", "role => 'admin'", members, &writers, "owner => 'user_id', role => 'admin'"] {
        for bound in [
            "",
            ", organization => 'org_id'",
            ", scope_read => 'n:read', scope_write => 'n:write'",
            ", organization => 'org_id', agents => 'read'",
        ] {
            number += 1;
            desk.run(&format!(
                "create table desk.t{number} (id bigint generated always as identity primary key, user_id uuid, org_id text, body text);
                 grant select, insert, update, delete on desk.t{number} to app_login;
                 select identity.protect('desk.t{number}', {who}{bound})"
            ))
            .await;
        }
    }
    assert_eq!(desk.lint().await, []);
}

#[tokio::test]
async fn it_finds_the_same_for_an_ordinary_role_as_for_a_superuser_and_changes_nothing() {
    let desk = Desk::new().await;
    desk.run(
        "create table desk.rooms (user_id uuid, name text unique);
         alter table desk.rooms enable row level security;
         create policy mine on desk.rooms using (user_id = identity.user_id());
         grant all on desk.rooms to app_login, public;",
    )
    .await;
    let found = desk.lint().await;
    let codes: BTreeSet<&str> = found.iter().map(|row| row.code.as_str()).collect();
    assert_eq!(codes.len(), 6, "{found:?}");
    assert_eq!(lint(&desk.db.superuser().await).await, found);
    assert_eq!(rows(&desk.app, "select * from identity.lint(null)").await, found);
    desk.app.batch_execute("begin transaction read only").await.unwrap();
    assert_eq!(desk.lint().await, found);
}

#[tokio::test]
async fn neither_the_gateway_nor_the_synchroniser_lints() {
    let db = Database::new().await;
    let gateway = db.gateway_role().await;
    for call in
        ["select * from identity.lint()", "select * from identity.lint_rules()", "select * from identity.lint_tables()"]
    {
        assert_eq!(sqlstate(gateway.batch_execute(call).await), "42501", "{call}");
    }
}
