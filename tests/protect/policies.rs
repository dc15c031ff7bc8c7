//! identity.policies: what a table allows to whom, in words.

use super::notes;
use crate::support::Database;

#[tokio::test]
async fn the_view_says_in_words_what_each_table_allows_to_whom() {
    let db = Database::new().await;
    let owner = notes(&db).await;
    owner
        .batch_execute(
            "alter table notes.notes add org_id text;
             create table notes.shares (note_id integer references notes.notes, user_id uuid, level text);
             select identity.protect('notes.notes', owner => 'user_id', organization => 'org_id', scope_read => 'n:read', role => 'n:admin',
               members => 'notes.shares', members_write => 'level', members_writers => '{editor,owner}', agents => 'read');
             create policy mine on notes.notes as restrictive for delete to app_login using (number > 3);
             create table notes.shut (user_id uuid); alter table notes.shut enable row level security;
             create policy half on notes.shut for update using (true) with check (user_id is not null);
             create table notes.open (user_id uuid); create policy unused on notes.open for select using (true);
             select identity.protect('notes.shares'); alter policy identity_select on notes.shares using (true)",
        )
        .await
        .unwrap();
    let app = db.app().await;
    let rows = app
        .query(
            "select concat_ws(' | ', target, command, effect, words, policy, written_by, binding) from identity.policies
             where target::text like 'notes.%'",
            &[],
        )
        .await
        .unwrap();
    let listed: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let read = "rows whose user_id is the person who is signed in; rows shared with the person in notes.shares; all rows, to holders of the role n:admin";
    let write = "rows whose user_id is the person who is signed in; rows shared with the person in notes.shares where level is editor or owner; all rows, to holders of the role n:admin";
    let tenant = "demands | only rows whose org_id is the organization in which the person acts | identity_organization | protect | yes";
    let own = "rows whose user_id is the person who is signed in";
    let expected = [
        format!("notes.notes | select | allows | {read} | identity_select | protect | yes"),
        format!("notes.notes | select | {tenant}"),
        "notes.notes | select | demands | only with the scope n:read | identity_scope_select | protect | yes".into(),
        format!("notes.notes | insert | allows | {write} | identity_insert | protect | yes"),
        "notes.notes | insert | demands | not through an agent | identity_agents_insert | protect | yes".into(),
        format!("notes.notes | insert | {tenant}"),
        format!("notes.notes | update | allows | {write} | identity_update | protect | yes"),
        "notes.notes | update | demands | not through an agent | identity_agents_update | protect | yes".into(),
        format!("notes.notes | update | {tenant}"),
        format!("notes.notes | delete | allows | {write} | identity_delete | protect | yes"),
        "notes.notes | delete | demands | not through an agent | identity_agents_delete | protect | yes".into(),
        format!("notes.notes | delete | {tenant}"),
        "notes.notes | delete | demands | rows where (number > 3) (to app_login) | mine | hand | yes".into(),
        "notes.open | select | allows | rows where true | unused | hand | no: row-level security is off".into(),
        "notes.shares | select | allows | rows where true | identity_select | protect, and changed since | yes".into(),
        format!("notes.shares | insert | allows | {own} | identity_insert | protect | yes"),
        format!("notes.shares | update | allows | {own} | identity_update | protect | yes"),
        format!("notes.shares | delete | allows | {own} | identity_delete | protect | yes"),
        "notes.shut | select | allows | nothing, to nobody | not on the owner of the table".into(),
        "notes.shut | insert | allows | nothing, to nobody | not on the owner of the table".into(),
        "notes.shut | update | allows | rows where true, and after the change (user_id IS NOT NULL) | half | hand | not on the owner of the table".into(),
        "notes.shut | delete | allows | nothing, to nobody | not on the owner of the table".into(),
    ];
    assert_eq!(listed, expected);
}
