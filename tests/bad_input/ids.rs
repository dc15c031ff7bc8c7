//! The id of a person is the `sub` of their tokens, and "never reassigned" (OpenID Connect Core §2): whatever a caller hands to a
//! function, nobody gets an id that the caller chose, and no deleted person comes back. The functions come from the catalogue.

use tokio_postgres::Client;
use uuid::Uuid;

use super::values::Good;
use crate::support::{Database, Login, user};

/// Calls of every function that this connection executes, with this id in the place of one argument of it: as it is where it is a
/// uuid or, where people are what the function is about, a text; in a document by every name that it could have there.
async fn calls_with(sql: &Client, good: &Good, id: Uuid) -> Vec<(String, String)> {
    let functions = "select proname::text, proargnames[1:pronargs],
       array(select format_type(t, null) from unnest(proargtypes) with ordinality a (t, n) order by n)
     from pg_proc where pronamespace = 'identity'::regnamespace and pronargs > 0 and has_function_privilege(oid, 'execute')
       and not has_function_privilege('app_login', oid, 'execute') order by 1";
    let mut calls = Vec::new();
    for row in sql.query(functions, &[]).await.unwrap() {
        let (function, arguments, types): (String, Vec<String>, Vec<String>) = (row.get(0), row.get(1), row.get(2));
        for (place, of_type) in types.iter().enumerate() {
            let value = match of_type.as_str() {
                "uuid" => format!("'{id}'::uuid"),
                "text" if function.starts_with("user_") => format!("'{id}'::text"),
                "json" | "jsonb" => format!(
                    r#"'{{"sub": "{id}", "id": "{id}", "user_id": "{id}", "uuid": "{id}", "preferred_username": "{id}"}}'::{of_type}"#
                ),
                _ => continue,
            };
            let mut all: Vec<&str> = arguments.iter().map(|name| good.expression(&function, name)).collect();
            all[place] = &value;
            calls.push((function.clone(), format!("select * from identity.{function}({})", all.join(", "))));
        }
    }
    calls
}

#[tokio::test]
async fn no_caller_chooses_the_id_of_a_person_and_no_deleted_person_comes_back() {
    let db = Database::new().await;
    let (good, superuser, bob) = (Good::new(&db).await, db.superuser().await, user(&db, "bob").await);
    db.admin().await.execute("select identity.user_delete($1)", &[&bob.id]).await.unwrap();
    let row = async |id: Uuid| -> Option<String> {
        let row = "select to_jsonb(u)::text from identity_store.users u where u.id = $1";
        superuser.query_opt(row, &[&id]).await.unwrap().map(|row| row.get(0))
    };
    let deleted = row(bob.id).await;
    assert!(deleted.as_ref().is_some_and(|row| row.contains(r#""state": "deleted""#)), "{deleted:?}");
    // What user_create and uuid_v7 would have made, a moment ago or in a moment.
    let chosen: Uuid = superuser.query_one("select identity.uuid_v7()", &[]).await.unwrap().get(0);
    let mut functions = Vec::new();
    for login in [Login::Admin, Login::Gateway] {
        let sql = db.connect(login).await;
        for (id, expected) in [(bob.id, &deleted), (chosen, &None)] {
            for (function, query) in calls_with(&sql, &good, id).await {
                // Answered, refused or raised.
                let _ = sql.simple_query(&query).await;
                assert_eq!(&row(id).await, expected, "{query:.300}");
                functions.push(function);
            }
        }
    }
    for reached in ["user_create", "user_update", "user_enable", "user_delete", "registration_create"] {
        assert!(functions.iter().any(|function| function == reached), "{reached}: the catalogue was not read");
    }
}
