//! Every function that a role executes, with each argument in turn bad and the others good: an answer, or an error of the registry
//! whose message names what is wrong (those of other people's names may speak their words). The functions and their arguments come
//! from the catalogue, so a new one is here on the day it is made.

use tokio_postgres::Client;

use super::values::{Good, bad};
use crate::support::{Database, Login};

struct Call {
    function: String,
    argument: String,
    query: String,
}

/// What became of a call.
#[derive(Debug)]
enum Fate {
    /// Its outcome, if it has one, and whether it took a transaction id.
    Answered {
        outcome: Option<String>,
        wrote: bool,
    },
    Raised {
        sqlstate: String,
        message: String,
    },
}

/// The calls of the functions with arguments that this connection executes; those of applications only for an application.
async fn calls(sql: &Client, schema: &str, good: &Good, chosen: impl Fn(&str) -> bool) -> Vec<Call> {
    let rows = sql
        .query(
            "select proname::text, proargnames[1:pronargs],
               array(select format_type(t, null) from unnest(proargtypes) with ordinality a (t, n) order by n)
             from pg_proc where pronamespace = $1::text::regnamespace and has_function_privilege(oid, 'execute') and pronargs > 0
               and (session_user = 'app_login' or not has_function_privilege('app_login', oid, 'execute'))
             order by 1",
            &[&schema],
        )
        .await
        .unwrap();
    let mut calls = Vec::new();
    for row in rows.iter().filter(|row| chosen(row.get(0))) {
        let (function, arguments, types): (String, Vec<String>, Vec<String>) = (row.get(0), row.get(1), row.get(2));
        for (place, (argument, of_type)) in arguments.iter().zip(&types).enumerate() {
            for value in bad(of_type) {
                let mut all: Vec<&str> = arguments.iter().map(|name| good.expression(&function, name)).collect();
                all[place] = &value;
                let query = format!("{schema}.{function}({})", all.join(", "));
                calls.push(Call { function: function.clone(), argument: argument.clone(), query });
            }
        }
    }
    calls
}

/// Calls it in a transaction of its own, which ends with `end`.
async fn attempt(sql: &Client, call: &Call, end: &str) -> Fate {
    sql.batch_execute("begin").await.unwrap();
    let query = format!(
        "select to_jsonb(one) ->> 'outcome', pg_current_xact_id_if_assigned() is not null from (select * from {}) one limit 1",
        call.query
    );
    let fate = match sql.query(&query, &[]).await {
        Ok(rows) => {
            let row = rows.first();
            let wrote = row.is_some_and(|row| row.get(1));
            Fate::Answered { outcome: row.and_then(|row| row.get(0)), wrote }
        }
        Err(error) => match error.as_db_error() {
            Some(error) => Fate::Raised { sqlstate: error.code().code().into(), message: error.message().into() },
            None => panic!("{}: the connection is gone: {error}", call.function),
        },
    };
    sql.batch_execute(end).await.unwrap();
    fate
}

/// What is wrong with a fate, if anything.
fn fault(call: &Call, fate: &Fate, registry: &[String]) -> Option<String> {
    let wrong = match fate {
        // Refused before anything was proved; who guesses at passwords leaves a count.
        Fate::Answered { outcome: Some(outcome), wrote: true } => {
            ["error_page", "sign_in", "not_found"].contains(&outcome.as_str())
                || outcome.starts_with("invalid_") && outcome != "invalid_credentials"
        }
        Fate::Answered { .. } => false,
        Fate::Raised { sqlstate, message } => {
            !registry.contains(sqlstate)
                // A member of a document is named instead of the document.
                || sqlstate == "ID005" && !message.contains(&call.argument) && !message.contains(": ")
        }
    };
    wrong.then(|| format!("{}, bad {}: {fate:?}\n  {:.200}", call.function, call.argument, call.query))
}

