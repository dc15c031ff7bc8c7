//! Ten thousand random cases of rules, rows and identities: what protect lets through is what a plain reading of its rules says.

mod table;
mod who;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use serde_json::Value;
use tokio_postgres::Client;

use crate::jwt::authenticate;
use crate::support::Database;

use table::Table;
use who::{Dice, Who};

const TABLES: usize = 100;
/// Each is a person, the same person with a smaller token, and an agent with that one.
const TRIPLES: usize = 33;

#[tokio::test]
async fn what_is_let_through_is_what_the_rules_say() {
    let seed = RandomState::new().build_hasher().finish();
    let mut dice = Dice(seed | 1);
    let db = Database::new().await;
    let tables: Vec<Table> = (0..TABLES).map(|number| Table::random(number, &mut dice)).collect();
    let triples: Vec<[Who; 3]> = (0..TRIPLES).map(|_| Who::triple(&mut dice)).collect();
    let script: String = tables.iter().map(Table::script).collect();
    db.superuser()
        .await
        .batch_execute(&format!(
            "set client_min_messages = error;
             create schema g; create schema evil; grant usage on schema g, evil to app_login;
             create function evil.always(uuid, uuid) returns boolean language sql immutable as 'select true';
             create function evil.always(text, text) returns boolean language sql immutable as 'select true';
             create operator evil.= (leftarg = uuid, rightarg = uuid, function = evil.always);
             create operator evil.>= (leftarg = uuid, rightarg = uuid, function = evil.always);
             create operator evil.= (leftarg = text, rightarg = text, function = evil.always);
             create operator evil.~ (leftarg = text, rightarg = text, function = evil.always);
             begin; {script} commit;
             grant select, insert, update, delete on all tables in schema g to app_login"
        ))
        .await
        .unwrap();
    let mut everybody: Vec<Who> = triples.into_iter().flatten().collect();
    everybody.push(Who::nobody());
    let tokens = tokens(&db, &everybody).await;

    // With the plans that PostgreSQL chooses for small tables, and with those for large ones and operators of the caller's before its own.
    let answers = tokio::join!(
        answers(&db, &tokens, "set enable_seqscan = on"),
        answers(&db, &tokens, "set enable_seqscan = off; set search_path = evil, pg_catalog"),
    );
    let mut cases = 0;
    for answers in [&answers.0, &answers.1] {
        for (who, answers) in everybody.iter().zip(answers) {
            for (table, answer) in tables.iter().zip(answers) {
                assert_eq!(*answer, table.expected(who), "seed {seed}\n{who:?}\n{table:#?}\n{}", table.call());
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 2 * TABLES * everybody.len());
    assert!(cases >= 2 * 10_000);

    // An agent gets what its person gets, and what its own token allows, and no row more.
    for person in (0..everybody.len() - 1).step_by(3) {
        for (number, table) in tables.iter().enumerate() {
            for what in ["seen", "changed", "deleted", "inserted", "moved"] {
                let [whole, smaller, agent] = [0, 1, 2].map(|k| numbers(&answers.0[person + k][number][what]));
                for row in agent {
                    assert!(whole.contains(&row) && smaller.contains(&row), "seed {seed} {what} {}", table.call());
                }
            }
        }
    }
}

fn numbers(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect()
}

async fn tokens(db: &Database, everybody: &[Who]) -> Vec<Option<String>> {
    let admin = db.admin().await;
    let sign = admin.prepare("select identity.sign_jwt($1, null, 'at+jwt')").await.unwrap();
    let mut tokens = Vec::new();
    for who in everybody {
        let Some(claims) = who.claims(&db.issuer) else {
            tokens.push(None);
            continue;
        };
        tokens.push(Some(admin.query_one(&sign, &[&claims]).await.unwrap().get(0)));
    }
    tokens
}

/// What each of them gets out of each table.
async fn answers(db: &Database, tokens: &[Option<String>], plans: &str) -> Vec<Vec<Value>> {
    let app: Client = db.app().await;
    app.batch_execute(plans).await.unwrap();
    let probes: Vec<String> = (0..TABLES).map(|number| format!("g.probe_{number}()")).collect();
    let probe = app.prepare(&format!("select array[{}]", probes.join(", "))).await.unwrap();
    let mut answers = Vec::new();
    for token in tokens {
        app.batch_execute("begin").await.unwrap();
        if let Some(token) = token {
            authenticate(&app, token).await.unwrap();
        }
        answers.push(app.query_one(&probe, &[]).await.unwrap().get(0));
        app.batch_execute("rollback").await.unwrap();
    }
    answers
}
