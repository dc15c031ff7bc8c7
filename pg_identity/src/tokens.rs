//! The one place that decides whether a token is good: authenticate, verify_jwt, access_token_verify and id_token_hint_verify ask it.
//!
//! Reason after reason, each with its SQLSTATE: form, issuer, key, algorithm, signature, type, audience, times, revocation. What the
//! reader does not say about a token before its signature is known to be good, nobody can ask about.
//! The rows are those of `sql/extension`, looked at every time and with the latest snapshot (see rows.rs).

mod explain;
mod record;
mod revocation;
mod signature;
mod types;

use serde_json::{Map, Value};

use crate::clock;
use crate::errors::{Code, Error};
use crate::identity::{Identity, Source};
use crate::jwk::Algorithm;
use crate::jws::{self, Jws, Rounding, malformed};
use crate::pairwise;
use crate::rows::View;
pub use explain::explain;
use record::{Record, Strict};
use types::{is_other_token, media_type};

/// What the caller demands of a token.
pub struct Demands<'caller> {
    /// Whose tokens.
    pub issuers: Issuers,
    /// Which type.
    pub purpose: Purpose,
    /// For whom it was made.
    pub audience: Audience<'caller>,
}

impl Demands<'_> {
    /// What `identity.authenticate` demands.
    pub const OF_AUTHENTICATE: Demands<'static> =
        Demands { issuers: Issuers::OursAndTrusted, purpose: Purpose::Access, audience: Audience::Accepted };
}

/// Whose tokens are good.
#[derive(PartialEq, Eq)]
pub enum Issuers {
    /// Ours only.
    Ours,
    /// Ours and those of trusted issuers.
    OursAndTrusted,
}

/// What the token is for.
#[derive(PartialEq, Eq)]
pub enum Purpose {
    /// Access: `at+jwt` (RFC 9068 §4), or what the trusted issuer's row says.
    Access,
    /// Anything that was signed; nobody becomes anybody by it.
    Anything,
    /// A hint at logout or sign-in: our ID token, also an old or a revoked one (OpenID Connect RP-Initiated Logout §2).
    Hint,
}

/// Which audience is good.
pub enum Audience<'caller> {
    /// For our tokens `identity.audiences`, for others the audience of their issuer's row.
    Accepted,
    /// This one.
    Named(&'caller str),
    /// The caller looks at it.
    Unchecked,
}

/// Clocks of other issuers differ (RFC 7519 §4.1.4 "some small leeway"); a minute is enough for those that are kept.
const TRUSTED_SKEW: i64 = 60;
/// Our own: `exp` exactly; `iat` and `nbf` may be ahead by what a statement takes and a standby's clock differs.
const OUR_SKEW: i64 = 5;

/// Checks a token and gives who it speaks for.
///
/// # Errors
/// ID101 to ID110, one per reason.
pub fn check(token: &str, demands: &Demands<'_>) -> Result<Identity, Error> {
    examine(token, demands, &mut Strict)
}

/// Every rule there is for a token, in order, with a record of what became of each.
fn examine<R: Record>(token: &str, demands: &Demands<'_>, record: &mut R) -> Result<Identity, Error> {
    let jws = record.value("form", jws::read(token))?;
    // `none` and HMAC are not even names here.
    record.rule(
        "algorithm known",
        || jws.header.algorithm.clone(),
        || match Algorithm::named(&jws.header.algorithm) {
            Some(_) => Ok(()),
            None => Err(Error::new(Code::AlgorithmRefused, "the algorithm of the token is unknown or not asymmetric")),
        },
    )?;
    let view = View::latest();
    let issuer = record.value("issuer", Issuer::find(&view, jws.text("iss")?, &demands.issuers))?;
    issuer.check_signature(&view, &jws, record)?;
    record.rule(
        "type",
        || format!("typ {}", jws.header.typ.as_deref().unwrap_or("is absent")),
        || issuer.check_type(&jws, &demands.purpose),
    )?;
    record.rule(
        "audience",
        || jws.claims.get("aud").map_or_else(|| "aud is absent".to_owned(), |audience| format!("aud {audience}")),
        || issuer.check_audience(&view, &jws, &demands.audience),
    )?;
    let mut identity = issuer.identity(jws, &demands.purpose, record)?;
    let behind = issuer.behind(&view, &mut identity)?;
    if demands.purpose != Purpose::Hint {
        revocation::check(&view, &identity, behind, record)?;
    }
    identity.user_id = behind.or_else(|| issuer.user_id(&identity));
    Ok(identity)
}

/// Who a token of this issuer with these claims would speak for, without any token: for administrators who try what somebody may do.
///
/// # Errors
/// ID101 when a claim has a type that it cannot have, ID109 when the issuer is neither ours nor trusted.
pub fn without_token(issuer: &str, claims: Map<String, Value>) -> Result<Identity, Error> {
    let issuer = Issuer::find(&View::latest(), Some(issuer), &Issuers::OursAndTrusted)?;
    let (name, source) = issuer.source();
    let mut identity = Identity { issuer: name.to_owned(), ..Identity::read(claims, &source)? };
    identity.subject = identity.claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    identity.user_id = issuer.user_id(&identity);
    Ok(identity)
}

