//! Called again with other arguments, and taken back: exactly what protect wrote, and nothing that somebody else made.

use tokio_postgres::Client;

use super::{catalog, notes};
use crate::jwt::sqlstate;
use crate::support::Database;

/// What a DBA has around a table: a policy, an index, defaults, comments.
const OF_THE_DBA: &str =
    "alter table notes.notes add org_id text, add team_id uuid default 'a0000000-0000-0000-0000-000000000000';
     create table notes.shares (note_id integer references notes.notes, user_id uuid);
     create policy of_the_dba on notes.notes as restrictive using (body <> 'secret');
     comment on policy of_the_dba on notes.notes is 'Nobody reads secrets.';
     create index of_the_dba on notes.notes (number); comment on index notes.of_the_dba is 'For the report.';
     create index on notes.notes (lower(body));";

#[tokio::test]
async fn another_call_replaces_what_the_first_one_wrote_and_nothing_else() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute(OF_THE_DBA).await.unwrap();
    let calls = [
        "'notes.notes', owner => 'user_id', organization => 'org_id', scope_read => 'n:read', scope_write => 'n:write', agents => 'read'",
        "'notes.notes', organization => 'team_id', role => 'n:admin', agents => 'deny'",
        "'notes.notes', 'user_id', members => 'notes.shares', role => 'n:admin'",
        "'notes.notes', scope_read => 'n:read'",
        "'notes.notes'",
    ];
    // What each call alone leaves behind …
    let before = catalog(&owner).await;
    let mut alone = Vec::new();
    for call in calls {
        owner.batch_execute(&format!("begin; select identity.protect({call})")).await.unwrap();
        alone.push(catalog(&owner).await);
        owner.batch_execute("rollback").await.unwrap();
        assert_eq!(catalog(&owner).await, before, "{call}");
    }
    // … is what it leaves behind after any other.
    for first in calls {
        for (call, alone) in calls.iter().zip(&alone) {
            owner
                .batch_execute(&format!(
                    "select identity.protect({first}, replace => true), identity.protect({call}, replace => true)"
                ))
                .await
                .unwrap();
            assert_eq!(catalog(&owner).await, *alone, "{first}, then {call}");
        }
    }
    owner.batch_execute("drop policy of_the_dba on notes.notes").await.unwrap();
    assert_eq!(unprotected(&owner).await, [""; 0]);
    owner
        .batch_execute(&format!(
            "{}; comment on policy of_the_dba on notes.notes is 'Nobody reads secrets.'",
            OF_THE_DBA.lines().nth(2).unwrap()
        ))
        .await
        .unwrap();
    assert_eq!(catalog(&owner).await, before);
}

async fn unprotected(client: &Client) -> Vec<String> {
    let rows = client.query("select identity.unprotect('notes.notes')", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn unprotect_takes_back_what_protect_wrote_and_says_what_stays() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute(OF_THE_DBA).await.unwrap();
    let before = catalog(&owner).await;
    let protect =
        "select identity.protect('notes.notes', 'user_id', organization => 'org_id', members => 'notes.shares')";

    // Somebody else's policy would mean nothing without row-level security.
    owner.batch_execute(protect).await.unwrap();
    assert_eq!(unprotected(&owner).await, ["row-level security of notes.notes: policy of_the_dba stands"]);
    let open: (bool, bool) = security(&owner).await;
    assert_eq!(open, (true, true));
    owner
        .batch_execute("alter table notes.notes disable row level security, no force row level security")
        .await
        .unwrap();
    assert_eq!(catalog(&owner).await, before);

    // What was on before stays on: nobody sees anything, as before.
    owner
        .batch_execute("drop policy of_the_dba on notes.notes; alter table notes.notes enable row level security")
        .await
        .unwrap();
    let before = catalog(&owner).await;
    owner.batch_execute(protect).await.unwrap();
    assert_eq!(unprotected(&owner).await, ["row-level security of notes.notes: it was on before"]);
    assert_eq!(catalog(&owner).await, before);

    // Twice protected is once unprotected: what the first call turned on is remembered by the second.
    owner.batch_execute("alter table notes.notes disable row level security").await.unwrap();
    let before = catalog(&owner).await;
    owner.batch_execute(&format!("{protect}; select identity.protect('notes.notes', replace => true)")).await.unwrap();
    assert_eq!(unprotected(&owner).await, [""; 0]);
    assert_eq!(catalog(&owner).await, before);
    assert_eq!(sqlstate(owner.query("select identity.unprotect('notes.notes')", &[]).await), "ID006");
}

async fn security(client: &Client) -> (bool, bool) {
    let security = "select relrowsecurity, relforcerowsecurity from pg_class where oid = 'notes.notes'::regclass";
    let row = client.query_one(security, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn an_index_that_another_table_needs_stays_until_that_is_unprotected_too() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "create table notes.shares (note_id integer references notes.notes, user_id uuid);
             create table notes.replies (note_id integer references notes.notes)",
        )
        .await
        .unwrap();
    let before = catalog(&owner).await;
    owner
        .batch_execute(
            "select identity.protect('notes.notes', members => 'notes.shares');
             select identity.protect('notes.replies', members => 'notes.shares')",
        )
        .await
        .unwrap();
    assert_eq!(
        unprotected(&owner).await,
        ["index notes.shares_user_id_note_id_idx on notes.shares: policy identity_delete on notes.replies needs it"]
    );
    owner.batch_execute("select identity.unprotect('notes.replies')").await.unwrap();
    assert_eq!(catalog(&owner).await, before);
}

#[tokio::test]
async fn what_was_renamed_is_found_and_taken_back() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "alter table notes.notes add org_id text;
             select identity.protect('notes.notes', 'user_id', organization => 'org_id');
             alter table notes.notes rename user_id to author_id; alter table notes.notes rename org_id to tenant;
             alter table notes.notes rename to letters",
        )
        .await
        .unwrap();
    // The policies went along; the rules that protect remembers did not.
    let findings =
        "select count(*) from identity.protect_check('notes.letters') where finding like '%is not what protect wrote'";
    assert_eq!(owner.query_one(findings, &[]).await.unwrap().get::<_, i64>(0), 5);
    owner
        .batch_execute(
            "select identity.protect('notes.letters', 'author_id', organization => 'tenant', replace => true);
             alter table notes.letters rename author_id to user_id; select identity.unprotect('notes.letters');
             alter table notes.letters rename to notes; alter table notes.notes drop tenant",
        )
        .await
        .unwrap();
    let left = "select count(*) from pg_attrdef where adrelid = 'notes.notes'::regclass and pg_get_expr(adbin, adrelid) like 'identity%'";
    assert_eq!(owner.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(security(&owner).await, (false, false));
}

