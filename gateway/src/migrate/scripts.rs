//! The store's SQL, as it was when this gateway was built.

use aws_lc_rs::digest::{Context, SHA256, digest};

use crate::failure::Failure;

include!(concat!(env!("OUT_DIR"), "/store.rs"));

/// Schema and bookkeeping, before all migrations.
pub static BOOTSTRAP: &str = include_str!("../../../sql/store/bootstrap.sql");

/// One file.
pub struct Script {
    /// Without its folder.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
}

impl Script {
    /// SHA-256 of the text, hexadecimal.
    pub fn checksum(&self) -> String {
        hexadecimal(digest(&SHA256, self.sql.as_bytes()).as_ref())
    }

    /// The number in front of its name: `0002_users.sql` is 2.
    pub fn version(&self) -> Result<i32, Failure> {
        let number = self.name.split_once('_').and_then(|(number, _)| number.parse().ok());
        number.ok_or_else(|| Failure::new(format!("migration {}: its name has no number", self.name)))
    }
}

/// What `identity_store.store` says after this gateway's migrate.
pub fn store_version() -> String {
    let mut functions = Context::new(&SHA256);
    for script in FUNCTIONS {
        functions.update(script.name.as_bytes());
        functions.update(script.sql.as_bytes());
    }
    let digest: String = hexadecimal(functions.finish().as_ref()).chars().take(12).collect();
    format!("{}-{digest}", MIGRATIONS.len())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