async fn registry(db: &Database) -> Vec<String> {
    let rows = db.admin().await.query("select sqlstate from identity.errors()", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Those that hash passwords count guesses outside of transactions: their calls are committed, and forgotten.
const COUNTED: [&str; 2] = ["sign_in", "account_password_change"];

/// Steps of protect and lint: they run with the caller's rights, are no more than the caller could do by hand, and what those two
/// hand them has been checked.
fn step(function: &str) -> bool {
    ["protect_", "lint_"].iter().any(|of| function.starts_with(of)) && function != "protect_check"
}

async fn assert_is_never_lost_for_words(login: Login) {
    let db = Database::new().await;
    let (good, registry, sql) = (Good::new(&db).await, registry(&db).await, db.connect(login).await);
    let mut faults = Vec::new();
    let calls = calls(&sql, "identity", &good, |function| !COUNTED.contains(&function) && !step(function)).await;
    for call in &calls {
        faults.extend(fault(call, &attempt(&sql, call, "rollback").await, &registry));
    }
    assert!(calls.len() > 50, "{} calls: the catalogue was not read", calls.len());
    assert!(faults.is_empty(), "{} of {} calls:\n{}", faults.len(), calls.len(), faults.join("\n"));
}

#[tokio::test]
async fn no_argument_of_a_protocol_function_is_beyond_its_words() {
    assert_is_never_lost_for_words(Login::Gateway).await;
}

#[tokio::test]
async fn no_argument_of_an_administrators_function_is_beyond_its_words() {
    assert_is_never_lost_for_words(Login::Admin).await;
}

#[tokio::test]
async fn no_argument_of_an_applications_function_is_beyond_its_words() {
    assert_is_never_lost_for_words(Login::App).await;
}

#[tokio::test]
async fn no_argument_of_a_sign_in_is_beyond_its_words() {
    let db = Database::new().await;
    let (registry, sql, superuser) = (registry(&db).await, db.gateway_role().await, db.superuser().await);
    let good = Good::signing_in(&db).await;
    let mut outcomes = Vec::new();
    for call in calls(&sql, "identity", &good, |function| COUNTED.contains(&function)).await {
        let fate = attempt(&sql, &call, "commit").await;
        assert_eq!(fault(&call, &fate, &registry), None);
        if let Fate::Answered { outcome: Some(outcome), .. } = fate {
            outcomes.push(outcome);
        }
        superuser.batch_execute("delete from identity_store.sign_in_buckets").await.unwrap();
    }
    for reached in ["signed_in", "ok", "invalid_credentials", "invalid_password", "sign_in", "error_page"] {
        assert!(outcomes.iter().any(|outcome| outcome == reached), "{reached} is not among {outcomes:?}");
    }
}

/// What pgjwt's callers know: an encoding or an algorithm that is none, and parts of a token that are no text or no JSON.
const OF_PGJWT: [(&str, &[&str]); 4] = [
    ("22023", &["invalid base64url", "Cannot use \"\": No such hash algorithm"]),
    ("22021", &["invalid byte sequence for encoding"]),
    ("22P02", &["invalid input syntax for type json"]),
    ("22P05", &["unsupported Unicode escape sequence"]),
];

#[tokio::test]
async fn no_argument_of_functions_by_other_peoples_names_is_beyond_their_words() {
    let db = Database::new().await;
    let (good, mut registry, sql) = (Good::new(&db).await, registry(&db).await, db.app().await);
    db.superuser()
        .await
        .batch_execute(
            "create extension pg_identity_auth; create schema jwt; grant usage on schema jwt to app_login;
             create extension pg_identity_pgjwt schema jwt",
        )
        .await
        .unwrap();
    let auth = calls(&sql, "auth", &good, |_| true).await;
    let pgjwt = calls(&sql, "jwt", &good, |_| true).await;
    let functions = |calls: &[Call]| {
        let mut names: Vec<String> = calls.iter().map(|call| call.function.clone()).collect();
        names.dedup();
        names
    };
    assert_eq!(functions(&auth), ["jwt_session_init"]);
    assert_eq!(functions(&pgjwt), ["algorithm_sign", "sign", "url_decode", "url_encode", "verify", "verify_valid"]);
    let mut faults = Vec::new();
    for call in &auth {
        faults.extend(fault(call, &attempt(&sql, call, "rollback").await, &registry));
    }
    registry.extend(OF_PGJWT.iter().map(|(sqlstate, _)| (*sqlstate).to_owned()));
    for call in &pgjwt {
        let fate = attempt(&sql, call, "rollback").await;
        if let Fate::Raised { sqlstate, message } = &fate {
            let words = OF_PGJWT.iter().find(|(of, _)| of == sqlstate).map_or(&[][..], |(_, words)| words);
            if !words.iter().any(|begin| message.starts_with(begin)) {
                faults.push(format!("{}: {fate:?}\n  {:.200}", call.function, call.query));
            }
        }
        faults.extend(fault(call, &fate, &registry));
    }
    // What takes nothing answers nobody.
    let readers = "select format('%s.%I()', pronamespace::regnamespace, proname) from pg_proc
      where pronamespace = 'auth'::regnamespace and pronargs = 0 and has_function_privilege(oid, 'execute') order by 1";
    for reader in sql.query(readers, &[]).await.unwrap() {
        let call = Call { function: reader.get(0), argument: String::new(), query: reader.get(0) };
        faults.extend(fault(&call, &attempt(&sql, &call, "rollback").await, &registry));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
