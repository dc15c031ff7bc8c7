//! Keys of clients that publish them at an address (RFC 7591 §2, `jwks_uri`).
//!
//! A call that has to know them first answers `need`. They are fetched outside of any transaction, handed in, and the same
//! call is made again (README, decision 2).

use super::outcome::{Outcome, Reply};
use super::state::AppState;

/// Whether the call that answered this should be made again, because what it needed is there now.
#[allow(clippy::unused_async)]
pub async fn brought(_state: &AppState, _reply: &Reply) -> bool {
    false
}

/// What the client is told: where its keys cannot be had, it has not proved itself.
pub fn settled(reply: Reply) -> Reply {
    match reply.outcome {
        Outcome::Need => Reply::refusal(Outcome::InvalidClient, "the keys of the client cannot be fetched"),
        _ => reply,
    }
}
