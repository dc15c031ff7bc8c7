//! The verified identity as one flat block of memory, made once per `authenticate` and read once per row.
//!
//! Flat because PostgreSQL owns and frees it (the `extra` of a setting): one malloc, nothing inside to drop. Offsets instead of pointers,
//! checked at every access, so that reading it is safe Rust.

use std::ffi::c_void;

use serde_json::Value;

use crate::clock::POSTGRES_EPOCH;
use crate::identity::Identity;

/// Texts that a reader returns whole.
#[derive(Clone, Copy)]
pub enum Text {
    /// `identity.issuer()`
    Issuer,
    /// `identity.subject()`
    Subject,
    /// `identity.session_id()`
    SessionId,
    /// `identity.client_id()`
    ClientId,
    /// `identity.grant_id()`
    GrantId,
    /// `identity.organization_id()`
    OrganizationId,
    /// `identity.token_id()`
    TokenId,
    /// `identity.acr()`
    Acr,
    /// JSON of `identity.actor()`
    Actor,
    /// JSON of `identity.actor_chain()`
    ActorChain,
    /// JSON of `identity.claims()`
    Claims,
}
const TEXTS: usize = 11;

/// Lists of texts.
#[derive(Clone, Copy)]
pub enum List {
    /// `identity.scopes()`
    Scopes,
    /// `identity.roles()`
    Roles,
    /// `identity.permissions()`
    Permissions,
    /// `identity.amr()`
    Amr,
    /// name, value, name, value of `identity.claim(text)`
    Claims,
}
const LISTS: usize = 5;

/// The fixed part; the texts follow it in the same allocation.
#[repr(C)]
pub struct Verified {
    /// Microseconds since 2000-01-01, as all moments here: PostgreSQL's `timestamptz`.
    valid_until: i64,
    expires_at: i64,
    auth_time: Option<i64>,
    user_id: Option<[u8; 16]>,
    agent: bool,
    texts: [Option<Span>; TEXTS],
    lists: [Option<Span>; LISTS],
    tail: usize,
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
}

impl Verified {
    /// Nobody, once the token has expired by the start of the statement.
    #[inline]
    pub fn holds_at(&self, moment: i64) -> bool {
        moment < self.valid_until
    }

    /// A person of ours.
    #[inline]
    pub fn user_id(&self) -> Option<&[u8; 16]> {
        self.user_id.as_ref()
    }

    /// Somebody acts for the subject; not an administrator who tries what the subject may do.
    pub fn is_agent(&self) -> bool {
        self.agent
    }

    /// `exp`.
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// `auth_time`.
    pub fn auth_time(&self) -> Option<i64> {
        self.auth_time
    }

    /// One of the texts, in UTF-8.
    #[inline]
    pub fn text(&self, which: Text) -> Option<&[u8]> {
        let span = (*self.texts.get(which as usize)?)?;
        self.bytes(span)
    }

    /// One of the lists; `None` when the token has none.
    pub fn list(&self, which: List) -> Option<Texts<'_>> {
        let span = (*self.lists.get(which as usize)?)?;
        self.bytes(span).map(|rest| Texts { rest })
    }

    /// The value of one claim: texts as they are, everything else as JSON; `None` when it is not there or null.
    pub fn claim(&self, name: &[u8]) -> Option<&[u8]> {
        let mut texts = self.list(List::Claims)?;
        while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
            if key == name {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&self, span: Span) -> Option<&[u8]> {
        // SAFETY: `allocate` copied `tail` bytes directly behind the fixed part.
        let tail = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).add(1).cast::<u8>(), self.tail) };
        let start = span.start as usize;
        tail.get(start..start.checked_add(span.length as usize)?)
    }
}

/// The texts of a list, in order: each has its length before it.
pub struct Texts<'block> {
    rest: &'block [u8],
}

impl Texts<'_> {
    /// The empty list.
    pub fn none() -> Self {
        Self { rest: &[] }
    }
}

impl<'block> Iterator for Texts<'block> {
    type Item = &'block [u8];

    fn next(&mut self) -> Option<&'block [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.rest = rest;
        Some(text)
    }
}