/// What our rows say about an issuer.
enum Issuer {
    Ours {
        name: String,
    },
    Trusted {
        name: String,
        audience: String,
        typ: Option<String>,
        subject: Subject,
        mapping: Map<String, Value>,
        /// Microseconds since 1970; later its keys are too old.
        keys_good_until: Option<i64>,
    },
}

/// What the subjects of a trusted issuer are.
enum Subject {
    /// Ids of our users.
    UserId,
    /// Names in the issuer's own world.
    Foreign,
}

impl Issuer {
    fn find(view: &View, name: Option<&str>, issuers: &Issuers) -> Result<Self, Error> {
        let unknown = || Error::new(Code::UnknownIssuer, "the issuer of the token is neither ours nor trusted");
        let name = name.ok_or_else(unknown)?;
        let mut configuration = view.table(c"configuration")?;
        let ours: Option<String> = match configuration.find(&[]) {
            Some(row) => row.column(c"issuer")?,
            None => None,
        };
        if ours.as_deref() == Some(name) {
            return Ok(Self::Ours { name: name.to_owned() });
        }
        if *issuers == Issuers::Ours {
            return Err(unknown());
        }
        let mut trusted = view.table(c"trusted_issuers")?;
        let row = trusted.find(&[name]).ok_or_else(unknown)?;
        let subject = match row.column::<bool>(c"subject_is_user_id")? {
            Some(true) => Subject::UserId,
            Some(false) | None => Subject::Foreign,
        };
        let mapping = match row.column::<pgrx::JsonB>(c"claims")? {
            Some(pgrx::JsonB(Value::Object(mapping))) => mapping,
            Some(_) | None => Map::new(),
        };
        let keys_good_until = match row.column::<i64>(c"keys_max_age")? {
            None => None,
            // Never fetched: as old as can be.
            Some(seconds) => Some(match row.microseconds(c"keys_written_at")? {
                Some(written_at) => written_at.saturating_add(seconds.saturating_mul(1_000_000)),
                None => i64::MIN,
            }),
        };
        Ok(Self::Trusted {
            name: name.to_owned(),
            audience: row.column(c"audience")?.unwrap_or_default(),
            typ: row.column(c"typ")?,
            subject,
            mapping,
            keys_good_until,
        })
    }

    fn source(&self) -> (&str, Source<'_>) {
        match self {
            Self::Ours { name } => (name, Source::Ours),
            Self::Trusted { name, mapping, .. } => (name, Source::Trusted { mapping }),
        }
    }

    fn user_id(&self, identity: &Identity) -> Option<[u8; 16]> {
        match self {
            Self::Ours { .. } | Self::Trusted { subject: Subject::UserId, .. } => identity.subject_as_user_id(),
            Self::Trusted { subject: Subject::Foreign, .. } => None,
        }
    }

    /// The key is found by issuer and kid in our rows, brings its algorithm with it, and must have signed the token.
    fn check_signature<R: Record>(&self, view: &View, jws: &Jws<'_>, record: &mut R) -> Result<(), Error> {
        let named = || format!("kid {}", jws.header.kid.as_deref().unwrap_or("is absent"));
        let unknown = |record: &mut R| {
            record.rule("key", named, || {
                Err(Error::new(Code::UnknownKey, "the token names no key of its issuer, or a revoked one"))
            })
        };
        match (self, jws.header.kid.as_deref()) {
            // We always name the key.
            (Self::Ours { .. }, None) => unknown(record),
            (Self::Ours { .. }, Some(kid)) => {
                let mut keys = view.table(c"signing_keys")?;
                let Some(row) = keys.find(&[kid]) else { return unknown(record) };
                let state: Option<&str> = row.column(c"state")?;
                if !matches!(state, Some("next" | "current" | "retired")) {
                    return unknown(record);
                }
                record.rule("key", named, || Ok(()))?;
                signature::check(&row, jws, record)
            }
            (Self::Trusted { name, keys_good_until, .. }, kid) => {
                let mut keys = view.table(c"trusted_keys")?;
                let wanted: &[&str] = match &kid {
                    Some(kid) => &[name, kid],
                    // Without a name it can only be the only key.
                    None => {
                        keys.find(&[name]);
                        if keys.next().is_some() {
                            return unknown(record);
                        }
                        &[name]
                    }
                };
                let Some(row) = keys.find(wanted) else { return unknown(record) };
                record.rule("key", named, || match keys_good_until {
                    Some(until) if *until < clock::statement_microseconds() => {
                        Err(Error::new(Code::UnknownKey, "the keys of the issuer are older than its keys_max_age")
                            .with_hint("Let gateway sync-issuers fetch them, or call identity.trusted_keys_replace()."))
                    }
                    Some(_) | None => Ok(()),
                })?;
                signature::check(&row, jws, record)
            }
        }
    }

