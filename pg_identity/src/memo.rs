//! Bounded memory of a backend for values that are a pure function of bytes: opened keys, named by their sealed form.
//! There is nothing to invalidate.

use std::cell::RefCell;
use std::rc::Rc;

use aws_lc_rs::digest::{Context, SHA256};

use crate::errors::Error;

/// SHA-256 of everything the value depends on.
pub type Digest = [u8; 32];

/// More than any database has in use at a time; a full memory is emptied.
const MOST: usize = 64;

/// Values by what they depend on, which is compared: with a handful of them that is less than to hash it.
pub struct Memo<T>(RefCell<Vec<Known<T>>>);

struct Known<T> {
    parts: Vec<Box<[u8]>>,
    digest: Digest,
    value: Rc<T>,
}

impl<T> Memo<T> {
    /// An empty memory.
    pub const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// The value, made now if it is not remembered, and its digest. Failures are not remembered.
    pub fn get(&self, parts: &[&[u8]], make: impl FnOnce() -> Result<T, Error>) -> Result<(Digest, Rc<T>), Error> {
        let known = |known: &&Known<T>| known.parts.iter().map(|part| &**part).eq(parts.iter().copied());
        if let Some(known) = self.0.borrow().iter().find(known) {
            return Ok((known.digest, Rc::clone(&known.value)));
        }
        let (digest, value) = (digest(parts), Rc::new(make()?));
        let mut values = self.0.borrow_mut();
        if values.len() >= MOST {
            values.clear();
        }
        let parts = parts.iter().map(|part| Box::from(*part)).collect();
        values.push(Known { parts, digest, value: Rc::clone(&value) });
        Ok((digest, value))
    }

    /// The value of that digest, if it is remembered.
    pub fn known(&self, digest: &[u8]) -> Option<Rc<T>> {
        self.0.borrow().iter().find(|known| known.digest == digest).map(|known| Rc::clone(&known.value))
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
