//! What protect refuses, and that nothing is changed or kept waiting by it.

use std::time::Instant;

use super::{catalog, notes};
use crate::jwt::sqlstate;
use crate::support::{Database, PATIENCE};

#[tokio::test]
async fn each_refusal_says_what_to_do_and_changes_nothing() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "alter table notes.notes add org_id text, add team integer, add other uuid;
             create type notes.level as enum ('viewer', 'editor');
             create table notes.shares (note_id integer references notes.notes, user_id uuid, can_write boolean, level notes.level, kind text);
             create table notes.loose (note_id integer, user_id uuid);
             create table notes.twice (note_id integer references notes.notes, copy_id integer references notes.notes, user_id uuid);
             create table notes.nobody (note_id integer references notes.notes, name text);
             create table notes.pair (a integer, b integer, user_id uuid, primary key (a, b));
             create table notes.pairs (a integer, b integer, user_id uuid, foreign key (a, b) references notes.pair);
             create table notes.wide (note_id bigint, user_id uuid);
             create view notes.seen as select * from notes.shares;
             reset role; create table notes.foreign_shares (note_id integer references notes.notes, user_id uuid); set role table_owner",
        )
        .await
        .unwrap();
    let before = catalog(&owner).await;
    for (arguments, message) in [
        ("owner => 'nothing'", "owner: notes.notes has no column nothing"),
        ("owner => 'body'", "owner: column body of notes.notes is of type text, not uuid"),
        ("owner => ''", "owner: notes.notes has no column \"\""),
        ("organization => 'nothing'", "organization: notes.notes has no column nothing"),
        ("organization => 'team'", "organization: column team of notes.notes is of type integer, not text, uuid"),
        ("owner => 'user_id', organization => 'user_id'", "owner and organization are the same column user_id"),
        ("scope_read => ''", "scope_read: '' is not one scope"),
        ("scope_write => 'notes:read notes:write'", "scope_write: 'notes:read notes:write' is not one scope"),
        ("scope_read => 'größe'", "scope_read: 'größe' is not one scope"),
        ("role => ''", "role is empty"),
        ("agents => 'deny', role => ''", "role is empty"),
        ("agents => 'sometimes'", "agents: 'sometimes' is none of deny, read, write"),
        ("agents => ''", "agents: '' is none of deny, read, write"),
        ("members_user => 'user_id'", "members_user is given, and members is not"),
        ("owner => 'user_id', members_writers => '{}'", "members_writers is given, and members is not"),
        ("members => 'notes.notes'", "members: notes.notes cannot be its own member table"),
        ("members => 'notes.seen'", "members notes.seen is not a table"),
        ("members => 'notes.foreign_shares'", "members notes.foreign_shares belongs to another role"),
        ("members => 'pg_class'", "members pg_class is a table of the system"),
        (
            "members => 'notes.loose'",
            "members: no foreign key says which columns of notes.loose and notes.notes belong together",
        ),
        (
            "members => 'notes.twice'",
            "members: more than one foreign key could say which columns of notes.twice and notes.notes belong together",
        ),
        (
            "members => 'notes.nobody'",
            "members: notes.nobody does not have exactly one of the columns user_id, member_id of type uuid",
        ),
        (
            "members => 'notes.pairs'",
            "members: no foreign key says which columns of notes.pairs and notes.notes belong together",
        ),
        (
            "members => 'notes.nobody', members_user => 'name'",
            "members_user: column name of notes.nobody is of type text, not uuid",
        ),
        ("members => 'notes.loose', members_row => 'nothing'", "members_row: notes.loose has no column nothing"),
        (
            "members => 'notes.wide', members_row => 'note_id'",
            "members_row: column note_id of notes.wide is of type bigint, not integer",
        ),
        (
            "members => 'notes.shares', members_row => 'user_id', members_user => 'user_id', members_key => 'user_id'",
            "members_row and members_user are the same column user_id",
        ),
        (
            "members => 'notes.shares', members_write => 'level'",
            "members_write: column level of notes.shares is of type notes.level, not boolean",
        ),
        (
            "members => 'notes.shares', members_write => 'can_write', members_writers => '{yes}'",
            "members_write: column can_write of notes.shares is of type boolean, not text",
        ),
        (
            "members => 'notes.shares', members_writers => '{editor}'",
            "members_writers is given, and members_write is not",
        ),
        (
            "members => 'notes.shares', members_write => 'level', members_writers => '{editor,owner}'",
            "members_writers: 'owner' is not a value of type notes.level",
        ),
        (
            "members => 'notes.shares', members_write => 'kind', members_writers => '{editor,NULL}'",
            "members_writers: NULL is not a value of type text",
        ),
        (
            "members => 'notes.shares', members_write => 'kind', members_writers => '{}'",
            "members_writers is empty, and members_write is given",
        ),
    ] {
        let error =
            owner.query(&format!("select identity.protect('notes.notes', {arguments})"), &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("ID005", message), "{arguments}");
        assert!(error.hint().is_some_and(|hint| hint.len() > 15), "{arguments}: {:?}", error.hint());
        assert_eq!(catalog(&owner).await, before, "{arguments}");
    }
}

