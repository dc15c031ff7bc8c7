//! The master keys: a file that only the server's user can read, never a byte of it in the database, a dump or the WAL.
//!
//! One key per line: 32 bytes as 64 hexadecimal digits or base64, optionally after a name and a space for the people who look
//! after the file; empty lines and lines that begin with # are skipped. The first key seals, all of them open:
//! to change the key put the new one first, reload, run `identity.rewrap_keys()`, remove the old one, reload.
//! A missing or badly protected file makes every function that needs it refuse; there is no weaker mode.

#[cfg(test)]
mod properties;

use std::cell::RefCell;
use std::ffi::{CString, OsStr};
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pgrx::pg_sys;
use zeroize::Zeroizing;

use crate::errors::{Code, Error};
use crate::memo::digest;
use crate::sealing::{self, KeyId, Secret};
use crate::settings;

/// With and without padding: people make the key with whatever tool is at hand.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Hundreds of keys; anything longer is the wrong file.
const LONGEST_FILE: u64 = 65_536;

struct MasterKey {
    id: KeyId,
    secret: Secret,
}

/// What one reading of the file gave, good until the path changes or the server is told to reload.
struct Reading {
    path: CString,
    reloaded_at: i64,
    keys: Vec<MasterKey>,
}

thread_local! {
    static READING: RefCell<Option<Reading>> = const { RefCell::new(None) };
}

/// Id of the key that seals.
///
/// # Errors
/// ID001 without preload, ID003 when the file cannot be used. The same for [`seal`] and [`open`].
pub fn current() -> Result<KeyId, Error> {
    with_keys(|keys| keys.first().map(|key| key.id).ok_or_else(|| unavailable("contains no key")))
}

/// Seals under the first key.
pub fn seal(purpose: &str, name: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
    with_keys(|keys| {
        let key = keys.first().ok_or_else(|| unavailable("contains no key"))?;
        sealing::seal(&key.secret, key.id, purpose, name, plain)
    })
}

/// Opens what any of the keys sealed. ID003 also when the key is not in the file or the sealed bytes were altered.
pub fn open(purpose: &str, name: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    with_keys(|keys| {
        let id = sealing::key_of(sealed);
        let key =
            keys.iter().find(|key| Some(key.id) == id).ok_or_else(|| unavailable("lacks the key that sealed this"))?;
        sealing::open(&key.secret, purpose, name, sealed).ok_or_else(|| {
            Error::new(
                Code::MasterKeyUnavailable,
                "a sealed key does not open: it was altered or belongs to another row",
            )
        })
    })
}

/// Says at the start of the server what every later function would refuse for.
pub fn warn_if_unusable() {
    if let Err(error) = settings::master_key_file().ok_or_else(not_set).and_then(|path| protected(&path)) {
        pgrx::warning!("{}: {}", error.message, error.hint.as_deref().unwrap_or_default());
    }
}

/// Why the keys cannot be used, None when they can. Reads the file anew and keeps nothing of it.
pub fn unusable() -> Option<String> {
    let reading = settings::master_key_file().ok_or_else(not_set).and_then(|path| read(&path));
    reading.err().map(|error| error.message.into_owned())
}

/// What is wrong with the place of a file that may be used: in the data directory it goes along in every base backup, beside
/// what it seals; whoever may write to its folder can put another file in its place.
pub fn misplaced() -> Option<&'static str> {
    let path = settings::master_key_file()?;
    let file = std::fs::canonicalize(Path::new(OsStr::from_bytes(path.as_bytes()))).ok()?;
    // The data directory is where a backend runs.
    if std::fs::canonicalize(".").is_ok_and(|data| file.starts_with(data)) {
        return Some("lies in the data directory");
    }
    let folder = std::fs::metadata(file.parent()?).ok()?;
    // SAFETY: asks the kernel for a number.
    let server = unsafe { libc::geteuid() };
    // In a folder with the sticky bit nobody replaces the files of others.
    let open = folder.mode() & 0o022 != 0 && folder.mode() & 0o1000 == 0;
    (open || folder.uid() != server && folder.uid() != 0).then_some("lies in a folder that others may write to")
}

