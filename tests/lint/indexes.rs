//! What policies cost, and what unique indexes tell.

use serde_json::json;

use super::Desk;
use crate::jwt::{ALICE, BOB, access_token, authenticate, sqlstate};

async fn notes(columns: &str) -> Desk {
    let desk = Desk::new().await;
    desk.finds_nothing(&format!(
        "create table desk.notes (id bigint generated always as identity primary key, user_id uuid, {columns});
         select identity.protect('desk.notes'); grant select, insert on desk.notes to app_login"
    ))
    .await;
    desk
}

#[tokio::test]
async fn a_column_that_policies_compare_without_an_index() {
    let desk = Desk::new().await;
    let table = |name: &str, condition: &str| {
        format!(
            "create table desk.{name} (\"user\" uuid, \"their Org\" text, shared boolean, kind text);
             alter table desk.{name} enable row level security, force row level security;
             grant select on desk.{name} to app_login; create policy p on desk.{name} for select using ({condition})"
        )
    };
    for (name, condition, column) in [
        ("a", "\"user\" = (select identity.user_id())", "\"user\""),
        ("b", "(select identity.organization_id()) = \"their Org\"", "\"their Org\""),
        ("c", "kind = any (array(select unnest(identity.roles()))) and \"user\" = (select identity.user_id())", "kind"),
    ] {
        if name == "c" {
            desk.run(&format!("{}; create index on desk.c (\"user\")", table(name, condition))).await;
            desk.finds(
                "",
                "policy_column_unindexed",
                "desk.c",
                "policies compare column kind of desk.c, and no index begins with it",
            )
            .await;
            continue;
        }
        let remedies = desk
            .finds(
                &table(name, condition),
                "policy_column_unindexed",
                &format!("desk.{name}"),
                &format!("policies compare column {column} of desk.{name}, and no index begins with it"),
            )
            .await;
        assert_eq!(remedies, [format!("create index concurrently on desk.{name} ({column})")]);
    }
    for (name, condition) in [
        ("d", "shared"),
        ("e", "shared = (select identity.is_agent())"),
        ("f", "kind = 'public'"),
        ("g", "kind <> (select identity.acr())"),
        ("h", "exists (select from desk.a where a.\"user\" = (select identity.user_id()))"),
    ] {
        desk.finds_nothing(&table(name, condition)).await;
    }
    // PostgreSQL cannot make an index of a partitioned table concurrently.
    let remedies = desk
        .finds(
            "create table desk.parts (owner uuid) partition by hash (owner);
             alter table desk.parts enable row level security, force row level security;
             create policy p on desk.parts for select using (owner = (select identity.user_id())); grant select on desk.parts to app_login",
            "policy_column_unindexed",
            "desk.parts",
            "policies compare column owner of desk.parts, and no index begins with it",
        )
        .await;
    assert_eq!(remedies, ["create index on desk.parts (owner)"]);
}

#[tokio::test]
async fn an_index_that_serves_no_query_under_policies() {
    let desk = notes("price numeric, title text, tags jsonb, at timestamptz").await;
    desk.finds_nothing("create index on desk.notes (title); create index on desk.notes (at)").await;
    desk.run("create index by_price on desk.notes (price); create index by_tags on desk.notes using gin (tags)").await;
    let said = |index: &str| {
        format!(
            "no operator of index desk.{index} is leakproof: it serves no condition of a query under the policies of desk.notes"
        )
    };
    let found = desk.lint().await;
    let what: Vec<_> = found.iter().map(|row| (row.code.as_str(), row.finding.as_str(), row.remedy.as_str())).collect();
    assert_eq!(
        what,
        [
            ("index_not_leakproof", said("by_price").as_str(), "drop index desk.by_price"),
            ("index_not_leakproof", said("by_tags").as_str(), "drop index desk.by_tags")
        ]
    );
    // PostgreSQL agrees: to roles that no policy binds every index is good, to others those that are leakproof.
    desk.run("reset role; insert into desk.notes (user_id, price, title, at) select gen_random_uuid(), i, i::text, now() + i * interval '1 s' from generate_series(1, 5000) i; analyze desk.notes; drop index desk.notes_user_id_idx")
        .await;
    desk.app.batch_execute("set enable_seqscan = off; set enable_bitmapscan = off").await.unwrap();
    for (condition, index, served) in [("title = '7'", "notes_title_idx", true), ("price = 7", "by_price", false)] {
        let plan = format!("explain select from desk.notes where {condition}");
        let lines = desk.app.query(&plan, &[]).await.unwrap();
        let text: String = lines.iter().map(|line| line.get::<_, String>(0)).collect();
        assert_eq!(text.contains(index), served, "{text}");
        let unbound = desk.owner.query(&plan, &[]).await.unwrap();
        let text: String = unbound.iter().map(|line| line.get::<_, String>(0)).collect();
        assert!(text.contains(index), "{text}");
    }
    desk.run("create index on desk.notes (user_id); set role desk_owner").await;
    for row in found {
        desk.run(&row.remedy).await;
    }
    assert_eq!(desk.lint().await, []);
}