#[tokio::test]
async fn what_is_no_table_or_of_somebody_else_is_refused_with_what_to_do_and_a_missing_column_with_those_there_are() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "create view notes.seen as select * from notes.notes; create materialized view notes.copy as select * from notes.notes;
             create table notes.numbers (number integer); create table notes.mine (user_id uuid);
             create table notes.parts (user_id uuid) partition by hash (user_id);
             create table notes.part partition of notes.parts for values with (modulus 1, remainder 0);
             select identity.protect('notes.mine')",
        )
        .await
        .unwrap();
    let before = catalog(&owner).await;
    let app = db.app().await;
    for (client, call, message, hint) in [
        (
            &owner,
            "protect('notes.seen')",
            "target notes.seen is not a table",
            "Protect the tables under the view, and create the view with (security_invoker = true).",
        ),
        (
            &owner,
            "protect('notes.copy')",
            "target notes.copy is not a table",
            "A materialized view holds the rows of whoever refreshed it: query the tables under it.",
        ),
        (
            &owner,
            "protect('notes.notes_id_seq')",
            "target notes.notes_id_seq is not a table",
            "Only tables and partitioned tables have row-level security.",
        ),
        (
            &owner,
            "protect('notes.part')",
            "target notes.part is a partition",
            "Protect the partitioned table, and grant privileges on that one only.",
        ),
        (&owner, "protect(null)", "target is not a table", "Name a table, as in: identity.protect('orders')."),
        (
            &owner,
            "protect('pg_class')",
            "target pg_class is a table of the system",
            "PostgreSQL takes no policies on these; what they may be asked is a matter of privileges.",
        ),
        (
            &owner,
            "protect('notes.notes', owner => 'users')",
            "owner: notes.notes has no column users",
            "Columns it could be: user_id",
        ),
        (
            &owner,
            "protect('notes.numbers', owner => 'user_id')",
            "owner: notes.numbers has no column user_id",
            "Add one first: alter table notes.numbers add column … uuid",
        ),
        // Also over rules that are there: another call replaces all of them, or none.
        (
            &owner,
            "protect('notes.mine', owner => 'user_id', organization => 'org_id')",
            "organization: notes.mine has no column org_id",
            "Columns it could be: user_id",
        ),
        (
            &owner,
            "protect('notes.mine', role => 'x')",
            "target notes.mine is protected with other arguments",
            "There is: select identity.protect('notes.mine', owner => 'user_id'). Say replace => true to replace them all, or take them back first: select identity.unprotect('notes.mine')",
        ),
        (&app, "protect('notes.notes')", "target notes.notes belongs to another role", "Call it as table_owner."),
        (&app, "unprotect('notes.mine')", "target notes.mine belongs to another role", "Call it as table_owner."),
    ] {
        let error = client.query(&format!("select identity.{call}"), &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        let code = if message.ends_with("with other arguments") { "ID007" } else { "ID005" };
        assert_eq!((error.code().code(), error.message(), error.hint()), (code, message, Some(hint)), "{call}");
        assert_eq!(catalog(&owner).await, before, "{call}");
    }
}

#[tokio::test]
async fn the_tables_of_pg_identity_are_not_protected_by_it() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    for table in ["identity.signing_keys", "identity_store.users"] {
        let refused = superuser.query(&format!("select identity.protect('{table}', role => 'x')"), &[]).await;
        assert_eq!(sqlstate(refused), "ID005", "{table}");
    }
}

#[tokio::test]
async fn a_foreign_table_is_refused() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "reset role; create foreign data wrapper nowhere; create server nowhere foreign data wrapper nowhere;
             create foreign table notes.remote (user_id uuid) server nowhere; alter foreign table notes.remote owner to table_owner;
             set role table_owner",
        )
        .await
        .unwrap();
    let error = owner.query("select identity.protect('notes.remote')", &[]).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(
        (error.code().code(), error.message(), error.hint()),
        (
            "ID005",
            "target notes.remote is not a table",
            Some("Rows of a foreign table are protected where they are stored.")
        )
    );
}

#[tokio::test]
async fn a_busy_table_is_waited_for_one_second_and_left_as_it_was() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner.batch_execute("select identity.protect('notes.notes')").await.unwrap();
    let before = catalog(&owner).await;
    let reader = db.superuser().await;
    reader.batch_execute("begin; select from notes.notes").await.unwrap();
    for call in ["identity.protect('notes.notes', role => 'x', replace => true)", "identity.unprotect('notes.notes')"] {
        let begun = Instant::now();
        assert_eq!(sqlstate(owner.query(&format!("select {call}"), &[]).await), "55P03", "{call}");
        assert!(begun.elapsed() < PATIENCE, "{call} waited {:?}", begun.elapsed());
        assert_eq!(catalog(&owner).await, before, "{call}");
        // What the caller had set for itself is as it was.
        assert_eq!(owner.query_one("show lock_timeout", &[]).await.unwrap().get::<_, String>(0), "0");
    }
    reader.batch_execute("commit").await.unwrap();
    owner.batch_execute("select identity.unprotect('notes.notes')").await.unwrap();
}

#[tokio::test]
async fn a_refused_argument_waits_for_no_lock() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    let busy = db.superuser().await;
    busy.batch_execute("begin; lock table notes.notes in access share mode").await.unwrap();
    assert_eq!(sqlstate(owner.query("select identity.protect('notes.notes', owner => 'nothing')", &[]).await), "ID005");
    // A large member table is refused as a large table is, before anything is locked.
    owner
        .batch_execute(
            "create table notes.shares (note_id integer references notes.notes, user_id uuid, filling text);
             alter table notes.shares alter column filling set storage plain;
             insert into notes.shares select 1, null, repeat('x', 7000) from generate_series(1, 9000)",
        )
        .await
        .unwrap();
    let error =
        owner.query("select identity.protect('notes.notes', members => 'notes.shares')", &[]).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "ID005");
    let hint = error.hint().unwrap();
    assert!(hint.ends_with("create index concurrently on notes.shares (user_id, note_id);"), "{hint}");
}
