//! The engine of password hashing: Argon2id (RFC 9106) with memory that is reused from hash to hash.
//!
//! `argon2-rust` is about twice as fast as `argon2`, but young and unaudited. So each backend first lets both of them compute
//! known answers; when they differ, `argon2` does the work from then on.

use std::cell::RefCell;

use argon2::{Algorithm, Argon2, AssociatedData, Block, ParamsBuilder, Version};
use zeroize::Zeroize as _;

use crate::errors::Error;

/// Everything a hash depends on except the password.
#[derive(Clone)]
pub struct Recipe<'a> {
    /// Argon2id for our own hashes; the others may be imported.
    pub algorithm: Algorithm,
    /// 0x13, or 0x10 for old imports.
    pub version: Version,
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes, computed one after the other.
    pub lanes: u32,
    /// 8 to 48 bytes.
    pub salt: &'a [u8],
    /// The pepper; empty for none.
    pub secret: &'a [u8],
    /// Associated data of imported hashes; empty for none.
    pub data: &'a [u8],
}

/// What becomes of the memory after a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The next hash of this backend uses it again.
    Kept,
    /// The system gets it.
    GivenBack,
}

trait Engine {
    /// Fills `out`; None when the engine refuses the recipe or has no memory.
    fn hash(&mut self, recipe: &Recipe<'_>, password: &[u8], out: &mut [u8]) -> Option<()>;

    /// Gives the memory back.
    fn forget(&mut self);
}

/// `argon2` with kept memory.
#[derive(Default)]
struct Reference(Vec<Block>);

impl Engine for Reference {
    fn hash(&mut self, recipe: &Recipe<'_>, password: &[u8], out: &mut [u8]) -> Option<()> {
        let mut parameters = ParamsBuilder::new();
        parameters.m_cost(recipe.memory).t_cost(recipe.iterations).p_cost(recipe.lanes).output_len(out.len());
        parameters.data(AssociatedData::new(recipe.data).ok()?);
        let parameters = parameters.build().ok()?;
        let blocks = parameters.block_count();
        let argon2 = Argon2::new_with_secret(recipe.secret, recipe.algorithm, recipe.version, parameters).ok()?;
        if self.0.len() < blocks {
            self.0.try_reserve_exact(blocks - self.0.len()).ok()?;
            self.0.resize(blocks, Block::default());
        }
        let memory = self.0.get_mut(..blocks)?;
        let done = argon2.hash_password_into_with_memory(password, recipe.salt, out, &mut *memory).ok();
        memory.iter_mut().for_each(Block::zeroize);
        done
    }