#[tokio::test]
async fn a_constraint_needs_its_index_whoever_it_serves() {
    let desk = notes("price numeric").await;
    let remedies = desk
        .finds(
            "alter table desk.notes add constraint once unique (price, user_id);
             comment on index desk.once is 'As it''s meant.'",
            "index_not_leakproof",
            "desk.once",
            "no operator of index desk.once is leakproof: it serves no condition of a query under the policies of desk.notes",
        )
        .await;
    assert_eq!(remedies, ["comment on index desk.once is 'As it''s meant. @lint allow index_not_leakproof'"]);
}

#[tokio::test]
async fn a_column_of_the_policy_itself_needs_no_leakproof_operator() {
    let desk = Desk::new().await;
    desk.finds_nothing(
        "create table desk.accounts (number numeric); create index on desk.accounts (number);
         alter table desk.accounts enable row level security, force row level security; grant select on desk.accounts to app_login;
         create policy p on desk.accounts for select using (number = (select identity.claim('account')::numeric))",
    )
    .await;
}

#[tokio::test]
async fn a_unique_index_that_tells_about_hidden_rows() {
    let desk = notes("slug text, email text, code uuid unique, part text, shelf text").await;
    desk.run("alter table desk.notes add constraint slugs unique (slug)").await;
    // Bob learns that somebody has it.
    let sign_in_and_insert = async |who: &str| {
        desk.app.batch_execute("begin").await.unwrap();
        authenticate(&desk.app, &access_token(&desk.db, json!({ "sub": who })).await).await.unwrap();
        let state = sqlstate(
            desk.app.batch_execute(&format!("insert into desk.notes (user_id, slug) values ('{who}', 'x')")).await,
        );
        desk.app.batch_execute("commit").await.unwrap();
        state
    };
    assert_eq!((sign_in_and_insert(ALICE).await, sign_in_and_insert(BOB).await), ("accepted".into(), "23505".into()));
    let remedies = desk
        .finds(
            "",
            "unique_reveals",
            "desk.slugs",
            "unique index desk.slugs tells whether a hidden row of desk.notes has the same value",
        )
        .await;
    assert_eq!(remedies, ["alter table desk.notes drop constraint slugs, add constraint slugs UNIQUE (user_id, slug)"]);
    assert_eq!(sign_in_and_insert(BOB).await, "accepted");
    let remedies = desk
        .finds(
            "create unique index emails on desk.notes (email, part)",
            "unique_reveals",
            "desk.emails",
            "unique index desk.emails tells whether a hidden row of desk.notes has the same value",
        )
        .await;
    assert_eq!(remedies, ["create unique index on desk.notes (user_id, email, part); drop index desk.emails"]);
    // What is more than columns, or referred to, is for a person to look at.
    let remedies = desk
        .finds(
            "create unique index shelves on desk.notes (lower(shelf))",
            "unique_reveals",
            "desk.shelves",
            "unique index desk.shelves tells whether a hidden row of desk.notes has the same value",
        )
        .await;
    assert_eq!(remedies, ["comment on index desk.shelves is '@lint allow unique_reveals'"]);
}

#[tokio::test]
async fn a_natural_key_tells_too() {
    let desk = Desk::new().await;
    let remedies = desk
        .finds(
            "create table desk.pages (slug text primary key, user_id uuid not null); select identity.protect('desk.pages');
             grant select, insert on desk.pages to app_login",
            "unique_reveals",
            "desk.pages_pkey",
            "unique index desk.pages_pkey tells whether a hidden row of desk.pages has the same value",
        )
        .await;
    assert_eq!(
        remedies,
        ["alter table desk.pages drop constraint pages_pkey, add constraint pages_pkey PRIMARY KEY (user_id, slug)"]
    );
}

