//! Who a verified token speaks for: the claims of our tokens by name, those of other issuers by their claim mapping.

#[cfg(test)]
mod properties;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::errors::{Code, Error};
use crate::jws::{Rounding, malformed, numeric_date};
use crate::native::sql_function;

/// The verified identity; what is absent in the token is `None`, and NULL in SQL.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `iss`
    pub issuer: String,
    /// `sub`; with the issuer it is the identity.
    pub subject: String,
    /// A person of ours, resolved (only for our issuer, or the one trusted issuer that may say so).
    pub user_id: Option<[u8; 16]>,
    /// `exp`, seconds since 1970.
    pub expires_at: i64,
    /// `exp` plus the skew granted to the issuer: readers answer until then.
    pub valid_until: i64,
    /// `iat`, rounded down.
    pub issued_at: Option<i64>,
    /// `sid`
    pub session_id: Option<String>,
    /// `client_id`
    pub client_id: Option<String>,
    /// `grant_id`
    pub grant_id: Option<String>,
    /// `org_id`
    pub organization_id: Option<String>,
    /// `jti`
    pub token_id: Option<String>,
    /// `acr`
    pub acr: Option<String>,
    /// `auth_time`, seconds since 1970.
    pub auth_time: Option<i64>,
    /// `amr`
    pub amr: Option<Vec<String>>,
    /// `scope`, taken apart
    pub scopes: Option<Vec<String>>,
    /// `roles`
    pub roles: Option<Vec<String>>,
    /// `permissions`
    pub permissions: Option<Vec<String>>,
    /// `act` (RFC 8693 §4.1), outermost actor first, each without those behind it.
    pub actors: Vec<Map<String, Value>>,
    /// `act` as it came.
    pub actor: Option<Value>,
    /// The outermost actor is an administrator who tries what the subject may do (`identity.impersonate`).
    pub impersonated: bool,
    /// All claims as they came.
    pub claims: Map<String, Value>,
}

/// What may be mapped, and where it is when nothing is said. What gives authority (roles, permissions, organization) is taken from a
/// token of another issuer only when the mapping says where.
const READERS: [(&str, Option<&str>, Option<&str>); 13] = [
    // reader, our claim, claim of other issuers by default
    // Not a reader in SQL: where the audience of the token is (RFC 7519 §4.1.3), for issuers that have another place for it.
    ("audience", Some("aud"), Some("aud")),
    ("session_id", Some("sid"), Some("sid")),
    ("client_id", Some("client_id"), Some("client_id")),
    ("grant_id", Some("grant_id"), None),
    ("organization_id", Some("org_id"), None),
    ("token_id", Some("jti"), Some("jti")),
    ("acr", Some("acr"), Some("acr")),
    ("auth_time", Some("auth_time"), Some("auth_time")),
    ("amr", Some("amr"), Some("amr")),
    ("scopes", Some("scope"), Some("scope")),
    ("roles", Some("roles"), None),
    ("permissions", Some("permissions"), None),
    ("actor", Some("act"), Some("act")),
];

/// Longer chains of actors are refused: nobody can say who is accountable for what any more.
const MOST_ACTORS: usize = 8;

/// Whose token it is.
pub enum Source<'row> {
    /// Our own.
    Ours,
    /// That of a trusted issuer, with its claim mapping.
    Trusted {
        /// reader → claim or path
        mapping: &'row Map<String, Value>,
    },
}

impl Source<'_> {
    /// What stands where a reader looks first, `null` included: for what must be well-formed where it is given.
    pub fn given<'claims>(&self, claims: &'claims Map<String, Value>, reader: &str) -> Option<&'claims Value> {
        self.places(claims, reader).next()
    }

    /// The value that a reader answers with: the first there is.
    pub fn value<'claims>(&self, claims: &'claims Map<String, Value>, reader: &str) -> Option<&'claims Value> {
        self.values(claims, reader).next()
    }

    /// All values of a reader: one, unless its mapping names several places.
    fn values<'claims>(
        &self,
        claims: &'claims Map<String, Value>,
        reader: &str,
    ) -> impl Iterator<Item = &'claims Value> {
        self.places(claims, reader).filter(|value| !value.is_null())
    }

    fn places<'claims>(
        &self,
        claims: &'claims Map<String, Value>,
        reader: &str,
    ) -> impl Iterator<Item = &'claims Value> {
        let (_, ours, theirs) = READERS.iter().find(|(name, ..)| *name == reader).copied().unwrap_or_default();
        let (one, several): (_, &[Value]) = match self {
            Source::Ours => (ours.and_then(|name| claims.get(name)), &[]),
            Source::Trusted { mapping } => match mapping.get(reader) {
                None => (theirs.and_then(|name| claims.get(name)), &[]),
                Some(Value::Array(paths)) if paths.first().is_some_and(Value::is_array) => (None, paths),
                Some(path) => (at(claims, path), &[]),
            },
        };
        one.into_iter().chain(several.iter().filter_map(|path| at(claims, path)))
    }

    /// Whether the mapping says where a reader is, so that what stands there is meant for it.
    fn maps(&self, reader: &str) -> bool {
        matches!(self, Source::Trusted { mapping } if mapping.contains_key(reader))
    }
}

