//! Whether something that a token stands on was revoked.

use crate::clock;
use crate::errors::{Code, Error};
use crate::identity::Identity;
use crate::rows::Latest;

/// The revocation list: absolute for a token, session or grant; for a user, client or agent whatever was issued up to
/// `issued_before`, in whole seconds (README, decision 10). A token that does not say when it was issued counts as older than that.
pub fn check(latest: &Latest, identity: &Identity) -> Result<(), Error> {
    let mut revocations = latest.table(c"revocations")?;
    let now = clock::statement_microseconds();
    for (kind, id) in identity.stands_on() {
        let Some(row) = revocations.find(&[kind, id]) else {
            continue;
        };
        let until = row.microseconds(c"until")?.unwrap_or(i64::MAX);
        let issued_before = match kind {
            "user" | "client" | "agent" => row.microseconds(c"issued_before")?.unwrap_or(i64::MAX),
            _ => i64::MAX,
        };
        let issued_at = identity.issued_at.unwrap_or(0);
        if until > now && issued_at <= issued_before.div_euclid(1_000_000) {
            return Err(Error::new(Code::TokenRevoked, "the token, or something it stands on, is revoked"));
        }
    }
    Ok(())
}