#[tokio::test]
async fn a_column_that_is_only_included_is_not_in_the_key() {
    let desk = notes("slug text").await;
    let remedies = desk
        .finds(
            "alter table desk.notes add constraint slugs unique (slug) include (user_id)",
            "unique_reveals",
            "desk.slugs",
            "unique index desk.slugs tells whether a hidden row of desk.notes has the same value",
        )
        .await;
    assert_eq!(
        remedies,
        ["alter table desk.notes drop constraint slugs, add constraint slugs UNIQUE (user_id, slug) INCLUDE (user_id)"]
    );
}

#[tokio::test]
async fn a_constraint_keeps_what_it_is_besides_its_columns() {
    let desk = notes("slug text, body text").await;
    for (what, remedy) in [
        ("unique (slug) include (body) deferrable", "UNIQUE (user_id, slug) INCLUDE (body) DEFERRABLE"),
        (
            "unique nulls not distinct (slug) deferrable initially deferred",
            "UNIQUE NULLS NOT DISTINCT (user_id, slug) DEFERRABLE INITIALLY DEFERRED",
        ),
    ] {
        let remedies = desk
            .finds(
                &format!("alter table desk.notes add constraint slugs {what}"),
                "unique_reveals",
                "desk.slugs",
                "unique index desk.slugs tells whether a hidden row of desk.notes has the same value",
            )
            .await;
        let expected = format!("alter table desk.notes drop constraint slugs, add constraint slugs {remedy}");
        assert_eq!(remedies, [expected]);
        desk.run("alter table desk.notes drop constraint slugs").await;
    }
    let remedies = desk
        .finds(
            "create unique index slugs on desk.notes (slug) nulls not distinct",
            "unique_reveals",
            "desk.slugs",
            "unique index desk.slugs tells whether a hidden row of desk.notes has the same value",
        )
        .await;
    assert_eq!(
        remedies,
        ["create unique index on desk.notes (user_id, slug) nulls not distinct; drop index desk.slugs"]
    );
}

#[tokio::test]
async fn an_exclusion_constraint_tells_too() {
    let desk = notes("slug text, during tstzrange").await;
    let remedies = desk
        .finds(
            "alter table desk.notes add constraint once exclude using btree (slug with =) where (slug <> 'home') deferrable",
            "unique_reveals",
            "desk.once",
            "exclusion constraint desk.once tells whether a row conflicts with a hidden one of desk.notes",
        )
        .await;
    assert_eq!(
        remedies,
        [
            "alter table desk.notes drop constraint once, add constraint once EXCLUDE USING btree (user_id WITH =, slug WITH =) WHERE ((slug <> 'home'::text)) DEFERRABLE"
        ]
    );
    // GiST compares no uuid by itself.
    let remedies = desk
        .finds(
            "alter table desk.notes add constraint apart exclude using gist (during with &&);
             comment on index desk.apart is '@lint allow index_not_leakproof'",
            "unique_reveals",
            "desk.apart",
            "exclusion constraint desk.apart tells whether a row conflicts with a hidden one of desk.notes",
        )
        .await;
    assert_eq!(
        remedies,
        ["comment on index desk.apart is '@lint allow index_not_leakproof @lint allow unique_reveals'"]
    );
}

/// The column is in the key, and it is the rows of everybody else that are looked for.
#[tokio::test]
async fn an_exclusion_of_what_others_have() {
    let desk = Desk::new().await;
    let remedies = desk
        .finds(
            "create table desk.hosts (address inet, constraint one exclude using gist (address inet_ops with <>));
             alter table desk.hosts enable row level security, force row level security; grant select on desk.hosts to app_login;
             create policy p on desk.hosts for select using (address = (select identity.claim('address')::inet))",
            "unique_reveals",
            "desk.one",
            "exclusion constraint desk.one tells whether a row conflicts with a hidden one of desk.hosts",
        )
        .await;
    assert_eq!(remedies, ["comment on index desk.one is '@lint allow unique_reveals'"]);
}
