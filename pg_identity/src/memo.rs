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

#[cfg(test)]
mod tests {
    use super::{Memo, digest};
    use crate::errors::{Code, Error};

    /// As many as are promised: whoever wants more says here why a backend can afford it.
    const PROMISED: usize = 64;

    #[test]
    fn of_ten_thousand_values_a_memory_holds_its_bound_and_makes_the_others_again() {
        let (memo, mut made) = (Memo::new(), 0);
        for round in 0..2 {
            for n in 0..10_000_u32 {
                let key = n.to_be_bytes();
                for _ in 0..2 {
                    // The second time it is there.
                    let (named, value) = memo
                        .get(&[b"sealed", &key], || {
                            made += 1;
                            Ok(n)
                        })
                        .ok()
                        .unwrap();
                    assert_eq!((named, *value), (digest(&[b"sealed", &key]), n));
                    assert_eq!(memo.known(&named).as_deref(), Some(&n));
                    assert_eq!(made, round * 10_000 + n + 1);
                }
                assert!(memo.0.borrow().len() <= PROMISED, "{}", memo.0.borrow().len());
            }
        }
        // What is forgotten has no name any more.
        assert_eq!(memo.known(&digest(&[b"sealed", &0_u32.to_be_bytes()])), None);
    }

    #[test]
    fn a_failure_is_not_remembered_and_takes_nothing_away() {
        let memo = Memo::new();
        memo.get(&[b"good"], || Ok(1)).ok().unwrap();
        for _ in 0..10_000 {
            let failed = memo.get(&[b"bad"], || Err(Error::new(Code::Unsupported, "no")));
            assert_eq!(failed.err().map(|error| error.code), Some(Code::Unsupported));
        }
        assert_eq!(memo.0.borrow().len(), 1);
        assert_eq!(*memo.get(&[b"good"], || Ok(2)).ok().unwrap().1, 1);
        assert_eq!(*memo.get(&[b"bad"], || Ok(3)).ok().unwrap().1, 3);
    }

    #[test]
    fn what_differs_in_one_part_or_in_where_a_part_ends_is_another_value() {
        let (memo, keys) =
            (Memo::new(), [&[&b"ab"[..], b"c"][..], &[b"a", b"bc"], &[b"abc"], &[b"ab", b"c", b""], &[]]);
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(*memo.get(key, || Ok(n)).ok().unwrap().1, n);
        }
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(*memo.get(key, || Ok(100)).ok().unwrap().1, n);
            assert_eq!(memo.known(&digest(key)).as_deref(), Some(&n));
        }
    }
}