    /// Of a pairwise token of ours (OpenID Connect Core §8.1): the person behind its subject. The session is put in place at once.
    fn behind(&self, view: &View, identity: &mut Identity) -> Result<Option<[u8; 16]>, Error> {
        match self {
            Self::Ours { .. } => {
                if let Some(sid) = &identity.session_id
                    && let Some(session) = pairwise::session(view, sid)?
                {
                    identity.session_id = Some(session);
                }
                pairwise::recovered(view, pairwise::Kind::User, &identity.subject)
            }
            Self::Trusted { .. } => Ok(None),
        }
    }

    fn check_type(&self, jws: &Jws<'_>, purpose: &Purpose) -> Result<(), Error> {
        let typ = jws.header.typ.as_deref().map(media_type);
        let good = match (purpose, self) {
            (Purpose::Anything, _) => true,
            (Purpose::Hint, _) => typ.as_deref() == Some("jwt"),
            // RFC 9068 §4: the resource server MUST verify that the "typ" header value is "at+jwt" or "application/at+jwt".
            (Purpose::Access, Self::Ours { .. }) => typ.as_deref() == Some("at+jwt"),
            (Purpose::Access, Self::Trusted { typ: Some(accepted), .. }) => {
                typ == Some(media_type(accepted)) && !is_other_token(&jws.claims)
            }
            // An issuer that does not type its access tokens: what other specifications type is refused all the same.
            (Purpose::Access, Self::Trusted { typ: None, .. }) => {
                matches!(typ.as_deref(), None | Some("jwt" | "at+jwt")) && !is_other_token(&jws.claims)
            }
        };
        if good { Ok(()) } else { Err(Error::new(Code::WrongType, "a token of this type is not accepted here")) }
    }

    fn check_audience(&self, view: &View, jws: &Jws<'_>, audience: &Audience<'_>) -> Result<(), Error> {
        let of_token = jws::audiences(self.source().1.given(&jws.claims, "audience"))?;
        let good = match (audience, self) {
            (Audience::Unchecked, _) => true,
            (Audience::Named(name), _) => of_token.contains(name),
            (Audience::Accepted, Self::Ours { .. }) => {
                let mut accepted = view.table(c"audiences")?;
                of_token.iter().any(|name| accepted.find(&[name]).is_some())
            }
            (Audience::Accepted, Self::Trusted { audience, .. }) => of_token.contains(&audience.as_str()),
        };
        if good { Ok(()) } else { Err(Error::new(Code::WrongAudience, "the token is for another audience")) }
    }

    /// Looks at the times and reads the claims.
    fn identity<R: Record>(&self, jws: Jws<'_>, purpose: &Purpose, record: &mut R) -> Result<Identity, Error> {
        let (exp_skew, skew) = match self {
            Self::Ours { .. } => (0, OUR_SKEW),
            Self::Trusted { .. } => (TRUSTED_SKEW, TRUSTED_SKEW),
        };
        let subject = jws.text("sub")?.unwrap_or_default().to_owned();
        let named = || format!("sub {subject}");
        record.rule("subject", named, || match subject.is_empty() && *purpose != Purpose::Anything {
            true => Err(malformed("the token names no subject")),
            false => Ok(()),
        })?;
        let times = || -> Result<_, Error> {
            let expires_at = jws
                .moment("exp", Rounding::Down)?
                .ok_or_else(|| malformed("the token does not say when it expires"))?;
            Ok((expires_at, jws.moment("iat", Rounding::Down)?, jws.moment("nbf", Rounding::Up)?))
        };
        let (expires_at, issued_at, not_before) = record.value("times", times())?;
        let valid_until = expires_at.saturating_add(exp_skew);
        if *purpose != Purpose::Hint {
            // A DO block that commits in a loop is one statement: what expired meanwhile signs nobody in any more.
            let now = clock::statement_seconds().max(clock::wall_seconds());
            // RFC 7519 §4.1.4: "on or after which the JWT MUST NOT be accepted".
            let left =
                || format!("exp {expires_at}, {} seconds from now; {exp_skew} more are granted", expires_at - now);
            record.rule("not expired", left, || match now >= valid_until {
                true => Err(Error::new(Code::TokenExpired, "the token has expired")),
                false => Ok(()),
            })?;
            let begun = || {
                let of = |moment: Option<i64>| moment.map_or("absent".to_owned(), |moment| moment.to_string());
                format!("iat {}, nbf {}, now {now}; {skew} seconds are granted", of(issued_at), of(not_before))
            };
            record.rule("valid already", begun, || {
                match [issued_at, not_before].into_iter().flatten().any(|moment| moment > now + skew) {
                    true => Err(Error::new(Code::TokenNotYetValid, "the token is not yet valid")),
                    false => Ok(()),
                }
            })?;
        }
        let (name, source) = self.source();
        let claims = record.value("claims", Identity::read(jws.claims, &source))?;
        Ok(Identity { issuer: name.to_owned(), subject, expires_at, valid_until, issued_at, ..claims })
    }
}
