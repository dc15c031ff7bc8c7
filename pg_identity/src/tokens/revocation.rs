//! Whether something that a token stands on was revoked.

use crate::clock;
use crate::errors::{Code, Error};
use crate::identity::Identity;
use crate::rows::View;
use crate::tokens::record::Record;
use crate::uuid_v7;

/// The revocation list: absolute for a token, session or grant; for a user, client or agent whatever was issued up to
/// `issued_before`, for an issuer whatever was issued in one of the intervals (README, decision 10). A token that does not say when it
/// was issued counts as older than that.
/// `behind` is the person whom a pairwise subject hides.
pub fn check<R: Record>(
    view: &View,
    identity: &Identity,
    behind: Option<[u8; 16]>,
    record: &mut R,
) -> Result<(), Error> {
    let mut revocations = view.table(c"revocations")?;
    let now = clock::statement_microseconds();
    let behind = behind.map(|id| uuid::Uuid::from_bytes(id).hyphenated().to_string());
    for (kind, id) in identity.stands_on().into_iter().chain(behind.as_deref().map(|id| ("user", id))) {
        let row = revocations.find(&[kind, id]);
        record.rule(
            rule(kind),
            || format!("{kind} {id}"),
            || {
                let Some(row) = row else { return Ok(()) };
                let until = row.microseconds(c"until")?.unwrap_or(i64::MAX);
                let dead = match kind {
                    "user" | "client" | "agent" => {
                        issued_by(identity, row.microseconds(c"issued_before")?.unwrap_or(i64::MAX))
                    }
                    _ => true,
                };
                if until > now && dead {
                    return Err(Error::new(Code::TokenRevoked, "the token, or something it stands on, is revoked"));
                }
                Ok(())
            },
        )?;
    }
    let mut interval = None;
    let mut row = revocations.find(&["issuer", &identity.issuer]);
    while let Some(found) = row {
        let of_row = |name| found.microseconds(name).map(Option::unwrap_or_default);
        let (until, from, to) = (of_row(c"until")?, of_row(c"issued_after")?, of_row(c"issued_before")?);
        if until > now && issued_within(identity, from, to) {
            interval = Some(Error::new(Code::TokenRevoked, "what was issued at that time is revoked"));
        }
        row = revocations.next();
    }
    let issued = || identity.issued_at.map_or("iat is absent".to_owned(), |moment| format!("iat {moment}"));
    record.rule("time of issue not revoked", issued, || interval.map_or(Ok(()), Err))
}

fn rule(kind: &str) -> &'static str {
    match kind {
        "user" => "user not revoked",
        "client" => "client not revoked",
        "agent" => "agent not revoked",
        "session" => "session not revoked",
        "grant" => "grant not revoked",
        _ => "token not revoked",
    }
}

/// Whether the token was issued between two moments, both included: by `iat` in whole seconds, or by our `jti`, which knows the moment
/// of one that is dated a second on. One that does not say when may have been.
fn issued_within(identity: &Identity, from: i64, to: i64) -> bool {
    let seconds = from.div_euclid(1_000_000)..=to.div_euclid(1_000_000);
    let jti_made_at = || identity.token_id.as_deref().and_then(uuid_v7::made_at);
    identity.issued_at.is_none_or(|moment| seconds.contains(&moment))
        || jti_made_at().is_some_and(|moment| (uuid_v7::steps(from)..=uuid_v7::steps(to)).contains(&moment))
}

/// Whether the token was issued up to that moment. `iat` says it in whole seconds, and one that was minted in the second of a
/// revocation is dated one second on; whether the next revocation of that second came later, our `jti` alone knows.
fn issued_by(identity: &Identity, moment: i64) -> bool {
    let jti_made_at = || identity.token_id.as_deref().and_then(uuid_v7::made_at);
    identity.issued_at.unwrap_or(0) <= moment.div_euclid(1_000_000)
        || jti_made_at().is_some_and(|made_at| made_at <= uuid_v7::steps(moment))
}
