//! What is said about each rule while a token is checked.

use crate::errors::Error;

/// Hears of every rule, and decides whether the rest is looked at when one is broken.
pub trait Record {
    /// A rule. `said`: what the token says about it, asked for only where it is shown.
    fn rule(
        &mut self,
        name: &'static str,
        said: impl FnOnce() -> String,
        decide: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error>;

    /// A rule without which the others cannot be looked at.
    fn value<T>(&mut self, name: &'static str, outcome: Result<T, Error>) -> Result<T, Error>;
}

/// Ends at the first broken rule and keeps nothing.
pub struct Strict;

impl Record for Strict {
    #[inline]
    fn rule(
        &mut self,
        _: &'static str,
        _: impl FnOnce() -> String,
        decide: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        decide()
    }

    #[inline]
    fn value<T>(&mut self, _: &'static str, outcome: Result<T, Error>) -> Result<T, Error> {
        outcome
    }
}
