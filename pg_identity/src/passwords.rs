//! Passwords: Argon2id hashes in PHC strings, computed one per place of [`crate::hashing`].
//!
//! A password is brought into the form of RFC 8265 §4.2 (OpaqueString): other spaces become the ASCII space, then NFC; empty
//! ones and control characters are refused. At most 1024 bytes: NIST SP 800-63B §3.1.1.2 wants at least 64 characters
//! accepted, and what is longer only costs memory.

#[cfg(test)]
mod properties;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Params, Version};
use aws_lc_rs::{constant_time, digest};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::argon::{self, Memory, Recipe};
use crate::errors::{Code, Error};
use crate::hashing::{self, Budget, Turn};
use crate::native::sql_function;
use crate::sealing::{KeyId, database_key, key_id, key_name, random};
use crate::settings;

const LONGEST_PASSWORD: usize = 1_024;
/// Bounds of what is computed at all, for hashes from elsewhere: 256 MiB, and 1 GiB times passes, about half a second.
const MOST_MEMORY: u32 = 262_144;
const MOST_WORK: u64 = 1_048_576;
const MOST_LANES: u32 = 16;
/// A shorter hash could be met by chance or by search.
const SHORTEST_HASH: usize = 16;
/// RFC 9106 §3.1: 8 bytes at least.
const SHORTEST_SALT: usize = 8;

/// A password on its way to a hash; cleared when dropped.
struct PlainPassword(Zeroizing<String>);

impl PlainPassword {
    fn new(password: &str) -> Result<Self, Error> {
        let refuse = |reason| Err(Error::new(Code::InvalidParameter, reason));
        if password.is_empty() {
            return refuse("password must not be empty");
        }
        if password.len() > LONGEST_PASSWORD {
            return refuse("password must not be longer than 1024 bytes");
        }
        if password.chars().any(char::is_control) {
            return refuse("password must not contain control characters");
        }
        let space = |letter: char| if letter.is_whitespace() { ' ' } else { letter };
        // Room for the longest result, so that no growing string leaves copies behind.
        let mut prepared = Zeroizing::new(String::with_capacity(LONGEST_PASSWORD * 3));
        prepared.extend(password.chars().map(space).nfc());
        Ok(Self(prepared))
    }
}

/// A PHC string that may be computed.
struct HashedPassword {
    hash: PasswordHash,
    algorithm: Algorithm,
    version: Version,
    parameters: Params,
}

impl HashedPassword {
    fn parse(text: &str) -> Result<Self, Error> {
        let malformed = || Error::new(Code::HashUnacceptable, "the password hash is not a well-formed PHC string");
        let absurd =
            || Error::new(Code::HashUnacceptable, "the password hash has parameters outside the accepted bounds");
        // First, because other formats than PHC begin with their algorithm too ($2b$, $6$ …).
        let algorithm = text.strip_prefix('$').and_then(|text| text.split('$').next()).ok_or_else(malformed)?;
        let algorithm = Algorithm::try_from(algorithm)
            .map_err(|_| Error::new(Code::Unsupported, "the password hash is of an algorithm that is not supported"))?;
        let hash = PasswordHash::new(text).map_err(|_| malformed())?;
        // The reference implementation wrote no version while there was only 0x10.
        let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| malformed())?;
        let parameters = Params::try_from(&hash).map_err(|_| absurd())?;
        // Of two values of one name the last would count, and other readers may take the first.
        let mut names: Vec<_> = hash.params.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(malformed());
        }
        let (salt, output) = hash.salt.as_ref().zip(hash.hash.as_ref()).ok_or_else(malformed)?;
        let work = u64::from(parameters.m_cost()) * u64::from(parameters.t_cost());
        let bounded = parameters.m_cost() <= MOST_MEMORY && work <= MOST_WORK && parameters.p_cost() <= MOST_LANES;
        if !bounded || salt.len() < SHORTEST_SALT || output.len() < SHORTEST_HASH {
            return Err(absurd());
        }
        Ok(Self { hash, algorithm, version, parameters })
    }

    /// The pepper it was made with.
    fn pepper(&self) -> Result<Option<KeyId>, Error> {
        let id = self.parameters.keyid();
        if id.is_empty() {
            return Ok(None);
        }
        id.try_into()
            .map(Some)
            .map_err(|_| Error::new(Code::HashUnacceptable, "the password hash names a pepper that is not ours"))
    }
}

