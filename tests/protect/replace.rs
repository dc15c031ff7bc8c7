//! Called again with other arguments, and without saying that they replace those that are there: a bound that a call forgets is kept.

use super::{catalog, notes};
use crate::support::{Database, until};

const TABLES: &str = "alter table notes.notes add org_id text, add team_id text;
     create table notes.shares (note_id integer references notes.notes, user_id uuid, level text)";
const THERE: &str = "'notes.notes', owner => 'user_id', organization => 'org_id', members => 'notes.shares', members_write => 'level', \
     members_writers => '{editor,owner}'";
const HINT: &str = "There is: select identity.protect('notes.notes', owner => 'user_id', organization => 'org_id', members => 'notes.shares', \
     members_row => 'note_id', members_key => 'id', members_user => 'user_id', members_write => 'level', members_writers => '{editor,owner}'). \
     Say replace => true to replace them all, or take them back first: select identity.unprotect('notes.notes')";

#[tokio::test]
async fn other_arguments_are_refused_with_those_that_are_there_and_change_nothing() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute(&format!("{TABLES}; select identity.protect({THERE})")).await.unwrap();
    // What was loosened since stays so too.
    owner.batch_execute("alter policy identity_delete on notes.notes using (false)").await.unwrap();
    let before = catalog(&owner).await;
    // It waits for no lock to say so.
    let busy = db.superuser().await;
    busy.batch_execute("begin; lock table notes.notes in access share mode").await.unwrap();
    let members = "members => 'notes.shares', members_write => 'level', members_writers => '{editor,owner}'";
    let fewer = "members => 'notes.shares', members_write => 'level', members_writers => '{editor}'";
    for other in [
        "'notes.notes'",
        "'notes.notes', 'user_id'",
        &format!("'notes.notes', 'user_id', {members}"),
        &format!("'notes.notes', organization => 'org_id', {members}"),
        &format!("'notes.notes', 'user_id', organization => 'team_id', {members}"),
        &format!("'notes.notes', 'user_id', organization => 'org_id', {fewer}"),
        "'notes.notes', 'user_id', organization => 'org_id', members => 'notes.shares'",
        "'notes.notes', 'user_id', organization => 'org_id', members => 'notes.shares', members_writers => '{}'",
        &format!("{THERE}, role => 'n:admin'"),
        &format!("{THERE}, agents => 'read'"),
        &format!("{THERE}, scope_read => 'n:read'"),
        "'notes.notes', replace => false",
        "'notes.notes', replace => null",
    ] {
        let error = owner.query(&format!("select identity.protect({other})"), &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(
            (error.code().code(), error.message(), error.hint()),
            ("ID007", "target notes.notes is protected with other arguments", Some(HINT)),
            "{other}"
        );
        assert_eq!(catalog(&owner).await, before, "{other}");
    }
    // Both ways that the hint names lead to the same.
    busy.batch_execute("commit").await.unwrap();
    owner.batch_execute("begin; select identity.protect('notes.notes', replace => true)").await.unwrap();
    let replaced = catalog(&owner).await;
    owner.batch_execute("rollback").await.unwrap();
    owner
        .batch_execute("select identity.unprotect('notes.notes'); select identity.protect('notes.notes')")
        .await
        .unwrap();
    assert_eq!(catalog(&owner).await, replaced);
}

