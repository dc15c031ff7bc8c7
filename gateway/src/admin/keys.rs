//! `gateway admin keys`: sql/extension/keys.sql.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Admin;
use crate::failure::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Lists the published keys
    List,
    /// Makes a signing key and prints its kid
    Create {
        /// ES256, RS256, PS256 or EdDSA
        #[arg(long, default_value = "ES256")]
        algorithm: String,
    },
    /// Moves every key on: next becomes current, current retires, a new next one is made
    Rotate,
}

pub async fn run(admin: &Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => {
            let mut keys = admin.ask("select identity.jwks()", &[]).await?;
            let keys = keys.get_mut("keys").map_or_else(|| json!([]), Value::take);
            admin.print_rows(&keys, &["kid", "alg", "kty", "use"]);
        }
        Command::Create { algorithm } => {
            let kid = admin.ask("select to_json(identity.create_signing_key($1))", &[&algorithm]).await?;
            admin.print_object(&if admin.json { json!({ "kid": kid }) } else { kid });
        }
        Command::Rotate => {
            admin.order("select identity.rotate_signing_keys()", &[]).await?;
            admin.print_done("rotated");
        }
    }
    Ok(())
}
