//! Every protocol function that may lock a row is timed: the connection that called it is ended when its transaction goes on
//! (locks.rs). The same mark refuses to prepare such a transaction, to outlive every connection; that is asked here.

use tokio_postgres::Client;

use super::thief;
use crate::bad_input::values::Good;
use crate::jwt::sqlstate;
use crate::store::PROTOCOL;
use crate::support::Database;

/// Those that are not timed, and why that holds up nobody: they write nothing and lock no row.
const UNTIMED: [(&str, &str); 10] = [
    ("authorization_defer", "seals what it is given"),
    ("build", "a constant"),
    ("configured_issuer", "reads one row"),
    ("errors", "a constant"),
    ("installed_build", "a constant"),
    ("jwks", "reads public keys"),
    ("provider_metadata", "reads settings"),
    ("readiness", "reads whether there are keys"),
    ("registration_read", "reads what the client registered"),
    ("userinfo_read", "reads what a token gives"),
];

/// What a function did in a transaction of its own, which is rolled back.
#[derive(Debug, PartialEq)]
struct Done {
    timed: bool,
    /// Whoever writes or locks a row has a transaction id.
    wrote: bool,
}

/// The SQLSTATE when it raised an error: then PostgreSQL has let go of everything.
async fn done(thief: &Client, function: &str, arguments: &[&str]) -> Result<Done, String> {
    thief.batch_execute("begin").await.unwrap();
    let called = thief.batch_execute(&format!("select * from identity.{function}({})", arguments.join(", "))).await;
    let done = match called {
        Ok(()) => {
            let assigned = "select pg_current_xact_id_if_assigned() is not null";
            let wrote = thief.query_one(assigned, &[]).await.unwrap().get(0);
            let prepared = sqlstate(thief.batch_execute("prepare transaction 'stays'").await);
            // Else what PostgreSQL says by itself, because max_prepared_transactions is 0.
            assert!(["0A000", "55000"].contains(&prepared.as_str()), "{function}: {prepared}");
            Ok(Done { timed: prepared == "0A000", wrote })
        }
        Err(error) => Err(sqlstate::<()>(Err(error))),
    };
    thief.batch_execute("rollback").await.unwrap();
    done
}

async fn arguments(superuser: &Client, function: &str) -> Vec<String> {
    let names = "select coalesce(proargnames[1:pronargs], '{}') from pg_proc
      where pronamespace = 'identity'::regnamespace and proname = $1";
    superuser.query_one(names, &[&function]).await.unwrap().get(0)
}

#[tokio::test]
async fn every_protocol_function_that_may_lock_a_row_is_timed() {
    let db = Database::new().await;
    let (good, thief, superuser) = (Good::signing_in(&db).await, thief(&db).await, db.superuser().await);
    let (mut untimed, mut faults) = (Vec::new(), Vec::new());
    for (function, _) in PROTOCOL {
        let names = arguments(&superuser, function).await;
        let values: Vec<&str> = names.iter().map(|name| good.expression(function, name)).collect();
        let with_all = done(&thief, function, &values).await.unwrap_or_else(|state| panic!("{function}: {state}"));
        if with_all == (Done { timed: false, wrote: false }) {
            untimed.push(function);
        } else if !with_all.timed {
            faults.push(function.to_owned());
        }
        // Nor on the way to a refusal. Guesses that are rolled back make the next one of their account wait (leftovers.rs).
        let counts_guesses = ["sign_in", "account_password_change"].contains(&function);
        for place in 0..if counts_guesses { 0 } else { values.len() } {
            let mut values = values.clone();
            values[place] = "null";
            if done(&thief, function, &values).await == Ok(Done { timed: false, wrote: true }) {
                faults.push(format!("{function} without {}", names[place]));
            }
        }
    }
    assert_eq!(faults, [""; 0], "what these lock can be held for ever");
    assert_eq!(untimed, UNTIMED.map(|(function, _)| function));
}

/// How long locks.rs lets them be held, once the time has begun to run.
#[tokio::test]
async fn they_have_half_a_minute_and_maintenance_has_five() {
    let db = Database::new().await;
    let given = "select distinct p.proname::text, (regexp_matches(p.prosrc, 'identity\\.require_present\\((.*?)\\)', 'g'))[1]
      from pg_proc p where p.prosrc like '%require_present%' and p.prolang <> (select oid from pg_language where lanname = 'c')
      order by 1";
    let given = db.superuser().await.query(given, &[]).await.unwrap();
    let given: Vec<(String, String)> = given.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(given.len() >= 8, "{given:?}");
    let longer: Vec<_> = given.into_iter().filter(|(_, seconds)| seconds != "30").collect();
    assert_eq!(longer, [("maintenance_run".to_owned(), "300".to_owned())]);
}
