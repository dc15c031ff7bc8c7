//! Why a token is good or not, rule by rule: the rules of `authenticate`, by the same code, which goes on where that one stops.

use serde_json::{Value, json};

use super::record::Record;
use super::{Demands, examine};
use crate::errors::Error;
use crate::identity::Identity;

/// What became of every rule that could be looked at, as `{"rule", "passed", "detail"}`, and who the token would speak for if
/// all were kept.
///
/// # Errors
/// What is no verdict on the token: XX000.
pub fn explain(token: &str) -> Result<(Vec<Value>, Option<Identity>), Error> {
    let mut explanation = Explanation::default();
    let identity = match examine(token, &Demands::OF_AUTHENTICATE, &mut explanation) {
        Ok(identity) => Some(identity),
        Err(error) if error.code.is_about_the_token() => {
            // Said by something that is no rule of its own: a claim of the wrong type.
            if !explanation.broken {
                explanation.note("form", Some(&error), String::new());
            }
            None
        }
        Err(error) => return Err(error),
    };
    Ok((explanation.rules, identity.filter(|_| !explanation.broken)))
}

#[derive(Default)]
struct Explanation {
    rules: Vec<Value>,
    broken: bool,
}

impl Explanation {
    fn note(&mut self, name: &'static str, broken: Option<&Error>, said: String) {
        self.broken |= broken.is_some();
        let verdict = broken.map(|error| {
            let hint = error.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}: {}{hint}", String::from_utf8_lossy(error.code.sqlstate()), error.message)
        });
        let detail: Vec<String> = verdict.into_iter().chain((!said.is_empty()).then_some(said)).collect();
        self.rules.push(json!({ "rule": name, "passed": broken.is_none(), "detail": detail.join("; ") }));
    }
}

impl Record for Explanation {
    fn rule(
        &mut self,
        name: &'static str,
        said: impl FnOnce() -> String,
        decide: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let outcome = decide();
        self.note(name, outcome.as_ref().err(), said());
        match outcome {
            Err(error) if !error.code.is_about_the_token() => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn value<T>(&mut self, name: &'static str, outcome: Result<T, Error>) -> Result<T, Error> {
        self.note(name, outcome.as_ref().err(), String::new());
        outcome
    }
}