fn with_keys<R>(work: impl FnOnce(&[MasterKey]) -> Result<R, Error>) -> Result<R, Error> {
    settings::require_preload()?;
    let path = settings::master_key_file().ok_or_else(not_set)?;
    // SAFETY: a variable of this single-threaded process.
    let reloaded_at = unsafe { pg_sys::PgReloadTime };
    READING.with_borrow_mut(|reading| {
        let good = |reading: &&mut Reading| reading.path == path && reading.reloaded_at == reloaded_at;
        if let Some(reading) = reading.as_mut().filter(good) {
            return work(&reading.keys);
        }
        // A failure is not remembered: the file may be put right without a reload.
        *reading = None;
        let keys = read(&path)?;
        work(&reading.insert(Reading { path, reloaded_at, keys }).keys)
    })
}

fn read(path: &CString) -> Result<Vec<MasterKey>, Error> {
    let mut text = Zeroizing::new(String::new());
    let file = protected(path)?;
    // Room for all of it at once: a growing string would leave copies behind.
    text.reserve(usize::try_from(LONGEST_FILE).unwrap_or_default());
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(|_| unavailable("cannot be read as text"))?;
    parse(&text).map_err(unavailable)
}

/// The open file, if only the server's user can read it. Asked of the open file and not of its path, which may be changed
/// in between.
fn protected(path: &CString) -> Result<File, Error> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        // Opening a pipe would wait for its writer.
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(Path::new(OsStr::from_bytes(path.as_bytes())))
        .map_err(|error| {
            unavailable(if error.kind() == std::io::ErrorKind::NotFound { "is missing" } else { "cannot be opened" })
        })?;
    let metadata = file.metadata().map_err(|_| unavailable("cannot be examined"))?;
    // SAFETY: asks the kernel for a number.
    let server = unsafe { libc::geteuid() };
    complaint(&metadata, server).map_or(Ok(file), |complaint| Err(unavailable(complaint)))
}

fn complaint(metadata: &Metadata, server: u32) -> Option<&'static str> {
    if !metadata.is_file() {
        return Some("is not a regular file");
    }
    if metadata.uid() != server {
        return Some("does not belong to the server's user");
    }
    if metadata.mode() & 0o077 != 0 {
        return Some("may be used by its group or by others");
    }
    (metadata.len() >= LONGEST_FILE).then_some("is too long")
}

fn parse(text: &str) -> Result<Vec<MasterKey>, &'static str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(key).collect::<Option<Vec<_>>>().ok_or("has a line that is not a key")?;
    if keys.is_empty() { Err("contains no key") } else { Ok(keys) }
}

fn key(line: &str) -> Option<MasterKey> {
    let mut words = line.split_whitespace().rev();
    let bytes = Zeroizing::new(bytes(words.next()?)?);
    // At most one name before it.
    if words.nth(1).is_some() {
        return None;
    }
    let mut secret = Secret::default();
    secret.copy_from_slice(<&[u8; 32]>::try_from(bytes.as_slice()).ok()?);
    let id = *digest(&[b"pg_identity master key", secret.as_slice()]).first_chunk()?;
    Some(MasterKey { id, secret })
}

fn bytes(word: &str) -> Option<Vec<u8>> {
    if word.len() != 64 || !word.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return BASE64.decode(word).ok();
    }
    let pairs = word.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn not_set() -> Error {
    Error::new(Code::MasterKeyUnavailable, "pg_identity.master_key_file is not set")
        .with_hint("Put 32 random bytes in base64 into a file of the server's user with mode 0400, name it in pg_identity.master_key_file, and reload.")
}

fn unavailable(complaint: &'static str) -> Error {
    // The path is not in the message: it would tell everybody where to look.
    Error::new(Code::MasterKeyUnavailable, format!("the master key file {complaint}"))
        .with_hint("pg_identity.master_key_file names it; it must belong to the server's user, mode 0400.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_and_base64_with_or_without_a_name_are_the_same_key() {
        let hexadecimal = "00".repeat(32);
        let base64 = "A".repeat(43);
        let text = format!("# keys\n\n{hexadecimal}\n2 {base64}=\n{base64}\n");
        let keys = parse(&text).map_err(str::to_owned).unwrap();
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|key| key.id == keys[0].id && *key.secret == [0; 32]));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "# none", "short", "a b AAAA", &"00".repeat(31), &"zz".repeat(32), &format!("a b {}", "00".repeat(32))]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
