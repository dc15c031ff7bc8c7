//! What protect refuses, and that nothing is changed or kept waiting by it.

use std::time::{Duration, Instant};

use super::{catalog, notes};
use crate::jwt::sqlstate;
use crate::support::Database;

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
        assert_eq!(catalog(&owner).await, before, "{arguments}");
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
    for call in ["identity.protect('notes.notes', role => 'x')", "identity.unprotect('notes.notes')"] {
        let begun = Instant::now();
        assert_eq!(sqlstate(owner.query(&format!("select {call}"), &[]).await), "55P03", "{call}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{call} waited {:?}", begun.elapsed());
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
