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
