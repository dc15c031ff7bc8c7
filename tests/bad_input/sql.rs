//! Every function that a role executes, with each argument in turn bad and the others good: an answer, or an error of the registry
//! whose message names what is wrong (those of other people's names may speak their words). The functions and their arguments come
//! from the catalogue, so a new one is here on the day it is made.

use tokio_postgres::Client;

use super::values::{Good, bad};
use crate::support::{Database, Login};

struct Call {
    function: String,
    argument: String,
    of_type: String,
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
        hint: Option<String>,
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
                calls.push(Call {
                    function: function.clone(),
                    argument: argument.clone(),
                    of_type: of_type.clone(),
                    query,
                });
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
            Some(error) => Fate::Raised {
                sqlstate: error.code().code().into(),
                message: error.message().into(),
                hint: error.hint().map(Into::into),
            },
            None => panic!("{}: the connection is gone: {error}", call.function),
        },
    };
    sql.batch_execute(end).await.unwrap();
    fate
}

/// How a message without a hint begins that leaves nothing open, behind the name of the argument where it has one: there is no such
/// thing, or the token, hash or algorithm that was handed over is none.
const WORDS: [(&str, &str); 11] = [
    ("ID006", "there is no such "),
    ("ID006", "there is no signing key with this kid"),
    ("ID006", "there is no scope "),
    ("ID006", "issuer is not trusted"),
    ("ID006", "issuer is neither this database's nor a trusted one"),
    ("ID008", "algorithm must be "),
    ("ID009", "the password hash "),
    ("ID101", "the token "),
    ("ID101", "the claim of "),
    ("ID104", "the token is for another audience"),
    ("ID109", "the issuer of the token is neither ours nor trusted"),
];

/// In characters: what the caller sent is not in the logs at its full length.
const LONGEST: usize = 500;

/// What errors may be, and which members a document of ours has.
struct Words {
    registry: Vec<String>,
    members: Vec<String>,
}

impl Words {
    async fn of(db: &Database) -> Words {
        let texts = async |sql: &Client, query: &str| -> Vec<String> {
            sql.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
        };
        Words {
            registry: texts(&db.admin().await, "select sqlstate from identity.errors()").await,
            members: texts(
                &db.owner().await,
                "select member from identity_store.client_members() union all select 'client_id'",
            )
            .await,
        }
    }

    /// Whether the message of an ID005 names what is wrong: the argument, or where that is a document its member.
    fn name(&self, call: &Call, message: &str) -> bool {
        let mut words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let member = message.split_once(": ").map_or("", |(member, _)| member);
        words.any(|word| word == call.argument)
            || ["json", "jsonb"].contains(&call.of_type.as_str()) && self.members.iter().any(|of| of == member)
    }

    /// What is wrong with a fate, if anything.
    fn fault(&self, call: &Call, fate: &Fate) -> Option<String> {
        let wrong = match fate {
            // Refused before anything was proved; who guesses at passwords leaves a count.
            Fate::Answered { outcome: Some(outcome), wrote: true } => {
                ["error_page", "sign_in", "not_found"].contains(&outcome.as_str())
                    || outcome.starts_with("invalid_") && outcome != "invalid_credentials"
            }
            Fate::Answered { .. } => false,
            Fate::Raised { sqlstate, message, hint } => {
                let says = match sqlstate.as_str() {
                    "ID005" => self.name(call, message),
                    _ => {
                        let said = message.strip_prefix(&format!("{}: ", call.argument)).unwrap_or(message);
                        hint.as_ref().is_some_and(|hint| !hint.is_empty())
                            || WORDS.iter().any(|(of, words)| of == sqlstate && said.starts_with(words))
                    }
                };
                !self.registry.contains(sqlstate) || !says || message.chars().count() > LONGEST
            }
        };
        wrong.then(|| format!("{}, bad {}: {fate:?}\n  {:.200}", call.function, call.argument, call.query))
    }
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
    let (good, words, sql) = (Good::new(&db).await, Words::of(&db).await, db.connect(login).await);
    let mut faults = Vec::new();
    let calls = calls(&sql, "identity", &good, |function| !COUNTED.contains(&function) && !step(function)).await;
    for call in &calls {
        faults.extend(words.fault(call, &attempt(&sql, call, "rollback").await));
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
    let (words, sql, superuser) = (Words::of(&db).await, db.gateway_role().await, db.superuser().await);
    let good = Good::signing_in(&db).await;
    let mut outcomes = Vec::new();
    for call in calls(&sql, "identity", &good, |function| COUNTED.contains(&function)).await {
        let fate = attempt(&sql, &call, "commit").await;
        assert_eq!(words.fault(&call, &fate), None);
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
    let (good, words, sql) = (Good::new(&db).await, Words::of(&db).await, db.app().await);
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
        faults.extend(words.fault(call, &attempt(&sql, call, "rollback").await));
    }
    for call in &pgjwt {
        let fate = attempt(&sql, call, "rollback").await;
        let known = |sqlstate: &str, message: &str| {
            OF_PGJWT.iter().any(|(of, words)| *of == sqlstate && words.iter().any(|begin| message.starts_with(begin)))
        };
        match &fate {
            Fate::Raised { sqlstate, message, .. } if known(sqlstate, message) => {}
            Fate::Raised { .. } => faults.push(format!("{}: {fate:?}\n  {:.200}", call.function, call.query)),
            Fate::Answered { .. } => faults.extend(words.fault(call, &fate)),
        }
    }
    // What takes nothing answers nobody.
    let readers = "select format('%s.%I()', pronamespace::regnamespace, proname) from pg_proc
      where pronamespace = 'auth'::regnamespace and pronargs = 0 and has_function_privilege(oid, 'execute') order by 1";
    for reader in sql.query(readers, &[]).await.unwrap() {
        let (argument, of_type) = (String::new(), String::new());
        let call = Call { function: reader.get(0), argument, of_type, query: reader.get(0) };
        faults.extend(words.fault(&call, &attempt(&sql, &call, "rollback").await));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