/// The value at a name or at a path of names.
fn at<'claims>(claims: &'claims Map<String, Value>, path: &Value) -> Option<&'claims Value> {
    match path {
        Value::String(name) => claims.get(name),
        Value::Array(path) => {
            let (first, rest) = path.split_first()?;
            rest.iter().try_fold(claims.get(first.as_str()?)?, |value, name| value.get(name.as_str()?))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

impl Identity {
    /// Reads the claims of a token that has been verified.
    ///
    /// # Errors
    /// ID101 when a claim has a type that it cannot have.
    pub fn read(claims: Map<String, Value>, source: &Source<'_>) -> Result<Self, Error> {
        let value = |reader: &str| source.value(&claims, reader);
        let text = |reader: &'static str| match value(reader) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            // Some issuers number their sessions and tenants. A number that is not read exactly could be two tenants' number.
            Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
            Some(_) => Err(malformed(format!("the claim of {reader} is not a text"))),
        };
        let list = |reader: &'static str| -> Result<Option<Vec<String>>, Error> {
            let mut all: Option<Vec<String>> = None;
            for value in source.values(&claims, reader) {
                let texts = texts(value, reader, source.maps(reader))?;
                all.get_or_insert_with(Vec::new).extend(texts);
            }
            Ok(all)
        };
        let auth_time = match value("auth_time") {
            None => None,
            Some(moment) => Some(
                numeric_date(moment, Rounding::Down)
                    .ok_or_else(|| malformed("the claim of auth_time is not a moment"))?,
            ),
        };
        Ok(Self {
            session_id: text("session_id")?,
            client_id: text("client_id")?,
            grant_id: text("grant_id")?,
            organization_id: text("organization_id")?,
            token_id: text("token_id")?,
            acr: text("acr")?,
            amr: list("amr")?,
            scopes: list("scopes")?,
            roles: list("roles")?,
            permissions: list("permissions")?,
            actors: actors(value("actor"))?,
            actor: value("actor").cloned(),
            auth_time,
            claims,
            ..Self::default()
        })
    }

    /// The subject as the id of a person of ours: not for a token that a client got for itself.
    pub fn subject_as_user_id(&self) -> Option<[u8; 16]> {
        if self.client_id.as_ref() == Some(&self.subject) {
            return None;
        }
        user_id(&self.subject)
    }

    /// Everything this identity stands on, as (kind, id) of the revocation list.
    pub fn stands_on(&self) -> Vec<(&'static str, &str)> {
        let mut grounds = vec![("user", self.subject.as_str())];
        let own = [
            ("token", &self.token_id),
            ("session", &self.session_id),
            ("grant", &self.grant_id),
            ("client", &self.client_id),
        ];
        grounds.extend(own.into_iter().filter_map(|(kind, id)| id.as_deref().map(|id| (kind, id))));
        for actor in &self.actors {
            let member = |name: &str| actor.get(name).and_then(Value::as_str);
            // An actor may be an agent, a client, or a person who acts for another.
            grounds.extend(member("sub").into_iter().flat_map(|id| [("agent", id), ("user", id)]));
            grounds.extend(member("client_id").map(|id| ("client", id)));
        }
        grounds
    }
}

/// The texts of a claim that is a list.
fn texts(value: &Value, reader: &'static str, mapped: bool) -> Result<Vec<String>, Error> {
    let read = match value {
        // RFC 6749 §3.3: scopes are separated by spaces. A role may contain one.
        Value::String(text) if reader == "scopes" => {
            Some(text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
        }
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        // Zitadel: {"role": {"organization": "domain"}}. Anything but objects could mean that a role is not there.
        Value::Object(named) if mapped && ["roles", "permissions"].contains(&reader) => {
            named.iter().map(|(name, value)| value.is_object().then(|| name.clone())).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    read.ok_or_else(|| malformed(format!("the claim of {reader} is not a list of texts")))
}

/// One spelling only: what else `uuid` accepts (braces, no hyphens, capitals) would give a person several subjects.
fn user_id(subject: &str) -> Option<[u8; 16]> {
    let id = uuid::Uuid::try_parse(subject).ok()?;
    (id.hyphenated().to_string() == subject).then(|| id.into_bytes())
}

/// RFC 8693 §4.1: the outermost `act` is the current actor, those nested in it acted before.
fn actors(act: Option<&Value>) -> Result<Vec<Map<String, Value>>, Error> {
    let mut chain = Vec::new();
    let mut next = act;
    while let Some(actor) = next {
        let members = actor.as_object().ok_or_else(|| malformed("the claim act is not an object"))?;
        if chain.len() == MOST_ACTORS {
            return Err(malformed("the chain of actors is longer than 8"));
        }
        chain.push(members.iter().filter(|(name, _)| *name != "act").map(|(n, v)| (n.clone(), v.clone())).collect());
        next = members.get("act");
    }
    Ok(chain)
}

sql_function! {
    /// `identity.claim_mapping_check(claims)`: refuses with ID005 what is not a claim mapping.
    fn claim_mapping_check(claims: pgrx::JsonB) -> Result<bool, Error> {
        let known: Vec<_> = READERS.iter().map(|(reader, ..)| *reader).collect();
        let refused = |message: &'static str| Error::new(Code::InvalidParameter, message).with_hint(format!(
            "It maps readers ({}) to the name of a claim, to a path as a list of names, to a list of such paths, or to null.",
            known.join(", ")));
        let mapping = claims.0.as_object().ok_or_else(|| refused("claims is not an object"))?;
        for (reader, path) in mapping {
            if !known.contains(&reader.as_str()) {
                return Err(refused("claims maps something that is not a reader"));
            }
            // Without an audience, tokens for other services would be good here.
            if reader == "audience" && path.is_null() {
                return Err(refused("claims maps audience to null"));
            }
            if !is_place(path) {
                return Err(refused("claims maps a reader to something that is not a path"));
            }
        }
        Ok(true)
    }
}

fn is_place(place: &Value) -> bool {
    let is_path = |names: &[Value]| !names.is_empty() && names.iter().all(Value::is_string);
    match place {
        Value::Null => true,
        Value::String(name) => !name.is_empty(),
        Value::Array(parts) => {
            is_path(parts)
                || !parts.is_empty() && parts.iter().all(|path| path.as_array().is_some_and(|names| is_path(names)))
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}