#[tokio::test]
async fn a_policy_that_somebody_else_called_like_ours_is_not_touched() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute("create policy identity_select on notes.notes using (body <> 'x')").await.unwrap();
    let before = catalog(&owner).await;
    for call in ["identity.protect('notes.notes')", "identity.unprotect('notes.notes')"] {
        let expected = if call.contains("unprotect") { "ID006" } else { "ID007" };
        assert_eq!(sqlstate(owner.query(&format!("select {call}"), &[]).await), expected);
        assert_eq!(catalog(&owner).await, before);
    }
    // Without a rule for SELECT there is no such name among ours.
    owner.batch_execute("select identity.protect('notes.notes', scope_write => 'n:write')").await.unwrap();
    assert_eq!(unprotected(&owner).await, ["row-level security of notes.notes: policy identity_select stands"]);
}

#[tokio::test]
async fn a_comment_that_is_no_record_of_ours_hurts_nobody() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute("select identity.protect('notes.notes'); grant usage on schema notes to app_login")
        .await
        .unwrap();
    for comment in
        ["{broken", "", "[]", "null", "{\"members\": 7, \"role\": {}, \"made\": 3}", "{\"owner\": \"\\\\u0000\"}"]
    {
        for policy in ["select", "insert", "update", "delete"] {
            let remark = format!(
                "comment on policy identity_{policy} on notes.notes is 'Written by identity.protect: {comment}'"
            );
            owner.batch_execute(&remark).await.unwrap();
        }
        let listed =
            "select count(*) from identity.policies where target = 'notes.notes'::regclass and written_by <> 'protect'";
        assert_eq!(db.app().await.query_one(listed, &[]).await.unwrap().get::<_, i64>(0), 4, "{comment}");
        let checked = "select count(*) from identity.protect_check('notes.notes')";
        assert!(owner.query_one(checked, &[]).await.unwrap().get::<_, i64>(0) > 0, "{comment}");
    }
    // The last one reads as a record, of other arguments.
    assert_eq!(sqlstate(owner.query("select identity.protect('notes.notes')", &[]).await), "ID007");
    owner.batch_execute("select identity.protect('notes.notes', replace => true)").await.unwrap();
}

#[tokio::test]
async fn nobody_unprotects_what_is_not_theirs() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute("select identity.protect('notes.notes'); create view notes.seen as select * from notes.notes")
        .await
        .unwrap();
    let before = catalog(&owner).await;
    let app = db.app().await;
    for target in ["'notes.notes'", "'notes.seen'", "'pg_class'", "null"] {
        let refused = app.query(&format!("select identity.unprotect({target})"), &[]).await;
        assert_eq!(sqlstate(refused), "ID005", "{target}");
    }
    // Nor by its parts, which do what their caller may.
    for part in [
        "identity.protect_erase('notes.notes')",
        "identity.protect_drop_indexes('notes.notes', '{}')",
        "identity.protect_create_indexes('notes.notes', '{\"owner\": \"number\"}')",
        "identity.protect_set_defaults('notes.notes', '{\"owner\": \"user_id\"}')",
    ] {
        let outcome = sqlstate(app.query(&format!("select {part}"), &[]).await);
        assert!(["42501", "accepted"].contains(&outcome.as_str()), "{part}: {outcome}");
        assert_eq!(catalog(&owner).await, before, "{part}");
    }
}