/// Parameters of new hashes, checked as those of foreign ones are.
fn current_parameters(pepper: Option<&str>) -> Result<ParamsString, Error> {
    let (memory, iterations, lanes) = settings::argon2_parameters();
    if u64::from(memory) * u64::from(iterations) > MOST_WORK {
        return Err(Error::new(
            Code::InvalidParameter,
            "pg_identity.argon2_memory times argon2_iterations must not exceed 1 GiB",
        ));
    }
    let unwritable = |_| Error::internal("parameters of a password hash cannot be written");
    let mut parameters = ParamsString::new();
    for (name, value) in [("m", memory), ("t", iterations), ("p", lanes)] {
        parameters.add_decimal(name, value).map_err(unwritable)?;
    }
    if let Some(pepper) = pepper {
        parameters.add_b64_bytes("keyid", &key_id(pepper)?).map_err(unwritable)?;
    }
    Ok(parameters)
}

fn budget(name: &str) -> Result<Budget, Error> {
    match name {
        "sign_in" => Ok(Budget::SignIn),
        "administration" => Ok(Budget::Administration),
        _ => Err(Error::new(Code::InvalidParameter, "budget must be sign_in or administration")),
    }
}

/// Computes one hash in its turn.
fn compute(budget: Budget, recipe: &Recipe<'_>, password: &PlainPassword, out: &mut [u8]) -> Result<(), Error> {
    let turn = hashing::turn(budget)?;
    in_turn(&turn, recipe, password, out)
}

fn in_turn(turn: &Turn, recipe: &Recipe<'_>, password: &PlainPassword, out: &mut [u8]) -> Result<(), Error> {
    let memory = if turn.keeps { Memory::Kept } else { Memory::GivenBack };
    argon::hash(recipe, password.0.as_bytes(), out, memory, || {
        pgrx::warning!(
            "pg_identity: the fast Argon2 engine gives wrong answers on this processor; the slower one is used"
        );
    })
}

/// What a cheaper hash, made before the parameters were raised, costs less than one made now: an unknown name costs the
/// latter, and a wrong password must not be told from it by the time it takes.
fn make_up(turn: &Turn, cheaper: &Recipe<'_>) -> Result<(), Error> {
    let (memory, iterations, lanes) = settings::argon2_parameters();
    let work = |memory: u32, iterations: u32| u64::from(memory) * u64::from(iterations);
    let rest = work(memory, iterations).saturating_sub(work(cheaper.memory, cheaper.iterations));
    let Ok(memory) = u32::try_from(rest / u64::from(iterations.max(1))) else { return Ok(()) };
    // RFC 9106 §3.1: at least 8 KiB a lane.
    if memory < 8 * lanes {
        return Ok(());
    }
    let recipe = Recipe { memory, iterations, lanes, ..cheaper.clone() };
    in_turn(turn, &recipe, &PlainPassword(Zeroizing::default()), &mut [0; 32])
}

fn hash(password: &PlainPassword, pepper: Option<(&str, &[u8])>, budget: Budget) -> Result<String, Error> {
    let params = current_parameters(pepper.map(|(id, _)| id))?;
    let secret = pepper.map(|(id, sealed)| database_key(id, "pepper", sealed)).transpose()?;
    let salt: [u8; 16] = random()?;
    let (memory, iterations, lanes) = settings::argon2_parameters();
    let recipe = Recipe {
        algorithm: Algorithm::Argon2id,
        version: Version::V0x13,
        memory,
        iterations,
        lanes,
        salt: &salt,
        secret: secret.as_ref().map_or(&[], |secret| secret.as_slice()),
        data: &[],
    };
    let mut output = Zeroizing::new([0; 32]);
    compute(budget, &recipe, password, output.as_mut_slice())?;
    let unwritable = |_| Error::internal("a password hash cannot be written");
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(Salt::new(&salt).map_err(unwritable)?),
        hash: Some(Output::new(output.as_slice()).map_err(unwritable)?),
    }
    .to_string())
}

