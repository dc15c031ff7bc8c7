//! Why a command ends without having done its work: one sentence, and what to do about it where we know.

use std::fmt;

/// What is wrong, and the way out. Never holds a secret: it is printed and logged.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure that explains itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the failing step in front of the reason.
    pub fn during(mut self, step: impl fmt::Display) -> Self {
        self.message = format!("{step}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}\n  hint: {hint}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}

impl From<tokio_postgres::Error> for Failure {
    // PostgreSQL's message, SQLSTATE and hint; not its detail, which may quote a row.
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => {
                let failure = Self::new(format!("{} (SQLSTATE {})", db.message(), db.code().code()));
                match db.hint() {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
            None => Self::new(chain(&error)),
        }
    }
}

/// An error with its causes, the outermost first.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}