#[tokio::test]
async fn the_same_arguments_said_differently_are_no_others() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute(&format!("{TABLES}; select identity.protect({THERE})")).await.unwrap();
    let before = catalog(&owner).await;
    for same in [
        "members_writers => '{editor,owner}', members_write => 'level', members => 'notes.shares', organization => 'org_id', owner => 'user_id', \
         target => 'notes.notes'",
        &format!(
            "{THERE}, members_row => 'note_id', members_key => 'id', members_user => 'user_id', agents => 'write'"
        ),
        &format!("{THERE}, role => null, replace => null"),
        // Also under another search_path, of which the name of the member table does not depend.
        &THERE.replace("notes.shares", "shares"),
        // The list is another way to write the same one.
        &THERE.replace("editor,owner", "owner,editor,owner"),
        THERE,
    ] {
        owner
            .batch_execute(&format!("set search_path = notes; select identity.protect({same}); reset search_path"))
            .await
            .unwrap();
        if !same.contains("owner,editor") {
            assert_eq!(catalog(&owner).await, before, "{same}");
        }
    }
    // What it finds by itself is what it would have been given.
    owner
        .batch_execute(
            "select identity.unprotect('notes.notes'); select identity.protect('notes.notes');
             select identity.protect('notes.notes', 'user_id'); select identity.protect('notes.notes', agents => 'write')",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn of_two_calls_at_once_with_different_arguments_the_second_is_refused() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute(TABLES).await.unwrap();
    let late = db.superuser().await;
    late.batch_execute("set role table_owner").await.unwrap();
    let pid: i32 = late.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    owner.batch_execute(&format!("begin; select identity.protect({THERE})")).await.unwrap();
    let after = catalog(&owner).await;
    let (refused, ()) = tokio::join!(late.query("select identity.protect('notes.notes', 'user_id')", &[]), async {
        // It has found the table unprotected, and waits for its lock.
        let waits = "select cardinality(pg_blocking_pids($1)) > 0";
        until("it waits", async || owner.query_one(waits, &[&pid]).await.unwrap().get::<_, bool>(0)).await;
        owner.batch_execute("commit").await.unwrap();
    });
    let error = refused.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(
        (error.code().code(), error.message(), error.hint()),
        ("ID007", "target notes.notes is protected with other arguments", Some(HINT))
    );
    assert_eq!(catalog(&owner).await, after);
}

/// A comment that is cut off, by hand or by a tool: what was asked for is not known any more, and so it is not taken away by a call
/// that names none of it.
#[tokio::test]
async fn rules_that_can_no_longer_be_read_are_replaced_only_by_who_says_so() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute(&format!("{TABLES}; select identity.protect({THERE})")).await.unwrap();
    let policies = "select polname::text from pg_policy where polrelid = 'notes.notes'::regclass";
    for row in owner.query(policies, &[]).await.unwrap() {
        let name: String = row.get(0);
        let cut = format!("comment on policy {name} on notes.notes is 'Written by identity.protect: {{\"owner'");
        owner.batch_execute(&cut).await.unwrap();
    }
    let before = catalog(&owner).await;
    let check = "select finding, hint from identity.protect_check('notes.notes') where hint !~ 'notes.shares'";
    let hint = "Look at what binds today: select * from identity.policies where target = 'notes.notes'::regclass. Then say all of it again, \
                with replace => true: select identity.protect('notes.notes', …, replace => true)";
    for call in ["'notes.notes'", THERE, "'notes.notes', replace => null"] {
        let error = owner.query(&format!("select identity.protect({call})"), &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        let message =
            "target notes.notes is protected, and the comments of its policies no longer say with which arguments";
        assert_eq!((error.code().code(), error.message(), error.hint()), ("ID007", message, Some(hint)), "{call}");
        assert_eq!(catalog(&owner).await, before, "{call}");
    }
    // No remedy takes a bound away.
    owner.batch_execute("alter table notes.notes no force row level security").await.unwrap();
    let found = owner.query(check, &[]).await.unwrap();
    let found: Vec<(String, String)> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut findings: Vec<&str> = found.iter().map(|(finding, _)| finding.as_str()).collect();
    findings.sort_unstable();
    assert_eq!(
        findings,
        [
            "policy identity_delete on notes.notes is not what protect wrote",
            "policy identity_insert on notes.notes is not what protect wrote",
            "policy identity_select on notes.notes is not what protect wrote",
            "policy identity_update on notes.notes is not what protect wrote",
            "the owner of notes.notes is not bound by its policies",
        ]
    );
    assert!(found.iter().all(|(_, said)| said == hint), "{found:?}");
    owner.batch_execute(&format!("select identity.protect({THERE}, replace => true)")).await.unwrap();
    assert_eq!(owner.query(check, &[]).await.unwrap().len(), 0);
    // Unprotect knows its policies by the same comments.
    owner
        .batch_execute("comment on policy identity_select on notes.notes is 'Written by identity.protect: ?'")
        .await
        .unwrap();
    owner.batch_execute("select identity.unprotect('notes.notes')").await.unwrap();
    assert_eq!(owner.query(policies, &[]).await.unwrap().len(), 0);
}