sql_function! {
    /// `argon2_hash(password, pepper_id, pepper, budget)`: PHC string with the current parameters.
    fn argon2_hash(password: &str, pepper_id: Option<&str>, pepper: Option<&[u8]>, budget_name: &str) -> Result<String, Error> {
        settings::require_preload()?;
        hash(&PlainPassword::new(password)?, pepper_id.zip(pepper), budget(budget_name)?)
    }
}

sql_function! {
    /// `argon2_verify(password, hash, pepper, budget)`: whether the password has this hash. A password that could not be hashed
    /// is not refused but wrong, at the same cost: an error would roll back the count of the attempt.
    fn argon2_verify(password: &str, hash: &str, pepper: Option<&[u8]>, budget_name: &str) -> Result<bool, Error> {
        settings::require_preload()?;
        let hashed = HashedPassword::parse(hash)?;
        let pepper = match (hashed.pepper()?, pepper) {
            (None, _) => None,
            (Some(id), Some(sealed)) => Some(database_key(&key_name(id), "pepper", sealed)?),
            (Some(_), None) => {
                return Err(Error::new(Code::HashUnacceptable, "the password hash names a pepper that this database does not have"));
            }
        };
        let (salt, expected) = hashed.hash.salt.as_ref().zip(hashed.hash.hash.as_ref()).ok_or_else(|| Error::internal("no hash"))?;
        let recipe = Recipe {
            algorithm: hashed.algorithm,
            version: hashed.version,
            memory: hashed.parameters.m_cost(),
            iterations: hashed.parameters.t_cost(),
            lanes: hashed.parameters.p_cost(),
            salt: salt.as_ref(),
            secret: pepper.as_ref().map_or(&[], |secret| secret.as_slice()),
            data: hashed.parameters.data(),
        };
        let (password, possible) = match PlainPassword::new(password) {
            Ok(password) => (password, true),
            Err(_) => (PlainPassword(Zeroizing::default()), false),
        };
        let mut output = Zeroizing::new(vec![0; expected.len()]);
        let turn = hashing::turn(budget(budget_name)?)?;
        in_turn(&turn, &recipe, &password, &mut output)?;
        let right = constant_time::verify_slices_are_equal(&output, expected.as_bytes()).is_ok() && possible;
        if !right {
            make_up(&turn, &recipe)?;
        }
        Ok(right)
    }
}

sql_function! {
    /// `argon2_spend(budget)`: the time and memory of one hash with the current parameters, for nobody.
    fn argon2_spend(budget_name: &str) -> Result<(), Error> {
        settings::require_preload()?;
        hash(&PlainPassword(Zeroizing::default()), None, budget(budget_name)?).map(drop)
    }
}

sql_function! {
    /// `password_pepper_id(hash)`: id of the pepper that a hash names; NULL when it names none.
    fn password_pepper_id(hash: &str) -> Result<Option<String>, Error> {
        Ok(HashedPassword::parse(hash)?.pepper()?.map(key_name))
    }
}

sql_function! {
    /// `argon2_differs(hash, pepper_id)`: whether a new hash would have other parameters or another pepper.
    fn argon2_differs(hash: &str, pepper_id: Option<&str>) -> Result<bool, Error> {
        settings::require_preload()?;
        let hashed = HashedPassword::parse(hash)?;
        let output = hashed.hash.hash.as_ref().map_or(0, Output::len);
        Ok(hashed.algorithm != Algorithm::Argon2id
            || hashed.version != Version::V0x13
            || output < 32
            || hashed.hash.params.to_string() != current_parameters(pepper_id)?.to_string())
    }
}

sql_function! {
    /// `sign_in_slot(account)`: see [`hashing::enter_account`].
    fn sign_in_slot(account: &[u8]) -> Result<(), Error> {
        // The database too: copies of one share the keys of their counters, and the places are the server's.
        // SAFETY: a variable of this single-threaded process.
        let database = u32::from(unsafe { pgrx::pg_sys::MyDatabaseId }).to_be_bytes();
        let mut key = [0; 16];
        let digest = digest::digest(&digest::SHA256, &[&database, account].concat());
        key.iter_mut().zip(digest.as_ref()).for_each(|(key, byte)| *key = *byte);
        hashing::enter_account(key)
    }
}