    fn forget(&mut self) {
        self.0 = Vec::new();
    }
}

/// `argon2-rust` with its pool.
#[derive(Default)]
struct Fast(Option<argon2_rust::Hasher>);

impl Engine for Fast {
    fn hash(&mut self, recipe: &Recipe<'_>, password: &[u8], out: &mut [u8]) -> Option<()> {
        use argon2_rust::params::{Memory, TagLen};
        let algorithm = match recipe.algorithm {
            Algorithm::Argon2d => argon2_rust::Algorithm::Argon2d,
            Algorithm::Argon2i => argon2_rust::Algorithm::Argon2i,
            Algorithm::Argon2id => argon2_rust::Algorithm::Argon2id,
        };
        let version = match recipe.version {
            Version::V0x10 => argon2_rust::Version::V0x10,
            Version::V0x13 => argon2_rust::Version::V0x13,
        };
        let parameters = argon2_rust::Params::builder()
            .memory(Memory::kib(recipe.memory.into()))
            .passes(recipe.iterations)
            .lanes(recipe.lanes)
            .threads(1)
            .tag_len(TagLen::bytes(out.len().try_into().ok()?))
            .build()
            .ok()?;
        let argon2 = argon2_rust::Argon2::new(algorithm, version, parameters);
        let hasher = self.0.get_or_insert_with(|| argon2.hasher());
        hasher.set_argon2(argon2);
        hasher.hash_into_with_ad(password, recipe.salt, recipe.secret, recipe.data, out).ok()
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

/// Not even a backend that may keep its memory sits on more KiB than this after one costly hash.
const MOST_KEPT: u32 = 65_536;

thread_local! {
    static ENGINE: RefCell<Option<Box<dyn Engine>>> = const { RefCell::new(None) };
}

/// Computes a hash into `out`; `Memory` says what becomes of the memory. `distrust` is told once per backend when the fast
/// engine was found wrong.
///
/// # Errors
/// XX000 when there is no memory; the recipe was checked before.
pub fn hash(
    recipe: &Recipe<'_>,
    password: &[u8],
    out: &mut [u8],
    memory: Memory,
    distrust: impl FnOnce(),
) -> Result<(), Error> {
    ENGINE.with_borrow_mut(|engine| {
        let engine = engine.get_or_insert_with(|| {
            if agree(&mut Fast::default(), &mut Reference::default()) {
                return Box::new(Fast::default());
            }
            distrust();
            Box::new(Reference::default())
        });
        let done = engine.hash(recipe, password, out);
        if memory == Memory::GivenBack || recipe.memory > MOST_KEPT {
            engine.forget();
        }
        done.ok_or_else(|| Error::internal("a password cannot be hashed: out of memory"))
    })
}

/// RFC 9106 §5.3, and the same with every kind of block layout that a password meets, on both engines.
fn agree(fast: &mut dyn Engine, reference: &mut dyn Engine) -> bool {
    let known = |engine: &mut dyn Engine| {
        let mut tag = [0; 32];
        let recipe =
            Recipe { memory: 32, iterations: 3, lanes: 4, salt: &[2; 16], secret: &[3; 8], data: &[4; 12], ..OURS };
        engine.hash(&recipe, &[1; 32], &mut tag).map(|()| tag) == Some(RFC_9106)
    };
    let both = |fast: &mut dyn Engine, reference: &mut dyn Engine, memory, lanes| {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        let recipe = Recipe { memory, iterations: 2, lanes, salt: &[5; 16], ..OURS };
        fast.hash(&recipe, b"self-test", &mut one).is_some()
            && reference.hash(&recipe, b"self-test", &mut other).is_some()
            && one == other
    };
    // The second size is larger than the first and the third smaller, so that reused memory is part of the test.
    known(fast) && known(reference) && both(fast, reference, 1_024, 1) && both(fast, reference, 67, 2) && known(fast)
}

const OURS: Recipe<'static> = Recipe {
    algorithm: Algorithm::Argon2id,
    version: Version::V0x13,
    memory: 0,
    iterations: 0,
    lanes: 0,
    salt: &[],
    secret: &[],
    data: &[],
};

/// The tag of RFC 9106 §5.3.
const RFC_9106: [u8; 32] = [
    0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9, 0xd0, 0x1e, 0xf0,
    0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Broken;
    impl Engine for Broken {
        fn hash(&mut self, _: &Recipe<'_>, _: &[u8], _: &mut [u8]) -> Option<()> {
            Some(())
        }

        fn forget(&mut self) {}
    }

    #[test]
    fn a_wrong_engine_is_found_out() {
        assert!(agree(&mut Fast::default(), &mut Reference::default()));
        assert!(!agree(&mut Broken, &mut Reference::default()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn both_engines_give_the_same_hash(
            kind in 0..3_usize, lanes in 1..5_u32, blocks in 8..96_u32, iterations in 1..4_u32,
            password in proptest::collection::vec(any::<u8>(), 0..80), salt in proptest::collection::vec(any::<u8>(), 8..48),
            secret in proptest::collection::vec(any::<u8>(), 0..32), length in 16..64_usize,
        ) {
            let algorithm = [Algorithm::Argon2id, Algorithm::Argon2i, Algorithm::Argon2d][kind];
            let recipe = Recipe { algorithm, memory: blocks * lanes, iterations, lanes, salt: &salt, secret: &secret, ..OURS };
            let (mut one, mut other) = (vec![0; length], vec![0; length]);
            prop_assert!(Fast::default().hash(&recipe, &password, &mut one).is_some());
            prop_assert!(Reference::default().hash(&recipe, &password, &mut other).is_some());
            prop_assert_eq!(one, other);
        }
    }
}