/// Lays out an identity in memory that PostgreSQL can free; null when there is no memory.
pub fn allocate(identity: &Identity) -> *mut c_void {
    let mut tail = Tail { bytes: Vec::with_capacity(2048) };
    let json = |value: &Value| value.to_string();
    let actors: Vec<Value> = identity.actors.iter().cloned().map(Value::Object).collect();
    let texts = [
        tail.text(Some(&identity.issuer)),
        tail.text(Some(&identity.subject)),
        tail.text(identity.session_id.as_deref()),
        tail.text(identity.client_id.as_deref()),
        tail.text(identity.grant_id.as_deref()),
        tail.text(identity.organization_id.as_deref()),
        tail.text(identity.token_id.as_deref()),
        tail.text(identity.acr.as_deref()),
        tail.text(identity.actor.as_ref().map(json).as_deref()),
        tail.text((!actors.is_empty()).then(|| json(&Value::Array(actors))).as_deref()),
        tail.text(serde_json::to_string(&identity.claims).ok().as_deref()),
    ];
    let claims: Vec<String> = identity
        .claims
        .iter()
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some([name.clone(), text.clone()]),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some([name.clone(), json(value)]),
        })
        .flatten()
        .collect();
    let lists = [
        tail.list(identity.scopes.as_deref()),
        tail.list(identity.roles.as_deref()),
        tail.list(identity.permissions.as_deref()),
        tail.list(identity.amr.as_deref()),
        tail.list(Some(&claims)),
    ];
    let fixed = Verified {
        valid_until: timestamp(identity.valid_until),
        expires_at: timestamp(identity.expires_at),
        auth_time: identity.auth_time.map(timestamp),
        user_id: identity.user_id,
        agent: identity.actors.len() > usize::from(identity.impersonated),
        texts,
        lists,
        tail: tail.bytes.len(),
    };
    // SAFETY: the block is as large as both parts and aligned for anything, as malloc's and palloc's are.
    unsafe {
        let block = allocate_bytes(size_of::<Verified>() + tail.bytes.len());
        if !block.is_null() {
            block.cast::<Verified>().write(fixed);
            let behind = block.cast::<Verified>().add(1).cast::<u8>();
            std::ptr::copy_nonoverlapping(tail.bytes.as_ptr(), behind, tail.bytes.len());
        }
        block
    }
}

/// PostgreSQL frees what a check hook gives it: with free() in 15, with its own allocator from 16.
///
/// # Safety
/// None beyond that of an allocator; `unsafe` because the memory is not initialised.
unsafe fn allocate_bytes(length: usize) -> *mut c_void {
    // SAFETY: allocation without side conditions; LOG instead of ERROR, so that no jump leaves this frame.
    unsafe {
        #[cfg(feature = "pg15")]
        return libc::malloc(length);
        #[cfg(not(feature = "pg15"))]
        return pgrx::pg_sys::guc_malloc(pgrx::pg_sys::LOG as i32, length);
    }
}

struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    fn text(&mut self, text: Option<&str>) -> Option<Span> {
        let start = u32::try_from(self.bytes.len()).ok()?;
        let length = u32::try_from(text?.len()).ok()?;
        self.bytes.extend_from_slice(text?.as_bytes());
        Some(Span { start, length })
    }

    fn list<T: AsRef<str>>(&mut self, texts: Option<&[T]>) -> Option<Span> {
        let start = u32::try_from(self.bytes.len()).ok()?;
        for text in texts? {
            let text = text.as_ref();
            self.bytes.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
            self.bytes.extend_from_slice(text.as_bytes());
        }
        let length = u32::try_from(self.bytes.len()).ok()?.checked_sub(start)?;
        Some(Span { start, length })
    }
}

fn timestamp(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000).saturating_sub(POSTGRES_EPOCH)
}

#[cfg(all(test, feature = "pg15"))]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_back_what_was_put_in() {
        let identity = Identity {
            issuer: "https://issuer".into(),
            subject: "alice".into(),
            valid_until: 946_684_801,
            scopes: Some(vec!["openid".into(), String::new(), "notes".into()]),
            claims: serde_json::from_str(r#"{"a":"x","b":[1],"c":null,"d":true}"#).unwrap(),
            ..Identity::default()
        };
        let block = allocate(&identity);
        // SAFETY: `allocate` has written a whole block.
        let verified = unsafe { &*block.cast::<Verified>() };
        assert_eq!(verified.text(Text::Subject), Some(&b"alice"[..]));
        assert_eq!(verified.text(Text::SessionId), None);
        assert_eq!(verified.list(List::Scopes).unwrap().collect::<Vec<_>>(), [&b"openid"[..], b"", b"notes"]);
        assert!(verified.list(List::Roles).is_none());
        assert_eq!(verified.claim(b"b"), Some(&b"[1]"[..]));
        assert_eq!((verified.claim(b"c"), verified.claim(b"x")), (None, None));
        assert!(verified.holds_at(999_999) && !verified.holds_at(1_000_000));
        // SAFETY: allocated with malloc, and used no more.
        unsafe { libc::free(block) };
    }
}
