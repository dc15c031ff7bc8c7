//! Bounded memory of a backend for values that are a pure function of bytes: opened keys, named by the digest of their
//! sealed form. There is nothing to invalidate.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use aws_lc_rs::digest::{Context, SHA256};

use crate::errors::Error;

/// SHA-256 of everything the value depends on.
pub type Digest = [u8; 32];

/// More than any database has in use at a time; a full memory is emptied.
const MOST: usize = 64;

/// Values by digest.
pub struct Memo<T>(RefCell<HashMap<Digest, Rc<T>>>);

impl<T> Memo<T> {
    /// An empty memory.
    pub fn new() -> Self {
        Self(RefCell::new(HashMap::new()))
    }

    /// The value, made now if it is not remembered. Failures are not remembered.
    pub fn get(&self, digest: Digest, make: impl FnOnce() -> Result<T, Error>) -> Result<Rc<T>, Error> {
        if let Some(value) = self.known(&digest) {
            return Ok(value);
        }
        let value = Rc::new(make()?);
        let mut values = self.0.borrow_mut();
        if values.len() >= MOST {
            values.clear();
        }
        values.insert(digest, Rc::clone(&value));
        Ok(value)
    }

    /// The value, if it is remembered.
    pub fn known(&self, digest: &[u8]) -> Option<Rc<T>> {
        self.0.borrow().get(digest).map(Rc::clone)
    }
}

/// Digest of several byte strings; their lengths are part of it, so that no two lists have the same digest.
pub fn digest(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = Digest::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}
